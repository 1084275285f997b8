"""The planted ceiling of the simulated retailer: who is held, what it keeps away, when it ends.

Add here what must be true of persons who are held. The shop without a ceiling is tested in
test_simulate_retailer.py.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.simulate import Ceiling, simulate_retailer

CEILING = Ceiling(0.4)


@pytest.fixture(scope="module")
def shop():
    return simulate_retailer(2_000, 11, ceiling=CEILING)


@pytest.fixture(scope="module")
def orders(shop):
    """Orders of held persons with the first order marked, before and after the release."""
    orders = shop.truth["orders"].merge(shop.truth["ceilings"], on="person_id")
    day = pd.to_datetime(orders["order_day"])
    first = day == day.groupby(orders["person_id"]).transform("min")
    return orders.assign(is_capped=day < pd.to_datetime(orders["released_on"]), is_first=first)


def test_a_ceiling_for_nobody_leaves_every_table_as_it_is_without_the_option():
    plain, none = simulate_retailer(400, 3), simulate_retailer(400, 3, ceiling=Ceiling(0.0))
    for kind in ("sources", "truth"):
        before, after = getattr(plain, kind), getattr(none, kind)
        assert list(before) == list(after)
        for name in before:
            pd.testing.assert_frame_equal(before[name], after[name])


def test_the_share_of_persons_is_held_whatever_their_kind(shop):
    persons = shop.truth["persons"].query("not is_prospect")
    is_held = persons["person_id"].isin(shop.truth["ceilings"]["person_id"])
    assert abs(is_held.mean() - CEILING.share) < 0.04
    by_kind = is_held.groupby(persons["segment"]).mean()
    assert (by_kind - CEILING.share).abs().max() < 0.12


def test_no_order_under_the_ceiling_is_worth_more_than_it_and_free_ones_are(orders):
    # Britons pay in whole pence, which is a cent or so in EUR.
    capped = orders.loc[orders["is_capped"], "net_eur_amount"]
    assert capped.max() <= CEILING.basket_amount + 0.02
    assert orders.loc[~orders["is_capped"], "net_eur_amount"].mean() > 2 * capped.mean()


def test_the_truth_says_what_a_week_spends_elsewhere(shop):
    truth = shop.truth["ceilings"].merge(shop.truth["persons"], on="person_id")
    whole = truth["weekly_purchase_rate"] * truth["expected_order_amount"]
    share = truth["unrealised_weekly_amount"] / whole
    chance = np.random.default_rng(2)
    for row in truth.head(5).itertuples():
        spend = chance.gamma(row.spend_shape, 1 / row.spend_rate, 200_000)
        kept = CEILING.kept_occasions * np.minimum(spend, CEILING.basket_amount).mean()
        assert share[row.Index] == pytest.approx(1 - kept / spend.mean(), abs=0.01)


def test_ceilings_end_evenly_up_to_and_after_the_end_of_data(shop):
    released = pd.to_datetime(shop.truth["ceilings"]["released_on"])
    days = (released - pd.Timestamp("2026-01-01")).dt.days
    assert days.min() >= -CEILING.release_days and days.max() < CEILING.release_days / 2
    assert abs((days >= 0).mean() - 1 / 3) < 0.05


def test_an_impossible_ceiling_is_refused():
    with pytest.raises(ValueError, match=r"share is 1\.2"):
        Ceiling(1.2)
    with pytest.raises(ValueError, match="basket_amount is 0"):
        Ceiling(basket_amount=0)
