"""Who is blamed for a bad forecast: a planted bad fit is stopped, the one that follows it is not.

Add here a rule of rejection. What a backtest reports of fits that were in force then is tested in
test_backtest_run.py.
"""

import datetime as dt

import pandas as pd
import pytest

from dagster_project import backtest_rejection as rejection
from dagster_project.backtest_run import run
from dagster_project.backtest_verdict import Judged
from dagster_project.model_registry import Fit, predecessor, store, version_in_force
from dagster_project.result_tables import LTV_BACKTESTS
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import LifetimeValue
from tests.warehouse.backtest_shop import (
    ORIGINS,
    TODAY,
    features,
    fill,
    orders_of,
    purchases,
)

LAST = ORIGINS[-1]
DRAWS = pd.DataFrame({"model": ["m"], "draw": [0], "parameter": ["r"], "value": [1.0]})


@pytest.fixture(scope="module")
def shop():
    return purchases(300)


def fitted(amounts: float) -> LifetimeValue:
    """Nearly the truth of the shop, but for amounts that are so many times too high."""
    at = {"r": 0.9, "alpha": 25 / 7, "a": 0.8, "b": 3.0, "p": 3.0, "q": 4.0, "v": 40.0 * amounts}
    rows = [
        ("spend" if name in "pqv" else "mbg_nbd", draw, name, value)
        for draw in range(100)
        for name, value in at.items()
    ]
    frame = pd.DataFrame(rows, columns=["model", "draw", "parameter", "value"])
    return LifetimeValue.from_parameters(frame, horizons_days=(30,))


@pytest.fixture(scope="module")
def models() -> dict[str, LifetimeValue]:
    return {"good": fitted(1.0), "less_bad": fitted(50.0), "bad": fitted(80.0)}


@pytest.fixture
def warehouse(shop, tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        fill(warehouse, orders_of(shop), [features(shop, LAST)])
        yield warehouse


def judge(warehouse, models, then: str, new: str, same_day: bool = False) -> tuple[str, str, bool]:
    """Store a fit of the first origin and one of today, backtest, and reject if it must be.

    Returns the earlier fit, the new one, and whether it was rejected.
    """
    day = TODAY if same_day else ORIGINS[0]
    fits = [Fit("lifetime_value", ORIGINS[0], "0" * 10, DRAWS)] if same_day else []
    fits += [Fit("lifetime_value", day, "1" * 10, DRAWS)]
    fits += [Fit("lifetime_value", TODAY, "2" * 10, DRAWS)]
    *_, old, judged = [store(warehouse, fit) for fit in fits]
    names = {judged: new, old: then}
    made_then = old if day < TODAY else store_name(0)
    names.setdefault(made_then, then)
    earlier = predecessor(warehouse, judged)
    found = run(
        warehouse,
        TODAY,
        {LAST: made_then},
        lambda version: models[names[version]],
        (30,),
        judged=Judged(judged, earlier),
    )
    warehouse.replace_slice(LTV_BACKTESTS, found.scores, {"as_of_date": TODAY})
    worse = rejection.worse_than(warehouse, TODAY)
    return old, judged, bool(worse) and rejection.reject(warehouse, TODAY, judged, earlier, worse)


def store_name(digit: int) -> str:
    return f"lifetime_value-{ORIGINS[0]:%Y%m%d}-{str(digit) * 10}"


def status(warehouse, version: str) -> str:
    return warehouse.scalar(
        "select status from models.model_versions where model_version_id = ?", [version]
    )


def test_a_bad_fit_is_blocked_and_the_table_says_why(warehouse, models):
    old, bad, is_rejected = judge(warehouse, models, then="good", new="bad")
    assert is_rejected
    assert version_in_force(warehouse, "lifetime_value", TODAY) == (old, ORIGINS[0])
    because = warehouse.scalar(
        "select rejected_because from models.model_versions where model_version_id = ?", [bad]
    )
    assert "revenue over 30 days forecast significantly worse than by the baseline nbd" in because
    # The good fits of the time are not blamed, and made their own rows.
    assert rejection.worse_than(warehouse, TODAY, rejection.OF_FITS_THEN) == []
    made = warehouse.frame(
        "select distinct model_version_id, contains(metric, 'verdict') as is_verdict "
        "from predictions.ltv_backtests where metric in ('revenue_crps_verdict_gain', "
        "'revenue_crps_gain', 'revenue_crps') order by all"
    )
    assert set(made.itertuples(index=False, name=None)) == {(old, False), (bad, True)}
    # A second run of that date finds the same fit to judge.
    assert rejection.judged_version(warehouse, TODAY) == bad
    assert rejection.judged_version(warehouse, TODAY + dt.timedelta(days=1)) is None


def test_a_good_fit_is_not_blamed_for_what_a_bad_one_forecast(warehouse, models):
    _, good, is_rejected = judge(warehouse, models, then="bad", new="good")
    assert not is_rejected
    assert rejection.worse_than(warehouse, TODAY) == []
    assert status(warehouse, good) == "promoted"
    then = rejection.worse_than(warehouse, TODAY, rejection.OF_FITS_THEN)
    assert any("baseline nbd" in reason for reason in then)


@pytest.mark.parametrize(("new", "is_rejected"), [("less_bad", False), ("bad", True)])
def test_a_bad_fit_gives_way_only_to_one_that_does_no_worse(warehouse, models, new, is_rejected):
    """Else the first bad fit would stay for ever: each later one would be rejected for its sake."""
    other = {"less_bad": "bad", "bad": "less_bad"}[new]
    _, judged, found = judge(warehouse, models, then=other, new=new)
    assert rejection.worse_than(warehouse, TODAY) != []
    assert found is is_rejected
    assert status(warehouse, judged) == ("rejected" if is_rejected else "promoted")


def test_the_only_fit_stays_for_lack_of_a_better(warehouse, models):
    store(warehouse, Fit("lifetime_value", TODAY, "2" * 10, DRAWS))
    reasons = ["orders"]
    assert not rejection.reject(warehouse, TODAY, "any", None, reasons)


def test_a_rejected_fit_gives_its_place_back_to_that_of_the_same_day(warehouse, models):
    old, bad, is_rejected = judge(warehouse, models, then="good", new="bad", same_day=True)
    assert is_rejected
    assert version_in_force(warehouse, "lifetime_value", TODAY) == (old, TODAY)
    assert rejection.judged_version(warehouse, TODAY) == bad
    # Nor do a second and a third run of the backtest put the good fit on trial.
    for _ in range(2):
        earlier = predecessor(warehouse, bad)
        assert earlier == old
        assert rejection.reject(warehouse, TODAY, bad, earlier, [rejection.WORSE])
        assert rejection.judged_version(warehouse, TODAY) == bad
        assert version_in_force(warehouse, "lifetime_value", TODAY) == (old, TODAY)
    # A third fit of that day, of other data, is judged itself.
    third = store(warehouse, Fit("lifetime_value", TODAY, "3" * 10, DRAWS))
    assert rejection.judged_version(warehouse, TODAY) == third
