"""Pictures of summed value for the Dagster UI: what moved the base, and how cohorts grow.

Add here a picture of a table of sums, as a pure function from frames to PNG bytes. Pictures of
fits, segments and backtests, and how any picture looks, are in pictures.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dagster_project.pictures import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    figure_of,
    markdown,
    money_axis,
    plain,
    png_of,
    short,
    unit_of,
)

MAX_COHORTS = 12
STEPS = {
    "departed_change_amount": "customers\ngone",
    "behaviour_change_amount": "behaviour\nand time",
    "new_customers_change_amount": "new\ncustomers",
    "model_change_amount": "model",
}


def change_picture(portfolio: pd.DataFrame, currency: str = "") -> str:
    """Return `change_png` as markdown for asset metadata."""
    return markdown(change_png(portfolio, currency), "what moved the predicted value")


def cohort_picture(cohorts: pd.DataFrame, currency: str = "") -> str:
    """Return `cohort_png` as markdown for asset metadata."""
    return markdown(cohort_png(cohorts, currency), "value of cohorts by age")


def change_png(portfolio: pd.DataFrame, currency: str = "") -> bytes:
    """Waterfall from the predicted revenue of the slice before to that of this one.

    Parameters
    ----------
    portfolio : DataFrame
        Rows of predictions.portfolio_ltv of one as_of_date; the longest horizon with a slice before
        is shown.
    """
    known = portfolio[portfolio["previous_revenue_amount"].notna()].sort_values("horizon_days")
    figure = figure_of(7.0, 3.8)
    axes = figure.add_subplot()
    if known.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No slice before this one to compare with.", ha="center", color=INK)
        return png_of(figure)
    row = known.iloc[-1]
    start = float(row["previous_revenue_amount"])
    parts = np.array([float(row[name]) for name in STEPS])
    ends = start + np.cumsum(parts)
    bottoms = np.minimum(ends, ends - parts)
    place = np.arange(len(parts) + 2)
    axes.bar(place[[0, -1]], [start, ends[-1]], color=BLUE)
    axes.bar(
        place[1:-1],
        np.abs(parts),
        bottom=bottoms,
        color=[GREEN if p >= 0 else ORANGE for p in parts],
    )
    levels = [start, *ends, ends[-1]]
    for x, level in enumerate(levels[:-1]):
        axes.plot([x - 0.4, x + 1.4], [level, level], color=INK, linewidth=0.8)
    texts = [short(start), *(f"{'+' if p >= 0 else '-'}{short(abs(p))}" for p in parts)]
    tops = [start, *np.maximum(ends, ends - parts), ends[-1]]
    for x, (text, top) in enumerate(zip([*texts, short(ends[-1])], tops, strict=True)):
        axes.annotate(text, (x, top), xytext=(0, 4), textcoords="offset points", ha="center")
    low, high = min([start, *bottoms, ends[-1]]), max(tops)
    # From near the lowest level, or the parts would be slivers on two towers.
    floor = max(0.0, low - 0.6 * (high - low))
    axes.set_ylim(floor, high + 0.12 * max(high - floor, 1.0))
    before = f"{pd.Timestamp(row['previous_as_of_date']):%Y-%m-%d}"
    axes.set_xticks(place, [before, *STEPS.values(), "today"])
    cut = "" if floor == 0 else "\n(axis does not begin at 0)"
    axes.set_ylabel(unit_of("predicted revenue", currency) + cut)
    axes.set_title(f"What moved the value of the next {int(row['horizon_days'])} days")
    money_axis(axes.yaxis)
    plain(axes)
    return png_of(figure)


def cohort_png(cohorts: pd.DataFrame, currency: str = "") -> bytes:
    """Net revenue per customer by age, all channels together, and what is still to come.

    Parameters
    ----------
    cohorts : DataFrame
        Rows of predictions.cohort_ltv of one as_of_date. The latest cohorts are drawn; the dashed
        end is the mean of the longest horizon.
    """
    table = cohorts.assign(
        revenue=cohorts["observed_revenue_amount"].astype(float),
        future=cohorts["predicted_revenue_mean"].astype(float),
    )
    keys = ["acquisition_month", "age_months", "horizon_days"]
    sums = table.groupby(keys)[["customers_count", "revenue", "future"]].sum().reset_index()
    months = sorted(sums["acquisition_month"].unique())[-MAX_COHORTS:]
    figure = figure_of(8.0, 4.4)
    axes = figure.add_subplot()
    from matplotlib import colormaps

    for number, month in enumerate(months):
        part = sums[sums["acquisition_month"] == month].sort_values(["horizon_days", "age_months"])
        seen, ahead = part[part["horizon_days"] == 0], part[part["horizon_days"] > 0]
        colour = colormaps["viridis"](number / max(len(months), 1))
        per_head = seen["revenue"] / seen["customers_count"]
        label = f"{pd.Timestamp(month):%Y-%m} ({int(seen['customers_count'].iloc[-1]):,})"
        axes.plot(seen["age_months"], per_head, color=colour, marker=".", label=label)
        if len(ahead):
            last = ahead.iloc[-1]
            age = seen["age_months"].iloc[-1]
            axes.plot(
                [age, age + last["horizon_days"] / 30.4],
                [per_head.iloc[-1], (last["revenue"] + last["future"]) / last["customers_count"]],
                color=colour,
                linestyle="--",
            )
    axes.set_xlabel("months since the first purchase (dashed: predicted)")
    axes.set_ylabel(unit_of("net revenue per customer", currency))
    axes.set_ylim(bottom=0)
    axes.set_title("Value of cohorts by age")
    if months:
        axes.legend(frameon=False, fontsize=8, ncols=2)
    money_axis(axes.yaxis)
    plain(axes)
    return png_of(figure)
