"""Files of the simulated retailer: the same seed gives the same bytes, and truth stays apart.

Add here what the written folder must satisfy.
What the tables hold is tested on frames, beside this one.
"""

import hashlib
from datetime import date

import pandas as pd
import pytest

from models_py.simulate import write_retailer


def _hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path):
    hashes = {}
    for name, seed in (("first", 9), ("again", 9), ("other", 10)):
        write_retailer(tmp_path / name, tmp_path / f"{name}_truth", 600, seed)
        hashes[name] = _hashes(tmp_path / name) | _hashes(tmp_path / f"{name}_truth")
    assert hashes["first"] == hashes["again"]
    assert set(hashes["first"]) == set(hashes["other"])
    same = {name for name, value in hashes["first"].items() if hashes["other"][name] == value}
    assert same <= {"regions.csv", "actions.parquet"}


def test_one_file_per_shape_and_truth_in_its_own_folder(tmp_path):
    rows = write_retailer(tmp_path / "shop", tmp_path / "truth", 300, 1)
    files = {path.stem for path in (tmp_path / "shop").iterdir()}
    assert files == set(rows)
    assert len(files) == 15
    truth = {path.stem for path in (tmp_path / "truth").iterdir()}
    assert {"persons", "person_records", "action_effects", "planted_defects"} <= truth
    codes = pd.read_csv(tmp_path / "shop" / "regions.csv", dtype=str)["postal_code"]
    assert codes.str.startswith("0").any()
    assert len(pd.read_parquet(tmp_path / "shop" / "orders.parquet")) == rows["orders"]


def test_the_last_day_is_an_argument(tmp_path):
    write_retailer(tmp_path / "shop", tmp_path / "truth", 300, 1, end_date=date(2024, 6, 30))
    days = pd.read_parquet(tmp_path / "truth" / "orders.parquet")["order_day"]
    assert "2024-06-01" < days.max() <= "2024-06-30"


def test_truth_within_reach_of_the_pipeline_is_refused(tmp_path):
    for truth in (tmp_path / "shop", tmp_path / "shop" / "truth"):
        with pytest.raises(ValueError, match="outside"):
            write_retailer(tmp_path / "shop", truth, 300, 1)
    assert not (tmp_path / "shop").exists()
