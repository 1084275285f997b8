"""Totals of groups of customers (stages, segments, cohorts) from the same draws as the whole.

Add here what is summed per group while customers are simulated. Totals of everybody are
`results.Totals`, what totals miss beyond parameters and chance is `discrepancy`.
"""

from __future__ import annotations

import numpy as np

from models_py.lifetime_value.predictive import Futures
from models_py.lifetime_value.results import Totals

QUANTITIES = ("orders", "revenue")
_OUTSIDE = -1


class GroupTotals:
    """Running sums over customers, per group, draw and horizon.

    Every customer belongs to at most one group. Draws of revenue are multiples of 1/1024 and those
    of orders whole numbers (see `predictive`), so sums are exact: the totals of the groups add up
    to the total of the whole draw by draw, however customers are cut into batches.

    Parameters
    ----------
    groups_count : int
    draws_count : int
    horizons_count : int

    Attributes
    ----------
    orders, revenue : ndarray (group, draw, horizon)
    customers_count : ndarray (group,)
    """

    def __init__(self, groups_count: int, draws_count: int, horizons_count: int) -> None:
        shape = (groups_count, draws_count, horizons_count)
        self.orders, self.revenue = np.zeros(shape), np.zeros(shape)
        self.customers_count = np.zeros(groups_count, dtype="int64")

    def add(self, futures: Futures, group: np.ndarray) -> None:
        """Add simulated customers to their groups.

        Parameters
        ----------
        futures : Futures
            Some customers, in the order of `group`.
        group : ndarray of int (customer,)
            Number of the group; -1 for a customer of no group.

        Raises
        ------
        ValueError
            When groups and customers differ in number, or a group is unknown.
        """
        if len(group) != len(futures.orders):
            raise ValueError(
                f"{len(group)} groups stand against {len(futures.orders)} simulated customers. "
                "Pass the group of every customer of this part, in its order."
            )
        known = len(self.customers_count)
        if len(group) and (group.min() < _OUTSIDE or group.max() >= known):
            raise ValueError(
                f"groups must be numbered from 0 to {known - 1} (-1 for none), found "
                f"{group.min()} to {group.max()}."
            )
        order = np.argsort(group, kind="stable")
        order = order[np.searchsorted(group[order], 0) :]  # without customers of no group
        if not len(order):
            return
        present, starts, counts = np.unique(group[order], return_index=True, return_counts=True)
        self.customers_count[present] += counts
        for name in QUANTITIES:
            draws = getattr(futures, name)[order]  # (customer, horizon, draw)
            sums = np.add.reduceat(draws, starts, axis=0)
            getattr(self, name)[present] += sums.transpose(0, 2, 1)

    def of(self, group: int) -> Totals:
        """The totals of one group, as those of everybody are kept."""
        count = int(self.customers_count[group])
        return Totals(self.revenue[group], self.orders[group], count)
