"""Small tables that every shop has beside its sales: products, regions, rates of exchange.

Add here a table that does not grow with customers.
Campaigns live in ``actions``; consents and erasure requests in ``permissions``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.simulate.retailer import text
from models_py.simulate.retailer.clock import Clock
from models_py.simulate.retailer.settings import CATEGORIES, CATEGORY_COST_SHARE
from models_py.simulate.retailer.vocabulary import BRANDS, PLACES

_SHELVES: dict[str, dict[str, tuple[str, ...]]] = {
    "Groceries": {"Fresh": ("Fruit", "Cheese", "Bread"), "Pantry": ("Oil", "Coffee", "Preserves"),
                  "Drinks": ("Wine", "Juice", "Water")},
    "Home": {"Kitchen": ("Pans", "Tableware"), "Textiles": ("Bedding", "Towels"),
             "Decoration": ("Candles", "Frames")},
    "Fashion": {"Women": ("Dresses", "Shoes"), "Men": ("Shirts", "Trousers"),
                "Accessories": ("Bags", "Scarves")},
    "Beauty": {"Care": ("Face", "Hair"), "Perfume": ("For her", "For him")},
    "Toys": {"Games": ("Board games", "Puzzles"), "Outdoor": ("Balls", "Scooters")},
    "Electronics": {"Audio": ("Headphones", "Speakers"), "Household": ("Coffee makers", "Irons")},
}  # fmt: skip
_TYPICAL_PRICE = {
    "Groceries": 5, "Home": 16, "Fashion": 27, "Beauty": 13, "Toys": 17, "Electronics": 48,
}  # fmt: skip
PRODUCTS_PER_SHELF = 8


@dataclass(frozen=True)
class Catalogue:
    """Products, and what lines of orders need of them.

    Attributes
    ----------
    table : DataFrame
        The products shape.
    product_id : array of text
    category, price_cents, cost_share : ndarray (product,)
        Number of `CATEGORIES`, list price in EUR cents, unit cost over price.
    first_of_category, count_of_category : ndarray (category,)
        Where a category's products start and how many it has.
    """

    table: pd.DataFrame
    product_id: text.Text
    category: np.ndarray
    price_cents: np.ndarray
    cost_share: np.ndarray
    first_of_category: np.ndarray
    count_of_category: np.ndarray


def draw_catalogue(rng: np.random.Generator) -> Catalogue:
    """A few hundred products on three levels of category, eight per shelf."""
    shelves = [
        (first, second, third)
        for first in CATEGORIES
        for second, thirds in _SHELVES[first].items()
        for third in thirds
        for _ in range(PRODUCTS_PER_SHELF)
    ]
    count = len(shelves)
    category = np.array([CATEGORIES.index(first) for first, _, _ in shelves])
    typical = np.array([_TYPICAL_PRICE[first] for first, _, _ in shelves])
    price = np.maximum(np.rint(100 * typical * rng.lognormal(-0.1, 0.5, count)), 60).astype(int)
    cost_share = np.asarray(CATEGORY_COST_SHARE)[category] * rng.uniform(0.85, 1.1, count)
    brand = rng.integers(0, len(BRANDS), count)
    product_id = text.join("SKU-", text.whole(rng.permutation(9000)[:count] + 1000))
    rows = np.arange(count)
    table = text.source_frame(
        "products",
        {
            "product_id": product_id,
            "product_name": text.join(
                text.pick([third for _, _, third in shelves], rows),
                " ", text.pick(BRANDS, brand), " ", text.whole(1 + rows % PRODUCTS_PER_SHELF),
            ),
            "category_1": text.pick([first for first, _, _ in shelves], rows),
            "category_2": text.pick([second for _, second, _ in shelves], rows),
            "category_3": text.pick([third for _, _, third in shelves], rows),
            "brand": text.pick(BRANDS, brand),
            "unit_cost_amount": text.money(np.maximum(np.rint(price * cost_share), 1).astype(int)),
        },
    )  # fmt: skip
    sizes = np.bincount(category, minlength=len(CATEGORIES))
    first = np.concatenate([[0], sizes.cumsum()[:-1]])
    return Catalogue(table, product_id, category, price, cost_share, first, sizes)


def regions_table() -> pd.DataFrame:
    """Postal codes, some with leading zeros, that a reader must keep as text."""
    rows = np.arange(len(PLACES))
    return text.source_frame(
        "regions",
        {
            "postal_code": text.pick([p.postal_code for p in PLACES], rows),
            "region": text.pick([p.region for p in PLACES], rows),
            "latitude": text.fraction(np.array([p.latitude for p in PLACES]), 2),
            "longitude": text.fraction(np.array([p.longitude for p in PLACES]), 2),
            "income_index": text.whole(np.array([p.income_index for p in PLACES])),
            "urbanity": text.pick([p.urbanity for p in PLACES], rows),
        },
    )


def draw_pound_rates(clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """EUR for one GBP per day: a slow walk around 1.16, rounded as published."""
    steps = rng.normal(0, 0.0025, clock.days)
    rate = np.empty(clock.days)
    level = 0.0
    for day, step in enumerate(steps):
        level = 0.99 * level + step
        rate[day] = level
    return np.round(1.16 * np.exp(rate), 6)


def exchange_rates_table(rates: np.ndarray, clock: Clock) -> pd.DataFrame:
    """One row per day for GBP, and EUR at one."""
    day = np.repeat(clock.start_day + np.arange(clock.days), 2)
    both = np.stack([np.ones(clock.days), rates], axis=1).ravel()
    return text.source_frame(
        "exchange_rates",
        {
            "rate_date": text.days(day),
            "currency_code": text.pick(["EUR", "GBP"], np.tile([0, 1], clock.days)),
            "rate_to_reporting": text.fraction(both, 6),
        },
    )
