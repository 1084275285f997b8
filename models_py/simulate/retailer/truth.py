"""What is true of the simulated retailer, in tables that the pipeline never sees.

Add here a fact that a test or benchmark compares results with.
Anything a source system would know stays out and belongs in its own shape.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from models_py.simulate.retailer import text
from models_py.simulate.retailer.actions import ARMS, ActionResults, action_id
from models_py.simulate.retailer.ceilings import Held
from models_py.simulate.retailer.clock import Clock
from models_py.simulate.retailer.orders import order_keys
from models_py.simulate.retailer.record_fields import Contacts
from models_py.simulate.retailer.records import RecordBook
from models_py.simulate.retailer.settings import ACQUISITION_CHANNELS, ACTIONS, SEGMENTS
from models_py.simulate.retailer.traffic import Devices


def build_truth(
    people: pd.DataFrame,
    left_day: np.ndarray,
    clock: Clock,
    book: RecordBook,
    contacts: Contacts,
    orders: pd.DataFrame,
    devices: Devices,
    web_events: pd.DataFrame,
    acted: ActionResults,
) -> dict[str, pd.DataFrame]:
    """Collect persons, their records, their orders and what campaigns do.

    Returns
    -------
    dict of DataFrame
        persons: one row per person with segment and true parameters (weekly_purchase_rate counts
        weeks of the segment's seasonal clock, whose mean speed is 1).
        person_records: one row per (source_system, source_record_id, kind), kind being record,
        guest_order ('order:' and the order id) or device; devices that several persons use or
        whose user never says who it is are absent.
        orders: one row per order with its person, action and net amount in EUR.
        action_effects: one row per action x segment, expected per assigned person.
        action_exposures: one row per assignment with person and expected effect.
    """
    person_id = text.join("p", text.whole(people["person"].to_numpy(), 7))
    first = clock.start_day + np.floor(people["first_day"].to_numpy())
    is_prospect = people["is_prospect"].to_numpy()
    persons = pd.DataFrame(
        {
            "person_id": person_id.to_pandas(),
            "household_id": text.join(
                "h", text.whole(people["household"].to_numpy(), 7)
            ).to_pandas(),
            "segment": np.array([s.name for s in SEGMENTS])[people["segment"]],
            "acquisition_channel": np.array([c.name for c in ACQUISITION_CHANNELS])[
                people["channel"]
            ],
            "weekly_purchase_rate": people["rate"],
            "dropout_probability": people["dropout"],
            "spend_shape": people["spend_shape"],
            "spend_rate": people["spend_rate"],
            "first_order_factor": people["first_order_factor"],
            "expected_order_amount": people["spend_shape"] / people["spend_rate"],
            "first_date": text.days(first.astype(int)).to_pandas(),
            "is_prospect": is_prospect,
            "is_test": people["is_test"],
            "is_global_holdout": people["is_holdout"],
            "is_alive_at_end": np.isinf(left_day) & ~is_prospect,
        }
    )
    system, order_id = order_keys(orders)
    owner = orders["person"].to_numpy()
    order_truth = pd.DataFrame(
        {
            "source_system": system.to_pandas(),
            "order_id": order_id.to_pandas(),
            "person_id": text.take(person_id, owner).to_pandas(),
            "order_day": text.days(clock.start_day + orders["day"].to_numpy()).to_pandas(),
            "net_eur_amount": orders["net_eur_amount"],
            "caused_by_action_id": text.pick(
                [*(action_id(a, clock) for a in ACTIONS), None], orders["action"].to_numpy()
                % (len(ACTIONS) + 1),
            ).to_pandas(),
        }
    )  # fmt: skip
    exposures = acted.exposures
    exposure_truth = pd.DataFrame(
        {
            "action_id": text.pick(
                [action_id(a, clock) for a in ACTIONS], exposures["action"].to_numpy()
            ).to_pandas(),
            "person_id": text.take(person_id, exposures["person"].to_numpy()).to_pandas(),
            "arm": text.pick(ARMS, exposures["arm"].to_numpy()).to_pandas(),
            "incremental_orders_if_treated": exposures["effect"],
        }
    )
    return {
        "persons": persons,
        "person_records": _person_records(
            person_id, book, contacts, orders, devices, web_events
        ),
        "orders": order_truth,
        "action_effects": acted.effects[
            ["action_id", "segment", "persons_count", "incremental_orders",
             "incremental_revenue_amount"]
        ],
        "action_exposures": exposure_truth,
    }  # fmt: skip


def ceilings_truth(people: pd.DataFrame, held: Held, clock: Clock) -> pd.DataFrame:
    """Persons who are held, and what a week of theirs is worth elsewhere.

    Returns
    -------
    DataFrame, one row per held person who buys
        person_id, released_on (first day without the ceiling; may lie after the data),
        kept_occasions, basket_amount (of the ceiling), unrealised_weekly_amount (EUR that an
        average week spends elsewhere while held, as long as the person is one of the shop's at
        all: true rate x true basket x share that the ceiling keeps away).
    """
    rows = np.flatnonzero(held.is_held & ~people["is_prospect"].to_numpy())
    of = people.iloc[rows]
    weekly = (of["rate"] * of["spend_shape"] / of["spend_rate"]).to_numpy()
    away = held.ceiling.unrealised_share(of["spend_shape"].to_numpy(), of["spend_rate"].to_numpy())
    released = clock.start_day + held.release_day[rows]
    return pd.DataFrame(
        {
            "person_id": text.join("p", text.whole(of["person"].to_numpy(), 7)).to_pandas(),
            "released_on": text.days(released.astype(int)).to_pandas(),
            "kept_occasions": held.ceiling.kept_occasions,
            "basket_amount": held.ceiling.basket_amount,
            "unrealised_weekly_amount": weekly * away,
        }
    )


def _person_records(
    person_id: text.Text,
    book: RecordBook,
    contacts: Contacts,
    orders: pd.DataFrame,
    devices: Devices,
    web_events: pd.DataFrame,
) -> pd.DataFrame:
    """Owners of records, of guest orders and of the devices seen on the web."""
    system, order_id = order_keys(orders)
    # Orders that name a card and no record are keyed by their order as well.
    guest = np.flatnonzero((orders["record"].to_numpy() < 0) | orders["has_only_card"].to_numpy())
    seen = np.unique(web_events["device"].to_numpy())
    seen = seen[(devices.owner[seen] >= 0) & ~devices.is_shared[seen]]
    person = np.concatenate(
        [book.records["person"].to_numpy(), orders["person"].to_numpy()[guest], devices.owner[seen]]
    )
    counts = [len(book.records), len(guest), len(seen)]
    table = pa.table(
        {
            "source_system": pa.concat_arrays(
                [
                    contacts.system,
                    text.take(system, guest),
                    text.constant("webshop", len(seen)),
                ]
            ),
            "source_record_id": pa.concat_arrays(
                [
                    contacts.key,
                    text.join("order:", text.take(order_id, guest)),
                    text.take(devices.identifier, seen),
                ]
            ),
            "kind": text.pick(["record", "guest_order", "device"], np.repeat(range(3), counts)),
            "person_id": text.take(person_id, person),
        }
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame
