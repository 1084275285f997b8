"""The configuration: what it accepts, what it refuses and in which words, where it leads.

Add a mistake here that someone made in `config.yml` and that was not explained well.
What the settings do to results stays out.
"""

from pathlib import Path

import pytest
import yaml

from dagster_project.config import PROJECT_ROOT, ConfigError, load_config
from dagster_project.feature_catalogue import STATIC_ATTRIBUTES, features

SHIPPED = PROJECT_ROOT / "config.yml"


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATASET", "HOME", "WAREHOUSE", "PUBLISHED"):
        monkeypatch.delenv(f"CLIENTELA_{name}", raising=False)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"config.yml holds no {old!r}"
    file = tmp_path / "config.yml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


def test_the_shipped_file_is_valid_and_selects_the_complete_journey() -> None:
    config = load_config()
    assert config.dataset == "complete_journey"
    assert config.source.business_time_zone == "America/New_York"
    assert config.lifetime_value.horizons_days == (30, 90, 180, 365)


def test_the_retailer_is_simulated_from_size_and_seed() -> None:
    source = load_config(dataset="retailer").source
    assert (source.kind, source.customers, source.seed) == ("simulated", 20000, 7)
    assert (source.business_time_zone, source.reporting_currency) == ("Europe/Madrid", "EUR")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("horizons_days:", "horizon_days:", r"lifetime_value\.horizon_days.*`horizons_days`"),
        ("lifecycle:", "life_cycle:", r"life_cycle is no known key.*`lifecycle`"),
        ("    default: 7 ", "    visits: 7 ", r"max_age_days.*add the key default"),
        ("    refunds: 30", "    refund: 30", r"max_age_days.*table refund.*nearest is refunds"),
        ("max_quarantined_share: 0.05", "max_quarantined_share: 5", r"share.*less than or equal"),
        (
            "internal_email_domains: []",
            "internal_email_domains: [ann@Shop.com]",
            r"internal_email_domains.*no e-mail domain.*shop\.com",
        ),
        ("internal_records: [] ", "internal_records: [1001] ", r"internal_records"),
        ("seed: 7", "sede: 7", r"datasets\.retailer\.sede.*`seed`"),
        ("kind: simulated", "kind: simulate", r"datasets\.retailer\.kind: 'simulate'.*`simulated`"),
        ("ess_min: 400", "ess_min: -1", r"lifetime_value\.gates\.ess_min: -1.*greater than 0"),
        ("Europe/Madrid", "Europe/Madird", r"business_time_zone: 'Europe/Madird'.*Europe/Madrid"),
        ("EUR\n", "eur\n", r"reporting_currency: 'eur'.*nearest is EUR"),
        (
            "mode: purchases ",
            "mode: contract ",
            r"lifetime_value\.mode: 'contract'.*nearest is `contracts`",
        ),
        (
            "contract_period_days: 30 ",
            "contract_period_days: 0 ",
            r"lifetime_value\.contract_period_days: 0.*greater than or equal to 1",
        ),
        (
            "covariates: []",
            "covariates: [gender, revenue_365d_amount]",
            r"covariates.*revenue_365d_amount, which follows from what customers did.*use acq",
        ),
        (
            "covariates: []",
            "covariates: [age_year]",
            r"covariates.*age_year, which is no column of the features; the nearest is age_years",
        ),
        ("covariates: []", "covariates: [gender, gender]", r"gender more than once"),
        (
            "seasonality: auto",
            "seasonality: on",
            r"lifetime_value\.seasonality: True is not allowed.*'auto', 'off'",
        ),
        ("[30, 90, 180, 365]", "[90, 30]", r"horizons_days: \[90, 30\].*\[30, 90\]"),
        ("floor_customers: 30 ", "floor_customers: few ", r"floor_customers: 'few'.*integer"),
        ("stability_floor: 0.75", "stability_floor: 75", r"stability_floor: 75.*less than 1"),
        ("chains: 4 ", "chains: 1 ", r"lifetime_value\.chains: 1.*greater than or equal to 2"),
        ('"0 5 * * *"', '"at five"', r"schedule\.daily_cron: 'at five'.*0 5 \* \* \*"),
        (
            "churned_purchase_probability: 0.1",
            "churned_purchase_probability: 0.6",
            r"churned_purchase_probability 0\.6.*below at_risk_purchase_probability 0\.5",
        ),
        (
            "order: [new, reactivated",
            "order: [new, reactivate",
            r"lifecycle\.order.*names reactivate, which is no stage; the nearest is reactivated",
        ),
        ("order: [new,", "order: [new, new,", r"lifecycle\.order.*new more than once"),
        ("order: [new,", "order: [active,", r"active, which holds whoever is left"),
        ("    seed: 7 ", "    #", r"datasets\.retailer of kind simulated needs the key seed"),
        (
            "acquisition_cost_by_channel: {}",
            "acquisition_cost_by_channel: {search: .inf}",
            r"acquisition_cost_by_channel\.search.*finite",
        ),
        (
            "acquisition_cost_by_channel: {}",
            "acquisition_cost_by_channel: {search: 1000000000000}",
            r"acquisition_cost_by_channel\.search.*less than",
        ),
        ("slices:", "orders:", r"orders stands more than once"),
        (
            "dataset: complete_journey",
            "dataset: complete_jurney",
            r"'complete_jurney' is neither.*nor an existing folder.*`complete_journey`",
        ),
        ("datasets:", "datasets: [", r"not readable as YAML"),
    ],
)
def test_mistakes_are_named_with_the_nearest_valid_thing(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = changed(tmp_path, old, new)
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        load_config(file)


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no .*absent\.yml.*CLIENTELA_CONFIG"):
        load_config(tmp_path / "absent.yml")


def test_a_folder_becomes_a_data_set_with_a_name_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "Shop export", tmp_path / "b" / "Shop export"
    for folder in (first, second):
        folder.mkdir(parents=True)
    one, other = load_config(dataset=str(first)), load_config(dataset=str(second))
    assert one.source.kind == "folder"
    assert one.source.path == str(first)
    assert (one.source.business_time_zone, one.source.reporting_currency) == ("UTC", "EUR")
    assert one.dataset.startswith("shop_export_")
    assert one.dataset != other.dataset


def test_paths_in_the_file_count_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    line = "  my_shop: {kind: folder, path: exports}\n  retailer:"
    config = load_config(changed(tmp_path, "  retailer:", line), dataset="my_shop")
    assert config.source.path == str(tmp_path / "exports")
    assert config.dataset == "my_shop"


def test_the_environment_moves_folders_and_selects_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENTELA_DATASET", "retailer")
    monkeypatch.setenv("CLIENTELA_HOME", str(tmp_path))
    config = load_config()
    assert config.warehouse_path == tmp_path / "warehouse" / "retailer.duckdb"
    assert config.published_path == tmp_path / "published" / "retailer.duckdb"
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(tmp_path / "my.duckdb"))
    assert load_config().warehouse_path == tmp_path / "my.duckdb"


