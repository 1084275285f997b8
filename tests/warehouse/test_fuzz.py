"""A few hostile files through landing and staging, and hostile shops through to the features.

Add a file here that once crashed or lost a row. New ways to break files belong to the benchmarks
fuzz.py and fuzz_features.py, which try many more.
"""

import gzip
import importlib.util
import sys
from pathlib import Path

import pytest

from dagster_project.source_contract import RAW_TABLES, SHAPES

pytestmark = pytest.mark.slow


def _benchmark(name: str):
    file = Path(__file__).resolve().parents[2] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


fuzz_runner = _benchmark("fuzz_runner")
fuzz = _benchmark("fuzz")
fuzz_features = _benchmark("fuzz_features")


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory):
    return fuzz.Staging(tmp_path_factory.mktemp("dbt"))


@pytest.mark.parametrize("is_mapped", [False, True], ids=["shapes", "mapped sources"])
def test_no_file_crashes_and_no_row_is_lost(staging, is_mapped: bool) -> None:
    tables = tuple(name for name in RAW_TABLES if (name not in SHAPES) == is_mapped)
    outcomes = fuzz.try_cases(30, tables, 7, staging)
    assert sum(outcomes.values()) >= 30
    failed = [fuzz_runner.counted(outcomes, end) for end in ("crashed", "rows lost")]
    assert failed == [0, 0]
    assert sum(count for kind, count in outcomes.items() if kind.endswith("landed")) >= 10


# Without a fixed time in the header, two test processes collect two different tests.
@pytest.mark.parametrize(
    "content",
    [b"\x00", gzip.compress(b"product_id\np1\n", mtime=0)[:-6]],
    ids=["no gzip at all", "cut off"],
)
def test_a_broken_gzip_file_is_refused_by_name(staging, tmp_path: Path, content: bytes) -> None:
    case = ("products", "products.csv.gz", content, None, "bytes")
    assert fuzz.run_case(staging, tmp_path, case) == "refused"


def test_crashes_and_lost_rows_are_counted_and_the_others_go_on(monkeypatch) -> None:
    ends = iter([AssertionError("lost"), ValueError("broken"), AssertionError("lost")])

    def broken(*_) -> str:
        for end in ends:
            raise end
        return "landed"

    monkeypatch.setattr(fuzz, "run_case", broken)
    outcomes = fuzz.try_cases(10, tuple(SHAPES), 7, None)
    found = [fuzz_runner.counted(outcomes, end) for end in ("crashed", "rows lost", "landed")]
    assert found == [1, 2, sum(outcomes.values()) - 3]


def test_hostile_shops_reach_the_features(tmp_path: Path) -> None:
    pipeline = fuzz_features.Pipeline(tmp_path)
    assert len(pipeline.tests) > 80
    assert fuzz_features.try_cases(3, 7, pipeline) == {"built": 3}
    # A row that was lost on the way would have been seen.
    pipeline.warehouse.connection.execute("update staging.reconciliation set rows_in = rows_in + 1")
    failing = [name.split(" ")[0] for name in pipeline.failing_tests()]
    assert failing == ["rows_in_are_accepted_or_quarantined"]
