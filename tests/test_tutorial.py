"""The tutorial does what it says: its commands and its Python run, in order, in an empty directory."""

import re
import shlex
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_tutorial_does_what_it_says(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tutorial = (root / "docs" / "tutorial" / "voids.md").read_text()
    names: dict[str, object] = {}
    pieces = re.findall(r"```(console|python)\n(.*?)```", tutorial, re.DOTALL)
    assert {kind for kind, _ in pieces} == {"console", "python"}
    for kind, text in pieces:
        if kind == "python":
            exec(text, names)
            continue
        for line in text.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "))
            if "runs/demo" in line:
                command = [sys.executable, "-m", "armillary"] if program == "armillary" else [program]
                done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_tessellation_page_does_what_it_says(root):
    page = (root / "docs" / "tessellation.md").read_text()
    names: dict[str, object] = {}
    pieces = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(pieces) == 3
    for text in pieces:
        exec(text, names)
