"""The commands `forget`, `backup` and `restore`: what may not be lost, and what must not be kept.

Add a command here that erases or saves. How it is done stays out (erasure/, backups.py); the other
commands are in cli.py.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[str | None, typer.Option("--source", "--dataset", help="The data set.")]
WarehouseFile = Annotated[Path | None, typer.Option("--warehouse", help="Working DuckDB file.")]
PublishFile = Annotated[Path | None, typer.Option("--publish", help="Published DuckDB file.")]
Values = list[str] | None
Select = Callable[[str | None, Path | None, Path | None], None]


def add_commands(app: typer.Typer, select: Select) -> None:
    """Register the commands; `select` hands the flags on to dbt and Dagster."""

    @app.command("forget")
    def forget_command(
        email: Annotated[Values, typer.Option(help="E-mail of the person.")] = None,
        phone: Annotated[Values, typer.Option(help="Telephone, in any notation.")] = None,
        loyalty_id: Annotated[Values, typer.Option(help="Number of the card.")] = None,
        device_id: Annotated[Values, typer.Option(help="Browser or app.")] = None,
        record: Annotated[Values, typer.Option(help="SYSTEM:ID of a record.")] = None,
        customer_id: Annotated[Values, typer.Option(help="Id of the person here.")] = None,
        requests: Annotated[
            bool, typer.Option("--requests", help="All open rows of erasure_requests.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
        source: Source = None,
        warehouse: WarehouseFile = None,
        publish: PublishFile = None,
    ) -> None:
        """Erase a person from every room, copy, backup, export and log, leaving aggregates.

        `clientela forget --email ana@example.com --dry-run` counts what would go; without
        `--dry-run` it goes. `clientela forget --requests` carries out the source's erasure
        requests.
        """
        select(source, warehouse, publish)
        named = {
            "email": email,
            "phone": phone,
            "loyalty_id": loyalty_id,
            "device_id": device_id,
            "record": record,
            "customer_id": customer_id,
        }
        asked = [(kind, value) for kind, values in named.items() for value in values or ()]
        if not asked and not requests:
            raise typer.BadParameter("name a person (--email, --record, ...) or say --requests")
        from dagster_project.config import ConfigError, load_config
        from dagster_project.erasure.command import run_forget
        from dagster_project.erasure.keys import ErasureKeyError
        from dagster_project.erasure.search import UnknownPersonError

        try:
            lines, is_done = run_forget(load_config(), asked, requests=requests, dry_run=dry_run)
        except (ConfigError, UnknownPersonError, ErasureKeyError, RuntimeError) as error:
            raise _refuse(error) from error
        print("\n".join(lines))
        raise typer.Exit(code=0 if is_done else 1)

    @app.command("backup")
    def backup_command(source: Source = None, warehouse: WarehouseFile = None) -> None:
        """Save what no run can make again: person ids, fits, segment keys, erasures."""
        select(source, warehouse, None)
        from dagster_project.backups import BackupError, backup
        from dagster_project.config import load_config
        from dagster_project.erasure.keys import key_path

        config = load_config()
        try:
            file, counts = backup(config, dt.datetime.now(dt.UTC))
        except BackupError as error:
            raise _refuse(error) from error
        print(f"{sum(counts.values()):,} rows of {len(counts)} tables are in {file}.")
        if key_path(config).is_file():
            print(
                f"Keep a copy of {key_path(config)} where you keep secrets: without it erased "
                "persons are not recognised, and nothing is landed."
            )

    @app.command("restore")
    def restore_command(file: Path, source: Source = None, warehouse: WarehouseFile = None) -> None:
        """Bring a backup into a new warehouse.

        `clientela restore backups/my_shop/20250630T050000.duckdb`
        """
        select(source, warehouse, None)
        from dagster_project.backups import BackupError, restore
        from dagster_project.config import load_config

        try:
            counts = restore(load_config(), file)
        except BackupError as error:
            raise _refuse(error) from error
        print(f"{sum(counts.values()):,} rows of {len(counts)} tables were restored.")


def _refuse(error: Exception) -> typer.Exit:
    print(f"\n{error}", file=sys.stderr)
    return typer.Exit(code=1)
