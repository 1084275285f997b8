"""What the learned parameters say of a pair: how probable it is that both records are one person.

Add here what a probability depends on beside the levels of agreement.
Learning the parameters stays out (``training``), and so does what becomes of a pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.record_linkage.levels import Comparison


def pattern_weights(
    comparisons: Sequence[Comparison], patterns: pd.DataFrame, values: dict[str, float]
) -> pd.DataFrame:
    """Log likelihood of each pattern for each kind of pair, before rare values count for more.

    Returns
    -------
    DataFrame
        pattern, m, h, u (natural logarithms, priors included), one row per row of `patterns`.
    """
    eta = values.get("eta", 0.0)
    prior = {"m": values["lambda"], "h": eta, "u": 1.0 - values["lambda"] - eta}
    answer = pd.DataFrame({"pattern": patterns["pattern"].to_numpy()})
    for kind, share in prior.items():
        log = np.full(len(patterns), np.log(max(share, 1e-300)))
        for c in comparisons:
            gamma = patterns[c.name].to_numpy()
            shares = [values.get(f"{kind}.{c.name}.{level.name}", 1.0) for level in c.levels]
            log += np.where(gamma < 0, 0.0, np.log(shares)[gamma])
        answer[kind] = log
    return answer


def rarities(
    comparisons: Sequence[Comparison], prepared: pd.DataFrame, values: dict[str, float]
) -> dict[tuple[int, int], tuple[np.ndarray, bool]]:
    """How much an agreement on its value counts, per record: log of its share less log of u.

    Returns
    -------
    dict
        (comparison number, level number) -> (logarithm per record, whether it holds in households:
        a name of one's own is as rare there; a family shares a rare surname like a usual one).
    """
    answer = {}
    for k, c in enumerate(comparisons):
        for number, level in enumerate(c.levels):
            if level.term_frequency_column is None:
                continue
            column = prepared[level.term_frequency_column]
            shares = column.value_counts(normalize=True)
            share = column.map(shares).to_numpy(dtype=float)
            # Where all that agrees is the value, u is how often strangers agree on any.
            is_exact = level.condition == f"{column.name}_l = {column.name}_r"
            usual = values[f"u.{c.name}.{level.name}"] if is_exact else (shares**2).sum()
            is_own = bool(np.isnan(level.household_share))
            answer[k, number] = (np.nan_to_num(np.log(share) - np.log(usual)), is_own)
    return answer


def best_weights(
    weights: pd.DataFrame,
    levels: np.ndarray,
    rare: dict[tuple[int, int], tuple[np.ndarray, bool]],
) -> np.ndarray:
    """Return the highest log odds that any pair of a pattern could have."""
    m, h, u = (weights[kind].to_numpy().copy() for kind in "mhu")
    for (k, number), (log, is_own) in rare.items():
        least = np.where(levels[:, k] == number, log.min(initial=0.0), 0.0)
        u += least
        h += least if is_own else 0.0
    best: np.ndarray = m - np.logaddexp(h, u)
    return best


def pair_weights(
    weights: pd.DataFrame,
    levels: np.ndarray,
    rare: dict[tuple[int, int], tuple[np.ndarray, bool]],
    which: np.ndarray,
    record: np.ndarray,
) -> np.ndarray:
    """Log odds that the pairs are of one person.

    Parameters
    ----------
    weights : DataFrame
        As of ``pattern_weights``.
    levels : ndarray (pattern, comparison)
    rare : dict
        As of ``rarities``.
    which : ndarray (pair,)
        Row of the pair's pattern.
    record : ndarray (pair,)
        One record of the pair: where values agree, either will do.
    """
    m, h, u = (weights[kind].to_numpy()[which] for kind in "mhu")
    for (k, number), (log, is_own) in rare.items():
        shown = np.where(levels[which, k] == number, log[record], 0.0)
        u = u + shown
        h = h + shown if is_own else h
    odds: np.ndarray = m - np.logaddexp(h, u)
    return odds
