"""The study of homogeneity measures what it says: shares of variance, and as many groups as asked.

Add here what a rival grouping must hold for the comparison to be fair.
What comes out on data is in benchmarks/results/homogeneity.json.
"""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import homogeneity

ROOT = Path(__file__).resolve().parents[2]


def shop(count=600):
    """Recency, frequency and value of buyers of whom the best come often and lately."""
    rng = np.random.default_rng(5)
    level = rng.gamma(1.0, 1.0, count)
    return pd.DataFrame(
        {
            "customer_id": [f"c{n:04d}" for n in range(count)],
            "recency_days": (200 * rng.random(count) / (1 + level)).round(),
            "purchase_days_count": 1 + rng.poisson(3 * level),
            "observed_revenue_amount": 20 * level + rng.gamma(2.0, 5.0, count),
        }
    )


def test_the_share_within_groups_is_one_minus_the_share_that_groups_explain():
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1, 2], 200)
    spend = label * 10.0 + rng.normal(0.0, 3.0, 600)
    explained = sum(((spend[label == g].mean() - spend.mean()) ** 2) * 200 for g in range(3))
    even = np.ones(600)
    wanted = 1.0 - explained / ((spend - spend.mean()) ** 2).sum()
    assert homogeneity.within_share(label, spend, even) == pytest.approx(wanted)
    assert homogeneity.within_share(np.zeros(600, dtype=int), spend, even) == pytest.approx(1.0)
    assert homogeneity.within_share(np.arange(600), spend, even) == pytest.approx(0.0, abs=1e-9)
    doubled = homogeneity.within_share(np.tile(label, 2), np.tile(spend, 2), np.ones(1_200))
    assert homogeneity.within_share(label, spend, 2 * even) == pytest.approx(doubled)


@pytest.mark.parametrize("groups", [3, 8, 14])
def test_every_rival_has_as_many_groups_as_asked_in_any_order_of_rows(groups):
    frame = shop()
    shuffled = frame.sample(frac=1.0, random_state=3)
    for rival in (homogeneity.rfm_cells, homogeneity.rfm_bands, homogeneity.k_means):
        label = rival(frame, groups)
        assert len(np.unique(label)) == groups
    for rival in (homogeneity.rfm_cells, homogeneity.rfm_bands):
        again = pd.Series(rival(shuffled.reset_index(drop=True), groups), shuffled.index)
        pairs = pd.DataFrame({"one": rival(frame, groups), "other": again.sort_index()})
        assert len(pairs.drop_duplicates()) == groups


def test_customers_of_equal_frequency_share_its_score():
    frame = shop().assign(purchase_days_count=1)
    assert len(np.unique(homogeneity.rfm_scores(frame)[:, 1])) == 1


def test_the_published_study_has_equal_groups_and_an_interval_for_every_rival():
    study = json.loads((ROOT / "benchmarks/results/homogeneity.json").read_text())
    assert {"complete_journey", "online_retail", "adventureworks"} <= set(study["sets"])
    for found in study["sets"].values():
        candidates = found["choice"]["candidates"]
        ratios = {name: one["ratio_to_k_means"] for name, one in candidates.items()}
        assert found["choice"]["chosen"] == min(ratios, key=ratios.get)
        assert dt.date.fromisoformat(found["choice"]["cut"]) + dt.timedelta(
            days=found["choice"]["horizon_days"]
        ) == dt.date.fromisoformat(found["cut"])
        for rival in found["against"].values():
            assert rival["groups"] == found["groups"]
            assert rival["low"] <= rival["difference"] <= rival["high"]
            assert rival["is_lower"] == (rival["high"] < 0)


def test_the_figures_of_the_docs_are_the_measured_ones():
    docs = (ROOT / "docs/segments.md").read_text()
    study = json.loads((ROOT / "benchmarks/results/homogeneity.json").read_text())
    for found in study["sets"].values():
        own = (
            f"| {found['horizon_days']} | {found['choice']['chosen']} "
            f"| {found['groups']} | {found['within_share']:.3f} |"
        )
        assert own in docs
        for rival in found["against"].values():
            figures = f"{rival['within_share']:.3f} ({rival['difference']:+.3f}, "
            assert figures + f"{rival['low']:+.3f} to {rival['high']:+.3f})" in docs
    assert [n for n, s in study["sets"].items() if not s["against"]["k_means"]["is_lower"]] == [
        "adventureworks"
    ]
