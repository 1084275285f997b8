"""Was it right? Predictions made at a past origin, held against what happened after it.

Add here what is kept of each customer's forecast beside the outcome. Summaries of it are `scores`,
single formulas `measures`; choosing origins and keeping outcomes out of the features is the
pipeline's task.
"""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.frames import LTV_OUTCOMES, require_columns, require_complete, to_float
from models_py.lifetime_value import measures
from models_py.lifetime_value.customer_keys import keyed_generator
from models_py.lifetime_value.results import read_batch
from models_py.lifetime_value.value import LifetimeValue

QUANTITIES = ("orders", "revenue")
QUANTILE_LEVELS = {
    "p025": 0.025,
    "p05": 0.05,
    "p10": 0.10,
    "p25": 0.25,
    "p50": 0.50,
    "p75": 0.75,
    "p90": 0.90,
    "p95": 0.95,
    "p975": 0.975,
}
SAMPLE_CUSTOMERS = 20_000
TRACKING_DRAWS = 25
_PIT_STREAM = 1


def evaluate(
    model: LifetimeValue, batch: pd.DataFrame, outcomes: pd.DataFrame, as_of_date: dt.date
) -> pd.DataFrame:
    """Predict a batch as of a past date and lay outcomes beside it.

    The randomised PIT of an outcome y among n draws is (number below y + U (number equal + 1)) /
    (n + 1), U uniform and keyed by customer and date: uniform over customers when the predictive
    distribution is right, however many zeros it has (Czado, Gneiting & Held 2009).

    Parameters
    ----------
    model : LifetimeValue
        Fitted on data up to `as_of_date`, or rebuilt from its parameters.
    batch : DataFrame
        Columns of `frames.LTV_FEATURES` as of that date.
    outcomes : DataFrame
        Columns of `frames.LTV_OUTCOMES`: what happened in the `horizon_days` after that date. A
        customer without a row had no order. Negative revenue (refunds only) counts as none.
    as_of_date : date

    Returns
    -------
    DataFrame
        One row per customer and horizon found in `outcomes`: customer_id, horizon_days, x,
        recency_days (since the last purchase); for
        orders and revenue ``realised_``, ``predicted_`` (mean), ``_p025`` to ``_p975``, ``_crps``
        and ``_pit``; purchase_probability and alive_probability.

    Raises
    ------
    ValueError
        When columns are missing, or outcomes have no horizon of the model.
    """
    require_columns(outcomes, LTV_OUTCOMES, "outcomes")
    require_complete(outcomes, LTV_OUTCOMES, "outcomes", "Fill customers without orders with 0.")
    horizons = np.asarray(model.horizons_days)
    used = np.flatnonzero(np.isin(horizons, to_float(outcomes["horizon_days"], "outcomes")))
    if used.size == 0:
        raise ValueError(
            f"outcomes.horizon_days holds none of the model's horizons {horizons.tolist()}. "
            "Measure outcomes over those."
        )
    histories = read_batch(batch, as_of_date)
    index = pd.Index(histories.customer_id, name="customer_id")
    realised = {
        quantity: _realised(outcomes, column, index, horizons[used])
        for quantity, column in zip(
            QUANTITIES, ("realised_orders_count", "realised_revenue_amount"), strict=True
        )
    }
    parts, start = [], 0
    for futures in model.simulate(batch, as_of_date):
        stop = start + len(futures.orders)
        lot = np.empty((stop - start, len(QUANTITIES), len(horizons)))
        for row, key in zip(lot, histories.customer_id[start:stop], strict=True):
            # Without the date a customer had one lot in every window, which tied them together.
            lot_key = f"{key}@{as_of_date}"
            keyed_generator(lot_key, model.random_state, _PIT_STREAM).random(out=row)
        part = {}
        for number, quantity in enumerate(QUANTITIES):
            draws = getattr(futures, quantity)[:, used]  # (customer, horizon, draw)
            actual = realised[quantity][start:stop]
            part[f"realised_{quantity}"] = actual
            part[f"predicted_{quantity}"] = getattr(futures, f"{quantity}_mean")[:, used]
            part |= {
                f"{quantity}_{name}": measures.quantile(draws, level)
                for name, level in QUANTILE_LEVELS.items()
            }
            part[f"{quantity}_crps"] = measures.crps(draws, actual)
            part[f"{quantity}_pit"] = measures.randomised_pit(draws, actual, lot[:, number, used])
        part["purchase_probability"] = futures.purchase_probability[:, used]
        part["alive_probability"] = np.repeat(futures.alive_probability[:, None], used.size, axis=1)
        parts.append(part)
        start = stop
    table = {name: np.concatenate([part[name] for part in parts]).reshape(-1) for name in parts[0]}
    return pd.DataFrame(
        {
            "customer_id": np.repeat(histories.customer_id, used.size),
            "horizon_days": np.tile(horizons[used], len(index)),
            "x": np.repeat(histories.x, used.size),
            "recency_days": np.repeat((histories.T - histories.t_x) * 7.0, used.size),
            **table,
        }
    )


