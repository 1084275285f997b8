"""Contracts: the published estimates, cohorts that borrow from each other, values that add up.

Add here a promise about renewals or what they pay.
Customers without a contract are tested in `test_lifetime_value_predict`.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import contracts
from models_py.lifetime_value.contract_value import ContractValue, group_contracts

AS_OF = dt.date(2024, 6, 30)
# Fader & Hardie (2007), table 1: survivors of 1,000 customers; they fit years 1 to 7.
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
HELD_OUT = {"high": [468, 445, 427, 409, 394], "regular": [223, 207, 194, 183, 173]}


def survivors(cohort: str, alive: list[int]) -> pd.DataFrame:
    last = len(alive) - 1
    rows = [(cohort, t, True, alive[t - 1] - alive[t]) for t in range(1, last + 1)]
    rows.append((cohort, last, False, alive[-1]))
    columns = ["cohort", "renewals_count", "is_ended", "contracts_count"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def published() -> ContractValue:
    groups = pd.concat([survivors("high", HIGH_END), survivors("regular", REGULAR)])
    return ContractValue(random_state=1, draws_kept=300).fit(groups)


@pytest.mark.parametrize(
    ("alive", "estimates", "log_likelihood"),
    [(HIGH_END, (0.668, 3.806), -1611.16), (REGULAR, (0.704, 1.182), -1680.27)],
)
def test_log_likelihood_at_published_estimates_is_its_maximum(alive, estimates, log_likelihood):
    data = contracts.statistics(survivors("x", alive))

    def at(alpha: float, beta: float) -> float:
        return float(contracts.log_likelihood(data, np.array([alpha]), np.array([beta]))[0])

    best = at(*estimates)
    assert best == pytest.approx(log_likelihood, abs=0.01)
    for factor in (0.97, 1.03):
        assert at(estimates[0] * factor, estimates[1]) < best
        assert at(estimates[0], estimates[1] * factor) < best


def test_derivatives_are_those_of_the_log_likelihood():
    data = contracts.statistics(survivors("x", REGULAR))
    at, step = np.array([[-0.4, 0.7]]), 1e-4

    def value(move: np.ndarray) -> float:
        return float(contracts.log_likelihood(data, *contracts.natural(at + move))[0])

    slope, curvature = contracts._derivatives(data, at)
    moves = step * np.eye(2)
    numeric = [(value(move) - value(-move)) / (2 * step) for move in moves]
    np.testing.assert_allclose(slope[0], numeric, rtol=1e-5)
    ahead, back = (
        [contracts._derivatives(data, at + sign * move)[0][0] for move in moves] for sign in (1, -1)
    )
    second = (np.array(ahead) - np.array(back)) / (2 * step)
    np.testing.assert_allclose(curvature[0], second, rtol=1e-5)


@pytest.mark.parametrize("spread", [0.1, 0.5, 1.5])
def test_cohorts_are_integrated_out_as_a_fine_grid_does(spread):
    groups = pd.concat([survivors("large", REGULAR), survivors("small", [9, 6, 4, 3])])
    data = contracts.statistics(groups)
    point = np.array([-1.0, 0.8, np.log(spread), np.log(spread)])
    axis = np.linspace(-7, 7, 351)
    z = np.stack(np.meshgrid(axis, axis), axis=-1)[..., None, :]  # (grid, grid, 1, 2)
    log_density = -0.5 * np.sum(z**2, axis=-1) - np.log(2 * np.pi)
    value = contracts.log_likelihood(data, *contracts.natural(point[:2] + spread * z)) + log_density
    top = value.max(axis=(0, 1))
    expected = top + np.log(np.exp(value - top).sum(axis=(0, 1)) * 0.04**2)
    np.testing.assert_allclose(contracts._log_integrals(data, point), expected, atol=0.01)


def test_posterior_holds_the_published_estimates_and_foresees_five_more_years(published):
    assert published.diagnostics_["k_hat"] < 0.7
    for cohort, estimates in (("high", (0.668, 3.806)), ("regular", (0.704, 1.182))):
        draws = published.draws_[[f"alpha[{cohort}]", f"beta[{cohort}]"]]
        distance = (draws.mean() - estimates) / draws.std()
        assert (distance.abs() < 1.5).all(), distance.to_dict()
        later = 1000 * published.retention(cohort, 12)[:, 8:]
        # Sampling of 1,000 customers is not in these: they are of the expectation.
        low, high = np.quantile(later, [0.01, 0.99], axis=0)
        noise = 2 * np.sqrt(np.array(HELD_OUT[cohort]) / 2)
        assert (low - noise <= HELD_OUT[cohort]).all()
        assert (HELD_OUT[cohort] <= high + noise).all()


def simulate(cohorts: int, size: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Cohorts of different length of history; the true share lost at the first renewal."""
    random = np.random.default_rng(seed)
    share = 1 / (1 + np.exp(-random.normal(-1.4, 0.5, cohorts)))
    rows = []
    for i in range(cohorts):
        history = 2 + i % 9
        leaving = random.beta(3 * share[i], 3 * (1 - share[i]), size)
        ends = random.geometric(leaving)
        for t in range(1, history + 1):
            rows.append((f"m{i:02d}", t, True, int(np.sum(ends == t))))
        rows.append((f"m{i:02d}", history, False, int(np.sum(ends > history))))
    columns = ["cohort", "renewals_count", "is_ended", "contracts_count"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame[frame["contracts_count"] > 0], share


def test_small_cohorts_borrow_from_the_others_and_their_spread_does_not_collapse():
    groups, share = simulate(12, 40, 4)
    draws, health = contracts.fit(groups, 300, 1)
    assert health["k_hat"] < 0.7
    lost = np.stack(
        [
            draws[f"alpha[m{i:02d}]"] / (draws[f"alpha[m{i:02d}]"] + draws[f"beta[m{i:02d}]"])
            for i in range(12)
        ],
        axis=1,
    )
    first = groups[groups["renewals_count"].eq(1) & groups["is_ended"]].set_index("cohort")
    raw = first["contracts_count"].reindex([f"m{i:02d}" for i in range(12)], fill_value=0) / 40
    assert np.mean((lost.mean(axis=0) - share) ** 2) < np.mean((raw - share) ** 2)
    low, high = np.quantile(lost, [0.05, 0.95], axis=0)
    assert np.sum((low <= share) & (share <= high)) >= 8  # fewer: probability 0.004
    new = draws["alpha"] / (draws["alpha"] + draws["beta"])
    assert new.std() > 0.05


def batch(count: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "contract_id": [f"k{i}" for i in range(count)],
            "cohort": (["high", "regular", "unheard of"] * count)[:count],
            "renewals_count": [0, 3, 1] * (count // 3),
            "period_amount": 10.0,
            "period_days": 30.0,
            "days_to_renewal": 15.0,
        }
    )


def test_values_are_renewals_times_amount_and_totals_add_up(published):
    table, totals = published.predict(batch(300), AS_OF)
    year = table[table["horizon_days"] == 365].set_index("contract_id")
    alpha, beta = published.draws_["alpha[high]"], published.draws_["beta[high]"]
    alive, expected = 1.0, 0.0
    for j in range(12):  # day 15, 45, ... 345
        alive = alive * (beta + j) / (alpha + beta + j)
        expected += alive.mean()
    assert year.loc["k0", "predicted_orders_mean"] == pytest.approx(expected, rel=1e-9)
    assert year.loc["k0", "predicted_revenue_mean"] == pytest.approx(10 * expected, rel=1e-9)
    assert year.loc["k0", "renewal_probability"] == pytest.approx(alive.mean(), rel=1e-9)
    assert (year["predicted_present_value_mean"] < year["predicted_revenue_mean"]).all()
    # Who has renewed three times is likelier to renew again than the regular plan as a whole.
    once = table[table["horizon_days"] == 30].set_index("contract_id")
    fresh = published.retention("regular", 1)[:, 1].mean()
    assert once.loc["k1", "renewal_probability"] > fresh + 0.1
    expected = table.groupby("horizon_days")["predicted_revenue_mean"].sum()
    np.testing.assert_allclose(totals.revenue.mean(axis=0), expected, rtol=0.03)
    shuffled = batch(300).sample(frac=1, random_state=1)
    parts = [published.predict(part, AS_OF)[1] for part in (shuffled[:77], shuffled[77:])]
    np.testing.assert_array_equal((parts[0] + parts[1]).revenue, totals.revenue)


def test_parameters_round_trip_through_plain_rows(published):
    again = ContractValue.from_parameters(published.parameters_frame(), random_state=1)
    (table, totals), (same_table, same_totals) = (
        model.predict(batch(), AS_OF) for model in (published, again)
    )
    pd.testing.assert_frame_equal(same_table, table)
    np.testing.assert_array_equal(same_totals.revenue, totals.revenue)
    rows = published.parameters_frame()
    with pytest.raises(ValueError, match="lack draws of alpha or beta"):
        ContractValue.from_parameters(rows[rows["parameter"] != "alpha"])


def test_contract_rows_become_renewals_as_of_a_date():
    rows = pd.DataFrame(
        {
            "contract_id": ["runs", "ended", "ends later", "starts later"],
            "plan": "gold",
            "started_on": ["2024-01-01", "2024-01-01", "2024-01-01", "2024-07-01"],
            "ended_on": [None, "2024-03-30", "2024-07-15", None],
            "period_amount": 9.0,
        }
    )
    groups, running = group_contracts(rows, AS_OF, 30)
    # Five months have passed by 30 June; 30 March is before the third renewal, which was refused.
    assert groups.to_dict("records") == [
        {"cohort": "gold 2024-01", "renewals_count": 3, "is_ended": True, "contracts_count": 1},
        {"cohort": "gold 2024-01", "renewals_count": 5, "is_ended": False, "contracts_count": 2},
    ]
    assert list(running["contract_id"]) == ["runs", "ends later"]
    assert (running["days_to_renewal"] == 1).all()


def counted(start, end, as_of, period):
    """Renewals of one contract, whether the last of them was refused, and days to the next."""
    row = {"contract_id": ["a"], "started_on": [start], "ended_on": [end], "period_amount": 1.0}
    groups, running = group_contracts(pd.DataFrame(row), dt.date.fromisoformat(as_of), period)
    days = running["days_to_renewal"].tolist()
    return (groups["renewals_count"].item(), groups["is_ended"].item(), *days)


@pytest.mark.parametrize(
    ("start", "end", "period", "refused"),
    [
        ("2023-01-01", "2023-01-31", 30.4375, 1),
        ("2023-01-01", "2023-01-31", 30, 1),
        ("2023-01-01", "2023-02-01", 30, 2),
        ("2024-01-01", "2024-12-31", 365.25, 1),
        ("2024-01-01", "2024-12-31", 365, 1),
        ("2023-01-01", "2023-12-31", 30, 12),
        ("2023-01-01", "2023-12-31", 30.4375, 12),
        ("2023-01-01", "2023-03-31", 90, 1),
        ("2023-07-01", "2023-09-30", 91.3, 1),
        ("2023-01-31", "2023-02-27", 30, 1),
        ("2023-01-02", "2023-01-29", 28, 1),  # four weeks are days
        ("2023-01-02", "2023-01-30", 28, 2),
    ],
)
def test_a_contract_refuses_the_first_renewal_after_its_last_day(start, end, period, refused):
    assert counted(start, end, "2025-06-30", period) == (refused, True)


@pytest.mark.parametrize(
    ("start", "as_of", "period", "passed", "wait"),
    [
        ("2023-02-01", "2023-02-28", 30.44, 0, 1),
        ("2023-02-01", "2023-03-01", 30.44, 1, 31),
        ("2023-02-01", "2023-03-01", 30, 1, 31),
        ("2024-02-29", "2025-02-28", 365, 1, 365),
        ("2023-01-31", "2023-02-28", 30, 1, 31),
        ("2023-01-01", "2023-04-01", 90, 1, 91),
        ("2023-01-02", "2023-01-29", 14, 1, 1),
        ("2023-01-02", "2023-01-10", 7.5, 1, 7),
    ],
)
def test_a_running_contract_has_passed_the_renewals_of_its_calendar(
    start, as_of, period, passed, wait
):
    assert counted(start, None, as_of, period) == (passed, False, wait)


def test_an_end_ahead_of_its_renewal_says_nothing_about_those_who_stay():
    ended = np.arange(1000) < 40
    rows = pd.DataFrame(
        {
            "contract_id": [f"k{i}" for i in range(1000)],
            "cohort": "annual",
            "started_on": pd.Timestamp("2025-06-01"),
            "ended_on": np.where(ended, np.datetime64("2025-10-15"), np.datetime64("NaT")),
            "period_amount": 9.0,
        }
    )
    open_, running = group_contracts(rows, dt.date(2025, 12, 31), 365)
    assert open_.drop(columns="cohort").to_numpy().tolist() == [[0, False, 1000]]
    assert list(running["contract_id"]) == list(rows["contract_id"][~ended])
    data = contracts.statistics(open_)
    assert data.leave.sum() == data.stay.sum() == 0
    # On the day of the renewal, those who stay have renewed and the others have refused.
    closed, _ = group_contracts(rows, dt.date(2026, 6, 1), 365)
    data = contracts.statistics(closed)
    assert (data.stay.tolist(), data.leave.tolist()) == ([[960.0]], [[40.0]])
    before, _ = group_contracts(rows, dt.date(2026, 5, 31), 365)
    assert not before["is_ended"].any()


def test_renewals_ahead_fall_on_the_calendar(published):
    """The first of each month, twelve times in 365 days; by days of 30.44 the last is too late."""
    row = batch().iloc[:1].assign(period_days=30.4375, days_to_renewal=31.0)
    table, _ = published.predict(row, dt.date(2025, 7, 1))
    alive = published.retention("high", 12).mean(axis=0)
    year = table.set_index("horizon_days").loc[365]
    assert year["predicted_orders_mean"] == pytest.approx(alive[1:].sum(), rel=1e-9)
    weekly, _ = published.predict(row.assign(period_days=7.0), dt.date(2025, 7, 1))
    found = weekly.set_index("horizon_days")["predicted_orders_mean"]
    expected = published.retention("high", 9).mean(axis=0)[1:].sum()  # day 31, 38, ... 87
    assert found[30] == 0 and found[90] == pytest.approx(expected, rel=1e-9)


def test_contracts_that_make_no_sense_are_refused(published):
    rows = survivors("x", REGULAR)
    with pytest.raises(ValueError, match="1 of 8 rows"):
        contracts.statistics(rows.assign(renewals_count=[0, *range(2, 8), 7]))
    with pytest.raises(ValueError, match="contracts_count is NULL in 8 rows"):
        contracts.statistics(rows.assign(contracts_count=np.nan))
    with pytest.raises(ValueError, match="0 of 0 rows"):
        contracts.statistics(rows.iloc[:0])
    with pytest.raises(ValueError, match="1 rows with a negative count"):
        published.predict(batch().assign(period_amount=[5.0, 0.0, 5.0]), AS_OF)
    wrong = {"contract_id": ["a"], "started_on": ["2024-02-01"], "ended_on": ["2024-01-01"]}
    with pytest.raises(ValueError, match="before started_on in 1 rows"):
        group_contracts(pd.DataFrame(wrong | {"period_amount": 1.0}), AS_OF, 30)


@pytest.mark.parametrize(("renewals", "is_ended"), [(0, False), (1, True)])
def test_one_contract_gives_a_sane_posterior(renewals, is_ended):
    row = {"cohort": "a", "renewals_count": renewals, "is_ended": is_ended, "contracts_count": 1}
    draws, _ = contracts.fit(pd.DataFrame([row]), 100, 1)
    assert np.isfinite(draws.to_numpy()).all()
    assert (draws > 0).all(axis=None)
    lost = draws["alpha[a]"] / (draws["alpha[a]"] + draws["beta[a]"])
    assert 0.02 < lost.mean() < 0.6
