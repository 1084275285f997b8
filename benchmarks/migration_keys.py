"""Ninety daily runs with a refit every week: do keys survive, and is behaviour told from refit?

A planted shop: customers stand in one of eight groups (two lifecycle stages by four clusters that
are well apart), and every day some go to another group with known probabilities. Each day is
assigned by the fit in force and each week the fit is made again from the one before, which is
asked what it would have said; the days are written to a warehouse of their own and counted by the
SQL of the line (`dagster_project.migration_counts`). Features are drawn here, without lifetime
value and without dbt, because ninety dates through the whole line would take hours; the functions
that fit, align, assign, count and rate are those of the line.

    python -m benchmarks.migration_keys --out benchmarks/results/migration_keys.json

Groups are once well apart, once so close that 2 % stand nearer to another one: there a refit moves
customers too, and one who changes group may not change cluster. Told are keys that went without a
row of lineage; customers moved by a refit where nobody's data changed; each day's count of movers
against the planted one; and how often the published 90 % interval of a path holds the planted
probability. A path is judged on days when somebody took it and more than three were expected to.
About ten minutes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.migration_counts import BEHAVIOUR, count_moves
from dagster_project.warehouse import Warehouse, open_warehouse
from models_py.segmentation import Microsegmentation
from models_py.segmentation.migration import migration_rates

LAYERS = {"value": ("average_order_amount",), "rhythm": ("recency_days", "purchase_days_count")}
STAGES = ("active", "churned")
START = dt.date(2025, 3, 3)
STAY = 0.97
REFIT_EVERY = 7


@dataclass
class PlantedShop:
    """Customers by group (stage, level of value, rhythm), who change group at known rates.

    Attributes
    ----------
    blur : float
        Standard deviation of features around their group, which lie 1.5 to 1.8 apart (log scale).
    rates : ndarray (group, group)
        Daily probability of each step.
    group : ndarray (customer,)
    """

    customers: int
    seed: int
    blur: float = 0.18

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.names = [(stage, level, rhythm) for stage in STAGES for level in (0, 1)
                      for rhythm in (0, 1)]  # fmt: skip
        size = len(self.names)
        away = self.rng.dirichlet(np.ones(size), size) * (1 - np.eye(size))
        self.rates = (1 - STAY) * away / away.sum(axis=1, keepdims=True) + STAY * np.eye(size)
        self.group = self.rng.integers(0, size, self.customers)
        # A person's own level within a group stays, so that nobody moves by noise alone.
        self.own = self.rng.normal(size=(self.customers, 3))

    def live_a_day(self) -> np.ndarray:
        """Move everybody one day on; returns the groups before."""
        before = self.group.copy()
        cumulated = self.rates[self.group].cumsum(axis=1)
        self.group = (self.rng.random((self.customers, 1)) > cumulated).sum(axis=1)
        return before

    def frame(self) -> pd.DataFrame:
        """Features of everybody as they stand, with their stage."""
        names = pd.DataFrame([self.names[group] for group in self.group])
        level, rhythm = names[1].to_numpy(float), names[2].to_numpy(float)
        return pd.DataFrame(
            {
                "customer_id": [f"c{number:05d}" for number in range(self.customers)],
                "stage": names[0],
                "average_order_amount": np.exp(3.0 + 1.8 * level + self.blur * self.own[:, 0]),
                "recency_days": np.exp(4.0 - 1.8 * rhythm + self.blur * self.own[:, 1]),
                "purchase_days_count": np.exp(1.5 + 1.5 * rhythm + self.blur * self.own[:, 2]),
            }
        )


def fitted(
    frame: pd.DataFrame, seed: int, previous: Microsegmentation | None = None
) -> Microsegmentation:
    """A fit in the manner of the line, with fewer bootstraps."""
    return Microsegmentation(LAYERS, max_clusters=4, floor=30, n_bootstraps=20, random_state=seed,
                             stability_sample=800).fit(frame, previous)  # fmt: skip


def write(
    warehouse: Warehouse, day: dt.date, cells: pd.DataFrame, former: pd.DataFrame, refit: bool
) -> None:
    """The day as the line would have left it."""
    frame = cells.assign(as_of_date=day, former_stage=former["stage"],
                         former_key=former["microsegment_key"],
                         version="before" if refit else None)  # fmt: skip
    warehouse.connection.register("frame", frame)
    warehouse.connection.execute(
        "insert into predictions.customer_microsegments (customer_id, as_of_date, stage, "
        "microsegment_key, former_stage, former_microsegment_key, former_model_version_id) "
        "select customer_id, as_of_date, stage, microsegment_key, former_stage, former_key, "
        "version from frame"
    )
    warehouse.connection.execute("insert into models.promoted_dates values (?, true, '')", [day])


def run(
    days: int, customers: int, seed: int, *, is_moving: bool = True, blur: float = 0.18
) -> dict[str, object]:
    """Live through the days; without movement nobody's data change and refits are all there is.

    Returns
    -------
    dict
        Counts over all days; see the keys.
    """
    shop = PlantedShop(customers, seed, blur)
    frame = shop.frame()
    model = fitted(frame, seed)
    lost, refits, decisions = 0, 0, {}
    inside, planted_moves, counted_moves, refit_moves, wrong_days = [], 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder, open_warehouse(Path(folder) / "w") as warehouse:
        cells = model.microsegments(model.predict(frame))
        write(warehouse, START, cells, cells, False)
        for number in range(1, days + 1):
            day = START + dt.timedelta(days=number)
            before = shop.live_a_day() if is_moving else shop.group
            frame = shop.frame() if is_moving else frame
            former = cells = model.microsegments(model.predict(frame))
            is_refit = number % REFIT_EVERY == 0
            if is_refit:
                # The seed of the search changes too, as other data would change it.
                after = fitted(frame, seed + number if is_moving else seed, model)
                joint = after.lineage_[after.lineage_["layer"] == "microsegment"]
                lost += len(set(model.cells_) - set(joint["old_key"].dropna()))
                lost += len(set(after.cells_) - set(joint["new_key"].dropna()))
                for decision, size in joint["decision"].value_counts().items():
                    decisions[str(decision)] = decisions.get(str(decision), 0) + int(size)
                model, refits = after, refits + 1
                cells = model.microsegments(model.predict(frame))
            write(warehouse, day, cells, former, is_refit)
            moves = count_moves(warehouse, day - dt.timedelta(days=1), day, "microsegment", 90)
            behaviour = moves[moves["cause"] == BEHAVIOUR]
            changed = behaviour["from_key"] != behaviour["to_key"]
            counted = int(behaviour.loc[changed, "customers_count"].sum())
            planted = int((shop.group != before).sum())
            refit = moves[moves["cause"] != BEHAVIOUR]
            moved = refit["from_key"] != refit["to_key"]
            refit_moves += int(refit.loc[moved, "customers_count"].sum())
            counted_moves, planted_moves = counted_moves + counted, planted_moves + planted
            wrong_days += counted != planted
            if is_moving:
                inside += _held(shop, behaviour, former)
    held = np.array(inside, dtype=float)
    return {
        "days": days,
        "customers": customers,
        "refits": refits,
        "keys_without_lineage": lost,
        "lineage_decisions": decisions,
        "planted_moves": planted_moves,
        "counted_behaviour_moves": counted_moves,
        "days_with_another_count": wrong_days,
        "moves_by_refit": refit_moves,
        "paths_judged": len(held),
        "paths_whose_interval_holds_the_truth": round(float(held.mean()), 3) if len(held) else None,
    }


def _held(shop: PlantedShop, behaviour: pd.DataFrame, former: pd.DataFrame) -> list[bool]:
    """Whether the interval of each likely path between two groups holds its planted probability."""
    # The key of a group is that of most of its customers.
    keys = former.assign(group=shop.group).groupby("group")["microsegment_key"]
    name = keys.agg(lambda column: column.mode().iloc[0])
    if name.nunique() < len(shop.names):
        return []  # Two groups share a key, and there is no one probability.
    rated = migration_rates(behaviour.assign(from_group=behaviour["from_stage"]))
    rated = rated.set_index(["from_key", "to_key"])
    found = []
    for start in range(len(shop.names)):
        for end in range(len(shop.names)):
            truth, path = shop.rates[start, end], (name[start], name[end])
            size = rated.loc[[name[start]], "from_customers_count"].iloc[0]
            # A rare path has a row only on days when somebody took it.
            if truth * size > 3 and path in rated.index:
                row = rated.loc[path]
                found.append(bool(row["probability_p05"] <= truth <= row["probability_p95"]))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = {
        "groups_apart": run(given.days, given.customers, 1),
        "groups_that_touch": run(given.days, given.customers, 1, blur=0.45),
        "unchanged_data": run(given.days, given.customers, 1, is_moving=False),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
