"""Potential value on customers whose truth is known: peers, gaps, shares and words.

Add here what must hold of gaps and shares whatever the warehouse. The line's tables are tested in
tests/warehouse/test_potential.py, whole shops in benchmarks/potential.py.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from models_py.segmentation.comparison import compare
from models_py.segmentation.peers import PeerRules, neighbours, tenure_band
from models_py.segmentation.potential import (
    OriginSlope,
    attainable_share,
    combine,
    origin_slope,
)

RULES = PeerRules(peers=60, floor=30)


def world(seed, held=0.0, origins=4, customers=1500, tilt=1.0):
    """Customers of six kinds, each forecast by the exact posterior mean if all stays as it is.

    Each buys at a gamma rate around that of the kind and pays 10; `held` of them reach the shop
    with a third of it until the origin, where half of those are released, which no forecast knows.
    `tilt` bends every forecast towards (below 1) or away from (above 1) the mean.
    """
    chance = np.random.default_rng(seed)
    names = [f"c{number:05d}" for number in range(customers)]
    for _ in range(origins):
        kind = chance.integers(0, 6, customers)
        mean, shape = 1.0 + kind, 2.0
        rate = chance.gamma(shape, mean / shape)
        is_held = chance.random(customers) < held
        is_released = is_held & (chance.random(customers) < 0.5)
        bought = chance.poisson(rate * np.where(is_held, 1 / 3, 1.0))
        # A month that is better or worse than another for all.
        month = np.exp(chance.normal(0, 0.1))
        # Free or held: negative binomial likelihoods weigh two gamma posteriors.
        odds = shape / np.stack([mean, mean / 3])  # gamma rates, (2, customer)
        weight = (
            np.array([[1 - held], [held]]) * (odds / (1 + odds)) ** shape / (1 + odds) ** bought
        )
        expected = (shape + bought) / (odds + 1.0)
        predicted = 10.0 * (weight * expected).sum(axis=0) / weight.sum(axis=0)
        level = predicted.mean()
        predicted = np.maximum(level + tilt * (predicted - level), 0.1)
        benchmark = np.array([np.quantile(predicted[kind == k], 0.75) for k in range(6)])[kind]
        reach = np.where(is_held & ~is_released, 1 / 3, 1.0)
        yield pd.DataFrame(
            {
                "customer_id": names,
                "kind": kind,
                "predicted": predicted,
                "benchmark": benchmark,
                "realised": 10.0 * chance.poisson(month * rate * reach),
                "caused": 10.0 * rate * np.where(is_released, 2 / 3, 0.0),
                "unrealised": 10.0 * rate * np.where(is_held, 2 / 3, 0.0),
            }
        )


def test_without_a_ceiling_the_share_is_zero_within_its_interval_in_nine_worlds_of_ten():
    shares = [attainable_share(world(seed)) for seed in range(60)]
    holds = [one.slope_p05 <= 0.0 <= one.slope_p95 for one in shares]
    assert np.mean(holds) >= 0.8  # 90 % is nominal; 48 of 60 would be 2.6 standard errors below
    assert abs(np.mean([one.slope for one in shares])) < 0.02
    assert {one.basis for one, inside in zip(shares, holds, strict=True) if inside} == {"none"}
    assert all(one.share == 0.0 for one in shares if one.basis == "none")


@pytest.mark.parametrize("tilt", [0.7, 1.4])
def test_forecasts_that_are_too_flat_or_too_steep_are_no_realised_gap(tilt):
    slopes = [attainable_share(world(seed, tilt=tilt)).slope for seed in range(25)]
    plain = []
    for seed in range(25):
        past = pd.concat(world(seed, tilt=tilt))
        gap = np.maximum(0.0, past["benchmark"] - past["predicted"])
        plain.append(np.polyfit(gap, past["realised"] - past["predicted"], 1)[0])
    assert abs(np.mean(slopes)) < 0.06
    assert abs(np.mean(plain)) > 2 * abs(np.mean(slopes))


def test_a_planted_ceiling_is_recovered_within_its_interval():
    holds, measured = [], []
    for seed in range(40):
        past = list(world(seed, held=0.4))
        true = np.mean(
            [origin_slope(p.assign(realised=p["predicted"] + p["caused"])).slope for p in past]
        )
        found = attainable_share(past)
        holds.append(found.slope_p05 <= true <= found.slope_p95)
        measured.append(found.basis == "peer_measured")
        assert true > 0.1
    assert np.mean(holds) >= 0.8
    assert np.mean(measured) >= 0.5


def test_the_gap_ranks_customers_by_unrealised_value_better_than_predicted_value_does():
    for seed in range(5):
        (past,) = world(seed, held=0.3, origins=1)
        frame = past.assign(stage="active", tenure_days=500, kind_share=past["kind"] / 6)
        value = past["predicted"].to_numpy()[:, None]
        compared, benchmark = compare(frame, ["kind_share"], [], value, RULES)
        assert (compared["peers_count"] == 60).all()
        gap = np.maximum(0.0, benchmark[:, 0] - value[:, 0])
        by_gap = spearmanr(gap, past["unrealised"])[0]
        by_value = abs(spearmanr(value[:, 0], past["unrealised"])[0])
        assert by_gap > by_value + 0.05


def test_a_population_without_unrealised_value_shows_a_gap_all_the_same():
    (past,) = world(3, origins=1)
    gap = np.maximum(0.0, past["benchmark"] - past["predicted"])
    assert 0.2 < gap.sum() / past["predicted"].sum() < 0.6


def test_too_few_past_dates_measure_nothing_and_what_is_assumed_is_said():
    past = list(world(1, held=0.4, origins=2))
    nothing = attainable_share(past)
    assert (nothing.basis, nothing.share, nothing.origins_count) == ("none", 0.0, 2)
    assert np.isnan(nothing.slope) and "3 are needed" in nothing.reason
    assumed = attainable_share(past, 0.25)
    assert (assumed.basis, assumed.share, assumed.share_p05) == ("peer_assumed", 0.25, 0.25)
    assert "0.25 is assumed" in assumed.reason
    with pytest.raises(ValueError, match="must lie in 0"):
        attainable_share(past, 1.5)


def test_what_past_dates_show_goes_before_what_is_assumed_and_is_clipped():
    steep = [
        past.assign(
            realised=past["predicted"] + 1.5 * (past["benchmark"] - past["predicted"]).clip(0)
        )
        for past in world(2)
    ]
    found = attainable_share(steep, 0.25)
    assert (found.basis, found.share, found.share_p95) == ("peer_measured", 1.0, 1.0)
    assert found.slope == pytest.approx(1.5)


def test_the_interval_over_dates_is_wide_with_few_dates_and_follows_their_spread():
    alike = combine([OriginSlope(0.1, 0.01, 900)] * 3)
    apart = combine([OriginSlope(s, 0.01, 900) for s in (0.0, 0.1, 0.2)])
    assert alike[0] == pytest.approx(0.1) and apart[0] == pytest.approx(0.1)
    # t with 2 degrees of freedom: 2.92 standard errors, those of chance or of the dates.
    assert alike[2] - alike[0] == pytest.approx(2.92 * 0.01 / np.sqrt(3), rel=1e-3)
    assert apart[2] - apart[0] == pytest.approx(2.92 * 0.1 / np.sqrt(3), rel=1e-3)


def test_past_rows_without_peers_are_left_out_and_rows_without_outcome_refused():
    (past,) = world(1, origins=1)
    half = past["kind"] < 3
    some = past.assign(benchmark=past["benchmark"].where(half))
    assert origin_slope(some).customers_count == half.sum()
    assert origin_slope(past.assign(benchmark=np.nan)) is None
    with pytest.raises(ValueError, match=r"past.realised is NULL in 1 rows"):
        origin_slope(past.assign(realised=past["realised"].mask(past.index == 3)))


@pytest.fixture(scope="module")
def slice_of_customers():
    chance = np.random.default_rng(5)
    size = 700
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(size)],
            "stage": chance.choice(["active", "new", "star"], size, p=[0.7, 0.27, 0.03]),
            "tenure_days": chance.integers(0, 700, size),
            "discount_share": chance.random(size),
            "categories_count": chance.integers(1, 7, size),
        }
    )
    frame.loc[::9, "discount_share"] = np.nan
    return frame, chance.gamma(2.0, 30.0, (size, 2))


COMPARED = ["discount_share", "categories_count"]


def test_peers_are_of_the_same_stage_and_tenure_band_and_never_oneself(slice_of_customers):
    frame, _ = slice_of_customers
    band = tenure_band(frame["tenure_days"].to_numpy(), RULES)
    assert list(tenure_band(np.array([0, 89, 90, 365]), RULES)) == [0, 0, 1, 2]
    seen = 0
    for found in neighbours(frame, COMPARED, RULES):
        for row, peers in zip(found.rows, found.peers, strict=True):
            assert row not in peers and len(set(peers)) == len(peers)
            assert (frame["stage"].to_numpy()[peers] == frame["stage"][row]).all()
            assert (band[peers] == band[row]).all()
            seen += 1
    assert 0 < seen < len(frame)


def test_peers_are_the_nearest_in_the_scaled_features(slice_of_customers):
    frame, _ = slice_of_customers
    found = next(neighbours(frame, ["categories_count"], RULES))
    stage = frame["stage"][found.rows[0]]
    band = tenure_band(frame["tenure_days"].to_numpy(), RULES)
    alike = (frame["stage"] == stage) & (band == band[found.rows[0]])
    for row, peers in zip(found.rows, found.peers, strict=True):
        distance = (frame["categories_count"] - frame["categories_count"][row]).abs()
        others = distance[alike].drop(row).sort_values()
        # Counts are scaled by their logarithm, which keeps the order on one side only.
        assert distance[peers].eq(0).sum() == min((others == 0).sum(), len(peers))


def test_without_enough_comparable_customers_there_is_no_benchmark(slice_of_customers):
    frame, value = slice_of_customers
    compared, benchmark = compare(frame, COMPARED, COMPARED, value, RULES)
    is_star = (frame["stage"] == "star").to_numpy()
    assert (compared["peers_count"][is_star] == 0).all()
    assert np.isnan(benchmark[is_star]).all()
    assert compared["differences"][is_star].isna().all()
    has_peers = (compared["peers_count"] >= RULES.floor).to_numpy()
    assert np.isfinite(benchmark[has_peers]).all()
    assert ((compared["peers_count"] == 0) | has_peers).all()


def test_the_order_of_rows_and_the_size_of_blocks_change_nothing(slice_of_customers, monkeypatch):
    frame, value = slice_of_customers
    rules = PeerRules(peers=40, floor=30, reference_customers=100)
    table, benchmark = compare(frame, COMPARED, COMPARED, value, rules)
    monkeypatch.setattr("models_py.segmentation.peers._BLOCK", 7)
    again, small = compare(frame, COMPARED, COMPARED, value, rules)
    pd.testing.assert_frame_equal(table, again)
    np.testing.assert_array_equal(benchmark, small)
    with pytest.raises(ValueError, match="ordered by customer_id"):
        compare(frame.iloc[::-1].reset_index(drop=True), COMPARED, COMPARED, value, rules)


def test_differences_are_told_in_words_with_the_customer_first():
    size = 200
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(size)],
            "stage": "active",
            "tenure_days": 500,
            "categories_count": np.where(np.arange(size) % 2 == 0, 2, 5),
            "median_gap_days": np.where(np.arange(size) % 2 == 0, 60.0, np.nan),
            "discount_share": 0.2,
        }
    )
    value = np.where(np.arange(size) % 2 == 0, 10.0, 100.0)[:, None]
    told = ["categories_count", "median_gap_days", "discount_share"]
    table, benchmark = compare(frame, ["discount_share"], told, value, RULES)
    assert (benchmark == 100.0).all()
    assert table["differences"][0] == "buys in 2 categories, peers in 5"
    assert table["leading_attribute"][0] == "categories_count"
    assert table["differences"][1::2].isna().all()


def test_rules_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="must ascend"):
        PeerRules(peers=20, floor=30)
    with pytest.raises(ValueError, match="between 0 and 1"):
        PeerRules(quantile=1.0)
