"""Numbers to the text that source systems deliver, a whole column at a time.

Add here a rendering that several shapes need; every function takes and gives whole arrays.
What a column means and how often it is wrong stays in the module of its shape.
"""

import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models_py.simulate.retailer.shapes import SHAPE_COLUMNS

Text = Any  # a pyarrow array of strings; pyarrow carries no types that mypy could read


def pick(vocabulary: Sequence[str | None], index: np.ndarray) -> Text:
    """The words of a vocabulary at the given positions."""
    return pa.array(vocabulary, pa.string()).take(pa.array(index, pa.int64()))


def constant(word: str, count: int) -> Text:
    """One word repeated."""
    return pa.repeat(pa.scalar(word, pa.string()), count)


def take(values: Text, index: np.ndarray) -> Text:
    """Values at positions; a negative position gives NULL."""
    return values.take(pa.array(index, pa.int64(), mask=index < 0))


def join(*parts: Text | str) -> Text:
    """Concatenate columns and words row by row; NULL in any part gives NULL."""
    return pc.binary_join_element_wise(*parts, "")


def where(mask: np.ndarray, values: Text | str | None, otherwise: Text | str | None) -> Text:
    """Values where the mask holds, else otherwise; None stands for NULL."""
    typed = [pa.scalar(v, pa.string()) if v is None else v for v in (values, otherwise)]
    return pc.if_else(pa.array(mask), *typed)


def blank(values: Text, mask: np.ndarray) -> Text:
    """NULL where the mask holds."""
    return where(mask, None, values)


def whole(numbers: np.ndarray, width: int = 0) -> Text:
    """Integers as text, padded with zeros to a width."""
    return pc.utf8_lpad(pa.array(numbers, pa.int64()).cast(pa.string()), width, "0")


def decimal(units: np.ndarray, places: int) -> Text:
    """Integers that count units of the last place, as decimal text."""
    words = np.empty((len(units), 2), dtype="<i8")
    words[:, 0] = units
    words[:, 1] = np.where(units < 0, -1, 0)
    buffers = [None, pa.py_buffer(words.tobytes())]
    values = pa.Array.from_buffers(pa.decimal128(18, places), len(units), buffers)
    return values.cast(pa.string())


def money(cents: np.ndarray) -> Text:
    """Integer cents as decimal text with two places."""
    return decimal(cents, 2)


def fraction(values: np.ndarray, places: int) -> Text:
    """Floats as text, rounded to a fixed number of places (six at most)."""
    return decimal(np.rint(np.asarray(values) * 10**places).astype("int64"), places)


def moments(seconds: np.ndarray) -> Text:
    """Seconds since 1970 (UTC) as 'YYYY-MM-DD HH:MM:SS'."""
    return pa.array(seconds.astype("int64"), pa.timestamp("s")).cast(pa.string())


def days(epoch_days: np.ndarray) -> Text:
    """Days since 1970 as 'YYYY-MM-DD'."""
    return pa.array(epoch_days.astype("int32"), pa.int32()).cast(pa.date32()).cast(pa.string())


def flags(values: np.ndarray) -> Text:
    """Booleans as 'true' and 'false'."""
    return pick(["false", "true"], np.asarray(values).astype("int64"))


def hex_ids(count: int, rng: np.random.Generator) -> Text:
    """Random 16-digit hexadecimal identifiers, as trackers hand out."""
    digits = binascii.hexlify(rng.bytes(8 * count))
    return _whole_array(np.frombuffer(digits, dtype="S16").astype("U16"))


def misspell(values: Text, mask: np.ndarray, rng: np.random.Generator) -> Text:
    """One typing error inside the word where the mask holds: a swap, a loss or a doubling."""
    rows = np.flatnonzero(mask)
    words = np.asarray(values.take(pa.array(rows)).fill_null("").to_pylist(), dtype="U64")
    if not len(rows):
        return values
    letters = words.view("U1").reshape(len(rows), -1).copy()
    length = np.char.str_len(words)
    spot = 1 + (rng.random(len(rows)) * np.maximum(length - 2, 1)).astype(int)
    column = np.arange(letters.shape[1])[None, :]
    kind = rng.integers(0, 3, len(rows))
    source = np.broadcast_to(column, letters.shape).copy()
    swap, loss, double = (kind == 0)[:, None], (kind == 1)[:, None], (kind == 2)[:, None]
    at = spot[:, None]
    source += (swap & (column == at)).astype(int) - (swap & (column == at + 1))
    source += (loss & (column >= at)).astype(int) - (double & (column > at))
    letters = np.take_along_axis(letters, np.clip(source, 0, letters.shape[1] - 1), axis=1)
    changed = np.ascontiguousarray(letters).view(f"U{letters.shape[1]}").ravel()
    # A name of one or two letters could be emptied or padded by a swap past its end: keep it.
    changed = np.where(length > 2, changed, words)
    position = np.full(len(values), -1)
    position[rows] = np.arange(len(rows))
    return where(mask, take(_whole_array(changed), position), values)


def source_frame(shape: str, columns: Mapping[str, Text]) -> pd.DataFrame:
    """A source table with every column of its shape, NULL where the shop delivers none."""
    unknown = set(columns) - set(SHAPE_COLUMNS[shape])
    if unknown:
        raise ValueError(f"{shape}: not in the contract: {sorted(unknown)}")
    count = len(next(iter(columns.values())))
    empty = pa.nulls(count, pa.string())
    table = pa.table({name: columns.get(name, empty) for name in SHAPE_COLUMNS[shape]})
    frame: pd.DataFrame = table.to_pandas()
    # pandas reads an all-NULL text column as object; every source column is text.
    return frame.astype("str")


def _whole_array(words: np.ndarray) -> Text:
    """NumPy text as one array: pyarrow makes chunks of 16 MB, which do not concatenate."""
    made = pa.array(words, pa.string())
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made
