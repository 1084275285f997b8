"""Lifecycle stages: each reached, exactly one each, and none that moves because others changed.

Add here a rule's border case.
Clusters inside a stage are tested in `test_segmentation_microsegments`.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation import STAGES, LifecycleRules, assign_stages, fit_star_value

RULES = LifecycleRules(star_value_amount=500.0)
COLUMNS = [
    "customer_id",
    "purchase_days_count",
    "tenure_days",
    "recency_days",
    "median_gap_days",
    "purchase_probability",
    "predicted_revenue_mean",
    "days_between_last_two_purchases",
]
ONE_OF_EACH = {
    "prospect": (0, None, None, None, None, None, None),
    "new": (1, 29, 29, None, 0.05, 900.0, None),
    "reactivated": (5, 700, 10, 40.0, 0.05, 20.0, 180.0),
    "churned": (5, 700, 90, 40.0, 0.09, 900.0, 30.0),
    "one_time": (1, 60, 60, None, 0.05, 900.0, None),
    "at_risk": (5, 700, 60, 40.0, 0.49, 900.0, 30.0),
    "star": (5, 700, 10, 10.0, 0.50, 500.0, 10.0),
    "active": (5, 700, 10, 10.0, 0.50, 499.99, 10.0),
}


def frame_of(rows: dict[str, tuple]) -> pd.DataFrame:
    return pd.DataFrame([(name, *values) for name, values in rows.items()], columns=COLUMNS)


def many_customers(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    purchases = rng.integers(0, 6, count)
    is_buyer = purchases > 0
    tenure = rng.integers(0, 900, count)
    return pd.DataFrame(
        {
            "customer_id": [f"c_{number:05d}" for number in range(count)],
            "purchase_days_count": purchases,
            "tenure_days": np.where(is_buyer, tenure, np.nan),
            "recency_days": np.where(is_buyer, (tenure * rng.random(count)).round(), np.nan),
            "median_gap_days": np.where(purchases > 2, rng.integers(1, 90, count), np.nan),
            "purchase_probability": np.where(is_buyer, rng.random(count), np.nan),
            "predicted_revenue_mean": np.where(is_buyer, rng.gamma(1.0, 100.0, count), np.nan),
            "days_between_last_two_purchases": rng.integers(1, 400, count).astype(float),
        }
    )


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_reached_at_the_border_of_its_rule(stage: str) -> None:
    answer = assign_stages(frame_of(ONE_OF_EACH), RULES).set_index("customer_id")
    assert answer.loc[stage, "stage"] == stage
    assert answer.loc[stage, "stage_rule"] == RULES.texts()[stage]


BORDERS = [
    # rule, just inside, just outside, and the stage outside
    ("new", (1, 29, 29, None, 0.6, 9.0, None), (1, 30, 30, None, 0.6, 9.0, None), "one_time"),
    (
        "reactivated",
        (5, 700, 29, 40.0, 0.6, 9.0, 180.0),
        (5, 700, 30, 40.0, 0.6, 9.0, 180.0),
        "active",
    ),
    (
        "reactivated",
        (5, 700, 29, 40.0, 0.6, 9.0, 180.0),
        (5, 700, 29, 40.0, 0.6, 9.0, 179.0),
        "active",
    ),
    (
        "churned",
        (5, 700, 90, 40.0, 0.0999, 9.0, 40.0),
        (5, 700, 90, 40.0, 0.1, 9.0, 40.0),
        "at_risk",
    ),
    (
        "churned",
        (5, 700, 90, 40.0, 0.05, 9.0, 40.0),
        (5, 700, 89, 40.0, 0.05, 9.0, 40.0),
        "at_risk",
    ),
    (
        "one_time",
        (1, 60, 60, None, 0.6, 9.0, None),
        (2, 60, 60, None, 0.6, 9.0, None),
        "active",
    ),
    (
        "at_risk",
        (5, 700, 20, 40.0, 0.4999, 9.0, 40.0),
        (5, 700, 20, 40.0, 0.5, 9.0, 40.0),
        "active",
    ),
    (
        "at_risk",
        (5, 700, 61, 10.0, 0.9, 9.0, 10.0),
        (5, 700, 60, 10.0, 0.9, 9.0, 10.0),
        "active",
    ),
    ("at_risk", (5, 700, 31, 2.0, 0.9, 9.0, 2.0), (5, 700, 30, 2.0, 0.9, 9.0, 2.0), "active"),
    (
        "star",
        (5, 700, 10, 40.0, 0.6, 500.0, 40.0),
        (5, 700, 10, 40.0, 0.6, 499.99, 40.0),
        "active",
    ),
]


@pytest.mark.parametrize(("stage", "inside", "outside", "other"), BORDERS)
def test_each_limit_of_a_rule_divides_where_it_says(stage, inside, outside, other) -> None:
    answer = assign_stages(frame_of({"inside": inside, "outside": outside}), RULES)
    assert answer["stage"].tolist() == [stage, other]


def test_the_order_decides_between_stages_that_both_fit() -> None:
    both = frame_of({"star_at_risk": (5, 700, 60, 40.0, 0.49, 900.0, 30.0)})
    assert assign_stages(both, RULES)["stage"].item() == "at_risk"
    stars_first = replace(RULES, order=("star", "at_risk"))
    answer = assign_stages(both, stars_first)
    assert answer["stage"].item() == "star"
    assert answer["stage_rule"].item() == "predicted revenue 500.00 or more"


@pytest.mark.parametrize("off", STAGES[1:-1])
def test_a_stage_that_is_switched_off_leaves_its_customers_to_the_next_that_fits(off) -> None:
    customers = many_customers(2_000)
    rules = replace(RULES, order=tuple(stage for stage in STAGES[1:-1] if stage != off))
    answer = assign_stages(customers, rules)
    assert off not in set(answer["stage"])
    assert answer["customer_id"].is_unique and answer["stage"].notna().all()
    before = assign_stages(customers, RULES)
    moved = before["stage"] != answer["stage"]
    assert set(before.loc[moved, "stage"]) == {off}


def test_the_text_of_a_rule_claims_no_more_than_the_order_makes_true() -> None:
    assert "neither new nor churned" in RULES.texts()["one_time"]
    late = replace(RULES, order=("one_time", "new", "churned")).texts()
    assert late["one_time"] == "exactly one purchase day"
    assert late["active"] == "bought before, and in no other stage"
    between = replace(RULES, order=("new", "one_time")).texts()
    assert between["one_time"] == "exactly one purchase day, not new"


def test_an_order_with_an_unknown_or_repeated_stage_is_refused() -> None:
    for order in (("new", "gone"), ("new", "new"), ("prospect",), ("active",)):
        with pytest.raises(ValueError, match=r"lifecycle\.order"):
            LifecycleRules(order=order)


def test_every_customer_has_exactly_one_stage_in_any_row_order() -> None:
    customers = many_customers(2_000)
    answer = assign_stages(customers, RULES)
    assert answer["customer_id"].is_unique
    assert set(answer["stage"]) == set(STAGES)
    shuffled = assign_stages(customers.sample(frac=1.0, random_state=1), RULES)
    pd.testing.assert_frame_equal(answer, shuffled)


def test_the_rule_names_its_numbers() -> None:
    texts = RULES.texts()
    assert "0.1" in texts["churned"] and "90 days" in texts["churned"]
    assert "500.00" in texts["star"]


def test_silence_beyond_the_own_rhythm_is_a_risk_whatever_the_forecast() -> None:
    weekly = (30, 700, 43, 7.0, 0.95, 100.0, 7.0)
    monthly = (30, 700, 43, 30.0, 0.95, 100.0, 30.0)
    answer = assign_stages(frame_of({"weekly": weekly, "monthly": monthly}), RULES)
    assert dict(zip(answer["customer_id"], answer["stage"], strict=True)) == {
        "weekly": "at_risk",
        "monthly": "active",
    }


def test_the_star_line_is_fitted_once_and_does_not_move_with_others() -> None:
    customers = many_customers(2_000)
    rules = fit_star_value(customers, LifecycleRules())
    stages = assign_stages(customers, rules)["stage"].value_counts()
    assert stages["star"] / (stages["star"] + stages["active"]) == pytest.approx(0.10, abs=0.01)
    alone = customers.iloc[[7]]
    together = assign_stages(customers, rules).set_index("customer_id")["stage"]
    assert assign_stages(alone, rules)["stage"].item() == together[alone["customer_id"].item()]


def test_without_the_optional_gap_nobody_is_reactivated() -> None:
    customers = many_customers(500).drop(columns="days_between_last_two_purchases")
    assert "reactivated" not in set(assign_stages(customers, RULES)["stage"])


def test_unusable_input_is_refused_with_the_remedy() -> None:
    customers = many_customers(50)
    with pytest.raises(ValueError, match="fit_star_value"):
        assign_stages(customers, LifecycleRules())
    with pytest.raises(ValueError, match=r"purchase_probability is NULL for .* Join the LTV slice"):
        assign_stages(customers.assign(purchase_probability=np.nan), RULES)
    with pytest.raises(ValueError, match="duplicates"):
        assign_stages(pd.concat([customers, customers]), RULES)
    with pytest.raises(ValueError, match="churned_probability"):
        LifecycleRules(churned_probability=0.6)
