"""Hostile shops through the whole of dbt and the Python between: landing to features, no crash.

Run `python -m benchmarks.fuzz_features --cases 300`; it adds the part `features` to
`benchmarks/results/fuzz.json`. Add a value here that is legal in a row and dangerous further on;
values that staging must refuse belong to fuzz.py, whose hostile cells are mixed in.

dbt is started once, to compile. Its SQL is then run in one process on a database in memory, in the
order and with the Python steps of the main job (telephones, persons, profile, memory of the
ledger), and so are its data tests: one that fails would have stopped the job.
"""

from __future__ import annotations

import datetime as dt
import io
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from benchmarks import fuzz, fuzz_runner
from dagster_project.assets.dbt import AFTER_MAP
from dagster_project.assets.identity import (
    IDENTIFIERS,
    NORMALISED,
    OVERRIDES,
    PHONES,
    RECORDS,
    TABLES,
    _write,
)
from dagster_project.landing import SourceError, check_source, land
from dagster_project.ledger_memory import remember_ledger
from dagster_project.profiling import profile
from dagster_project.result_tables import LEDGER_EVENTS, PHONE_NUMBERS
from dagster_project.source_contract import SHAPES, Column
from dagster_project.warehouse import Warehouse, open_warehouse
from models_py.record_linkage import RecordLinkage
from models_py.record_linkage.exact import ordered_records
from models_py.record_linkage.linking import link_persons
from models_py.record_linkage.phones import normalise_phones

CHUNK = 10
AS_OF = "2024-06-30"
TODAY = dt.date(2024, 12, 31)
IDS = {
    "source_system": ["shop", "till"],
    "source_record_id": ["r1", "r2", "r3", "r4", "o1"],
    "order_id": ["o1", "o2", "o3", "o4", "o5"],
    "product_id": ["p1", "p2"],
    "action_id": ["a1", "a2"],
    "device_id": ["d1", "d2"],
    "email": ["ana@mail.es", "A.na+x@gmail.com", "ana@gmail.com", "x@", "ben@mail.es"],
    "phone": ["+34 600 111 222", "600111222", "(212) 555-1234", "1", "999999999"],
    "loyalty_id": ["L1", "0001", "l-1"],
    "first_name": ["Ana", "José", "Dr. Ben", "N/A", "ß"],
    "last_name": ["de la Cruz", "O'Neill", "Müller-Lüdenscheidt", "X"],
    "full_name": ["Cruz, Ana", "Ana Cruz", ",", "Ana"],
    "postal_code": ["08001", "8001", "SW1A 1AA", "sw1a1aa", "28-013", "0"],
    "country_code": ["ES", "us", "GB", "XX", "UK"],
    "currency_code": ["USD", "EUR", "KWD", "usd"],
    "purpose": ["email", "sms", "geo", "profiling", "newsletter"],
    "event_type": ["product_view", "add_to_cart", "sent", "opened", "clicked", "unsubscribed"],
    "identifier_type": ["email", "phone", "loyalty_id", "device_id", "passport"],
    "identifier_value": ["ana@mail.es", "600111222", "L1", "d1"],
    "decision": ["always", "never"],
    "arm": ["treated", "control", "global_holdout"],
    "status": ["completed", "cancelled", "PAID"],
    "channel": ["web", "store", "APP"],
    "gender": ["f", "Male", "other"],
    "is_granted": ["yes", "opt_out", "true", "0"],
}
TYPED = {
    "timestamp": [
        "2024-01-01",
        "2024-01-01",
        "2024-03-10T02:30:00-05:00",
        "2024-06-30 23:59:59.999999",
        "2024-07-01 04:00:00",
        "2023-11-05 01:30:00",
        "1900-01-01",
        "2199-12-31 23:59:59",
        "2020-02-29",
    ],
    "date": ["2024-01-01", "2023-12-31", "1900-01-01", "2199-12-31", "1980-02-29", "5/14/1965"],
    "decimal": ["0", "0.00", "10", "12,50", "0.00005", "19.999", "999999999999.9999", "1e3", "-5"],
    "rate": ["1", "0.00000001", "1.1", "999999.99999999", "0", "1e-9"],
    "double": ["0", "90", "-180", "1e9", "41.4", "2.17"],
    "integer": ["0", "1", "-7", "9223372036854775807"],
    "boolean": ["true", "false", "t", "no"],
}
OPTIONAL = tuple(name for name in SHAPES if not SHAPES[name].is_required)
# Steps of the main job between which Python stands; a model is of the first whose turn it is.
STAGES = ("staging", "identity", "core", "features")


