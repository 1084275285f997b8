"""Landing: reading what a source delivers into schema raw, as text, exactly as received.

Add a module here for a new way to deliver rows (see `sources.py` for what it must offer).
Casting, cleaning and row rules stay out; they live in dbt staging.
"""

from dagster_project.landing.check import SourceReport, check_source
from dagster_project.landing.delivery import SourceError
from dagster_project.landing.fingerprint import fingerprint
from dagster_project.landing.land import land
from dagster_project.landing.report import LandedTable, LandingReport

__all__ = [
    "LandedTable",
    "LandingReport",
    "SourceError",
    "SourceReport",
    "check_source",
    "fingerprint",
    "land",
]
