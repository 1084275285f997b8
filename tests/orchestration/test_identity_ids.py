"""The customers map as an asset: ids over shuffled, repeated and growing deliveries; decisions.

Add here what the asset must keep true of its tables from one run to the next. What can be tested
without a warehouse stays in tests/models.
"""

import random

import dagster as dg
import duckdb
import pytest

from dagster_project.assets.identity import PHONES, customers_map
from dagster_project.resources import ClientelaResource
from dagster_project.warehouse import open_warehouse

INPUT_TABLES = """
    create or replace table identity.source_records as
        select 'crm' as source_system, record as source_record_id, day as first_seen_at,
            day as last_seen_at from delivered;
    create or replace table identity.record_identifiers as
        select 'crm' as source_system, record as source_record_id, 'email' as identifier_type,
            email as identifier_value, true as is_joinable from delivered where email is not null;
    create or replace table identity.normalised_records as
        select 'crm' as source_system, record as source_record_id,
            split_part(given, '|', 1) as given_name,
            nullif(split_part(given, '|', 2), '') as family_name,
            trim(split_part(given, '|', 1) || ' ' || split_part(given, '|', 2)) as full_name,
            try_cast(split_part(given, '|', 3) as date) as birth_date,
            nullif(split_part(given, '|', 4), '') as phone,
            null::varchar as gender, null::varchar as other_id from delivered;
    create or replace table staging.identity_overrides as
        select 'crm' as left_source_system, one as left_source_record_id,
            'crm' as right_source_system, other as right_source_record_id, decision from decided;
    create or replace table staging.orders as 
        select unnest([timestamp '2024-06-01', timestamp '2150-01-01']) as ordered_at;
    delete from models.table_lineage where table_name in ('raw', 'dbt_staging', 'dbt_identity');
    insert into models.table_lineage by name
        select unnest(['raw', 'dbt_staging', 'dbt_identity']) as table_name,
            cast(hash(array_agg(d)) as varchar) as input_fingerprint from delivered as d;
"""


class Line:
    """A warehouse with only the room identity, fed with rows (record, email, given name, day)."""

    def __init__(self, path) -> None:
        self.path = path

    def run(self, rows, decisions=()) -> dict[str, str]:
        with open_warehouse(self.path) as warehouse:
            connection = warehouse.connection
            connection.execute(
                "create or replace temp table delivered "
                "(record varchar, email varchar, given varchar, day timestamp)"
            )
            connection.executemany("insert into delivered values (?, ?, ?, ?)", rows)
            connection.execute(
                "create or replace temp table decided "
                "(one varchar, other varchar, decision varchar)"
            )
            if decisions:
                connection.executemany("insert into decided values (?, ?, ?)", list(decisions))
            connection.execute(INPUT_TABLES)
        done = dg.materialize(
            [customers_map],
            resources={"clientela": ClientelaResource()},
            tags={"clientela/force": "true"},
        )
        assert done.success
        return dict(self.query("select source_record_id, customer_id from identity.customers_map"))

    def query(self, sql):
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def line(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIENTELA_HOME", str(tmp_path))
    monkeypatch.setenv("CLIENTELA_DATASET", "retailer")
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(tmp_path / "work.duckdb"))
    return Line(tmp_path / "work.duckdb")


def delivery(count: int, start: int = 0) -> list[tuple]:
    """Two records of every person; the later ones are dated before all others."""
    return [
        (f"r{i}", f"p{i // 2}@x.com", f"name{i // 2}", f"20{24 - start // 100}-01-{i % 28 + 1:02d}")
        for i in range(start, start + count)
    ]


def test_ids_last_over_order_repetition_and_growth(line, tmp_path):
    rows = delivery(200)
    first = line.run(rows)
    assert len(set(first.values())) == 100
    shuffled = rows.copy()
    random.Random(1).shuffle(shuffled)
    assert line.run(shuffled) == first
    fresh = Line(line.path)
    line.path.unlink()
    assert fresh.run(shuffled) == first, "a fresh warehouse must give the same ids"
    # One in ten is new: half of them join known persons, and all are older than anyone known.
    grown = line.run(
        [
            *rows,
            *delivery(10, 200),
            *[(f"n{i}", f"p{i}@x.com", None, "2010-01-01") for i in range(10)],
        ]
    )
    assert {record: grown[record] for record in first} == first
    assert line.query("select event_type, count(*) from identity.change_log group by 1") == [
        ("new", 105)
    ]


