"""Keyed hashes: how an erased person is remembered without being known.

Add a kind of key here with its normal form. A telephone number has so few possible values that a
plain hash is no secret, so every hash is an HMAC under a key file that lies beside the warehouse,
never in it, in a copy or in a backup. Which rows a key removes stays out (columns.py,
withholding.py).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import duckdb

from dagster_project.config import Config

# Bytes 0x1f and | cannot be confused with what people write into identifiers.
SEPARATOR = "\x1f"


class ErasureKeyError(RuntimeError):
    """The key file of the erasures is missing or another one."""


def key_path(config: Config) -> Path:
    """The key file: beside the warehouse, which `make clean` spares; storage it does not."""
    return config.warehouse_path.with_suffix(".erasure-key")


def load_key(config: Config, *, create: bool = False) -> bytes:
    """The key of this warehouse; made on the first erasure, readable by its owner only.

    Raises
    ------
    ErasureKeyError
        When it is missing although persons were erased: without it they would come back.
    """
    path = key_path(config)
    if path.is_file():
        return bytes.fromhex(path.read_text().strip())
    if not create:
        raise ErasureKeyError(
            f"Persons were erased from {config.warehouse_path}, and {path} is missing, by which "
            "they are recognised. Nothing is landed, or they would come back. Put the key file "
            "back from where you keep secrets."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.hex())
        file.flush()
        os.fsync(file.fileno())
    return key


def key_check(key: bytes) -> str:
    """What tells this key from another without revealing it."""
    return keyed_hash(key, "check", "")[:12]


def keyed_hash(key: bytes, key_type: str, value: str) -> str:
    """HMAC-SHA256 of a type and a value in its normal form, as hex (RFC 2104)."""
    return hmac.new(key, f"{key_type}{SEPARATOR}{value}".encode(), hashlib.sha256).hexdigest()


def define_hash(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Define `erased_hash(key_type, value)` in SQL: the same HMAC, 1.2 s per million values.

    A temporary macro, so that the key is never written to a file.
    """
    block = key.ljust(64, b"\0")
    inner, outer = (_blob(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    connection.execute(
        "create or replace temp macro erased_hash(key_type, key_value) as "
        f"sha256({outer} || unhex(sha256({inner} || "
        f"encode(key_type || chr({ord(SEPARATOR)}) || key_value))))"
    )


def text_form(column: str) -> str:
    """SQL of the normal form of e-mails, cards and devices: lower case, without outer blanks."""
    return f"nullif(lower(trim({column})), '')"


def _blob(content: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02x}" for byte in content) + "'::blob"
