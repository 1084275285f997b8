"""A fit whose rows an older release wrote: read as it was, or refused with the remedy.

Add here a format that is no more written, with a small fit in it beside this file.
Today's format is tested in `test_segmentation_microsegments`.
"""

from pathlib import Path

import pandas as pd
import pytest

from models_py.segmentation import Microsegmentation

FOLDER = Path(__file__).parent / "segmentation_of_an_older_release"


@pytest.fixture(name="rows")
def _rows() -> pd.DataFrame:
    """Two layers of two stages, one with a rest and a feature that was left out."""
    return pd.read_csv(FOLDER / "parameters.csv").assign(model="microsegmentation", draw=None)


def test_customers_have_the_micro_segments_the_older_release_gave(rows: pd.DataFrame) -> None:
    customers = pd.read_csv(FOLDER / "customers.csv")
    model = Microsegmentation.from_parameters(rows)
    cells = model.microsegments(model.predict(customers))
    assert cells["microsegment_key"].tolist() == customers["microsegment_key"].tolist()
    assert cells["microsegment_key"].nunique() == len(model.cells_) == 7
    assert model.features().set_index(["stage", "feature"]).loc[
        ("active", "tenure_days"), "decision"
    ] == "left out: 100% missing"  # fmt: skip
    # Written again it is in the format of today.
    again = Microsegmentation.from_parameters(model.parameters_frame())
    pd.testing.assert_frame_equal(again.catalogue(), model.catalogue())


def test_a_refit_keeps_the_keys_of_the_older_release(rows: pd.DataFrame) -> None:
    model = Microsegmentation.from_parameters(rows)
    customers = pd.read_csv(FOLDER / "customers.csv")
    again = Microsegmentation(model.layers, floor=30, n_bootstraps=20).fit(customers, model)
    lineage = again.lineage_[again.lineage_["layer"] == "microsegment"]
    kept = lineage[(lineage["decision"] == "continued") & (lineage["stage"] == "active")]
    assert set(kept["new_key"]) == {key for key in model.cells_ if key.startswith("active")}
    assert kept["overlap_share"].eq(1.0).all()
    # Layers without structure are no more in the pattern; the key of their customers stays.
    churned = again.catalogue().set_index("stage").loc["churned"]
    assert (churned["microsegment_key"], churned["pattern"]) == ("churned-va-01-en-01", "*")


@pytest.mark.parametrize("gone", ["layer_position", "silhouette", "key_position"])
def test_rows_that_cannot_be_read_say_so(rows: pd.DataFrame, gone: str) -> None:
    left = rows[~rows["parameter"].str.endswith(gone)]
    if gone == "key_position":
        left = rows.assign(parameter=rows["parameter"].str.replace("feature_position", "place"))
    with pytest.raises(ValueError, match="fit the micro-segments again"):
        Microsegmentation.from_parameters(left)