def test_the_content_hash_follows_results_and_not_places(tmp_path: Path) -> None:
    shipped = load_config().content_hash()
    moved = changed(tmp_path, "warehouse: warehouse", "warehouse: elsewhere")
    assert load_config(moved).content_hash() == shipped
    later = changed(tmp_path, '"0 5 * * *"', '"0 6 * * *"')
    assert load_config(later).content_hash() == shipped
    draws = changed(tmp_path, "prediction_draws: 500", "prediction_draws: 501")
    assert load_config(draws).content_hash() != shipped
    assert load_config(dataset="retailer").content_hash() != shipped


def test_dbt_gets_what_sql_reads() -> None:
    variables = load_config().dbt_vars()
    assert variables["business_time_zone"] == "America/New_York"
    assert variables["reporting_currency"] == "USD"
    assert variables["identity_max_records_per_identifier"] == 10
    assert variables["horizons_days"] == [30, 90, 180, 365]
    assert "completed" in variables["counted_statuses"]
    assert all(status == status.lower() for status in variables["counted_statuses"])
    assert yaml.safe_load(yaml.safe_dump(variables)) == variables


def test_settings_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_config().identity.max_records_per_identifier = 3


def test_every_key_of_the_shipped_file_is_explained() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        key = line.split("#")[0].strip()
        if not key or key.endswith(":") or key.startswith("- ") or ":" not in key:
            continue
        above = lines[number - 1].strip()
        block = next(lines[i] for i in range(number, -1, -1) if not lines[i].startswith(" "))
        explained = (
            "#" in line or above.startswith("#") or block.startswith(("own_data", "datasets"))
        )
        assert explained, f"config.yml line {number + 1} has no comment: {line}"


def test_the_word_off_which_yaml_reads_as_false_switches_seasons_off(tmp_path: Path) -> None:
    assert load_config().lifetime_value.seasonality == "auto"
    for word in ("off", '"off"'):
        settings = load_config(changed(tmp_path, "seasonality: auto", f"seasonality: {word}"))
        assert settings.lifetime_value.seasonality == "off"
        assert settings.lifetime_value.of_purchases()["seasonality"] == "off"


def test_purchases_are_pooled_or_have_covariates_but_not_both(tmp_path: Path) -> None:
    file = changed(tmp_path, "covariates: []", "covariates: [acquisition_channel, age_years]")
    assert load_config(file).lifetime_value.covariates == ("acquisition_channel", "age_years")
    file.write_text(file.read_text().replace("pool_by:\n", "pool_by: acquisition_channel\n"))
    with pytest.raises(ConfigError, match="both pool_by and covariates; purchases take one"):
        load_config(file)


def test_what_may_be_a_covariate_is_a_feature() -> None:
    assert set(STATIC_ATTRIBUTES) <= set(features())
