"""Where a slice comes from, and whether it must be built again.

Every step has a fingerprint: a hash over the fingerprints of its inputs, its settings and its code.
A step whose recorded fingerprint is the one it would get now is skipped. Clock times and run ids
are kept here and nowhere in the results.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import duckdb

from dagster_project.result_tables import PIPELINE_RUNS, PROMOTED_DATES, TABLE_LINEAGE, ResultTable
from dagster_project.warehouse import Warehouse

FORCE_TAG = "clientela/force"
NUMERICAL_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pymc",
    "pytensor",
    "nutpie",
    "numba",
    "arviz",
    "scikit-learn",
    "splink",
    "phonenumbers",
    "nicknames",
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
)


@dataclass(frozen=True)
class Step:
    """One unit of work on one slice.

    Parameters
    ----------
    name
        The table or set of tables it makes.
    as_of_date
        The slice, or None for unpartitioned steps.
    fingerprint
        Hash of inputs, settings and code.
    """

    name: str
    as_of_date: dt.date | None
    fingerprint: str

    def is_current(self, warehouse: Warehouse) -> bool:
        """True when the warehouse already holds what this step would make."""
        return recorded_fingerprint(warehouse, self.name, self.as_of_date) == self.fingerprint


@cache
def code_hash(*modules: str) -> str:
    """Hash of the source of modules or packages (dotted names) and versions of what computes."""
    digest = hashlib.sha256()
    for package in NUMERICAL_PACKAGES:
        digest.update(f"{package}=={version(package)}".encode())
    for module in ("dagster_project.result_tables", *modules):
        origin = Path(str(import_module(module).__file__))
        files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
        for file in files:
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def folder_hash(folder: Path, patterns: Sequence[str]) -> str:
    """Hash of the files of a folder that match any of the patterns."""
    digest = hashlib.sha256()
    for file in sorted({path for pattern in patterns for path in folder.rglob(pattern)}):
        digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return digest.hexdigest()


def fingerprint(*parts: object) -> str:
    """Hash of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def recorded_fingerprint(warehouse: Warehouse, name: str, as_of_date: dt.date | None) -> str | None:
    """The fingerprint under which a step was last written, or None."""
    found = warehouse.scalar(
        f"select input_fingerprint from {TABLE_LINEAGE.full_name} "
        "where table_name = ? and as_of_date is not distinct from ?",
        [name, as_of_date],
    )
    return None if found is None else str(found)


def step_for(
    warehouse: Warehouse,
    name: str,
    as_of_date: dt.date | None,
    inputs: Iterable[tuple[str, dt.date | None]],
    settings: object,
    code: str,
) -> Step:
    """The step as it would be made now, from the recorded fingerprints of its inputs.

    Raises
    ------
    dagster.Failure
        When an input was never built; it names the input and the job that builds it.
    """
    found = {}
    for table, date in inputs:
        recorded = recorded_fingerprint(warehouse, table, date)
        if recorded is None:
            raise dg.Failure(
                f"{name} needs {table}"
                + (f" for {date}" if date else "")
                + ", which was never built in this warehouse. Materialize it first (job `prepare` "
                "for unpartitioned tables, job `slice` for a date)."
            )
        found[f"{table}@{date}"] = recorded
    return Step(name, as_of_date, fingerprint(name, str(as_of_date), found, settings, code))


def begin(
    context: dg.AssetExecutionContext, warehouse: Warehouse, step: Step, *, unpromotes: bool = True
) -> bool:
    """Open a step for writing; False when it is current and nobody asked to build it all the same.

    What is written down of the last build is struck out first, and a date under work is no longer
    promoted: a build that fails or is killed half way must never pass for the one before it.

    Parameters
    ----------
    unpromotes
        False for a step that promotion does not wait for, such as a measurement that only warns:
        no later step would promote the date again.
    """
    if not is_due(context, warehouse, step):
        return False
    forget(warehouse, step, unpromotes=unpromotes)
    return True


def is_due(context: dg.AssetExecutionContext, warehouse: Warehouse, step: Step) -> bool:
    """False when the step is current and nobody asked to build it all the same."""
    return not step.is_current(warehouse) or context.run.tags.get(FORCE_TAG) == "true"


def forget(warehouse: Warehouse, step: Step, *, unpromotes: bool = True) -> None:
    """Strike out the record of a step, and the promotion of its date where that depends on it."""
    strike_out(warehouse.connection, step)
    if unpromotes:
        warehouse.connection.execute(
            f"delete from {PROMOTED_DATES.full_name} where as_of_date = ?", [step.as_of_date]
        )


def strike_out(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    """Delete the record of a step, in the transaction of the connection if it has one."""
    connection.execute(
        f"delete from {TABLE_LINEAGE.full_name} "
        "where table_name = ? and as_of_date is not distinct from ?",
        [step.name, step.as_of_date],
    )


def record(
    warehouse: Warehouse, step: Step, run_id: str, tables: Sequence[ResultTable | str] = ()
) -> dict[str, tuple[int, str]]:
    """Write down that ``step`` was made, with row count and content hash of its tables.

    Called after the slice is committed: a run killed in between builds the slice again, which
    changes nothing.
    """
    measured = {
        name: warehouse.measure(name, step.as_of_date)
        for name in (t if isinstance(t, str) else t.full_name for t in tables)
    }
    entries: dict[str, tuple[int | None, str | None]] = {step.name: (None, None), **measured}
    connection = warehouse.connection
    connection.execute("begin transaction")
    for name, (rows, content) in entries.items():
        connection.execute(
            f"delete from {TABLE_LINEAGE.full_name} "
            "where table_name = ? and as_of_date is not distinct from ?",
            [name, step.as_of_date],
        )
        connection.execute(
            f"insert into {TABLE_LINEAGE.full_name} values (?, ?, ?, ?, ?, ?)",
            [name, step.as_of_date, run_id, step.fingerprint, rows, content],
        )
    connection.execute(
        f"insert into {PIPELINE_RUNS.full_name} values (?, ?, ?, ?)",
        [run_id, step.name, step.as_of_date, dt.datetime.now(dt.UTC).replace(tzinfo=None)],
    )
    connection.execute("commit")
    return measured


def results(
    tables: Sequence[ResultTable],
    measured: dict[str, tuple[int, str]] | None,
    extra: dict[str, dict[str, object]] | None = None,
) -> list[dg.MaterializeResult]:
    """Materializations of ``tables``; ``measured`` is None when the slice was skipped."""
    out = []
    for table in tables:
        metadata: dict[str, object] = dict((extra or {}).get(table.full_name, {}))
        data_version = None
        if measured is None:
            metadata["unchanged"] = True
        else:
            rows, content = measured[table.full_name]
            metadata["dagster/row_count"] = rows
            data_version = dg.DataVersion(content)
        out.append(
            dg.MaterializeResult(asset_key=table.key, metadata=metadata, data_version=data_version)
        )
    return out


def asset_spec(
    table: ResultTable,
    deps: Iterable[Sequence[str]],
    partitions_def: dg.PartitionsDefinition | None = None,
    kinds: Iterable[str] = ("python", "duckdb"),
) -> dg.AssetSpec:
    """The asset of a result table: key, room, grain, columns, owner."""
    return dg.AssetSpec(
        key=table.key,
        deps=[dg.AssetDep(list(key)) for key in deps],
        description=table.grain,
        group_name=table.schema,
        kinds=set(kinds),
        owners=["team:clientela"],
        partitions_def=partitions_def,
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[
                    dg.TableColumn(name, kind, description=description)
                    for name, kind, description in table.columns
                ]
            ),
            "dagster/table_name": table.full_name,
        },
    )
