"""Every planted defect is in the data and counted one for one.

Add here a count for a new kind of defect.
What the pipeline does with broken rows is tested in the warehouse tests.
"""

import pandas as pd
import pytest

from models_py.simulate import simulate_retailer
from models_py.simulate.retailer.defects import BREAKAGES, LATE_SHAPES

TIMES = {"orders": "ordered_at", "refunds": "refunded_at", "web_events": "occurred_at"}


@pytest.fixture(scope="module", params=[300, 3_000])
def shop(request):
    return simulate_retailer(request.param, 5)


@pytest.fixture(scope="module")
def planted(shop):
    return shop.truth["planted_defects"].set_index(["shape", "defect"])["rows"]


def test_each_kind_occurs_and_is_counted_once(planted):
    expected = {(shape, b.defect) for shape, list_ in BREAKAGES.items() for b in list_}
    expected |= {(shape, "duplicate") for shape in BREAKAGES}
    expected |= {(shape, "late") for shape in LATE_SHAPES}
    assert set(planted.index) == expected
    assert planted.index.is_unique
    assert (planted > 0).all()


@pytest.mark.parametrize(
    ("shape", "breakage"),
    [(shape, b) for shape, list_ in BREAKAGES.items() for b in list_],
    ids=lambda value: getattr(value, "defect", value),
)
def test_broken_values_are_there_as_often_as_counted(shop, planted, shape, breakage):
    column = shop.sources[shape][breakage.column]
    found = column.isna() if breakage.value is None else column == breakage.value
    assert found.sum() == planted[shape, breakage.defect]


@pytest.mark.parametrize("shape", sorted(BREAKAGES))
def test_exact_duplicates_are_there_as_often_as_counted(shop, planted, shape):
    assert shop.sources[shape].duplicated().sum() == planted[shape, "duplicate"]


@pytest.mark.parametrize("shape", LATE_SHAPES)
def test_late_rows_land_out_of_order_as_often_as_counted(shop, planted, shape):
    frame = shop.sources[shape].drop_duplicates()
    time = pd.to_datetime(frame[TIMES[shape]], errors="coerce", format="ISO8601").dropna()
    assert (time < time.cummax()).sum() == planted[shape, "late"]


def test_other_tables_are_clean(shop):
    keys = {
        "identifiers": ["source_system", "source_record_id", "identifier_type", "identifier_value"],
        "products": ["product_id"],
        "visits": ["visit_id"],
        "regions": ["postal_code"],
        "actions": ["action_id"],
        "action_exposures": ["action_id", "source_system", "source_record_id", "assigned_at"],
        "consents": ["source_system", "source_record_id", "purpose", "changed_at"],
        "erasure_requests": ["request_id"],
        "exchange_rates": ["rate_date", "currency_code"],
    }
    for shape, key in keys.items():
        assert shop.sources[shape][key].notna().all().all(), shape
        assert not shop.sources[shape].duplicated(key).any(), shape


def test_defects_leave_the_keys_of_sound_rows_unique(shop):
    orders = shop.sources["orders"].drop_duplicates().dropna(subset=["order_id"])
    records = shop.sources["customer_records"].drop_duplicates()
    records = records.dropna(subset=["source_record_id"])
    items = shop.sources["order_items"].drop_duplicates().dropna(subset=["order_id"])
    events = shop.sources["message_events"].drop_duplicates()
    assert not orders.duplicated(["source_system", "order_id"]).any()
    assert not records.duplicated(["source_system", "source_record_id"]).any()
    assert not items.duplicated(["source_system", "order_id", "line_number"]).any()
    assert not events.duplicated(["message_id", "event_type"]).any()
