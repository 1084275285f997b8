"""What past misses add to the interval of a total, when it is refused, and what its status is.

Add here a property of intervals of totals, on numbers by hand or on a small simulated shop. The
study that chose the constants is benchmarks/discrepancy.py.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from models_py.lifetime_value import PastTotal, TotalDiscrepancy, TotalStatus
from models_py.lifetime_value.discrepancy import ASSUMPTIONS, since_the_break
from models_py.lifetime_value.past_blocks import Miss, blocks_up_to, chance_of, misses_up_to
from models_py.lifetime_value.total_status import hindsight, is_plausible

MONTH = 30


def past(*rows):
    return [PastTotal(*row) for row in rows]


def months(log_ratios, first=0, size=1000.0):
    """Totals of successive months that came to exp(log ratio) of their forecast."""
    return [
        PastTotal(first + MONTH * number, MONTH, size * float(np.exp(ratio)), size)
        for number, ratio in enumerate(log_ratios)
    ]


def drawn(chance=0.03, size=1000.0):
    return {MONTH: size * np.exp(chance * stats.norm.ppf((np.arange(100) + 0.5) / 100))}


def ends(totals, today, draws):
    """Lower end, median and upper end of the 90 % interval over the mean, without a refusal."""
    found = TotalDiscrepancy.of_horizon(totals, MONTH, today, draws)
    summary = found.summarise(draws[MONTH][:, None], "total", 1)
    return [summary[f"total_{name}"][0] / draws[MONTH].mean() for name in ("p05", "p50", "p95")]


def judged(totals, today, draws, horizon=MONTH):
    _, median, upper = ends(totals, today, draws)
    return TotalStatus.judge(totals, horizon, today, draws, median, upper)


def test_blocks_of_a_length_do_not_overlap_nor_reach_beyond_today_nor_the_horizon():
    totals = past(
        (0, 30, 1, 1), (20, 30, 1, 1), (60, 30, 1, 1), (80, 30, 1, 1), (0, 90, 1, 1), (5, 60, 1, 0)
    )
    found = blocks_up_to(totals, 60, 100)
    assert [[block.origin_day for block in blocks] for blocks in found] == [[60, 20]]
    found = blocks_up_to(totals, 365, 110)
    assert [[block.origin_day for block in blocks] for blocks in found] == [[80, 20], [0]]


def test_the_chance_in_a_past_block_is_that_of_its_size():
    draws = {30: np.array([90.0, 110.0]), 90: np.array([290.0, 310.0])}
    totals = past((0, 30, 120, 100), (30, 30, 60, 50), (0, 90, 330, 300), (0, 60, 210, 200))
    short, middle, long = misses_up_to(totals, 90, 90, draws)
    month = chance_of(draws[30])
    assert [miss.chance for miss in short] == pytest.approx([np.sqrt(2) * month, month])
    assert middle[0].chance == 0 and long[0].chance == pytest.approx(chance_of(draws[90]))
    assert short[0].log_ratio == pytest.approx(np.log(1.2))


def test_without_past_blocks_the_prior_speaks_within_its_bounds():
    learned = TotalDiscrepancy.learn([], 0)
    assert learned.blocks_count == 0 and learned.weights.sum() == pytest.approx(1)
    assert (learned.scales[0], learned.scales[-1]) == pytest.approx((0.01, 0.5))
    expected = stats.halfcauchy(scale=0.07).pdf(learned.scales) * learned.scales
    np.testing.assert_allclose(learned.weights, expected / expected.sum())


def test_the_posterior_of_the_scale_is_that_of_bayes():
    blocks = [Miss(0, 30, 0.2, 0.05), Miss(30, 30, -0.1, 0.03)]
    plain = replace(ASSUMPTIONS, half_life_days=np.inf)
    learned = TotalDiscrepancy.learn([blocks], 60, plain)
    likelihood = np.prod(
        [stats.norm(0, np.hypot(learned.scales, b.chance)).pdf(b.log_ratio) for b in blocks], axis=0
    )
    expected = stats.halfcauchy(scale=0.07).pdf(learned.scales) * learned.scales * likelihood
    np.testing.assert_allclose(learned.weights, expected / expected.sum())
    # Half a year later they count as one block, and twice over under each other as once.
    twice = [blocks, [replace(block, horizon_days=29) for block in blocks]]
    np.testing.assert_allclose(TotalDiscrepancy.learn(twice, 60, plain).weights, learned.weights)
    half = TotalDiscrepancy.learn([[replace(b, origin_day=0) for b in blocks]], 210)
    expected = stats.halfcauchy(scale=0.07).pdf(learned.scales) * learned.scales * likelihood**0.5
    np.testing.assert_allclose(half.weights, expected / expected.sum())


def test_what_chance_explains_widens_nothing():
    quiet = TotalDiscrepancy.learn(
        [[Miss(30 * n, 30, 0.1 * (-1) ** n, 0.1) for n in range(9)]], 300
    )
    loud = TotalDiscrepancy.learn([[Miss(30 * n, 30, 0.1 * (-1) ** n) for n in range(9)]], 300)
    prior = TotalDiscrepancy.learn([], 300)
    assert quiet.scale < 0.6 * prior.scale and loud.scale == pytest.approx(0.1, rel=0.35)
    assert quiet.scale < 0.7 * loud.scale


def test_blocks_that_have_not_ended_are_refused():
    with pytest.raises(ValueError, match="1 past blocks end after day 29"):
        TotalDiscrepancy.learn([[Miss(0, 30, 0.1)]], 29)


def test_the_mean_stays_and_the_law_of_the_discrepancy_is_met_with_any_seed():
    learned = TotalDiscrepancy.learn([[Miss(0, 30, 0.25), Miss(30, 30, -0.25)]], 60)
    draws = np.full((50, 2), 1000.0)
    for seed in range(3):
        summary = learned.summarise(draws, "revenue", random_state=seed)
        np.testing.assert_array_equal(summary["revenue_mean"], 1000)
        upper = np.log(summary["revenue_p95"][0] / 1000)
        below = learned.weights @ stats.norm.cdf(upper / learned.scales)
        assert below == pytest.approx(0.95, abs=0.002)
        assert learned.probability_below(Miss(0, 30, upper)) == pytest.approx(below)
    spread = [
        learned.summarise(np.random.default_rng(0).normal(1000, 20, (400, 1)), "r", seed)["r_p95"][
            0
        ]
        for seed in range(20)
    ]
    assert np.std(spread) < 0.01 * np.mean(spread), "an end of the interval is not a matter of luck"


def test_one_discrepancy_is_shared_by_all_segments_of_a_draw():
    draws = np.ones((50, 3)) * [1.0, 2.0, 4.0]
    applied = TotalDiscrepancy.learn([], 0).apply(draws, random_state=1)
    np.testing.assert_allclose(applied[:, 1] / applied[:, 0], 2.0)
    np.testing.assert_allclose(applied[:, 2] / applied[:, 0], 4.0)
    assert applied[:, 0].std() > 0.05


def test_a_planted_break_is_refused_at_its_first_block_and_answered_after_its_last():
    calm = 0.05 * np.random.default_rng(4).standard_normal(30)
    broken = np.where((np.arange(30) >= 12) & (np.arange(30) < 16), calm + np.log(6), calm)
    totals, draws = months(broken), drawn()
    before = ends(totals, MONTH * 12, draws)
    statuses = {}
    for done in range(9, 31):
        known = [total for total in totals if total.origin_day + MONTH <= MONTH * done]
        statuses[done] = judged(known, MONTH * done, draws)
        low, _, high = ends(known, MONTH * done, draws)
        # Three deviations of chance beside what the greatest scale reaches.
        assert high < np.exp(1.645 * 0.5 + 0.1) and low > np.exp(-1.645 * 0.5 - 0.1)
    refused = [done for done, found in statuses.items() if found.is_refused]
    assert refused == [13, 14, 15, 16]
    assert (
        statuses[13].reason.endswith(f"over {MONTH} days: 1, 0.98, 6.3")
        or "6" in (statuses[13].reason.split(", ")[-1])
    )
    low, _, high = ends(totals[:20], MONTH * 20, draws)
    assert high - low < 1.5 * (before[2] - before[0]), "four months on, what the break did is over"


def test_without_forgetting_the_break_would_widen_for_years():
    broken = [0.03, -0.04] * 6 + [2.0] * 4 + [0.03, -0.04] * 6
    by_length = misses_up_to(months(broken), MONTH, MONTH * len(broken), drawn())
    kept = since_the_break(by_length)
    assert [len(blocks) for blocks in kept] == [12]
    day = MONTH * len(broken)
    remembered = TotalDiscrepancy.learn(by_length, day, replace(ASSUMPTIONS, forgets_breaks=False))
    assert remembered.scale > 5 * TotalDiscrepancy.learn(by_length, day).scale
    longer = [*by_length, [Miss(MONTH * 14, 90, 1.0), Miss(MONTH * 17, 90, 0.1)]]
    assert [len(blocks) for blocks in since_the_break(longer)] == [12, 1]


def test_a_miss_is_far_beyond_twice_and_beyond_chance():
    assert Miss(0, 30, np.log(2.1)).is_far and Miss(0, 30, -np.log(2.1)).is_far
    assert not Miss(0, 30, np.log(1.9)).is_far
    assert not Miss(0, 30, np.log(2.1), 0.05).is_far


def test_an_interval_that_says_nothing_is_refused_but_an_empty_shop_is_not():
    totals, draws = months([0.1, 0.0, -0.1]), drawn()
    found = TotalStatus.judge(totals, MONTH, 90, draws, 10.0, 101.0)
    assert found == TotalStatus("refused", "the upper end is 10 times the median")
    assert not TotalStatus.judge(totals, MONTH, 90, draws, 10.0, 99.0).is_refused
    assert not TotalStatus.judge(totals, MONTH, 90, draws, 0.0, 1.0).is_refused


@pytest.mark.parametrize("actual", [0.0, 1.0])
def test_a_total_that_falls_to_nothing_is_a_far_miss_and_later_forgotten(actual):
    steady = [0.03, -0.02, 0.01, -0.03, 0.02, 0.0, -0.01, 0.03, -0.02]
    size = 100_000.0
    totals, draws = months(steady, size=size), drawn(size=size)
    fallen = [*totals, PastTotal(MONTH * 9, MONTH, actual, size)]
    found = judged(fallen, MONTH * 10, draws)
    assert found.is_refused and found.reason.endswith("1, 0.98, 1e-05")
    after = [*fallen, *months([0.01, -0.01], first=MONTH * 10, size=size)]
    assert not judged(after, MONTH * 12, draws).is_refused
    low, _, high = ends(after, MONTH * 12, draws)
    assert high - low < 0.6, "what the break did is over"
    # No first order yet is no break, and neither is 0 where two were expected.
    early = [PastTotal(-MONTH, MONTH, 0.0, size), *totals]
    assert judged(early, MONTH * 9, draws) == judged(totals, MONTH * 9, draws)
    assert misses_up_to(past((0, 30, 1, 2), (30, 30, 0, 2)), 30, 60, {})[0][0].log_ratio == (
        pytest.approx(-np.log(2))
    )


def test_totals_that_never_came_to_anything_are_refused_until_one_does():
    draws = drawn(size=0.5)
    nothing = past((0, 30, 0, 0.5), (30, 30, 0, 0.5), (0, 60, 0, 0.9))
    for horizon in (MONTH, 365):
        found = TotalStatus.judge(nothing, horizon, 60, draws, 0.5, 0.8)
        assert found == TotalStatus("refused", "none of the 3 totals tested came to anything")
    assert TotalStatus.judge(nothing, MONTH, 29, draws, 0.5, 0.8).status == "extrapolated"
    first = [*nothing, PastTotal(60, MONTH, 0.6, 0.5)]
    assert TotalStatus.judge(first, MONTH, 90, draws, 0.5, 0.8).status == "uncalibrated"


def test_status_follows_the_past_intervals_of_the_very_horizon():
    steady, draws = [0.06, -0.05, 0.02, -0.08, 0.05, 0.0, -0.03, 0.07, -0.04], drawn()
    assert judged(months(steady), 300, draws).status == "calibrated"
    assert judged(months(steady), 300, draws).reason == (
        "9 of 9 past totals were inside their 90% interval"
    )
    few = judged(months(steady[:7]), 300, draws)
    assert (few.status, few.reason) == (
        "uncalibrated",
        "7 past totals over 30 days, 8 are needed",
    )
    untested = TotalStatus.judge(months(steady), 90, 300, draws, 1.0, 1.1)
    assert (untested.status, untested.reason) == (
        "extrapolated",
        "no total over 90 days has been tested",
    )
    jumpy = [0.01, -0.01, 0.0, 0.01, -0.01, 0.25, -0.45, 0.65]
    found = judged(months(jumpy), 240, draws)
    assert found.status == "uncalibrated" and found.reason.startswith("5 of 8 past totals")


def test_an_interval_of_the_past_is_made_from_its_own_past_only():
    wild = [0.0] * 8 + [0.3] + [0.6, -0.6] * 4
    totals, draws = months(wild), drawn(0.01)
    own = misses_up_to(totals, MONTH, 600, draws)[0]
    known = [miss for miss in own if miss.origin_day <= MONTH * 8]
    assert hindsight(totals, known, draws)[0] is False, "later misses would have covered it"


def test_how_many_of_past_intervals_may_miss():
    for count in (8, 12, 30):
        expected = {
            held
            for held in range(count + 1)
            if stats.binom(count, 0.9).cdf(held) > 0.05
            and stats.binom(count, 0.9).sf(held - 1) > 0.05
        }
        assert {held for held in range(count + 1) if is_plausible(held, count)} == expected
    assert not is_plausible(30, 30), "an interval that always holds is too wide"


@pytest.mark.parametrize("size", [0.0, 0.05, 0.15, 0.3])
def test_intervals_cover_in_shops_whose_months_differ(size):
    """95 % of outcomes within three standard errors, or more: blocks are few and widen."""
    chance = np.random.default_rng(int(1000 * size) + 7)
    draws, held, count = drawn(0.04), 0, 0
    for _ in range(30):
        ratios = np.hypot(size, 0.04) * chance.standard_normal(16)
        totals = months(ratios)
        for number in (4, 8, 15):
            known = totals[:number]
            learned = TotalDiscrepancy.of_horizon(known, MONTH, MONTH * number, draws)
            low, high = np.quantile(learned.apply(draws[MONTH] / 1000, 1), [0.025, 0.975])
            held += low < np.exp(ratios[number]) < high
            count += 1
    assert held / count > 0.95 - 3 * np.sqrt(0.05 * 0.95 / count)
    assert size == 0 or held < count, "an interval that never misses is no 95 % interval"
