"""A planted ceiling: persons who spend less here than they would, and the day it is lifted.

Add here what keeps money away from the shop although the person would spend it.
Rates and amounts without a ceiling live in ``purchases`` and ``orders``; the truth tables that show
it in ``truth``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gammainc

from models_py.simulate.retailer.clock import Clock


@dataclass(frozen=True)
class Ceiling:
    """How many persons are held below what they would spend, how far, and when that ends.

    Attributes
    ----------
    share : float
        Share of persons who are held from the start; 0 plants nothing and changes nothing.
    kept_occasions : float
        While held, an occasion falls to this shop with this probability; the others go elsewhere.
    basket_amount : float
        While held, no order is worth more than this (EUR).
    release_days : int
        Ceilings are lifted one by one, evenly over this many days up to the end of data and half
        as many after it. Before that all are held; after it every window of the same length sees
        about the same number of releases, which is what makes a share that was measured at past
        origins hold for the next one.
    """

    share: float = 0.0
    kept_occasions: float = 0.8
    basket_amount: float = 12.0
    release_days: int = 500

    def __post_init__(self) -> None:
        for name in ("share", "kept_occasions"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"ceiling.{name} is {getattr(self, name)}; it must lie in 0..1.")
        for name in ("basket_amount", "release_days"):
            if getattr(self, name) < 1:
                raise ValueError(f"ceiling.{name} is {getattr(self, name)}; it must be 1 or more.")

    def unrealised_share(self, spend_shape: np.ndarray, spend_rate: np.ndarray) -> np.ndarray:
        """Share of a person's money that a ceiling keeps away.

        E[min(X, c)] of a gamma is shape / rate P(shape + 1, rate c) + c (1 - P(shape, rate c)),
        P the regularised incomplete gamma function.
        """
        cap = spend_rate * self.basket_amount
        below = gammainc(spend_shape + 1, cap)
        kept = below + cap / spend_shape * (1 - gammainc(spend_shape, cap))
        return np.asarray(1 - self.kept_occasions * kept)


@dataclass(frozen=True)
class Held:
    """Who is held, by person: `is_held`, and `release_day` (0 where nobody is)."""

    is_held: np.ndarray
    release_day: np.ndarray
    ceiling: Ceiling

    def is_capped(self, person: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Whether a purchase falls under the ceiling of its person."""
        return self.is_held[person] & (np.floor(day) < self.release_day[person])


def draw_held(
    people: pd.DataFrame, clock: Clock, ceiling: Ceiling, rng: np.random.Generator
) -> Held:
    """Draw who is held, whatever their segment, and the first day without the ceiling."""
    is_held = rng.random(len(people)) < ceiling.share
    start = clock.days - ceiling.release_days
    release = np.floor(start + 1.5 * ceiling.release_days * rng.random(len(people)))
    return Held(is_held, np.where(is_held, release, 0.0), ceiling)


def keep_occasions(events: pd.DataFrame, held: Held, rng: np.random.Generator) -> pd.DataFrame:
    """Leave out the purchases that go elsewhere; the first of a person never does.

    Persons leave after purchases anywhere, so a ceiling does not change how long they stay.
    """
    person, day = events["person"].to_numpy(), events["day"].to_numpy()
    first = np.full(len(held.is_held), np.inf)
    np.minimum.at(first, person, day)
    goes = rng.random(len(events)) >= held.ceiling.kept_occasions
    is_lost = goes & held.is_capped(person, day) & (day > first[person])
    return events[~is_lost].reset_index(drop=True)
