"""Pictures of results for the Dagster UI and the docs: data frames in, PNG bytes out.

Add here a picture of a result table, as a pure function that reads no warehouse and keeps no state.
The numbers are made in `models_py` and dbt, and assets decide where a picture is attached.
"""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours stay apart under all common forms of colour blindness.
BLUE, ORANGE, GREEN, PURPLE, INK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#333333"
MAX_SEGMENTS = 20


def posterior_picture(draws: pd.DataFrame) -> str:
    """Return `posterior_png` as markdown for asset metadata."""
    return markdown(posterior_png(draws), "posterior")


def value_picture(portfolio: pd.DataFrame, currency: str = "") -> str:
    """Return `lifetime_value_png` as markdown for asset metadata."""
    return markdown(lifetime_value_png(portfolio, currency), "predicted value by horizon")


def segments_picture(catalogue: pd.DataFrame, value: pd.DataFrame, currency: str = "") -> str:
    """Return `segments_png` as markdown for asset metadata."""
    return markdown(segments_png(catalogue, value, currency), "sizes and value of micro-segments")


def markdown(png: bytes, text: str) -> str:
    """Embed a PNG in markdown with an alternative text."""
    return f"![{text}](data:image/png;base64,{b64encode(png).decode()})"


def posterior_png(draws: pd.DataFrame) -> bytes:
    """Histogram of every parameter with its mean and 90 % interval.

    Parameters
    ----------
    draws : DataFrame
        model, parameter, value; one row per draw and parameter. Rows of a parameter that never
        varies are left out.
    """
    groups = [
        (f"{model}: {parameter}", part["value"].to_numpy(dtype=float))
        for (model, parameter), part in draws.groupby(["model", "parameter"], sort=True)
        if part["value"].min() < part["value"].max()
    ]
    columns = min(4, max(1, len(groups)))
    rows = max(1, -(-len(groups) // columns))
    figure = figure_of(3.0 * columns, 2.5 * rows + 0.6)
    for number, (name, values) in enumerate(groups):
        axes = figure.add_subplot(rows, columns, number + 1)
        low, high = np.quantile(values, [0.05, 0.95])
        axes.axvspan(low, high, color=BLUE, alpha=0.15, linewidth=0)
        axes.hist(values, bins=40, color=BLUE)
        axes.axvline(values.mean(), color=ORANGE, linewidth=2)
        axes.set_title(f"{name}\n{values.mean():.3g}  ({low:.3g} to {high:.3g})", fontsize=9)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(_few_ticks())
        plain(axes)
    figure.suptitle("Posterior of the parameters: mean (line) and 90 % interval (band)")
    return png_of(figure)


def lifetime_value_png(portfolio: pd.DataFrame, currency: str = "") -> bytes:
    """Predicted revenue of the whole base at each horizon, with its 50 % and 90 % interval.

    Parameters
    ----------
    portfolio : DataFrame
        One row per horizon of one as_of_date: horizon_days, predicted_revenue_mean, _p05, _p25,
        _p75, _p95; optional interval_status.
    """
    table = portfolio.sort_values("horizon_days")
    figure = figure_of(7.0, 4.2)
    axes = figure.add_subplot()
    place = np.arange(len(table))
    numbers = {
        name: table[f"predicted_revenue_{name}"].to_numpy(dtype=float)
        for name in ("mean", "p05", "p25", "p75", "p95")
    }
    axes.vlines(place, numbers["p05"], numbers["p95"], color=BLUE, linewidth=2, label="90 %")
    axes.vlines(
        place, numbers["p25"], numbers["p75"], color=BLUE, linewidth=9, alpha=0.45, label="50 %"
    )
    axes.plot(place, numbers["mean"], "o", color=ORANGE, markersize=7, label="mean")
    for x, mean in zip(place, numbers["mean"], strict=True):
        axes.annotate(short(mean), (x, mean), xytext=(11, -4), textcoords="offset points")
    labels = [f"{days} days" for days in table["horizon_days"]]
    if "interval_status" in table.columns:
        pairs = zip(labels, table["interval_status"], strict=True)
        labels = [f"{label}\n{status}" for label, status in pairs]
    axes.set_xticks(place, labels)
    axes.set_xlim(-0.5, len(table) - 0.3)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit_of("predicted revenue", currency))
    axes.set_title("Predicted value of today's customers, by horizon")
    axes.legend(frameon=False, loc="upper left")
    money_axis(axes.yaxis)
    plain(axes)
    return png_of(figure)


def segments_png(catalogue: pd.DataFrame, value: pd.DataFrame, currency: str = "") -> bytes:
    """Size and predicted value of every micro-segment side by side, the most valuable on top.

    Parameters
    ----------
    catalogue : DataFrame
        microsegment_key, microsegment_name.
    value : DataFrame
        One row per customer: microsegment_key, predicted_revenue_mean (NULL counts as 0).
    """
    amounts = value.assign(amount=value["predicted_revenue_mean"].astype(float).fillna(0.0))
    table = amounts.groupby("microsegment_key")["amount"].agg(["size", "sum"]).reset_index()
    table = table.merge(catalogue[["microsegment_key", "microsegment_name"]], how="left")
    table["name"] = table["microsegment_name"].fillna(table["microsegment_key"])
    table = table.sort_values(["sum", "microsegment_key"], ascending=[False, True])
    if len(table) > MAX_SEGMENTS:
        rest = table.iloc[MAX_SEGMENTS - 1 :]
        others = {
            "name": f"{len(rest)} smaller ones",
            "size": rest["size"].sum(),
            "sum": rest["sum"].sum(),
        }
        table = pd.concat([table.iloc[: MAX_SEGMENTS - 1], pd.DataFrame([others])])
    table = table.iloc[::-1]
    figure = figure_of(9.5, 1.4 + 0.36 * len(table))
    place = np.arange(len(table))
    panels = [("size", "customers", BLUE), ("sum", unit_of("predicted revenue", currency), GREEN)]
    for number, (column, label, colour) in enumerate(panels):
        axes = figure.add_subplot(1, 2, number + 1)
        lengths = table[column].to_numpy(dtype=float)
        axes.barh(place, lengths, color=colour)
        share = lengths / lengths.sum() if lengths.sum() > 0 else np.zeros(len(lengths))
        for y, length, part in zip(place, lengths, share, strict=True):
            axes.annotate(
                f"{length:,.0f} ({part:.0%})" if number == 0 else f"{short(length)} ({part:.0%})",
                (max(length, 0.0), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_xlim(min(0.0, float(lengths.min(initial=0.0))), lengths.max(initial=1.0) * 1.3)
        axes.set_yticks(place, list(table["name"]) if number == 0 else [""] * len(table))
        axes.set_xlabel(label)
        axes.xaxis.set_major_locator(_few_ticks())
        money_axis(axes.xaxis)
        plain(axes)
    figure.suptitle("Micro-segments: how many customers, how much predicted value")
    return png_of(figure)


def migration_png(transitions: pd.DataFrame, period: str = "") -> bytes:
    """Heat map of who moved where: each row shows how a former stage spread, in percent.

    Parameters
    ----------
    transitions : DataFrame
        from_stage, to_stage, customers_count.
    period : str
        Said in the title, for example "2017-10-31 to 2017-11-30".
    """
    names = sorted(set(transitions["from_stage"]) | set(transitions["to_stage"]))
    counts = transitions.pivot_table(
        index="from_stage",
        columns="to_stage",
        values="customers_count",
        aggfunc="sum",
        fill_value=0,
    ).reindex(index=names, columns=names, fill_value=0)
    numbers = counts.to_numpy(dtype=float)
    shares = numbers / np.maximum(numbers.sum(axis=1, keepdims=True), 1.0)  # (from, to)
    figure = figure_of(1.0 * len(names) + 2.6, 0.62 * len(names) + 2.0)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for row, column in np.argwhere(numbers > 0):
        share = shares[row, column]
        axes.text(
            column,
            row,
            f"{share:.0%}\n{int(numbers[row, column]):,}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share > 0.55 else INK,
        )
    words = [name.replace("_", " ") for name in names]
    axes.set_xticks(range(len(names)), words, rotation=30, ha="right")
    sizes = numbers.sum(axis=1).astype(int)
    axes.set_yticks(
        range(len(names)),
        [f"{word} ({size:,})" for word, size in zip(words, sizes, strict=True)],
    )
    axes.set_xlabel("stage after")
    axes.set_ylabel("stage before (customers)")
    axes.set_title("Where customers of each stage went" + (f", {period}" if period else ""))
    return png_of(figure)


def pit_png(pit: pd.DataFrame) -> bytes:
    """Histogram of randomised PIT values, flat when the forecast intervals mean what they say.

    Parameters
    ----------
    pit : DataFrame
        pit (0..1) and optional slice, one panel each.
    """
    table = pit if "slice" in pit.columns else pit.assign(slice="all")
    slices = sorted(table["slice"].unique())
    figure = figure_of(3.4 * max(1, len(slices)), 3.4)
    for number, name in enumerate(slices):
        values = table.loc[table["slice"] == name, "pit"].dropna().to_numpy(dtype=float)
        axes = figure.add_subplot(1, len(slices), number + 1)
        share, edges = np.histogram(values, bins=20, range=(0.0, 1.0))
        height = share / max(len(values), 1) * 20
        axes.bar(edges[:-1], height, width=0.05, align="edge", color=BLUE, edgecolor="white")
        axes.axhline(1.0, color=ORANGE, linewidth=2)
        inside = float(np.mean((values > 0.05) & (values < 0.95))) if len(values) else float("nan")
        axes.set_title(
            f"{str(name).replace('_', ' ')} ({len(values):,} customers)\n"
            f"{inside:.1%} between 0.05 and 0.95 (ideal 90 %)",
            fontsize=9,
        )
        axes.set_xlabel("randomised PIT")
        axes.set_ylabel("density" if number == 0 else "")
        plain(axes)
    figure.suptitle("Calibration: bars on the line mean honest intervals")
    return png_of(figure)


def figure_of(width: float, height: float) -> Figure:
    """An empty figure in the common look, inches."""
    # Figure instead of pyplot: no global state, so runs in threads cannot draw on each other.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def png_of(figure: Figure) -> bytes:
    """The figure as PNG bytes."""
    buffer = BytesIO()
    # Without the software stamp the same data gives the same bytes on every patch release.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def plain(axes: Axes) -> None:
    """No frame above and on the right."""
    axes.spines[["top", "right"]].set_visible(False)


def _few_ticks() -> object:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def money_axis(axis: object) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda number, _: short(number)))  # type: ignore[attr-defined]


def unit_of(what: str, currency: str) -> str:
    return f"{what} ({currency})" if currency else what


def short(number: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g}"
