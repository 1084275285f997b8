"""Picture of movement for the Dagster UI: which stage the customers of each stage went to.

Add here a picture of a table of movement, as a pure function from frames to PNG bytes. How any
picture looks is in pictures.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dagster_project.pictures import INK, figure_of, markdown, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = ("prospect", "new", "one_time", "active", "star", "reactivated", "at_risk", "churned")
CAME, WENT = "came", "went"
COLOURS = {
    "prospect": "#999999",
    "new": "#56B4E9",
    "one_time": "#CC79A7",
    "active": "#009E73",
    "star": "#E69F00",
    "reactivated": "#0072B2",
    "at_risk": "#D55E00",
    "churned": "#666666",
    CAME: "#BBBBBB",
    WENT: "#BBBBBB",
}
GAP_SHARE = 0.022
BAR = 0.018


def migration_picture(moves: pd.DataFrame) -> str:
    """Return `migration_png` as markdown for asset metadata."""
    return markdown(migration_png(moves), "movement between stages")


def migration_png(moves: pd.DataFrame) -> bytes:
    """Flows between lifecycle stages, by behaviour, over the longest period of the rows.

    Bands of customers who stayed are pale. What a refit moved is told in the title.

    Parameters
    ----------
    moves : DataFrame
        Rows of predictions.segment_migrations of one as_of_date.
    """
    stages = moves[moves["level"] == "stage"]
    start = min(stages["from_date"])
    stages = stages[stages["from_date"] == start]
    refit = stages[stages["cause"] == "refit"]
    refitted = int(refit.loc[refit["from_key"] != refit["to_key"], "customers_count"].sum())
    flows = stages[stages["cause"] == "behaviour"].assign(
        from_key=lambda rows: rows["from_key"].fillna(CAME),
        to_key=lambda rows: rows["to_key"].fillna(WENT),
    )
    table = flows.pivot_table(
        index="from_key", columns="to_key", values="customers_count", aggfunc="sum", fill_value=0
    )
    names = [*ORDER, *sorted({*table.index, *table.columns} - {*ORDER, CAME, WENT}), CAME, WENT]
    table = table.reindex(index=names, columns=names, fill_value=0)
    counts = table.to_numpy(dtype="float64")  # (from, to)
    figure = figure_of(9.0, 6.4)
    axes = figure.add_subplot()
    left, right = _places(counts.sum(axis=1)), _places(counts.sum(axis=0))
    _bands(axes, counts, names, left, right)
    _bars(axes, counts.sum(axis=1), names, left, x=0.0)
    _bars(axes, counts.sum(axis=0), names, right, x=1.0)
    known = int(counts.sum() - counts[names.index(CAME)].sum())
    movers = int(known - np.trace(counts))
    told = f"; {refitted:,} more by refit" if refitted else ""
    axes.set_title(
        f"Movement between stages since {start}\n"
        f"{movers:,} of {known:,} customers changed stage or went{told}",
        fontsize=11,
    )
    axes.set_xlim(-0.27, 1.27)
    axes.invert_yaxis()
    axes.set_axis_off()
    return png_of(figure)


def _places(sizes: np.ndarray) -> np.ndarray:
    """Top of each bar, with a gap after every bar that holds somebody."""
    gap = GAP_SHARE * max(float(sizes.sum()), 1.0)
    heights = sizes + gap * (sizes > 0)
    places: np.ndarray = np.cumsum(heights) - heights
    return places


def _bands(
    axes: Axes, counts: np.ndarray, names: list[str], left: np.ndarray, right: np.ndarray
) -> None:
    across = np.linspace(0.0, 1.0, 60)
    bend = across**2 * (3.0 - 2.0 * across)
    starts, ends = left.copy(), right.copy()
    for row, column in np.argwhere(counts > 0):
        size = counts[row, column]
        top = starts[row] + (ends[column] - starts[row]) * bend
        is_stay = names[row] == names[column]
        axes.fill_between(
            BAR + across * (1.0 - 2.0 * BAR),
            top,
            top + size,
            color=COLOURS.get(names[row], INK),
            alpha=0.15 if is_stay else 0.6,
            linewidth=0,
        )
        starts[row] += size
        ends[column] += size


def _bars(axes: Axes, sizes: np.ndarray, names: list[str], places: np.ndarray, x: float) -> None:
    # Small bars lie closer than a line of text is high: labels are pushed apart, in order.
    shown = [number for number, size in enumerate(sizes) if size > 0]
    middles = [places[number] + sizes[number] / 2 for number in shown]
    room = 0.045 * max(float(sizes.sum()), 1.0)
    for number in range(1, len(middles)):
        middles[number] = max(middles[number], middles[number - 1] + room)
    for number, middle in zip(shown, middles, strict=True):
        name = names[number]
        edge = x if x == 0.0 else x - BAR
        axes.bar(
            edge, sizes[number], BAR, places[number], align="edge", color=COLOURS.get(name, INK)
        )
        axes.annotate(
            f"{name.replace('_', ' ')}  {int(sizes[number]):,}",
            (x, places[number] + sizes[number] / 2),
            xytext=(-0.03 if x == 0.0 else 1.03, middle),
            textcoords="data",
            ha="right" if x == 0.0 else "left",
            va="center",
            fontsize=10,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": "#BBBBBB", "linewidth": 0.6},
        )
