"""Movement between two dates as counts: shares and shrunk probabilities of every path.

Add here what is said of the paths of one period, from counts alone.
Counting customers is SQL over finished slices, and sizes to come are in `migration_forecast`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.frames import require_columns

MIGRATION_COLUMNS = (
    "from_customers_count",
    "share_of_from",
    "probability_mean",
    "probability_p05",
    "probability_p95",
)
CONCENTRATIONS = np.geomspace(0.5, 5_000.0, 60)
ARRIVAL_CELL = 0.5
"""Prior count of each destination of new customers (Jeffreys)."""


def migration_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """Shares of each path, and the probability behind it with a 90 % interval.

    Generative story: the customers of a key spread over destinations by a multinomial whose
    probabilities are Dirichlet around what the other keys of its group do (`prior_rates`), with one
    concentration for the group. Given that concentration, found by maximum marginal likelihood
    (Dirichlet-multinomial, Minka 2000, *Estimating a Dirichlet distribution*), a path's probability
    is Beta, of which mean and quantiles are given. A large key keeps its own shares, a small one
    takes those of its group.

    Parameters
    ----------
    counts : DataFrame
        One row per path: from_key (NULL: arrived), to_key (NULL: departed), from_group (the keys
        that are alike, such as those of one stage; any value for arrivals), customers_count > 0.

    Returns
    -------
    DataFrame
        The same rows with `MIGRATION_COLUMNS`. Shares of a from_key sum to 1; the probabilities of
        the rows sum to less, as what nobody did keeps some.

    Raises
    ------
    ValueError
        If a column is missing, a path comes twice or a count is not positive.
    """
    require_columns(
        counts,
        {"from_key": "string", "to_key": "string", "from_group": "string"}
        | {"customers_count": "integer"},
        "segment_migrations",
    )
    if counts.duplicated(["from_key", "to_key"]).any() or (counts["customers_count"] <= 0).any():
        raise ValueError(
            "segment_migrations: a path (from_key, to_key) comes twice or has no customers; pass "
            "one row with a positive customers_count per path."
        )
    from scipy.stats import beta

    table = counts.reset_index(drop=True)
    arrived = table["from_key"].isna().to_numpy()
    number = table["customers_count"].to_numpy(dtype="float64")
    mean_prior, weight = np.empty(len(table)), np.empty(len(table))
    if (~arrived).any():
        moved = table[~arrived]
        from_keys = sorted(moved["from_key"].unique())
        groups = moved.drop_duplicates("from_key").set_index("from_key")["from_group"]
        to_keys, matrix = count_matrix(moved, from_keys)
        prior = prior_rates(matrix, from_keys, to_keys, [str(groups[key]) for key in from_keys])
        row = pd.Index(from_keys).get_indexer(pd.Index(moved["from_key"]))
        column = pd.Index(to_keys).get_indexer(pd.Index(moved["to_key"].fillna(DEPARTED)))
        group_of = groups.reindex(from_keys).to_numpy()
        strength = np.empty(len(from_keys))
        for group in sorted(set(group_of)):
            here = group_of == group
            strength[here] = concentration(matrix[here], prior[here])
        mean_prior[~arrived], weight[~arrived] = prior[row, column], strength[row]
    destinations = max(int(arrived.sum()), 1)
    mean_prior[arrived], weight[arrived] = 1.0 / destinations, ARRIVAL_CELL * destinations

    by_key = table.groupby(table["from_key"].fillna(DEPARTED))["customers_count"]
    total = by_key.transform("sum").to_numpy(dtype="float64")
    yes = number + weight * mean_prior
    no = np.maximum(total - number + weight * (1.0 - mean_prior), 1e-9)
    return table.assign(
        from_customers_count=total.astype("int64"),
        share_of_from=number / total,
        probability_mean=yes / (yes + no),
        probability_p05=beta.ppf(0.05, yes, no),
        probability_p95=beta.ppf(0.95, yes, no),
    )


DEPARTED = ""
"""Stands for no key in matrices: where those go who are customers no more."""


def count_matrix(paths: pd.DataFrame, from_keys: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Lay paths out as counts (from, to); returns the to keys too, those of `from_keys` among them.

    Rows with another from_key, such as arrivals, are left out.
    """
    reached = paths["to_key"].fillna(DEPARTED)
    to_keys = sorted({*from_keys, *reached})
    row = pd.Index(from_keys).get_indexer(pd.Index(paths["from_key"]))
    column = pd.Index(to_keys).get_indexer(pd.Index(reached))
    matrix = np.zeros((len(from_keys), len(to_keys)))
    known = row >= 0
    np.add.at(
        matrix, (row[known], column[known]), paths["customers_count"].to_numpy("float64")[known]
    )
    return to_keys, matrix


def prior_rates(
    counts: np.ndarray, from_keys: Sequence[str], to_keys: Sequence[str], groups: Sequence[str]
) -> np.ndarray:
    """What is expected of each key before its own customers are looked at, (from, to).

    The chance to stay is that of the other keys of the group, and of those who leave, the split by
    destination is theirs too; each is smoothed by one customer of all other keys, and these by one
    who goes anywhere. A key's own customers never enter: they would be counted twice.
    """
    stay = np.array([list(to_keys).index(key) for key in from_keys])  # (from,)
    rows = np.arange(len(from_keys))
    own = counts[rows, stay]
    left = counts.copy()
    left[rows, stay] = 0.0
    size = counts.sum(axis=1)
    same = (np.asarray(groups)[:, None] == np.asarray(groups)[None, :]).astype("float64")
    np.fill_diagonal(same, 0.0)
    other = 1.0 - np.eye(len(from_keys))
    base_stay = (other @ own + 0.5) / (other @ size + 1.0)
    stays = (same @ own + base_stay) / (same @ size + 1.0)
    # Nobody can leave a key for itself: its column is no destination of its own row.
    reachable = np.ones_like(counts)
    reachable[rows, stay] = 0.0
    wide = other @ left * reachable + reachable / np.maximum(reachable.sum(axis=1), 1)[:, None]
    wide /= np.maximum(wide.sum(axis=1), 1e-12)[:, None]
    split = same @ left * reachable + wide
    split /= np.maximum(split.sum(axis=1), 1e-12)[:, None]
    prior: np.ndarray = split * (1.0 - stays)[:, None]
    prior[rows, stay] = stays
    prior /= prior.sum(axis=1, keepdims=True)
    return prior


def concentration(counts: np.ndarray, prior: np.ndarray) -> float:
    """Customers that the prior is worth: maximum of the marginal likelihood over a grid.

    `counts` and `prior` are (from, to). A weak prior around 10 customers decides where the counts
    say nothing (log-normal, a factor of 5 up or down).
    """
    return float(CONCENTRATIONS[np.argmax(_log_likelihood(counts, prior))])


def _log_likelihood(counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Dirichlet-multinomial log likelihood at each of `CONCENTRATIONS`, weak prior included."""
    from scipy.special import gammaln

    size = counts.sum(axis=1)
    row, column = np.nonzero(counts)
    seen, expected = counts[row, column], np.maximum(prior[row, column], 1e-12)
    weight = CONCENTRATIONS[:, None]
    total = (gammaln(weight) - gammaln(weight + size)).sum(axis=1)
    cells = (gammaln(weight * expected + seen) - gammaln(weight * expected)).sum(axis=1)
    log_prior = -0.5 * (np.log(CONCENTRATIONS / 10.0) / np.log(5.0)) ** 2
    result: np.ndarray = total + cells + log_prior
    return result
