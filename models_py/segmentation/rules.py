"""A shallow rule per micro-segment, as a condition in SQL, with its precision and recall.

Add here how a rule is found, measured and written.
Membership itself is decided by clusters in `cells`; a rule only says in a few words who is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.segmentation.scaling import fit_scales, raw_values
from models_py.segmentation.specs import LayerSpec
from models_py.segmentation.structure import evenly_spaced

DEPTH = 3
MOST_MEMBERS, MOST_OTHERS = 5_000, 20_000
SCOPES = ("stage", "base")
RULE_COLUMNS = [
    "microsegment_key",
    "scope",
    "stage",
    "condition",
    "precision",
    "recall",
    "matched_count",
    "customers_count",
]


@dataclass(frozen=True)
class RuleColumn:
    """A column that a rule may ask about: numbers by their size, truth values and levels by yes."""

    feature: str
    numbers: np.ndarray
    level: str | None = None
    is_flag: bool = False

    @property
    def has_missing(self) -> bool:
        return bool(np.isnan(self.numbers).any())


@dataclass(frozen=True)
class Bound:
    """low < value <= high, or unknown where `takes_missing`."""

    low: float
    high: float
    takes_missing: bool

    def holds(self, values: np.ndarray) -> np.ndarray:
        inside = (values > self.low) & (values <= self.high)
        return inside | np.isnan(values) if self.takes_missing else inside


def microsegment_rules(
    frame: pd.DataFrame, assignments: pd.DataFrame, features: Sequence[str]
) -> pd.DataFrame:
    """Find a rule of depth three for every micro-segment, among its stage and among everyone.

    Two decision trees (Breiman et al. 1984) are grown on at most 25,000 customers, with members
    weighing as much as all others together and as many as they are; of each, the leaves with the
    best share of members are joined while F1 grows, and the better union is the rule.
    Thresholds are then rounded to the fewest digits that part the same customers, and precision and
    recall are those of the rounded rule over all customers of the scope.

    Parameters
    ----------
    frame : DataFrame
        customer_id and the features, ordered by customer_id.
    assignments : DataFrame
        customer_id, stage, microsegment_key of the same customers, in the same order.
    features : sequence of str
        What a rule may ask about.

    Returns
    -------
    DataFrame
        `RULE_COLUMNS`; scope ``stage`` compares with customers of the same stage and holds among
        them, ``base`` with everyone. condition is SQL over the features, ``true`` where the
        micro-segment is the whole scope. A segment that no rule finds has the condition ``false``,
        recall 0 and precision NaN.
    """
    columns = _columns(frame, features)
    keys, names = pd.factorize(assignments["microsegment_key"], sort=True)
    stages = assignments["stage"].astype(str).to_numpy()
    rows: list[tuple[object, ...]] = []
    for code, key in enumerate(names):
        members = keys == code
        stage = str(stages[members.argmax()])
        for scope in SCOPES:
            among = stages == stage if scope == "stage" else np.ones(len(stages), dtype=bool)
            leaves = _rule(columns, members, among)
            match = among & _matches(leaves, columns)
            hits, matched = int((match & members).sum()), int(match.sum())
            rows.append(
                (
                    str(key),
                    scope,
                    stage,
                    _condition(leaves, columns),
                    round(hits / matched, 9) if matched else float("nan"),
                    round(hits / int(members.sum()), 9),
                    matched,
                    int(members.sum()),
                )
            )
    return pd.DataFrame(rows, columns=RULE_COLUMNS)


Leaf = dict[int, Bound]


def _columns(frame: pd.DataFrame, features: Sequence[str]) -> list[RuleColumn]:
    plain = LayerSpec(tuple(features), always=tuple(features))
    columns: list[RuleColumn] = []
    for scale in fit_scales(frame, plain):
        if not scale.is_used:
            continue
        raw = raw_values(frame, scale.feature, scale.kind)
        if scale.kind == "category":
            columns += [
                RuleColumn(scale.feature, (raw == level).astype(float), level)
                for level in scale.levels
            ]
        else:
            columns.append(RuleColumn(scale.feature, raw, is_flag=scale.kind == "flag"))
    return columns


def _rule(columns: Sequence[RuleColumn], members: np.ndarray, among: np.ndarray) -> list[Leaf]:
    """Leaves that together say who is a member; one without bounds where everyone is."""
    from sklearn.tree import DecisionTreeClassifier

    inside, outside = np.flatnonzero(members), np.flatnonzero(among & ~members)
    if not len(outside):
        return [{}]
    if not columns:
        return []
    chosen = [evenly_spaced(inside, MOST_MEMBERS), evenly_spaced(outside, MOST_OTHERS)]
    rows = np.concatenate(chosen)
    # A sampled customer stands for as many as were passed over.
    weights = np.concatenate(
        [
            np.full(len(part), len(every) / len(part))
            for part, every in zip(chosen, (inside, outside), strict=True)
        ]
    )
    table = np.column_stack([column.numbers[rows] for column in columns])
    is_member = members[rows]
    found: list[tuple[float, list[Leaf]]] = []
    for balance in ("balanced", None):
        tree = DecisionTreeClassifier(
            max_depth=DEPTH,
            min_samples_leaf=max(2, min(30, len(chosen[0]) // 5)),
            class_weight=balance,
            random_state=0,
        ).fit(table, is_member, sample_weight=weights)
        score, leaves = _best_leaves(tree.apply(table), is_member, weights)
        paths = _paths(tree.tree_, columns) if leaves else {}
        found.append((score, [paths[leaf] for leaf in leaves]))
    return max(found, key=lambda one: one[0])[1]


def _best_leaves(
    leaf_of: np.ndarray, is_member: np.ndarray, weights: np.ndarray
) -> tuple[float, list[int]]:
    """The F1 of the best union of leaves, taken by their share of members, and those leaves."""
    members = float(weights[is_member].sum())
    right: dict[int, float] = {}
    wrong: dict[int, float] = {}
    for leaf in np.unique(leaf_of):
        here = leaf_of == leaf
        right[int(leaf)] = float(weights[here & is_member].sum())
        wrong[int(leaf)] = float(weights[here & ~is_member].sum())
    ordered = sorted(right, key=lambda leaf: (-right[leaf] / (right[leaf] + wrong[leaf]), leaf))
    best, best_score, hits, misses = 0, 0.0, 0.0, 0.0
    for count, leaf in enumerate(ordered, 1):
        hits, misses = hits + right[leaf], misses + wrong[leaf]
        score = 2.0 * hits / (hits + misses + members)
        if score > best_score + 1e-9:
            best, best_score = count, score
    return best_score, ordered[:best]


def _paths(tree: object, columns: Sequence[RuleColumn]) -> dict[int, Leaf]:
    """Bounds on the way to every leaf, one per column."""
    left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]
    feature, cut = tree.feature, tree.threshold  # type: ignore[attr-defined]
    missing_left = tree.missing_go_to_left  # type: ignore[attr-defined]
    paths: dict[int, Leaf] = {}
    waiting: list[tuple[int, Leaf]] = [(0, {})]
    while waiting:
        node, path = waiting.pop()
        if left[node] < 0:
            paths[node] = path
            continue
        place = int(feature[node])
        values = columns[place].numbers
        at = _rounded(float(cut[node]), values)
        before = path.get(place, Bound(-np.inf, np.inf, columns[place].has_missing))
        low = Bound(before.low, min(before.high, at), before.takes_missing and missing_left[node])
        high = Bound(
            max(before.low, at), before.high, before.takes_missing and not missing_left[node]
        )
        waiting += [(left[node], path | {place: low}), (right[node], path | {place: high})]
    return paths


def _rounded(cut: float, values: np.ndarray) -> float:
    """The threshold with the fewest digits that parts the values at the same place."""
    below = values[values <= cut].max(initial=-np.inf)
    above = values[values > cut].min(initial=np.inf)
    for digits in range(13):
        candidate = round(cut, digits)
        if below <= candidate < above:
            return candidate
    return cut


def _matches(leaves: Sequence[Leaf], columns: Sequence[RuleColumn]) -> np.ndarray:
    size = len(columns[0].numbers) if columns else 0
    match = np.zeros(size, dtype=bool) if size else np.array(bool(leaves))
    for leaf in leaves:
        inside = np.ones(size, dtype=bool) if size else np.array(True)
        for place, bound in leaf.items():
            inside &= bound.holds(columns[place].numbers)
        match = match | inside
    return match


def _condition(leaves: Sequence[Leaf], columns: Sequence[RuleColumn]) -> str:
    if not leaves:
        return "false"
    texts = [
        " and ".join(_text(columns[place], bound) for place, bound in sorted(leaf.items()))
        for leaf in leaves
    ]
    if "" in texts:
        return "true"
    return texts[0] if len(texts) == 1 else " or ".join(f"({text})" for text in texts)


def _text(column: RuleColumn, bound: Bound) -> str:
    """A bound in SQL that any engine reads; NULL counts as the tree counted it."""
    name = column.feature
    if column.level is not None:
        quoted = column.level.replace("'", "''")
        is_it = bound.low >= 0.0
        return f"coalesce({name} {'=' if is_it else '<>'} '{quoted}', {_truth(not is_it)})"
    if column.is_flag:
        return f"coalesce({name} = {_truth(bound.low >= 0.0)}, {_truth(bound.takes_missing)})"
    parts = []
    if np.isfinite(bound.low):
        parts.append(f"{name} > {_number(bound.low)}")
    if np.isfinite(bound.high):
        parts.append(f"{name} <= {_number(bound.high)}")
    text = " and ".join(parts)
    if bound.takes_missing:
        return f"({text} or {name} is null)" if len(parts) == 1 else f"(({text}) or {name} is null)"
    return text


def _truth(value: bool) -> str:
    return str(value).lower()


def _number(value: float) -> str:
    return np.format_float_positional(value, trim="-")
