"""Pictures: every function turns a plain data frame into PNG bytes, the same bytes each time.

Add here the awkward frame that once broke a picture.
Whether a picture is clear is judged by looking at it, not here.
"""

from collections.abc import Callable
from functools import partial
from struct import unpack

import numpy as np
import pandas as pd
import pytest

from dagster_project import pictures, pictures_backtests
from dagster_project.pictures_of_quadrant import quadrant_png

RNG = np.random.default_rng(1)


def draws() -> pd.DataFrame:
    parts = [("mbg_nbd", "r"), ("mbg_nbd", "alpha"), ("mbg_nbd", "a"), ("mbg_nbd", "b")]
    parts += [("spend", "p"), ("spend", "q"), ("spend", "v"), ("spend", "fixed")]
    pieces = []
    for model, parameter in parts:
        values = np.ones(500) if parameter == "fixed" else RNG.gamma(9.0, 0.1, 500)
        pieces.append(pd.DataFrame({"model": model, "parameter": parameter, "value": values}))
    return pd.concat(pieces)


def portfolio() -> pd.DataFrame:
    mean = np.array([180e3, 540e3, 1.07e6, 2.1e6])
    table = pd.DataFrame({"horizon_days": [30, 90, 180, 365], "predicted_revenue_mean": mean})
    for name, factor in {"p05": 0.8, "p25": 0.92, "p50": 1.0, "p75": 1.08, "p95": 1.25}.items():
        table[f"predicted_revenue_{name}"] = mean * factor
    return table.assign(interval_status=["calibrated"] * 2 + ["uncalibrated", "extrapolated"])


