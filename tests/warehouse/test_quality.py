"""Quality of deliveries on a warehouse of a few rows: profiles, ledgers compared, refusals, gates.

Add here what Python says of the data. Rules about single rows and the bridge are unit tests beside
their dbt models.
"""

import datetime as dt
from decimal import Decimal

import dagster as dg
import duckdb
import pytest

from dagster_project.assets import quality
from dagster_project.assets.publish import promotion
from dagster_project.config import PROJECT_ROOT, load_config
from dagster_project.ledger_memory import counts_by_kind, remember_ledger
from dagster_project.profiling import profile
from dagster_project.reconciliation import exact_sql
from dagster_project.refusals import refused_sources
from dagster_project.source_contract import SHAPES
from dagster_project.summary_quality import quality_lines
from dagster_project.warehouse import open_warehouse

TODAY = dt.date(2024, 1, 1)
LEDGER = [
    ("order", "s:1", "2023-01-10", "20.00"),
    ("order", "s:2", "2023-02-10", "30.00"),
    ("refund", "s:r", "2023-02-12", "-5.00"),
    ("order", "s:3", "2023-03-10", "40.00"),
]
TYPES = {
    "decimal": "decimal(18, 4)",
    "double": "double",
    "text": "varchar",
    "integer": "bigint",
    "country": "varchar",
}
TYPES["rate"] = "decimal(18, 8)"


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path / "small.duckdb") as opened:
        yield opened


def write_ledger(warehouse, events):
    warehouse.connection.execute(
        "create or replace table marts.fct_revenue_ledger (event_type varchar, event_id varchar, "
        "event_date date, revenue_amount decimal(18, 2))"
    )
    warehouse.connection.executemany(
        "insert into marts.fct_revenue_ledger values (?, ?, ?, ?)", events
    )


def changes(warehouse, landing, ledger):
    return remember_ledger(warehouse, landing, ledger, f"run of {ledger}", TODAY)


def test_the_first_ledger_is_remembered_and_changes_nothing(warehouse):
    write_ledger(warehouse, LEDGER)
    assert changes(warehouse, "landing 1", "ledger 1") is None
    assert warehouse.scalar("select count(*) from models.ledger_events") == 4
    assert counts_by_kind(None)["changes"].startswith("the first ledger")


def test_late_corrected_withdrawn_and_new_events_change_their_own_day(warehouse):
    write_ledger(warehouse, LEDGER)
    changes(warehouse, "landing 1", "ledger 1")
    write_ledger(
        warehouse,
        [
            ("order", "s:1", "2023-01-10", "25.00"),  # another amount
            ("refund", "s:r", "2023-02-15", "-5.00"),  # another day
            ("order", "s:3", "2023-03-10", "40.00"),
            ("order", "s:late", "2023-03-10", "7.00"),  # on the last day known before
            ("order", "s:new", "2023-03-11", "8.00"),
        ],
    )
    found = changes(warehouse, "landing 2", "ledger 2")
    rows = {
        (row.kind, f"{row.event_date:%m-%d}"): (row.rows_count, row.amount_before, row.amount_after)
        for row in found.itertuples()
    }
    assert rows == {
        ("corrected", "01-10"): (1, Decimal("20.00"), Decimal("25.00")),
        ("corrected", "02-12"): (0, Decimal("-5.00"), Decimal("0.00")),
        ("corrected", "02-15"): (1, Decimal("0.00"), Decimal("-5.00")),
        ("withdrawn", "02-10"): (1, Decimal("30.00"), Decimal("0.00")),
        ("late", "03-10"): (1, Decimal("0.00"), Decimal("7.00")),
        ("new", "03-11"): (1, Decimal("0.00"), Decimal("8.00")),
    }
    told = counts_by_kind(found)
    assert (told["corrected_events"], told["late_events"], told["withdrawn_events"]) == (2, 1, 1)
    # What the ledger was, and all changes, are what it is: to the cent.
    moved = found["amount_after"].sum() - found["amount_before"].sum()
    assert Decimal("85.00") + moved == warehouse.scalar(
        "select sum(revenue_amount) from marts.fct_revenue_ledger"
    )
    assert set(found["cause"]) == {"landing"}


