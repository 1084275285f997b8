"""A folder of Parquet or CSV files named after the tables they deliver, as a source.

Add here a file format or a way to lay out the parts of a table.
How a CSV file is taken apart stays out; that is `csv_file.py`.
"""

import difflib
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.landing.csv_file import csv_part
from dagster_project.landing.delivery import (
    Part,
    SourceError,
    canonical_names,
    file_literal,
    text_select,
)
from dagster_project.source_contract import SHAPES, Shape

ENDINGS = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz")


@dataclass(frozen=True)
class FolderSource:
    """Files by table.

    `unused` names what lies in the folder and belongs to no table.
    """

    label: str
    contract: dict[str, Shape]
    files: dict[str, tuple[Path, ...]]
    unused: tuple[str, ...] = ()

    def hashes(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """SHA-256 of the bytes of each table's files, in order of their names."""
        return {table: _content_hash(files) for table, files in self.files.items()}

    def parts(
        self, connection: duckdb.DuckDBPyConnection, workspace: Path
    ) -> dict[str, tuple[Part, ...]]:
        """Readable parts of each table; empty files deliver nothing."""
        return {
            table: tuple(
                part
                for file in files
                if (part := _part(file, self.contract[table], connection, workspace))
            )
            for table, files in self.files.items()
        }


def folder_source(folder: Path, contract: dict[str, Shape]) -> FolderSource:
    """Find the files of each table in a folder.

    A table is one file (`orders.csv`), parts (`orders_2024.csv`, `orders-01.parquet`), or a folder
    (`orders/`, also `orders.parquet/`) of parts; names are taken in any case.

    Raises
    ------
    SourceError
        When the folder is missing, or a table is there twice.
    """
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}. Check the path of the data set.")
    whole: dict[str, list[Path]] = {}
    partial: dict[str, list[Path]] = {}
    unused = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        stem = _stem(entry)
        table = _table_of(stem, contract) if stem else None
        if table is None:
            unused.append(entry.name)
        elif entry.is_dir():
            whole.setdefault(table, []).append(entry)
        else:
            (whole if stem == table else partial).setdefault(table, []).append(entry)
    files = {}
    for table in contract:
        found = [*whole.get(table, ()), *partial.get(table, ())]
        if len(whole.get(table, ())) > 1 or (whole.get(table) and partial.get(table)):
            raise SourceError(
                f"{table} is in {folder} more than once: {', '.join(f.name for f in found)}. "
                "Keep one file, or parts only."
            )
        inside = [part for entry in found for part in _files_in(entry)]
        if inside:
            files[table] = tuple(inside)
    return FolderSource(str(folder), contract, files, tuple(unused))


def _stem(entry: Path) -> str | None:
    name = entry.name.lower()
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name if entry.is_dir() else None


def _table_of(stem: str, tables: Iterable[str]) -> str | None:
    """The table that a name means: its own name, or the name with a part behind it."""
    fitting = [table for table in tables if stem == table or _is_part(stem, table)]
    return max(fitting, key=len, default=None)


def _is_part(stem: str, table: str) -> bool:
    """Whether a name is that of a part of a table.

    Parts of a mapped table are numbered: shopify_order_tag is another table of the same system,
    not a part of shopify_order.
    """
    part = stem.removeprefix(table)
    if part == stem or part[0] not in "_-.":
        return False
    return table in SHAPES or re.match(r"[_.-](part[_-]?)?\d", part) is not None


def _files_in(entry: Path) -> list[Path]:
    if entry.is_file():
        return [entry]
    return sorted(
        file
        for file in entry.rglob("*")
        if file.is_file() and file.name.lower().endswith(ENDINGS) and file.name[0] not in "._"
    )


def nearest_unused(table: str, unused: Iterable[str]) -> str | None:
    """The unused file that was probably meant to be a table."""
    stems = {name.split(".")[0].lower(): name for name in unused}
    near = difflib.get_close_matches(table, stems, 1, 0.6)
    return stems[near[0]] if near else None


def _content_hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _part(
    file: Path, shape: Shape, connection: duckdb.DuckDBPyConnection, workspace: Path
) -> Part | None:
    if not file.name.lower().endswith(".parquet"):
        return csv_part(file, file.name, shape, connection, workspace)
    relation = f"read_parquet({file_literal(file)})"
    try:
        described = connection.execute(f"describe select * from {relation}").fetchall()
        rows = connection.execute(f"select count(*) from {relation}").fetchone()
    except duckdb.Error as error:
        raise SourceError(
            f"{shape.name}: {file} is not readable as Parquet ({error}). Write it again."
        ) from error
    columns = [(row[0], row[1]) for row in described]
    names = canonical_names((name for name, _ in columns), shape, file.name)
    assert rows is not None
    return Part(file.name, names, text_select(relation, columns, names, shape), rows[0])
