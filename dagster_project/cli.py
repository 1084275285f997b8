"""The command `clientela`: the same jobs that the UI starts, for people and cron.

Add a command when someone must do a thing without the UI. What the command does lives in the module
it calls.

Exit codes: 0 done, 1 a gate, a check or the source refused, 2 wrong use.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli_erasure import add_commands
from dagster_project.cli_models import add_model_commands

# Dagster says of stable parameters of ours that they are in beta; a user can do nothing about it.
warnings.filterwarnings("ignore", message=".*currently in beta.*")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help=__doc__
)

Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        "--dataset",
        help="A data set named in config.yml, or a folder of files named after the shapes.",
    ),
]
WarehouseFile = Annotated[Path | None, typer.Option("--warehouse", help="Working DuckDB file.")]
PublishFile = Annotated[Path | None, typer.Option("--publish", help="Published DuckDB file.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="YYYY-MM-DD; last day to be seen.")]


def _select(source: str | None, warehouse: Path | None = None, publish: Path | None = None) -> None:
    """Hand the flags on through the environment, which dbt and Dagster's processes inherit."""
    if source:
        os.environ["CLIENTELA_DATASET"] = (
            str(Path(source).resolve()) if Path(source).is_dir() else source
        )
    if warehouse:
        os.environ["CLIENTELA_WAREHOUSE"] = str(warehouse.absolute())
    if publish:
        os.environ["CLIENTELA_PUBLISHED"] = str(publish.absolute())


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(f"{text} is not a date; write it as 2017-12-31") from error


def _refuse(error: Exception) -> typer.Exit:
    print(f"\n{error}", file=sys.stderr)
    return typer.Exit(code=1)


@app.command()
def run(
    source: Source = None,
    warehouse: WarehouseFile = None,
    publish: PublishFile = None,
    as_of: AsOf = None,
    as_of_every: Annotated[str, typer.Option(help="Earlier dates: day, week or month.")] = "month",
    back: Annotated[int | None, typer.Option(help="How many earlier dates to build.")] = None,
    force: Annotated[
        bool, typer.Option(help="Build tables again even when unchanged; fits are kept.")
    ] = False,
) -> None:
    """From raw tables to the published copy.

    `clientela run` builds the data set of config.yml.
    `clientela run --source ./exports --as-of 2025-06-30 --as-of-every month --back 12` builds your
    own files.
    """
    if as_of_every not in ("day", "week", "month"):
        raise typer.BadParameter(f"--as-of-every is {as_of_every}; choose day, week or month")
    _select(source, warehouse, publish)
    day = _day(as_of)
    from dagster_project.config import ConfigError, load_config
    from dagster_project.instance import set_dagster_home

    try:
        config = load_config()
        set_dagster_home(config)
        print(f"Clientela: {config.dataset}", file=sys.stderr, flush=True)
        from dagster_project.runs import RunFailedError, run_everything
        from dagster_project.summary import print_summary
    except (ConfigError, RuntimeError) as error:
        raise _refuse(error) from error
    try:
        done = run_everything(config, day, as_of_every, back, force=force)
    except RunFailedError as error:
        raise _refuse(error) from error
    print_summary(config, done.as_of_date)
    print(f"Done in {done.seconds:.0f} s: {len(done.dates)} dates up to {done.as_of_date}.")


@app.command()
def summary(source: Source = None, warehouse: WarehouseFile = None) -> None:
    """Print the summary of the latest promoted date again."""
    _select(source, warehouse)
    from dagster_project.config import load_config
    from dagster_project.summary import print_summary

    print_summary(load_config())


@app.command()
def query(sql: str, source: Source = None, publish: PublishFile = None) -> None:
    """Run SQL on the published copy, as `clientela query 'select * from serving.customer_360 limit
    5'`.
    """
    _select(source, None, publish)
    import duckdb
    from rich.console import Console

    from dagster_project.config import load_config
    from dagster_project.summary import query_published, render

    try:
        Console(highlight=False).print(render(query_published(load_config().published_path, sql)))
    except duckdb.Error as error:
        raise _refuse(error) from error


@app.command("check-source")
def check_source_command(source: Source = None, warehouse: WarehouseFile = None) -> None:
    """Hold a source against the contract before the first run: `clientela check-source --source
    ./exports`, or `--source my_warehouse --warehouse company.duckdb` for schemas.
    """
    _select(source, warehouse)
    from rich.console import Console

    from dagster_project.config import ConfigError, load_config
    from dagster_project.landing import SourceError, check_source

    try:
        report = check_source(load_config())
    except (ConfigError, SourceError) as error:
        raise _refuse(error) from error
    Console(highlight=False).print(report.render())
    raise typer.Exit(code=0 if report.is_fit else 1)


@app.command()
def simulate(
    folder: Path,
    customers: Annotated[int, typer.Option(min=100)] = 20_000,
    seed: int = 7,
    truth: Annotated[Path | None, typer.Option(help="Folder for the known truth.")] = None,
    ceiling: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of customers held below what they would spend."),
    ] = 0.0,
) -> None:
    """Write the invented shop chain as files: `clientela simulate ./shop --customers 5000`."""
    from models_py.simulate import Ceiling, write_retailer

    truth = truth or folder.with_name(f"{folder.name}_truth")
    write_retailer(folder, truth, customers, seed, ceiling=Ceiling(ceiling))
    print(f"Files named after the shapes are in {folder}, the truth is in {truth}.")


@app.command()
def ui(source: Source = None, port: int = 3000) -> None:
    """Start the Dagster UI and the daemon with its schedules: `clientela ui --port 3000`."""
    _select(source)
    from dagster_project.config import PROJECT_ROOT, load_config
    from dagster_project.instance import set_dagster_home

    set_dagster_home(load_config())
    os.chdir(PROJECT_ROOT)
    dagster = str(Path(sys.executable).parent / "dagster")
    os.execv(dagster, [dagster, "dev", "-w", "workspace.yaml", "-p", str(port)])


add_commands(app, _select)
add_model_commands(app, _select)

if __name__ == "__main__":
    app()
