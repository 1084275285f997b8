"""The commands `clientela models list` and `rollback` on a warehouse with two fits.

Add here what people at the terminal read about fits. What rolling back does to slices is tested in
test_value_totals.py.
"""

import datetime as dt
import shlex
from itertools import pairwise

import pandas as pd
import pytest
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.model_registry import Fit, store, version_in_force
from dagster_project.model_rollback import roll_back
from dagster_project.warehouse import open_warehouse

DRAWS = pd.DataFrame({"model": ["m"], "draw": [0], "parameter": ["r"], "value": [1.0]})

# Fits of one day in the order they are stored, and who serves after each roll-back.
ORDERS = (("4545", "4"), ("454", "5"), ("4564", "65"), ("4565", "64"), ("4554", "5"), ("455", "4"))


@pytest.fixture
def file(tmp_path, monkeypatch):
    file = tmp_path / "w.duckdb"
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(file))
    monkeypatch.setenv("CLIENTELA_DATASET", "retailer")
    with open_warehouse(file) as warehouse:
        for month in (1, 4):
            fit = Fit("lifetime_value", dt.date(2024, month, 1), f"{month}" * 10, DRAWS)
            store(warehouse, fit)
        warehouse.connection.execute(
            "insert into predictions.customer_ltv (customer_id, as_of_date, model_version_id) "
            "values ('c', date '2024-04-30', 'lifetime_value-20240401-4444444444')"
        )
        warehouse.connection.execute(
            "insert into predictions.portfolio_ltv (as_of_date, previous_as_of_date) values "
            "(date '2024-05-31', date '2024-04-30'), (date '2024-04-30', date '2024-03-31')"
        )
    return file


def test_a_fit_is_listed_rolled_back_and_refused_the_second_time(file):
    version = "lifetime_value-20240401-4444444444"
    run = CliRunner().invoke
    listed = run(app, ["models", "list"])
    assert listed.exit_code == 0 and listed.output.count("promoted") == 2
    assert version in listed.output and "2024-04-30" in listed.output
    done = run(app, ["models", "rollback", version, "--reason", "one wholesaler"])
    assert done.exit_code == 0
    assert "lifetime_value-20240101-1111111111 serves in its place" in done.output
    assert "had made 2024-04-30; these" in done.output
    # The slice after it was compared with it.
    told = [line.split() for line in done.output.splitlines() if "clientela run" in line]
    assert [line[-3] for line in told] == ["2024-04-30", "2024-05-31"]
    listed = run(app, ["models", "list"])
    assert "rolled_back" in listed.output and "one wholesaler" in listed.output
    again = run(app, ["models", "rollback", version])
    assert again.exit_code == 1 and "is rolled_back" in again.output
    unknown = run(app, ["models", "rollback", "nonsense"])
    assert unknown.exit_code == 1
    assert "In force: lifetime_value-20240101-1111111111" in unknown.output
    with open_warehouse(file) as warehouse:
        assert version_in_force(warehouse, "lifetime_value", dt.date(2024, 5, 1))[0][15:23] == (
            "20240101"
        )


def test_a_fit_of_the_same_day_comes_back_and_is_listed_as_serving(file):
    """Two fits of one day: the second took the place of the first, and gives it back."""
    day = dt.date(2024, 4, 1)
    first, second, third = (f"lifetime_value-20240401-{digit * 10}" for digit in "456")
    run = CliRunner().invoke
    with open_warehouse(file) as warehouse:
        for digit in "56":
            store(warehouse, Fit("lifetime_value", day, digit * 10, DRAWS))
        assert version_in_force(warehouse, "lifetime_value", day) == (third, day)
    for gone, back in ((third, second), (second, first)):
        done = run(app, ["models", "rollback", gone])
        assert f"{back} serves in its place" in done.output
        with open_warehouse(file) as warehouse:
            assert version_in_force(warehouse, "lifetime_value", day) == (back, day)
    done = run(app, ["models", "rollback", first])
    assert "lifetime_value-20240101-1111111111 serves in its place" in done.output


def test_a_fit_stored_again_does_not_come_back_twice(file):
    """Settings that go back and forth: one fit of a day is in force, whatever is rolled back."""
    day = dt.date(2024, 4, 1)
    with open_warehouse(file) as warehouse:
        for order, back in ORDERS:
            warehouse.connection.execute("delete from models.model_versions")
            for digit in order:
                store(warehouse, Fit("lifetime_value", day, digit * 10, DRAWS))
            for gone, serves in pairwise([order[-1], *back, ""]):
                version = f"lifetime_value-20240401-{gone * 10}"
                assert version_in_force(warehouse, "lifetime_value", day)[0] == version, order
                roll_back(warehouse, version, "a test")
                serving = warehouse.frame(
                    "select model_version_id from models.model_versions where status = 'promoted'"
                )
                expected = [f"lifetime_value-20240401-{serves * 10}"] if serves else []
                assert list(serving["model_version_id"]) == expected, order


def test_the_lines_to_build_again_can_be_pasted_into_a_shell(file, tmp_path, monkeypatch):
    """A folder with a blank and a dollar sign in its name stays one word."""
    place = tmp_path / "my $HOME; shop"
    place.mkdir()
    moved = file.rename(place / "w.duckdb")
    monkeypatch.delenv("CLIENTELA_WAREHOUSE")
    command = ["models", "rollback", "lifetime_value-20240401-4444444444"]
    done = CliRunner().invoke(app, [*command, "--warehouse", str(moved)])
    assert done.exit_code == 0, done.output
    told = [line for line in done.output.splitlines() if "clientela run" in line]
    assert shlex.split(told[0])[2:4] == ["--warehouse", str(moved)]