def cell(column: Column) -> st.SearchStrategy[str | None]:
    """Mostly what the column is for, at its edges; sometimes nothing, sometimes anything."""
    legal = IDS.get(column.name) or TYPED.get(column.type) or ["x", "y", "Z 9"]
    kinds: list[st.SearchStrategy[str | None]] = [st.sampled_from(legal)] * 8
    return st.integers(0, 9).flatmap([*kinds, st.none(), fuzz.HOSTILE].__getitem__)


ROWS = {
    name: st.lists(
        st.fixed_dictionaries({column.name: cell(column) for column in shape.columns}),
        min_size=0 if not shape.is_required else 1,
        max_size=8 if shape.is_required else 5,
    )
    for name, shape in SHAPES.items()
}


@st.composite
def shops(draw: st.DrawFn) -> dict[str, list[dict[str, str | None]]]:
    """Rows of customer records, orders and a few other shapes, some delivered twice."""
    names = ["customer_records", "orders"]
    names += draw(st.lists(st.sampled_from(OPTIONAL), unique=True, max_size=6))
    shop = {}
    for name in names:
        rows = draw(ROWS[name])
        if rows and draw(st.booleans()):
            rows = rows + rows[: draw(st.integers(1, len(rows)))]
        shop[name] = rows
    return shop


class Pipeline:
    """All compiled models and data tests of dbt, run in order on a database in memory.

    Parameters
    ----------
    folder
        Where dbt may write.
    """

    def __init__(self, folder: Path) -> None:
        manifest = fuzz.compiled(folder, {"CLIENTELA_AS_OF_DATE": AS_OF})
        nodes = manifest["nodes"].values()
        self.models = {n["unique_id"]: n for n in nodes if n["resource_type"] == "model"}
        self.tests = [n for n in nodes if n["resource_type"] == "test" and self._stops_a_run(n)]
        self._views: set[str] = set()
        self.order: dict[str, list[dict[str, Any]]] = {stage: [] for stage in STAGES}
        seen: set[str] = set()
        for key in self.models:
            self._place(key, seen)
        self._database = open_warehouse(":memory:")
        self.warehouse: Warehouse = self._database.__enter__()
        # Threads cost more than they bring on tables of eight rows.
        self.warehouse.connection.execute("set threads = 1")
        self._filled = set(SHAPES)

    def _place(self, key: str, seen: set[str]) -> None:
        node = self.models.get(key)
        if node is None or key in seen or node["schema"] == "serving":
            return
        seen.add(key)
        for parent in node["depends_on"]["nodes"]:
            self._place(parent, seen)
        self.order[self._stage(node)].append(node)

    def _stops_a_run(self, test: dict[str, Any]) -> bool:
        """Whether a failure is an error, and of models that are built here."""
        tested = [self.models[p]["schema"] for p in test["depends_on"]["nodes"] if p in self.models]
        return test["config"]["severity"].lower() == "error" and "serving" not in tested

    @staticmethod
    def _stage(node: dict[str, Any]) -> str:
        if node["name"] == "fct_customer_features" or "features" in node["fqn"]:
            return "features"
        if node["schema"] in ("intermediate", "marts") or node["name"] in AFTER_MAP.split():
            return "core"
        return str(node["schema"])

    def stage(self, delivered: set[str]) -> None:
        """Make staging again; a checked table that was empty and stays empty is left."""
        empty = {f"{shape}_checked" for shape in set(SHAPES) - delivered - self._filled}
        self._filled = delivered
        self.build("staging", empty)

    def build(self, stage: str, but: Collection[str] = ()) -> None:
        """Make the tables and views of a stage again.

        Raises
        ------
        RuntimeError
            Naming the model whose SQL failed.
        """
        for node in self.order[stage]:
            kind = "view" if node["config"]["materialized"] == "view" else "table"
            # A view keeps its meaning when the tables it reads are made again.
            is_due = kind == "table" or node["name"] not in self._views
            if is_due and node["name"] not in but:
                self._run(f"create or replace {kind} {node['schema']}.{node['name']} as", node)
            self._views |= {node["name"]} if kind == "view" else set()

    def failing_tests(self) -> list[str]:
        """Names of data tests that would have stopped the job."""
        found = []
        for node in self.tests:
            count = self._run("select count(*) from", node)[0][0]
            if count:
                found.append(f"{node['name']} ({count})")
        return found

    def _run(self, verb: str, node: dict[str, Any]) -> list[tuple[Any, ...]]:
        sql = fuzz.compiled_sql(node)
        sql = f"({sql})" if verb.startswith("select") else sql
        try:
            return self.warehouse.connection.execute(f"{verb} {sql}").fetchall()
        except Exception as error:
            raise RuntimeError(f"{node['name']}: {type(error).__name__}: {error}") from error

    def resolve_persons(self) -> None:
        """Identity as the main job has it: telephones before, persons after the models."""
        warehouse = self.warehouse
        numbers = normalise_phones(warehouse.frame(PHONES), None)
        warehouse.replace_tables([(PHONE_NUMBERS, numbers)])
        self.build("identity")
        for table in TABLES:
            # Each case is a warehouse of its own: no names are remembered.
            warehouse.connection.execute(f"delete from {table.full_name}")
        normalised = warehouse.frame(NORMALISED)
        model = None
        if normalised["family_name"].notna().any():
            model = RecordLinkage(target_precision=0.99).fit(normalised)
            model = None if model.skipped_because_ else model
        records = ordered_records(warehouse.frame(RECORDS))
        found, _ = link_persons(
            records,
            warehouse.frame(IDENTIFIERS),
            normalised,
            model,
            0.99,
            warehouse.frame(OVERRIDES),
        )
        _write(warehouse, records, found)

    def remember(self) -> None:
        """The steps on quality that read every table: profile and memory of the ledger."""
        profile(self.warehouse, TODAY, 28, "America/New_York")
        self.warehouse.connection.execute(f"delete from {LEDGER_EVENTS.full_name}")
        remember_ledger(self.warehouse, "landing", "ledger", "run", TODAY)


