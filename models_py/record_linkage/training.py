"""Learn without labels how often each level of agreement occurs among true and other pairs.

Add here what is estimated from counts of agreement patterns.
Comparing records stays out and is done by Splink (``engine``).

Generative story (Fellegi and Sunter 1969, JASA 64; Winkler 2000 for EM): of all N pairs of records
a share lambda is of one person. Given that, every comparison shows a level drawn from m, given
that not, from u, independently. Pairs that no block holds are taken for pairs of two persons, so
the likelihood is that of all pairs and no comparison has to be left out because a rule blocks on
it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.record_linkage.levels import Comparison

# Imagined true pairs that show the expected shares: they steady levels that are hardly seen.
PRIOR_PAIRS = 20.0
CONTRADICTION_SHARE = 1e-12
MAX_ITERATIONS = 300
TOLERANCE = 1e-7


def estimate_parameters(
    comparisons: Sequence[Comparison],
    blocked: pd.DataFrame,
    random: pd.DataFrame,
    records_count: int,
    sampled_share: float,
) -> pd.DataFrame:
    """Estimate lambda, m and u by EM.

    Parameters
    ----------
    comparisons : sequence of Comparison
    blocked, random : DataFrame
        Agreement patterns of blocked and of randomly drawn pairs: one column per comparison (level
        number, 0 the best; -1 unknown) and pairs_count.
    records_count : int
    sampled_share : float
        Share of the blocked pairs that `blocked` counts.

    Returns
    -------
    DataFrame
        parameter ("lambda", "m.<comparison>.<level>", "u.<comparison>.<level>"), value.
    """
    names = [comparison.name for comparison in comparisons]
    total = records_count * (records_count - 1) / 2
    gammas = blocked[names].to_numpy().T  # (comparison, pattern)
    counts = blocked["pairs_count"].to_numpy() / sampled_share
    expected = [np.array([level.expected_share for level in c.levels]) for c in comparisons]
    most = [np.array([level.most_share for level in c.levels]) for c in comparisons]
    seen = [_level_counts(random, c) for c in comparisons]
    m = [np.maximum(share / share.sum(), CONTRADICTION_SHARE) for share in expected]
    u = [_others(s, total * s.sum() / random["pairs_count"].sum(), 0.0 * s) for s in seen]
    share = min(0.5 * records_count / total, 0.5)
    for _ in range(MAX_ITERATIONS):
        weight = np.full(len(counts), np.log(share) - np.log1p(-share))
        for gamma, m_k, u_k in zip(gammas, m, u, strict=True):
            weight += np.where(gamma < 0, 0.0, (np.log(m_k) - np.log(u_k))[gamma])
        matches = counts / (1.0 + np.exp(-np.clip(weight, -700, 700)))
        before = np.concatenate([[share], *m])
        for k, gamma in enumerate(gammas):
            known = gamma >= 0
            found = np.bincount(gamma[known], matches[known], minlength=len(m[k]))
            found = np.where(expected[k] > 0, found, 0.0)
            m[k] = (found + PRIOR_PAIRS * expected[k]) / (
                found.sum() + PRIOR_PAIRS * expected[k].sum()
            )
            m[k] = np.clip(m[k], CONTRADICTION_SHARE, most[k])
            u[k] = _others(seen[k], total * seen[k].sum() / random["pairs_count"].sum(), found)
        share = min(max(matches.sum() / total, 0.1 / total), 0.5)
        if np.abs(np.concatenate([[share], *m]) - before).max() < TOLERANCE:
            break
    rows = [("lambda", share)]
    for kind, values in (("m", m), ("u", u)):
        for comparison, value in zip(comparisons, values, strict=True):
            rows += [
                (f"{kind}.{comparison.name}.{level.name}", float(number))
                for level, number in zip(comparison.levels, value, strict=True)
            ]
    return pd.DataFrame(rows, columns=["parameter", "value"])


def _level_counts(patterns: pd.DataFrame, comparison: Comparison) -> np.ndarray:
    gamma, counts = patterns[comparison.name].to_numpy(), patterns["pairs_count"].to_numpy()
    known = gamma >= 0
    levels: np.ndarray = np.bincount(
        gamma[known], counts[known].astype(float), minlength=len(comparison.levels)
    )
    return levels


def _others(seen: np.ndarray, pairs: float, matches: np.ndarray) -> np.ndarray:
    """Shares among pairs of two persons: random pairs less the true pairs that are among them.

    In a thousand records with 500 duplicates every random agreement on an e-mail is a true pair;
    without the subtraction an equal e-mail would count for little.
    """
    drawn = max(float(seen.sum()), 1.0)
    # No level is rarer than half a pair of those drawn: nothing rarer can be known.
    counts = np.maximum(seen * (pairs / drawn) - matches, 0.5 * max(pairs / drawn, 1e-9))
    share: np.ndarray = counts / counts.sum()
    return share
