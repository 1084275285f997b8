"""The same files give the same tables, also after a kill.

Add here what must not depend on when, where or in what order a run was made.
"""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.orchestration.contents import RESULTS, ordered_hash, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def killed(shop, tmp_path_factory):
    """The same files, a new home with a copy of before, and a run killed in the middle."""
    home = tmp_path_factory.mktemp("rebuilt")
    shutil.copy(shop.home / "config.yml", home / "config.yml")
    again = replace(shop, home=home)
    shutil.copy(shop.pristine / "copy.duckdb", again.published)
    shop.lend_parsed_project(again)
    runner = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.cli", "run", "--back", "1"],
        env=again.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    for line in runner.stderr:
        if "customers_map" in line:
            break
    time.sleep(2.5)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    return again


def test_a_killed_run_leaves_the_copy_to_its_readers(shop, killed):
    assert killed.published.read_bytes() == (shop.pristine / "copy.duckdb").read_bytes()
    assert rows(killed.published, "select count(*) from serving.customer_360")[0][0] > 500


@pytest.fixture(scope="module")
def rebuilt(killed):
    """The killed run, started again."""
    done = killed.clientela("run", "--back", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    return killed


@pytest.mark.parametrize("table", RESULTS)
def test_a_warehouse_built_again_holds_the_same_bytes(shop, rebuilt, table):
    assert ordered_hash(rebuilt.warehouse, table) == ordered_hash(shop.warehouse, table)
