"""Style, types and the things that a reader of the project stumbles over."""

import re
import subprocess
import sys

import pytest

import armillary


def run(root, *arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing(root):
    run(root, "ruff", "check", "--no-cache")


@pytest.mark.slow
def test_mypy_finds_nothing(root):
    run(root, "mypy")


def test_constraints_pin_exact_versions_and_name_no_place(root):
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[0-9][^\s;@/]*", line)] == []


def test_every_dependency_is_pinned(root):
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *(row for extra in project["optional-dependencies"].values() for row in extra)]
    names = {re.match(r"[A-Za-z0-9._-]+", row).group().lower() for row in named}
    pinned = {line.partition("==")[0] for line in (root / "constraints.txt").read_text().splitlines()}
    assert names - pinned == set()


def test_citation_and_changelog_name_this_version(root):
    assert f"\nversion: {armillary.__version__}\n" in (root / "CITATION.cff").read_text()
    assert f"\n## {armillary.__version__} " in (root / "CHANGELOG.md").read_text()


def test_readme_names_its_two_commands(root):
    readme = (root / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme
