"""What a person at a terminal sees while a run goes on.

Add here how progress is shown. What is logged for the UI stays in the assets, and the final summary
in summary.py.
"""

import logging
import sys
import threading
import time

import dagster as dg

HEARTBEAT_SECONDS = 10.0


class StepProgress(logging.Handler):
    """One line per finished step, and a line every ten seconds while one is at work."""

    def __init__(self, label: str) -> None:
        super().__init__(level=logging.DEBUG)
        self.label = label
        self.running: dict[str, float] = {}
        self.unchanged: set[str] = set()
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, daemon=True)
        self._beat.start()

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is None:
            return
        step, now = event.step_key, time.monotonic()
        if event.is_step_start:
            self.running[step] = now
        elif event.is_step_materialization:
            entry = event.step_materialization_data.materialization.metadata.get("unchanged")
            if entry is not None:
                self.unchanged.add(step)
        elif event.is_step_success or event.is_step_failure:
            took = now - self.running.pop(step, now)
            state = "failed" if event.is_step_failure else "done"
            if step in self.unchanged:
                state = "unchanged"
            self._say(f"{step:<28} {state:>10} {took:6.1f} s")

    def close(self) -> None:
        self._stop.set()
        super().close()

    def _heartbeat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            now = time.monotonic()
            for step, started in list(self.running.items()):
                if now - started >= HEARTBEAT_SECONDS:
                    self._say(f"{step:<28} {'working':>10} {now - started:6.0f} s")

    def _say(self, text: str) -> None:
        print(f"  {self.label}  {text}", file=sys.stderr, flush=True)


@dg.logger(
    config_schema={"label": dg.Field(str, default_value="run")},
    description="Progress lines for a terminal.",
)
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """A logger whose only handler prints steps; chosen by the command line's run config."""
    logger = logging.Logger(f"clientela.progress.{context.run_id}", level=logging.DEBUG)
    logger.addHandler(StepProgress(str(context.logger_config["label"])))
    return logger


def progress_config(label: str) -> dict[str, object]:
    """Run config that shows progress under ``label`` instead of Dagster's own log lines."""
    return {"loggers": {"progress": {"config": {"label": label}}}}
