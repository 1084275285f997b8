"""Forgetting persons: every file that may name them, the warehouse last.

Add here another place that must be searched. The warehouse comes last because it says who is still
to be forgotten: after a kill the same job does the rest, and until the swap every file is the good
one of before. Who is meant is settled in search.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from dagster_project.config import Config
from dagster_project.erasure.columns import Table, tables_of
from dagster_project.erasure.files import clean_files, sealed_files
from dagster_project.erasure.keys import (
    define_hash,
    key_check,
    key_path,
    keyed_hash,
    load_key,
)
from dagster_project.erasure.needles import Needles, needles_of
from dagster_project.erasure.persons import gather
from dagster_project.erasure.raw_columns import learn
from dagster_project.erasure.rewriting import (
    NEXT,
    attach,
    conditions,
    counted,
    remaining,
    rewrite,
)
from dagster_project.erasure.search import (
    UnknownPersonError,
    know_numbers,
    open_requests,
    the_one,
)
from dagster_project.erasure.segment_totals import segments_again
from dagster_project.erasure.suppression import mark_raw_rows, remember
from dagster_project.erasure.totals import (
    LEDGER,
    agree_again,
    cohorts_again,
    count_again,
    households_again,
    keep_revenue,
    measure_again,
    note_run,
)
from dagster_project.result_tables import (
    ERASED_REVENUE,
    ERASURE_COLUMNS,
    ERASURES,
    PENDING_ERASURES,
    TABLE_LINEAGE,
)
from dagster_project.sql_text import literal
from dagster_project.warehouse import SCHEMAS, open_warehouse

Say = Callable[[str], None]
PENDING = PENDING_ERASURES.full_name


@dataclass
class Forgotten:
    """What an erasure did, in counts that name nobody.

    `unresolved` are ids of requests with the reason why they are still open, `returning` raw tables
    whose rows the next landing could not recognise.
    """

    persons: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    sealed: list[str] = field(default_factory=list)
    unresolved: dict[str, str] = field(default_factory=dict)
    returning: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    """The persons to forget, gathered in the temporary tables of `connection`."""

    connection: duckdb.DuckDBPyConnection
    needles: Needles
    doomed: dict[Table, str]
    report: Forgotten
    spared: frozenset[str]


def ask(config: Config, persons: Iterable[tuple[str, str]]) -> None:
    """Note in the warehouse who is to be forgotten: run config and tags would keep it for ever."""
    key = load_key(config, create=True)
    with open_warehouse(config.warehouse_path) as warehouse:
        for key_type, value in persons:
            number = f"e_{keyed_hash(key, 'erasure', value)[:16]}"
            warehouse.connection.execute(f"delete from {PENDING} where erasure_id = ?", [number])
            warehouse.connection.execute(
                f"insert into {PENDING} values (?, ?, ?)", [number, key_type, value]
            )


def preview(config: Config, persons: Iterable[tuple[str, str]], *, requests: bool) -> Forgotten:
    """What would be removed from the warehouse; nothing is written but temporary tables."""
    # A preview makes no key file: its hashes are thrown away with its tables.
    key = load_key(config) if key_path(config).is_file() else secrets.token_bytes(32)
    with _planned(config, list(persons), key, requests=requests) as plan:
        plan.report.rows = counted(plan.connection, "old", plan.doomed)
        return plan.report


def forget(
    config: Config, run_id: str, dagster_home: Path, *, requests: bool, say: Say
) -> Forgotten:
    """Remove everybody who is pending, and whom open requests name, from every file.

    Raises
    ------
    RuntimeError
        When a column still names them after the copy; the warehouse is then as it was before.
    """
    key = load_key(config, create=True)
    with open_warehouse(config.warehouse_path) as warehouse:
        # Result tables of a warehouse that an earlier release made are created on opening.
        warehouse.connection.execute(
            "alter table if exists raw.landed_tables add column if not exists rows_erased bigint"
        )
        pending = warehouse.connection.execute(
            f"select key_type, key_value from {PENDING} order by all"
        ).fetchall()
    with _planned(config, pending, key, requests=requests) as plan:
        report = plan.report
        if not report.persons:
            return report
        report.rows = counted(plan.connection, "old", plan.doomed)
        rows = sum(report.rows.values())
        say(f"{report.persons} persons: {rows} rows in {len(report.rows)} tables")
        for path in _copies(config):
            report.copies[path.name] = _clean_copy(plan, path)
            say(f"{path.name}: {report.copies[path.name]} rows")
        report.files = clean_files(config, plan.needles, dagster_home, plan.connection)
        say(f"other files: {report.files}")
        report.sealed = [file.name for file in sealed_files(config, dagster_home)]
        if report.sealed:
            say(f"check by hand: {', '.join(report.sealed)}")

        def adjust(connection: duckdb.DuckDBPyConnection, renewed: str) -> None:
            keep_revenue(connection, "old", renewed)
            agree_again(connection, "old", renewed)
            count_again(connection, "old", renewed, plan.doomed)
            remember(connection, renewed)
            recounted = households_again(connection, renewed)
            recounted |= cohorts_again(connection, "old", renewed)
            recounted |= segments_again(connection, "old", renewed)
            measure_again(connection, renewed, recounted | set(report.rows))
            note_run(connection, renewed, run_id)
            if left := remaining(connection, renewed, plan.needles, plan.spared):
                raise RuntimeError(
                    f"columns that still name an erased person: {left}. The warehouse was left as "
                    "it is; report this with the names of the columns."
                )

        # Who is pending is not copied: an early checkpoint would keep what is deleted afterwards.
        doomed = plan.doomed | {Table(*PENDING.split("."), columns={}): "true"}
        rewrite(plan.connection, config.warehouse_path, "old", doomed, plan.needles, adjust)
    return report


@contextmanager
def _planned(
    config: Config, persons: list[tuple[str, str]], key: bytes, *, requests: bool
) -> Iterator[_Plan]:
    report = Forgotten()
    with duckdb.connect() as connection:
        config.landing_path.mkdir(parents=True, exist_ok=True)
        connection.execute(f"set temp_directory = {literal(str(config.landing_path / 'spill'))}")
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, config.warehouse_path, "old")
        done = []
        know_numbers(connection)
        country = config.identity.default_country
        for request, asked in open_requests(connection, country) if requests else []:
            try:
                persons.append(the_one(connection, asked))
                done.append(request)
            except UnknownPersonError as error:
                report.unresolved[request] = str(error)
        persons = list(dict.fromkeys(persons))
        report.persons = len(persons)
        customers = [value for key_type, value in persons if key_type == "customer_id"]
        values = [pair for pair in persons if pair[0] != "customer_id"]
        gather(connection, customers, values, done)
        define_hash(connection, key)
        needles = needles_of(connection)
        tables = tables_of(connection, "old")
        raw = [table for table in tables if table.schema == "raw"]
        staged = [t for t in tables if t.schema == "staging" and t.has_provenance]
        learned = learn(connection, raw, staged)
        report.returning = mark_raw_rows(connection, raw, learned, needles, key_check(key))
        spared = frozenset(table.schema for table in tables) - set(SCHEMAS)
        special = {
            f"raw.{table.name}": "_row_number in (select row_number from gone_rows "
            f"where table_name = {literal(table.name)})"
            for table in raw
            if "_row_number" in table.columns
        }
        special["raw.rejected_lines"] = (
            "(table_name, line_number) in (select (table_name, row_number) from gone_lines)"
        )
        special[PENDING] = "false"
        doomed = conditions(connection, "old", needles, special, spared)
        yield _Plan(connection, needles, doomed, report, spared)


def _copies(config: Config) -> list[Path]:
    """The published copy and the backups, with what a killed writer left of them."""
    found = []
    for path in (config.published_path, *sorted(config.backups_path.glob("*.duckdb"))):
        path.with_name(path.name + NEXT).unlink(missing_ok=True)
        if path.is_file():
            found.append(path)
    return found


def _clean_copy(plan: _Plan, path: Path) -> int:
    """Rewrite a copy that names the persons; one that does not is left as it is."""
    connection = plan.connection
    attach(connection, path, "copied")
    doomed = conditions(connection, "copied", plan.needles)
    found = counted(connection, "copied", doomed)
    names = {f"{table.schema}.{table.name}" for table in doomed}
    # A backup restored without this erasure would bring the person back at the next landing.
    keeps_erasures = {ERASURES.full_name, ERASURE_COLUMNS.full_name} <= names
    if not found and not keeps_erasures:
        connection.execute("detach copied")
        return 0
    changed = set(found) if TABLE_LINEAGE.full_name in names else set()

    def adjust(renewing: duckdb.DuckDBPyConnection, renewed: str) -> None:
        if ERASED_REVENUE.full_name in names:
            source = "copied" if LEDGER in names else "old"
            keep_revenue(renewing, source, renewed, renewed if source == "copied" else source)
        agree_again(renewing, "copied", renewed)
        recounted = households_again(renewing, renewed)
        recounted |= cohorts_again(renewing, "copied", renewed)
        recounted |= segments_again(renewing, "copied", renewed)
        if keeps_erasures:
            remember(renewing, renewed)
        if changed:
            measure_again(renewing, renewed, changed | recounted)
        if left := remaining(renewing, renewed, plan.needles):
            raise RuntimeError(f"{path}: columns that still name an erased person: {left}")

    rewrite(connection, path, "copied", doomed, plan.needles, adjust)
    return sum(found.values())
