"""Monthly movement between lifecycle stages: of public sets, simulated shops and made-up worlds.

Add here a set or a world whose sizes `migration.py` forecasts. The stages are rules on dates and
amounts alone, so that thirty month-ends of a set cost a second: new (first purchase less than 30
days ago), reactivated (bought less than 30 days ago after 120 silent days), churned (silent for 180
days), one_time (one purchase day), at_risk (silent for 90 days, or for 6 own median gaps and 30
days), star (spend of the last 180 days above a line that is fixed at the first month-end), else
active.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import peer_data

STAGES = ("new", "reactivated", "churned", "one_time", "at_risk", "star", "active")
FIRST_ORIGIN_DAYS = 60


@dataclass(frozen=True)
class Movement:
    """Counts of periods, oldest first, and the sizes at their starts and at the last end.

    Attributes
    ----------
    counts : ndarray (period, from, to)
        The last `to` is departed, which nobody is here.
    arrivals : ndarray (period, to)
    sizes : ndarray (period + 1, key)
    """

    name: str
    counts: np.ndarray
    arrivals: np.ndarray
    sizes: np.ndarray


def stages_of(days: pd.DataFrame, at: pd.Timestamp, star_line: float) -> pd.Series:
    """Number of the stage (place in `STAGES`) by customer, at the end of a day."""
    seen = days[days["date"] <= at]
    by = seen.groupby("customer_id")["date"]
    first, last, size = by.min(), by.max(), by.size()
    earlier = seen["date"].groupby(seen["customer_id"]).shift()
    gap = (seen["date"] - earlier).dt.days
    usual = gap.groupby(seen["customer_id"]).median().reindex(first.index)
    last_gap = gap.groupby(seen["customer_id"]).last().reindex(first.index)
    recent = seen[seen["date"] > at - pd.Timedelta(days=180)]
    spend = recent.groupby("customer_id")["amount"].sum().reindex(first.index, fill_value=0.0)
    recency, tenure = (at - last).dt.days, (at - first).dt.days
    late = (recency > 90) | ((recency > 6 * usual) & (recency > 30))
    conditions = [
        tenure < 30,
        (recency < 30) & (last_gap >= 120),
        recency >= 180,
        size == 1,
        late,
        spend >= star_line,
    ]
    choice = np.select(conditions, range(len(conditions)), len(conditions))
    return pd.Series(choice, index=first.index)


def movement(name: str, days: pd.DataFrame) -> Movement:
    """Movement between calendar month-ends of a set of purchase days."""
    days = days.sort_values(["customer_id", "date"], kind="stable")
    start = days["date"].min() + pd.Timedelta(days=FIRST_ORIGIN_DAYS)
    ends = pd.date_range(start, days["date"].max(), freq="ME")
    early = days[(days["date"] <= ends[0]) & (days["date"] > ends[0] - pd.Timedelta(days=180))]
    line = float(early.groupby("customer_id")["amount"].sum().quantile(0.9))
    standing = [stages_of(days, end, line) for end in ends]
    size = len(STAGES)
    counts, arrivals = [], []
    for before, after in pairwise(standing):
        known = before.reindex(after.index)
        old = known.notna()
        flat = known[old].astype(int) * (size + 1) + after[old]
        counts.append(np.bincount(flat, minlength=size * (size + 1)).reshape(size, size + 1))
        arrivals.append(np.bincount(after[~old], minlength=size))
    sizes = [np.bincount(stage, minlength=size) for stage in standing]
    return Movement(name, np.stack(counts), np.stack(arrivals), np.stack(sizes))


def public(name: str, folder: Path) -> Movement:
    """One of the public sets of `peer_data`."""
    return movement(name, peer_data.load(name, folder).days)


def retailer(seed: int, customers: int) -> Movement:
    """The simulated shop chain, orders as they truly happened."""
    return movement(f"retailer {seed}", peer_data.load("retailer", None, seed, customers).days)


def world(seed: int, periods: int = 30) -> Movement:
    """A made-up chain of seven stages whose months differ by shocks that are known to nobody.

    Size, spread, persistence and season of the shocks, the part they share, growth and the spread
    of newcomers are drawn anew for every seed.
    """
    rng = np.random.default_rng([seed, 11])
    size = len(STAGES)
    base = np.zeros((size, size + 1))
    for row in range(size):
        base[row, :size] = rng.dirichlet(np.full(size, 0.4)) * rng.uniform(0.03, 0.5)
        base[row, row] += 1.0 - base[row].sum()
    customers = float(np.exp(rng.uniform(np.log(300), np.log(30_000))))
    spread, persistence = rng.choice([0.03, 0.1, 0.2, 0.4]), rng.choice([0.0, 0.3, 0.6])
    shared, season = rng.uniform(0.0, 1.0), rng.choice([0.0, 0.1, 0.3])
    loading = rng.normal(size=(size, size + 1))
    newcomers, growth = customers * rng.uniform(0.0, 0.06), rng.normal(0.0, 0.01)
    newcomer_spread, split = rng.choice([0.05, 0.2, 0.4]), rng.dirichlet(np.full(size, 0.5))
    now = rng.multinomial(int(customers), rng.dirichlet(np.ones(size)))
    factor, own = 0.0, np.zeros((size, size + 1))
    counts, arrivals, sizes = [], [], [now]
    for period in range(periods):
        kept, fresh = persistence, np.sqrt(1.0 - persistence**2)
        factor = kept * factor + fresh * rng.normal()
        own = kept * own + fresh * rng.normal(size=own.shape)
        wave = season * np.sin(2 * np.pi * period / 12)
        shock = spread * (np.sqrt(shared) * factor * loading + np.sqrt(1 - shared) * own)
        shock = shock + wave * loading
        np.fill_diagonal(shock, 0.0)
        chance = base * np.exp(shock)
        chance /= chance.sum(axis=1, keepdims=True)
        moved = rng.multinomial(now, chance)
        level = newcomers * np.exp(growth * period + rng.normal(0.0, newcomer_spread))
        came = rng.multinomial(rng.poisson(level), split)
        counts.append(moved)
        arrivals.append(came)
        now = moved.sum(axis=0)[:size] + came
        sizes.append(now)
    return Movement(f"world {seed}", np.stack(counts), np.stack(arrivals), np.stack(sizes))
