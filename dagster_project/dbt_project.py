"""The dbt project as Dagster sees it: where it is, its manifest, and how its models become assets.

Add here what dagster-dbt must be told about names and environment. Which models run together is
decided in assets/dbt.py.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, DbtProject
from packaging.version import Version

from dagster_project.config import PROJECT_ROOT, Config
from dagster_project.dbt_columns import BuiltModels
from dagster_project.lineage import fingerprint, folder_hash

DBT_FOLDER = PROJECT_ROOT / "dbt"
DBT_EXECUTABLE = Path(sys.executable).parent / "dbt"
COLUMNS = ("dagster/column_schema", "dagster/column_lineage")
LINEAGES = "column_lineage.json"
SOURCE_PATTERNS = ("*.sql", "*.yml", "*.csv")


def dbt_code_hash() -> str:
    """Hash of everything in the dbt project that results depend on."""
    parts = [folder_hash(DBT_FOLDER / f, SOURCE_PATTERNS) for f in ("models", "macros", "tests")]
    return fingerprint(
        parts, *((DBT_FOLDER / name).read_text() for name in ("dbt_project.yml", "profiles.yml"))
    )


def dbt_variables(config: Config) -> list[str]:
    """Command-line arguments that hand config.yml to SQL."""
    return ["--vars", json.dumps(config.dbt_vars(), sort_keys=True)]


def dbt_project(config: Config) -> DbtProject:
    """The project, with compiled files per data set: variables differ, and a change of variables
    costs a full parse.
    """
    return DbtProject(
        project_dir=DBT_FOLDER, profiles_dir=DBT_FOLDER, target_path=config.storage_path / "dbt"
    )


def set_environment(config: Config, as_of_date: str = "", run_id: str = "") -> None:
    """Tell dbt, which reads environment variables only, which file, date and run it works on."""
    os.environ["CLIENTELA_RUN_ID"] = run_id
    os.environ["CLIENTELA_WAREHOUSE"] = str(config.warehouse_path)
    os.environ["CLIENTELA_AS_OF_DATE"] = as_of_date
    # dagster-dbt looks here for the parsed project; without it every call parses everything again.
    os.environ["DBT_TARGET_PATH"] = str(dbt_project(config).target_path)
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    # Nobody reads the manifest that dbt writes before and after every run.
    os.environ["DBT_WRITE_JSON"] = "false"
    # Unit tests test the SQL, not the data: they run in the project's own tests, not every night.
    os.environ["DBT_EXCLUDE_RESOURCE_TYPES"] = "unit_test"


def ensure_manifest(config: Config) -> Path:
    """Parse the dbt project unless its manifest is that of the present files and settings.

    Raises
    ------
    RuntimeError
        With dbt's own words when the project does not parse.
    """
    project = dbt_project(config)
    manifest = Path(project.manifest_path)
    stamp = manifest.with_name("manifest.fingerprint")
    wanted = fingerprint(dbt_code_hash(), config.dbt_vars())
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with (manifest.parent / "parse.lock").open("w") as lock:
        # The UI starts several processes that all import this location at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if manifest.exists() and stamp.exists() and stamp.read_text() == wanted:
            return manifest
        environment = os.environ | {"CLIENTELA_WAREHOUSE": str(config.warehouse_path)}
        command = [str(DBT_EXECUTABLE), "--no-version-check", "--quiet", "parse"]
        command += ["--project-dir", str(DBT_FOLDER), "--profiles-dir", str(DBT_FOLDER)]
        command += ["--target-path", str(manifest.parent), *dbt_variables(config)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"dbt could not parse {DBT_FOLDER}:\n{done.stdout}\n{done.stderr}")
        stamp.write_text(wanted)
    return manifest


class InstalledDbt(DbtCliResource):
    """The dbt of this environment, called as a command and nothing else.

    dagster-dbt would run ``dbt --version`` before every call, and load dbt a second time in this
    process, to ask the adapter what `dbt_columns` reads off the warehouse: 4 s of each of the ten
    calls of a run.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:
        return None


def run_to_the_end(
    run: DbtCliInvocation, context: dg.AssetExecutionContext, warehouse: Path
) -> Iterator[Any]:
    """Events of a dbt run, with row counts, columns and column lineage, once dbt has finished.

    dagster-dbt's own stream polls in a loop while DuckDB's file is still dbt's, and so takes one of
    dbt's processors. What dbt left on disk goes after a good run.
    """
    events: list[Any] = []
    failure: Exception | None = None
    try:
        for event in run.stream():
            events.append(event)
    except Exception as error:
        failure = error
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        compiled, kept = run.target_path / "compiled", run.target_path.parent / LINEAGES
        translator = run.dagster_dbt_translator
        code = dbt_code_hash()
        models = BuiltModels(connection, run.manifest, compiled, translator, code, kept)
        for number, event in enumerate(events):
            if isinstance(event, dg.Output):
                model = event.metadata["unique_id"].text
                found = models.row_count(model) | models.columns(model)
                events[number] = event.with_metadata({**event.metadata, **found})
        models.keep()
    yield from events
    if failure is not None:
        raise failure
    shutil.rmtree(run.target_path, ignore_errors=True)


def last_columns(
    instance: dg.DagsterInstance, keys: Collection[dg.AssetKey]
) -> dict[dg.AssetKey, dict[str, Any]]:
    """Column schema and lineage of the last build of each asset.

    The UI shows those of the latest materialization only, so a step that is skipped repeats them.
    """
    known: dict[dg.AssetKey, dict[str, Any]] = {key: {} for key in keys}
    for record in instance.get_asset_records(list(keys)):
        event = record.asset_entry.last_materialization
        metadata = event.asset_materialization.metadata if event else {}
        known[record.asset_entry.asset_key] = {
            name: metadata[name] for name in COLUMNS if name in metadata
        }
    return known


def dbt_resource(config: Config) -> DbtCliResource:
    """The dbt command line of this environment."""
    return InstalledDbt(
        project_dir=dbt_project(config),
        dbt_executable=str(DBT_EXECUTABLE),
        global_config_flags=["--no-version-check"],
    )


class RoomTranslator(DagsterDbtTranslator):
    """Key = schema and table, group = room, so that dbt and Python assets share one vocabulary."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        declared = (dbt_resource_props.get("meta") or {}).get("dagster", {}).get("asset_key")
        if declared:
            return dg.AssetKey(declared)
        name = dbt_resource_props.get("alias") or dbt_resource_props.get("identifier")
        return dg.AssetKey([dbt_resource_props["schema"], name or dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return ["team:clientela"]
