"""Predictions from known parameters: what a customer's numbers may and may not depend on.

Add here a promise about `LifetimeValue.predict` that needs no sampling of posteriors.
Whether predictions come true is in `test_lifetime_value_backtest`.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import LTV_COLUMNS, LifetimeValue

AS_OF = dt.date(2024, 6, 30)
HORIZONS = (30, 90, 180, 365)


def parameters(draws: int = 200, kappa: bool = True, model: str = "mbg_nbd") -> pd.DataFrame:
    random = np.random.default_rng(0)
    centre = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4, "p": 3.0, "q": 4.0, "v": 30.0}
    if kappa:
        centre["kappa"] = 1.1
    frames = [
        pd.DataFrame(
            {
                "model": model if name in ("r", "alpha", "a", "b") else "spend",
                "draw": np.arange(draws),
                "parameter": name,
                "value": value * np.exp(0.05 * random.standard_normal(draws)),
            }
        )
        for name, value in centre.items()
    ]
    return pd.concat(frames).sort_values(["model", "draw", "parameter"], ignore_index=True)


def customers(count: int = 700) -> pd.DataFrame:
    random = np.random.default_rng(1)
    x = random.poisson(2.0, count)
    tenure = random.integers(0, 600, count)
    first = np.exp(random.normal(3.0, 0.6, count)).round(2)
    repeat = (x * 22.5).round(2)
    return pd.DataFrame(
        {
            "customer_id": [f"c_{number:04d}" for number in range(count)],
            "repeat_purchase_days_count": x,
            "active_span_days": np.where(x > 0, (tenure * random.random(count)).astype(int), 0),
            "tenure_days": tenure,
            "first_purchase_amount": first,
            "repeat_purchase_amount": repeat,
            "observed_revenue_amount": first + repeat,
        }
    )


@pytest.fixture(scope="module")
def model() -> LifetimeValue:
    return LifetimeValue.from_parameters(parameters(), random_state=7)


@pytest.fixture(scope="module")
def predicted(model) -> pd.DataFrame:
    return model.predict(customers(), AS_OF)


def test_one_row_per_customer_and_horizon_with_the_columns_of_the_table(predicted):
    assert tuple(predicted.columns) == LTV_COLUMNS
    assert len(predicted) == 700 * len(HORIZONS)
    assert not predicted.duplicated(["customer_id", "horizon_days"]).any()
    assert (predicted["as_of_date"] == pd.Timestamp(AS_OF)).all()
    assert predicted.filter(like="predicted_margin").isna().all(axis=None)


def test_quantiles_are_ordered_and_values_grow_with_the_horizon(predicted):
    for name in ("predicted_orders", "predicted_revenue", "predicted_present_value"):
        levels = predicted[[f"{name}_{level}" for level in ("p05", "p25", "p50", "p75", "p95")]]
        assert (np.diff(levels.to_numpy(), axis=1) >= 0).all()
        growth = predicted.groupby("customer_id")[f"{name}_mean"].diff().dropna()
        assert (growth >= 0).all()
    later = predicted["horizon_days"] == 365
    assert (
        predicted.loc[later, "predicted_present_value_mean"]
        < predicted.loc[later, "predicted_revenue_mean"]
    ).all()
    assert predicted["alive_probability"].between(0, 1).all()
    assert (predicted["purchase_probability"] <= predicted["alive_probability"]).all()


def test_order_of_rows_and_company_do_not_change_a_customer(model, predicted):
    shuffled = customers().sample(frac=1, random_state=3)
    parts = [model.predict(part, AS_OF) for part in (shuffled.iloc[:13], shuffled.iloc[13:])]
    key = ["customer_id", "horizon_days"]
    again = pd.concat(parts).sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(again, predicted.sort_values(key, ignore_index=True))


def test_another_seed_gives_other_draws_and_the_same_means_in_the_large(predicted):
    other = LifetimeValue.from_parameters(parameters(), random_state=8).predict(customers(), AS_OF)
    assert not np.array_equal(other["predicted_revenue_p95"], predicted["predicted_revenue_p95"])
    assert other["predicted_revenue_mean"].sum() == pytest.approx(
        predicted["predicted_revenue_mean"].sum(), rel=0.02
    )


def test_totals_of_batches_add_up_exactly(model):
    batch = customers()
    whole = model.predict_totals(batch, AS_OF)
    parts = [
        model.predict_totals(batch.iloc[rows], AS_OF) for rows in (slice(150), slice(150, 700))
    ]
    summed = parts[1] + parts[0]
    assert whole.revenue.shape == (200, len(HORIZONS))
    assert summed.customers_count == whole.customers_count == 700
    np.testing.assert_array_equal(summed.revenue, whole.revenue)
    np.testing.assert_array_equal(summed.orders, whole.orders)


def test_summaries_are_those_of_the_futures_that_backtests_see(model, predicted):
    # Threads and chunks of 64 on one side, one thread and chunks of 500 on the other.
    futures = list(model.simulate(customers(), AS_OF))
    assert [len(part.orders) for part in futures] == [500, 200]
    for name in ("orders", "revenue", "present_value"):
        draws = np.concatenate([getattr(part, name) for part in futures])
        ordered = np.sort(draws, axis=2).reshape(-1, 200)
        np.testing.assert_array_equal(ordered[:, 9], predicted[f"predicted_{name}_p05"])
        np.testing.assert_array_equal(ordered[:, 189], predicted[f"predicted_{name}_p95"])
    totals = model.predict_totals(customers(), AS_OF)
    revenue = np.concatenate([part.revenue for part in futures])
    np.testing.assert_array_equal(revenue.sum(axis=0).T, totals.revenue)


def test_a_prediction_of_many_holds_the_draws_of_few(model):
    import tracemalloc

    many = pd.concat(
        [customers().assign(customer_id=[f"{n}_{i}" for i in range(700)]) for n in range(6)],
        ignore_index=True,
    )
    tracemalloc.start()
    table = model.predict(many, AS_OF)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    one_quantity = len(many) * len(HORIZONS) * 200 * 8
    assert peak - table.memory_usage(deep=True).sum() < one_quantity


def test_simulated_totals_agree_with_the_sum_of_expectations(model, predicted):
    totals = model.predict_totals(customers(), AS_OF)
    expected = predicted.groupby("horizon_days")[
        ["predicted_orders_mean", "predicted_revenue_mean"]
    ].sum()
    np.testing.assert_allclose(
        totals.orders.mean(axis=0), expected["predicted_orders_mean"], rtol=0.03
    )
    np.testing.assert_allclose(
        totals.revenue.mean(axis=0), expected["predicted_revenue_mean"], rtol=0.03
    )


def test_parameters_round_trip_through_plain_rows(model, predicted):
    rows = model.parameters_frame()
    assert list(rows.columns) == ["model", "draw", "parameter", "value"]
    pd.testing.assert_frame_equal(rows, parameters(), check_dtype=False)
    shuffled = rows.sample(frac=1, random_state=2)
    again = LifetimeValue.from_parameters(shuffled, random_state=7).predict(customers(), AS_OF)
    pd.testing.assert_frame_equal(again, predicted)


def test_incomplete_parameters_are_refused():
    rows = parameters()
    with pytest.raises(ValueError, match="model_parameters lack v"):
        LifetimeValue.from_parameters(rows[rows["parameter"] != "v"])
    with pytest.raises(ValueError, match="lack some draws"):
        LifetimeValue.from_parameters(rows.drop(index=5))
    with pytest.raises(ValueError, match="one purchase model"):
        LifetimeValue.from_parameters(rows[rows["model"] == "spend"])


def _two_one_time_buyers() -> pd.DataFrame:
    small, large = customers(2).assign(repeat_purchase_days_count=0).to_dict("records")
    for row, first in ((small, 10.0), (large, 200.0)):
        row |= {
            "active_span_days": 0,
            "tenure_days": 60,
            "first_purchase_amount": first,
            "repeat_purchase_amount": 0.0,
        }
    return pd.DataFrame([small, large])


def test_a_high_first_order_raises_the_expected_order_value(model):
    value = model.predict(_two_one_time_buyers(), AS_OF).groupby("customer_id")
    small, large = value["expected_order_value_mean"].first()
    assert large > 2 * small


def test_a_first_order_that_is_not_exchangeable_is_ignored():
    model = LifetimeValue.from_parameters(parameters(kappa=False), random_state=7)
    value = model.predict(_two_one_time_buyers(), AS_OF).groupby("customer_id")
    small, large = value["expected_order_value_mean"].first()
    assert small == large


def test_only_the_modified_model_can_see_a_one_time_buyer_as_gone(model):
    published = LifetimeValue.from_parameters(parameters(model="bg_nbd"), random_state=7)
    assert published.purchase_model == "bg_nbd"
    batch = _two_one_time_buyers()
    assert (published.predict(batch, AS_OF)["alive_probability"] == 1.0).all()
    assert (model.predict(batch, AS_OF)["alive_probability"] < 0.9).all()


def test_next_order_is_dated_only_where_it_is_to_be_expected(model):
    frequent, lapsed = customers(2).to_dict("records")
    common = {"repeat_purchase_days_count": 20, "tenure_days": 400, "repeat_purchase_amount": 450.0}
    batch = pd.DataFrame(
        [
            frequent | common | {"active_span_days": 398},
            lapsed | common | {"active_span_days": 100},
        ]
    )
    first = model.predict(batch, AS_OF).groupby("customer_id").first()
    assert pd.Timestamp(AS_OF) < first["expected_next_order_date"].iloc[0]
    assert first["expected_next_order_date"].iloc[0] < pd.Timestamp(AS_OF) + pd.Timedelta(days=40)
    assert first["alive_probability"].iloc[1] < 0.05
    assert first["expected_next_order_date"].isna().iloc[1]


def test_observed_amounts_are_copied_as_they_are(model):
    batch = customers(3).convert_dtypes().assign(observed_margin_amount=[1.25, None, -3.5])
    result = model.predict(batch, AS_OF)
    first = result.drop_duplicates("customer_id")
    assert first["observed_revenue_amount"].tolist() == batch["observed_revenue_amount"].tolist()
    assert first["observed_margin_amount"].isna().tolist() == [False, True, False]


def test_no_customers_give_an_empty_table_and_zero_totals(model):
    result, totals = model.predict_with_totals(customers(3).iloc[:0], AS_OF)
    assert tuple(result.columns) == LTV_COLUMNS
    assert result.empty
    assert totals.customers_count == 0
    assert totals.revenue.sum() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repeat_purchase_days_count": [1, None]}, "NULL in 1 rows .*c_0001.*Leave prospects out"),
        ({"customer_id": ["c_1", "c_1"]}, "customer_id repeats"),
        ({"first_purchase_amount": [0.0, 5.0]}, "1 rows .* not positive"),
        ({"first_purchase_amount": [np.inf, 5.0]}, "1 rows .* an infinite number"),
        ({"tenure_days": [1e9, np.inf]}, "1 rows .*c_0001.* an infinite number"),
        (
            {"repeat_purchase_days_count": 0, "active_span_days": [3, 0], "tenure_days": 60},
            "1 rows .*c_0000.* span .* without a repeat purchase",
        ),
        ({"as_of_date": [AS_OF, dt.date(2024, 7, 1)]}, "differs from 2024-06-30 in 1 rows"),
    ],
)
def test_rows_that_cannot_be_predicted_are_refused(model, change, message):
    with pytest.raises(ValueError, match=message):
        model.predict(customers(2).assign(**change), AS_OF)


def test_horizons_must_ascend():
    model = LifetimeValue.from_parameters(parameters(), horizons_days=(90, 30))
    with pytest.raises(ValueError, match="positive and ascending"):
        model.predict(customers(2), AS_OF)


def test_a_pooled_customer_is_predicted_by_the_parameters_of_the_own_group():
    rows = parameters()
    twice = rows[rows["parameter"] == "alpha"].assign(
        parameter="alpha[acquisition_channel=web]", value=lambda found: 2.0 * found["value"]
    )
    pooled = LifetimeValue.from_parameters(pd.concat([rows, twice]), random_state=7)
    pd.testing.assert_frame_equal(
        LifetimeValue.from_parameters(pooled.parameters_frame(), random_state=7).draws_,
        pooled.draws_,
    )
    batch = customers(40).assign(acquisition_channel=["web", "shop"] * 20)
    found = pooled.predict(batch, AS_OF)
    doubled = rows.assign(
        value=np.where(rows["parameter"] == "alpha", 2.0, 1.0) * rows["value"].to_numpy()
    )
    for channel, expected in (("web", doubled), ("shop", rows)):
        own = batch[batch["acquisition_channel"] == channel]
        alone = LifetimeValue.from_parameters(expected, random_state=7).predict(own, AS_OF)
        kept = found[found["customer_id"].isin(own["customer_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, alone)
    with pytest.raises(ValueError, match="acquisition_channel"):
        pooled.predict(customers(3), AS_OF)
