"""Campaigns of the simulated retailer: fair arms, a lasting holdout, effects as stated.

Add here what an experiment on the simulated shop must satisfy.
Estimating effects per micro-segment stays out and is tested with the effect models.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.simulate import simulate_retailer


@pytest.fixture(scope="module")
def shop():
    return simulate_retailer(12_000, 3)


@pytest.fixture(scope="module")
def outcomes(shop):
    """One row per assignment: person, arm, orders in the window, spend in the 180 days before."""
    owners = shop.truth["person_records"]
    exposures = shop.sources["action_exposures"].merge(
        owners, on=["source_system", "source_record_id"]
    )
    orders = shop.truth["orders"].assign(day=lambda o: pd.to_datetime(o["order_day"]))
    parts = []
    for action in shop.sources["actions"].to_dict("records"):
        assigned = exposures[exposures["action_id"] == action["action_id"]].copy()
        start = pd.Timestamp(action["starts_on"])
        end = start + pd.Timedelta(days=int(action["measurement_days"]))
        in_window = orders[(orders["day"] >= start) & (orders["day"] < end)]
        before = orders[(orders["day"] < start) & (orders["day"] >= start - pd.Timedelta(days=180))]
        assigned["orders"] = assigned["person_id"].map(in_window.groupby("person_id").size())
        assigned["spend_before"] = assigned["person_id"].map(
            before.groupby("person_id")["net_eur_amount"].sum()
        )
        assigned["is_randomised"] = action["is_randomised"] == "true"
        parts.append(assigned.fillna({"orders": 0, "spend_before": 0.0}))
    return pd.concat(parts, ignore_index=True)


def _difference(frame, column):
    """Treated minus control, and its standard error."""
    treated = frame.loc[frame["arm"] == "treated", column]
    control = frame.loc[frame["arm"] == "control", column]
    error = np.sqrt(treated.var() / len(treated) + control.var() / len(control))
    return treated.mean() - control.mean(), error


def test_at_least_six_campaigns_are_randomised_and_one_is_not(shop):
    is_randomised = shop.sources["actions"]["is_randomised"]
    assert (is_randomised == "true").sum() >= 6
    assert (is_randomised == "false").sum() >= 1


def test_randomised_arms_had_the_same_spend_before(outcomes):
    for action, frame in outcomes[outcomes["is_randomised"]].groupby("action_id"):
        difference, error = _difference(frame, "spend_before")
        assert abs(difference) < 3.5 * error, action


def test_the_targeted_campaign_is_confounded(outcomes):
    targeted = outcomes[~outcomes["is_randomised"]]
    difference, error = _difference(targeted, "spend_before")
    assert difference > 4 * error
    assert targeted["assignment_probability"].isna().all()


def test_pooled_effect_is_recovered_by_a_difference_of_means(shop, outcomes):
    truth = shop.truth["action_effects"]
    estimates, weights, expected = [], [], []
    for action, frame in outcomes[outcomes["is_randomised"]].groupby("action_id"):
        difference, error = _difference(frame, "orders")
        own = truth[truth["action_id"] == action]
        stated = np.average(own["incremental_orders"], weights=own["persons_count"])
        assert abs(difference - stated) < 3.5 * error, action
        estimates.append(difference)
        expected.append(stated)
        weights.append(1 / error**2)
    pooled = np.average(estimates, weights=weights)
    pooled_error = np.sum(weights) ** -0.5
    assert abs(pooled - np.average(expected, weights=weights)) < 3 * pooled_error
    assert pooled > 3 * pooled_error


def test_segments_respond_differently(shop):
    effects = shop.truth["action_effects"].groupby("action_id")["incremental_orders"]
    assert (effects.max() > 0.2).any()
    assert (effects.min() < 0).any()
    null = shop.truth["action_effects"]["action_id"].str.startswith("AUTUMNMAIL")
    assert (shop.truth["action_effects"].loc[null, "incremental_orders"] == 0).all()


def test_the_global_holdout_lasts_and_is_never_contacted(shop, outcomes):
    held = outcomes["arm"] == "global_holdout"
    by_person = held.groupby(outcomes["person_id"]).agg(["any", "all"])
    assert (by_person["any"] == by_person["all"]).all()
    assert 0.04 < by_person["all"].mean() < 0.06
    assert (outcomes.loc[held, "is_delivered"] == "false").all()
    assert (outcomes.loc[outcomes["arm"] == "control", "is_delivered"] == "false").all()


def test_assignment_probabilities_match_the_arms(outcomes):
    frame = outcomes[outcomes["is_randomised"]]
    for (action, arm), rows in frame.groupby(["action_id", "arm"]):
        stated = rows["assignment_probability"].astype(float).unique()
        size = (frame["action_id"] == action).sum()
        error = np.sqrt(stated[0] * (1 - stated[0]) / size)
        assert len(stated) == 1
        assert abs(len(rows) / size - stated[0]) < 4 * error, (action, arm)
