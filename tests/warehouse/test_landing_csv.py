"""Landing of CSV files: what is landed and what is rejected adds up to the lines of the file.

Add a file here that a company really sent and that was read wrongly.
Parquet, schemas and the transaction stay out; they have files of their own.
"""

import gzip
from pathlib import Path

import duckdb
import pytest

from dagster_project.config import load_config
from dagster_project.landing import LandingReport, SourceError, land

HEADER = "source_system,order_id,source_record_id,ordered_at,gross_amount"
ORDER = "shop,{n},r{n},2024-01-0{n} 10:00:00,{n}.50"
CUSTOMERS = b"source_system,source_record_id\nshop,r1\n"


def orders_file(*lines: str, end: str = "\n", header: str = HEADER) -> bytes:
    return end.join((header, *lines, "")).encode()


def order(n: int) -> str:
    return ORDER.format(n=n)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "it's [our] data"
    source.mkdir()
    (source / "customer_records.csv").write_bytes(CUSTOMERS)
    return source


def landed(folder: Path) -> tuple[duckdb.DuckDBPyConnection, LandingReport]:
    connection = duckdb.connect()
    return connection, land(connection, load_config(dataset=str(folder)))


def order_rows(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    return connection.execute(
        "select order_id, gross_amount, _row_number from raw.orders order by _row_number"
    ).fetchall()


def rejected(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    return connection.execute(
        "select line_number, raw_line, reason from raw.rejected_lines order by line_number"
    ).fetchall()


def line_count(content: bytes) -> int:
    """Rows a person would count: lines that are not empty, without the header."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return sum(bool(line) for line in lines) - 1


BOTH = [("1", "1.50", 1), ("2", "2.50", 2)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(orders_file(order(1), order(2)), id="plain"),
        pytest.param(orders_file(order(1), order(2)).rstrip(b"\n"), id="no newline at the end"),
        pytest.param(b"\xef\xbb\xbf" + orders_file(order(1), order(2)), id="byte order mark"),
        pytest.param(orders_file(order(1), order(2), end="\r\n"), id="Windows line ends"),
        pytest.param(orders_file(order(1), order(2), end="\r"), id="old Mac line ends"),
        pytest.param(
            orders_file(order(1)) + order(2).encode() + b"\r\n", id="line ends of two kinds"
        ),
        pytest.param(orders_file(order(1), order(2)).replace(b",", b";"), id="semicolons"),
        pytest.param(orders_file(order(1), order(2)).replace(b",", b"\t"), id="tabs"),
        pytest.param(orders_file(order(1), order(2)).replace(b",", b"|"), id="bars"),
        pytest.param(orders_file("", order(1), "", order(2), ""), id="empty lines"),
        pytest.param(
            orders_file(order(1), order(2), header=HEADER.upper().replace(",", " , ")),
            id="header in capitals with spaces",
        ),
        pytest.param(
            orders_file(order(1), order(2)).decode().encode("utf-16"), id="UTF-16 of a spreadsheet"
        ),
    ],
)
def test_every_row_of_a_sound_file_is_landed(folder: Path, content: bytes) -> None:
    (folder / "orders.csv").write_bytes(content)
    connection, report = landed(folder)
    assert order_rows(connection) == BOTH
    assert rejected(connection) == []
    assert report.rows_rejected == 0


@pytest.mark.parametrize(
    ("bad_line", "reason"),
    [
        pytest.param("shop,9,r9", "has 3 fields, the header 5", id="too few fields"),
        pytest.param(order(9) + ",x,y", "has 7 fields, the header 5", id="too many fields"),
        pytest.param('shop,9,"r9",x', "has 4 fields, the header 5", id="too few, quoted"),
        pytest.param('shop,9,"r9,2024-01-09,1', "opens a quote that is never closed", id="open"),
        pytest.param(
            'shop,9,"r"9,2024-01-09,1',
            "has text between a closing quote and the next delimiter",
            id="text after a quote",
        ),
        pytest.param(
            'shop,9,"say \\"hi\\"",2024-01-09,1',
            "has text between a closing quote and the next delimiter",
            id="backslash before a quote",
        ),
        pytest.param("just some text", "has 1 fields, the header 5", id="no row at all"),
    ],
)
def test_a_bad_line_costs_no_other_row(folder: Path, bad_line: str, reason: str) -> None:
    quoted_after = 'shop,3,"r3",2024-01-03 10:00:00,"3.50"'
    content = orders_file(order(1), bad_line, order(2), quoted_after)
    (folder / "orders.csv").write_bytes(content)
    connection, report = landed(folder)
    assert order_rows(connection) == [*BOTH, ("3", "3.50", 3)]
    assert rejected(connection) == [(3, bad_line, f"orders.csv: {reason}")]
    orders = next(table for table in report.tables if table.table_name == "orders")
    assert orders.rows_landed + orders.rows_rejected == line_count(content)


def test_rows_and_rejected_lines_add_up_for_a_long_ragged_file(folder: Path) -> None:
    lines = [
        "shop,1,r1" if n % 7 == 0 else f"shop,{n},r{n},2024-01-01,{n}.00" for n in range(1, 30_001)
    ]
    content = orders_file(*lines)
    (folder / "orders.csv").write_bytes(content)
    connection, _ = landed(folder)
    rows, lines_rejected = len(order_rows(connection)), len(rejected(connection))
    assert (rows, lines_rejected) == (25_715, 4_285)
    assert rows + lines_rejected == line_count(content)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quoted_value_may_span_lines_and_hold_quotes(folder: Path, end: str) -> None:
    street = f'"Calle Mayor 1{end}3º ""B"", Madrid"'
    header = "source_system,source_record_id,street"
    text = end.join((header, f"shop,r1,{street}", "shop,r2,Bar 'La' \"Paz\"", ""))
    (folder / "customer_records.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "orders.csv").write_bytes(orders_file(order(1)))
    connection, report = landed(folder)
    streets = connection.execute("select street from raw.customer_records").fetchall()
    assert streets == [(f'Calle Mayor 1{end}3º "B", Madrid',), ("Bar 'La' \"Paz\"",)]
    assert report.rows_rejected == 0


def test_windows_1252_is_recognised_and_named(folder: Path) -> None:
    text = (
        "source_system,source_record_id,last_name,city\nshop,r1,Muñoz,5 € Straße\nshop,r2,Ruiz,x\n"
    )
    (folder / "customer_records.csv").write_bytes(text.encode("cp1252"))
    (folder / "orders.csv").write_bytes(orders_file(order(1)))
    connection, report = landed(folder)
    names = connection.execute("select last_name, city from raw.customer_records").fetchall()
    assert names == [("Muñoz", "5 € Straße"), ("Ruiz", "x")]
    assert report.notes == ("customer_records.csv: read as cp1252",)


def test_a_line_with_broken_bytes_in_a_utf8_file_is_rejected(folder: Path) -> None:
    good, bad = "shop,r1,Muñoz\n".encode(), "shop,r2,Nuñez\n".encode("latin-1")
    header = b"source_system,source_record_id,last_name\n"
    (folder / "customer_records.csv").write_bytes(header + good + bad)
    (folder / "orders.csv").write_bytes(orders_file(order(1)))
    connection, _ = landed(folder)
    names = connection.execute("select last_name from raw.customer_records").fetchall()
    assert names == [("Muñoz",)]
    reason = "customer_records.csv: holds bytes that are not valid UTF-8"
    assert rejected(connection) == [(3, r"shop,r2,Nu\xf1ez", reason)]


def test_missing_values_are_null_and_others_stay_as_received(folder: Path) -> None:
    line = 'shop," 007 ",,"",NULL'
    (folder / "orders.csv").write_bytes(orders_file(line))
    connection, _ = landed(folder)
    row = connection.execute(f"select {HEADER} from raw.orders").fetchone()
    assert row == ("shop", " 007 ", None, None, "NULL")


def test_a_header_without_rows_delivers_an_empty_table(folder: Path) -> None:
    (folder / "orders.csv").write_bytes(orders_file())
    connection, report = landed(folder)
    assert order_rows(connection) == []
    assert next(t for t in report.tables if t.table_name == "orders").is_delivered


def test_an_empty_file_of_an_optional_table_is_not_delivered(folder: Path) -> None:
    (folder / "orders.csv").write_bytes(orders_file(order(1)))
    (folder / "refunds.csv").write_bytes(b"")
    _, report = landed(folder)
    assert "refunds" in report.missing_shapes


def test_an_empty_file_of_a_required_table_is_refused(folder: Path) -> None:
    (folder / "orders.csv").write_bytes(b"")
    with pytest.raises(SourceError, match=r"orders.*empty, without even a header.*required"):
        landed(folder)


def test_compressed_files_are_read(folder: Path) -> None:
    (folder / "orders.csv.gz").write_bytes(gzip.compress(orders_file(order(1), "bad", order(2))))
    connection, _ = landed(folder)
    assert order_rows(connection) == BOTH
    assert [line for line, _, _ in rejected(connection)] == [3]


def test_parts_are_landed_in_the_order_of_their_names(folder: Path) -> None:
    (folder / "orders_2024-02.csv").write_bytes(orders_file(order(2)))
    with_coupon = orders_file(order(1) + ",X1", header=HEADER + ",coupon_code")
    (folder / "orders_2024-01.csv").write_bytes(with_coupon)
    connection, _ = landed(folder)
    assert order_rows(connection) == BOTH
    coupons = connection.execute("select coupon_code from raw.orders order by _row_number")
    assert coupons.fetchall() == [("X1",), (None,)]


def test_one_table_in_two_files_is_refused(folder: Path) -> None:
    (folder / "orders.csv").write_bytes(orders_file(order(1)))
    (folder / "orders_2024.csv").write_bytes(orders_file(order(1)))
    with pytest.raises(SourceError, match=r"orders is in .* more than once.*orders_2024\.csv"):
        landed(folder)


def test_a_contract_column_given_twice_is_refused(folder: Path) -> None:
    (folder / "orders.csv").write_bytes(orders_file(header=HEADER + ",Order_ID"))
    with pytest.raises(SourceError, match=r"orders \(orders\.csv\) has the column order_id twice"):
        landed(folder)


def test_unknown_columns_are_carried_whatever_their_names(folder: Path) -> None:
    header = HEADER + ",Our note,_row_number,,our note"
    (folder / "orders.csv").write_bytes(orders_file(order(1) + ",a,b,c,d", header=header))
    connection, report = landed(folder)
    unknown = next(t for t in report.tables if t.table_name == "orders").unknown_columns
    assert unknown == ("Our note", "_row_number_2", "column_8", "our note_2")
    columns = ", ".join(f'"{name}"' for name in unknown)
    assert connection.execute(f"select {columns} from raw.orders").fetchall() == [tuple("abcd")]
