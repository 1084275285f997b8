"""Splitting an untidy CSV text into records, losing no line: what is no record is kept, with why.

Add a reason here when another kind of broken line should be told apart.
Tidy files never come here: DuckDB reads them at many times the speed (`csv_file.py` decides).
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from dagster_project.landing.delivery import RejectedLine

# A quoted value may span lines; one that is still open after so many was never closed. Without a
# limit, one stray quote swallows the file up to the next quote (3 rows of a test file became 1).
MAX_LINES_PER_RECORD = 100

Line = tuple[int, str]

_NOT_UTF8 = re.compile("[\udc80-\udcff]")


class RecordSplitter:
    """Splits lines into records of a known number of fields.

    Parameters
    ----------
    delimiter
        One character.
    fields_count
        Fields of the header; a line with more or fewer is no record.
    """

    def __init__(self, delimiter: str, fields_count: int) -> None:
        mark = re.escape(delimiter)
        field = rf'(?: *+"[^"]*+(?:""[^"]*+)*+" *+|(?! *")[^{mark}\r\n]*+)'
        self.delimiter = delimiter
        self.fields_count = fields_count
        self._field = re.compile(field)
        self._record = re.compile(rf"{field}(?:{mark}{field}){{{fields_count - 1}}}")
        self._any_record = re.compile(rf"{field}(?:{mark}{field})*")

    def split(self, lines: Iterable[Line]) -> Iterator[list[str] | RejectedLine]:
        """Yield the fields of each record, or the line that is none, in file order.

        Parameters
        ----------
        lines
            Line number and text with its line end, without the header; bytes that are not valid
            UTF-8 come as lone surrogates. Empty lines are no rows and are passed over.
        """
        source, ahead = iter(lines), deque[Line]()
        while ahead or _pull(source, ahead):
            number, line = ahead.popleft()
            text = line.rstrip("\r\n")
            if not text:
                continue
            if _NOT_UTF8.search(text):
                yield _rejected(number, text, "holds bytes that are not valid UTF-8")
            elif '"' not in text:
                fields = text.split(self.delimiter)
                yield fields if len(fields) == self.fields_count else self._ragged(number, text)
            elif (simple := self._simply_quoted(text)) is not None:
                yield simple
            elif self._record.fullmatch(text):
                yield self.fields(text)
            elif (joined := self._joined(line, source, ahead)) is not None:
                yield self.fields(joined)
            else:
                yield self._misquoted(number, text)

    def fields(self, text: str) -> list[str]:
        """Values of a record; quotes around a value are taken off, spaces are kept."""
        # The csv module is quicker, but strips spaces next to quotes and refuses 128 kB values.
        if len(text) < 128_000 and ' "' not in text and '" ' not in text:
            return next(csv.reader([text], delimiter=self.delimiter))
        values, position = [], 0
        while True:
            match = self._field.match(text, position)
            value = match[0] if match else ""
            if value.lstrip(" ").startswith('"'):
                value = value.strip(" ")[1:-1].replace('""', '"')
            values.append(value)
            position = match.end() + 1 if match else len(text) + 1
            if position > len(text):
                return values

    def _simply_quoted(self, text: str) -> list[str] | None:
        """Fields of a line with quotes around every value and nowhere else: ten times quicker."""
        values = text[1:-1].split(f'"{self.delimiter}"')
        has_all = text[0] == text[-1] == '"' and len(values) == self.fields_count
        return values if has_all and text.count('"') == 2 * self.fields_count else None

    def _joined(self, line: str, source: Iterator[Line], ahead: deque[Line]) -> str | None:
        """Text of a record that begins in `line` and ends in a later one; consumes those lines."""
        text = line
        for used in range(1, MAX_LINES_PER_RECORD):
            if len(ahead) < used and not _pull(source, ahead):
                return None
            following = ahead[used - 1][1]
            text += following
            if '"' not in following:
                continue
            candidate = text.rstrip("\r\n")
            if self._record.fullmatch(candidate) and not _NOT_UTF8.search(candidate):
                for _ in range(used):
                    ahead.popleft()
                return candidate
        return None

    def _ragged(self, number: int, text: str) -> RejectedLine:
        found = text.count(self.delimiter) + 1
        return _rejected(number, text, f"has {found} fields, the header {self.fields_count}")

    def _misquoted(self, number: int, text: str) -> RejectedLine:
        if text.count('"') % 2:
            return _rejected(number, text, "opens a quote that is never closed")
        if self._any_record.fullmatch(text):
            found = len(self.fields(text))
            return _rejected(number, text, f"has {found} fields, the header {self.fields_count}")
        return _rejected(number, text, "has text between a closing quote and the next delimiter")


def _pull(source: Iterator[Line], ahead: deque[Line]) -> bool:
    """Move one more line from the source to those ahead; False at its end."""
    before = len(ahead)
    ahead.extend(islice(source, 1))
    return len(ahead) > before


def _rejected(number: int, text: str, reason: str) -> RejectedLine:
    printable = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return RejectedLine(number, printable, reason)
