"""The README says what is so: its links lead somewhere, commands exist, figures are measured.

Add here a check when the README starts to claim something new.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "benchmarks" / "results"


def result(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{n}.md" for n in ("architecture",))])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    targets = re.findall(r"\]\(([^)#]+)", text)
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert not missing


def test_commands_exist():
    done = subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for command in set(re.findall(r"clientela ([a-z-]+)", README)):
        assert command in done.stdout, command
    targets = set(re.findall(r"`?make ([a-z]+)", README))
    makefile = (ROOT / "Makefile").read_text()
    assert {"run", "test", "ui"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for study in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / study).exists()


def test_coverage_figure_is_the_measured_one():
    coverage = result("coverage_plain")
    assert f"{coverage['pooled_coverage']:.1%} of {coverage['intervals_count']} cases" in README
    assert coverage["is_within_band"]


def test_cdnow_figure_is_the_measured_one():
    compared = [row for row in result("cdnow") if row["model"] in ("bg_nbd", "gamma_gamma")]
    assert len(compared) == 7
    assert f"within {max(row['sds_apart'] for row in compared):.2f} posterior sds" in README


def test_retailer_figures_are_the_measured_ones():
    retailer = result("retailer")
    pit = {
        row["slice"]: row["pit_coverage"]
        for row in retailer["calibration"]
        if row["horizon_days"] == 180 and row["quantity"] == "revenue"
    }
    assert f"P(0.05 < PIT < 0.95) = {pit['all']:.2f}" in README


def test_linkage_figures_are_the_measured_ones():
    rows = {(row["data"], row["way"]): row for row in result("linkage")}
    for data in ("febrl4", "retailer_20k"):
        ours = rows[data, "clientela"]
        assert f"precision {ours['precision']:.3f}, recall {ours['recall']:.3f}" in README, data
    ours = rows["retailer_20k", "clientela"]
    assert f"{ours['households_merged_count']} of {ours['clusters_predicted']:,} persons" in README
    exact, plain = (rows["retailer_20k", way] for way in ("exact_identifiers", "splink_defaults"))
    assert f"{exact['precision']:.3f} and {exact['recall']:.3f}, plain" in README
    assert f"Splink {plain['precision']:.3f} and {plain['recall']:.3f})" in README


def test_bridge_and_fuzz_figures_are_the_measured_ones():
    fuzz = result("fuzz")
    claim = (
        f"{fuzz['cases']} fuzzed deliveries through landing and staging: {fuzz['crashes']} crash"
    )
    assert claim in README
    assert f"{fuzz['rows_lost']} rows lost" in README
    assert "9,747,747.93 to 8,201,035.25" in README
