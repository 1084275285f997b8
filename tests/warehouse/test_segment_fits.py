"""Stored micro-segmentations as the line reads them back, also those it can no more read.

Add here what must hold of a stored fit before it is asked about customers.
"""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from dagster_project import segment_fits
from dagster_project.config import load_config
from dagster_project.model_registry import Fit, store
from dagster_project.warehouse import open_warehouse

OLD = Path("tests/models/segmentation_of_an_older_release/parameters.csv")


class Lines(list[str]):
    """A log that keeps what it is told."""

    def warning(self, msg: object, /) -> None:
        self.append(str(msg))


def test_a_fit_of_an_older_release_is_read_and_an_unreadable_one_counts_as_none(
    tmp_path: Path,
) -> None:
    root = Path(segment_fits.__file__).parent.parent
    rows = pd.read_csv(root / OLD).assign(model=segment_fits.MODEL, draw=None)
    star = pd.DataFrame([{"model": "lifecycle", "parameter": segment_fits.STAR_LINE, "value": 9.0}])
    config, log = load_config(root / "config.yml"), Lines()
    with open_warehouse(tmp_path / "w") as warehouse:
        old = store(warehouse, Fit(segment_fits.MODEL, dt.date(2024, 1, 1), "a" * 12,
                                   pd.concat([rows, star])))  # fmt: skip
        assert segment_fits.version_before(warehouse, dt.date(2024, 2, 1)) == old
        found = segment_fits.load_if_readable(warehouse, old, config, log)
        assert found is not None and found[1].star_value_amount == 9.0
        assert len(found[0].cells_) == 7 and not log
        strange = rows.assign(parameter=rows["parameter"].str.replace("feature_position", "place"))
        for number, left in enumerate([pd.concat([strange, star]), rows]):
            day = dt.date(2024, 3, 1 + number)
            version = store(warehouse, Fit(segment_fits.MODEL, day, "b" * 12, left))
            assert segment_fits.load_if_readable(warehouse, version, config, log) is None
            assert version in log[-1] and "again" in log[-1]
            with pytest.raises(ValueError, match="again"):
                segment_fits.load(warehouse, version, config)
