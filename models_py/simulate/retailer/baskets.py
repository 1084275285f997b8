"""What is inside an order and what comes back: lines of products, and refunds.

Add here what depends on the goods of an order.
Whole orders live in ``orders``; prices and shelves in ``reference``.
"""

import numpy as np
import pandas as pd

from models_py.simulate.retailer import text
from models_py.simulate.retailer.clock import SECONDS_PER_DAY, Clock
from models_py.simulate.retailer.orders import order_keys
from models_py.simulate.retailer.record_fields import Contacts
from models_py.simulate.retailer.reference import Catalogue
from models_py.simulate.retailer.settings import SEGMENTS

_CANCELLED = 3


def order_items_table(
    people: pd.DataFrame, orders: pd.DataFrame, catalogue: Catalogue, rng: np.random.Generator
) -> pd.DataFrame:
    """Lines, two and a half per order; their net amounts sum to the order's net to the cent.

    A line's category is the person's favourite in two cases of five, else drawn from the
    segment's weights; within a category few products sell often.
    """
    lines = 1 + rng.poisson(1.5, len(orders))
    net = orders["gross_cents"].to_numpy() - orders["discount_cents"].to_numpy()
    lines = np.minimum(lines, net)
    order = np.repeat(np.arange(len(orders)), lines)
    total = len(order)
    start = np.repeat(np.cumsum(lines) - lines, lines)
    line_number = np.arange(total) - start + 1

    segment = people["segment"].to_numpy()
    favourite = _draw_categories(segment, rng)
    person = orders["person"].to_numpy()[order]
    category = np.where(
        rng.random(total) < 0.4, favourite[person], _draw_categories(segment[person], rng)
    )
    popular = rng.random(total) ** 2.2
    product = catalogue.first_of_category[category] + np.floor(
        popular * catalogue.count_of_category[category]
    ).astype(int)

    weight = catalogue.price_cents[product] * rng.uniform(0.6, 1.4, total)
    order_weight = np.bincount(order, weights=weight, minlength=len(orders))
    # One cent is set aside for each line, so that no line is free; the first takes the rest.
    spare = (net - lines)[order]
    cents = 1 + np.floor(spare * weight / order_weight[order]).astype("int64")
    rest = net - np.bincount(order, weights=cents, minlength=len(orders)).astype("int64")
    cents[line_number == 1] += rest
    rate = (net / np.maximum(100 * orders["net_eur_amount"].to_numpy(), 1))[order]
    quantity = np.clip(np.rint(cents / (catalogue.price_cents[product] * rate)), 1, 24)
    gross_share = (orders["gross_cents"].to_numpy() / net)[order]
    # A discount costs the shop, not the supplier: unit cost follows the price before it.
    unit_cost = np.rint(cents * gross_share / quantity * catalogue.cost_share[product])
    system, order_id = order_keys(orders)
    return text.source_frame(
        "order_items",
        {
            "source_system": text.take(system, order),
            "order_id": text.take(order_id, order),
            "line_number": text.whole(line_number),
            "product_id": text.take(catalogue.product_id, product),
            "quantity": text.whole(quantity.astype("int64")),
            "net_amount": text.money(cents),
            "unit_cost_amount": text.money(unit_cost.astype("int64")),
        },
    )


def _draw_categories(segment: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One category per given segment, by the segment's weights."""
    weights = np.array([s.category_weights for s in SEGMENTS])
    cumulative = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    # Adding the segment's number makes one ascending ladder, searched for all rows at once.
    ladder = (cumulative + np.arange(len(SEGMENTS))[:, None]).ravel()
    draw = np.searchsorted(ladder, segment + rng.random(len(segment)), side="right")
    return np.clip(draw - segment * weights.shape[1], 0, weights.shape[1] - 1)


def draw_refunds(orders: pd.DataFrame, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
    """Refunds of about one order in twenty, two in five of them in full.

    Returns
    -------
    DataFrame, one row per refund
        order (row of `orders`), cents (at most the order's net), seconds, names_order; in order
        of time.
    """
    chance = np.where(orders["is_web"], 0.075, 0.03) * (orders["status"] != _CANCELLED)
    order = np.flatnonzero(rng.random(len(orders)) < chance)
    net = (orders["gross_cents"] - orders["discount_cents"]).to_numpy()[order]
    is_full = rng.random(len(order)) < 0.4
    part = np.maximum(np.rint(net * rng.uniform(0.1, 0.8, len(order))), 1).astype("int64")
    delay = rng.integers(3600, 32 * SECONDS_PER_DAY, len(order))
    refunds = pd.DataFrame(
        {
            "order": order,
            "cents": np.where(is_full, net, part),
            "seconds": orders["seconds"].to_numpy()[order] + delay,
            "names_order": (rng.random(len(order)) > 0.08)
            | (orders["record"].to_numpy()[order] < 0),
        }
    )
    refunds = refunds[refunds["seconds"] <= clock.end_seconds - 2 * 3600]
    return refunds.sort_values(["seconds", "order"], kind="stable", ignore_index=True)


def refunds_table(orders: pd.DataFrame, refunds: pd.DataFrame, contacts: Contacts) -> pd.DataFrame:
    """Render refunds; those that name no order name the customer's record."""
    order = refunds["order"].to_numpy()
    names_order = refunds["names_order"].to_numpy()
    system, order_id = order_keys(orders)
    return text.source_frame(
        "refunds",
        {
            "source_system": text.take(system, order),
            "refund_id": text.join("R-", text.whole(88_000 + np.arange(len(refunds)), 7)),
            "order_id": text.blank(text.take(order_id, order), ~names_order),
            "source_record_id": text.blank(
                text.take(contacts.key, orders["record"].to_numpy()[order]), names_order
            ),
            "refunded_at": text.moments(refunds["seconds"].to_numpy()),
            "refund_amount": text.money(refunds["cents"].to_numpy()),
            "currency_code": text.pick(
                ["EUR", "GBP"], orders["is_gbp"].to_numpy()[order].astype(int)
            ),
        },
    )