def _realised(
    outcomes: pd.DataFrame, column: str, index: pd.Index, horizons: np.ndarray
) -> np.ndarray:
    values = pd.Series(
        np.maximum(to_float(outcomes[column], "outcomes"), 0.0),
        index=[outcomes["customer_id"].astype(str), outcomes["horizon_days"].astype("int64")],
    )
    if values.index.has_duplicates:
        raise ValueError(
            "outcomes repeat a customer and horizon. Sum orders and revenue to one row each."
        )
    wanted = pd.MultiIndex.from_product([index, horizons.astype("int64")])
    return values.reindex(wanted, fill_value=0.0).to_numpy().reshape(len(index), len(horizons))


def randomised_pit(
    model: LifetimeValue, batch: pd.DataFrame, outcomes: pd.DataFrame, as_of_date: dt.date
) -> pd.DataFrame:
    """The PIT columns of `evaluate`: customer_id, horizon_days, orders_pit, revenue_pit."""
    evaluated = evaluate(model, batch, outcomes, as_of_date)
    return evaluated[["customer_id", "horizon_days", "orders_pit", "revenue_pit"]]


def keyed_sample(customer_id: pd.Series, size: int = SAMPLE_CUSTOMERS) -> np.ndarray:
    """Which customers to score where there are many, (customer,) of bool.

    Those with the smallest hash of their id, so that the same customers are scored at every date
    and whoever else is there; everyone when there are no more than `size`.
    """
    if len(customer_id) <= size:
        return np.ones(len(customer_id), dtype=bool)
    hashes = np.array(
        [
            int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, key=b"backtest").digest())
            for key in customer_id.astype(str)
        ],
        dtype="uint64",
    )
    place = np.argpartition(hashes, size)[:size]
    chosen = np.zeros(len(customer_id), dtype=bool)
    chosen[place] = True
    return chosen


def with_other_settings(
    model: LifetimeValue, horizons_days: Sequence[int], draws: int | None = None
) -> LifetimeValue:
    """The same fit with other horizons and, at most, `draws` of its draws, evenly spaced."""
    other = copy.copy(model)
    other.horizons_days = tuple(int(days) for days in horizons_days)
    if draws is not None and draws < len(model.draws_):
        kept = np.linspace(0, len(model.draws_) - 1, draws).round().astype(int)
        other.draws_ = model.draws_.iloc[kept].reset_index(drop=True)
    return other


def expected_totals(
    model: LifetimeValue, batch: pd.DataFrame, as_of_date: dt.date, horizons_days: Sequence[int]
) -> dict[str, np.ndarray]:
    """Expected totals over the batch up to each horizon, ``orders`` and ``revenue`` (horizon,).

    From `TRACKING_DRAWS` draws: expectations need no simulated futures, and their spread over the
    posterior is small beside what is missed.
    """
    light = with_other_settings(model, horizons_days, TRACKING_DRAWS)
    sums = {name: np.zeros(len(horizons_days)) for name in QUANTITIES}
    for futures in light.simulate(batch, as_of_date):
        for name in QUANTITIES:
            sums[name] += getattr(futures, f"{name}_mean").sum(axis=0)
    return sums


def weekly_tracking(
    model: LifetimeValue,
    batch: pd.DataFrame,
    purchase_days_ahead: np.ndarray,
    as_of_date: dt.date,
    weeks: int,
) -> pd.DataFrame:
    """Cumulative purchases, week by week, expected and real.

    Parameters
    ----------
    model : LifetimeValue
    batch : DataFrame
        The customers that are followed.
    purchase_days_ahead : ndarray of int
        Of every purchase of theirs after the origin, days since the origin (1 is the next day).
    as_of_date : date
    weeks : int

    Returns
    -------
    DataFrame
        week (from 1), forecast, actual; cumulative.
    """
    ends = 7 * np.arange(1, weeks + 1)
    forecast = expected_totals(model, batch, as_of_date, [int(end) for end in ends])["orders"]
    actual = np.searchsorted(np.sort(purchase_days_ahead), ends, side="right")
    return pd.DataFrame(
        {"week": ends // 7, "forecast": forecast, "actual": actual.astype("float64")}
    )
