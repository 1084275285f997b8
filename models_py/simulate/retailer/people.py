"""The persons behind the records: households, hidden segments, true purchase and spend rates.

Add here what is true of a person whatever the shop's systems say.
How the systems misspell it stays out and lives in ``records``.
"""

import numpy as np
import pandas as pd

from models_py.simulate.retailer.clock import Clock
from models_py.simulate.retailer.settings import (
    ACQUISITION_CHANNELS,
    FIRST_ORDER_FACTOR,
    GLOBAL_HOLDOUT_SHARE,
    PROSPECT_SHARE,
    SEGMENTS,
    TEST_SHARE,
)
from models_py.simulate.retailer.vocabulary import (
    FIRST_NAMES,
    PLACES,
    STREETS,
    SURNAMES,
)


def draw_people(customers: int, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
    """Draw persons in households.

    Returns
    -------
    DataFrame, one row per person
        person, household, segment, channel (numbers); rate (orders per operational week),
        dropout (probability after a purchase), spend_rate and spend_shape (EUR), first_day
        (days from the start of data), store_share, discount_probability; attributes first_name,
        surname_1, surname_2, street, house_number, place (vocabulary numbers), phone, birth_day;
        is_prospect, is_test, is_holdout, has_email_of_head.
    """
    people = _households(customers, rng)
    weights = np.array([c.segment_weights for c in ACQUISITION_CHANNELS])
    shares = np.array([c.share for c in ACQUISITION_CHANNELS])
    channel = rng.choice(len(shares), customers, p=shares / shares.sum())
    cumulative = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    segment = (rng.random(customers)[:, None] > cumulative[channel]).sum(axis=1)
    segment = np.minimum(segment, len(SEGMENTS) - 1)

    def trait(name: str) -> np.ndarray:
        return np.array([getattr(s, name) for s in SEGMENTS], dtype=float)[segment]

    people["segment"], people["channel"] = segment, channel
    people["rate"] = rng.gamma(trait("rate_shape"), trait("weekly_rate") / trait("rate_shape"))
    strength, mean = trait("dropout_strength"), trait("dropout")
    people["dropout"] = rng.beta(mean * strength, (1 - mean) * strength)
    shape, tail = trait("spend_shape"), trait("spend_tail")
    people["spend_shape"] = shape
    people["spend_rate"] = rng.gamma(tail, shape / (trait("spend_mean") * (tail - 1)))
    people["first_order_factor"] = FIRST_ORDER_FACTOR
    share = trait("store_share")
    people["store_share"] = rng.beta(6 * share, 6 * (1 - share))
    people["discount_probability"] = trait("discount_probability")
    people["first_day"] = _acquisition_days(segment, clock, rng)
    people["is_prospect"] = rng.random(customers) < PROSPECT_SHARE
    people["is_test"] = ~people["is_prospect"] & (rng.random(customers) < TEST_SHARE)
    people["is_holdout"] = rng.random(customers) < GLOBAL_HOLDOUT_SHARE
    return people


def _households(customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Persons with the names, addresses and telephones that households share."""
    size = rng.choice([1, 2, 3, 4, 5], customers, p=[0.52, 0.22, 0.13, 0.09, 0.04])
    household = np.repeat(np.arange(customers), size)[:customers]
    is_head = np.r_[True, household[1:] != household[:-1]]
    place = rng.choice(len(PLACES), customers, p=[p.share for p in PLACES])[household]
    surname = rng.integers(0, len(SURNAMES), (customers, 2))
    # One member in eight carries another surname: partners, flatmates, grown children.
    keeps_surname = rng.random(customers) > 0.12
    shared_phone = rng.integers(0, 10**8, customers)[household]
    own_phone = rng.integers(0, 10**8, customers)
    shares_phone = (rng.random(customers)[household] < 0.55) & (rng.random(customers) < 0.9)
    return pd.DataFrame(
        {
            "person": np.arange(customers),
            "household": household,
            "household_size": size[household],
            "place": place,
            "street": rng.integers(0, len(STREETS), customers)[household],
            "house_number": rng.integers(1, 160, customers)[household],
            "surname_1": np.where(keeps_surname, surname[household, 0], surname[:, 0]),
            "surname_2": np.where(keeps_surname, surname[household, 1], surname[:, 1]),
            "first_name": rng.integers(0, len(FIRST_NAMES), customers),
            "phone": np.where(shares_phone, shared_phone, own_phone),
            "birth_day": rng.integers(-14_600, 13_100, customers),
            "head": np.flatnonzero(is_head)[np.cumsum(is_head) - 1],
            "has_email_of_head": rng.random(customers) < 0.03,
            "income_band": rng.integers(0, 5, customers)[household],
        }
    )


def _acquisition_days(segment: np.ndarray, clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """First day of each person: rolling, on the segment's clock, one fifth in the first quarter."""
    share = rng.random(len(segment))
    early = rng.random(len(segment)) < 0.12
    total = clock.cumulative[:, -1][segment]
    quarter = clock.operational(segment, np.full(len(segment), 91.0))
    operational = share * np.where(early, quarter, total)
    return np.minimum(clock.calendar(segment, operational), clock.days - 1e-6)
