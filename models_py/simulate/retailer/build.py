"""Assembly of the simulated retailer: persons, purchases, campaigns, then what systems deliver.

Add here a new step between the parts.
How each part draws or renders stays in the module of its subject.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from models_py.simulate.retailer import (
    actions,
    baskets,
    ceilings,
    defects,
    orders,
    permissions,
    record_fields,
    reference,
    text,
    traffic,
)
from models_py.simulate.retailer.ceilings import Ceiling
from models_py.simulate.retailer.clock import build_clock
from models_py.simulate.retailer.people import draw_people
from models_py.simulate.retailer.purchases import draw_purchases
from models_py.simulate.retailer.records import plan_records
from models_py.simulate.retailer.truth import build_truth, ceilings_truth

_STAGES = """
clock people records purchases actions reference orders items refunds contacts record_fields
identifiers devices web_events web_rows messages consents visits erasures order_rows defects
ceilings
"""


@dataclass(frozen=True)
class RetailerSimulation:
    """What the shop's systems deliver, and what is true.

    Attributes
    ----------
    sources : dict of DataFrame
        By shape; every value is text, NULL when missing, rows in order of landing.
    truth : dict of DataFrame
        persons, person_records, orders, action_effects, action_exposures, planted_defects; with a
        planted ceiling also ceilings.
    """

    sources: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]


def simulate_retailer(
    customers: int,
    random_state: int,
    *,
    end_date: date = date(2025, 12, 31),
    ceiling: Ceiling | None = None,
) -> RetailerSimulation:
    """Simulate a shop chain with a web shop, two and a half years up to `end_date`.

    A person of a hidden segment is won through a channel, buys at rates that follow seasons,
    months and weekends, leaves after a purchase with a probability of their own, and is moved by
    campaigns. Systems see this through one to four records each, guest orders, cards and devices,
    with typing errors, duplicates, late and broken rows.

    Parameters
    ----------
    customers : int
        Persons, prospects and test accounts included.
    random_state : int
        The same number gives the same tables, row by row.
    end_date : date
        Last day of data in the shop's time zone (Europe/Madrid).
    ceiling : Ceiling, optional
        Persons held below what they would spend; without one nobody is, and the tables are those
        of the same number without this option.

    Returns
    -------
    RetailerSimulation

    Raises
    ------
    ValueError
        With fewer than 200 customers, of whom too few would carry a planted defect.
    """
    if customers < 200:
        raise ValueError(f"customers must be at least 200 to show every defect, not {customers}")
    # One stream per stage: a new draw in one part leaves the others as they were.
    stages = _STAGES.split()
    seeds = np.random.SeedSequence(random_state).spawn(len(stages))
    rng = {s: np.random.default_rng(seed) for s, seed in zip(stages, seeds, strict=True)}
    clock = build_clock(end_date, rng["clock"])
    people = draw_people(customers, clock, rng["people"])
    book = plan_records(people, clock, rng["records"])
    organic, left_day = draw_purchases(people, clock, rng["purchases"])
    held = None
    if ceiling is not None and ceiling.share > 0:
        held = ceilings.draw_held(people, clock, ceiling, rng["ceilings"])
        organic = ceilings.keep_occasions(organic, held, rng["ceilings"])
    acted = actions.run_actions(people, organic, left_day, book, clock, rng["actions"])
    catalogue = reference.draw_catalogue(rng["reference"])
    rates = reference.draw_pound_rates(clock, rng["reference"])
    sales = orders.draw_orders(people, acted.events, book, rates, clock, rng["orders"], held)
    refunds = baskets.draw_refunds(sales, clock, rng["refunds"])
    contacts = record_fields.draw_contacts(people, book.records, rng["contacts"])
    devices = traffic.draw_devices(people, rng["devices"])
    order_device = traffic.device_of(sales["person"].to_numpy(), devices, rng["devices"])
    web = traffic.draw_web_events(
        people, sales, order_device, book, devices, left_day, clock, rng["web_events"]
    )
    consents = permissions.draw_consents(book, clock, rng["consents"])
    by_creation = np.lexsort((book.records["number"], book.records["created"]))
    sources = {
        "customer_records": record_fields.customer_records(
            people, book.records, contacts, clock, rng["record_fields"]
        ).iloc[by_creation],
        "identifiers": record_fields.identifiers(
            book.records, contacts, clock, rng["identifiers"]
        ).sort_values(["first_seen_at", "source_record_id"], kind="stable"),
        "orders": orders.orders_table(
            sales,
            book,
            contacts,
            text.take(devices.identifier, order_device),
            clock,
            rng["order_rows"],
        ),
        "order_items": baskets.order_items_table(people, sales, catalogue, rng["items"]),
        "refunds": baskets.refunds_table(sales, refunds, contacts),
        "products": catalogue.table,
        "web_events": traffic.web_events_table(
            web, book.records, devices, contacts, catalogue, rng["web_rows"]
        ),
        "message_events": traffic.message_events_table(
            acted.exposures, contacts, clock, rng["messages"]
        ),
        "visits": traffic.visits_table(
            people, book, devices, contacts, consents, clock, rng["visits"]
        ),
        "regions": reference.regions_table(),
        "actions": actions.actions_table(clock),
        "action_exposures": actions.exposures_table(
            acted.exposures, clock, contacts.system, contacts.key
        ).sort_values(["assigned_at", "action_id", "source_record_id"], kind="stable"),
        "consents": permissions.consents_table(consents, contacts),
        "erasure_requests": permissions.erasure_requests_table(
            people, book, contacts, clock, rng["erasures"]
        ),
        "exchange_rates": reference.exchange_rates_table(rates, clock),
    }
    breakable = {
        # Prospects' records and orders without refunds: their loss orphans no money.
        "customer_records": np.flatnonzero(
            people["is_prospect"].to_numpy()[book.records["person"]][by_creation]
        ),
        "orders": np.setdiff1d(np.arange(len(sales)), refunds["order"]),
    }
    planted: list[tuple[str, str, int]] = []
    for shape, frame in sources.items():
        sources[shape] = frame.reset_index(drop=True)
        if shape in defects.BREAKAGES:
            rows = breakable.get(shape, np.arange(len(frame)))
            sources[shape], counts = defects.plant(shape, sources[shape], rows, rng["defects"])
            planted += counts
    truth = build_truth(people, left_day, clock, book, contacts, sales, devices, web, acted)
    if held is not None:
        truth["ceilings"] = ceilings_truth(people, held, clock)
    truth["planted_defects"] = pd.DataFrame(planted, columns=["shape", "defect", "rows"])
    return RetailerSimulation(sources, truth)
