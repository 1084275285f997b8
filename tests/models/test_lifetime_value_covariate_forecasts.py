"""Customers who differ by what they bring along are forecast as they differ.

Add here a promise about `LifetimeValue` with covariates. That effects are recovered, in every
family, is tested in test_lifetime_value_covariates.py.
"""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import LifetimeValue, Sampling, group_spend
from models_py.lifetime_value.covariate_design import CovariateDesign
from models_py.lifetime_value.covariates import LARGEST_GROUPS_COUNT, shifted
from models_py.lifetime_value.purchase_fit import design_of
from models_py.simulate import PlainParameters, simulate_purchases

AS_OF = dt.date(2024, 6, 30)
COLUMNS = ("channel", "is_member", "age")
BASE = PlainParameters(r=1.0, alpha=8.0, a=0.8, b=4.0)
# Effects on the log rate and on the log odds of leaving.
MEMBER, PARTNER = (0.7, -0.6), (-0.6, 0.5)


def shop(customers=3_000, seed=3):
    """Customers of two channels, some members, with an age that changes nothing."""
    random = np.random.default_rng(seed)
    known = pd.DataFrame(
        {
            "channel": random.choice(["web", "partner"], customers, p=[0.7, 0.3]),
            "is_member": random.random(customers) < 0.4,
            "age": random.integers(18, 80, customers),
        }
    )
    base = {name: getattr(BASE, name) for name in ("r", "alpha", "a", "b")}
    parts = []
    for (member, partner), rows in known.groupby(["is_member", known["channel"] == "partner"]):
        effects = (MEMBER[k] * member + PARTNER[k] * partner for k in (0, 1))
        own = replace(BASE, **shifted("mbg_nbd", base, *effects))
        made, _ = simulate_purchases(
            own, len(rows), 500, random, horizons_days=(90,), whole_days=True
        )
        parts.append(pd.concat([made, rows.reset_index(drop=True)], axis=1))
    frame = pd.concat(parts, ignore_index=True)
    frame["customer_id"] = [f"c{number:05d}" for number in range(customers)]
    return frame.assign(
        observed_revenue_amount=frame["first_purchase_amount"] + frame["repeat_purchase_amount"]
    )


def groups(frame):
    keys = ["repeat_purchase_days_count", "active_span_days", "tenure_days", *COLUMNS]
    counted = frame.groupby(keys, dropna=False).size().rename("customers_count").reset_index()
    return counted.rename(columns={keys[0]: "repeat_purchases_count"})


@pytest.fixture(scope="module")
def customers():
    return shop()


def fitted(frame, covariates=COLUMNS):
    model = LifetimeValue((90,), draws_kept=200, sampling=Sampling("importance"), random_state=2)
    return model.fit(groups(frame), group_spend(frame), covariates=covariates)


@pytest.fixture(scope="module")
def model(customers):
    return fitted(customers)


def test_known_differences_are_found_and_no_others(model):
    assert model.design_.terms == ("channel=partner", "is_member=true", "age")
    truth = {"channel=partner": PARTNER, "is_member=true": MEMBER}
    for term in model.design_.terms:
        for kind, true in zip(("rate", "dropout"), truth.get(term, (0.0, 0.0)), strict=True):
            found = model.draws_[f"{kind}_effect[{term}]"]
            assert abs(found.mean() - true) < 3.5 * found.std(), (term, kind)
    assert model.draws_["rate_effect[is_member=true]"].quantile(0.01) > 0.4


def test_groups_of_customers_are_forecast_nearer_the_truth(customers, model):
    plain = fitted(customers, ())
    errors = {}
    for name, one in (("covariates", model), ("none", plain)):
        predicted = one.predict(customers, AS_OF)["predicted_orders_mean"].to_numpy()
        by = customers.assign(predicted=predicted).groupby(
            ["is_member", customers["channel"] == "partner"]
        )
        bias = by["predicted"].sum() / by["realised_orders_90d_count"].sum() - 1
        errors[name] = bias.abs()
    assert errors["covariates"].max() < 0.15
    assert errors["covariates"].mean() < errors["none"].mean() / 2
    # Of somebody who bought once and a moment ago nothing else is known.
    new = customers.head(1).assign(
        repeat_purchase_days_count=0, active_span_days=0, tenure_days=0, repeat_purchase_amount=0.0
    )

    def expected(**known):
        return model.predict(new.assign(**known), AS_OF)["predicted_orders_mean"].item()

    member, web, partner = (
        expected(age=40, is_member=is_member, channel=channel)
        for is_member, channel in ((True, "web"), (False, "web"), (False, "partner"))
    )
    assert member > 1.5 * web > 2.0 * partner
    # NULL, or a class that the fit never saw, counts as the largest class.
    assert expected(age=40, is_member=None, channel="web") == web
    assert expected(age=40, is_member=False, channel="fair") == web


def test_rows_of_parameters_bring_bins_and_classes_back(customers, model):
    rows = model.parameters_frame()
    assert set(rows["model"]) == {"mbg_nbd", "spend", "covariates"}
    again = LifetimeValue.from_parameters(
        rows.sample(frac=1, random_state=1), horizons_days=(90,), random_state=2
    )
    assert set(again.covariates) == set(COLUMNS)
    pd.testing.assert_frame_equal(again.parameters_frame(), rows)
    part = customers.head(150)
    pd.testing.assert_frame_equal(again.predict(part, AS_OF), model.predict(part, AS_OF))
    with pytest.raises(ValueError, match="model_parameters lack bins of age"):
        LifetimeValue.from_parameters(rows[rows["parameter"] != "age bin 02 value"])


