"""What a landing did, for the summary of a run and for Dagster's metadata.

Add here a fact about a landing that people ask for.
What is wrong with the rows themselves stays out; staging counts that.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class LandedTable:
    """What was landed for one raw table; column names are those of the contract or the source."""

    table_name: str
    origin: str
    is_delivered: bool
    rows_landed: int
    rows_rejected: int
    missing_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    content_hash: str
    rows_erased: int = 0


@dataclass(frozen=True)
class LandingReport:
    """What a landing did.

    `missing_shapes` are optional shapes that were not delivered, `unused` what lay in the folder
    and belongs to no table, `notes` what the reader had to decide (an encoding, say).
    """

    dataset: str
    kind: str
    origin: str
    fingerprint: str
    tables: tuple[LandedTable, ...]
    missing_shapes: tuple[str, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows_landed(self) -> int:
        """Rows in all raw tables."""
        return sum(table.rows_landed for table in self.tables)

    @property
    def rows_rejected(self) -> int:
        """Lines that were no rows."""
        return sum(table.rows_rejected for table in self.tables)

    @property
    def rows_erased(self) -> int:
        """Rows and lines withheld because they name an erased person."""
        return sum(table.rows_erased for table in self.tables)
