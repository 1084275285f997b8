"""What belongs to a person and what does not, on warehouses of a few rows.

Add a rule of belonging here with its smallest case. How words, numbers and columns are recognised
is in test_erasure_words, the erasure of a whole shop, read as bytes, in tests/orchestration.
"""

import datetime as dt
import hashlib
import types

import duckdb
import pytest

from dagster_project.backups import BackupError, backup, restore
from dagster_project.erasure.forget import ask, forget
from dagster_project.erasure.keys import ErasureKeyError, key_path
from dagster_project.erasure.search import Asked, UnknownPersonError, the_one
from dagster_project.landing import land
from dagster_project.warehouse import open_warehouse

RECORDS = [
    # source_system, source_record_id, email, phone, first_name
    ("crm", "17", "ana@mail.es", "+34 600 111 222", "Ana"),
    ("crm", "18", "ben@mail.es", "600111222", "Ben"),
    ("till", "17", "cleo@mail.es", None, "Cleo"),
]
RECORD = ("source_system", "source_record_id")
ORDERS = [
    ("crm", "9001", "17", None, "10"),
    ("crm", "9002", "18", None, "20"),
    ("till", "9001", "17", None, "30"),
    ("crm", "9003", None, "ana@mail.es", "40"),
]
MAP = [("crm", "17", "c_ana"), ("crm", "order:9003", "c_ana"), ("crm", "18", "c_ben")]
MAP += [("till", "17", "c_cleo")]
SALES = [("17", "9101", "ana@mail.es"), ("18", "17", "mentions ana@mail.es"), ("18", "9103", "x")]


@pytest.fixture
def config(tmp_path):
    """A configuration of a folder source in its own home."""
    folder = tmp_path / "files"
    folder.mkdir()
    write(
        folder,
        "customer_records",
        ("source_system", "source_record_id", "email", "phone", "first_name"),
        RECORDS,
    )
    columns = ("source_system", "order_id", "source_record_id", "email", "gross_amount")
    write(folder, "orders", columns, ORDERS, {"ordered_at": "2025-01-05"})
    items = [(system, order, "1") for system, order, *_ in ORDERS]
    write(folder, "order_items", ("source_system", "order_id", "line_number"), items)
    source = types.SimpleNamespace(kind="folder", path=str(folder), schemas=())
    return types.SimpleNamespace(
        source=source,
        dataset="tiny",
        identity=types.SimpleNamespace(default_country=None),
        warehouse_path=tmp_path / "work.duckdb",
        published_path=tmp_path / "copy.duckdb",
        storage_path=tmp_path / "storage",
        landing_path=tmp_path / "storage" / "landing",
        backups_path=tmp_path / "backups",
        exports_path=tmp_path / "exports",
        folder=folder,
    )


def write(folder, name, columns, values, constants=None):
    """A CSV file of a shape."""
    constants = constants or {}
    lines = [",".join((*columns, *constants))]
    lines += [",".join(value or "" for value in (*row, *constants.values())) for row in values]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def build(config, statements=()):
    """Land the files and stage them as dbt would, in as many columns as the erasure reads."""
    with open_warehouse(config.warehouse_path) as warehouse:
        connection = warehouse.connection
        report = land(connection, config)
        for shape in ("customer_records", "orders", "order_items"):
            connection.execute(
                f"create or replace table staging.{shape}_checked as select *, "
                f"'{shape}' as source_table, _row_number as source_row_number, "
                f"cast(null as varchar) as failed_rule from raw.{shape}"
            )
        connection.execute(
            "create or replace table identity.source_records as select source_system, "
            "source_record_id from raw.customer_records"
        )
        for statement in statements:
            connection.execute(statement)
    return report


def map_persons(config):
    with duckdb.connect(str(config.warehouse_path)) as connection:
        connection.executemany(
            "insert into identity.customers_map (source_system, source_record_id, customer_id) "
            "values (?, ?, ?)",
            MAP,
        )


def erase(config, customer_id):
    ask(config, [("customer_id", customer_id)])
    return carry_out(config, requests=False)


def carry_out(config, *, requests):
    """Erase whoever is pending, and whom requests name."""
    return forget(config, "run", config.storage_path, requests=requests, say=lambda text: None)