def test_company_and_order_do_not_change_a_customer(customers, model):
    whole = customers.head(300)
    shuffled = whole.sample(frac=1, random_state=3)
    apart = pd.concat(model.predict(part, AS_OF) for part in (shuffled[:7], shuffled[7:]))
    together = model.predict(whole, AS_OF)
    pd.testing.assert_frame_equal(
        apart.sort_values("customer_id", ignore_index=True),
        together.sort_values("customer_id", ignore_index=True),
    )


def test_parameters_of_a_customer_do_not_depend_on_who_shares_the_chunk():
    random = np.random.default_rng(5)
    terms = tuple(f"c{number}" for number in range(9))
    draws = pd.DataFrame(
        random.normal(size=(200, 18)),
        columns=[f"{kind}_effect[{term}]" for kind in ("rate", "dropout") for term in terms],
    ).assign(r=1.0, alpha=8.0, a=0.8, b=4.0)
    labels = np.array(["|".join(map(repr, row)) for row in random.normal(size=(40, 9)).tolist()])
    design = CovariateDesign(terms, {}, {})
    together = design.own_draws(draws, "mbg_nbd", labels)
    for count in (1, 2, 3, 7):
        apart = design.own_draws(draws, "mbg_nbd", labels[:count])
        pd.testing.assert_frame_equal(apart, together[list(apart)], check_exact=True)


def test_terms_say_what_a_customer_has():
    learned = CovariateDesign.learn(
        pd.DataFrame(
            {
                "customers_count": [60, 30, 9, 1, 20],
                "channel": ["web", "shop", None, "fair", "web"],
                "age": [20.0, 40.0, np.nan, 60.0, 20.0],
                "same": ["x"] * 5,
            }
        ),
        ["channel", "age", "same"],
    )
    assert learned.columns == ("channel", "age")
    assert learned.terms == (
        "channel=shop", "channel=unknown", "channel=other", "age", "age=unknown",
    )  # fmt: skip
    asked = pd.DataFrame(
        {"channel": ["web", "shop", None, "fair", "new"], "age": [None, 19.0, 20.0, 41.0, 99.0]}
    )
    found = learned.values(asked)
    assert found[:, :3].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert found[:, 4].tolist() == [1, 0, 0, 0, 0]
    assert found[0, 3] == 0 and found[1, 3] == found[2, 3] < 0 < found[3, 3] == found[4, 3]
    weights = np.array([80, 30, 1])  # of ages 20, 40 and 60; mean 0 and sd 1 over customers
    given = learned.values(pd.DataFrame({"channel": "web", "age": [20.0, 40.0, 60.0]}))[:, 3]
    assert np.average(given, weights=weights) == pytest.approx(0, abs=1e-12)
    assert np.average(given**2, weights=weights) == pytest.approx(1)


def test_a_class_of_another_column_is_not_known_of_this_one():
    """`area` has rare classes; "new" is a class of `area_kind`, whose name begins alike."""
    given = pd.DataFrame(
        {
            "customers_count": [500, 300, 2],
            "area": ["north", "south", "isle"],
            "area_kind": ["old", "new", "new"],
        }
    )
    learned = CovariateDesign.learn(given, ["area", "area_kind"])
    assert learned.terms == ("area=south", "area=other", "area_kind=new")
    found = learned.values(pd.DataFrame({"area": ["new", "isle"], "area_kind": "old"}))
    assert found.tolist() == [[0, 1, 0], [0, 1, 0]]
    # Nothing rare was seen of this column, so what is new to it counts as its largest class.
    unseen = learned.values(pd.DataFrame({"area": ["north"], "area_kind": ["odd"]}))
    assert unseen.tolist() == [[0, 0, 0]]


def many_regions(columns, customers=12_000, seed=5):
    """Groups of customers with 30 regions of falling size and numbers that vary freely."""
    random = np.random.default_rng(seed)
    share = np.linspace(2.0, 0.5, 30)
    frame = pd.DataFrame({name: random.normal(size=customers) for name in columns})
    frame["region"] = random.choice(
        [f"region {number:02d}" for number in range(30)], customers, p=share / share.sum()
    )
    return frame.assign(customers_count=1)


def test_terms_are_coarsened_until_their_combinations_fit():
    numbers = ["age_years", "income_index", "household_size"]
    given = many_regions(numbers)
    columns = [*numbers, "region"]
    finest = CovariateDesign.learn(given, columns)
    assert len(np.unique(finest.values(given), axis=0)) > 1.5 * LARGEST_GROUPS_COUNT
    design = design_of(given, columns)
    count = len(np.unique(design.values(given), axis=0))
    assert count <= LARGEST_GROUPS_COUNT and set(design.columns) == set(columns)
    # Classes are joined before a number loses bins, and no more of either than is needed.
    assert "region=other" in design.terms and len(design.bins["age_years"][1]) == 5
    few = given.assign(region=given["region"].where(given["region"] < "region 05", "region 00"))
    assert design_of(few, columns) is not None
    pd.testing.assert_frame_equal(
        design_of(few, columns).to_rows(), CovariateDesign.learn(few, columns).to_rows()
    )


def test_too_many_covariates_are_refused_by_the_key_of_the_config():
    numbers = [f"number_{place}" for place in range(11)]
    given = many_regions(numbers)
    with pytest.raises(ValueError, match=r"lifetime_value\.covariates in config.yml.*Leave out"):
        design_of(given, [*numbers, "region"])


def test_pools_beside_covariates_and_missing_columns_are_refused(customers, model):
    pooled = groups(customers).assign(pool="channel=web")
    with pytest.raises(ValueError, match="by pools or by covariates, not both"):
        LifetimeValue((90,)).fit(pooled, group_spend(customers), covariates=COLUMNS)
    with pytest.raises(ValueError, match="covariates has no column age"):
        model.predict(customers.drop(columns="age"), AS_OF)
