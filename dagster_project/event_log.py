"""Dagster's event log in SQLite, with connections that stay open.

Add here what must differ from Dagster's own storage of events. Dagster opens and closes the file
several times for each of the thousand events of a run, which took a third of the run; which events
there are, and where the files lie, stays with Dagster.
"""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine

SHARDS_KEPT = 4
"""Files held open: the index, and those of the latest runs."""


class OpenSqliteEventLog(SqliteEventLogStorage):
    """`SqliteEventLogStorage` that keeps the connections of its latest files.

    Files and tables are those of Dagster's default, so a home can go from one to the other.
    """

    is_keeping: ClassVar[bool] = True
    opened: ClassVar[weakref.WeakSet[OpenSqliteEventLog]] = weakref.WeakSet()

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self.opened.add(self)
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> OpenSqliteEventLog:
        """The storage at Dagster's own place in DAGSTER_HOME."""
        return cls(str(Path(os.environ["DAGSTER_HOME"]) / "history" / "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            try:
                if shard not in self._initialized_dbs:
                    self._initdb(engine)
                    self._initialized_dbs.add(shard)
                with engine.connect() as connection:
                    before = _changes(connection)
                    with connection.begin():
                        yield connection
                    is_changed = _changes(connection) > before
                if is_changed:
                    # The page of a run watches this file, and rows stay in the log beside it.
                    Path(self.path_for_shard(shard)).touch()
            finally:
                if not self.is_keeping:
                    self.let_go()

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = create_engine(
                self.conn_string_for_shard(shard),
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
        self._engines.move_to_end(shard)
        while len(self._engines) > SHARDS_KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def let_go(self) -> None:
        """Close every connection; the next event opens its own."""
        while self._engines:
            self._engines.popitem()[1].dispose()

    def dispose(self) -> None:
        self.let_go()
        super().dispose()


def keep_no_connections() -> None:
    """From now on this process opens and closes the files for each event, as Dagster does.

    For who reads the files as plain bytes: closing a file drops every lock that the process holds
    on it, and an open connection would write without one.
    """
    OpenSqliteEventLog.is_keeping = False
    for storage in list(OpenSqliteEventLog.opened):
        with storage._db_lock:  # An event that is being stored ends first.
            storage.let_go()


def _changes(connection: Connection) -> int:
    changes: int = connection.connection.dbapi_connection.total_changes  # type: ignore[union-attr]
    return changes