def test_a_comparison_that_was_written_is_not_written_again(warehouse):
    write_ledger(warehouse, LEDGER)
    changes(warehouse, "landing 1", "ledger 1")
    write_ledger(warehouse, LEDGER[:3])
    first = changes(warehouse, "landing 1", "ledger 2")
    again = changes(warehouse, "landing 1", "ledger 2")
    assert first.to_dict("records") == again.to_dict("records")
    assert set(first["cause"]) == {"settings"}
    assert warehouse.scalar("select count(*) from models.ledger_changes") == 1


def test_an_order_of_the_far_future_makes_no_other_order_late(warehouse):
    write_ledger(warehouse, [*LEDGER, ("order", "s:typo", "2150-01-01", "1.00")])
    changes(warehouse, "landing 1", "ledger 1")
    write_ledger(
        warehouse,
        [
            *LEDGER,
            ("order", "s:typo", "2150-01-01", "1.00"),
            ("order", "s:4", "2023-03-11", "9.00"),
        ],
    )
    assert list(changes(warehouse, "landing 2", "ledger 2")["kind"]) == ["new"]


def stage(warehouse):
    """Empty tables of the source contract, as staging holds them."""
    for shape in SHAPES.values():
        body = ", ".join(f"{c.name} {TYPES.get(c.type, c.type)}" for c in shape.columns)
        warehouse.connection.execute(f"create or replace table staging.{shape.name} ({body})")


def add_orders(warehouse, days, gross):
    warehouse.connection.execute(
        "insert into staging.orders (source_system, order_id, ordered_at, gross_amount, status) "
        "select 's', cast(i as varchar), "
        f"timestamp '2023-06-30 12:00' - interval (i % {days}) day, {gross}, 'paid' "
        f"from range({days} * 20) as numbers(i)"
    )


def landed(warehouse, fingerprint):
    warehouse.connection.execute(
        "create or replace table raw.landed_dataset as select ? as fingerprint", [fingerprint]
    )
    warehouse.connection.execute(
        "create or replace table staging.event_days as select 'orders' as source_table, "
        "'orders' as shape, cast(ordered_at as date) as event_date, count(*) as rows_count "
        "from staging.orders group by all"
    )
    quality._compare_landing(warehouse, load_config(dataset="retailer"))
    return warehouse.frame(
        "select shape, column_name, measure from models.source_drift where is_flagged "
        "and landing_number = (select max(landing_number) from models.source_profiles) order by all"
    ).values.tolist()


def test_only_the_last_days_of_a_dated_table_are_profiled(warehouse):
    stage(warehouse)
    add_orders(warehouse, 100, "10 + i % 7")
    found = profile(warehouse, dt.date(2023, 6, 30), 28, "Europe/Madrid")
    of_orders = found[found["shape"] == "orders"].set_index(["column_name", "measure", "bucket"])
    assert of_orders.loc[("", "rows_count", ""), "measured_value"] == 2_000
    assert of_orders.loc[("", "rows_per_day", ""), "measured_value"] == 20
    assert of_orders.loc[("gross_amount", "p50", ""), "measured_value"] == 13
    assert of_orders.loc[("gross_amount", "null_share", ""), "rows_count"] == 560
    shares = found[(found["column_name"] == "gross_amount") & (found["measure"] == "share")]
    assert shares["measured_value"].sum() == pytest.approx(1)
    assert "email" not in set(found[found["measure"] == "share"]["column_name"])


def test_planted_drift_is_named_and_the_same_data_is_not(warehouse):
    stage(warehouse)
    add_orders(warehouse, 100, "10 + i % 7")
    assert landed(warehouse, "one") == []
    assert landed(warehouse, "two") == [], "the same rows in another file"
    assert warehouse.scalar("select max(landing_number) from models.source_profiles") == 2
    # Cents for euros in the last three weeks of a hundred days: 1/5 of all rows.
    warehouse.connection.execute(
        "update staging.orders set gross_amount = gross_amount * 100 "
        "where ordered_at > '2023-06-09'"
    )
    assert landed(warehouse, "three") == [["orders", "gross_amount", "distribution"]]
    assert landed(warehouse, "three") == [["orders", "gross_amount", "distribution"]]
    assert warehouse.scalar("select max(landing_number) from models.source_profiles") == 3


