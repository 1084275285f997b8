"""The commands `models list` and `models rollback`: which fits there are, and taking one back.

Add a command here when people decide about fits by hand. What rolling back means is
model_rollback.py; the other commands are in cli.py.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[str | None, typer.Option("--source", "--dataset", help="The data set.")]
WarehouseFile = Annotated[Path | None, typer.Option("--warehouse", help="Working DuckDB file.")]
Select = Callable[[str | None, Path | None, Path | None], None]


def add_model_commands(app: typer.Typer, select: Select) -> None:
    """Register the commands; `select` hands the flags on to dbt and Dagster."""
    models = typer.Typer(no_args_is_help=True, help="Fitted models: which there are, taking back.")
    app.add_typer(models, name="models")

    @models.command("list")
    def list_command(source: Source = None, warehouse: WarehouseFile = None) -> None:
        """Every fit with its status, its health and the slices it made: `clientela models list`."""
        select(source, warehouse, None)
        from rich.console import Console

        from dagster_project.config import load_config
        from dagster_project.model_rollback import versions
        from dagster_project.summary import render
        from dagster_project.warehouse import open_warehouse

        with open_warehouse(load_config().warehouse_path) as opened:
            found = versions(opened)
        # A line a fit even where there is no terminal: ids are copied from here.
        Console(highlight=False, width=220).print(render(found.astype(object)))

    @models.command("rollback")
    def rollback_command(
        version: Annotated[str, typer.Argument(help="model_version_id, as `models list` says it.")],
        reason: Annotated[str, typer.Option(help="Why; it is kept with the fit.")] = "by hand",
        source: Source = None,
        warehouse: WarehouseFile = None,
    ) -> None:
        """Take a fit out of force for good.

        `clientela models rollback lifetime_value-20240630-1a2b3c4d5e --reason "one wholesaler"`:
        the fit before serves again, that of the same day first; the dates to build anew are listed.
        """
        select(source, warehouse, None)
        from dagster_project.config import load_config
        from dagster_project.model_registry import predecessor
        from dagster_project.model_rollback import (
            UnknownVersionError,
            dates_to_rebuild,
            roll_back,
        )
        from dagster_project.warehouse import open_warehouse

        try:
            with open_warehouse(load_config().warehouse_path) as opened:
                days = roll_back(opened, version, reason)
                again, serving = dates_to_rebuild(opened, days), predecessor(opened, version)
        except UnknownVersionError as error:
            print(f"\n{error}", file=sys.stderr)
            raise typer.Exit(code=1) from error
        made = ", ".join(str(day) for day in days) or "no slice"
        print(
            f"{version} is rolled back; {serving or 'no other fit'} serves in its place. It had "
            f"made {made}; these dates are no longer promoted."
        )
        if again:
            flags = "".join(
                f" {flag} {shlex.quote(str(value))}"
                for flag, value in (("--source", source), ("--warehouse", warehouse))
                if value is not None
            )
            print("Build again, in this order (until then the published copy stays as it is):")
            for day in again:
                print(f"  clientela run{flags} --as-of {day} --back 0")
