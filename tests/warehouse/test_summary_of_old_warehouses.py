"""The closing screen on warehouses that an earlier release has left, and on persons without a date.

Add a case here when a table that the screen reads gains a column.
What the screen says of a whole run is tested with the pipeline.
"""

import pandas as pd
from rich.console import Console

from dagster_project import summary
from dagster_project.warehouse import open_warehouse


def test_a_landing_that_did_not_count_the_withheld_is_shown(tmp_path, monkeypatch):
    path = tmp_path / "work.duckdb"
    with open_warehouse(path) as warehouse:
        warehouse.connection.execute("create table raw.landed_tables as select 'orders' as name")
        empty = pd.DataFrame({"shape": []})
        monkeypatch.setattr(type(warehouse), "frame", lambda self, sql: empty)
        console = Console(record=True)
        summary._print_sources(console, warehouse)
        assert "Withheld" not in console.export_text()
        warehouse.connection.execute("alter table raw.landed_tables add rows_erased bigint")
        warehouse.connection.execute("update raw.landed_tables set rows_erased = 3")
        summary._print_sources(console, warehouse)
        assert "Withheld: 3 rows" in console.export_text()


def test_persons_who_are_in_no_slice_are_counted(tmp_path):
    with open_warehouse(tmp_path / "work.duckdb") as warehouse:
        warehouse.connection.execute(
            "create table marts.dim_customers as select * from (values "
            "(timestamp '2024-01-01', false), (null, false), (null, true)) "
            "as t(first_seen_at, is_test)"
        )
        console = Console(record=True, width=200)
        summary._print_persons(console, warehouse)
        assert "1 of them have no created_at" in console.export_text()
        warehouse.connection.execute("update marts.dim_customers set first_seen_at = '2024-01-02'")
        summary._print_persons(console, warehouse)
        assert "slice" not in console.export_text()