def segments(count: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = [f"active-vb-{number:02d}" for number in range(count)]
    names = [f"Active, high spend, every {number} days" for number in range(count)]
    catalogue = pd.DataFrame({"microsegment_key": keys, "microsegment_name": names})
    customers = 4_000
    value = pd.DataFrame(
        {
            "microsegment_key": np.array(keys)[(RNG.random(customers) ** 2 * count).astype(int)],
            "predicted_revenue_mean": RNG.gamma(1.0, 200.0, customers),
        }
    )
    value.loc[::50, "predicted_revenue_mean"] = None
    return catalogue, value


def transitions() -> pd.DataFrame:
    stages = ["new", "one_time", "active", "star", "at_risk", "churned", "reactivated", "prospect"]
    rows = [
        (old, new, 900 if old == new else int(RNG.integers(0, 160)))
        for old in stages
        for new in stages
        if new != "prospect" or old == "prospect"
    ]
    return pd.DataFrame(rows, columns=["from_stage", "to_stage", "customers_count"])


def pit() -> pd.DataFrame:
    every = pd.DataFrame({"pit": RNG.random(2_000), "slice": "all"})
    buyers = pd.DataFrame({"pit": RNG.beta(1.3, 1.1, 900), "slice": "repeat_buyers"})
    top = pd.DataFrame({"pit": RNG.beta(0.8, 0.8, 200), "slice": "top_decile"})
    return pd.concat([every, buyers, top])


def evaluated(customers: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    orders, x = rng.poisson(1.0, customers).astype(float), rng.poisson(2.0, customers)
    return pd.DataFrame(
        {
            "x": x.astype(float),
            "recency_days": rng.uniform(0, 300, customers),
            "predicted_orders": rng.gamma(1.0, 1.0, customers),
            "realised_orders": orders,
            "predicted_revenue": rng.gamma(1.0, 30.0, customers),
            "realised_revenue": orders * 30.0,
            "revenue_pit": rng.random(customers),
            "purchase_probability": rng.random(customers),
            "alive_probability": rng.random(customers),
        }
    )


def tracking() -> pd.DataFrame:
    weeks = np.arange(1, 14)
    return pd.DataFrame({"week": weeks, "forecast": 10.0 * weeks, "actual": 9.0 * (weeks - 1)})


def refused() -> pd.DataFrame:
    table = portfolio().assign(interval_status="refused")
    ends = [name for name in table if name[-4:-2] == "_p"]
    return table.assign(**dict.fromkeys(ends, np.nan))


def quadrant() -> pd.DataFrame:
    parts = {"keep": (450, 1.2e6, 9.8e5), "win_back": (160, 3e5, 5e4), "other": (1_700, 3e5, 2e5)}
    rows = [("high_value", 300, 1e6, 9e5), *((f"value_quadrant:{n}", *v) for n, v in parts.items())]
    names = ["segment", "customers_count", "observed_revenue_amount", "predicted_revenue_mean"]
    none = pd.DataFrame([("value_quadrant:grow", None, None, None)], columns=names)
    return pd.concat([pd.DataFrame(rows, columns=names), none]).assign(horizon_days=365)


PICTURES: dict[str, Callable[[], bytes]] = {
    "posterior": partial(pictures.posterior_png, draws()),
    "lifetime_value": partial(pictures.lifetime_value_png, portfolio(), "USD"),
    "lifetime_value_refused": partial(pictures.lifetime_value_png, refused(), "USD"),
    "segments": partial(pictures.segments_png, *segments(), "USD"),
    "segments_many": partial(pictures.segments_png, *segments(45)),
    "migration": partial(pictures.migration_png, transitions(), "October 2017"),
    "pit": partial(pictures.pit_png, pit()),
    "tracking": partial(pictures_backtests.tracking_png, tracking()),
    "deciles": partial(pictures_backtests.deciles_png, evaluated(), 90),
    "reliability": partial(pictures_backtests.reliability_png, evaluated(), 90),
    "quadrant": partial(quadrant_png, quadrant(), "USD"),
    "frequency_recency": partial(pictures_backtests.frequency_recency_png, evaluated()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_png_of_readable_size_and_repeats_to_the_byte(name: str) -> None:
    png = PICTURES[name]()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = unpack(">II", png[16:24])
    assert 300 < width < 1_800 and 200 < height < 1_800
    assert png == PICTURES[name]()


def test_a_backtest_is_drawn_from_its_longest_horizon_and_nothing_from_nothing() -> None:
    drawn = pictures_backtests.backtest_pictures({30: evaluated(10), 90: evaluated()}, tracking())
    assert list(drawn) == [
        "weekly_tracking", "decile_calibration", "pit", "churn_reliability", "frequency_recency",
    ]  # fmt: skip
    ninety = pictures_backtests.markdown(
        pictures_backtests.reliability_png(evaluated(), 90), "reliability of churn"
    )
    assert drawn["churn_reliability"] == ninety
    assert pictures_backtests.backtest_pictures({}, tracking().head(0)) == {}


def test_frames_without_rows_still_give_a_picture() -> None:
    catalogue, value = segments()
    empty = [
        pictures.posterior_png(draws().head(0)),
        pictures.segments_png(catalogue, value.head(0)),
        pictures.segments_png(catalogue, value.assign(predicted_revenue_mean=np.nan)),
        pictures.pit_png(pd.DataFrame({"pit": []})),
    ]
    assert all(png.startswith(b"\x89PNG") for png in empty)


def test_markdown_embeds_the_picture_with_a_text() -> None:
    text = pictures.value_picture(portfolio(), "USD")
    assert text.startswith("![predicted value by horizon](data:image/png;base64,iVBOR")


def test_a_map_and_a_heat_map_of_segments_are_drawn_alike_twice():
    from dagster_project.segment_pictures import map_png, profiles_png

    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 4))
    keys = pd.Series([f"active-va-{number % 9:02d}" for number in range(300)])
    names = pd.Series({key: f"Active, {key}" for key in keys})
    first = map_png(values, keys, names, "Map")
    assert first == map_png(values, keys, names, "Map") and first.startswith(b"\x89PNG")
    profile = pd.DataFrame(
        {
            "microsegment_key": ["a", "a", "b", "b"],
            "feature": ["x", "y", "x", "y"],
            "base_standardised_gap": [1.0, np.nan, -3.0, 0.2],
        }
    )
    catalogue = pd.DataFrame(
        {
            "microsegment_key": ["a", "b", "c"],
            "microsegment_name": ["A", "B", "C"],
            "customers_count": [10, 20, 0],
        }
    )
    assert profiles_png(profile, catalogue).startswith(b"\x89PNG")
    one = map_png(np.zeros((1, 2)), keys.head(1), names, "One")
    assert one.startswith(b"\x89PNG")
