"""What assets are given at run time: the configuration and the warehouse of the selected data set.

Add a resource when an asset needs something outside the run. What the warehouse can do is in
warehouse.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.config import Config, load_config
from dagster_project.warehouse import Warehouse, open_warehouse

POOL = "warehouse"


class ClientelaResource(dg.ConfigurableResource):
    """The checked config.yml, read when a step starts, and the warehouse it names."""

    @property
    def config(self) -> Config:
        return load_config()

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """Open for one step; every asset that calls this belongs to the pool ``warehouse``."""
        with open_warehouse(self.config.warehouse_path) as opened:
            yield opened
