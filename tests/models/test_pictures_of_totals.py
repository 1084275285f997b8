"""Pictures of totals: PNG bytes of a readable size, also without a slice before.

Add a picture of a table of sums here when pictures_of_totals.py gets one. What the numbers are is
tested in tests/warehouse/test_value_totals.py.
"""

import datetime as dt
from struct import unpack

import pandas as pd
import pytest

from dagster_project.pictures_of_totals import STEPS, change_png, cohort_png

MONTHS = [dt.date(2024, month, 1) for month in range(1, 13)]


def portfolio(before=dt.date(2024, 5, 31), amount=100.0, parts=(-1.0, -30.0, 25.0, 0.0)):
    known = {"horizon_days": [90], "previous_as_of_date": [before]}
    known |= {"previous_revenue_amount": [amount]}
    return pd.DataFrame(known | dict(zip(STEPS, ([part] for part in parts), strict=True)))


def cohorts():
    rows = [(month, age, 0, 10, 100 + age, None) for month in MONTHS for age in range(3)]
    rows += [(month, 2, 90, 10, 102, 50.0) for month in MONTHS]
    columns = ["acquisition_month", "age_months", "horizon_days", "customers_count"]
    columns += ["observed_revenue_amount", "predicted_revenue_mean"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    "png",
    [
        change_png(portfolio(), "EUR"),
        change_png(portfolio(None, None, (None,) * 4)),
        change_png(portfolio(amount=5.0, parts=(-5.0, 0.0, 0.0, 0.0))),
        cohort_png(cohorts(), "EUR"),
        cohort_png(cohorts().head(0)),
    ],
    ids=["change", "no slice before", "down to nothing", "cohorts", "no cohort"],
)
def test_a_picture_is_a_png_of_readable_size(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = unpack(">II", png[16:24])
    assert 300 < width < 1_800 and 200 < height < 1_800


def test_a_waterfall_of_the_same_numbers_is_the_same_to_the_byte_and_of_others_is_not():
    assert change_png(portfolio()) == change_png(portfolio())
    assert change_png(portfolio()) != change_png(portfolio(parts=(-1.0, -30.0, 20.0, 5.0)))
