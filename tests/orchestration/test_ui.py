"""The UI of a small shop: its daemon runs the schedule, and a person builds a date by clicking.

Add here what only the real daemon or a browser shows: what starts by itself, what is on a page,
what a click starts. What a run computes stays out; the test of the whole line has it.
"""

import base64
import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from models_py.simulate import write_retailer
from tests.orchestration.contents import dagster_of

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["raw", "staging", "identity", "intermediate", "marts", "models", "predictions", "serving"]
START_SECONDS = 180
PAGE_SECONDS = 60
RUN_SECONDS = 700
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1920,1200",
]
# The page is drawn again while statuses arrive, so an element may go between finding and clicking.
NOT_YET = [
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
]


@pytest.fixture
def browser(tmp_path):
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and chromedriver on the PATH (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in [*FLAGS, f"--user-data-dir={tmp_path / 'browser profile'}"]:
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@dataclass
class Served:
    """A shop whose data end yesterday, behind `clientela ui` with a schedule of every minute."""

    home: Path
    yesterday: str
    address: str

    def log(self):
        return (self.home / "ui.log").read_text()[-4000:]

    def finished_run(self, is_wanted):
        """The first such run that has ended; those that wait for it are taken from the queue."""
        with dagster_of(self.home) as instance:

            def found(instance):
                runs = instance.get_runs()
                return [run for run in runs if run.is_finished and is_wanted(run)]

            runs = WebDriverWait(instance, RUN_SECONDS, 2).until(
                found, f"no such run ended within {RUN_SECONDS} s"
            )
            # While it ran, every minute asked for another one.
            for waiting in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])):
                instance.report_run_canceled(waiting)
        assert runs[-1].status == dg.DagsterRunStatus.SUCCESS, self.log()
        return runs[-1]

    def customers(self):
        """Customers of yesterday in the published copy."""
        with duckdb.connect(str(self.home / "copy.duckdb"), read_only=True) as connection:
            return connection.execute(
                "select count(*) from serving.customer_360 where as_of_date = ?", [self.yesterday]
            ).fetchall()[0][0]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("served") / "home"
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    write_retailer(home / "shop", home / "truth", 800, 5, end_date=yesterday)
    text = (ROOT / "config.yml").read_text()
    text = text.replace('daily_cron: "0 5 * * *"', 'daily_cron: "* * * * *"')
    text = text.replace('refit_cron: "0 4 * * 1"', 'refit_cron: "0 4 29 2 *"')
    assert "* * * * *" in text and "29 2" in text
    (home / "config.yml").write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "DAGSTER_HOME" and not name.startswith("CLIENTELA_")
    }
    with (home / "ui.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster_project.cli", "ui", "--port", str(port)],
            cwd=ROOT,
            env=inherited
            | {
                "CLIENTELA_HOME": str(home),
                "CLIENTELA_CONFIG": str(home / "config.yml"),
                "CLIENTELA_DATASET": str(home / "shop"),
                "CLIENTELA_PUBLISHED": str(home / "copy.duckdb"),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        shop = Served(home, str(yesterday), f"http://127.0.0.1:{port}")
        WebDriverWait(process, START_SECONDS, 1).until(
            lambda process: process.poll() is not None or answers(f"{shop.address}/server_info"),
            f"no UI after {START_SECONDS} s",
        )
        assert process.poll() is None, shop.log()
        yield shop
    finally:
        stop(process)


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def stop(process):
    """End the UI with its web server, daemon, code servers and a run that still goes on."""
    # On a busy machine the code servers may outlive SIGTERM by more than a test can wait.
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, how)
            process.wait(30)


def wait_for(browser, found, what):
    """What ``found(browser)`` answers, once it answers something."""
    wait = WebDriverWait(browser, PAGE_SECONDS, ignored_exceptions=NOT_YET)
    return wait.until(found, f"{what} did not come at {browser.current_url}")


def click(browser, path):
    def clicked(browser):
        browser.find_element("xpath", path).click()
        return True

    wait_for(browser, clicked, path)


