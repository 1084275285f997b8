"""The rules of the house as tests; each failure says what to move where.

Add a rule here when a decision about structure could be broken by accident. What code computes is
tested beside its room.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("dagster_project", "models_py")
LEFTWARD = {
    "staging": {"raw", "staging"},
    "identity": {"staging", "identity"},
    "intermediate": {"staging", "identity", "intermediate"},
    "marts": {"identity", "intermediate", "marts"},
    "serving": {"marts", "predictions", "models", "serving"},
}
# Ids without personal data, by which history is read after a merge.
READ_BY_SERVING = {"superseded"}
PERSONAL = re.compile(
    r"^(e_?mail|phone|first_name|last_name|full_name|street|birth_date|latitude|longitude|device_id)$"
)


def python_files():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_opens_with_its_sign(path):
    sign = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert len(re.findall(r"[.:](\s|$)", sign)) >= 2, (
        f"{path.relative_to(ROOT)} does not say on its door what lives here, what to add, and what "
        "stays out: open it with a docstring of about three sentences."
    )


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_grows_past_three_hundred_lines(path):
    lines = len(path.read_text().splitlines())
    # The contract of result tables is one long list, not logic.
    limit = 420 if path.name in ("result_tables.py", "source_contract.py") else 300
    assert lines <= limit, (
        f"{path.relative_to(ROOT)} has {lines} lines: there is a second room in it."
    )


def test_models_py_knows_no_orchestrator_and_no_engine():
    done = subprocess.run(
        [sys.executable, "-c", "import importlinter.cli as c, sys; sys.exit(c.lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_one_module_knows_arviz():
    knowing = [
        path.name
        for path in python_files()
        if re.search(r"^\s*(import|from) arviz", path.read_text(), re.M)
    ]
    assert knowing == ["posterior.py"], "Measure draws and weights in models_py/posterior.py."


def test_dbt_folder_holds_no_python():
    found = [str(path) for path in (ROOT / "dbt").rglob("*.py")]
    assert not found, (
        f"{found}: Python in dbt/ shadows the dbt package; move it to dagster_project."
    )


def test_dbt_rooms_read_only_leftward(manifest):
    nodes = manifest["nodes"] | manifest["sources"]
    offences = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["name"].startswith("aud_"):
            continue
        for parent in node["depends_on"]["nodes"]:
            room = nodes[parent]["schema"]
            if node["schema"] == "serving" and nodes[parent]["name"] in READ_BY_SERVING:
                continue
            if room not in LEFTWARD[node["schema"]]:
                offences.append(
                    f"{node['schema']}.{node['name']} reads {room}.{nodes[parent]['name']}"
                )
    assert not offences, f"move the model or its input to the left: {offences}"


def test_every_model_and_column_is_described(manifest):
    offences = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        name = f"{node['schema']}.{node['name']}"
        if not node["description"].startswith("One row per"):
            offences.append(f"{name}: description must begin 'One row per'")
        if not node["columns"]:
            offences.append(f"{name}: no columns described")
        offences += [
            f"{name}.{column['name']}: no description"
            for column in node["columns"].values()
            if not column["description"]
        ]
    assert not offences, "\n".join(offences)


def test_no_personal_data_right_of_intermediate(manifest):
    from dagster_project.result_tables import RESULT_TABLES

    offences = [
        f"{node['schema']}.{node['name']}.{column}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["schema"] in ("intermediate", "marts", "serving")
        and not node["name"].startswith("aud_")
        for column in node["columns"]
        if PERSONAL.match(column)
    ]
    offences += [
        f"{table.full_name}.{column}"
        for table in RESULT_TABLES.values()
        if table.schema != "identity"
        for column in table.column_names
        if PERSONAL.match(column)
    ]
    assert not offences, f"personal data belongs in staging and identity: {offences}"


def test_only_macros_hold_sql_of_one_engine():
    duckdb_only = re.compile(
        r"::|\bqualify\b|\bexclude\s*\(|\blist_|\bstruct_|\bstrftime\b|\btry_cast\b|\bepoch_ms\b|"
        r"\barg_max\b|\barg_min\b|\bquantile_cont\b|\bat time zone\b",
        re.IGNORECASE,
    )
    offences = []
    for path in sorted((ROOT / "dbt" / "models").rglob("*.sql")):
        text = re.sub(r"\{[%{#].*?[%}#]\}", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r"--.*", "", text)
        offences += [f"{path.relative_to(ROOT)}: {m.group()}" for m in duckdb_only.finditer(text)]
    assert not offences, f"put these behind a macro with adapter.dispatch: {offences}"


def test_result_tables_and_dbt_sources_agree(manifest):
    from dagster_project.result_tables import RESULT_TABLES

    offences = []
    for source in manifest["sources"].values():
        name = f"{source['schema']}.{source['name']}"
        if source["schema"] == "raw" or name not in RESULT_TABLES:
            continue
        unknown = set(source["columns"]) - set(RESULT_TABLES[name].column_names)
        offences += [f"{name}.{column}" for column in sorted(unknown)]
    assert not offences, f"dbt declares columns that Python does not write: {offences}"


def test_source_contract_and_dbt_sources_agree(manifest):
    from dagster_project.source_contract import RAW_TABLES

    declared = {
        source["name"]: set(source["columns"])
        for source in manifest["sources"].values()
        if source["schema"] == "raw"
    }
    for name, shape in RAW_TABLES.items():
        columns = {column.name for column in shape.columns}
        assert columns == declared[name] - {"_row_number"}, name


def test_tables_page_is_that_of_the_contracts(manifest):
    from dagster_project.table_docs import PAGE, render

    assert PAGE.read_text() == render(manifest), "run python -m dagster_project.table_docs"
