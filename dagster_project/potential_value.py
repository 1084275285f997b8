"""What potential value reads of the warehouse: a finished slice, and past dates that have ended.

Add here a query of potential value, or how its results become rows. Statistics are in
models_py/segmentation, what is written when is assets/potential.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dagster_project.backtest_outcomes import KnownLedger
from dagster_project.config import Config
from dagster_project.feature_catalogue import PREDICTED, features
from dagster_project.lineage import recorded_fingerprint
from dagster_project.result_tables import CUSTOMER_POTENTIAL
from dagster_project.settings_potential import is_own_value
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.segmentation.potential import AttainableShare

    Shares = dict[int, tuple[AttainableShare, list[dt.date]]]

MOST_ORIGINS = 12
QUANTILES = ("mean", "p05", "p25", "p50", "p75", "p95")
PROMOTED = """
    select distinct as_of_date from predictions.potential_shares
    join models.promoted_dates using (as_of_date)
    where is_promoted and as_of_date < ? and comparison_id = ? order by as_of_date desc
"""
PAST = """
    select customer_id, predicted_revenue_mean as predicted, benchmark_amount as benchmark
    from predictions.customer_potential where as_of_date = ? and horizon_days = ?
    -- What a merged person realised is known of both together only.
    and customer_id not in (select old_customer_id from identity.superseded)
    and customer_id not in (select customer_id from identity.superseded)
    order by customer_id
"""
VALUE = f"""
    select customer_id, horizon_days, model_version_id, value_rank, value_tier,
        {", ".join(f"predicted_revenue_{q}" for q in QUANTILES)}
    from predictions.customer_ltv where as_of_date = ? order by horizon_days, customer_id
