"""The documentation builds without a warning, and nothing that a user can say is missing from it."""

import re
import subprocess
import sys

import pytest


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    """The built pages, with their pictures drawn anew."""
    run(sys.executable, root / "docs" / "make_pictures.py", root / "docs" / "pictures")
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--keep-going", "--quiet",
        "--doctree-dir", folder / "doctrees", root / "docs", folder / "html")
    return folder / "html"


@pytest.mark.slow
def test_every_picture_is_in_a_page(site, root):
    drawn = {path.name for path in (root / "docs" / "pictures").glob("*.png")}
    shown = {path.name for path in (site / "_images").glob("*.png")}
    assert drawn
    assert drawn - shown == set()


@pytest.mark.slow
def test_every_command_and_option_is_documented(site):
    import typer.main

    from armillary.cli.root import app

    page = re.sub(r"<[^>]+>", "", (site / "reference" / "cli.html").read_text())

    def check(command, path):
        for name, child in getattr(command, "commands", {}).items():
            check(child, f"{path} {name}")
        if not getattr(command, "commands", None):
            assert path in page
            assert command.help, f"{path} has no help text"
            for parameter in command.params:
                if parameter.name != "help" and parameter.param_type_name == "option":
                    assert parameter.opts[0] in page
                    assert parameter.help, f"{path} {parameter.opts[0]} has no help text"

    check(typer.main.get_command(app), "armillary")


@pytest.mark.slow
def test_every_setting_is_documented(site):
    from armillary.config import Settings

    page = re.sub(r"<[^>]+>", "", (site / "reference" / "settings.html").read_text())
    for name, field in Settings.model_fields.items():
        assert f"ARMILLARY_{name.upper()}" in page
        assert field.description, f"the setting {name} has no description"


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site):
    loaded = re.compile(r"""<(?:script|img|link)\b[^>]*?\b(?:src|href)=["'](https?:)?//[^"']*["']""")
    offenders = {
        f"{page.name}: {match.group()}"
        for page in site.rglob("*.html")
        for match in loaded.finditer(page.read_text())
        if 'rel="canonical"' not in match.group()
    }
    assert offenders == set()
