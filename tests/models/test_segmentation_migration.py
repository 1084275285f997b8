"""Rates of one period and sizes to come, against movement whose truth is known.

Add here what must hold of counts once they are made. Counting customers is tested in
tests/warehouse/test_migrations.py, coverage on real shops is benchmarks/migration.py.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation.arrivals import ArrivalForecast
from models_py.segmentation.migration import migration_rates
from models_py.segmentation.migration_forecast import ForecastSettings, MigrationForecast
from models_py.segmentation.migration_history import past_counts

STAGES = ["active", "churned", "star"]
MEAN = np.array([[0.80, 0.15, 0.05, 0.0], [0.05, 0.95, 0.0, 0.0], [0.10, 0.05, 0.85, 0.0]])
AHEAD = (1, 3, 6)


def paths(counts, keys, group=None):
    """Rows of counts (from, to), only those that somebody took."""
    row, column = np.nonzero(counts)
    return pd.DataFrame(
        {
            "from_key": [keys[number] for number in row],
            "to_key": [keys[number] for number in column],
            "from_group": [group or keys[number] for number in row],
            "customers_count": counts[row, column],
        }
    )


def test_shares_of_a_key_sum_to_one_and_counts_to_its_size():
    rng = np.random.default_rng(1)
    keys = [f"active-{number}" for number in range(6)]
    table = paths(rng.integers(0, 30, (6, 6)), keys, "active")
    arrived = pd.DataFrame(
        {
            "from_key": [None, None],
            "to_key": keys[:2],
            "from_group": None,
            "customers_count": [3, 9],
        }
    )
    gone = pd.DataFrame(
        {"from_key": keys[:1], "to_key": [None], "from_group": "active", "customers_count": [4]}
    )
    rated = migration_rates(pd.concat([table, arrived, gone], ignore_index=True))
    by = rated.groupby(rated["from_key"].fillna("came"))
    assert np.allclose(by["share_of_from"].sum(), 1.0)
    assert (by["customers_count"].sum() == by["from_customers_count"].first()).all()
    assert (by["probability_mean"].sum() <= 1.0 + 1e-9).all()
    ordered = rated["probability_p05"].lt(rated["probability_mean"])
    assert (ordered & rated["probability_mean"].lt(rated["probability_p95"])).all()


def test_a_small_key_takes_the_rates_of_its_stage_and_a_large_one_keeps_its_own():
    keys = [f"active-{number}" for number in range(8)]
    counts = np.zeros((8, 8), dtype=int)
    for number in range(7):
        counts[number] = 25
        counts[number, number] = 825
    counts[7, 7], counts[7, 0] = 1, 1
    rated = migration_rates(paths(counts, keys, "active")).set_index(["from_key", "to_key"])
    small = rated.loc[("active-7", "active-7")]
    assert small["share_of_from"] == 0.5
    assert small["probability_mean"] > 0.7
    assert rated.loc[("active-1", "active-1"), "probability_mean"] == pytest.approx(0.825, abs=0.01)


@pytest.mark.parametrize("sizes", [(20, 60), (300, 900)])
def test_the_interval_of_a_path_holds_its_true_probability_nine_times_in_ten(sizes):
    """Keys of a stage alike but not equal, as the model has it; and the same keys all equal."""
    keys = [f"active-{number}" for number in range(10)]
    inside = []
    for seed in range(60):
        rng = np.random.default_rng([seed, *sizes])
        mean = rng.dirichlet(np.full(10, 0.8))
        truth = np.empty((10, 10))
        for row in range(10):
            moved = rng.dirichlet(30 * mean + 0.01) * 0.3
            truth[row] = moved
            truth[row, row] += 0.7
        counts = np.array([rng.multinomial(rng.integers(*sizes), chance) for chance in truth])
        rated = migration_rates(paths(counts, keys, "active"))
        true = truth[
            [keys.index(key) for key in rated["from_key"]],
            [keys.index(key) for key in rated["to_key"]],
        ]
        # Only paths that were taken have a row, and a rare path is taken when it looks likely:
        # paths that are nearly sure to be taken show no such selection.
        sure = true * rated["from_customers_count"] > 5
        inside += list(
            ((rated["probability_p05"] < true) & (true < rated["probability_p95"]))[sure]
        )
    assert len(inside) > 500
    assert np.mean(inside) == pytest.approx(0.90, abs=0.035)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"customers_count": [1, 0]}, "no customers"),
        ({"to_key": ["a", "a"]}, "comes twice"),
    ],
)
def test_rows_that_are_no_paths_are_refused(change, words):
    table = pd.DataFrame(
        {"from_key": ["a", "a"], "to_key": ["a", "b"], "from_group": "s", "customers_count": [1, 2]}
    )
    with pytest.raises(ValueError, match=words):
        migration_rates(table.assign(**change))


def chain(periods, spread, seed, size=2000, arrivals=60):
    """Counts, newcomers and sizes of months that differ by shocks, which stages share in part."""
    rng = np.random.default_rng([seed, periods])
    now, counts, came, sizes = np.full(3, size), [], [], [np.full(3, size)]
    for _ in range(periods):
        shock = spread * (rng.normal(size=4) + rng.normal(size=(3, 4))) / np.sqrt(2)
        chance = MEAN * np.exp(shock * (1 - np.eye(3, 4)))
        chance /= chance.sum(axis=1, keepdims=True)
        moved = rng.multinomial(now, chance)
        new = np.array([rng.poisson(arrivals * np.exp(spread * rng.normal())), 0, 0])
        now = moved.sum(axis=0)[:3] + new
        counts.append(moved)
        came.append(new)
        sizes.append(now)
    return np.stack(counts), np.stack(came), np.stack(sizes)


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_nine_in_ten_sizes_fall_into_the_interval_with_and_without_shocks(spread):
    inside = {ahead: [] for ahead in AHEAD}
    for seed in range(40):
        counts, came, sizes = chain(24, spread, seed)
        known = 18
        model = MigrationForecast(ForecastSettings(draws=200), [seed])
        drawn = model.fit(STAGES, STAGES, counts[:known], came[:known]).simulate(
            sizes[known], AHEAD
        )
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        for number, ahead in enumerate(AHEAD):
            actual = sizes[known + ahead]
            inside[ahead] += list((low[number] <= actual) & (actual <= high[number]))
    found = {ahead: np.mean(values) for ahead, values in inside.items()}
    # Assumed shocks are there even where the truth has none, so no shocks are covered too well.
    assert all(0.84 <= share <= (0.96 if spread else 1.0) for share in found.values()), found


def test_without_shocks_the_interval_of_shocked_months_is_far_too_narrow():
    """What the shocks are for: the plain Dirichlet-multinomial chain on the same months."""
    still = ForecastSettings(draws=300, shock_scale=0.0)
    inside = []
    for seed in range(30):
        counts, came, sizes = chain(19, 0.25, seed, size=20_000)
        model = MigrationForecast(still, [seed]).fit(STAGES, STAGES, counts[:18], came[:18])
        model.shocks_ = np.zeros_like(model.shocks_)
        model._last = np.zeros_like(model._last)
        low, high = np.quantile(model.simulate(sizes[18], [1])[:, 0], [0.05, 0.95], axis=0)
        inside += list((low <= sizes[19]) & (sizes[19] <= high))
    assert np.mean(inside) < 0.6


def test_few_past_periods_give_a_wide_interval():
    counts, came, sizes = chain(18, 0.0, 5)
    width = {}
    for known in (1, 18):
        model = MigrationForecast(random_state=[1]).fit(
            STAGES, STAGES, counts[:known], came[:known]
        )
        low, high = np.quantile(model.simulate(sizes[known], [3])[:, 0], [0.05, 0.95], axis=0)
        width[known] = (high - low).sum()
    assert width[1] > 1.5 * width[18]


def test_the_same_seed_gives_the_same_sizes_and_everybody_stands_somewhere():
    counts, came, sizes = chain(10, 0.2, 3, arrivals=0)
    draws = [
        MigrationForecast(random_state=[4])
        .fit(STAGES, STAGES, counts, came)
        .simulate(sizes[-1], AHEAD)
        for _ in range(2)
    ]
    assert (draws[0] == draws[1]).all()
    assert (draws[0].sum(axis=2) == sizes[-1].sum()).all()


def test_idle_keys_are_forecast_and_micro_segments_share_the_shocks_of_their_stage():
    rng = np.random.default_rng(2)
    keys = ["active-1", "active-2", "active-3", "churned-all"]
    stages = ["active", "active", "active", "churned"]
    counts, arrivals = np.zeros((8, 4, 5)), np.zeros((8, 4))
    for period in range(8):
        share = 0.2 * np.exp(0.5 * rng.normal())
        for row in (0, 1):
            counts[period, row, row] = 500 * (1 - share)
            counts[period, row, 3] = 500 * share
        counts[period, 3, 3] = 100
    model = MigrationForecast(random_state=[1]).fit(keys, stages, counts, arrivals)
    drawn = model.simulate(np.array([500, 500, 0, 100]), [1])[:, 0]
    assert drawn[:, 2].mean() < 25  # nobody was ever seen there, and hardly anybody is expected
    # The month is bad for both segments at once.
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] > 0.6


@pytest.mark.parametrize(
    ("counts", "arrivals", "words"),
    [
        (np.zeros((0, 3, 4)), np.zeros((0, 3)), "one past period"),
        (np.zeros((2, 3, 3)), np.zeros((2, 3)), "counts must be"),
        (np.zeros((2, 3, 4)), np.zeros((1, 3)), "arrivals must be"),
        (np.full((2, 3, 4), -1.0), np.zeros((2, 3)), "negative"),
    ],
)
def test_counts_that_cannot_be_learned_from_are_refused(counts, arrivals, words):
    with pytest.raises(ValueError, match=words):
        MigrationForecast().fit(STAGES, STAGES, counts, arrivals)


def test_nobody_comes_where_nobody_ever_came():
    model = ArrivalForecast(3.0, 4.0, 0.2).fit(np.zeros((5, 3)))
    assert model.paths(6, 50, np.random.default_rng(1)).sum() == 0


def test_newcomers_follow_the_recent_level():
    counts = np.array([[10, 0]] * 6 + [[100, 0]] * 6)
    model = ArrivalForecast(2.0, 4.0, 0.2).fit(counts)
    paths_of = model.paths(1, 400, np.random.default_rng(1))
    assert 70 < np.median(paths_of.sum(axis=2)) < 105 and paths_of[:, :, 1].sum() == 0


def migrations(rows):
    columns = ["as_of_date", "cause", "from_key", "to_key", "customers_count"]
    return pd.DataFrame(rows, columns=columns)


def test_past_counts_are_read_in_the_keys_of_today():
    """Key a was split by the refit of the second period: 3 of 4 customers went to b."""
    table = migrations(
        [
            (1, "behaviour", "a", "a", 80),
            (1, "behaviour", "a", "c", 20),
            (1, "behaviour", None, "a", 8),
            (1, "refit", "a", "a", 88),
            (1, "refit", "c", "c", 20),
            (2, "behaviour", "a", "a", 60),
            (2, "behaviour", "a", None, 28),
            (2, "behaviour", "c", "c", 20),
            (2, "refit", "a", "a", 15),
            (2, "refit", "a", "b", 45),
            (2, "refit", "c", "c", 20),
        ]
    )
    counts, arrivals = past_counts(table, ["a", "b", "c"])
    assert counts.shape == (2, 3, 4)
    assert counts[0].tolist() == [[20, 0, 5, 0], [0, 60, 15, 0], [0, 0, 0, 0]]
    assert arrivals.tolist() == [[2, 6, 0], [0, 0, 0]]
    assert counts[1].tolist() == [[15, 0, 0, 7], [0, 45, 0, 21], [0, 0, 20, 0]]


def test_a_key_that_nobody_descends_from_is_left_out():
    table = migrations([(1, "behaviour", "x", "x", 5), (1, "behaviour", "a", "a", 7)])
    counts, _ = past_counts(table, ["a"])
    assert counts.tolist() == [[[7.0, 0.0]]]
    assert past_counts(table.head(0), ["a"])[0].shape == (0, 1, 2)


def test_a_period_whose_keys_are_gone_is_no_period_that_was_learned_from():
    table = migrations([(1, "behaviour", "x", "x", 5), (2, "behaviour", "a", "a", 7)])
    counts, arrivals = past_counts(table, ["a"])
    assert counts.tolist() == [[[7.0, 0.0]]] and len(arrivals) == 1
