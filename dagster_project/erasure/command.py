"""What `clientela forget` does around the job: who is meant, the job's start, the words at the end.

Add here what a person at the terminal must be told. The erasure itself is in forget.py, and runs as
the job that the UI has too.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from dagster_project.config import Config
from dagster_project.erasure.forget import Forgotten, ask, preview
from dagster_project.erasure.rewriting import attach
from dagster_project.erasure.search import Asked, the_one
from dagster_project.instance import set_dagster_home


def run_forget(
    config: Config, asked: Sequence[tuple[str, str]], *, requests: bool, dry_run: bool
) -> tuple[list[str], bool]:
    """Find the persons, start the job `forget`, and say what it did.

    Returns
    -------
    tuple
        Lines for the terminal, without personal data, and whether everything asked for is done.

    Raises
    ------
    UnknownPersonError
        When nobody or more than one person has an identifier; nothing was changed.
    """
    if not config.warehouse_path.is_file():
        raise RuntimeError(f"There is no warehouse {config.warehouse_path}, so nobody to forget.")
    with duckdb.connect() as connection:
        attach(connection, config.warehouse_path, "old")
        persons = [
            the_one(connection, Asked(kind, value, config.identity.default_country))
            for kind, value in asked
        ]
    if dry_run:
        return _lines(config, preview(config, persons, requests=requests), is_done=False), True
    ask(config, persons)
    set_dagster_home(config)
    from dagster_project.runs import run_job

    counts = run_job(
        config, "forget", {"ops": {"erase": {"config": {"with_requests": requests}}}}, "erase"
    )
    open_requests = counts.pop("unresolved")
    lines = _lines(config, Forgotten(**counts), is_done=True)
    if open_requests:
        lines.append(
            f"{open_requests} requests are still open; `clientela forget --requests --dry-run` "
            "says why."
        )
    return lines, not open_requests


def _lines(config: Config, done: Forgotten, *, is_done: bool) -> list[str]:
    if not done.persons:
        return ["Nobody to forget.", *_open(done)]
    verb = "Erased" if is_done else "Would erase"
    lines = [f"{verb} {_counted(done.persons, 'person')}: {sum(done.rows.values()):,} rows."]
    lines += [f"  {table:<40} {rows:>8,}" for table, rows in sorted(done.rows.items())]
    for copy, rows in done.copies.items():
        lines.append(f"  {copy:<40} {rows:>8,}")
    if done.files:
        lines.append(
            f"Searched {done.files['files_searched']:,} other files of "
            f"{done.files['bytes_searched'] / 1e6:,.1f} MB, changed {done.files['files_changed']}."
        )
    if done.sealed:
        lines.append(f"Archives that nobody can search; check by hand: {', '.join(done.sealed)}.")
    for table, rows in done.returning.items():
        lines.append(
            f"raw.{table}: landing will not recognise {_counted(rows, 'row')}, because no column "
            "holds the key as it stands; take them out of the source."
        )
    lines.append(
        f"The source of {config.dataset} is the company's own system and may still hold them: "
        "every landing withholds their rows."
    )
    return lines + _open(done)


def _open(done: Forgotten) -> list[str]:
    return [f"Request {request} is open: {why}" for request, why in done.unresolved.items()]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
