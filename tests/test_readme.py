"""The README says what is so: its links lead somewhere, commands exist, figures are measured.

Add here a check when the README starts to claim something new.
"""

import importlib
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
    for study in re.findall(r"python -m (benchmarks\.\w+)", README):
        importlib.import_module(study)  # its imports must hold from the root


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
    features = fuzz["features"]
    built = f"{features['cases']} hostile shops from files to features: "
    assert built + f"{features['outcomes']['built']} built" in README
    assert features["crashes"] == features["rows_lost"] == 0
    assert "9,747,747.93 to 8,201,035.25" in README


def test_inference_figures_are_the_measured_ones():
    study = result("inference")
    rows = study["comparisons"]
    means = max(abs(row["mean_sds"]) for row in rows)
    ends = max(abs(row[end]) for row in rows for end in ("p05_sds", "p95_sds"))
    assert f"within {means:.2f} sd (means) and {ends:.2f} sd" in README
    assert min(row["chain_ess_bulk_min"] for row in rows) > 10_000
    calibrated = [
        name
        for name, family in result("sbc").items()
        if family["simulations"] >= 200
        and all(statistic["is_within_band"] for statistic in family["statistics"])
    ]
    assert calibrated == ["mbg_nbd", "bg_nbd", "pareto_nbd"]


def test_peer_figures_are_the_measured_ones():
    peers = result("peers")
    sets = [found for found in peers.values() if isinstance(found, dict)]
    rows = [
        row
        for found in sets
        for row in found["crps_differences"]
        if row["ours"] == "clientela mbg_nbd"
    ]
    better = sum(row["low"] > 0 for row in rows)
    worse = sum(row["high"] < 0 for row in rows)
    assert f"better in {better} of {len(rows)} comparisons, worse in {worse}" in README
    bias = {
        name: found["orders_bias"]
        for name, found in peers["cdnow"]["measures"].items()
        if name.endswith("| all")
    }
    theirs = min((abs(v), v) for name, v in bias.items() if name.startswith("pymc"))[1]
    assert f"{bias['clientela mbg_nbd | all']:.1%}".replace("%", " %") in README
    assert f"theirs {theirs:.1%} at best".replace("%", " %") in README


def test_amounts_figures_are_the_measured_ones():
    sets = result("amounts")["sets"]
    cdnow, uci = sets["cdnow"], sets["uci_online_retail"]
    full, mean = (
        cdnow[f"pit_{form}_form_repeat_buyers"]["spend_pit_share"] for form in ("full", "mean")
    )
    claim = f"CDNOW {full:.1%} (published form {mean:.1%}), UCI Online Retail "
    theirs = uci["pit_full_form_repeat_buyers"]["spend_pit_share"]
    assert (claim + f"{theirs:.1%}").replace("%", " %") in README


def test_bound_of_linkage_is_the_measured_one():
    bound = result("linkage_bound")["best_recall_at_precision_099"]
    assert f"more than recall {bound:.3f} at precision 0.99" in README


def test_speed_figures_are_the_measured_ones():
    rows = {(row["customers"], row["task"], row["peer_task"]): row for row in result("speed")}
    times = rows[100_000, "score", "score_full"]["peer_by_ours"]
    claim = f"{times['cpu_seconds']:.1f} times the processor time and {times['peak_memory_gb']:.1f}"
    assert claim in README
    fit = rows[100_000, "fit", "fit"]["peer_by_ours"]
    assert f"{fit['cpu_seconds']:.0f} times the processor time to fit them" in README
    whole = [rows[1_000_000, *task]["ours"] for task in [("fit", "fit"), ("score", "score_full")]]
    seconds = sum(part["cpu_seconds"] for part in whole)
    memory = max(part["peak_memory_gb"] for part in whole)
    assert f"scored in {seconds:.0f} s of processor time and {memory:.1f} GB" in README


def test_key_figures_are_the_measured_ones():
    apart, touch, same = (
        result("migration_keys")[name]
        for name in ("groups_apart", "groups_that_touch", "unchanged_data")
    )
    lost = sum(world["keys_without_lineage"] for world in (apart, touch, same))
    counted = f"{apart['counted_behaviour_moves']:,} of {apart['planted_moves']:,}"
    assert f"keys without lineage {lost}, counted moves {counted}" in README
    moved = f"moved by a refit {apart['moves_by_refit']} where groups are clear and "
    assert moved + f"{touch['moves_by_refit']} where they touch" in README
    assert same["moves_by_refit"] == same["counted_behaviour_moves"] == 0


