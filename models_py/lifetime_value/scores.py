"""Backtest tables from evaluated customers: every measure, for every slice, model and baseline.

Add here a row of the tables. Formulas are `measures`, what is laid beside the outcome is
`backtest`, and origins and roles are the pipeline's.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from scipy import stats

from models_py.lifetime_value import measures
from models_py.lifetime_value.backtest import QUANTITIES
from models_py.lifetime_value.recalibration import Recalibration

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
    "recalibrated_pit_coverage",
    "customers_count",
)
BOUNDS = {0.5: ("p25", "p75"), 0.8: ("p10", "p90"), 0.9: ("p05", "p95"), 0.95: ("p025", "p975")}
SIGNIFICANCE = 0.05


def score(
    evaluated: pd.DataFrame,
    as_of_date: dt.date,
    origin_date: dt.date,
    model_name: str,
    baselines: pd.DataFrame | None = None,
    stages: pd.Series | None = None,
    recalibration: Recalibration | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summarise `backtest.evaluate` per horizon and slice.

    Slices are ``all``, ``repeat_buyers`` (x > 0), ``one_time`` (x = 0), ``top_decile`` (of
    predicted revenue) and ``stage_<lifecycle stage>`` where `stages` are known.

    Parameters
    ----------
    evaluated : DataFrame
    as_of_date, origin_date : date
        The run's date, and the past date that predictions were made at.
    model_name : str
    baselines : DataFrame, optional
        `baseline_rows`: customer_id, horizon_days, model, orders, revenue and the scores
        orders_crps and revenue_crps (a single number's is its absolute error).
    stages : Series, optional
        Lifecycle stage at the origin by customer_id.
    recalibration : Recalibration, optional
        Learned on an earlier origin; what it makes of the PIT is written beside the raw one.

    Returns
    -------
    (DataFrame, DataFrame)
        `BACKTEST_COLUMNS` for predictions.ltv_backtests: ``<quantity>_bias``, ``_mae``, ``_rmse``,
        ``_correlation``, ``_spearman``, ``_normalised_gini``, ``_decile_mape``, ``_crps`` of the
        model and of every baseline (what is undefined is left out), ``_pit_distance`` of the model,
        and ``churn_brier``, ``churn_auc``, ``churn_calibration_error`` (churn: no purchase within
        the horizon). `CALIBRATION_COLUMNS` for predictions.ltv_calibration: raw coverage of the
        interval and the share of PIT between the same levels; for the quantity ``churn``, the mean
        probability of a tenth of the customers as nominal level and the share that churned.
    """
    if recalibration is not None:
        evaluated = evaluated.assign(**recalibration.recalibrated_pit(evaluated))
    metrics: list[dict[str, object]] = []
    calibration: list[dict[str, object]] = []
    for horizon, rows in evaluated.groupby("horizon_days", sort=True):
        others = {} if baselines is None else _by_model(baselines, horizon, rows)
        for name, place in _slices(rows, stages).items():
            part = rows.iloc[place]
            key: dict[str, object] = {
                "as_of_date": pd.Timestamp(as_of_date),
                "origin_date": pd.Timestamp(origin_date),
                "horizon_days": horizon,
                "slice": name,
                "customers_count": len(part),
            }
            found = [(model_name, _of_model(part))]
            found += [
                (other, _of_baseline(part, table.iloc[place])) for other, table in others.items()
            ]
            metrics += [
                key | {"model": model, "metric": metric, "value": value}
                for model, values in found
                for metric, value in values.items()
                if np.isfinite(value)
            ]
            levels = [*_coverage(part), *_churn(part)]
            calibration += [key | {"model": model_name} | row for row in levels]
    return (
        pd.DataFrame(metrics, columns=list(BACKTEST_COLUMNS)),
        pd.DataFrame(calibration, columns=list(CALIBRATION_COLUMNS)),
    )