def close_greeting(browser, address):
    """Skip the invitation to a newsletter with which a new DAGSTER_HOME covers every button.

    It comes late: behind a dialog that was opened before it, its own button is out of reach.
    """

    def is_wanted(_):
        with urllib.request.urlopen(f"{address}/graphql?query={{shouldShowNux}}") as answer:
            return json.load(answer)["data"]["shouldShowNux"]

    if is_wanted(browser):
        click(browser, "//button[.='Skip']")
        WebDriverWait(browser, PAGE_SECONDS).until_not(is_wanted, "the greeting comes again")


def open_lineage(browser, address):
    """The cards of the lineage graph, one for each group."""
    browser.get(f"{address}/asset-groups")
    return wait_for(
        browser,
        lambda browser: browser.find_elements("css selector", "foreignObject.group"),
        "the lineage graph",
    )


def launch(browser, address, day):
    """Open the job `daily` and start it for one date."""
    browser.get(f"{address}/locations/clientela/jobs/daily")
    click(browser, "//button[starts-with(., 'Materialize all')]")
    # The dialog knows the last 90 days alone until it is told otherwise.
    click(browser, "//button[.='Show all partitions']")
    dates = wait_for(
        browser,
        lambda browser: browser.find_element("xpath", "//input[starts-with(@placeholder, 'ex: ')]"),
        "the field for partitions",
    )
    dates.send_keys(day, Keys.TAB)
    click(browser, "//button[.='Launch 1 run' and not(@disabled)]")


def take_picture(browser, address, file):
    """Save the rooms of the lineage graph, from top to bottom, without the frame around them.

    Only when CLIENTELA_SCREENSHOT=<file>.png asks for it: docs/pictures/lineage.png is made so.
    """
    browser.set_window_size(1920, 1700)
    open_lineage(browser, address)
    click(browser, "(//button[.//*[@aria-label='settings']])[last()]")
    click(browser, "//*[@aria-label='graph_vertical']")
    browser.refresh()
    boxes = wait_for(browser, boxes_with_statuses, "the status of every room")
    left, top = (min(box[side] for box in boxes) - 24 for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + 24
    bottom = max(box["y"] + box["height"] for box in boxes) + 24
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top, "scale": 1}
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
    file.write_bytes(base64.b64decode(picture["data"]))


def boxes_with_statuses(browser):
    """Where the rooms are, once none of them is still fetching its statuses."""
    rooms = browser.find_elements("css selector", "foreignObject.group")
    is_ready = len(rooms) == len(ROOMS) and not any("fetching" in room.text for room in rooms)
    return [room.rect for room in rooms] if is_ready else []


@pytest.mark.slow
def test_the_daemon_runs_the_daily_schedule(served):
    run = served.finished_run(lambda run: "dagster/schedule_name" in run.tags)
    assert run.tags["dagster/schedule_name"] == "daily_refresh"
    assert run.tags["dagster/partition"] == served.yesterday
    assert served.customers() > 300


@pytest.mark.slow
@pytest.mark.browser
def test_a_date_is_materialized_by_clicking(browser, served):
    address = served.address
    browser.get(f"{address}/deployment/locations")
    wait_for(browser, lambda browser: browser.find_element("xpath", "//*[.='Loaded']"), "Loaded")
    close_greeting(browser, address)

    rooms = sorted(open_lineage(browser, address), key=lambda room: room.rect["x"])
    assert {room.text.split("\n")[0] for room in rooms} == set(ROOMS)
    assert rooms[0].text.startswith("raw") and rooms[-1].text.startswith("serving")

    launch(browser, address, served.yesterday)
    run = served.finished_run(lambda run: "dagster/from_ui" in run.tags)
    assert run.job_name == "daily"
    assert run.tags["dagster/partition"] == served.yesterday
    browser.get(f"{address}/runs/{run.run_id}")
    wait_for(browser, lambda browser: browser.find_element("xpath", "//*[.='Success']"), "Success")
    assert served.customers() > 300

    if picture := os.environ.get("CLIENTELA_SCREENSHOT"):
        take_picture(browser, address, Path(picture))
