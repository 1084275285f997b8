"""docs/tables.md, written from the contracts: `python -m dagster_project.table_docs`.

Add here how a table is shown. What a table means is said where it is made: in dbt or in
result_tables.py.
"""

from __future__ import annotations

import json
from pathlib import Path

from dagster_project.config import PROJECT_ROOT, load_config
from dagster_project.dbt_project import ensure_manifest
from dagster_project.result_tables import RESULT_TABLES

PAGE = PROJECT_ROOT / "docs" / "tables.md"
ROOMS = ("identity", "marts", "predictions", "models", "serving")
HEADER = """# Tables

What readers of the warehouse and of the published copy find, room by room. This page is generated
by `python -m dagster_project.table_docs`; a test holds it to the contracts.
"""


def render(manifest: dict[str, dict[str, dict[str, object]]]) -> str:
    """The page, from a dbt manifest and the contracts of Python's tables."""
    tables: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
        name: (table.grain, list(table.columns)) for name, table in RESULT_TABLES.items()
    }
    for node in manifest["nodes"].values():
        room = str(node["schema"])
        if node["resource_type"] == "model" and room in ROOMS:
            columns: dict[str, dict[str, str]] = node["columns"]  # type: ignore[assignment]
            tables[f"{room}.{node['name']}"] = (
                str(node["description"]),
                [(c["name"], c.get("data_type") or "", c["description"]) for c in columns.values()],
            )
    lines = [HEADER]
    for room in ROOMS:
        lines.append(f"## {room}\n")
        for name in sorted(name for name in tables if name.startswith(f"{room}.")):
            grain, columns_of = tables[name]
            lines += [f"### {name}\n", f"{' '.join(grain.split())}\n"]
            lines += ["| column | type | meaning |", "|---|---|---|"]
            lines += [
                f"| {column} | {kind.lower()} | {' '.join(meaning.split()).replace('|', '/')} |"
                for column, kind, meaning in columns_of
            ]
            lines.append("")
    return "\n".join(lines)


def main(page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(render(json.loads(ensure_manifest(load_config()).read_text())))


if __name__ == "__main__":
    main()