"""


def layer_features(config: Config) -> list[str]:
    """Numeric features of all layers, each once, in their order."""
    layers = config.segmentation.layers.values()
    names = dict.fromkeys(name for layer in layers for name in layer.columns)
    return [name for name in names if name in features() and features()[name].is_numeric]


def compared_by(config: Config) -> list[str]:
    """Features that make customers comparable: those of config.yml, else of the layers."""
    own = list(config.potential.compare_by)
    return own or [name for name in layer_features(config) if not is_own_value(name)]


def told(config: Config) -> list[str]:
    """Features whose difference is told; sums of money over time only say that peers pay more."""
    names = dict.fromkeys([*layer_features(config), *compared_by(config)])
    totals = ("observed_", "revenue_", "repeat_purchase_amount", "purchase_log", *PREDICTED)
    return [name for name in names if not name.startswith(totals)]


def frame_at(warehouse: Warehouse, config: Config, as_of: dt.date) -> pd.DataFrame:
    """Buyers of a date with stage, micro-segment, tenure and the features, ordered by customer."""
    names = sorted({*compared_by(config), *told(config), "tenure_days"})
    columns = ", ".join(f"features.{name}" for name in names)
    return warehouse.frame(
        f"select features.customer_id, segments.stage, segments.microsegment_key, {columns} "
        "from marts.fct_customer_features as features "
        "join predictions.customer_microsegments as segments using (customer_id, as_of_date) "
        "where features.as_of_date = ? and features.purchase_days_count > 0 "
        "order by features.customer_id",
        [as_of],
    )


def value_at(warehouse: Warehouse, as_of: dt.date) -> pd.DataFrame:
    """Predicted revenue of a date by horizon and customer."""
    return warehouse.frame(VALUE, [as_of])


def require_same_buyers(frame: pd.DataFrame, value: pd.DataFrame, horizons_count: int) -> None:
    """Refuse value that is not of exactly the customers compared; rows are matched by place.

    Raises
    ------
    ValueError
        With both row counts and the remedy.
    """
    wanted = np.tile(frame["customer_id"].to_numpy(dtype=object), horizons_count)
    found = value["customer_id"].to_numpy(dtype=object)
    if len(wanted) != len(found) or (wanted != found).any():
        raise ValueError(
            f"predictions.customer_ltv has {len(found)} rows, and {len(frame)} buyers of "
            f"marts.fct_customer_features at {horizons_count} horizons make {len(wanted)}, or they "
            "are other customers: build the date's value and segments again."
        )


def past_slices(
    warehouse: Warehouse, as_of: dt.date, comparison_id: str
) -> list[tuple[dt.date, str | None]]:
    """Earlier promoted dates with gaps made by the same comparison, latest first.

    Returns
    -------
    list of (date, fingerprint)
    """
    found = warehouse.connection.execute(PROMOTED, [as_of, comparison_id]).fetchall()
    days = [row[0] for row in found]
    name = CUSTOMER_POTENTIAL.full_name
    return [(day, recorded_fingerprint(warehouse, name, day)) for day in days]


def ended_origins(days: Sequence[dt.date], as_of: dt.date, horizon: int) -> list[dt.date]:
    """Of dates, latest first, those whose horizon has ended and whose windows do not overlap."""
    chosen: list[dt.date] = []
    end = as_of
    for day in days:
        if day + dt.timedelta(days=horizon) <= end and len(chosen) < MOST_ORIGINS:
            chosen.append(day)
            end = day
    return chosen


def measure_shares(
    warehouse: Warehouse,
    as_of: dt.date,
    days: Sequence[dt.date],
    horizons_days: Sequence[int],
    assumed_share: float,
) -> Shares:
    """The share of each horizon, and the past dates it was looked for at."""
    from models_py.segmentation.potential import attainable_share

    ledger = KnownLedger.read(warehouse, as_of)

    def past(origins: list[dt.date], horizon: int) -> Iterator[pd.DataFrame]:
        for origin in origins:
            realised = ledger.outcomes(warehouse, origin, horizon)[
                ["customer_id", "realised_revenue_amount"]
            ].rename(columns={"realised_revenue_amount": "realised"})
            gaps = warehouse.frame(PAST, [origin, horizon])
            yield gaps.merge(realised, on="customer_id")

    found = {}
    for horizon in horizons_days:
        origins = ended_origins(days, as_of, horizon)
        found[horizon] = (attainable_share(past(origins, horizon), assumed_share), origins)
    return found


def share_rows(shares: Shares) -> pd.DataFrame:
    """The rows of predictions.potential_shares."""
    rows = [
        {
            "horizon_days": horizon,
            "attainable_share": share.share,
            "attainable_share_p05": share.share_p05,
            "attainable_share_p95": share.share_p95,
            "slope_mean": share.slope,
            "slope_p05": share.slope_p05,
            "slope_p95": share.slope_p95,
            "origins_count": share.origins_count,
            "first_origin_date": min(origins, default=None),
            "last_origin_date": max(origins, default=None),
            "customers_count": share.customers_count,
            "potential_basis": share.basis,
            "reason": share.reason,
        }
        for horizon, (share, origins) in shares.items()
    ]
    return pd.DataFrame(rows)


def customer_rows(
    frame: pd.DataFrame,
    value: pd.DataFrame,
    compared: pd.DataFrame,
    benchmark: np.ndarray,
    shares: Shares,
) -> pd.DataFrame:
    """The rows of predictions.customer_potential: predicted, gap and predicted plus its share."""
    pieces = []
    for place, (horizon, (share, _)) in enumerate(shares.items()):
        part = value[value["horizon_days"] == horizon].reset_index(drop=True)
        level = benchmark[:, place]
        gap = np.maximum(0.0, level - part["predicted_revenue_mean"].to_numpy())
        has_peers = np.isfinite(level)
        used = np.where(has_peers, share.share, 0.0)
        uplift = used * np.where(has_peers, gap, 0.0)
        piece = part.assign(
            stage=frame["stage"],
            microsegment_key=frame["microsegment_key"],
            peers_count=compared["peers_count"],
            benchmark_amount=level,
            benchmark_gap_amount=gap,
            attainable_share=used,
            potential_basis=np.where(has_peers, share.basis, "none"),
            leading_attribute=compared["leading_attribute"],
            differences=compared["differences"],
            **{
                f"potential_revenue_{q}": part[f"predicted_revenue_{q}"] + uplift for q in QUANTILES
            },
        )
        pieces.append(piece)
    return pd.concat(pieces, ignore_index=True)


def microsegment_rows(customers: pd.DataFrame, shares: Shares) -> pd.DataFrame:
    """The rows of predictions.microsegment_potential, summed over customers in their order."""
    keys = ["microsegment_key", "horizon_days"]
    rows = customers.assign(is_compared=customers["benchmark_amount"].notna())
    summed = rows.groupby(keys, sort=True).agg(
        model_version_id=("model_version_id", "first"),
        stage=("stage", "first"),
        customers_count=("customer_id", "size"),
        compared_customers_count=("is_compared", "sum"),
        predicted_revenue_mean=("predicted_revenue_mean", "sum"),
        benchmark_gap_amount=("benchmark_gap_amount", lambda gaps: gaps.sum(min_count=1)),
    )
    summed = summed.reset_index()
    has_peers = summed["compared_customers_count"] > 0
    named = {name: summed["horizon_days"].map({h: getattr(s, name) for h, (s, _) in shares.items()})
             for name in ("share", "share_p05", "share_p95", "basis")}  # fmt: skip
    gap = summed["benchmark_gap_amount"].fillna(0.0)
    return summed.assign(
        attainable_share=named["share"].where(has_peers, 0.0),
        potential_uplift_mean=gap * named["share"],
        potential_uplift_p05=gap * named["share_p05"],
        potential_uplift_p95=gap * named["share_p95"],
        potential_basis=named["basis"].where(has_peers, "none"),
        leading_attributes=summed["microsegment_key"].map(_leading(customers)),
    )


def _leading(customers: pd.DataFrame) -> dict[str, str]:
    """Of each micro-segment the features that lead most often, with the share of customers."""
    last = customers["horizon_days"] == customers["horizon_days"].max()
    led = customers[last & customers["leading_attribute"].notna()]
    counts = led.groupby(["microsegment_key", "leading_attribute"]).size().reset_index(name="n")
    counts = counts.sort_values(
        ["microsegment_key", "n", "leading_attribute"], ascending=[True, False, True]
    )
    total = counts.groupby("microsegment_key")["n"].transform("sum")
    share = (100 * counts["n"] / total).round().astype(int).astype(str)
    counts["words"] = counts["leading_attribute"] + " (" + share + " %)"
    top = counts.groupby("microsegment_key").head(3)
    return {str(key): ", ".join(part["words"]) for key, part in top.groupby("microsegment_key")}
