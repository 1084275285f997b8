"""The transformation that puts the features of a layer on one scale, fitted once and kept.

Add here a kind of feature: how it is transformed, filled, or left out before it is clustered.
Which features a layer has is `specs`, the number of clusters `structure`, and features are SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import to_float
from models_py.segmentation.specs import LayerSpec

SKEWED_SUFFIXES = ("_amount", "_count", "_days", "_mean", "_km")
MAX_MISSING_SHARE = 0.5
WINSOR_SHARE = 0.01
TWIN_CORRELATION = 0.97
MIN_LEVEL_SHARE = 0.03
MAX_LEVELS = 12
RANK_KNOTS = 33
TWIN_SAMPLE = 50_000

KINDS = ("number", "log", "rank", "ordered", "flag", "category")
"""Append only: a stored scale names its kind by position."""
USED, MISSING, CONSTANT, TWIN, KEPT_OUT = range(5)
DECISIONS = (
    "used",
    "left out: {missing:.0%} missing",
    "left out: constant",
    "left out: says the same as an earlier feature",
    "left out: kept out by config",
)


@dataclass(frozen=True)
class FeatureScale:
    """How one feature of one stage becomes columns on the common scale.

    `fill`, `lower`, `upper`, `centre` and `scale` are on the transformed scale. `knots` and
    `scores` map raw values to normal scores where kind is rank. `levels` are the categories with a
    column of their own, and `shares` theirs and that of "other", which comes last; other holds
    rare categories and every one that the fit never saw. A missing category is all zeros: the mean.
    """

    feature: str
    kind: str
    status: int
    missing_share: float
    fill: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    centre: float = 0.0
    scale: float = 0.0
    knots: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def is_used(self) -> bool:
        return self.status == USED

    @property
    def is_discrete(self) -> bool:
        """Whether values are categories, so that a cloud without clusters has them as well."""
        return self.kind in ("flag", "category")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it becomes: the feature, or feature=level for categories."""
        if self.kind != "category":
            return (self.feature,)
        return (*(f"{self.feature}={level}" for level in self.levels), f"{self.feature}=other")

    @property
    def decision(self) -> str:
        """The treatment in words."""
        if self.is_used and self.missing_share > 0:
            filled = "mean" if self.is_discrete else "median"
            return f"used, {filled} for the {self.missing_share:.0%} missing"
        return DECISIONS[self.status].format(missing=self.missing_share)

    def transform(self, raw: np.ndarray) -> np.ndarray:
        """Scale raw values (customer,) to (customer, column); a row depends on its own value only.

        `raw` is an answer of `raw_values` for this kind.
        """
        if self.kind == "category":
            columns = np.zeros((len(raw), len(self.levels) + 1))
            position = pd.Categorical(raw, categories=list(self.levels)).codes.astype(int)
            position[position < 0] = len(self.levels)
            columns[np.arange(len(raw)), position] = 1.0
            columns = (columns - np.array(self.shares)) / self.scale
            columns[pd.isna(raw)] = 0.0
            return columns
        moved = np.where(np.isfinite(raw), _moved(raw, self), self.fill)
        scaled: np.ndarray = (np.clip(moved, self.lower, self.upper) - self.centre) / self.scale
        return scaled[:, None]


def feature_values(frame: pd.DataFrame, feature: str) -> np.ndarray:
    """Read a numeric feature of the frame as float64, with NULL and infinity as NaN."""
    values = to_float(frame[feature], "features")
    values[~np.isfinite(values)] = np.nan
    return values


def raw_values(frame: pd.DataFrame, feature: str, kind: str) -> np.ndarray:
    """Read a feature as its kind needs it: float64 with NaN, or text with None for categories."""
    if kind == "category":
        return _looked_up(frame[feature], _level, None)
    if kind == "ordered":
        return _looked_up(frame[feature], _order, np.nan).astype(float)
    return feature_values(frame, feature)


