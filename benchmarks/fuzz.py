"""Hostile files through landing and staging: nothing crashes, no row is lost, refusals are worded.

Run `python -m benchmarks.fuzz --cases 3000`; it writes `benchmarks/results/fuzz.json`. Add a way to
break a file to the strategies below; tests/warehouse/test_fuzz.py runs a few cases of each.
What the rules of a row are stays out; staging decides, and this only counts that it did.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from benchmarks import fuzz_runner
from dagster_project.config import Config, load_config
from dagster_project.landing import SourceError, check_source, land
from dagster_project.source_contract import MAPPED_SOURCES, RAW_TABLES, SHAPES

ROOT = Path(__file__).resolve().parent.parent
CHUNK = 100
FIXED = {
    "customer_records": "source_system,source_record_id\nshop,r1\n",
    "orders": "source_system,order_id,source_record_id,ordered_at,gross_amount\n"
    "shop,o1,r1,2024-01-01,10\n",
}
HOSTILE = st.sampled_from(
    [
        "",
        "0001-01-01",
        "1899-12-31",
        "2199-12-31",
        "9999-12-31 23:59:59",
        "99999-01-01",
        "-infinity",
        "infinity",
        "epoch",
        "2024-02-30",
        "2024-1-1",
        "290309-12-22 (BC)",
        "24:00:00",
        "2024-01-01T00:00:00+25:00",
        "2024-01-01 00:00:00 Mars/Olympus",
        "12/31/2024",
        "1e308",
        "-1e308",
        "NaN",
        "inf",
        "-0",
        "+5",
        "0x10",
        "99999999999999999999999999999999999999999",
        "170141183460469231731687303715884105728",
        "999999999999.9999",
        "1000000000000",
        "0.00005",
        "12,50",
        "1.234,50",
        "1,234.50",
        "1,234",
        "1,2,3",
        "٣",
        "1_000",
        "true",
        "yes",
        "maybe",
        "USD",
        "eur",
        "shop",
        "r1",
        "C1",
        "A1",
        "POST",
        "M",
        "GIFT",
        "17850.0",
        ".0",
        "'",
        '"',
        "\\",
        ";",
        "\x00",
        "null",
        "NULL",
        "\u202e",
        "é",
        "😀",
        "  x  ",
        "1",
        "1",
        "1",
        "2",
        "Opened Email",
        "Viewed Product",
        "Unsubscribed",
        "5/14/1965",
        "13/45/2020",
        "<script>",
        "{{ x }}",
        "%s",
        "a\nb",
        "a\r\nb",
    ]
)
CELLS = st.none() | HOSTILE | HOSTILE | st.text(max_size=12)
TYPED = st.sampled_from(
    [
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.float64(), st.floats()),
        (pa.bool_(), st.booleans()),
        (pa.date32(), st.dates()),
        (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
        (pa.timestamp("ns"), st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1))),
        (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
        (pa.binary(), st.binary(max_size=9)),
        (pa.list_(pa.string()), st.lists(HOSTILE, max_size=2)),
        (pa.struct([("a", pa.int32())]), st.fixed_dictionaries({"a": st.integers(0, 9)})),
        (pa.time64("us"), st.times()),
        (pa.null(), st.none()),
        (pa.string(), HOSTILE),
    ]
)


def compiled(folder: Path, settings: dict[str, str], *selected: str) -> dict[str, Any]:
    """The manifest of dbt with the SQL of all models and tests, or of those selected."""
    command = [str(Path(sys.executable).parent / "dbt"), "--no-version-check", "--quiet"]
    command += ["compile", "--target-path", str(folder), "--log-path", str(folder)]
    command += ["--profiles-dir", str(ROOT / "dbt"), "--project-dir", str(ROOT / "dbt")]
    command += ["--select", *selected] if selected else []
    inherited = {name: value for name, value in os.environ.items() if name[:4] != "DBT_"}
    environment = inherited | {"CLIENTELA_WAREHOUSE": str(folder / "fuzz.duckdb")} | settings
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def compiled_sql(node: dict[str, Any]) -> str:
    """The SQL of a model or test; landing's cursor inherits no USE, so no database is named."""
    return str(node["compiled_code"]).replace('"fuzz".', "")