def run_case(pipeline: Pipeline, folder: Path, shop: dict[str, list[dict[str, str | None]]]) -> str:
    """Take one shop from files to features; "built" or "refused".

    Raises
    ------
    AssertionError
        When a row, a person or a cent is lost, or a data test of dbt fails.
    """
    for old in folder.iterdir():
        old.unlink()
    for name, rows in shop.items():
        names = SHAPES[name].column_names
        columns = {n: pa.array([row[n] for row in rows], pa.string()) for n in names}
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file)
        (folder / f"{name}.parquet").write_bytes(file.getvalue())
    connection = pipeline.warehouse.connection
    connection.execute("drop table if exists raw.landed_dataset")
    config = fuzz.config_of(folder)
    try:
        check_source(config).text()
        land(connection, config)
    except SourceError as error:
        assert any(name in str(error) for name in shop), f"names no table: {error}"
        return "refused"
    pipeline.stage(set(shop))
    pipeline.resolve_persons()
    pipeline.build("core")
    pipeline.remember()
    pipeline.build("features")
    failing = pipeline.failing_tests()
    assert not failing, f"data tests failed: {', '.join(failing)}"
    observed, ledger = connection.execute(
        "select (select coalesce(sum(observed_revenue_amount), 0) from marts.fct_customer_features)"
        ", (select coalesce(sum(revenue_amount), 0) from marts.fct_revenue_ledger "
        f"where event_date <= date '{AS_OF}')"
    ).fetchall()[0]
    assert observed == ledger, f"observed {observed}, ledger {ledger}"
    return "built"


def try_cases(cases: int, random_state: int, pipeline: Pipeline) -> Counter:
    """Outcomes counted; lost rows and crashes are printed with their shop and counted too."""
    return fuzz_runner.try_cases(
        cases, random_state, shops(), lambda folder, shop: run_case(pipeline, folder, shop)
    )


def main() -> None:
    """Try the cases and write the counts beside those of fuzz.py, after every ten what there is."""
    arguments, started = fuzz_runner.arguments_of(__doc__, 300), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-dbt-") as folder:
        pipeline = Pipeline(Path(folder))
    fuzz_runner.study(
        CHUNK,
        lambda number, state: try_cases(CHUNK, state, pipeline),
        {
            "models": sum(len(nodes) for nodes in pipeline.order.values()),
            "data_tests": len(pipeline.tests),
        },
        lambda result: fuzz_runner.written() | {"features": result},
        started,
        arguments,
    )


if __name__ == "__main__":
    main()
