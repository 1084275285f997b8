"""The transformation that puts the features of a layer on one scale, fitted once and kept.

Add here how a kind of feature is transformed, filled or left out before it is clustered.
Choosing the number of clusters lives in `structure`, and the features themselves are SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.frames import to_float

SKEWED_SUFFIXES = ("_amount", "_count", "_days", "_mean")
MAX_MISSING_SHARE = 0.5
WINSOR_SHARE = 0.01


@dataclass(frozen=True)
class FeatureScale:
    """How one feature of one stage is put on the scale; amounts and counts are in log1p.

    `fill`, `lower`, `upper`, `centre` and `scale` are on the transformed scale. A feature that is
    not used keeps its share of missing values, so that the reason can be told.
    """

    feature: str
    is_log: bool
    is_used: bool
    missing_share: float
    fill: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    centre: float = 0.0
    scale: float = 0.0

    @property
    def decision(self) -> str:
        """The treatment in words."""
        if self.is_used:
            filled = f", median for the {self.missing_share:.0%} missing"
            return "used" + (filled if self.missing_share > 0 else "")
        if self.missing_share > MAX_MISSING_SHARE:
            return f"left out: {self.missing_share:.0%} missing"
        return "left out: constant"

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scale raw values of shape (customer,); each result depends on its own value only."""
        moved = np.where(np.isfinite(values), _transform(values, self.is_log), self.fill)
        scaled: np.ndarray = (np.clip(moved, self.lower, self.upper) - self.centre) / self.scale
        return scaled


def feature_values(frame: pd.DataFrame, feature: str) -> np.ndarray:
    """Read a feature of the frame as float64, with NULL and infinity as NaN."""
    values = to_float(frame[feature], "features")
    values[~np.isfinite(values)] = np.nan
    return values


def fit_scales(frame: pd.DataFrame, features: Sequence[str]) -> tuple[FeatureScale, ...]:
    """Fit one scale per feature on the customers of one stage.

    Amounts, counts and days are taken as sign(x) log1p(|x|), shares as they are. Values are
    winsorised at the 1st and 99th percentile, centred by the mean and divided by the standard
    deviation of what is left: quartiles would divide a feature that is mostly zero by nothing.
    A feature that is missing for more than half, or constant, is left out.
    """
    return tuple(_fit_scale(feature, feature_values(frame, feature)) for feature in features)


def scaled_values(frame: pd.DataFrame, scales: Sequence[FeatureScale]) -> np.ndarray:
    """Return the used features on their scale, shape (customer, used feature)."""
    columns = [
        scale.transform(feature_values(frame, scale.feature)) for scale in scales if scale.is_used
    ]
    return np.column_stack(columns) if columns else np.zeros((len(frame), 0))


def _transform(values: np.ndarray, is_log: bool) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values)) if is_log else values


def _fit_scale(feature: str, values: np.ndarray) -> FeatureScale:
    is_log = feature.endswith(SKEWED_SUFFIXES)
    known = _transform(values[~np.isnan(values)], is_log)
    missing_share = 1.0 - len(known) / len(values) if len(values) else 1.0
    if missing_share > MAX_MISSING_SHARE or not len(known):
        return FeatureScale(feature, is_log, False, missing_share)
    # Sorted before summing: a sum of doubles in another order ends in other last bits.
    known = np.sort(known)
    lower, fill, upper = np.quantile(known, [WINSOR_SHARE, 0.5, 1.0 - WINSOR_SHARE])
    clipped = np.clip(known, lower, upper)
    scale = float(clipped.std())
    if scale <= 1e-9 * max(1.0, abs(float(fill))):
        return FeatureScale(feature, is_log, False, missing_share)
    return FeatureScale(
        feature,
        is_log,
        True,
        missing_share,
        fill=float(fill),
        lower=float(lower),
        upper=float(upper),
        centre=float(clipped.mean()),
        scale=scale,
    )
