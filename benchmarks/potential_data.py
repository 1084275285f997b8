"""Customers of the simulated retailer at past dates: histories, features, forecasts and truth.

Add here a feature that comparable customers are found by in the study of potential value.
The measures are potential.py; the line's own SQL and gates stay out, so that many seeds are cheap.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, group_spend
from models_py.segmentation import LifecycleRules, assign_stages, fit_star_value
from models_py.simulate import Ceiling, simulate_retailer

END = dt.date(2025, 12, 31)
FEATURES = (
    "discount_share",
    "online_order_share",
    "weekend_order_share",
    "categories_count",
    "top_category_share",
    *(f"category_{n}_share" for n in range(6)),
)


@dataclass(frozen=True)
class Shop:
    """Order days with what is in them, the truth of ceilings, and persons who buy."""

    days: pd.DataFrame
    ceilings: pd.DataFrame
    persons: pd.DataFrame


def simulate_shop(customers: int, seed: int, ceiling: Ceiling | None) -> Shop:
    """Simulate and keep, per order, its day, net amount, discount, channel and category amounts."""
    made = simulate_retailer(customers, seed, end_date=END, ceiling=ceiling)
    sources, truth = made.sources, made.truth
    keys = ["source_system", "order_id"]
    orders = truth["orders"].merge(
        sources["orders"][
            [*keys, "channel", "gross_amount", "discount_amount", "status"]
        ].drop_duplicates(keys),
        on=keys,
    )
    orders = orders[~orders["status"].isin(["cancelled", "pending"])]
    items = sources["order_items"][[*keys, "product_id", "net_amount"]].merge(
        sources["products"][["product_id", "category_1"]].drop_duplicates("product_id"),
        on="product_id",
    )
    names = sorted(items["category_1"].dropna().unique())
    place = {name: number for number, name in enumerate(names)}
    items = items[items["category_1"].isin(place)]
    items["category"] = items["category_1"].map(place)
    counted = items.pivot_table(index=keys, columns="category", aggfunc="size", fill_value=0)
    counted.columns = [f"category_{number}" for number in counted.columns]
    orders = orders.merge(counted.reset_index(), on=keys, how="left")
    orders["day"] = pd.to_datetime(orders["order_day"])
    orders["is_online"] = (orders["channel"].str.lower() == "web").astype(float)
    orders["is_weekend"] = (orders["day"].dt.dayofweek >= 5).astype(float)
    for name in ("gross_amount", "discount_amount"):
        orders[name] = pd.to_numeric(orders[name], errors="coerce").fillna(0.0)
    persons = truth["persons"]
    persons = persons[~persons["is_prospect"] & ~persons["is_test"]]
    orders = orders[orders["person_id"].isin(persons["person_id"])]
    none = pd.DataFrame(
        columns=[
            "person_id",
            "released_on",
            "kept_occasions",
            "basket_amount",
            "unrealised_weekly_amount",
        ]
    )
    return Shop(orders, truth.get("ceilings", none), persons)


def customers_at(shop: Shop, day: dt.date) -> pd.DataFrame:
    """The row of every customer known at the end of a day, as the features of the line are."""
    seen = shop.days[shop.days["day"] <= pd.Timestamp(day)]
    categories = [name for name in seen.columns if name.startswith("category_")]
    by_day = (
        seen.groupby(["person_id", "day"])["net_eur_amount"].sum().rename("amount").reset_index()
    )
    by_day["log_amount"] = np.log(by_day["amount"])
    by_day["gap"] = by_day.groupby("person_id")["day"].diff().dt.days
    group = by_day.groupby("person_id")
    frame = pd.DataFrame(
        {
            "purchase_days_count": group.size(),
            "first": group["day"].first(),
            "last": group["day"].last(),
            "first_purchase_amount": group["amount"].first(),
            "observed_revenue_amount": group["amount"].sum(),
            "first_purchase_log_amount": group["log_amount"].first(),
            "purchase_log_amount_sum": group["log_amount"].sum(),
            "median_gap_days": group["gap"].median(),
            "days_between_last_two_purchases": group["gap"].last(),
        }
    )
    now = pd.Timestamp(day)
    frame["tenure_days"] = (now - frame["first"]).dt.days
    frame["recency_days"] = (now - frame["last"]).dt.days
    frame["active_span_days"] = (frame["last"] - frame["first"]).dt.days
    frame["repeat_purchase_days_count"] = frame["purchase_days_count"] - 1
    frame["repeat_purchase_amount"] = (
        frame["observed_revenue_amount"] - frame["first_purchase_amount"]
    )
    orders = seen.groupby("person_id")
    frame["average_order_amount"] = orders["net_eur_amount"].mean()
    frame["discount_share"] = orders["discount_amount"].sum() / orders["gross_amount"].sum()
    frame["online_order_share"] = orders["is_online"].mean()
    frame["weekend_order_share"] = orders["is_weekend"].mean()
    counts = orders[categories].sum()
    frame["categories_count"] = (counts > 0).sum(axis=1)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    frame["top_category_share"] = shares.max(axis=1)
    for name in categories:
        frame[f"{name}_share"] = shares[name]
    frame = frame.drop(columns=["first", "last"]).rename_axis("customer_id").reset_index()
    return frame.sort_values("customer_id", ignore_index=True)


def fitted(frame: pd.DataFrame, horizons: tuple[int, ...], random_state: int) -> LifetimeValue:
    """The lifetime-value model at the first origin, by importance sampling."""
    model = LifetimeValue(
        horizons, draws_kept=200, sampling=Sampling("auto"), random_state=random_state
    )
    return model.fit(group_purchases(frame), group_spend(frame))


def forecast(
    frame: pd.DataFrame, model: LifetimeValue, day: dt.date, stage_horizon: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frame with its stage, and the forecasts by customer and horizon.

    Stages look at the horizon of the study; churned and star lines are those of `LifecycleRules`.
    """
    value = model.predict(frame, day)
    one = value.loc[
        value["horizon_days"] == stage_horizon,
        ["customer_id", "purchase_probability", "predicted_revenue_mean"],
    ]
    with_value = frame.merge(one, on="customer_id")
    rules = fit_star_value(with_value, LifecycleRules())
    stages = assign_stages(with_value, rules)[["customer_id", "stage"]]
    return frame.merge(stages, on="customer_id"), value


