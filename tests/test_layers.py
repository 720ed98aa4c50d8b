"""The rooms import each other as the architecture says; the contracts stand in ``pyproject.toml``."""

from importlinter.cli import lint_imports


def test_import_contracts_hold(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    status = lint_imports(config_filename=str(root / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out