def found(config, sql):
    with duckdb.connect(str(config.warehouse_path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_what_a_family_shares_stays_with_the_others(config):
    build(config)
    map_persons(config)
    done = erase(config, "c_ana")
    assert done.persons == 1 and done.returning == {}
    kept = "select source_system, source_record_id, phone from raw.customer_records order by all"
    assert found(config, kept) == [("crm", "18", "600111222"), ("till", "17", None)]


def test_equal_numbers_of_another_system_are_another_person(config):
    build(config)
    map_persons(config)
    erase(config, "c_ana")
    kept = [("crm", "9002"), ("till", "9001")]
    for table in ("raw.orders", "raw.order_items", "staging.orders_checked"):
        orders = f"select source_system, order_id from {table} order by all"
        assert found(config, orders) == kept, table


def test_a_broken_line_with_a_telephone_in_parts_is_withheld(config):
    new_record(config, "crm", "31", "ida@mail.de", "+49 171 123 4567", "Ida")
    build(
        config,
        [
            "insert into identity.phone_numbers values "
            "('+49 171 123 4567', '', '+491711234567', true)",
            "insert into identity.customers_map (source_system, source_record_id, customer_id) "
            "values ('crm', '31', 'c_ida')",
        ],
    )
    map_persons(config)
    erase(config, "c_ida")
    orders = config.folder / "orders.csv"
    broken = ["crm,+49 171 123 4567", "crm;0171 1234567", "crm,+49 171 123 9999"]
    orders.write_text(orders.read_text() + "\n".join(broken) + "\n")
    build(config)
    assert found(config, "select raw_line from raw.rejected_lines") == [(broken[2],)]


def test_a_person_of_the_past_can_be_forgotten(config):
    """By an id that was merged into another, and by one that only the ledger of ids knows."""
    former = [
        "create or replace table identity.superseded as select * from (values "
        "('c_old', 'c_ben')) as t(old_customer_id, customer_id)",
        "create or replace table identity.person_names as select * from (values ('c_retired', "
        "'x'), ('c_old', 'y'), ('c_ben', 'z')) as t(customer_id, record_hash)",
    ]
    build(config, former)
    map_persons(config)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{config.warehouse_path}' as old (read_only)")
        for asked, meant in (("c_old", "c_ben"), ("c_retired", "c_retired")):
            assert the_one(connection, Asked("customer_id", asked)) == ("customer_id", meant)
    erase(config, "c_retired")
    names = "select customer_id from identity.person_names order by all"
    assert found(config, names) == [("c_ben",), ("c_old",)]
    erase(config, "c_ben")
    assert found(config, names) == []


def test_exports_lose_the_person_whole_and_archives_are_named(config):
    build(config)
    map_persons(config)
    config.exports_path.mkdir()
    export = config.exports_path / "audience.duckdb"
    with duckdb.connect(str(export)) as connection:
        connection.execute("create table reach as select unnest(['c_ana', 'c_ben']) as customer_id")
    (config.exports_path / "reach.xlsx").write_bytes(b"PK\x03\x04\0")
    assert erase(config, "c_ana").sealed == ["reach.xlsx"]
    with duckdb.connect(str(export), read_only=True) as connection:
        assert connection.execute("from reach").fetchall() == [("c_ben",)]


def test_requests_are_carried_out_also_for_whom_only_refused_rows_know(config):
    new_record(config, "crm", "41", "kim@mail.es", "+34 600 999 888", "Kim")
    build(
        config,
        [
            "update staging.customer_records_checked set failed_rule = 'bad' "
            "where source_record_id = '41'",
            "create or replace table staging.erasure_requests_checked as select * from (values "
            "('r-1', 'source_record_id', '18', 1), ('r-2', 'phone', '0034600999888', 2)) as "
            "t(request_id, identifier_type, identifier_value, source_row_number), "
            "(select 'erasure_requests' as source_table, cast(null as varchar) as failed_rule)",
        ],
    )
    map_persons(config)
    done = carry_out(config, requests=True)
    assert (done.persons, done.unresolved, done.returning) == (2, {}, {})
    kept = "select source_system, source_record_id from raw.customer_records order by all"
    assert found(config, kept) == [("crm", "17"), ("till", "17")]
    assert found(config, "select * from staging.erasure_requests_checked") == []
    build(config)
    assert found(config, kept) == [("crm", "17"), ("till", "17")]


LEDGER = """
create or replace table marts.fct_revenue_ledger as select * from (values
    ('c_ana', 'order', 'crm:9', date '2025-01-05', 10.00, 1.00),
    ('c_ana', 'refund', 'crm:R-1', date '2025-01-07', -4.00, 0.00),
    ('c_ben', 'order', 'crm:8', date '2025-01-05', 20.00, 2.00),
    ('c_ben', 'refund', 'crm:9', date '2025-01-08', -5.00, 0.00)
) as t(customer_id, event_type, event_id, event_date, revenue_amount, margin_amount)
"""
MEMORY = """
insert into models.ledger_events select event_type, event_id, event_date, revenue_amount, 'l', 'f'
from marts.fct_revenue_ledger
"""


def new_record(config, *row):
    """One more customer record in the source."""
    file = config.folder / "customer_records.csv"
    file.write_text(file.read_text() + ",".join(row) + "\n")


def test_a_telephone_of_another_city_is_another_person(config):
    """Both numbers end in the nine digits 555 1234 and what stands before."""
    new_record(config, "crm", "21", "dora@mail.us", "+1 212 555 1234", "Dora")
    new_record(config, "crm", "22", "eve@mail.us", "+1 312 555 1234", "Eve")
    build(
        config,
        [
            "insert into identity.phone_numbers values ('+1 212 555 1234', '', '+12125551234', "
            "true), ('+1 312 555 1234', '', '+13125551234', true)",
            "insert into identity.customers_map (source_system, source_record_id, customer_id) "
            "values ('crm', '21', 'c_dora'), ('crm', '22', 'c_eve')",
        ],
    )
    map_persons(config)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{config.warehouse_path}' as old (read_only)")
        for country, asked in ((None, "+1 (312) 555-1234"), ("US", "312 555 1234")):
            found_person = the_one(connection, Asked("phone", asked, country))
            assert found_person == ("customer_id", "c_eve"), asked
        with pytest.raises(UnknownPersonError):
            the_one(connection, Asked("phone", "+1 412 555 1234"))
    erase(config, "c_dora")
    rest = (
        "select source_record_id from raw.customer_records where source_system = 'crm' order by 1"
    )
    assert found(config, rest) == [("17",), ("18",), ("22",)]
    # Later: a neighbour of the same last digits, and the number's next owner.
    new_record(config, "crm", "23", "fay@mail.us", "+1 412 555 1234", "Fay")
    new_record(config, "crm", "24", "gil@mail.us", "+1 212 555 1234", "Gil")
    build(config)
    assert found(config, rest) == [("17",), ("18",), ("22",), ("23",), ("24",)]


def test_the_living_are_counted_again_in_a_household_that_is_not_named_by_the_erased(config):
    def named_by(customer_id):
        return "h_" + hashlib.md5(f"household {customer_id}".encode()).hexdigest()[:16]

    ana, cleo = named_by("c_ana"), named_by("c_cleo")
    build(
        config,
        [
            "create or replace table identity.households as select * from (values "
            f"('c_ana', '{ana}', 2), ('c_ben', '{ana}', 2), ('c_cleo', '{cleo}', 1)) "
            "as t(customer_id, household_id, persons_count)",
            "create or replace table marts.dim_customers as select customer_id, household_id, "
            "persons_count as household_persons_count from identity.households",
            "create or replace view serving.households as select * from marts.dim_customers",
        ],
    )
    map_persons(config)
    erase(config, "c_ana")
    for table in ("identity.households", "marts.dim_customers"):
        kept = f"select * from {table} order by all"
        assert found(config, kept) == [("c_ben", named_by("c_ben"), 1), ("c_cleo", cleo, 1)], table


def test_a_cohort_of_nobody_but_the_erased_goes_and_its_dates_are_summed_again(config):
    build(
        config,
        [
            "create or replace table marts.fct_customer_features as select date '2024-06-30' "
            "as as_of_date, 10.0 as observed_revenue_amount, * from (values "
            "('c_ana', date '2024-03-05', 'fair', 2), "
            "('c_ben', date '2024-03-09', null, 1), ('c_cleo', date '2024-03-20', 'fair', 0), "
            "('c_cleo', date '2024-04-01', 'fair', 1)) "
            "as t(customer_id, first_purchase_date, acquisition_channel, purchase_days_count)",
            "create or replace table predictions.customer_ltv as "
            "select as_of_date, customer_id from marts.fct_customer_features",
            "create or replace table predictions.cohort_ltv as select date '2024-06-30' "
            "as as_of_date, * from (values (date '2024-03-01', 'fair', 12.5), "
            "(date '2024-03-01', 'unknown', 3.0), (date '2024-04-01', 'fair', 4.0)) "
            "as t(acquisition_month, acquisition_channel, observed_revenue_amount)",
            "insert into models.table_lineage (table_name, as_of_date, input_fingerprint) values "
            "('predictions.portfolio_ltv', '2024-06-30', 'a'), "
            "('predictions.portfolio_ltv', '2024-05-31', 'b')",
        ],
    )
    map_persons(config)
    erase(config, "c_ana")
    kept = "select acquisition_month, acquisition_channel from predictions.cohort_ltv order by all"
    march, april = (dt.date(2024, month, 1) for month in (3, 4))
    assert found(config, kept) == [(march, "unknown"), (april, "fair")]
    summed = "select as_of_date from models.table_lineage where table_name like '%portfolio_ltv'"
    assert found(config, summed) == [(dt.date(2024, 5, 31),)]


SEGMENTED = """
create or replace table predictions.{table} as select date '2024-06-30' as as_of_date, * from
(values {rows}) as t({columns})
"""


def segmented(table, columns, *rows):
    return SEGMENTED.format(table=table, columns=columns, rows=", ".join(map(repr, rows)))


def test_segments_count_who_is_left_and_no_amount_is_that_of_a_single_customer(config):
    """Ana stands with Ben in `pair`, alone in `own`, with Ben and Cleo in `all`."""
    build(
        config,
        [
            segmented(
                "customer_segment_memberships",
                "segment, customer_id",
                ("pair", "c_ana"), ("pair", "c_ben"), ("own", "c_ana"), ("other", "c_ben"),
                ("all", "c_ana"), ("all", "c_ben"), ("all", "c_cleo"),
            ),
            segmented(
                "segment_definitions",
                "segment, customers_count, customers_share, observed_revenue_amount, "
                "predicted_revenue_mean",
                ("pair", 2, 2 / 3, 30.5, 3.5), ("own", 1, 1 / 3, 10.5, 1.5),
                ("other", 1, 1 / 3, 20.5, 2.5), ("all", 3, 1.0, 60.5, 6.5),
            ),
            "create or replace table marts.fct_customer_features as select date '2024-06-30' as "
            "as_of_date, unnest(['c_ana', 'c_ben', 'c_cleo']) as customer_id, "
            "0.0 as observed_revenue_amount, date '2024-01-01' as first_purchase_date, "
            "'x' as acquisition_channel, 1 as purchase_days_count",
            segmented(
                "customer_potential",
                "microsegment_key, customer_id, horizon_days, benchmark_amount",
                ("a", "c_ana", 90, 1.5), ("a", "c_ben", 90, 1.5), ("b", "c_cleo", 90, 1.5),
            ),
            segmented(
                "microsegment_potential",
                "microsegment_key, horizon_days, customers_count, compared_customers_count, "
                "predicted_revenue_mean, benchmark_gap_amount, potential_uplift_mean, "
                "potential_uplift_p05, potential_uplift_p95, leading_attributes",
                ("a", 90, 2, 2, 1.5, 1.5, 1.5, 1.5, 1.5, "x"),
                ("b", 90, 1, 1, 1.5, 1.5, 1.5, 1.5, 1.5, "x"),
            ),
        ],
    )  # fmt: skip
    map_persons(config)
    erase(config, "c_ana")
    kept = (
        "select segment, customers_count, customers_share, cast(observed_revenue_amount as double),"
        " cast(predicted_revenue_mean as double) from predictions.segment_definitions order by all"
    )
    assert found(config, kept) == [
        ("all", 2, 1.0, 60.5, 6.5),
        ("other", 1, 0.5, 20.5, 2.5),
        ("own", 0, 0.0, None, None),
        ("pair", 1, 0.5, None, None),
    ]
    kept = (
        "select microsegment_key, customers_count, compared_customers_count, leading_attributes, "
        "predicted_revenue_mean, benchmark_gap_amount, potential_uplift_mean, "
        "potential_uplift_p05, potential_uplift_p95 from predictions.microsegment_potential"
    )
    paired, other = found(config, f"{kept} order by all")
    assert paired == ("a", 1, 1, *[None] * 6)
    assert other[:4] == ("b", 1, 1, "x") and None not in other


def test_micro_segments_and_their_moves_agree_without_the_erased(config):
    """A refit in June moves Ana and Ben from a to b; Cleo was new in c."""
    may, june = "date '2024-05-31'", "date '2024-06-30'"
    rows = [
        ("c_ana", may, "a", None), ("c_ben", may, "a", None),
        ("c_ana", june, "b", "a"), ("c_ben", june, "b", "a"), ("c_cleo", june, "c", "c"),
    ]  # fmt: skip
    moves = [
        ("behaviour", "a", "a", 2, 2, 1.0), ("behaviour", None, "c", 1, 1, None),
        ("refit", "a", "b", 2, 2, 1.0), ("refit", "c", "c", 1, 1, 1.0),
    ]  # fmt: skip
    build(
        config,
        [
            "insert into models.promoted_dates (as_of_date, is_promoted) values "
            f"({may}, true), ({june}, true)",
            *(
                "insert into predictions.customer_microsegments (customer_id, as_of_date, stage, "
                "microsegment_key, former_stage, former_microsegment_key, former_model_version_id) "
                f"values ('{person}', {day}, 'active', '{key}', 'active', {sql(former)}, "
                f"{sql('m' if former else None)})"
                for person, day, key, former in rows
            ),
            "insert into predictions.microsegments (microsegment_key, as_of_date, customers_count) "
            f"values ('a', {may}, 2), ('b', {june}, 2), ('c', {june}, 1)",
            *(
                "insert into predictions.segment_migrations (as_of_date, period, from_date, level, "
                "cause, from_key, to_key, from_stage, to_stage, customers_count, "
                "from_customers_count, share_of_from, value_before_amount, value_after_amount) "
                f"values ({june}, 'month', {may}, 'microsegment', '{cause}', {sql(start)}, '{end}',"
                f" {sql('active' if start else None)}, 'active', {count}, {of}, {sql(share)}, 5, 6)"
                for cause, start, end, count, of, share in moves
            ),
            "insert into models.table_lineage (table_name, as_of_date, input_fingerprint) values "
            f"('predictions.segment_migrations', {june}, 'f')",
        ],
    )
    map_persons(config)
    erase(config, "c_ana")
    sizes = "select microsegment_key, customers_count from predictions.microsegments order by all"
    assert found(config, sizes) == [("a", 1), ("b", 1), ("c", 1)]
    kept = (
        "select cause, from_key, to_key, customers_count, from_customers_count, share_of_from, "
        "value_before_amount, value_after_amount from predictions.segment_migrations "
        "order by cause, to_key"
    )
    assert found(config, kept) == [
        ("behaviour", "a", "a", 1, 1, 1.0, None, None),
        ("behaviour", None, "c", 1, 1, None, None, None),
        ("refit", "a", "b", 1, 1, 1.0, None, None),
        ("refit", "c", "c", 1, 1, 1.0, None, None),
    ]
    again = "select * from models.table_lineage where table_name like '%segment_migrations'"
    assert found(config, again) == []


def sql(value):
    return "null" if value is None else repr(value)


RECONCILED = """
create or replace table staging.reconciliation as select * from (values
    ('customer_records', 'customer_records', 3, 3, 3, 0, 0),
    ('orders', 'orders', 4, 4, 4, 0, 0),
    ('order_items', 'order_items', 4, 4, 4, 0, 0),
    ('klaviyo_person', 'klaviyo_person', 1, 3, 0, 1, 0),
    ('klaviyo_person', 'customer_records', 2, 2, 2, 0, 0)
) as t(source_table, shape, rows_in, rows_compared, rows_accepted, rows_quarantined, rows_repeated)
"""


def test_a_share_of_set_aside_rows_is_taken_of_the_rows_that_are_left(config):
    write(config.folder, "klaviyo_person", ("id", "email"), [("p", "ana@mail.es"), ("q", "b@x.es")])
    build(
        config,
        [
            RECONCILED,
            "insert into raw.rejected_lines values ('klaviyo_person', 4, 'ana@mail.es', 'short')",
            "create or replace table staging.quarantine as select table_name as source_table, "
            "table_name as shape, line_number as source_row_number, raw_line as raw_row, "
            "'unreadable_line' as failed_rule from raw.rejected_lines",
        ],
    )
    map_persons(config)
    erase(config, "c_ana")
    kept = "select source_table, shape, rows_in, rows_compared from staging.reconciliation"
    assert found(config, f"{kept} order by all") == [
        ("customer_records", "customer_records", 2, 2),
        ("klaviyo_person", "customer_records", 2, 2),
        ("klaviyo_person", "klaviyo_person", 0, 2),
        ("order_items", "order_items", 2, 2),
        ("orders", "orders", 2, 2),
    ]


def test_decisions_and_keys_with_blanks_around_them_are_withheld(config):
    sides = [f"{side}_{name}" for side in ("left", "right") for name in RECORD]
    decided = [("crm", "18", "crm", "17", "never"), ("crm", "18", "till", "17", "never")]
    write(config.folder, "identity_overrides", (*sides, "decision"), decided)
    build(config)
    map_persons(config)
    erase(config, "c_ana")
    new_record(config, " crm", " 17 ", "", "", "Ana")
    file = config.folder / "orders.csv"
    file.write_text(file.read_text() + "crm ,9001 ,,,10,2025-01-05\n crm,9020, 17 ,,1,2025-01-06\n")
    items = config.folder / "order_items.csv"
    items.write_text(items.read_text() + "crm, 9020,1\n")
    build(config)
    kept = "select source_system, source_record_id from raw.customer_records order by all"
    assert found(config, kept) == [("crm", "18"), ("till", "17")]
    for table in ("orders", "order_items"):
        orders = f"select source_system, order_id from raw.{table} order by all"
        assert found(config, orders) == [("crm", "9002"), ("till", "9001")], table
    decisions = "select right_source_system, right_source_record_id from raw.identity_overrides"
    assert found(config, decisions) == [("till", "17")]


def test_the_memory_of_the_ledger_forgets_their_orders_and_refunds(config):
    build(config, [LEDGER, MEMORY])
    map_persons(config)
    erase(config, "c_ana")
    kept = "select event_type, event_id from models.ledger_events order by all"
    # Refund 9 is somebody else's, although an order 9 was theirs.
    assert found(config, kept) == [("order", "crm:8"), ("refund", "crm:9")]


def test_landing_withholds_the_erased_and_counts_them(config):
    build(config)
    map_persons(config)
    erase(config, "c_ana")
    orders = config.folder / "orders.csv"
    # Since then: a new order of the erased record with its line, a broken line, somebody's mention.
    orders.write_text(
        orders.read_text() + "crm,9009,17,,50,2025-02-01\ncrm,9010,ana@mail.es\n"
        "crm,9011,18,,60,2025-02-02\n"
    )
    items = config.folder / "order_items.csv"
    items.write_text(items.read_text() + "crm,9009,1\ncrm,9011,1\n")
    records = config.folder / "customer_records.csv"
    lines = records.read_text().splitlines()
    added = [lines[0] + ",referred_by", lines[1] + ",", lines[2] + ",ana@mail.es", lines[3] + ","]
    records.write_text("\n".join(added) + "\n")
    report = build(config)
    assert report.rows_erased == 8
    assert {t.table_name: t.rows_erased for t in report.tables if t.rows_erased} == {
        "customer_records": 1,
        "orders": 4,
        "order_items": 3,
    }
    assert found(config, "select order_id from raw.orders order by all") == [
        ("9001",),
        ("9002",),
        ("9011",),
    ]
    assert found(config, "select count(*) from raw.rejected_lines") == [(0,)]
    assert found(config, "select distinct referred_by from raw.customer_records") == [(None,)]
    assert b"ana@mail.es" not in config.warehouse_path.read_bytes()


def test_columns_of_a_mapped_table_are_learned_from_its_staged_rows(config):
    values = ", ".join(str((*row, n)) for n, row in enumerate(SALES, start=1))
    mapped = [
        "create or replace table raw.shop_sales as select * from (values "
        f"{values}) as t(household, product, note, _row_number)",
        "create or replace table raw.shop_coupons as select * from (values ('17', 'A', 1), "
        "('18', '17', 2)) as t(household, product, _row_number)",
        "create or replace table staging.sales_checked as select 'shop' as source_system, "
        "household as source_record_id, 'shop_sales' as source_table, "
        "_row_number as source_row_number, cast(null as varchar) as failed_rule "
        "from raw.shop_sales",
        "insert into identity.customers_map (source_system, source_record_id, customer_id) "
        "values ('shop', '17', 'c_ana'), ('shop', '18', 'c_ben')",
    ]
    build(config, mapped)
    map_persons(config)
    erase(config, "c_ana")
    # Product 17 is no person, and who mentions an erased person keeps the row without the mention.
    assert found(config, "select household, product, note from raw.shop_sales order by all") == [
        ("18", "17", None),
        ("18", "9103", "x"),
    ]
    assert found(config, "select household, product from raw.shop_coupons") == [("18", "17")]
    assert found(config, "select * from identity.erasure_columns") == [
        ("shop_sales", "household", "record", "shop")
    ]


def test_nothing_is_landed_without_the_key_file_of_the_erased(config):
    build(config)
    map_persons(config)
    erase(config, "c_ana")
    key = key_path(config)
    assert key.stat().st_mode & 0o777 == 0o600
    key.rename(key.with_name("elsewhere"))
    with pytest.raises(ErasureKeyError, match="they would come back"):
        build(config)
    assert found(config, "select count(*) from raw.orders") == [(2,)]


def test_a_backup_brings_the_erased_along_and_forgets_who_is_forgotten_later(config):
    names = (
        "create or replace table identity.person_names as select source_system, "
        "source_record_id, customer_id from identity.customers_map"
    )
    build(config)
    map_persons(config)
    with duckdb.connect(str(config.warehouse_path)) as connection:
        connection.execute(names)
        connection.execute(LEDGER)
    erase(config, "c_cleo")
    file, counts = backup(config, dt.datetime(2025, 6, 30, 5, 0))
    assert file.name == "20250630T050000.duckdb" and counts["identity.person_names"] == 3
    done = erase(config, "c_ana")
    assert done.copies == {file.name: 2}
    assert b"c_ana" not in file.read_bytes()
    config.warehouse_path.unlink()
    restored = restore(config, file)
    revenue = "select event_month, revenue_amount from models.erased_revenue"
    assert found(config, revenue) == [(dt.date(2025, 1, 1), 6)]
    assert restored["identity.person_names"] == 1 and restored["identity.erasures"] > 2
    report = build(config)
    # Both are withheld: who is forgotten after a backup is forgotten in it, and by it.
    assert {t.table_name: t.rows_erased for t in report.tables if t.rows_erased} == {
        "customer_records": 2,
        "orders": 3,
        "order_items": 3,
    }
    with pytest.raises(BackupError, match="no backup"):
        restore(config, config.backups_path / "other.duckdb")
    # What is landed would stay landed, the erased among it.
    with pytest.raises(BackupError, match=r"persons already .identity.person_names"):
        restore(config, file)
    with open_warehouse(config.warehouse_path) as warehouse:
        warehouse.connection.execute("delete from identity.person_names")
    with pytest.raises(BackupError, match=r"landed data already .raw.landed_tables"):
        restore(config, file)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", " ANA@mail.es", "c_ana"),
        ("record", "till:17", "c_cleo"),
        ("customer_id", "c_ben", "c_ben"),
        ("phone", "0034 600-111-222", "belongs to 2 persons"),
        ("email", "nobody@mail.es", "nobody in the warehouse"),
        ("source_record_id", "17", "belongs to 2 persons"),
    ],
)
def test_a_person_is_found_by_any_identifier_or_refused(config, kind, value, expected):
    build(config)
    map_persons(config)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{config.warehouse_path}' as old (read_only)")
        if " " in expected:
            with pytest.raises(UnknownPersonError, match=expected):
                the_one(connection, Asked(kind, value))
        else:
            assert the_one(connection, Asked(kind, value)) == ("customer_id", expected)
