"""Sums of draws by group, and what past misses add to the interval of a total.

Add here what holds of totals whatever warehouse they are read from. Tables of totals are tested in
tests/warehouse/test_value_totals.py.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import GroupTotals, LifetimeValue, PastTotal, TotalDiscrepancy
from models_py.lifetime_value.discrepancy import blocks_up_to, chance_of

AS_OF = dt.date(2024, 6, 30)
CHANCE = np.random.default_rng(3)


@pytest.fixture(scope="module")
def model_and_batch():
    x = CHANCE.integers(0, 5, 60)
    batch = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(60)],
            "repeat_purchase_days_count": x,
            "active_span_days": np.where(x > 0, 100, 0),
            "tenure_days": 200,
            "first_purchase_amount": 20.0,
            "repeat_purchase_amount": 25.0 * x,
            "observed_revenue_amount": 20.0 + 25.0 * x,
        }
    )
    draws = {"r": 0.5, "alpha": 6.0, "a": 0.8, "b": 1.6, "p": 3.0, "q": 4.0, "v": 40.0}
    rows = [
        {
            "model": "spend" if name in "pqv" else "mbg_nbd",
            "draw": draw,
            "parameter": name,
            "value": value * (1 + 0.01 * draw),
        }
        for name, value in draws.items()
        for draw in range(40)
    ]
    model = LifetimeValue.from_parameters(pd.DataFrame(rows), horizons_days=(30, 90))
    return model, batch


def test_groups_add_up_to_the_whole_draw_by_draw_however_batches_are_cut(model_and_batch):
    model, batch = model_and_batch
    group = CHANCE.integers(-1, 3, len(batch))
    cut, whole = GroupTotals(3, 40, 2), GroupTotals(3, 40, 2)
    for part in np.array_split(np.arange(len(batch)), 7):
        for futures in model.simulate(batch.iloc[part], AS_OF):
            cut.add(futures, group[part])
    for futures in model.simulate(batch, AS_OF):
        whole.add(futures, group[: len(futures.orders)])
    np.testing.assert_array_equal(cut.revenue, whole.revenue)
    np.testing.assert_array_equal(cut.orders, whole.orders)
    total = model.predict_totals(batch[group >= 0], AS_OF)
    np.testing.assert_array_equal(cut.revenue.sum(axis=0), total.revenue)
    np.testing.assert_array_equal(cut.orders.sum(axis=0), total.orders)
    for number in range(3):
        alone = model.predict_totals(batch[group == number], AS_OF)
        np.testing.assert_array_equal(cut.of(number).revenue, alone.revenue)
        assert cut.of(number).customers_count == (group == number).sum()


def test_a_group_too_many_or_too_few_is_refused(model_and_batch):
    model, batch = model_and_batch
    (futures,) = model.simulate(batch.head(5), AS_OF)
    totals = GroupTotals(2, 40, 2)
    with pytest.raises(ValueError, match="4 groups stand against 5 simulated customers"):
        totals.add(futures, np.zeros(4, dtype=int))
    with pytest.raises(ValueError, match="numbered from 0 to 1"):
        totals.add(futures, np.array([0, 1, 2, 0, 1]))
    assert totals.revenue.sum() == 0


def past(*rows):
    return [PastTotal(*row) for row in rows]


def test_blocks_of_a_length_do_not_overlap_nor_reach_beyond_today_nor_the_horizon():
    totals = past(
        (0, 30, 1, 1), (20, 30, 1, 1), (60, 30, 1, 1), (80, 30, 1, 1), (0, 90, 1, 1), (5, 60, 0, 1)
    )
    found = blocks_up_to(totals, 60, 100)
    assert [[block.origin_day for block in blocks] for blocks in found] == [[60, 20]]
    found = blocks_up_to(totals, 365, 110)
    assert [[block.origin_day for block in blocks] for blocks in found] == [[80, 20], [0]]


def test_without_past_blocks_the_prior_speaks():
    learned = TotalDiscrepancy.learn([], [])
    assert (learned.degrees_of_freedom, learned.scale) == (4, pytest.approx(0.07))
    assert TotalDiscrepancy.of_horizon([], 90, 0, {}) == learned


def test_discrepancy_grows_with_past_misses_less_what_chance_explains():
    learned = TotalDiscrepancy.learn([130.0, 80.0], [100.0, 100.0], [0.1, 0.05])
    delta = np.log([1.3, 0.8])
    unexplained = np.sum(delta**2) - 0.1**2 - 0.05**2
    assert learned.scale**2 == pytest.approx((4 * 0.07**2 + unexplained) / 6)
    assert learned.degrees_of_freedom == 6
    narrow = TotalDiscrepancy.learn([101.0] * 6, [100.0] * 6, 0.3)
    assert narrow.scale == 0.02, "chance larger than every miss leaves the least, not a root of < 0"


def test_all_lengths_up_to_the_horizon_teach_it_and_its_own_are_counted():
    draws = {30: np.array([90.0, 110.0]), 90: np.array([290.0, 310.0])}
    totals = past((0, 30, 120, 100), (30, 30, 90, 100), (60, 30, 80, 100), (0, 90, 330, 300))
    month = TotalDiscrepancy.of_horizon(totals, 30, 90, draws)
    quarter = TotalDiscrepancy.of_horizon(totals, 90, 90, draws)
    assert (month.degrees_of_freedom, quarter.degrees_of_freedom) == (7, 8)
    assert (month.blocks_count, quarter.blocks_count) == (3, 1)
    delta = np.log([1.2, 0.9, 0.8, 1.1])
    chance = np.array([chance_of(draws[30])] * 3 + [chance_of(draws[90])])
    for learned, count in ((month, 3), (quarter, 4)):
        unexplained = np.sum(delta[:count] ** 2 - chance[:count] ** 2)
        assert learned.scale**2 == pytest.approx((4 * 0.07**2 + unexplained) / (4 + count))
    smaller = past((0, 30, 60, 50))
    once = TotalDiscrepancy.of_horizon(smaller, 30, 90, draws)
    by_hand = np.log(1.2) ** 2 - 2 * chance_of(draws[30]) ** 2
    assert once.scale**2 == pytest.approx((4 * 0.07**2 + by_hand) / 5), "half the shop, twice the "


def test_the_mean_stays_and_the_interval_is_repeatable():
    learned = TotalDiscrepancy.learn([130.0, 80.0], [100.0, 100.0])
    draws = np.random.default_rng(0).normal(1000, 20, (400, 2))
    summary = learned.summarise(draws, "predicted_revenue", random_state=5)
    np.testing.assert_array_equal(summary["predicted_revenue_mean"], draws.mean(axis=0))
    assert summary["predicted_revenue_p50"] == pytest.approx([1000, 1000], rel=0.02)
    width = summary["predicted_revenue_p95"] - summary["predicted_revenue_p05"]
    assert (width > 5 * 2 * 1.645 * 20).all()
    again = learned.summarise(draws, "predicted_revenue", random_state=5)
    np.testing.assert_array_equal(again["predicted_revenue_p95"], summary["predicted_revenue_p95"])


def test_one_discrepancy_is_shared_by_all_segments_of_a_draw():
    draws = np.ones((50, 3)) * [1.0, 2.0, 4.0]
    applied = TotalDiscrepancy.learn([], []).apply(draws, random_state=1)
    np.testing.assert_allclose(applied[:, 1] / applied[:, 0], 2.0)
    np.testing.assert_allclose(applied[:, 2] / applied[:, 0], 4.0)


def test_blocks_without_sales_are_refused():
    with pytest.raises(ValueError, match="must be above 0"):
        TotalDiscrepancy.learn([0.0], [10.0])
