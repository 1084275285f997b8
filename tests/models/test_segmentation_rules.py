"""Rules in SQL: what DuckDB answers is the precision and recall that were told.

Add here a kind of feature or of missing value that a rule may ask about.
"""

import duckdb
import numpy as np
import pandas as pd
import pytest

from models_py.segmentation import descriptions, microsegment_rules
from models_py.segmentation.profiles import profile
from models_py.segmentation.scaling import fit_scales
from models_py.segmentation.specs import LayerSpec

FEATURES = ["average_order_amount", "recency_days", "favourite_category", "is_online_first"]


@pytest.fixture(scope="module")
def shop() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(11)
    count = 1_500
    amount = np.round(rng.lognormal(3.5, 0.8, count), 2)
    amount[rng.random(count) < 0.1] = np.nan
    category = rng.choice(["Home", "Toys", "Men's wear"], count).astype(object)
    category[rng.random(count) < 0.1] = None
    online = rng.choice(np.array([True, False, None], dtype=object), count)
    recency = rng.integers(0, 300, count)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(count)],
            "average_order_amount": amount,
            "recency_days": recency,
            "favourite_category": category,
            "is_online_first": online,
        }
    )
    stage = np.where(recency < 100, "active", "churned")
    part = np.select(
        [np.nan_to_num(amount) > 40.0, category == "Men's wear", online == True],  # noqa: E712
        ["01", "02", "03"],
        "04",
    )
    keys = [f"{where}-va-{number}" for where, number in zip(stage, part, strict=True)]
    assigned = frame[["customer_id"]].assign(stage=stage, microsegment_key=keys)
    return frame, assigned


def test_the_sql_of_a_rule_gives_the_precision_and_recall_that_are_told(
    shop: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    frame, assigned = shop
    rules = microsegment_rules(frame, assigned, FEATURES)
    assert len(rules) == 2 * assigned["microsegment_key"].nunique()
    connection = duckdb.connect()
    connection.register("features", frame)
    connection.register("segments", assigned)
    for rule in rules.itertuples():
        among = f"stage = '{rule.stage}'" if rule.scope == "stage" else "true"
        hits, matched = connection.execute(
            f"select count(*) filter (microsegment_key = '{rule.microsegment_key}'), count(*) "
            f"from features join segments using (customer_id) where {among} and ({rule.condition})"
        ).fetchall()[0]
        assert matched == rule.matched_count, rule.condition
        assert hits / rule.customers_count == pytest.approx(rule.recall, abs=1e-8)
        if matched:
            assert hits / matched == pytest.approx(rule.precision, abs=1e-8)
    clear = rules[(rules["scope"] == "stage") & rules["microsegment_key"].str.endswith("-01")]
    assert clear["precision"].min() == 1.0 and clear["recall"].min() == 1.0


def test_a_segment_that_is_its_whole_stage_needs_no_condition(
    shop: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    frame, assigned = shop
    whole = assigned.assign(microsegment_key=assigned["stage"] + "-all")
    rules = microsegment_rules(frame, whole, FEATURES).set_index(["microsegment_key", "scope"])
    assert rules.loc[("active-all", "stage"), "condition"] == "true"
    assert rules.loc[("active-all", "base"), "condition"] == "recency_days <= 99.5"
    assert rules.loc[("active-all", "base"), "precision"] == 1.0


def test_rules_do_not_depend_on_who_comes_first_and_constants_leave_none(
    shop: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    frame, assigned = shop
    rules = microsegment_rules(frame.assign(recency_days=1), assigned, ["recency_days"])
    assert rules["condition"].eq("false").all() and rules["recall"].eq(0.0).all()
    assert rules["precision"].isna().all()


def test_a_description_tells_the_number_of_customers_and_what_sets_them_apart(
    shop: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    frame, assigned = shop
    scales = {scale.feature: scale for scale in fit_scales(frame, LayerSpec(tuple(FEATURES)))}
    sizes = assigned["microsegment_key"].value_counts()
    stages = dict(zip(assigned["microsegment_key"], assigned["stage"], strict=True))
    told = descriptions(profile(frame, assigned, scales), stages | {"new-all": "new"}, sizes)
    assert told["new-all"] == "No customers of stage new today."
    assert told["active-va-01"].startswith(f"{sizes['active-va-01']:,} customers, ")
    assert "average order" in told["active-va-01"]
    assert "favourite category Men's wear 100% against" in told["active-va-02"]
