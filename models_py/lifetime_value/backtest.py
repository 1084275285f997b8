"""Was it right? Predictions made at a past origin, held against what happened after it.

Add here a measure that compares predictions with outcomes.
Choosing origins and keeping outcomes out of the features is the pipeline's task; significance and
gates belong to the checks that read these tables.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.frames import LTV_OUTCOMES, require_columns, require_complete, to_float
from models_py.lifetime_value.predictive import keyed_generator
from models_py.lifetime_value.results import read_batch
from models_py.lifetime_value.value import LifetimeValue

QUANTITIES = ("orders", "revenue")
NOMINAL_LEVELS = {0.5: ("p25", "p75"), 0.9: ("p05", "p95")}
_PIT_STREAM = 1

BACKTEST_COLUMNS = (
    "as_of_date",
    "origin_date",
    "horizon_days",
    "slice",
    "model",
    "metric",
    "value",
    "customers_count",
)
CALIBRATION_COLUMNS = (
    "as_of_date",
    "origin_date",
    "horizon_days",
    "slice",
    "model",
    "quantity",
    "nominal_level",
    "observed_coverage",
    "pit_coverage",
    "customers_count",
)


def evaluate(
    model: LifetimeValue, batch: pd.DataFrame, outcomes: pd.DataFrame, as_of_date: dt.date
) -> pd.DataFrame:
    """Predict a batch as of a past date and lay outcomes beside it.

    The randomised PIT of an outcome y among n draws is (number below y + U (number equal + 1)) /
    (n + 1), U uniform and keyed by the customer: uniform over customers when the predictive
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
        One row per customer and horizon found in `outcomes`: customer_id, horizon_days, x; for
        orders and revenue ``realised_``, ``predicted_`` (mean), ``_p05`` to ``_p95``,
        ``naive_`` (rate x/T carried on, at the customer's mean amount) and ``_pit``.

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
            keyed_generator(key, model.random_state, _PIT_STREAM).random(out=row)
        part = {}
        for number, quantity in enumerate(QUANTITIES):
            draws = getattr(futures, quantity)[:, used]  # (customer, horizon, draw)
            actual = realised[quantity][start:stop]
            below = (draws < actual[:, :, None]).sum(axis=2)
            equal = (draws == actual[:, :, None]).sum(axis=2)
            part[f"realised_{quantity}"] = actual
            part[f"predicted_{quantity}"] = getattr(futures, f"{quantity}_mean")[:, used]
            part |= posterior.quantiles(draws, quantity, axis=2)
            part[f"{quantity}_pit"] = (below + lot[:, number, used] * (equal + 1)) / (
                draws.shape[2] + 1
            )
        parts.append(part)
        start = stop
    table = {name: np.concatenate([part[name] for part in parts]).reshape(-1) for name in parts[0]}
    rate = np.where(histories.T > 0, histories.x / np.maximum(histories.T, 1e-9), 0.0) / 7.0
    amount = (histories.first + histories.repeat) / (histories.x + 1.0)
    naive = rate[:, None] * horizons[used]
    return pd.DataFrame(
        {
            "customer_id": np.repeat(histories.customer_id, used.size),
            "horizon_days": np.tile(horizons[used], len(index)),
            "x": np.repeat(histories.x, used.size),
            **table,
            "naive_orders": naive.reshape(-1),
            "naive_revenue": (naive * amount[:, None]).reshape(-1),
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


def score(
    evaluated: pd.DataFrame, as_of_date: dt.date, origin_date: dt.date, model_name: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summarise `evaluate` per horizon and slice.

    Slices are ``all``, ``repeat_buyers`` (x > 0) and ``top_decile`` (of predicted revenue).

    Parameters
    ----------
    evaluated : DataFrame
    as_of_date, origin_date : date
        The run's date, and the past date that predictions were made at.
    model_name : str

    Returns
    -------
    (DataFrame, DataFrame)
        `BACKTEST_COLUMNS` for predictions.ltv_backtests: metrics ``<quantity>_bias`` (predicted
        total / actual total - 1), ``_mae``, ``_rmse``, ``_spearman`` for `model_name`, and the
        first three and ``_spearman`` of models ``all_zero`` and ``naive_rate``; `spearman` is left
        out where it is undefined. `CALIBRATION_COLUMNS` for predictions.ltv_calibration: raw
        coverage of the interval, and the share of PIT between the same levels.
    """
    metrics, calibration = [], []
    for horizon, rows in evaluated.groupby("horizon_days", sort=True):
        for name, part in _slices(rows).items():
            key = {
                "as_of_date": pd.Timestamp(as_of_date),
                "origin_date": pd.Timestamp(origin_date),
                "horizon_days": horizon,
                "slice": name,
                "customers_count": len(part),
            }
            for quantity in QUANTITIES:
                actual = part[f"realised_{quantity}"].to_numpy()
                for model, forecast in (
                    (model_name, part[f"predicted_{quantity}"].to_numpy()),
                    ("naive_rate", part[f"naive_{quantity}"].to_numpy()),
                    ("all_zero", np.zeros(len(part))),
                ):
                    for metric, value in _errors(forecast, actual).items():
                        row = {"model": model, "metric": f"{quantity}_{metric}", "value": value}
                        metrics.append(key | row)
                pit = part[f"{quantity}_pit"].to_numpy()
                for level, (low, high) in NOMINAL_LEVELS.items():
                    tail = (1.0 - level) / 2.0
                    inside = (part[f"{quantity}_{low}"] <= actual) & (
                        actual <= part[f"{quantity}_{high}"]
                    )
                    coverage = {
                        "model": model_name,
                        "quantity": quantity,
                        "nominal_level": level,
                        "observed_coverage": float(inside.mean()),
                        "pit_coverage": float(np.mean((pit > tail) & (pit < 1.0 - tail))),
                    }
                    calibration.append(key | coverage)
    return (
        pd.DataFrame(metrics, columns=list(BACKTEST_COLUMNS)),
        pd.DataFrame(calibration, columns=list(CALIBRATION_COLUMNS)),
    )


def _slices(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ranked = rows.sort_values(["predicted_revenue", "customer_id"], ascending=[False, True])
    best = ranked.head(max(len(rows) // 10, 1))
    parts = {"all": rows, "repeat_buyers": rows[rows["x"] > 0], "top_decile": best}
    return {name: part for name, part in parts.items() if len(part)}


def _errors(forecast: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    error = forecast - actual
    errors = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    if actual.sum() > 0:
        errors["bias"] = float(forecast.sum() / actual.sum() - 1.0)
    if np.ptp(forecast) > 0 and np.ptp(actual) > 0:
        ranks = [pd.Series(values).rank().to_numpy() for values in (forecast, actual)]
        errors["spearman"] = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    return errors