def named_delivery(start: int, stop: int, day: str) -> list[tuple]:
    """Two records of every person, of whom one in three has no e-mail in common."""
    given = ["ana", "luis", "irene", "hugo", "carla", "pedro", "marta", "diego"]
    roots = ["fern", "gom", "rod", "mart", "sanch", "gutierr", "ramir", "velasqu", "ord", "ib"]
    rows = []
    for person in range(start, stop):
        family = roots[person % 10] + ["ez", "ola", "ides", "ini", "land", "ova"][person % 6]
        born = f"{1940 + person % 53}-{person % 12 + 1:02d}-{person % 27 + 1:02d}"
        words = f"{given[person // 10 % 8]}|{family}|{born}|+34612000{person:03d}"
        for side in "ab":
            email = f"{side if person % 3 == 0 else ''}{person}@x.com"
            rows.append((f"{side}{person:03d}", email, words, day))
    return rows


def test_ids_of_probable_links_last_over_order_repetition_and_growth(line):
    rows = named_delivery(0, 200, "2024-01-01")
    first = line.run(rows)
    assert len(set(first.values())) < 260
    probable = "select count(*) from identity.customers_map where match_rule = 'probabilistic'"
    assert line.query(probable)[0][0] >= 20
    shuffled = rows.copy()
    random.Random(2).shuffle(shuffled)
    assert line.run(shuffled) == first
    grown = line.run([*rows, *named_delivery(200, 220, "2010-01-01")])
    assert {record: grown[record] for record in first} == first
    # An order dated 2150 does not date the fit, which would be learned again at every landing.
    assert line.query("select distinct data_end_date::varchar from models.model_versions") == [
        ("2024-06-01",)
    ]


def test_the_telephone_of_an_order_is_read_in_the_country_of_its_record():
    connection = duckdb.connect()
    connection.execute(
        "create schema staging; create table staging.customer_records as select 'crm' as "
        "source_system, '1' as source_record_id, null::varchar as phone, 'ES' as country_code; "
        "create table staging.orders as select * from (values ('crm', '1', '612 34'), "
        "('crm', null, '600')) as t(source_system, source_record_id, phone); "
        "create table staging.identifiers (source_system varchar, source_record_id varchar, "
        "identifier_type varchar, identifier_value varchar)"
    )
    assert sorted(connection.execute(PHONES).fetchall()) == [("600", ""), ("612 34", "ES")]


def test_merges_and_splits_are_logged_one_for_one_with_their_link(line):
    rows = delivery(20)
    before = line.run(rows)
    merged = line.run(rows, [("r0", "r3", "always")])
    events = line.query(
        "select event_type, customer_id, other_customer_id, match_rule, left_source_record_id, "
        "right_source_record_id, landing_fingerprint is not null from identity.change_log "
        "where event_type <> 'new'"
    )
    assert events == [("merged", before["r0"], before["r3"], "override", "r0", "r3", True)]
    assert line.query("select * from identity.superseded") == [(before["r3"], before["r0"])]
    assert merged["r3"] == before["r0"]
    parted = line.run(rows)
    assert parted == before
    assert line.query(
        "select event_type, customer_id, other_customer_id from identity.change_log "
        "where event_type = 'split'"
    ) == [("split", before["r0"], before["r3"])]
    assert line.query("select count(*) from identity.superseded") == [(0,)]


def test_decisions_win_over_identifiers_and_are_shown_among_the_links(line):
    rows = [("a", "us@x.com", "ana", "2024-01-01"), ("b", "us@x.com", "ana", "2024-01-02"),
            ("c", None, "eva", "2024-01-03")]  # fmt: skip
    found = line.run(rows, [("a", "b", "never"), ("b", "c", "always")])
    assert found["a"] != found["b"] == found["c"]
    links = line.query(
        "select left_source_record_id, right_source_record_id, link_type, is_linked "
        "from identity.record_links order by all"
    )
    assert ("a", "b", "never", False) in links
    assert ("b", "c", "always", True) in links
