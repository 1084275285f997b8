"""What a delivery must have: required tables and columns, with the remedy when they are missing.

Add a requirement here when nothing after landing could work without it.
Requirements on rows stay out; rows that break a rule are quarantined in staging.
"""

import difflib
from collections.abc import Mapping

from dagster_project.config import PROJECT_ROOT
from dagster_project.landing.delivery import Part
from dagster_project.landing.folder import nearest_unused
from dagster_project.landing.sources import Source
from dagster_project.source_contract import MAPPED_SOURCES, MAPPED_TABLES, Shape

GUIDE = "docs/bring-your-own-data.md"


def problems(source: Source, parts: Mapping[str, tuple[Part, ...]]) -> list[str]:
    """One sentence for each required table or column that the source lacks."""
    found = []
    for table, shape in source.contract.items():
        if parts.get(table):
            for part in parts[table]:
                found += _missing_columns(table, shape, part)
        elif shape.is_required and table not in mapped_shapes(parts):
            found.append(_missing_table(table, source, parts))
    return found


def mapped_shapes(parts: Mapping[str, tuple[Part, ...]]) -> set[str]:
    """Shapes that dbt fills from other tables: those of a mapped source that was delivered, or of
    the company's own models, `stg_<source>__<shape>.sql`, whose tables are not landed.
    """
    models = (PROJECT_ROOT / "dbt" / "models" / "staging").glob("*/stg_*__*.sql")
    own = (file for file in models if file.parent.name not in ("shapes", *MAPPED_SOURCES))
    fed = {
        shape
        for table, found in parts.items()
        if found and table in MAPPED_TABLES
        for shape in MAPPED_TABLES[table].feeds
    }
    return fed | {file.stem.split("__", 1)[1] for file in own}


def _missing_table(table: str, source: Source, parts: Mapping[str, tuple[Part, ...]]) -> str:
    empty = " (its file is empty, without even a header)" if table in parts else ""
    near = nearest_unused(table, source.unused)
    hint = f" Was {near} meant? Rename it." if near else ""
    there = [name for name, found in parts.items() if found] + list(source.unused)
    return (
        f"{table}: there is no such table in {source.label}{empty}, and it is required. "
        f"Found: {', '.join(there) or 'nothing'}.{hint} Lay {table}.parquet or {table}.csv, or the "
        f"tables of a mapped source ({', '.join(MAPPED_SOURCES)}), or map your table by "
        f"dbt/models/staging/<source>/stg_<source>__{table}.sql ({GUIDE})."
    )


def _missing_columns(table: str, shape: Shape, part: Part) -> list[str]:
    unknown = [name for name in part.columns if name not in shape.column_names]
    found = []
    for column in shape.required_columns:
        if column not in part.columns:
            near = difflib.get_close_matches(column, unknown, 1, 0.5)
            hint = f" Was {near[0]} meant?" if near else ""
            found.append(_lacks(table, part, f"the required column {column}", hint, column))
    if shape.any_of and not set(shape.any_of) & set(part.columns):
        wanted = f"all of {', '.join(shape.any_of)}, of which one is required"
        found.append(_lacks(table, part, wanted, "", shape.any_of[0]))
    return found


def _lacks(table: str, part: Part, what: str, hint: str, column: str) -> str:
    return (
        f"{table} ({part.origin}) lacks {what}. Columns found: {', '.join(part.columns)}.{hint} "
        f"Rename or add {column} in the source, or map the table by a dbt model ({GUIDE})."
    )
