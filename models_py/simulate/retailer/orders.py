"""Orders: who ordered where, when, for how much, and under which key the system filed it.

Add here what is decided per order.
Lines and refunds live in ``baskets``; what breaks a row lives in ``defects``.
"""

import numpy as np
import pandas as pd

from models_py.simulate.retailer import text
from models_py.simulate.retailer.actions import action_id
from models_py.simulate.retailer.ceilings import Held
from models_py.simulate.retailer.clock import Clock
from models_py.simulate.retailer.record_fields import Contacts, vary_case
from models_py.simulate.retailer.records import LOYALTY, SYSTEMS, WEBSHOP, RecordBook
from models_py.simulate.retailer.settings import ACTIONS, VALUE_ADDED_TAX
from models_py.simulate.retailer.vocabulary import PLACES

# Shops open 9 to 21; the web never closes, so that some orders fall on another UTC day.
_STORE_HOURS = np.array([0] * 9 + [2, 4, 5, 6, 5, 3, 2, 3, 5, 7, 8, 5, 0, 0, 0], dtype=float)
_WEB_HOURS = np.array(
    [3, 1, 0.5, 0.3, 0.3, 0.5, 1, 2, 3, 4, 5, 5, 5, 5, 5, 4, 4, 5, 6, 7, 8, 10, 10, 6], dtype=float
)
_STATUSES = ("completed", "paid", "shipped", "cancelled", "pending")
_STORE_STATUS_SHARES = (0.985, 0.01, 0.0, 0.005, 0.0)
_WEB_STATUS_SHARES = (0.55, 0.13, 0.28, 0.035, 0.005)
STORES_PER_PLACE = 2
DISCOUNT_OFFERS = ("percent_off", "voucher_5_eur")


def draw_orders(
    people: pd.DataFrame,
    events: pd.DataFrame,
    book: RecordBook,
    pound_rates: np.ndarray,
    clock: Clock,
    rng: np.random.Generator,
    held: Held | None = None,
) -> pd.DataFrame:
    """Turn purchases into orders, in order of time.

    Spend in EUR is gamma with the person's rate; the first order is scaled by its factor. Britons
    pay in GBP at the day's rate. Baskets of who is `held` are capped.

    Returns
    -------
    DataFrame, one row per order
        person, day, seconds (UTC), is_web, record (-1 for guests), has_only_card, is_gbp,
        gross_cents, discount_cents (order's currency), net_eur_amount, status, store, action
        (that caused it), credited (whose code it carries), number (of the order in its system).
    """
    person = events["person"].to_numpy()
    day = np.floor(events["day"].to_numpy()).astype(int)
    count = len(person)
    is_web = rng.random(count) >= people["store_share"].to_numpy()[person]
    has_card, has_account = book.loyalty[person] >= 0, book.webshop[person] >= 0
    # Tills see strangers but do not know them: who has no card is a customer of the web only.
    is_web = (is_web | ~has_card) & ~(has_card & ~has_account & (rng.random(count) < 0.9))
    local = np.where(
        is_web, _time_of_day(_WEB_HOURS, count, rng), _time_of_day(_STORE_HOURS, count, rng)
    )
    orders = pd.DataFrame(
        {
            "person": person,
            "day": day,
            "seconds": clock.utc_seconds(day, local),
            "is_web": is_web,
            "action": events["action"].to_numpy(),
            "credited": events["credited"].to_numpy(),
        }
    )
    orders = orders.sort_values(["seconds", "person", "action"], kind="stable", ignore_index=True)
    person = orders["person"].to_numpy()
    of = people.iloc[person]
    net = rng.gamma(of["spend_shape"], 1 / of["spend_rate"])
    is_first = ~orders.duplicated("person").to_numpy()
    net = net * np.where(is_first, of["first_order_factor"], 1.0)
    if held is not None:
        capped = held.is_capped(person, orders["day"].to_numpy())
        net = np.where(capped, np.minimum(net, held.ceiling.basket_amount), net)
    is_gbp = (of["place"].to_numpy() == _places("GB")[:, None]).any(axis=0)
    rate = np.where(is_gbp, pound_rates[orders["day"]], 1.0)
    share = rng.choice([0.1, 0.15, 0.2, 0.3], count)
    has_discount = rng.random(count) < of["discount_probability"].to_numpy()
    gives_discount = np.array([a.offer_type in DISCOUNT_OFFERS for a in ACTIONS] + [False])
    has_discount |= gives_discount[orders["credited"]]
    net_cents = np.maximum(np.rint(100 * net / rate), 100).astype("int64")
    gross = np.rint(net_cents / (1 - share * has_discount)).astype("int64")
    orders["is_gbp"] = is_gbp
    orders["net_eur_amount"] = np.round(net_cents / 100 * rate, 2)
    orders["gross_cents"] = gross
    orders["discount_cents"] = gross - net_cents
    orders["status"] = np.where(
        orders["is_web"],
        rng.choice(len(_STATUSES), count, p=_WEB_STATUS_SHARES),
        rng.choice(len(_STATUSES), count, p=_STORE_STATUS_SHARES),
    )
    orders["store"] = STORES_PER_PLACE * of["place"].to_numpy() + (rng.random(count) < 0.2)
    orders["record"] = _records_of_orders(orders, book, rng)
    orders["has_only_card"] = (
        ~orders["is_web"] & (orders["record"] >= 0) & (rng.random(count) < 0.03)
    )
    by_system = orders.groupby("is_web").cumcount()
    orders["number"] = by_system + np.where(orders["is_web"], 410_000, 7_300_000)
    return orders


