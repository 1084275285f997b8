"""Learn without labels how often each level of agreement occurs among kinds of pairs.

Add here what is estimated from counts of agreement patterns.
Comparing records stays out and is done by Splink (``engine``); what the parameters say of a pair
is ``weights``.

Generative story (Fellegi and Sunter 1969, JASA 64; Winkler 2000 for EM): a pair of records is of
one person with probability lambda, of two persons of one household with probability eta, and of
strangers otherwise. Given that, every comparison shows a level drawn from m, h or u, independently.
Two persons of one household agree in what is the person's own (given name, birth date, number) as
strangers do, and in what a household shares as the data say. Pairs that no block holds are taken
for pairs of strangers, so the likelihood is that of all pairs and no comparison has to be left out
because a rule blocks on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.record_linkage.levels import Comparison

# Imagined pairs that show the expected shares: they steady levels that are hardly seen.
PRIOR_PAIRS = 20.0
CONTRADICTION_SHARE = 1e-12
MAX_ITERATIONS = 300
TOLERANCE = 1e-7
KINDS = ("m", "h", "u")


def estimate_parameters(
    comparisons: Sequence[Comparison],
    blocked: pd.DataFrame,
    random: pd.DataFrame,
    records_count: int,
) -> pd.DataFrame:
    """Estimate lambda, eta, m, h and u by EM.

    Parameters
    ----------
    comparisons : sequence of Comparison
    blocked, random : DataFrame
        Agreement patterns of blocked and of randomly drawn pairs: one column per comparison (level
        number, 0 the best; -1 unknown) and pairs_count.
    records_count : int

    Returns
    -------
    DataFrame
        parameter ("lambda", "eta", "m.<comparison>.<level>", and so with h and u), value.
    """
    names = [comparison.name for comparison in comparisons]
    total = records_count * (records_count - 1) / 2
    gammas = blocked[names].to_numpy().T  # (comparison, pattern)
    counts = blocked["pairs_count"].to_numpy(dtype=float)
    expected = [np.array([level.expected_share for level in c.levels]) for c in comparisons]
    most = [np.array([level.most_share for level in c.levels]) for c in comparisons]
    at_home = [np.array([level.household_share for level in c.levels]) for c in comparisons]
    seen = [_level_counts(random, c) for c in comparisons]
    drawn = random["pairs_count"].sum()
    m = [np.maximum(share / share.sum(), CONTRADICTION_SHARE) for share in expected]
    u = [_others(s, total * s.sum() / drawn, 0.0 * s) for s in seen]
    h = [_household(a, u_k, 0.0 * u_k) for a, u_k in zip(at_home, u, strict=True)]
    lam = eta = min(0.25 * records_count / total, 0.25)
    for _ in range(MAX_ITERATIONS):
        logs = [
            _log_likelihood(gammas, shares, prior)
            for shares, prior in ((m, lam), (h, eta), (u, 1.0 - lam - eta))
        ]
        all_kinds = np.logaddexp(np.logaddexp(logs[0], logs[1]), logs[2])
        matches, relatives = (counts * np.exp(log - all_kinds) for log in logs[:2])
        before = np.concatenate([[lam, eta], *m, *h])
        for k, gamma in enumerate(gammas):
            known, size = gamma >= 0, len(m[k])
            found = np.bincount(gamma[known], matches[known], minlength=size)
            found = np.where(expected[k] > 0, found, 0.0)
            homely = np.bincount(gamma[known], relatives[known], minlength=size)
            m[k] = (found + PRIOR_PAIRS * expected[k]) / (
                found.sum() + PRIOR_PAIRS * expected[k].sum()
            )
            m[k] = np.clip(m[k], CONTRADICTION_SHARE, most[k])
            u[k] = _others(seen[k], total * seen[k].sum() / drawn, found + homely)
            h[k] = _household(at_home[k], u[k], homely)
        lam, eta = (min(max(of.sum() / total, 0.1 / total), 0.25) for of in (matches, relatives))
        if np.abs(np.concatenate([[lam, eta], *m, *h]) - before).max() < TOLERANCE:
            break
    rows = [("lambda", lam), ("eta", eta)]
    for kind, values in zip(KINDS, (m, h, u), strict=True):
        for comparison, value in zip(comparisons, values, strict=True):
            rows += [
                (f"{kind}.{comparison.name}.{level.name}", float(number))
                for level, number in zip(comparison.levels, value, strict=True)
            ]
    return pd.DataFrame(rows, columns=["parameter", "value"])


def _log_likelihood(gammas: np.ndarray, shares: Sequence[np.ndarray], prior: float) -> np.ndarray:
    log = np.full(gammas.shape[1], np.log(prior))
    for gamma, share in zip(gammas, shares, strict=True):
        log += np.where(gamma < 0, 0.0, np.log(share)[gamma])
    return log


def _household(at_home: np.ndarray, u: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Levels of a household's pairs: as strangers where nothing else is expected (NaN)."""
    learned = ~np.isnan(at_home)
    share = u.copy()
    if learned.any():
        part = found[learned] + PRIOR_PAIRS * at_home[learned]
        left = 1.0 - u[~learned].sum()
        share[learned] = left * part / part.sum()
    return np.maximum(share, CONTRADICTION_SHARE)


def _level_counts(patterns: pd.DataFrame, comparison: Comparison) -> np.ndarray:
    gamma, counts = patterns[comparison.name].to_numpy(), patterns["pairs_count"].to_numpy()
    known = gamma >= 0
    levels: np.ndarray = np.bincount(
        gamma[known], counts[known].astype(float), minlength=len(comparison.levels)
    )
    return levels


def _others(seen: np.ndarray, pairs: float, known: np.ndarray) -> np.ndarray:
    """Shares among pairs of strangers: random pairs less the others that are among them.

    In a thousand records with 500 duplicates every random agreement on an e-mail is a true pair;
    without the subtraction an equal e-mail would count for little.
    """
    drawn = max(float(seen.sum()), 1.0)
    # No level is rarer than half a pair of those drawn: nothing rarer can be known.
    counts = np.maximum(seen * (pairs / drawn) - known, 0.5 * max(pairs / drawn, 1e-9))
    share: np.ndarray = counts / counts.sum()
    return share