def never_released(shop: Shop, random_state: int) -> Shop:
    """The same shop had no ceiling ever been lifted: later orders thinned and capped again."""
    days = shop.days.merge(shop.ceilings, on="person_id", how="left")
    is_free = (days["day"] >= pd.to_datetime(days["released_on"])).to_numpy()
    chance = np.random.default_rng(random_state).random(len(days))
    capped = np.minimum(days["net_eur_amount"], days["basket_amount"].astype(float))
    is_first = days["day"] == days.groupby("person_id")["day"].transform("min")
    kept = ~is_free | is_first | (chance < days["kept_occasions"].astype(float))
    changed = shop.days.assign(net_eur_amount=np.where(is_free, capped, days["net_eur_amount"]))
    return replace(shop, days=changed[kept.to_numpy()].reset_index(drop=True))


def outcomes(shop: Shop, frame: pd.DataFrame, day: dt.date, horizon: int) -> pd.DataFrame:
    """What followed a date, and what the ceilings have to do with it.

    Returns
    -------
    DataFrame, in the order of `frame`
        realised; released: money of the window that a ceiling would have kept away, had it not been
        lifted in the window or before it, expected given the orders; unrealised: money of an
        average window that goes elsewhere at the origin, 0 for persons not held, released, or gone
        for good.
    """
    start, end = pd.Timestamp(day), pd.Timestamp(day + dt.timedelta(days=horizon))
    window = shop.days[(shop.days["day"] > start) & (shop.days["day"] <= end)]
    window = window.merge(shop.ceilings, on="person_id", how="left")
    is_free = window["day"] >= pd.to_datetime(window["released_on"])
    capped = np.minimum(window["net_eur_amount"], window["basket_amount"].astype(float))
    kept = window["kept_occasions"].astype(float) * capped
    window["released"] = np.where(is_free, window["net_eur_amount"] - kept, 0.0)
    summed = window.groupby("person_id")[["net_eur_amount", "released"]].sum()
    result = frame[["customer_id"]].merge(
        summed, left_on="customer_id", right_index=True, how="left"
    )
    held = shop.ceilings[pd.to_datetime(shop.ceilings["released_on"]) > start]
    stays = shop.persons.merge(held, on="person_id")
    last = shop.days.groupby("person_id")["day"].max()
    # Gone for good: no order after the origin although data go on, and not alive at the end.
    gone = ~stays["is_alive_at_end"] & (stays["person_id"].map(last) <= start)
    weekly = stays["unrealised_weekly_amount"].astype(float) * ~gone
    unrealised = pd.Series((weekly * horizon / 7).to_numpy(), index=stays["person_id"])
    return pd.DataFrame(
        {
            "realised": result["net_eur_amount"].fillna(0.0),
            "released": result["released"].fillna(0.0),
            "unrealised": frame["customer_id"].map(unrealised).fillna(0.0).to_numpy(),
        }
    )
