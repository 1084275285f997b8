"""The block `potential` of `config.yml`: whom customers are compared with, and what counts.

Add here a key of potential value, with its limits, and what other keys it must agree with.
Other blocks are in settings.py, the statistics in models_py/segmentation.
"""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from dagster_project.feature_catalogue import PREDICTED, features
from dagster_project.settings_values import Name, Positive, Probability, Settings, Share, distinct

# What the forecast is made of: whoever is alike in it has the same predicted value, and no gap.
OWN_VALUE = (
    "orders_count",
    "purchase_days_count",
    "repeat_purchase_days_count",
    "purchase_days_90d_count",
    "purchase_days_365d_count",
    "tenure_days",
    "active_span_days",
    "recency_days",
    "median_gap_days",
    "days_between_last_two_purchases",
    "revenue_trend_share",
    *PREDICTED,
)


def is_own_value(name: str) -> bool:
    """Whether a feature is what value is made of, or value itself: any amount of money is."""
    return name in OWN_VALUE or features()[name].unit.endswith("reporting_currency")


def _comparable(names: tuple[str, ...]) -> tuple[str, ...]:
    valid = [name for name, one in features().items() if one.is_numeric and not is_own_value(name)]
    for name in names:
        if name not in valid:
            near = difflib.get_close_matches(name, valid, 1, 0.5)
            hint = f"the nearest is {near[0]}" if near else f"use for example {valid[0]}"
            if name in OWN_VALUE or (name in features() and is_own_value(name)):
                what = "is what predicted value is made of, so that nobody alike in it has a gap"
            elif name in features():
                what = "holds no number"
            else:
                what = "is no column of the features"
            raise ValueError(f"names {name}, which {what}; {hint}")
    return names


class PotentialSettings(Settings):
    """Who is comparable, what they are held against, and the share the business assumes."""

    compare_by: Annotated[
        tuple[Name, ...], AfterValidator(distinct), AfterValidator(_comparable)
    ] = ()
    tenure_bands_days: Annotated[tuple[Positive, ...], AfterValidator(distinct)] = (90, 365)
    peers: Annotated[int, Field(ge=10, le=500, strict=True)] = 100
    floor_peers: Annotated[int, Field(ge=10, le=500, strict=True)] = 30
    benchmark_quantile: Probability = 0.75
    assumed_share: Share = 0.0

    @model_validator(mode="after")
    def _ascends(self) -> PotentialSettings:
        if list(self.tenure_bands_days) != sorted(self.tenure_bands_days):
            raise ValueError(
                f"has tenure_bands_days {list(self.tenure_bands_days)}, which must ascend; the "
                f"nearest is {sorted(self.tenure_bands_days)}"
            )
        if self.floor_peers > self.peers:
            raise ValueError(
                f"has floor_peers {self.floor_peers} above peers {self.peers}; the nearest is "
                f"{self.peers}"
            )
        return self