def baseline_rows(
    forecasts: dict[str, dict[str, np.ndarray]],
    rows: pd.DataFrame,
    crps: dict[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Forecasts of baselines as rows, customers in the order of `rows` (of one horizon).

    Parameters
    ----------
    forecasts : dict
        Model to ``orders`` and ``revenue`` (customer,).
    rows : DataFrame
        `evaluate` at one horizon.
    crps : dict of ndarray, optional
        Scores of orders by models that give a whole distribution.
    """
    parts = []
    for model, values in forecasts.items():
        part = rows[["customer_id", "horizon_days"]].assign(model=model)
        for quantity in QUANTITIES:
            actual = rows[f"realised_{quantity}"].to_numpy()
            part[quantity] = values[quantity]
            part[f"{quantity}_crps"] = np.abs(values[quantity] - actual)
        if crps and model in crps:
            part["orders_crps"] = crps[model]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def gains(pairs: list[tuple[pd.DataFrame, pd.DataFrame]], random_state: int) -> pd.DataFrame:
    """How much better the model's CRPS is than each baseline's, over origins, one horizon.

    Parameters
    ----------
    pairs : list of (DataFrame, DataFrame)
        Per origin, `evaluate` and `baseline_rows` of the same horizon. A baseline that is
        missing at some origins is compared over the others.

    Returns
    -------
    DataFrame
        model (the baseline), quantity, gain (baseline's mean CRPS minus the model's), low, high: a
        bootstrap interval that holds for all comparisons together with 90 % (Bonferroni), so that
        a high below 0 means significantly worse at 5 %.
    """
    tables = [_by_model(rows, at["horizon_days"].iloc[0], at) for at, rows in pairs]
    present = {
        model: tuple(number for number, known in enumerate(tables) if model in known)
        for model in sorted(set().union(*tables))
    }
    count = len(present) * len(QUANTITIES)
    found = []
    for where in sorted(set(present.values())):
        keys = [(m, q) for m, there in present.items() if there == where for q in QUANTITIES]
        differences = [
            np.column_stack(
                [
                    tables[number][model][f"{quantity}_crps"].to_numpy()
                    - pairs[number][0][f"{quantity}_crps"].to_numpy()
                    for model, quantity in keys
                ]
            )
            for number in where
        ]
        mean, drawn = measures.better_by(differences, random_state)
        reach = stats.norm.ppf(1.0 - SIGNIFICANCE / count) * drawn.std(axis=0, ddof=1)
        part = pd.DataFrame(keys, columns=["model", "quantity"])
        found.append(part.assign(gain=mean, low=mean - reach, high=mean + reach))
    joined = pd.concat(found).sort_values(["model", "quantity"], ignore_index=True)
    return joined[["model", "quantity", "gain", "low", "high"]]


def _by_model(baselines: pd.DataFrame, horizon: object, rows: pd.DataFrame) -> dict:
    at = baselines[baselines["horizon_days"] == horizon]
    ids = rows["customer_id"].to_numpy()
    return {
        str(model): table.set_index("customer_id").loc[ids]
        for model, table in at.groupby("model", sort=True)
    }


def _slices(rows: pd.DataFrame, stages: pd.Series | None) -> dict[str, np.ndarray]:
    """Positions of the customers of each slice, empty ones left out."""
    order = np.lexsort((rows["customer_id"].astype(str), -rows["predicted_revenue"].to_numpy()))
    x = rows["x"].to_numpy()
    parts = {
        "all": np.arange(len(rows)),
        "repeat_buyers": np.flatnonzero(x > 0),
        "one_time": np.flatnonzero(x == 0),
        "top_decile": np.sort(order[: max(len(rows) // 10, 1)]),
    }
    if stages is not None:
        stage = stages.reindex(rows["customer_id"]).to_numpy()
        names = sorted({str(name) for name in stage if isinstance(name, str)})
        parts |= {f"stage_{name}": np.flatnonzero(stage == name) for name in names}
    return {name: place for name, place in parts.items() if len(place)}


def _of_model(part: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for quantity in QUANTITIES:
        actual = part[f"realised_{quantity}"].to_numpy()
        values = measures.errors(part[f"predicted_{quantity}"].to_numpy(), actual)
        values["crps"] = float(part[f"{quantity}_crps"].mean())
        values["pit_distance"] = measures.pit_distance(part[f"{quantity}_pit"].to_numpy())
        found |= {f"{quantity}_{name}": value for name, value in values.items()}
    churn, silent = _churn_of(part)
    table = measures.reliability(churn, silent)
    return found | {
        "churn_brier": measures.brier(churn, silent),
        "churn_auc": measures.auc(churn, silent),
        "churn_calibration_error": measures.calibration_error(table),
    }


def _of_baseline(part: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for quantity in QUANTITIES:
        actual = part[f"realised_{quantity}"].to_numpy()
        values = measures.errors(rows[quantity].to_numpy(), actual)
        values["crps"] = float(rows[f"{quantity}_crps"].mean())
        found |= {f"{quantity}_{name}": value for name, value in values.items()}
    return found


def _coverage(part: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for quantity in QUANTITIES:
        actual, pit = part[f"realised_{quantity}"], part[f"{quantity}_pit"].to_numpy()
        again = part.get(f"{quantity}_recalibrated_pit")
        for level, (low, high) in BOUNDS.items():
            inside = (part[f"{quantity}_{low}"] <= actual) & (actual <= part[f"{quantity}_{high}"])
            rows.append(
                {
                    "quantity": quantity,
                    "nominal_level": level,
                    "observed_coverage": float(inside.mean()),
                    "pit_coverage": measures.pit_share(pit, level),
                    "recalibrated_pit_coverage": np.nan
                    if again is None
                    else measures.pit_share(again.to_numpy(), level),
                }
            )
    return rows


def _churn(part: pd.DataFrame) -> list[dict[str, object]]:
    churn, silent = _churn_of(part)
    return [
        {
            "quantity": "churn",
            "nominal_level": float(row["probability"]),
            "observed_coverage": float(row["share"]),
            "customers_count": int(row["customers_count"]),
        }
        for row in measures.reliability(churn, silent).to_dict("records")
    ]


def _churn_of(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    silent = (part["realised_orders"] == 0).to_numpy(dtype="float64")
    return 1.0 - part["purchase_probability"].to_numpy(), silent
