"""The dbt command on a warehouse of a test.

Add here what every such call needs. Which models are built, with which variables, is the test's.
"""

import os
import subprocess
import sys
from pathlib import Path

DBT_FOLDER = Path(__file__).resolve().parents[2] / "dbt"


def dbt(
    warehouse: Path,
    *arguments: str,
    project: Path = DBT_FOLDER,
    target: Path | None = None,
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """Run dbt with `settings` as environment; what it writes goes to `target`, else beside it."""
    target = target or warehouse.parent / "target"
    command = [str(Path(sys.executable).parent / "dbt"), "--no-version-check", *arguments]
    command += ["--project-dir", str(project), "--profiles-dir", str(project)]
    command += ["--target-path", str(target), "--log-path", str(target)]
    # What a pipeline run in the same process has told dbt does not hold here.
    inherited = {name: value for name, value in os.environ.items() if name[:4] != "DBT_"}
    # Nobody reads the manifest, which dbt would write twice a call, and no test calls home.
    quiet = {"DBT_WRITE_JSON": "false", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    return subprocess.run(
        command,
        env=inherited | quiet | {"CLIENTELA_WAREHOUSE": str(warehouse)} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
