"""The picture of past and predicted value: four groups of buyers, how many and what they are worth.

Add here another picture of declared segments.
Which buyers belong to which quarter is a rule in `declared_segments/ready_made.yml`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dagster_project.pictures import INK, figure_of, markdown, png_of, short

QUADRANT = "value_quadrant:"
PLACES = {"win_back": (0, 0), "keep": (0, 1), "other": (1, 0), "grow": (1, 1)}
NAMES = {"win_back": "win back", "keep": "keep", "other": "other", "grow": "grow"}


def quadrant_picture(definitions: pd.DataFrame, currency: str = "") -> str:
    """Return `quadrant_png` as markdown for asset metadata."""
    return markdown(quadrant_png(definitions, currency), "past and predicted value of buyers")


def quadrant_png(definitions: pd.DataFrame, currency: str = "") -> bytes:
    """Two rows (past value) by two columns (predicted value), shaded by predicted revenue.

    Parameters
    ----------
    definitions : DataFrame
        Rows of predictions.segment_definitions of one date; those of the quadrant are drawn, and
        one that is not available counts as empty.
    """
    table = definitions[definitions["segment"].str.startswith(QUADRANT)].copy()
    table["part"] = table["segment"].str.removeprefix(QUADRANT)
    table = table.set_index("part").reindex(list(PLACES))
    counts = table["customers_count"].astype(float).fillna(0.0)
    past = table["observed_revenue_amount"].astype(float).fillna(0.0)
    predicted = table["predicted_revenue_mean"].astype(float).fillna(0.0)
    shares = {name: _shares(values) for name, values in (("n", counts), ("v", predicted))}
    shade = np.zeros((2, 2))  # (past, predicted)
    for part, place in PLACES.items():
        shade[place] = shares["v"][part]
    figure = figure_of(7.2, 4.6)
    axes = figure.add_subplot()
    axes.imshow(shade, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    money = f" {currency}" if currency else ""
    for part, (row, column) in PLACES.items():
        colour = "white" if shade[row, column] > 0.55 else INK
        axes.text(column, row - 0.22, NAMES[part], ha="center", fontsize=13, color=colour)
        axes.text(
            column,
            row + 0.12,
            f"{counts[part]:,.0f} buyers ({shares['n'][part]:.0%})\n"
            f"past {short(past[part])}{money}\n"
            f"predicted {short(predicted[part])}{money} ({shares['v'][part]:.0%})",
            ha="center",
            va="center",
            fontsize=9,
            color=colour,
        )
    axes.axhline(0.5, color="white", linewidth=4)
    axes.axvline(0.5, color="white", linewidth=4)
    axes.set_xticks([0, 1], ["below the line", "above the line"])
    axes.set_yticks([0, 1], ["above\nthe line", "below\nthe line"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    horizon = table["horizon_days"].dropna()
    days = f", next {int(horizon.iloc[0])} days" if len(horizon) else ""
    axes.set_xlabel(f"predicted revenue{days}")
    axes.set_ylabel("revenue so far")
    axes.set_title("Buyers by past and predicted value")
    return png_of(figure)


def _shares(values: pd.Series) -> pd.Series:
    total = float(values.sum())
    return values / total if total > 0 else values * 0.0