def test_a_feed_that_stopped_is_a_drift_of_volume(warehouse):
    stage(warehouse)
    add_orders(warehouse, 100, "10")
    warehouse.connection.execute(
        "insert into staging.visits (visit_id, visited_at) select cast(i as varchar), "
        "timestamp '2023-06-30 12:00' - interval (i % 90) day from range(9000) as numbers(i)"
    )
    assert landed(warehouse, "one") == []
    warehouse.connection.execute("delete from staging.visits where visited_at > '2023-06-02'")
    assert ["visits", "", "rows_per_day"] in landed(warehouse, "two")


def test_age_is_counted_from_the_as_of_date_and_not_from_the_clock(warehouse):
    warehouse.connection.execute(
        "create table staging.event_days (source_table varchar, shape varchar, event_date date, "
        "rows_count bigint)"
    )
    warehouse.connection.executemany(
        "insert into staging.event_days values (?, ?, ?, 1)",
        [
            ("orders", "orders", "2011-12-01"),
            ("orders", "orders", "2011-12-09"),
            ("visits", "visits", "2011-11-01"),
            ("visits", "visits", "2011-12-20"),
            ("consents", "consents", "2011-12-25"),
        ],
    )
    found = quality._freshness(warehouse, dt.date(2011, 12, 9), {"default": 7, "visits": 30})
    rows = {row.source_table: (row.age_days, row.is_fresh) for row in found.itertuples()}
    assert rows == {"orders": (0, True), "visits": (38, False)}, "consents had not begun"


RECONCILED = """
    create table staging.reconciliation as select * from (values
        ('orders', 'orders', 1000, 1000, 900, 100, 60),
        ('till', 'orders', 1000, 1000, 800, 200, 20), ('visits', 'visits', 1000, 1000, 850, 150, 0),
        ('tiny', 'orders', 50, 50, 10, 40, 0), ('refunds', 'refunds', 300, 300, 290, 7, 0),
        ('klaviyo_event', 'klaviyo_event', 150, 9150, 0, 150, 0),
        ('klaviyo_flow', 'klaviyo_flow', 150, 250, 0, 150, 0),
        ('klaviyo_person', 'klaviyo_person', 150, 250, 0, 150, 0)
    ) as t (source_table, shape, rows_in, rows_compared, rows_accepted,
        rows_quarantined, rows_repeated)
"""


def test_a_refused_source_is_told_table_rows_rules_and_remedy(warehouse, tmp_path):
    warehouse.connection.execute(RECONCILED)
    warehouse.connection.execute(
        "create table staging.quarantine as select 'till' as source_table, 'orders' as shape, "
        "case when i < 150 then 'bad_number' when i < 180 then 'bad_timestamp' else 'duplicate' "
        "end as failed_rule, 'gross_amount cannot be read as money: ana@example.com' as reason, "
        "i + 1 as source_row_number "
        "from range(200) as numbers(i)"
    )
    text = (PROJECT_ROOT / "config.yml").read_text()
    file = tmp_path / "config.yml"
    file.write_text(
        text.replace(
            "max_quarantined_share: 0.05",
            "max_quarantined_share: {default: 0.05, visits: 0.2, klaviyo_person: 0.7}",
        )
    )
    told = refused_sources(warehouse, load_config(file)).splitlines()
    assert [line.split(":")[0] for line in told] == [
        "klaviyo_flow (klaviyo_flow)",
        "refunds (refunds)",
        "till (orders)",
    ]
    assert "150 of 250 rows (60.0%)" in told[0] and "share.klaviyo_flow" in told[0]
    assert "3 unaccounted for" in told[1]
    for needed in ("180 of 1,000", "18.0%", "5.0%", "bad_number 150", "gross_amount, row 1)"):
        assert needed in told[2], needed
    assert "staging.quarantine" in told[2] and "share.orders" in told[2]
    assert "ana@example.com" not in told[2], "the run log keeps what it is told"
    assert "duplicate" not in told[2]


