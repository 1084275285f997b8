"""The check at the door: what a caller reads when a frame does not fit its contract.

Add here how a new kind of column is taken or refused.
What models do with the numbers is tested beside the models.
"""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from models_py.frames import require_columns, require_complete, to_float


def test_a_missing_column_is_named_with_its_table():
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match=r"fct_orders has no column b, c .*Select or build it"):
        require_columns(frame, ["a", "b", "c"], "fct_orders")


def test_text_where_numbers_are_due_is_refused():
    frame = pd.DataFrame({"amount": ["12", "x"]})
    with pytest.raises(ValueError, match=r"orders.amount .* not numbers"):
        require_columns(frame, {"amount": "number"}, "orders")


def test_fractions_where_whole_numbers_are_due_are_refused():
    frame = pd.DataFrame({"days": [1.0, 2.5]})
    with pytest.raises(ValueError, match=r"orders.days holds fractions"):
        require_columns(frame, {"days": "integer"}, "orders")


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([Decimal("1.50"), None]),
        pd.Series([1.5, None], dtype="Float64"),
        pd.Series(
            pa.array([Decimal("1.50"), None], pa.decimal128(18, 2)),
            dtype=pd.ArrowDtype(pa.decimal128(18, 2)),
        ),
    ],
    ids=["decimal", "nullable", "arrow"],
)
def test_numbers_in_any_dress_become_floats(values):
    np.testing.assert_array_equal(to_float(values, "orders"), [1.5, np.nan])


def test_null_is_counted_and_shown_with_the_remedy():
    frame = pd.DataFrame({"customer_id": ["c_1", "c_2"], "tenure_days": [3, None]})
    with pytest.raises(ValueError, match=r"features.tenure_days is NULL in 1 rows .*c_2.*Do this"):
        require_complete(frame, ["tenure_days"], "features", "Do this.")
