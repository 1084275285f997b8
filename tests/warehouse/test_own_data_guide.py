"""The guide for own data, followed: its files checked as it says, its own mapping built by dbt.

Add a step here when the guide gains one. What each step does is tested beside its room.
"""

import json
import re
import shutil
import textwrap
from pathlib import Path

import duckdb
import pytest

from dagster_project.config import load_config
from dagster_project.landing import check_source, land
from tests.warehouse.dbt_command import dbt

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "bring-your-own-data.md").read_text(encoding="utf-8")
# A block whose fence names a file is that file.
FILES = {
    name: textwrap.dedent(indent + text)
    for indent, name, text in re.findall(
        r"^( *)```\w+ (\S+/\S+)\n(.*?)^ *```$", GUIDE, re.DOTALL | re.MULTILINE
    )
}
EDITS = re.findall(r"in `(\S+)`, (after|before) `(.*?)` write `(.*?)`", GUIDE)


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, text in FILES.items():
        if name.startswith("exports/"):
            (tmp_path / name).write_text(text)
    return folder


def test_check_source_prints_what_the_guide_shows(exports: Path) -> None:
    report = check_source(load_config(dataset=str(exports)))
    shown = GUIDE.split("$ clientela check-source --source exports\n")[1].split("```")[0]
    printed = report.text(100).replace(str(exports), "exports")
    assert printed.split() == shown.split()


@pytest.mark.slow
def test_the_mapping_of_the_guide_builds_and_balances(exports: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dbt", tmp_path / "dbt", ignore=shutil.ignore_patterns("target", "logs"))
    for name, text in FILES.items():
        if name.startswith("dbt/"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
    assert len(EDITS) == 2
    for name, where, anchor, new in EDITS:
        file = tmp_path / name
        assert anchor in file.read_text(), f"{name} holds no {anchor}"
        both = f"{anchor} {new}" if where == "after" else f"{new} {anchor}"
        file.write_text(file.read_text().replace(anchor, both, 1))
    warehouse = tmp_path / "shop.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        land(connection, load_config(dataset=str(exports)))
        connection.execute(
            "create schema erp; create table erp.sales_header as select * from (values "
            "(1, 'c1', timestamp '2024-01-01 10:00', 90.00, 10.00, false), "
            "(2, 'c2', null, 50.00, 0.00, true)) "
            "as t(doc_no, customer_no, posted_at, net_total, discount_total, is_void)"
        )
    limits = json.dumps({"max_quarantined_share": {"default": 1.0}})
    selected = ("--select", "+reconciliation", "--exclude-resource-type", "unit_test")
    done = dbt(warehouse, "build", *selected, "--vars", limits, project=tmp_path / "dbt")
    assert done.returncode == 0, done.stdout[-4000:]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        counted = connection.execute(
            "select shape, rows_in, rows_accepted, rows_quarantined from staging.reconciliation "
            "where source_table = 'sales_header'"
        ).fetchall()
        orders = connection.execute(
            "select order_id, gross_amount, status from staging.orders where source_system = 'erp'"
        ).fetchall()
        quarantine = connection.execute(
            "select shape, source_row_number, failed_rule from staging.quarantine "
            "where source_table in ('customer_records', 'orders') order by all"
        ).fetchall()
    assert counted == [("orders", 2, 1, 1)]
    assert orders == [("1", 100, "paid")]
    assert quarantine == [
        ("customer_records", 4, "duplicate"),
        ("orders", 2, "bad_timestamp"),
        ("orders", 3, "bad_number"),
        ("orders", 5, "unreadable_line"),
    ]
