"""Files that are no warehouse: run logs, Dagster's SQLite, Parquet, exports; searched and cleaned.

Add here a kind of file in which an identifier may lie, and how it is taken out of it. DuckDB files
stay out (rewriting.py). SQLite keeps deleted text in free pages, so a file that is touched is also
vacuumed.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.config import Config
from dagster_project.erasure.columns import any_of, mentions
from dagster_project.erasure.needles import Needles
from dagster_project.erasure.rewriting import attach, conditions, counted, rewrite
from dagster_project.event_log import keep_no_connections
from dagster_project.sql_text import literal

ERASED = b"[erased]"
PHONE_SIGNS = b" ().-+"
LINES = (".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")
# zip (also spreadsheets), 7z, xz, bzip2, zstd.
SEALED = (b"PK\x03\x04", b"7z\xbc\xaf", b"\xfd7zXZ", b"BZh", b"(\xb5/\xfd")
SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class Redactor:
    """The needles as bytes."""

    texts: tuple[bytes, ...]
    phones: tuple[bytes, ...]

    @classmethod
    def of(cls, needles: Needles) -> Redactor:
        """The needles in the encodings that logs and JSON use."""
        texts = {text.encode() for text in needles.texts}
        texts |= {text.encode("unicode_escape") for text in needles.texts if not text.isascii()}
        return cls(tuple(sorted(texts)), tuple(phone.encode() for phone in needles.phones))

    def finds(self, content: bytes) -> bool:
        """Whether any needle is in the content."""
        lowered = content.lower()
        if any(text in lowered for text in self.texts):
            return True
        digits = lowered.translate(None, PHONE_SIGNS) if self.phones else b""
        return any(phone in digits for phone in self.phones) and self.without(content) != content

    def without(self, content: bytes) -> bytes:
        """The content with every needle replaced; longest first, as one may contain another."""
        for text in sorted(self.texts, key=len, reverse=True):
            content = re.sub(re.escape(text), ERASED, content, flags=re.IGNORECASE)
        for phone in sorted(self.phones, key=len, reverse=True):
            signs = b"[ ().-]{0,2}".join(phone[n : n + 1] for n in range(len(phone)))
            content = re.sub(rb"(?<![0-9])\+?0{0,2}" + signs + rb"(?![0-9])", ERASED, content)
        return content


def clean_files(
    config: Config, needles: Needles, dagster_home: Path, connection: duckdb.DuckDBPyConnection
) -> dict[str, int]:
    """Search every file a run may have left and take the erased out; files searched and changed."""
    for leftover in (config.landing_path, Path(f"{config.warehouse_path}.tmp")):
        shutil.rmtree(leftover, ignore_errors=True)
    redactor = Redactor.of(needles)
    counts = {"files_searched": 0, "files_changed": 0, "bytes_searched": 0}
    for file in files_of(config, dagster_home):
        counts["files_searched"] += 1
        # A log may be rotated away while the others are read.
        with contextlib.suppress(FileNotFoundError):
            counts["bytes_searched"] += file.stat().st_size
            counts["files_changed"] += _clean(file, redactor, needles, connection)
    return counts


def files_of(config: Config, dagster_home: Path) -> Iterator[Path]:
    """Files of storage, Dagster and exports, without the company's own source."""
    keep_no_connections()
    storage = config.storage_path
    spared = [storage / "source", storage / "truth"]
    # The warehouse and its copies are rewritten by forget.py.
    whole = {config.warehouse_path, config.published_path}
    if config.source.path:
        spared.append(Path(config.source.path))
    seen: set[Path] = set()
    for root in (storage, dagster_home, config.exports_path):
        for folder, names, files in os.walk(root):
            place = Path(folder)
            names[:] = [name for name in names if place / name not in spared]
            for name in sorted(files):
                file = place / name
                if file not in seen | whole and not file.is_symlink():
                    seen.add(file)
                    yield file


