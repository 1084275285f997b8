"""Pictures of how past forecasts turned out: frames of a backtest in, PNG bytes out.

Add here a picture of forecasts beside outcomes. Numbers are made in models_py/lifetime_value; the
common look, and pictures of predictions themselves, are pictures.py.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from dagster_project.pictures import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    figure_of,
    markdown,
    pit_png,
    plain,
    png_of,
)

MAP_FREQUENCIES = (0, 1, 2, 3, 5, 8, 13, np.inf)
MIN_CELL = 5


def backtest_pictures(evaluated: dict[int, pd.DataFrame], tracking: pd.DataFrame) -> dict[str, str]:
    """Every picture of a backtest as markdown for asset metadata, by name.

    Parameters
    ----------
    evaluated : dict of int to DataFrame
        Horizon to `models_py.lifetime_value.evaluate` at its last origin; the longest is drawn.
    tracking : DataFrame
        week, forecast, actual (cumulative); empty when nothing was tracked.
    """
    drawn: dict[str, str] = {}
    if len(tracking):
        drawn["weekly_tracking"] = markdown(tracking_png(tracking), "weekly tracking")
    if evaluated:
        horizon = max(evaluated)
        rows = evaluated[horizon]
        drawn |= {
            "decile_calibration": markdown(deciles_png(rows, horizon), "decile calibration"),
            "pit": markdown(pit_png(pit_slices(rows)), "randomised PIT"),
            "churn_reliability": markdown(reliability_png(rows, horizon), "reliability of churn"),
            "frequency_recency": markdown(frequency_recency_png(rows), "frequency-recency map"),
        }
    return drawn


def tracking_png(tracking: pd.DataFrame) -> bytes:
    """Cumulative purchases week by week, real and forecast, and their distance in percent."""
    from models_py.lifetime_value.measures import tracking_mape

    figure = figure_of(7.0, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    week = tracking["week"].to_numpy()
    forecast, actual = (tracking[name].to_numpy(dtype=float) for name in ("forecast", "actual"))
    upper.plot(week, actual, color=INK, linewidth=2, label="what happened")
    upper.plot(week, forecast, color=BLUE, linewidth=2, linestyle="--", label="forecast")
    upper.set_ylabel("purchases since the origin")
    upper.set_ylim(bottom=0)
    upper.legend(frameon=False, loc="upper left")
    miss = np.where(actual > 0, forecast / np.maximum(actual, 1.0) - 1.0, np.nan) * 100
    lower.axhline(0.0, color=INK, linewidth=1)
    lower.plot(week, miss, color=ORANGE, linewidth=2)
    lower.set_ylabel("miss, %")
    lower.set_xlabel("weeks after the origin")
    figure.suptitle(
        f"Weekly tracking: {tracking_mape(forecast, actual):.1%} off on average (cumulative)"
    )
    for axes in (upper, lower):
        plain(axes)
    return png_of(figure)


def deciles_png(evaluated: pd.DataFrame, horizon_days: int) -> bytes:
    """Mean forecast beside mean outcome in tenths of the customers, for orders and revenue."""
    from models_py.lifetime_value.measures import deciles

    figure = figure_of(9.0, 3.8)
    for number, quantity in enumerate(("orders", "revenue")):
        table = deciles(
            evaluated[f"predicted_{quantity}"].to_numpy(),
            evaluated[f"realised_{quantity}"].to_numpy(),
        )
        axes = figure.add_subplot(1, 2, number + 1)
        place = table["decile"].to_numpy()
        axes.bar(place - 0.2, table["forecast"], width=0.4, color=BLUE, label="forecast")
        axes.bar(place + 0.2, table["actual"], width=0.4, color=GREEN, label="what happened")
        axes.set_xticks(place)
        axes.set_xlabel("tenth of the customers, by forecast")
        axes.set_ylabel(f"mean {quantity} in {horizon_days} days")
        axes.legend(frameon=False, loc="upper left")
        plain(axes)
    figure.suptitle("Decile calibration: bars of a pair are equal where the forecast is right")
    return png_of(figure)


def pit_slices(evaluated: pd.DataFrame) -> pd.DataFrame:
    """Randomised PIT of revenue of everyone, repeat buyers and the top tenth, for `pit_png`."""
    best = evaluated["predicted_revenue"] >= evaluated["predicted_revenue"].quantile(0.9)
    slices = {"everyone": evaluated, "repeat buyers": evaluated[evaluated["x"] > 0]}
    slices["top decile"] = evaluated[best]
    return pd.concat(
        pd.DataFrame({"pit": rows["revenue_pit"], "slice": name}) for name, rows in slices.items()
    )


def reliability_png(evaluated: pd.DataFrame, horizon_days: int) -> bytes:
    """Share of customers who stayed away against the probability given to it."""
    from models_py.lifetime_value.measures import reliability

    churn = 1.0 - evaluated["purchase_probability"].to_numpy(dtype=float)
    silent = (evaluated["realised_orders"] == 0).to_numpy(dtype=float)
    table = reliability(churn, silent)
    share, count = table["share"].to_numpy(), table["customers_count"].to_numpy()
    reach = 1.96 * np.sqrt(np.maximum(share * (1 - share), 1e-9) / count)
    figure = figure_of(4.8, 4.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1)
    axes.errorbar(table["probability"], share, yerr=reach, fmt="o-", color=BLUE, capsize=3)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(f"probability of no purchase in {horizon_days} days")
    axes.set_ylabel("share without a purchase (95 % interval)")
    axes.set_title("Reliability of churn, in tenths of the customers")
    plain(axes)
    return png_of(figure)


def frequency_recency_png(evaluated: pd.DataFrame) -> bytes:
    """Mean probability to be still a customer, by repeat purchases and days since the last one."""
    days = evaluated["recency_days"].to_numpy(dtype=float)
    edges = np.unique(np.round(np.linspace(0.0, max(float(days.max()), 1.0), 9)))
    row = np.searchsorted(MAP_FREQUENCIES, evaluated["x"].to_numpy(), side="right") - 1
    column = np.clip(np.searchsorted(edges, days, side="right") - 1, 0, len(edges) - 2)
    shape = (len(MAP_FREQUENCIES) - 1, len(edges) - 1)
    counts, sums = np.zeros(shape), np.zeros(shape)
    np.add.at(counts, (row, column), 1.0)
    np.add.at(sums, (row, column), evaluated["alive_probability"].to_numpy(dtype=float))
    shown = np.where(counts >= MIN_CELL, sums / np.maximum(counts, 1.0), np.nan)
    figure = figure_of(8.6, 4.6)
    axes = figure.add_subplot()
    image = axes.imshow(shown, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", origin="lower")
    for y, x in np.argwhere(np.isfinite(shown)):
        colour = "white" if shown[y, x] < 0.6 else "black"
        text = f"{shown[y, x]:.0%}\n{int(counts[y, x]):,}"
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(shape[1]), [f"{a:.0f}-{b:.0f}" for a, b in pairwise(edges)])
    axes.set_yticks(range(shape[0]), _frequency_names())
    axes.set_xlabel("days since the last purchase")
    axes.set_ylabel("repeat purchase days")
    axes.set_title(
        "Probability to be still a customer, and how many customers\n"
        f"(cells of fewer than {MIN_CELL} are left empty)",
        fontsize=10,
    )
    figure.colorbar(image, ax=axes, label="P(alive)")
    return png_of(figure)


def _frequency_names() -> list[str]:
    names = []
    for low, high in pairwise(MAP_FREQUENCIES):
        last = high - 1
        names.append(f"{low}+" if high == np.inf else f"{low}" if low == last else f"{low}-{last}")
    return names
