"""Lifecycle stages: one per customer, by rules that a business can read and change.

Add a stage here with its condition, its place in the usual order and the text that names its
thresholds.
Days in a stage and the previous stage are window functions in SQL, and the clusters inside a stage
live in `microsegments`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models_py.frames import require_columns, to_float

STAGES = (
    "prospect",
    "new",
    "reactivated",
    "churned",
    "one_time",
    "at_risk",
    "star",
    "active",
)
"""All stages in the order in which they are tried; the first whose condition holds wins.

A prospect has no purchase and always comes first; active is whoever is left.
"""

TRIED = STAGES[1:-1]
"""Stages with a condition of their own, which `LifecycleRules.order` may move or leave out."""

STAGE_FEATURES = (
    "customer_id",
    "purchase_days_count",
    "tenure_days",
    "recency_days",
    "median_gap_days",
    "purchase_probability",
    "predicted_revenue_mean",
)


@dataclass(frozen=True)
class LifecycleRules:
    """Thresholds of the lifecycle, all absolute, so that nobody moves because others changed.

    Attributes
    ----------
    new_days : int
        A customer is new while the first purchase is less than this many days ago.
    reactivated_days, reactivated_gap_days : int
        Reactivated: last purchase less than `reactivated_days` ago, after a silence of at least
        `reactivated_gap_days` before it.
    churned_probability : float
        Churned: the probability of a purchase within the horizon is below this, and ...
    churned_days : int
        ... the last purchase is at least this many days ago, so that a bad forecast alone never
        declares a recent buyer gone.
    at_risk_probability : float
        At risk: the probability of a purchase within the horizon is below this, or ...
    overdue_gaps, overdue_days : float, int
        ... the silence is longer than `overdue_gaps` times the customer's own median gap and at
        least `overdue_days`. Under random arrivals 1 customer in 64 is 6 median gaps late by
        chance; at 3 gaps it would be 1 in 8.
    star_quantile : float
        Share of active customers below the star line when the line is fitted.
    star_value_amount : float or None
        Predicted revenue (same horizon as the frame) from which an active customer is a star. It is
        fitted by `fit_star_value` at a refit and then held.
    horizon_days : int
        Horizon of purchase_probability and predicted_revenue_mean, named in the texts.
    order : tuple of str
        Stages of `TRIED` in the order in which they are tried after prospect; a stage left out is
        switched off, and its customers go to the next that fits, at last to active.
    """

    new_days: int = 30
    reactivated_days: int = 30
    reactivated_gap_days: int = 180
    churned_probability: float = 0.10
    churned_days: int = 90
    at_risk_probability: float = 0.50
    overdue_gaps: float = 6.0
    overdue_days: int = 30
    star_quantile: float = 0.90
    star_value_amount: float | None = None
    horizon_days: int = 90
    order: tuple[str, ...] = TRIED

    def __post_init__(self) -> None:
        wrong = [stage for stage in self.order if stage not in TRIED]
        if wrong or len(set(self.order)) < len(self.order):
            raise ValueError(
                f"lifecycle.order is {list(self.order)}; it must hold stages of {list(TRIED)}, "
                "each once at most."
            )
        for name in ("churned_probability", "at_risk_probability", "star_quantile"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"lifecycle.{name} is {getattr(self, name)}; it must lie in 0..1.")
        if self.churned_probability > self.at_risk_probability:
            raise ValueError(
                f"lifecycle.churned_probability ({self.churned_probability}) is above "
                f"at_risk_probability ({self.at_risk_probability}): lower the first, or nobody "
                "passes through at_risk before churned."
            )

    def texts(self) -> dict[str, str]:
        """Return the rule of each stage in words, with its thresholds."""
        star = "not fitted" if self.star_value_amount is None else f"{self.star_value_amount:.2f}"
        chance = f"{self.horizon_days}-day purchase probability"
        before = self._before("one_time", ("new", "churned"))
        one_time = f", neither {' nor '.join(before)}" if len(before) > 1 else ""
        if len(before) == 1:
            one_time = f", not {before[0]}"
        is_safe = bool(self._before("star", ("at_risk",)))
        active = (
            f"{chance} {self.at_risk_probability:g} or more, no overdue silence"
            if "at_risk" in self.order
            else "bought before, and in no other stage"
        )
        return {
            "prospect": "no purchase yet",
            "new": f"first purchase less than {self.new_days} days ago",
            "reactivated": (
                f"bought less than {self.reactivated_days} days ago, after a silence of "
                f"{self.reactivated_gap_days} days or more"
            ),
            "churned": (
                f"{chance} below {self.churned_probability:g}, {self.churned_days} days or more "
                "since the last purchase"
            ),
            "one_time": f"exactly one purchase day{one_time}",
            "at_risk": (
                f"{chance} below {self.at_risk_probability:g}, or silent for more than "
                f"{self.overdue_gaps:g} own median gaps and {self.overdue_days} days"
            ),
            "star": f"{'active, ' if is_safe else ''}predicted revenue {star} or more",
            "active": active,
        }

    def _before(self, stage: str, others: tuple[str, ...]) -> list[str]:
        """Those of other stages that are tried before a stage."""
        if stage not in self.order:
            return []
        return [name for name in self.order[: self.order.index(stage)] if name in others]


def assign_stages(frame: pd.DataFrame, rules: LifecycleRules) -> pd.DataFrame:
    """Give every customer exactly one stage.

    Parameters
    ----------
    frame : DataFrame
        One row per customer: `STAGE_FEATURES`, where purchase_probability is the probability of a
        purchase within rules.horizon_days. A customer without purchase days may have NULL
        everywhere else. Optional: days_between_last_two_purchases, without which nobody is
        reactivated.
    rules : LifecycleRules

    Returns
    -------
    DataFrame
        customer_id, stage, stage_rule; ordered by customer_id.

    Raises
    ------
    ValueError
        If a column is missing, a buyer has no recency, tenure or probability, or the star line is
        not fitted.
    """
    if rules.star_value_amount is None:
        raise ValueError(
            "LifecycleRules.star_value_amount is not set: call fit_star_value(frame, rules) at the "
            "refit and keep its rules, so that the line does not move from day to day."
        )
    return _assign(frame, rules, rules.star_value_amount)


def fit_star_value(frame: pd.DataFrame, rules: LifecycleRules) -> LifecycleRules:
    """Fix the star line: the `star_quantile` of predicted revenue among active customers.

    Takes the frame of `assign_stages`; returns the rules with `star_value_amount` in whole cents.
    Without active customers the line is infinite and nobody is a star until the next refit.
    """
    stages = _assign(frame, rules, np.inf)
    active = stages.loc[stages["stage"] == "active", "customer_id"]
    values = to_float(
        frame.loc[frame["customer_id"].isin(active), "predicted_revenue_mean"], "features"
    )
    values = values[np.isfinite(values)]
    line = round(float(np.quantile(values, rules.star_quantile)), 2) if len(values) else np.inf
    return replace(rules, star_value_amount=float(line))


def _assign(frame: pd.DataFrame, rules: LifecycleRules, star_line: float) -> pd.DataFrame:
    require_columns(frame, STAGE_FEATURES, "features")
    if frame["customer_id"].duplicated().any():
        raise ValueError("features.customer_id has duplicates: pass one row per customer.")
    frame = frame.sort_values("customer_id", ignore_index=True)
    column = {name: to_float(frame[name], "features") for name in STAGE_FEATURES[1:]}
    purchases = np.nan_to_num(column["purchase_days_count"])
    _require_buyers(column, purchases > 0)

    last_gap = np.full(len(frame), np.nan)
    if "days_between_last_two_purchases" in frame.columns:
        last_gap = to_float(frame["days_between_last_two_purchases"], "features")
    recency, probability = column["recency_days"], column["purchase_probability"]
    # NaN compares as False: an unknown rhythm is never overdue, an unknown value never a star.
    overdue = (recency > rules.overdue_gaps * column["median_gap_days"]) & (
        recency > rules.overdue_days
    )
    conditions = {
        "new": column["tenure_days"] < rules.new_days,
        "reactivated": (recency < rules.reactivated_days)
        & (last_gap >= rules.reactivated_gap_days),
        "churned": (probability < rules.churned_probability) & (recency >= rules.churned_days),
        "one_time": purchases == 1,
        "at_risk": (probability < rules.at_risk_probability) | overdue,
        "star": column["predicted_revenue_mean"] >= star_line,
    }
    stages = ("prospect", *rules.order, "active")
    holds = [purchases <= 0, *(conditions[stage] for stage in rules.order)]
    choice = np.select(holds, list(range(len(holds))), len(holds))
    texts = rules.texts()
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "stage": np.array(stages, dtype=object)[choice],
            "stage_rule": np.array([texts[stage] for stage in stages], dtype=object)[choice],
        }
    )


def _require_buyers(column: dict[str, np.ndarray], is_buyer: np.ndarray) -> None:
    for name in ("tenure_days", "recency_days", "purchase_probability"):
        missing = int(np.isnan(column[name][is_buyer]).sum())
        if missing:
            raise ValueError(
                f"features.{name} is NULL for {missing} customers who have purchase days. Join the "
                "LTV slice of the same as_of_date at one horizon_days before assigning stages."
            )