def _places(country: str) -> np.ndarray:
    return np.flatnonzero([p.country_code == country for p in PLACES])


def _time_of_day(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    hour = rng.choice(24, count, p=weights / weights.sum())
    return 3600 * hour + rng.integers(0, 3600, count)


def _records_of_orders(
    orders: pd.DataFrame, book: RecordBook, rng: np.random.Generator
) -> np.ndarray:
    """The newest account or card held at the time; web orders before an account are guests'."""
    person = orders["person"].to_numpy()
    seconds = orders["seconds"].to_numpy()
    created = book.records["created"].to_numpy()

    def current(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        newer, older = second[person], first[person]
        has_newer = (newer >= 0) & (created[newer] <= seconds)
        has_older = (older >= 0) & (created[older] <= seconds)
        return np.where(has_newer, newer, np.where(has_older, older, -1))

    web = current(book.webshop, book.webshop_second)
    web = np.where(rng.random(len(orders)) < 0.02, -1, web)
    # Tills need a card to know anyone, so its first order may precede the card by minutes.
    card = np.where(
        current(book.loyalty, book.loyalty_second) >= 0,
        current(book.loyalty, book.loyalty_second),
        book.loyalty[person],
    )
    return np.where(orders["is_web"], web, card)


def order_keys(orders: pd.DataFrame) -> tuple[text.Text, text.Text]:
    """Source system and order identifier of each order."""
    is_web = orders["is_web"].to_numpy()
    number = text.whole(orders["number"].to_numpy(), 8)
    order_id = text.where(is_web, text.join("WO-", number), text.join("T-", number))
    return text.pick(SYSTEMS, np.where(is_web, WEBSHOP, LOYALTY)), order_id


def orders_table(
    orders: pd.DataFrame,
    book: RecordBook,
    contacts: Contacts,
    device: text.Text,
    clock: Clock,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Render orders, in their order; `device` holds the device of each web order or NULL."""
    count = len(orders)
    system, order_id = order_keys(orders)
    record = orders["record"].to_numpy()
    is_web = orders["is_web"].to_numpy()
    is_guest = record < 0
    only_card = orders["has_only_card"].to_numpy()
    card_number = book.records["card"].to_numpy() + np.where(
        book.records["is_second"], 5 * 10**8, 0
    )
    card = text.take(text.whole(card_number), np.where(is_web, -1, record))
    mail = vary_case(text.take(contacts.mail, orders["person"].to_numpy()), rng)
    net = orders["gross_cents"].to_numpy() - orders["discount_cents"].to_numpy()
    tax = np.rint(net * VALUE_ADDED_TAX / (1 + VALUE_ADDED_TAX)).astype("int64")
    shipping = np.where(is_web & (net < 6000), 490, 0)
    action = orders["credited"].to_numpy()
    is_credited = (action >= 0) & (rng.random(count) < 0.8)
    coupon = text.pick([a.code for a in ACTIONS], np.maximum(action, 0))
    credited = text.pick([action_id(a, clock) for a in ACTIONS], np.maximum(action, 0))
    stores = [
        f"S-{p.postal_code.split('-')[0]}-{n}" for p in PLACES for n in range(STORES_PER_PLACE)
    ]
    return text.source_frame(
        "orders",
        {
            "source_system": system,
            "order_id": order_id,
            "source_record_id": text.take(contacts.key, np.where(only_card, -1, record)),
            "email": text.blank(mail, ~is_guest),
            "loyalty_id": card,
            "device_id": text.blank(device, ~is_web | (rng.random(count) < 0.3)),
            "ordered_at": text.moments(orders["seconds"].to_numpy()),
            "gross_amount": text.money(orders["gross_cents"].to_numpy()),
            "status": text.pick(_STATUSES, orders["status"].to_numpy()),
            "channel": text.pick(["store", "web"], is_web.astype(int)),
            "store_id": text.blank(text.pick(stores, orders["store"].to_numpy()), is_web),
            "currency_code": text.pick(["EUR", "GBP"], orders["is_gbp"].to_numpy().astype(int)),
            "discount_amount": text.money(orders["discount_cents"].to_numpy()),
            "tax_amount": text.money(tax),
            "shipping_amount": text.money(shipping),
            "coupon_code": text.blank(coupon, ~is_credited),
            "action_id": text.blank(credited, ~is_credited),
        },
    )