PROMOTABLE = """
    create table marts.fct_customer_features as select 'c' as customer_id,
        date '2023-06-30' as as_of_date, 20.00::decimal(18, 2) as observed_revenue_amount,
        0 as purchase_days_count;
    create table marts.fct_revenue_ledger as select date '2023-06-01' as event_date,
        20.00::decimal(18, 2) as revenue_amount;
    insert into predictions.customer_microsegments (customer_id, as_of_date) values
        ('c', '2023-06-30');
    insert into models.table_lineage (table_name, as_of_date, input_fingerprint) values
        ('dbt_features', '2023-06-30', 'f'), ('predictions.customer_ltv', '2023-06-30', 'v'),
        ('predictions.customer_microsegments', '2023-06-30', 's'),
        ('predictions.portfolio_ltv', '2023-06-30', 't'),
        ('predictions.segment_migrations', '2023-06-30', 'm'),
        ('predictions.customer_segment_memberships', '2023-06-30', 's'),
        ('predictions.customer_potential', '2023-06-30', 'p');
"""


@pytest.mark.parametrize(("missing", "is_promoted"), [("0.00", True), ("0.01", False)])
def test_a_cent_between_observed_value_and_ledger_refuses_the_date(
    tmp_path, monkeypatch, missing, is_promoted
):
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(tmp_path / "gate.duckdb"))
    from dagster_project.resources import ClientelaResource

    with open_warehouse(tmp_path / "gate.duckdb") as opened:
        opened.connection.execute(PROMOTABLE)
        opened.connection.execute(
            f"update marts.fct_revenue_ledger set revenue_amount = revenue_amount + {missing}"
        )
        compared = opened.frame(exact_sql("date '2023-06-30'"))
        assert compared["difference"].iloc[0] == -Decimal(missing)
        # No model was fitted here, so no version has to be promoted.
        opened.connection.execute(
            "insert into models.model_versions (model_version_id, status) values ('m', 'promoted')"
        )
        opened.connection.execute(
            "update predictions.customer_microsegments set model_version_id = 'm'"
        )
    done = dg.materialize(
        [promotion],
        partition_key="2023-06-30",
        resources={"clientela": ClientelaResource()},
        raise_on_error=False,
    )
    checks = {c.check_name: c.passed for c in done.get_asset_check_evaluations()}
    assert checks["observed_revenue_equals_ledger"] is is_promoted
    with duckdb.connect(str(tmp_path / "gate.duckdb")) as connection:
        found = connection.execute(
            "select is_promoted, reason from models.promoted_dates"
        ).fetchall()
    assert found[0][0] is is_promoted, found
    assert ("observed_revenue_equals_ledger" in found[0][1]) is not is_promoted


def test_the_summary_tells_the_bridge_and_the_changes_in_a_sentence_each(warehouse):
    write_ledger(warehouse, LEDGER)
    changes(warehouse, "landing 1", "ledger 1")
    write_ledger(warehouse, LEDGER[1:])
    changes(warehouse, "landing 2", "ledger 2")
    warehouse.connection.execute(
        "create table staging.quarantine as select 'duplicate' as failed_rule;"
        "create table marts.revenue_bridge as select * from (values "
        "(1, 'order', 'received', 81.00), (2, 'order', 'duplicate', -11.00), "
        "(1, 'refund', 'received', -5.00), (4, 'order', 'ledger', 65.00)) "
        "as t (step_number, event_type, reason, amount)"
    )
    lines = list(quality_lines(warehouse, load_config(dataset="retailer"), dt.date(2023, 3, 10)))
    text = "\n".join(lines)
    for needed in (
        "duplicate 1",
        "No table is stale on 2023-03-10",
        "counted from that day",
        "nothing landed earlier",
        "1 withdrawn (-20.00) on 1 days",
        "orders received +81.00, refunds received -5.00, duplicate -11.00 = 65.00 EUR in the",
    ):
        assert needed in text, (needed, text)
