"""The asset graph: one unbroken line, and a snapshot that shows a change of lineage as a diff.

Add here what must hold for the graph as a whole. What an asset computes is tested where it runs.
To accept a change of the graph: CLIENTELA_UPDATE_SNAPSHOT=1 pytest
tests/orchestration/test_graph.py
"""

import json
import os
from pathlib import Path

import dagster as dg
import pytest

SNAPSHOT = Path(__file__).with_name("asset_graph.json")
ROOMS = {
    "raw",
    "staging",
    "identity",
    "intermediate",
    "marts",
    "models",
    "predictions",
    "serving",
}


@pytest.fixture(scope="module")
def definitions():
    from dagster_project.definitions import defs

    return defs


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def path_between(graph, start, end):
    """One path by breadth-first search along child keys, or None."""
    paths, seen = [[start]], {start}
    while paths:
        path = paths.pop(0)
        if path[-1] == end:
            return path
        for child in sorted(graph.get(path[-1]).child_keys):
            if child not in seen:
                seen.add(child)
                paths.append([*path, child])
    return None


@pytest.mark.parametrize("raw", ["orders", "customer_records", "complete_journey_transactions"])
def test_a_raw_table_leads_to_customer_360_without_a_gap(graph, raw):
    path = path_between(graph, dg.AssetKey(["raw", raw]), dg.AssetKey(["serving", "customer_360"]))
    assert path is not None
    rooms = [key.path[0] for key in path]
    assert rooms[0] == "raw" and rooms[-1] == "serving"
    assert {"staging", "marts"} <= set(rooms)


def test_the_line_to_customer_360_passes_through_the_models(graph):
    features = dg.AssetKey(["marts", "fct_customer_features"])
    value = dg.AssetKey(["predictions", "customer_ltv"])
    assert path_between(graph, dg.AssetKey(["raw", "orders"]), features)
    assert path_between(graph, features, dg.AssetKey(["models", "model_parameters"]))
    assert path_between(graph, dg.AssetKey(["models", "model_parameters"]), value)
    assert path_between(graph, value, dg.AssetKey(["serving", "customer_360"]))


def test_nothing_hangs_in_the_air(graph):
    loose = [key for key in graph.get_all_asset_keys() if not graph.get(key).is_executable]
    assert not loose, f"nobody makes {loose}: a dependency names a table that no asset writes"


def test_group_is_room_and_everything_is_described_and_owned(graph):
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name == key.path[0], key
        assert node.group_name in ROOMS, key
        assert node.description, f"{key} has no description"
        assert node.owners, f"{key} has no owner"
        assert node.kinds, f"{key} has no kind"


def test_writers_queue_in_one_pool_and_sampling_does_not(definitions):
    for assets in definitions.resolve_asset_graph().assets_defs:
        if not assets.is_executable:
            continue
        pools = {node.pool for node in assets.node_def.iterate_op_defs()}
        sampling = dg.AssetKey(["models", "lifetime_value_draws"]) in assets.keys
        assert pools == ({None} if sampling else {"warehouse"}), assets.node_def.name


def test_snapshot_of_keys_dependencies_and_groups(graph):
    found = {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "is_partitioned": graph.get(key).is_partitioned,
            "deps": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": sorted(check.name for check in graph.get(key).check_keys),
        }
        for key in graph.get_all_asset_keys()
    }
    if os.environ.get("CLIENTELA_UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(SNAPSHOT.read_text())


def test_column_lineage_and_schema_reach_the_ui(graph):
    for name in (["predictions", "customer_ltv"], ["raw", "orders"]):
        schema = graph.get(dg.AssetKey(name)).metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns)
