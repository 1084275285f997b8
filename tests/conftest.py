"""Fixtures that several rooms share: where the test data is, and one real run of the whole line.

Add a fixture here when tests of two rooms need it. What one room needs stays in its test file.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs of the whole line first: begun last, one of two test processes would wait for them.

    The first of these needs no shop, so the other process can make it while nobody waits.
    """
    items.sort(
        key=lambda item: (
            "orchestration" not in item.path.parts,
            item.path.name != "test_ui.py",
        )
    )


@pytest.fixture(scope="session")
def test_data() -> Path:
    folder = Path(os.environ.get("CLIENTELA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set CLIENTELA_TEST_DATA to have this test run")
    return folder


@pytest.fixture(scope="session")
def manifest() -> dict:
    """What dbt says of the project."""
    from dagster_project.config import load_config
    from dagster_project.dbt_project import ensure_manifest

    return json.loads(ensure_manifest(load_config()).read_text())


@dataclass
class Shop:
    """A simulated shop, its files, and a home of its own for warehouse, copy and run history."""

    home: Path
    source: Path
    truth: Path
    summary: str = ""
    # The home as the first run left it; tests of this process change their own copy.
    pristine: Path = Path()

    @property
    def warehouse(self) -> Path:
        return self.home / "work.duckdb"

    @property
    def published(self) -> Path:
        return self.home / "copy.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if k not in ("DAGSTER_HOME",)}
        return inherited | {
            "CLIENTELA_HOME": str(self.home),
            "CLIENTELA_CONFIG": str(self.home / "config.yml"),
            "CLIENTELA_DATASET": str(self.source),
            "CLIENTELA_WAREHOUSE": str(self.warehouse),
            "CLIENTELA_PUBLISHED": str(self.published),
        }

    def lend_parsed_project(self, other: "Shop") -> None:
        """Give a new home the parsed dbt project and its lineage, which take it 20 s to find."""
        from dagster_project.config import load_config

        found = next(self.home.glob("storage/*/dbt"))
        name = load_config(other.home / "config.yml", str(other.source)).dataset
        shutil.copytree(found, other.home / "storage" / name / "dbt", dirs_exist_ok=True)

    def clientela(self, *arguments: str, **settings) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dagster_project.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            **settings,
        )


def _make_shop(home: Path, customers: int, seed: int) -> Shop:
    """Files of a small shop, and a config.yml of its own with a shorter sampling."""
    from models_py.simulate import write_retailer

    home.mkdir(parents=True, exist_ok=True)
    shop = Shop(home, home / "shop files", home / "truth")
    write_retailer(shop.source, shop.truth, customers, seed)
    text = (ROOT / "config.yml").read_text()
    text = text.replace("business_time_zone: UTC", "business_time_zone: Europe/Madrid")
    (home / "config.yml").write_text(text)
    return shop


@pytest.fixture(scope="session")
def make_shop():
    """Call with home, number of customers and seed to get the files of another shop."""
    return _make_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    """A shop of 1,500 people, run through the whole line once by the command line.

    Test processes that run side by side build it once; each works on a copy of its own.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    home = shared / "home with space" / "shop"
    home.parent.mkdir(exist_ok=True)
    with (shared / "shop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shop = Shop(home, home / "shop files", home / "truth")
        summary = home / "summary.txt"
        if not home.exists():
            _make_shop(home, 1_500, 11)
            done = shop.clientela("run", "--back", "1")
            summary.write_text(done.stdout if done.returncode == 0 else "")
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        assert summary.read_text(), "the run of another test process failed; its error says why"
    shop.summary = summary.read_text()
    own = tmp_path_factory.mktemp("own copy") / "shop"
    skip = shutil.ignore_patterns("truth", "shop files", "parse.lock")
    shutil.copytree(home, own, ignore=skip, symlinks=True)
    shop.home, shop.pristine = own, home
    return shop
