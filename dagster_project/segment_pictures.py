"""Pictures of micro-segments: a map of a stage, and profiles as a heat map. Data in, PNG bytes out.

Add here a picture of segments that reads no warehouse and keeps no state.
Sizes and value side by side, and the common look, are in `pictures`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dagster_project.pictures import BLUE, GREEN, INK, ORANGE, PURPLE, figure_of, plain, png_of

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#E69F00", "#56B4E9", "#F0E442")
GREY = "#BBBBBB"
MOST_POINTS = 2_000
MOST_SEGMENTS, MOST_FEATURES = 24, 14


def map_png(values: np.ndarray, keys: pd.Series, names: pd.Series, title: str) -> bytes:
    """Customers of one stage on the two directions in which they differ most.

    Parameters
    ----------
    values : ndarray (customer, column)
        Features on the fitted scale.
    keys : Series
        microsegment_key of the same customers.
    names : Series
        microsegment_name by key. The seven largest have a colour and a name, the others are grey.
    title : str
    """
    centred = values - values.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction has no meaning: the largest part points up, whatever the library did.
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    points = np.zeros((len(values), 2))  # (customer, direction)
    found = min(2, len(directions))
    points[:, :found] = centred @ (directions * signs[:, None])[:found].T
    explained = spread[:2] ** 2 / max(float((spread**2).sum()), 1e-12)
    shown = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
    sizes = keys.value_counts()
    order = sorted(sizes.index, key=lambda key: (-sizes[key], key))
    figure = figure_of(8.5, 7.6)
    axes = figure.add_subplot()
    labels = keys.to_numpy()[shown]
    rest = ~np.isin(labels, order[: len(COLOURS)])
    if rest.any():
        text = f"{len(order) - len(COLOURS)} smaller ones"
        axes.scatter(*points[shown][rest].T, s=6, color=GREY, linewidths=0, label=text)
    for colour, key in zip(COLOURS, order, strict=False):
        mine = points[shown][labels == key]
        label = f"{names.get(key, key)} ({sizes[key]:,})"
        axes.scatter(*mine.T, s=9, color=colour, alpha=0.75, linewidths=0, label=label)
        centre = np.median(points[keys.to_numpy() == key], axis=0)
        axes.scatter(*centre, s=90, color=colour, edgecolors=INK, marker="D", linewidths=1)
    axes.set_xlabel(f"first principal component ({explained[0]:.0%} of the variance)")
    axes.set_ylabel(f"second ({explained[1]:.0%})" if len(explained) > 1 else "")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=8, markerscale=2)
    plain(axes)
    return png_of(figure)


def profiles_png(profile: pd.DataFrame, catalogue: pd.DataFrame) -> bytes:
    """Heat map of gaps: each row a micro-segment, each column a feature, in standard deviations.

    Parameters
    ----------
    profile : DataFrame
        microsegment_key, feature, base_standardised_gap.
    catalogue : DataFrame
        microsegment_key, microsegment_name, customers_count. The largest segments are shown, with
        the features that differ most between them; a gap beyond 2 has the colour of 2.
    """
    sized = catalogue[catalogue["customers_count"] > 0]
    largest = sized.sort_values(
        ["customers_count", "microsegment_key"], ascending=[False, True]
    ).head(MOST_SEGMENTS)
    largest = largest.sort_values("microsegment_key")
    gaps = profile.set_index(["microsegment_key", "feature"])["base_standardised_gap"]
    table = gaps.unstack("feature").reindex(largest["microsegment_key"])  # noqa: PD010
    apart = (table**2).mean().fillna(0.0)
    features = sorted(apart.index, key=lambda name: (-apart[name], name))[:MOST_FEATURES]
    numbers = table[features].to_numpy(dtype=float)
    figure = figure_of(1.8 + 0.62 * len(features) + 5.2, 2.4 + 0.3 * len(largest))
    axes = figure.add_subplot()
    image = axes.imshow(numbers, cmap="PuOr_r", vmin=-2.0, vmax=2.0, aspect="auto")
    for row, column in np.argwhere(np.isfinite(numbers)):
        gap = numbers[row, column]
        colour = "white" if abs(gap) > 1.4 else INK
        axes.text(column, row, f"{gap:+.1f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(
        range(len(features)),
        [name.replace("_", " ") for name in features],
        rotation=40,
        ha="right",
        fontsize=8,
    )
    words = [
        f"{name} ({size:,})"
        for name, size in zip(largest["microsegment_name"], largest["customers_count"], strict=True)
    ]
    axes.set_yticks(range(len(words)), words, fontsize=8)
    axes.set_title("What sets micro-segments apart from all customers")
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("gap to the mean of all, standard deviations")
    return png_of(figure)
