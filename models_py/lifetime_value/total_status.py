"""Whether the interval of a total is to be believed, by what became of its own past intervals.

Add here a rule that gives a total's interval its status, or refuses it. How wide the interval is
comes from discrepancy.py; the status of single customers' intervals is a matter of backtests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from models_py.lifetime_value.discrepancy import TotalDiscrepancy
from models_py.lifetime_value.past_blocks import Miss, PastTotal, misses_up_to

NOMINAL = 0.9
FEWEST_BLOCKS = 8
SIGNIFICANCE = 0.05
# Known to no better than a power of ten upwards: a number, but no forecast.
WIDEST_RATIO = 10.0
_BLOCKS_TOLD = 3


@dataclass(frozen=True)
class TotalStatus:
    """What past totals say of the interval of a total.

    Attributes
    ----------
    status : str
        refused, extrapolated, uncalibrated or calibrated.
    reason : str
        One sentence with the figures that decided.
    """

    status: str
    reason: str

    @property
    def is_refused(self) -> bool:
        return self.status == "refused"

    @classmethod
    def judge(
        cls,
        past: Sequence[PastTotal],
        horizon_days: int,
        today: int,
        draws: Mapping[int, np.ndarray],
        median: float,
        upper: float,
    ) -> TotalStatus:
        """Judge today's interval of one quantity and horizon, first rule that holds.

        1. refused: the latest block of the shortest tested length was missed by more than a factor
           of two and two standard deviations of chance (`Miss.is_far`); the forecast is of another
           world. Ends with the first block that is not.
        2. refused: totals have been tested, and none of them came to anything. There is no ratio to
           learn from, and the forecast is the prior's.
        3. refused: the upper end is more than ten times the median.
        4. extrapolated: no total over this horizon has been tested.
        5. uncalibrated: fewer than eight past intervals of this very horizon, each made from the
           blocks that had ended by then and not refused, or a number of them that held their
           outcome which 90 % makes improbable (binomial, 5 % on either side).
        6. calibrated.

        Parameters
        ----------
        past, horizon_days, today, draws
            As of `misses_up_to`.
        median, upper : float
            Median and 95 % quantile of today's widened total.
        """
        by_length = misses_up_to(past, horizon_days, today, draws)
        ended = [total for total in past if total.origin_day + total.horizon_days <= today]
        refusal = cls.refusal(by_length, ended, median, upper)
        if refusal is not None:
            return refusal
        own = [miss for blocks in by_length for miss in blocks if miss.horizon_days == horizon_days]
        if not own:
            return cls("extrapolated", f"no total over {horizon_days} days has been tested")
        inside = hindsight(past, own, draws)
        held, count = sum(inside), len(inside)
        if count < FEWEST_BLOCKS:
            reason = f"{count} past totals over {horizon_days} days, {FEWEST_BLOCKS} are needed"
            return cls("uncalibrated", reason)
        reason = f"{held} of {count} past totals were inside their {NOMINAL:.0%} interval"
        return cls("calibrated" if is_plausible(held, count) else "uncalibrated", reason)

    @classmethod
    def refusal(
        cls,
        misses: Sequence[Sequence[Miss]],
        ended: Sequence[PastTotal],
        median: float,
        upper: float,
    ) -> TotalStatus | None:
        """Rules 1 to 3 of `judge` alone, with all totals that have ended; None with an interval."""
        if misses and misses[0][0].is_far:
            return cls("refused", _told(misses[0]))
        if ended and not any(total.actual > 0 for total in ended):
            return cls("refused", f"none of the {len(ended)} totals tested came to anything")
        if upper > WIDEST_RATIO * median > 0:
            return cls("refused", f"the upper end is {upper / median:,.0f} times the median")
        return None


def hindsight(
    past: Sequence[PastTotal], blocks: Sequence[Miss], draws: Mapping[int, np.ndarray]
) -> list[bool]:
    """Whether each past block fell into the 90 % interval that its own past would have given it.

    Blocks whose total would have been refused had no interval and are left out.
    """
    tail, inside = (1 - NOMINAL) / 2, []
    for block in blocks:
        known = misses_up_to(past, block.horizon_days, block.origin_day, draws)
        if known and known[0][0].is_far:
            continue
        then = TotalDiscrepancy.learn(known, block.origin_day)
        inside.append(tail < then.probability_below(block) < 1 - tail)
    return inside


def is_plausible(held: int, count: int) -> bool:
    """Whether `held` of `count` inside is likely where each is with probability 90 %."""

    def at_most(most: int) -> float:
        return sum(
            comb(count, k) * NOMINAL**k * (1 - NOMINAL) ** (count - k) for k in range(most + 1)
        )

    return at_most(held) > SIGNIFICANCE and 1 - at_most(held - 1) > SIGNIFICANCE


def _told(blocks: Sequence[Miss]) -> str:
    ratios = [f"{np.exp(miss.log_ratio):.2g}" for miss in reversed(blocks[:_BLOCKS_TOLD])]
    days = blocks[0].horizon_days
    return f"actual over forecast of the last totals over {days} days: {', '.join(ratios)}"