def fit_scales(frame: pd.DataFrame, spec: LayerSpec) -> tuple[FeatureScale, ...]:
    """Fit one scale per feature of the layer on the customers of one stage who are covered.

    Amounts, counts, days and distances are taken as sign(x) log1p(|x|), shares as they are, truth
    values as 0 and 1, text as one column per category; `LayerSpec.transforms` overrules. Numbers
    are winsorised at the 1st and 99th percentile, centred by the mean and divided by the standard
    deviation of what is left: quartiles would divide a feature that is mostly zero by nothing.
    All columns of a category together have the variance of one number. A feature that is missing
    for more than half, or that says the same as an earlier one (correlation of 0.97 on the scale),
    is left out unless it is in `always`; a constant one always.
    """
    scales: list[FeatureScale] = []
    seen: list[np.ndarray] = []
    for feature in spec.named:
        kind = _kind(frame[feature], feature, spec.transforms.get(feature, "auto"))
        if feature in spec.never:
            scales.append(FeatureScale(feature, kind, KEPT_OUT, 0.0))
            continue
        raw = raw_values(frame, feature, kind)
        forced = feature in spec.always
        scale = _fit(feature, kind, raw, 1.0 if forced else MAX_MISSING_SHARE)
        if scale.is_used and kind != "category":
            step = max(1, len(raw) // TWIN_SAMPLE)
            column = scale.transform(raw[::step])[:, 0]
            if not forced and any(_is_twin(column, other) for other in seen):
                scale = replace(scale, status=TWIN)
            else:
                seen.append(column)
        scales.append(scale)
    return tuple(scales)


def scaled_values(
    frame: pd.DataFrame, scales: Sequence[FeatureScale]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the used features on their scale and who is covered.

    Returns
    -------
    values : ndarray (customer, column)
    is_covered : ndarray (customer,)
        Whether any used feature is known of the customer.
    """
    columns: list[np.ndarray] = []
    covered = np.zeros(len(frame), dtype=bool)
    for scale in scales:
        if scale.is_used:
            raw = raw_values(frame, scale.feature, scale.kind)
            covered |= ~pd.isna(raw)
            columns.append(scale.transform(raw))
    values = np.concatenate(columns, axis=1) if columns else np.zeros((len(frame), 0))
    return values, covered


def known(frame: pd.DataFrame, features: Sequence[str]) -> np.ndarray:
    """Whether any of the features is known of a customer, shape (customer,)."""
    covered = np.zeros(len(frame), dtype=bool)
    for feature in features:
        covered |= frame[feature].notna().to_numpy()
    return covered


def _moved(values: np.ndarray, scale: FeatureScale) -> np.ndarray:
    if scale.kind == "log":
        return np.sign(values) * np.log1p(np.abs(values))
    if scale.kind == "rank":
        return np.interp(values, scale.knots, scale.scores)
    return values


def _kind(column: pd.Series, feature: str, transform: str) -> str:
    if transform in ("log", "rank", "ordered", "category"):
        return transform
    # An object column holds truth values, texts or decimals; NULL tells nothing.
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else ""
    if kind == "b" or str(column.dtype) == "boolean":
        return "flag"
    if kind in ("O", "") and not pd.api.types.is_numeric_dtype(column.dtype):
        sort = pd.api.types.infer_dtype(column, skipna=True)
        if sort == "boolean":
            return "flag"
        if sort in ("string", "categorical"):
            return "category"
    is_skewed = transform == "auto" and feature.endswith(SKEWED_SUFFIXES)
    return "log" if is_skewed else "number"


def _looked_up(column: pd.Series, function: Callable[[Any], object], missing: object) -> np.ndarray:
    """Apply a function to each distinct value, not to each customer."""
    codes, distinct = pd.factorize(column)
    answers = np.empty(len(distinct) + 1, dtype=object)
    answers[:-1] = [function(value) for value in distinct]
    answers[-1] = missing  # the code of NULL is -1
    found: np.ndarray = answers[codes]
    return found


def _level(value: Any) -> str:
    """A category as text. One NULL turns whole numbers of a column into floats: 1.0 is 1."""
    is_whole = isinstance(value, (float, Decimal, np.floating)) and value == value // 1
    return str(int(value)) if is_whole else str(value)


def _order(band: object) -> float:
    """Place of a band by the first number it names: "25-34" at 25, "Under 15K" below 15."""
    found = re.search(r"\d+(\.\d+)?", str(band))
    number = float(found.group()) if found else np.nan
    is_below = re.match(r"\s*(under|below|less|<)", str(band), re.IGNORECASE)
    return number * 0.5 if is_below else number


def _fit(feature: str, kind: str, raw: np.ndarray, max_missing: float) -> FeatureScale:
    values = raw[~pd.isna(raw)]
    missing = 1.0 - len(values) / len(raw) if len(raw) else 1.0
    scale = FeatureScale(feature, kind, MISSING, missing)
    if missing > max_missing or not len(values):
        return scale
    if kind == "category":
        return _fit_category(scale, values)
    # Sorted before summing: a sum of doubles in another order ends in other last bits.
    values = np.sort(values.astype(float))
    if kind == "rank":
        knots, scores = _normal_scores(values)
        scale = replace(scale, knots=tuple(knots), scores=tuple(scores))
    moved = _moved(values, scale)
    trim = 0.0 if kind in ("flag", "ordered") else WINSOR_SHARE
    lower, median, upper = np.quantile(moved, [trim, 0.5, 1.0 - trim])
    clipped = np.clip(moved, lower, upper)
    spread, centre = float(clipped.std()), float(clipped.mean())
    if spread <= 1e-9 * max(1.0, abs(float(median))):
        return replace(scale, status=CONSTANT)
    return replace(
        scale,
        status=USED,
        fill=centre if kind == "flag" else float(median),
        lower=float(lower),
        upper=float(upper),
        centre=centre,
        scale=spread,
    )


def _fit_category(scale: FeatureScale, values: np.ndarray) -> FeatureScale:
    names, counts = np.unique(values.astype(str), return_counts=True)
    shares = counts / counts.sum()
    order = sorted(range(len(names)), key=lambda n: (-counts[n], names[n]))[:MAX_LEVELS]
    kept = sorted(n for n in order if shares[n] >= MIN_LEVEL_SHARE)
    own = [float(shares[n]) for n in kept]
    every = (*own, max(0.0, 1.0 - sum(own)))
    spread = 1.0 - sum(share * share for share in every)
    if len(names) == 1 or spread <= 1e-9:
        return replace(scale, status=CONSTANT)
    return replace(
        scale,
        status=USED,
        levels=tuple(str(names[n]) for n in kept),
        shares=every,
        scale=float(np.sqrt(spread)),
    )


def _normal_scores(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Knots at quantiles and the normal score of each, ties sharing the mean of theirs."""
    from scipy.special import ndtri

    chances = (np.arange(RANK_KNOTS) + 0.5) / RANK_KNOTS
    knots = np.quantile(values, chances)
    unique, where = np.unique(knots, return_inverse=True)
    scores = np.bincount(where, weights=ndtri(chances)) / np.bincount(where)
    return unique, scores


def _is_twin(first: np.ndarray, second: np.ndarray) -> bool:
    deviation = (first - first.mean(), second - second.mean())
    scale = np.sqrt((deviation[0] ** 2).sum() * (deviation[1] ** 2).sum())
    product = abs((deviation[0] * deviation[1]).sum())
    return bool(scale > 0.0 and product >= TWIN_CORRELATION * scale)
