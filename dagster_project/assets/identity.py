"""Which records are one person, what the person is called, and what changed since the last run.

Add here the assets of identity resolution that are not SQL. Normalising and golden records are dbt
(dbt/models/identity), the probabilistic fit is in record_linkage_fit.py, algorithms in models_py.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from dagster_project.lineage import (
    asset_spec,
    begin,
    code_hash,
    record,
    recorded_fingerprint,
    results,
    step_for,
)
from dagster_project.record_linkage_fit import linkage_in_force
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    CHANGE_LOG,
    CUSTOMERS_MAP,
    PERSON_NAMES,
    PHONE_NUMBERS,
    RECORD_LINKS,
    SUPERSEDED,
)
from dagster_project.warehouse import Warehouse

KEY = ["source_system", "source_record_id"]
PHONES = """
    select phone, coalesce(country_code, '') as country_code from staging.customer_records
    where phone is not null
    union select orders.phone, coalesce(records.country_code, '') from staging.orders as orders
    left join staging.customer_records as records using (source_system, source_record_id)
    where orders.phone is not null
    union select identifiers.identifier_value, coalesce(records.country_code, '')
    from staging.identifiers as identifiers
    left join staging.customer_records as records using (source_system, source_record_id)
    where lower(identifiers.identifier_type) = 'phone'
"""
RECORDS = """
    select source_system, source_record_id, first_seen_at, last_seen_at
    from identity.source_records order by source_system, source_record_id
"""
IDENTIFIERS = """
    select source_system, source_record_id, identifier_type, identifier_value, is_joinable
    from identity.record_identifiers order by 1, 2, 3, 4
"""
NORMALISED = "select * from identity.normalised_records order by source_system, source_record_id"
OVERRIDES = "select * from staging.identity_overrides order by all"
# The ledger is read again as it was, so it is no input of the step: it is the step's memory.
TABLES = [CUSTOMERS_MAP, RECORD_LINKS, PERSON_NAMES, SUPERSEDED, CHANGE_LOG]
INPUTS = [
    ("identity", "source_records"),
    ("identity", "record_identifiers"),
    ("identity", "normalised_records"),
    ("staging", "identity_overrides"),
]


@dg.multi_asset(
    specs=[
        asset_spec(
            PHONE_NUMBERS,
            [("staging", "customer_records"), ("staging", "orders"), ("staging", "identifiers")],
        )
    ],
    name="phone_numbers",
    pool=POOL,
)
def phone_numbers(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Telephone numbers in E.164, read by the numbering plan of their country."""
    from models_py.record_linkage.phones import normalise_phones

    country = clientela.config.identity.default_country
    with clientela.warehouse() as warehouse:
        code = code_hash("models_py.record_linkage.phones", __name__)
        inputs = [("dbt_staging", None)]
        step = step_for(warehouse, PHONE_NUMBERS.full_name, None, inputs, country, code)
        if not begin(context, warehouse, step):
            yield from results([PHONE_NUMBERS], None)
            return
        numbers = normalise_phones(warehouse.frame(PHONES), country)
        warehouse.replace_tables([(PHONE_NUMBERS, numbers)])
        measured = record(warehouse, step, context.run_id, [PHONE_NUMBERS])
        counts = {"unreadable": int(numbers["e164"].isna().sum())}
        yield from results([PHONE_NUMBERS], measured, {PHONE_NUMBERS.full_name: counts})


@dg.multi_asset(
    specs=[asset_spec(table, INPUTS, kinds=("python", "scipy", "duckdb")) for table in TABLES],
    name="customers_map",
    pool=POOL,
)
def customers_map(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Exact identifiers, then probable pairs, then decisions of people; ids from the ledger."""
    from models_py.record_linkage.exact import ordered_records
    from models_py.record_linkage.linking import link_persons

    with clientela.warehouse() as warehouse:
        settings = clientela.config.identity
        step = step_for(
            warehouse,
            CUSTOMERS_MAP.full_name,
            None,
            [("dbt_staging", None), ("dbt_identity", None)],
            [settings.target_precision, settings.refit_after_days],
            code_hash("models_py.record_linkage", "dagster_project.record_linkage_fit", __name__),
        )
        if not begin(context, warehouse, step):
            yield from results(TABLES, None)
            return
        records = ordered_records(warehouse.frame(RECORDS))
        normalised = warehouse.frame(NORMALISED)
        identifiers = warehouse.frame(IDENTIFIERS)
        model, fitted = linkage_in_force(
            context,
            warehouse,
            settings,
            normalised,
            step.fingerprint,
            clientela.config.yesterday() + dt.timedelta(days=1),
        )
        decided = warehouse.frame(OVERRIDES)
        found, told = link_persons(
            records, identifiers, normalised, model, settings.target_precision, decided
        )
        counts = _write(warehouse, records, found) | told
        measured = record(warehouse, step, context.run_id, TABLES)
        yield from results(TABLES, measured, {CUSTOMERS_MAP.full_name: counts | fitted})


def _write(warehouse: Warehouse, records: pd.DataFrame, found) -> dict[str, object]:
    """Name the persons and replace all identity tables at once, the log growing by what changed."""
    from models_py.record_linkage.changes import person_events
    from models_py.record_linkage.persons import name_persons

    previous = warehouse.frame(f"select * from {CUSTOMERS_MAP.full_name} order by all")
    names = name_persons(
        records,
        found.person,
        warehouse.frame(f"select * from {PERSON_NAMES.full_name} order by customer_id"),
        warehouse.frame(f"select * from {SUPERSEDED.full_name} order by all"),
        previous[[*KEY, "customer_id"]],
    )
    before = records[KEY].merge(previous[[*KEY, "customer_id"]], on=KEY, how="left")
    events = person_events(
        before["customer_id"].to_numpy(dtype=object),
        names.customer_id,
        names.superseded,
        previous[["customer_id"]].drop_duplicates(),
        found.links,
    )
    links = found.links
    for side in ("left", "right"):
        keys = records[KEY].iloc[links[side]].reset_index(drop=True)
        links = pd.concat([links, keys.add_prefix(f"{side}_")], axis=1)
    mapped = records.assign(
        customer_id=names.customer_id,
        match_rule=found.match_rule,
        match_probability=found.match_probability,
    ).sort_values(KEY)
    warehouse.replace_tables(
        [
            (CUSTOMERS_MAP, mapped),
            (RECORD_LINKS, links),
            (PERSON_NAMES, names.ledger),
            (SUPERSEDED, names.superseded),
        ],
        [(CHANGE_LOG, _log(warehouse, events, links))],
    )
    happened = events["event_type"].value_counts().to_dict()
    return {"records": len(records), "persons": int(mapped["customer_id"].nunique())} | happened


def _log(warehouse: Warehouse, events: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Events with their links spelt out; -1 is no row of the links and stays empty."""
    last = warehouse.scalar(f"select coalesce(max(change_number), 0) from {CHANGE_LOG.full_name}")
    spelt = links.reindex(events["link"].to_numpy()).reset_index(drop=True)
    columns = [name for name in CHANGE_LOG.column_names if name in spelt.columns]
    return pd.concat([events.drop(columns="link"), spelt[columns]], axis=1).assign(
        change_number=int(str(last)) + 1 + events.index.to_numpy(),
        landing_fingerprint=recorded_fingerprint(warehouse, "raw", None),
    )
