"""Settings: where they come from, which wins, and what a mistake in them says."""

import os

import pytest

from armillary.compute import Processes, Serial
from armillary.config import Settings, load_settings
from armillary.errors import OptionError, WorkerError
from armillary.factory import Services, kernel_cache


@pytest.fixture(autouse=True)
def no_settings(tmp_path, monkeypatch):
    """An empty working directory, and no ``ARMILLARY_...`` variable."""
    monkeypatch.chdir(tmp_path)
    for name in [*Settings.model_fields, "config"]:
        monkeypatch.delenv(f"ARMILLARY_{name}".upper(), raising=False)


def test_defaults():
    settings = load_settings()
    assert (settings.workers, settings.omega_m, settings.h) == (1, 0.3, 1.0)
    assert settings.progress is None


def test_file_is_read(tmp_path):
    (tmp_path / "armillary.toml").write_text('omega_m = 0.26\nprogress = false\ncache_dir = "/tmp/kernels"\n')
    settings = load_settings()
    assert settings.omega_m == 0.26
    assert settings.progress is False
    assert str(settings.cache_dir) == "/tmp/kernels"


def test_environment_wins_over_file_and_option_over_both(tmp_path, monkeypatch):
    (tmp_path / "armillary.toml").write_text("workers = 2\nomega_m = 0.26\n")
    monkeypatch.setenv("ARMILLARY_WORKERS", "3")
    assert load_settings().workers == 3
    assert load_settings(workers=4).workers == 4
    assert load_settings(workers=None).workers == 3
    assert load_settings(workers=4).omega_m == 0.26


def test_another_file_by_name(tmp_path, monkeypatch):
    (tmp_path / "armillary.toml").write_text("h = 0.5\n")
    (tmp_path / "group.toml").write_text("h = 0.7\n")
    monkeypatch.setenv("ARMILLARY_CONFIG", str(tmp_path / "group.toml"))
    assert load_settings().h == 0.7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wokers = 2\n", "wokers is unknown (known: workers, "),
        ("workers = 0\n", "workers is 0: "),
        ("omega_m = 1.5\n", "omega_m is 1.5: "),
        ("h = 'seventy'\n", "h is 'seventy': "),
        ("executor = 'threads'\n", "executor is 'threads': "),
        ("workers = \n", "is not valid TOML"),
    ],
)
def test_mistake_in_the_file_is_one_sentence(tmp_path, text, expected):
    (tmp_path / "armillary.toml").write_text(text)
    with pytest.raises(OptionError) as caught:
        load_settings()
    assert expected in str(caught.value)
    assert "armillary.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mistake_in_the_environment_names_the_setting(monkeypatch):
    monkeypatch.setenv("ARMILLARY_WORKERS", "many")
    with pytest.raises(OptionError, match="workers is 'many'"):
        load_settings()


def test_missing_named_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ARMILLARY_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(OptionError, match="none.toml, which is not a file"):
        load_settings()


def test_value_out_of_range_that_a_caller_gave_does_not_blame_the_settings():
    with pytest.raises(OptionError) as caught:
        load_settings(omega_m=5.0)
    assert str(caught.value).startswith("omega_m is 5.0: ")
    assert "correct" not in str(caught.value)


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().workers = 5


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_services_take_the_cosmology_of_the_settings(monkeypatch):
    monkeypatch.setenv("ARMILLARY_OMEGA_M", "0.26")
    assert Services.configured().cosmo.omega_m == 0.26
    assert Services.configured(omega_m=0.31).cosmo.omega_m == 0.31


def test_kernel_cache_is_where_the_setting_says(tmp_path):
    assert kernel_cache(tmp_path / "kernels") == tmp_path / "kernels"


def test_no_more_threads_than_the_machine_has():
    assert Services(Settings(workers=1)).workers == 1
    assert Services(Settings(workers=100_000)).workers <= os.cpu_count()


def test_one_worker_is_this_process_and_more_are_processes():
    with Services(Settings()).executor() as executor:
        assert type(executor) is Serial
    services = Services(Settings(workers=100_000))
    with services.executor() as executor:
        assert executor.workers == services.workers
        assert type(executor) is (Processes if services.workers > 1 else Serial)


def test_ray_is_where_the_settings_say():
    with pytest.raises(WorkerError, match="the Ray cluster at nowhere cannot be used"):
        Services(Settings(executor="ray", ray_address="nowhere")).executor()
