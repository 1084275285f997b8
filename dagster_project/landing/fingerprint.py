"""The fingerprint of a source: a hash by which an unchanged source is recognised and skipped.

Add here what else changes the raw tables (today: the source's content and the landing code).
Hashing one file or table stays out; each kind of source does that.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import duckdb

from dagster_project.config import Config
from dagster_project.landing.delivery import SourceError
from dagster_project.landing.sources import source_of


def fingerprint(config: Config, connection: duckdb.DuckDBPyConnection | None = None) -> str:
    """Hash of what the source holds now and of the code that lands it, without landing it.

    Equal to `raw.landed_dataset.fingerprint` while nothing has changed. Files are hashed at about
    1 GB/s.

    Parameters
    ----------
    connection
        The open warehouse; only a data set of kind schema needs it, and without it the warehouse
        file is opened read-only.

    Raises
    ------
    SourceError
        When the source is not there.
    """
    source = source_of(config)
    if connection is not None:
        return fingerprint_of(source.hashes(connection))
    with source_connection(config) as opened:
        return fingerprint_of(source.hashes(opened))


def source_connection(config: Config) -> duckdb.DuckDBPyConnection:
    """A connection to read the source by: the warehouse read-only for schemas, else memory.

    Raises
    ------
    SourceError
        When the source is in a warehouse that does not exist.
    """
    if config.source.kind != "schema":
        return duckdb.connect()
    if not config.warehouse_path.is_file():
        raise SourceError(
            f"There is no warehouse {config.warehouse_path} that could hold the schema "
            f"{', '.join(config.source.schemas)}. Name the file that does with --warehouse."
        )
    return duckdb.connect(str(config.warehouse_path), read_only=True)


def fingerprint_of(hashes: Mapping[str, str]) -> str:
    """Fingerprint of the content hashes of the tables."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    contract = (package.parent / "source_contract.py", *package.parent.glob("sources/*.yml"))
    for file in (*sorted(package.glob("*.py")), *sorted(contract)):
        digest.update(file.read_bytes())
    for table, content in sorted(hashes.items()):
        digest.update(f"{table}={content}\n".encode())
    return digest.hexdigest()