class Staging:
    """The compiled staging models as views in a database in memory; dbt is started once.

    Parameters
    ----------
    folder
        Where dbt may write.
    """

    def __init__(self, folder: Path) -> None:
        manifest = compiled(folder, {}, "path:models/staging")
        self.models = {
            key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"
        }
        self.connection = duckdb.connect()
        # Threads cost more than they bring on tables of a few rows.
        self.connection.execute("set TimeZone = 'UTC'; set threads = 1")
        self.connection.execute("create schema staging; create schema raw")
        for table, shape in RAW_TABLES.items():
            columns = ", ".join(f'"{name}" varchar' for name in shape.column_names)
            self.connection.execute(f"create table raw.{table} ({columns}, _row_number bigint)")
        self.connection.execute(
            "create table raw.landed_tables "
            "(table_name varchar, is_delivered boolean, rows_landed bigint);"
            "create table raw.rejected_lines "
            "(table_name varchar, line_number bigint, raw_line varchar, reason varchar)"
        )
        self._made: set[str] = set()
        for key in self.models:
            self._make(key)

    def _make(self, key: str) -> None:
        node = self.models.get(key)
        if node is None or key in self._made or node["schema"] != "staging":
            return
        self._made.add(key)
        for parent in node["depends_on"]["nodes"]:
            self._make(parent)
        self.connection.execute(f"create view staging.{node['name']} as {compiled_sql(node)}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return self.connection.execute(sql).fetchall()

    def balance(self, table: str) -> None:
        """Every row of a table is one row of each shape it feeds, accepted or set aside.

        Raises
        ------
        AssertionError
            When a row is lost, counted twice, or accepted beside another with its key.
        """
        for shape in (table,) if table in SHAPES else RAW_TABLES[table].feeds:
            # hash() over whole rows makes DuckDB compute every value, also the JSON of the row.
            [(found, accepted, reasons, _)] = self.rows(
                "select count(*), count(*) filter (failed_rule is null), count(reason), "
                f"bit_xor(hash(c)) from staging.{shape}_checked as c where source_table = '{table}'"
            )
            if table in SHAPES:
                [(wanted,)] = self.rows(f"select count(*) from raw.{table}")
            else:
                source = next(name for name, tables in MAPPED_SOURCES.items() if table in tables)
                [(wanted,)] = self.rows(
                    f"select coalesce(sum(rows_in), 0) from staging.{source}_rows_in "
                    f"where source_table = '{table}' and shape = '{shape}'"
                )
            assert found == wanted, f"{table} -> {shape}: {wanted} rows in, {found} judged"
            assert found == accepted + reasons, f"{table} -> {shape}: a row without a reason"
            keys = ", ".join(SHAPES[shape].key)
            [(distinct,)] = self.rows(
                f"select count(distinct ({keys})) from staging.{shape}_checked "
                f"where failed_rule is null and source_table = '{table}'"
            )
            assert distinct == accepted, f"{table} -> {shape}: a key is accepted twice"


@st.composite
def delivered(draw: st.DrawFn, tables: tuple[str, ...]) -> tuple[str, str, bytes, int | None, str]:
    """Table, file name, content, number of rows when it is known, and kind of case."""
    table = draw(st.sampled_from(tables))
    shape = RAW_TABLES[table]
    kind = draw(st.sampled_from(["bytes", "lines", "csv", "csv", "text parquet", "typed parquet"]))
    if kind == "bytes":
        ending = draw(st.sampled_from(["csv", "parquet", "tsv", "csv.gz"]))
        return table, f"{table}.{ending}", draw(st.binary(max_size=300)), None, kind
    optional = [name for name in shape.column_names if name not in shape.required_columns]
    chosen = draw(st.lists(st.sampled_from(optional), unique=True)) if optional else []
    names = [*shape.required_columns, *chosen]
    if kind == "lines":
        header = ",".join(names).encode()
        return table, f"{table}.csv", header + b"\n" + draw(st.binary(max_size=400)), None, kind
    count = draw(st.sampled_from([0, 1, 1, 2, 5, 12]))
    if kind == "typed parquet":
        columns = {}
        for name in names:
            type_, values = draw(TYPED)
            cells = draw(st.lists(st.none() | values, min_size=count, max_size=count))
            columns[name] = pa.array(cells, type_)
        content = pa.table(columns)
    else:
        cells = st.tuples(*(CELLS for _ in names))
        rows = draw(st.lists(cells, min_size=count, max_size=count))
        if rows and draw(st.booleans()):
            rows += rows[: draw(st.integers(1, len(rows)))]
        if kind == "csv":
            return table, f"{table}.csv", _csv(names, rows), len(rows), kind
        content = pa.table(
            {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)}
        )
    file = io.BytesIO()
    pq.write_table(content, file)
    return table, f"{table}.parquet", file.getvalue(), content.num_rows, kind


def _csv(names: list[str], rows: list[tuple[str | None, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    return text.getvalue().encode()


@cache
def config_of(folder: Path) -> Config:
    """The configuration for a folder that already exists; read once, since it takes 0.2 s."""
    return load_config(dataset=str(folder))


def run_case(staging: Staging, folder: Path, case: tuple[str, str, bytes, int | None, str]) -> str:
    """Land one hostile file beside good ones and judge its rows; "landed" or "refused".

    Raises
    ------
    AssertionError
        When a row was lost or a refusal does not name its table.
    """
    table, name, content, rows, _ = case
    for old in folder.iterdir():
        old.unlink()
    for other, text in FIXED.items():
        if other != table:
            (folder / f"{other}.csv").write_text(text)
    (folder / name).write_bytes(content)
    config = config_of(folder)
    staging.connection.execute("drop table if exists raw.landed_dataset")
    try:
        check_source(config).text()
        land(staging.connection, config)
    except SourceError as error:
        assert table in str(error), f"the message does not name {table}: {error}"
        return "refused"
    if rows is not None:
        [(found,)] = staging.rows(f"select count(*) from raw.{table}")
        [(rejected,)] = staging.rows("select count(*) from raw.rejected_lines")
        assert found + rejected >= rows and (rejected or found == rows), (
            f"{rows} rows written, {found} landed, {rejected} rejected"
        )
    staging.balance(table)
    return "landed"


def try_cases(cases: int, tables: tuple[str, ...], random_state: int, staging: Staging) -> Counter:
    """Outcomes counted by kind of case; lost rows and crashes are printed and counted too."""
    return fuzz_runner.try_cases(
        cases,
        random_state,
        delivered(tables),
        lambda folder, case: run_case(staging, folder, case),
        lambda case: case[4],
    )


def main() -> None:
    """Try the cases and write the counts, after every hundred cases what there is by then."""
    arguments, started = fuzz_runner.arguments_of(__doc__, 3000), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-dbt-") as folder:
        staging = Staging(Path(folder))
    mapped = tuple(name for name in RAW_TABLES if name not in SHAPES)
    fuzz_runner.study(
        CHUNK,
        lambda number, state: try_cases(CHUNK, (tuple(SHAPES), mapped)[number % 2], state, staging),
        {"tables": len(RAW_TABLES)},
        lambda result: result | {k: v for k, v in fuzz_runner.written().items() if k == "features"},
        started,
        arguments,
    )


if __name__ == "__main__":
    main()