def test_figures_of_sizes_to_come_are_the_measured_ones():
    sets = dict(result("migration")["sets"])
    ours, plain = (
        {name: round(100 * found[way]["1 ahead"]["coverage"]) for name, found in sets.items()}
        for way in ("shocks", "plain")
    )
    ours_here, plain_here = ours.pop("retailer"), plain.pop("retailer")
    assert len(ours) == 4
    claim = f"in {ours_here} % of cases on a simulated chain, {min(ours.values())} to "
    assert claim + f"{max(ours.values())} % on four public sets ({plain_here} % and " in README
    assert f"and {min(plain.values())} to {max(plain.values())} % if months" in README
    assert sets["retailer"]["shocks"]["1 ahead"]["origins"] >= 24


def test_figures_of_the_whole_line_over_many_dates_are_the_measured_ones():
    history, docs = result("segment_history"), (ROOT / "docs" / "segments.md").read_text()
    days, months = history["days"], history["months"]["coverage"]
    lost = days["old_keys_without_lineage"] + days["new_keys_without_lineage"]
    moved = days["movers"]["microsegment by refit"]
    share = f"{moved['share_per_event_mean']:.1%}".replace("%", " %")
    assert f"keys without lineage {lost}, moved by a refit {share} of the customers" in README
    assert (days["days"], days["keys_changed_without_refit"], lost) == (90, 0, 0)
    assert moved["moved_on_days_without_refit"] == 0
    held = f"{months['microsegment']['coverage']:.0%}".replace("%", " %")
    assert f"that of a micro-segment's in {held} on a chain of 27 months" in README
    for level in ("stage", "microsegment"):
        low, high = months[level]["interval"]
        assert f"{months[level]['coverage']:.1%} ({low:.0%} to {high:.0%})" in docs
        assert months[level]["origins"] >= 24 and low <= 0.9 <= high


def test_figures_of_groups_are_the_measured_ones():
    study, docs = result("segments"), (ROOT / "docs" / "segments.md").read_text()
    for found in (one for name, one in study.items() if name != "planted"):
        kept = [row["kept_share"] for row in found["keys"]]
        assert (
            f"| {found['customers']:,} | {found['layers_with_structure']} "
            f"| {found['worst_jaccard_of_all']:.2f} | {found['fallback_share']:.1%} "
            f"| {min(kept):.1%} to {max(kept):.1%} | {found['keys'][0]['left_out_share']:.0%} |"
        ) in docs
        assert found["worst_jaccard_of_all"] >= 0.75
    told = [row for row in study["retailer"]["recovery"] if row["informed_adjusted_rand"] > 0.1]
    grouped = [row for row in told if row["clusters"] > 1]
    best = sum(
        row["best_clustering_adjusted_rand"] >= 0.9 * row["informed_adjusted_rand"] for row in told
    )
    ours = sum(row["adjusted_rand"] >= 0.9 * row["informed_adjusted_rand"] for row in grouped)
    words = " ".join(docs.split())
    assert f"more than 0.1 in {len(told)} stage-layers" in words
    assert f"reaches 90 % of that in {best} of them" in words
    assert f"found in {len(grouped)}, reach it in {ours}." in words


def test_figures_of_homogeneity_are_the_measured_ones():
    sets = result("homogeneity")["sets"]
    for name in ("complete_journey", "online_retail", "adventureworks"):
        for rival in ("rfm_cells", "k_means"):
            found = sets[name]["against"][rival]
            assert (found["high"] < 0) == (name != "adventureworks"), (name, rival)
            assert (found["low"] > 0) == (name == "adventureworks"), (name, rival)


def test_figures_of_potential_are_the_measured_ones():
    runs = result("potential")["runs"]
    held = [run for run in runs if run["ceiling_share"] > 0]
    free = [run for run in runs if run["ceiling_share"] == 0]
    right = sum(run["holds_truth"] for run in held)
    assert f"held the truth in {right} of {len(held)} shops" in README
    zero = sum(run["slope_p05"] <= 0 <= run["slope_p95"] for run in free)
    assert f"where nobody was, it is 0 in {zero} of {len(free)}" in README
    for run in held:
        for ranking in run["ranking"].values():
            assert ranking["spearman_gain_p05_p95"][0] > 0
