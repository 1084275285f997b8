"""What names an erased person wherever it stands: in free text, JSON, logs and bytes.

Add here another spelling under which a key turns up. Only what cannot mean anything else is
searched for: a record called 17 is found by the columns that name it, never by its digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

# RE2 refuses patterns that compile to more than its memory; 300 identifiers take a tenth of it.
NEEDLES_PER_PATTERN = 300
NOTHING = "[^\\s\\S]"
_TEXTS = """
    select distinct value from (
        select customer_id as value from gone_customers
        union all select value from gone_values where key_type = 'text'
        union all select spelling from gone_values where key_type = 'text'
        union all select warehouse_order_id from gone_orders
        union all select event_id from gone_events
        union all select order_id from gone_orders where order_id not in (
            select order_id from old.staging.orders_checked where order_id is not null
            and (source_system, order_id) not in (
                select (source_system, order_id) from gone_orders))
        union all select source_record_id from gone_lone_records
        union all select source_system || '|' || source_record_id from gone_records
    ) order by 1
"""
_PHONES = "select distinct value from gone_values where key_type = 'phone' order by 1"


@dataclass(frozen=True)
class Needles:
    """Texts and telephones (all digits, with and without the country) that name nobody else."""

    texts: tuple[str, ...]
    phones: tuple[str, ...]

    @property
    def patterns(self) -> list[str]:
        """Regular expressions, in the common subset of RE2 and Python, of all of them."""
        parts = [re.escape(text).replace("\\ ", " ") for text in self.texts]
        parts += [r"\+?0{0,2}" + r"[ ().-]{0,2}".join(phone) for phone in self.phones]
        chunks = [
            parts[start : start + NEEDLES_PER_PATTERN]
            for start in range(0, len(parts), NEEDLES_PER_PATTERN)
        ]
        return [f"(?i)(^|[^a-z0-9])({'|'.join(chunk)})($|[^a-z0-9])" for chunk in chunks] or [
            NOTHING
        ]


def needles_of(connection: duckdb.DuckDBPyConnection) -> Needles:
    """The needles of the persons in the `gone_` tables."""
    texts = [row[0] for row in connection.execute(_TEXTS).fetchall()]
    phones = [row[0] for row in connection.execute(_PHONES).fetchall()]
    return Needles(
        tuple(sorted({text.lower() for text in texts if text and is_distinctive(text)})),
        tuple(phone for phone in phones if phone),
    )


def is_distinctive(text: str) -> bool:
    """Whether a text names somebody wherever it stands: long, and no plain word or number."""
    digits = sum(character.isdigit() for character in text)
    return len(text) >= 6 and ("@" in text or digits >= 9 or 0 < digits < len(text) or "|" in text)
