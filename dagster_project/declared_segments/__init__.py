"""Segments that are declared instead of found: ready-made ones and a company's own rules.

Add a ready-made segment in `ready_made.yml`; add here how rules are read, checked and evaluated.
Groups found by clustering stay out; they are micro-segments, in models_py/segmentation.
"""

from dagster_project.declared_segments.definitions import (
    Part,
    Segment,
    columns_by_segment,
    declared_segments,
    problems,
)

__all__ = ["Part", "Segment", "columns_by_segment", "declared_segments", "problems"]
