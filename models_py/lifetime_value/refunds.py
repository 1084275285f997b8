"""The share of money that refunds have taken and will still take back, with its uncertainty.

Add here how refunds develop after an order.
What is left after costs is in `margins`; which refunds count is the ledger's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.frames import REFUND_LAGS, require_columns, require_complete, to_float

PARAMETERS = ("net_factor", "refund_rate")
# A lag seen of a smaller part of all money has no rate of its own: one refund of the oldest order
# would be taken from every order there is.
_LEAST_SHARE_SEEN = 0.05


def fit(
    lags: pd.DataFrame, draws_count: int, random_state: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw the share of money that refunds have taken and will take back.

    Orders of age a have shown their refunds of lags up to a only. The rate at lag d is what came
    back after exactly d days per money taken by orders at least that old (chain ladder); what
    an order of age a is still to lose is the sum of rates beyond a. The oldest lags, seen of less
    than 5 % of all money each, share one rate: all that came back after them per money and lag
    exposed; a refund after more days than any order has seen is counted there. Refunds that name
    no order are in nobody's orders: they take from all alike. Rates are independent, each
    gamma-distributed around its estimate with the variance of a compound Poisson sum, so that one
    large refund counts as one event.

    Parameters
    ----------
    lags : DataFrame
        Columns of `frames.REFUND_LAGS`.
    draws_count, random_state : int

    Returns
    -------
    (DataFrame, dict)
        Draws of ``net_factor``, the factor on amounts net of the refunds known so far, and
        ``refund_rate``, the share of money taken that comes back in the end; and their means as
        diagnostics, with ``refunds_to_come_share``, the part of net_factor due to young orders.

    Raises
    ------
    ValueError
        For missing columns, NULL, negative money, or no order at all.

    References
    ----------
    Mack (1993), "Distribution-free calculation of the standard error of chain ladder reserve
    estimates", ASTIN Bulletin 23, for the estimator; the draws are moment-matched.
    """
    sums = _sums(lags)
    random = np.random.default_rng(random_state)
    rate = _gamma(*sums.pooled(), draws_count, random)[:, sums.shared]  # (draw, lag)
    to_come = np.cumsum(rate[:, ::-1], axis=1)[:, ::-1] - rate  # beyond each age
    total = sums.taken.sum(keepdims=True)
    nobodys = _gamma(*sums.unnamed, total, draws_count, random)[:, 0]
    kept = 1.0 - sums.back.sum() / total[0]  # of the money taken, after refunds known
    young = to_come @ sums.taken / total[0]
    draws = pd.DataFrame(
        {
            "net_factor": np.clip(1.0 - (young + nobodys) / max(kept, 1e-9), 0.0, 1.0),
            "refund_rate": np.clip(rate.sum(axis=1) + nobodys, 0.0, 1.0),
        }
    ).rename_axis(index="draw")
    return draws, {
        "net_factor": float(draws["net_factor"].mean()),
        "refund_rate": float(draws["refund_rate"].mean()),
        "refunds_to_come_share": float(young.mean() / max(kept, 1e-9)),
    }


def kept_from_age(lags: pd.DataFrame, ages: np.ndarray) -> np.ndarray:
    """What will be left in the end of an amount that is net of the refunds known at an age.

    By the mean rates of `fit`: all that is kept in the end over all that is kept up to that age.
    What past orders brought is held against forecasts by this factor: forecasts are net of refunds
    still to come, and young orders have not shown theirs.

    Parameters
    ----------
    lags : DataFrame
        Columns of `frames.REFUND_LAGS`; no row, or no order, where refunds are not known.
    ages : ndarray of int (age,)
        Days since the order.

    Returns
    -------
    ndarray (age,)
        1 throughout where refunds are not known.
    """
    if not lags["ordered_amount_sum"].sum() > 0:
        return np.ones(len(ages))
    sums = _sums(lags)
    back, _, exposed = sums.pooled()
    rate = np.divide(back, exposed, out=np.zeros_like(back), where=exposed > 0)[sums.shared]
    known = np.cumsum(rate)[np.minimum(ages, len(rate) - 1)]
    nobodys = sums.unnamed[0][0] / sums.taken.sum()
    left = np.divide(1.0 - rate.sum() - nobodys, 1.0 - known, out=np.zeros(len(ages)),
                     where=known < 1.0)  # fmt: skip
    kept: np.ndarray = np.clip(left, 0.0, 1.0)
    return kept


@dataclass(frozen=True)
class _Sums:
    """Money by lag, (lag,): taken by orders of that age, refunded after it, squares, exposed.

    `shared` is the place in `pooled` of each lag's rate; `unnamed` holds refunds that name no
    order, their sum and that of their squares, (1,) each.
    """

    taken: np.ndarray
    back: np.ndarray
    spread: np.ndarray
    exposed: np.ndarray
    shared: np.ndarray
    unnamed: tuple[np.ndarray, np.ndarray]

    def pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Refunded, squares and exposed, the oldest lags together."""
        tail = int(self.shared[-1])
        found = [
            np.append(x[:tail], x[tail:].sum()) for x in (self.back, self.spread, self.exposed)
        ]
        return found[0], found[1], found[2]


def _sums(lags: pd.DataFrame) -> _Sums:
    table = "refund lags"
    require_columns(lags, REFUND_LAGS, table)
    required = [name for name in REFUND_LAGS if name != "days_count"]
    require_complete(lags, required, table, "Sum ledger amounts, which are never NULL.")
    days, ordered, refunded, squares = (to_float(lags[name], table) for name in REFUND_LAGS)
    if (np.stack([ordered, refunded, squares]) < 0).any() or (days < 0).any():
        raise ValueError(f"{table}: negative days or money. Pass refunds as positive amounts.")
    unnamed = np.isnan(days)
    if ordered[~unnamed].sum() <= 0:
        raise ValueError(f"{table} hold no orders, so no refund rate. Fit on a later date.")
    longest = int(days[~unnamed & (ordered > 0)].max())
    taken, back, spread = (np.zeros(longest + 1) for _ in range(3))
    for sums, values in ((taken, ordered), (back, refunded), (spread, squares)):
        np.add.at(sums, np.minimum(days[~unnamed].astype(int), longest), values[~unnamed])
    exposed = np.cumsum(taken[::-1])[::-1]  # money of orders at least this old
    of_nobody = (refunded[unnamed].sum(keepdims=True), squares[unnamed].sum(keepdims=True))
    shared = np.minimum(np.arange(longest + 1), _tail(exposed))
    return _Sums(taken, back, spread, exposed, shared, of_nobody)


def _tail(exposed: np.ndarray) -> int:
    """The first lag of those that share a rate, which rests on at least the least share.

    The last lag alone where every lag has been seen of enough.
    """
    least = _LEAST_SHARE_SEEN * exposed[0]
    tail = int(np.searchsorted(-exposed, -least, side="right"))  # falls from lag to lag
    return tail if exposed[tail:].sum() >= least else tail - 1


def _gamma(
    total: np.ndarray,
    squares: np.ndarray,
    exposure: np.ndarray,
    draws_count: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Draws (draw, lag) with mean total/exposure and variance squares/exposure^2; 0 where 0."""
    shape = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    scale = np.divide(squares, total * exposure, out=np.zeros_like(total), where=total > 0)
    return random.standard_gamma(shape, (draws_count, len(total))) * scale
