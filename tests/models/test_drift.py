"""Drift of profiles: silent on what is the same, loud on what was planted.

Add here a kind of drift that went unseen, as the smallest profile that shows it. Taking profiles is
tested in the warehouse tests.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.drift import compare_profiles, population_stability_index

LIMITS = {
    "compared_landings": 3,
    "max_psi": 0.25,
    "max_volume_change": 0.3,
    "max_null_share_change": 0.05,
}
STATUSES = {"paid": 0.7, "shipped": 0.2, "cancelled": 0.1}


def landing(number, rows=4_000, statuses=STATUSES, empty=0.02):
    columns = ["landing_number", "shape", "column_name", "measure", "bucket", "measured_value"]
    table = [
        (number, "orders", "", "rows_count", "", rows),
        (number, "orders", "status", "null_share", "", empty),
        *((number, "orders", "status", "share", code, s) for code, s in statuses.items()),
    ]
    return pd.DataFrame(table, columns=columns).assign(rows_count=rows)


def flagged(*landings):
    profiles = pd.concat(landings)
    found = compare_profiles(profiles, int(profiles["landing_number"].max()), **LIMITS)
    return {(row.column_name, row.measure) for row in found[found["is_flagged"]].itertuples()}


def test_the_first_landing_has_nothing_to_drift_from():
    assert compare_profiles(landing(1), 1, **LIMITS).empty


def test_identical_landings_have_no_drift_at_all():
    found = compare_profiles(pd.concat([landing(1), landing(2), landing(3)]), 3, **LIMITS)
    assert len(found) == 3
    assert (found["drift"] == 0).all() and not found["is_flagged"].any()
    assert set(found["landings_compared"]) == {2}


def test_a_code_spelt_anew_is_flagged_with_before_and_after():
    changed = landing(2, statuses={"PAID": 0.7, "shipped": 0.2, "cancelled": 0.1})
    found = compare_profiles(pd.concat([landing(1), changed]), 2, **LIMITS)
    row = found[found["is_flagged"]].iloc[0]
    assert (row["column_name"], row["measure"]) == ("status", "distribution")
    assert (row["before_value"], row["after_value"]) == ("PAID 0.0%", "PAID 70.0%")


@pytest.mark.parametrize(
    ("planted", "measure"),
    [
        ({"rows": 2_000}, ("", "rows_count")),
        ({"rows": 6_000}, ("", "rows_count")),
        ({"empty": 0.2}, ("status", "null_share")),
    ],
)
def test_volume_and_empty_values_are_flagged(planted, measure):
    assert flagged(landing(1), landing(2, **planted)) == {measure}


def test_the_median_of_the_last_landings_forgives_one_bad_one():
    assert flagged(landing(1), landing(2, rows=100), landing(3), landing(4)) == set()
    assert flagged(landing(1), landing(2), landing(3), landing(4, rows=100)) == {("", "rows_count")}


def test_a_table_that_begins_is_no_drift_and_one_that_ends_is():
    assert flagged(landing(1, rows=0, statuses={}), landing(2)) == set()
    assert ("", "rows_count") in flagged(landing(1), landing(2, rows=0, statuses={}))


def test_chance_on_few_rows_raises_no_alarm():
    """1,000 pairs of samples of 60 from one distribution: about one may be beyond the limit."""
    random = np.random.default_rng(3)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    alarms = 0
    for _ in range(1_000):
        before, after = random.multinomial(60, shares, size=2) / 60
        index, by_chance = population_stability_index(before, after, 60, 60)
        alarms += index > max(0.25, by_chance)
    assert alarms <= 5


def test_the_index_is_the_textbook_one_on_many_rows():
    index, by_chance = population_stability_index(
        np.array([0.5, 0.5]), np.array([0.8, 0.2]), 1e9, 1e9
    )
    assert index == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4), rel=1e-6)
    assert by_chance < 1e-7
