"""Comparable customers of everyone in a finished slice.

Add here who counts as comparable and how that is found for a million customers.
What peers are worth and how a customer differs from them is `comparison`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete, to_float
from models_py.segmentation.scaling import fit_scales, scaled_values
from models_py.segmentation.specs import LayerSpec

_BLOCK = 48  # customers held against a reference at a time: 48 x 2,000 doubles stay in cache


@dataclass(frozen=True)
class PeerRules:
    """Who counts as a peer.

    Attributes
    ----------
    tenure_edges_days : sequence of int
        Edges of the tenure bands; a customer is compared within the stage and band.
    peers : int
        Nearest customers that are looked at.
    floor : int
        With fewer customers to compare with nobody is called comparable.
    quantile : float
        The benchmark is this quantile of the peers' predicted value.
    reference_customers : int
        A stage and band with more customers is represented by so many, drawn by customer_id, so
        that cost grows with customers and not with their square.
    """

    tenure_edges_days: tuple[int, ...] = (90, 365)
    peers: int = 100
    floor: int = 30
    quantile: float = 0.75
    reference_customers: int = 2_000

    def __post_init__(self) -> None:
        if not 1 <= self.floor <= self.peers <= self.reference_customers:
            raise ValueError(
                f"peers: floor {self.floor}, peers {self.peers} and reference_customers "
                f"{self.reference_customers} must ascend from 1."
            )
        if not 0.0 < self.quantile < 1.0:
            raise ValueError(f"peers: quantile {self.quantile} must lie between 0 and 1.")


@dataclass(frozen=True)
class Neighbours:
    """Some customers of one stage and tenure band, and their peers.

    `rows` (customer,) and `peers` (customer, peer) are positions in the frame that was compared.
    """

    rows: np.ndarray
    peers: np.ndarray


def tenure_band(tenure_days: np.ndarray, rules: PeerRules) -> np.ndarray:
    """Number of the tenure band: 0 below the first edge."""
    return np.searchsorted(np.asarray(rules.tenure_edges_days), tenure_days, side="right")


def neighbours(
    frame: pd.DataFrame, features: Sequence[str], rules: PeerRules
) -> Iterator[Neighbours]:
    """Find the peers of every customer who has at least `rules.floor` of them.

    Peers are those nearest in the features, each on the scale of the stage (`scaling.fit_scales`),
    among the other customers of the stage and tenure band, or among a sample of them that is drawn
    by customer_id. Ties go to the smaller key of the sample, so neither the order of rows nor the
    size of a batch changes anything.

    Parameters
    ----------
    frame : DataFrame
        One row per customer, ordered by customer_id: customer_id, stage, tenure_days and the
        features, NULL allowed in features.
    features : sequence of str
        What makes customers comparable; a feature that a stage does not vary in is left out there,
        and where none is left everyone of the band is as near as anyone.

    Yields
    ------
    Neighbours
        In blocks; customers without enough peers are in none.
    """
    require_columns(
        frame,
        {"customer_id": "string", "stage": "string", "tenure_days": "number"}
        | dict.fromkeys(features, "number"),
        "features",
    )
    require_complete(
        frame, ["customer_id", "stage", "tenure_days"], "features", "Compare buyers only."
    )
    if not frame["customer_id"].is_monotonic_increasing or frame["customer_id"].duplicated().any():
        raise ValueError("features must be ordered by customer_id, with one row per customer.")
    keys = _keys(frame["customer_id"])
    band = tenure_band(to_float(frame["tenure_days"], "features"), rules)
    stage = frame["stage"].to_numpy()
    for name in sorted(set(stage)):
        in_stage = np.flatnonzero(stage == name)
        part = frame.iloc[in_stage]
        points = np.zeros((len(part), 0))  # (customer, column)
        if features:
            points, _ = scaled_values(part, fit_scales(part, LayerSpec(tuple(features))))
        for number in np.unique(band[in_stage]):
            inside = np.flatnonzero(band[in_stage] == number)
            if len(inside) - 1 < rules.floor:
                continue
            chosen = inside[np.argsort(keys[in_stage[inside]], kind="stable")]
            chosen = chosen[: rules.reference_customers]
            for start in range(0, len(inside), _BLOCK):
                block = inside[start : start + _BLOCK]
                near = _nearest(points, block, chosen, rules.peers)
                yield Neighbours(in_stage[block], in_stage[near])


def _nearest(points: np.ndarray, block: np.ndarray, chosen: np.ndarray, peers: int) -> np.ndarray:
    """Positions of the nearest of `chosen` to each of `block`, not themselves: (customer, peer).

    Where a customer is not among the chosen one peer more is at hand, so all get one number.
    """
    # Summed feature by feature: a matrix product may end in other last bits for another block.
    squared = np.zeros((len(block), len(chosen)))
    apart = np.empty_like(squared)
    for own, theirs in zip(points[block].T, points[chosen].T, strict=True):
        np.subtract(own[:, None], theirs[None, :], out=apart)
        np.multiply(apart, apart, out=apart)
        np.add(squared, apart, out=squared)
    squared[block[:, None] == chosen[None, :]] = np.inf
    wanted = min(peers, len(chosen) - 1)
    # Doubles above zero order as their bits do; the low ones give way to the place in the sample.
    width = len(chosen).bit_length()
    order = squared.view(np.int64)
    np.bitwise_and(order, -1 << width, out=order)
    np.bitwise_or(order, np.arange(len(chosen)), out=order)
    nearest = np.argpartition(order, wanted - 1, axis=1)[:, :wanted]
    return np.asarray(chosen[np.sort(nearest, axis=1)])


def _keys(customer_id: pd.Series) -> np.ndarray:
    """A number per customer that depends on the id alone, as good as drawn by chance."""
    return pd.util.hash_array(customer_id.to_numpy(dtype=object), categorize=False).astype(
        np.uint64
    )