def _clean(
    file: Path, redactor: Redactor, needles: Needles, connection: duckdb.DuckDBPyConnection
) -> bool:
    with file.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(SQLITE):
        return _clean_sqlite(file, redactor)
    if start.startswith(b"PAR1"):
        return _clean_parquet(file, needles)
    if start[8:12] == b"DUCK":
        return _clean_duckdb(file, needles, connection)
    if start.startswith(SEALED):
        return False
    if file.name.endswith((".db-wal", ".db-shm", ".db-journal")):
        # Part of a SQLite file; its own checkpoint empties it.
        return False
    is_packed = start.startswith(b"\x1f\x8b")
    content = gzip.decompress(file.read_bytes()) if is_packed else file.read_bytes()
    if not redactor.finds(content):
        return False
    if file.name.lower().endswith(LINES):
        kept = [line for line in content.splitlines(keepends=True) if not redactor.finds(line)]
        content = b"".join(kept)
    elif b"\0" in content:
        # A pickle or the like cannot be edited; what made it can make it again.
        file.unlink()
        return True
    else:
        content = redactor.without(content)
    # In place, because a run that is under way holds its log open for appending.
    file.write_bytes(gzip.compress(content) if is_packed else content)
    return True


def _clean_sqlite(file: Path, redactor: Redactor) -> bool:
    def without(value: object) -> object:
        if isinstance(value, str):
            return redactor.without(value.encode()).decode()
        return redactor.without(value) if isinstance(value, bytes) else value

    def finds(value: object) -> bool:
        content = value.encode() if isinstance(value, str) else value
        return isinstance(content, bytes) and redactor.finds(content)

    with contextlib.closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as connection:
        connection.create_function("finds", 1, finds, deterministic=True)
        connection.create_function("without", 1, without, deterministic=True)
        connection.execute("pragma secure_delete = on")
        changed = 0
        columns = connection.execute(
            "select tables.name, columns.name, columns.type from sqlite_master as tables "
            "join pragma_table_info(tables.name) as columns where tables.type = 'table'"
        ).fetchall()
        for table, column, kind in columns:
            if not re.search("int|bool|real|float|date", kind, re.IGNORECASE):
                changed += connection.execute(
                    f'update "{table}" set "{column}" = without("{column}") where finds("{column}")'
                ).rowcount
        free = connection.execute("pragma freelist_count").fetchall()[0][0]
        is_left = redactor.finds(file.read_bytes())
        if changed or free or is_left:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
    return changed > 0 or is_left


def sealed_files(config: Config, dagster_home: Path) -> list[Path]:
    """Archives and spreadsheets, whose text is packed: somebody must look into them."""
    found = []
    for file in files_of(config, dagster_home):
        with contextlib.suppress(FileNotFoundError), file.open("rb") as stream:
            if stream.read(16).startswith(SEALED):
                found.append(file)
    return found


def _clean_duckdb(file: Path, needles: Needles, connection: duckdb.DuckDBPyConnection) -> bool:
    attach(connection, file, "exported")
    doomed = conditions(connection, "exported", needles)
    if not counted(connection, "exported", doomed):
        connection.execute("detach exported")
        return False
    rewrite(connection, file, "exported", doomed, needles)
    return True


def _clean_parquet(file: Path, needles: Needles) -> bool:
    relation = f"read_parquet({literal(str(file))})"
    with duckdb.connect() as connection:
        described = connection.execute(f"describe select * from {relation}").fetchall()
        texts = [row[0] for row in described if "VARCHAR" in row[1]]
        if not texts:
            return False
        found = any_of([mentions(name, needles.patterns) for name in texts])
        count = connection.execute(f"select count(*) from {relation} where {found}").fetchall()
        if not count[0][0]:
            return False
        following = file.with_name(file.name + ".next")
        connection.execute(
            f"copy (select * from {relation} where not {found}) "
            f"to {literal(str(following))} (format parquet)"
        )
    following.replace(file)
    return True
