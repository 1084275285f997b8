"""Sums of draws by group: exact, however customers are cut into batches.

Add here what holds of sums over customers whatever warehouse they are read from. How intervals are
widened is test_lifetime_value_discrepancy.py, tables of totals are in tests/warehouse.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import GroupTotals, LifetimeValue

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
