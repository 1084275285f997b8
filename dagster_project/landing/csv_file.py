"""Reading a CSV file as text: its encoding, delimiter and header, and every line that is no row.

Add here what a CSV file may look like.
DuckDB's own detection stays out: it skips what does not fit (it kept 1 of 5 rows of a ragged
file), so the dialect is found here, rows are counted against lines, and any doubt is settled by
`csv_records.py`.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.landing.csv_records import RecordSplitter
from dagster_project.landing.delivery import (
    Part,
    RejectedLine,
    SourceError,
    canonical_names,
    file_literal,
    literal,
    quoted,
    text_select,
)
from dagster_project.source_contract import Shape

DELIMITERS = (",", ";", "\t", "|")
ROWS_PER_BATCH = 50_000


@dataclass(frozen=True)
class Survey:
    """What one pass over the bytes shows; `is_tidy` when DuckDB can read it line by line."""

    encoding: str
    lines_count: int
    is_tidy: bool


def csv_part(
    file: Path, origin: str, shape: Shape, inspector: duckdb.DuckDBPyConnection, workspace: Path
) -> Part | None:
    """Read the header of a file and find which of its lines are rows.

    Parameters
    ----------
    inspector
        A connection outside any transaction.
    workspace
        Folder for a copy of the rows, where one is needed; it must live until the part is landed.

    Returns
    -------
    Part or None
        None for a file that is empty: it has no header, so it delivers nothing.
    """
    try:
        survey = _survey(file)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"{shape.name}: {file} is not readable ({error}). Write it again."
        ) from error
    header_line, header = _first_line(file, survey.encoding)
    if not header_line:
        return None
    delimiter, found = _header(header, shape)
    names = canonical_names(found, shape, origin)
    notes = () if survey.encoding.startswith("utf") else (f"{origin}: read as {survey.encoding}",)
    if survey.is_tidy and header_line == 1:
        rows = survey.lines_count - 1
        if _rows_counted(_read_csv(file, names, delimiter), inspector) == rows:
            relation = _selected(_read_csv(file, names, delimiter), names)
            return Part(origin, names, relation, rows, (), notes)
    clean = workspace / f"{shape.name}-{len(list(workspace.iterdir()))}.parquet"
    rows, rejected = _write_clean(file, survey.encoding, header_line, delimiter, names, clean)
    columns = [(name, "VARCHAR") for name in names]
    relation = text_select(f"read_parquet({file_literal(clean)})", columns, names, shape)
    return Part(origin, names, relation, rows, tuple(rejected), notes)


def _open(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _text(file: Path, encoding: str) -> io.TextIOWrapper:
    """Lines as they stand, line ends untouched; invalid UTF-8 as lone surrogates."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return io.TextIOWrapper(io.BufferedReader(_open(file)), encoding, errors, newline="")  # type: ignore[arg-type]


def _survey(file: Path) -> Survey:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, feeds, returns, pairs, last, start = True, 0, 0, 0, b"", None
    with _open(file) as stream:
        while chunk := stream.read(1 << 22):
            start = chunk[:2] if start is None else start
            feeds += chunk.count(b"\n")
            returns += chunk.count(b"\r")
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            last = chunk[-1:]
            if is_utf8 and (decoder.getstate()[0] or not chunk.isascii()):
                is_utf8 = _decodes(decoder, chunk)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    lines = feeds + (last not in (b"\n", b""))
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return Survey("utf-16", lines, False)
    # Line ends of two kinds in one file put DuckDB's strict parser into an invalid state.
    is_tidy = is_utf8 and returns == pairs and pairs in (0, feeds)
    return Survey("utf-8-sig" if is_utf8 else _legacy_encoding(file), lines, is_tidy)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _legacy_encoding(file: Path) -> str:
    """Encoding of a file that is not UTF-8: Windows-1252, unless other lines are good UTF-8."""
    is_windows = True
    with _open(file) as stream:
        for line in stream:
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                return "utf-8-sig"
            except UnicodeDecodeError:
                is_windows = is_windows and not set(line) & {0x81, 0x8D, 0x8F, 0x90, 0x9D}
    return "cp1252" if is_windows else "latin-1"


def _first_line(file: Path, encoding: str) -> tuple[int, str]:
    """Number and text of the first line that is not empty; (0, "") when there is none."""
    with _text(file, encoding) as text:
        for number, line in enumerate(text, start=1):
            if stripped := line.rstrip("\r\n"):
                return number, stripped.encode("utf-8", "surrogateescape").decode(
                    "utf-8", "replace"
                )
    return 0, ""


def _header(line: str, shape: Shape) -> tuple[str, list[str]]:
    """Delimiter and column names: the delimiter under which most columns of the contract show."""
    best: tuple[tuple[int, int], str, list[str]] | None = None
    for delimiter in DELIMITERS:
        names = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        known = sum(name.strip().lower() in shape.column_names for name in names)
        if best is None or (known, len(names)) > best[0]:
            best = (known, len(names)), delimiter, names
    assert best is not None
    return best[1], best[2]


def _read_csv(file: Path, names: tuple[str, ...], delimiter: str) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({file_literal(file)}, auto_detect=false, columns={{{columns}}}, "
        f"header=true, delim={literal(delimiter)}, quote='\"', escape='\"', "
        "nullstr='', allow_quoted_nulls=true, comment='', strict_mode=true, null_padding=false, "
        "max_line_size=16777216)"
    )


def _selected(read: str, names: tuple[str, ...]) -> str:
    return f"select {', '.join(quoted(name) for name in names)} from {read}"


def _rows_counted(read: str, inspector: duckdb.DuckDBPyConnection) -> int:
    """Rows of a strict reading; -1 when it fails, as it does at the first line that is no row."""
    cursor = inspector.cursor()
    try:
        # Counting the columns as well makes DuckDB look into every value.
        row = cursor.execute(f"select count(*), count(columns(*)) from {read}").fetchone()
    except duckdb.Error:
        return -1
    finally:
        cursor.close()
    return row[0] if row else -1


def _write_clean(
    file: Path,
    encoding: str,
    header_line: int,
    delimiter: str,
    names: tuple[str, ...],
    clean: Path,
) -> tuple[int, list[RejectedLine]]:
    """Write the rows of an untidy file as Parquet, so that no second parser can differ."""
    count, rejected = 0, []
    splitter = RecordSplitter(delimiter, len(names))
    schema = pa.schema([(name, pa.string()) for name in names])
    with _text(file, encoding) as text, pq.ParquetWriter(clean, schema) as writer:
        records = splitter.split(_numbered(text, header_line))
        while batch := _decoded_batch(records, file, encoding):
            rows = [record for record in batch if not isinstance(record, RejectedLine)]
            rejected += [record for record in batch if isinstance(record, RejectedLine)]
            count += len(rows)
            columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
            if columns:
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return count, rejected


def _decoded_batch(
    records: Iterator[list[str] | RejectedLine], file: Path, encoding: str
) -> list[list[str] | RejectedLine]:
    try:
        return list(islice(records, ROWS_PER_BATCH))
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file} is not readable as {encoding} ({error}). Save it as UTF-8."
        ) from error


def _numbered(text: io.TextIOWrapper, header_line: int) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text, start=1):
        if number > header_line:
            yield number, line
