"""A run directory keeps what is finished, refuses what is not its own, and leaves nothing behind that is not whole."""

import json
import os
import subprocess

import pytest

from armillary.errors import RunDirectoryError, StorageError
from armillary.model import RunRecord
from armillary.services.provenance import record_from_json, versions
from armillary.services.run_directory import check, differences, open_run

CONFIGURATION = {"methods": ["vide"], "z_max": 0.1, "mask": None}


#: Records of which one part has the wrong kind.
BROKEN = [
    json.dumps({"command": "voids find", "configuration": {}, "inputs": {}, "versions": {"armillary": "1"}, name: [1]})
    for name in ("configuration", "inputs", "versions", "outputs", "counts", "seconds", "excluded")
]


def record(*, digest="ab" * 32, path="galaxies.fits", **changes) -> RunRecord:
    return RunRecord(
        command="voids find", configuration={**CONFIGURATION, **changes}, inputs={path: digest}, versions=versions()
    )


def finished_run(path):
    with open_run(path, record()) as run:
        run.write("vide.fits", lambda file: file.write_text("voids"))
        run.keep(counts={"vide": {"voids": 3}}, resolved={"vide": {"nside": 32}})
        run.finish()
    return path


def content(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_record_on_disk_says_what_is_finished(tmp_path):
    finished_run(tmp_path / "run")
    held = record_from_json((tmp_path / "run" / "run.json").read_text())
    assert held.counts == {"vide": {"voids": 3}}
    assert held.configuration["resolved"] == {"vide": {"nside": 32}}
    assert set(held.outputs) == {"vide.fits"}
    assert held.started
    assert held.finished


def test_same_run_is_resumed(tmp_path):
    finished_run(tmp_path / "run")
    with open_run(tmp_path / "run", record(path="moved/galaxies.fits")) as run:
        assert run.resumed
        assert run.finished
        assert run.has("vide.fits")
        assert not run.has("zobov.fits")


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (record(z_max=0.12), "z_max: 0.1 -> 0.12"),
        (record(mask="vast"), "mask: not set -> vast"),
        (record(methods=["vide", "zobov"]), "methods: vide -> vide,zobov"),
        (record(digest="cd" * 32), "content of galaxies.fits: SHA-256 abababababab... -> cdcdcdcdcdcd..."),
    ],
)
def test_another_configuration_or_input_is_named_and_nothing_is_touched(tmp_path, new, expected):
    before = content(finished_run(tmp_path / "run"))
    with pytest.raises(RunDirectoryError) as caught, open_run(tmp_path / "run", new):
        pass
    assert expected in str(caught.value)
    assert content(tmp_path / "run") == before


def test_another_version_of_armillary_is_another_run():
    old = record()
    new = RunRecord(old.command, old.configuration, old.inputs, {**old.versions, "armillary": "9.9"})
    assert differences(old, new) == [f"armillary: {old.versions['armillary']} -> 9.9"]


def test_equal_runs_have_no_differences():
    assert differences(record(), record()) == []


@pytest.mark.parametrize("name", ["thesis.tex", ".git"])
def test_folder_of_something_else_is_refused(tmp_path, name):
    (tmp_path / name).write_text("keep me")
    with pytest.raises(RunDirectoryError, match="not one of our runs"), open_run(tmp_path, record()):
        pass
    assert content(tmp_path) == {(tmp_path / name).relative_to(tmp_path): b"keep me"}


@pytest.mark.parametrize("text", ["{", "[]", '{"command": "something else"}', '{"name": "my-package"}', *BROKEN])
def test_foreign_record_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunDirectoryError, match="cannot be understood"):
        check(tmp_path, record())


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunDirectoryError, match="is a file"), open_run(tmp_path / "run", record()):
        pass


def test_changed_result_is_not_overwritten(tmp_path):
    finished_run(tmp_path / "run")
    (tmp_path / "run" / "vide.fits").write_text("edited")
    with (
        pytest.raises(RunDirectoryError, match="vide.fits was changed since"),
        open_run(tmp_path / "run", record()) as run,
    ):
        run.has("vide.fits")
    assert (tmp_path / "run" / "vide.fits").read_text() == "edited"


def test_failure_before_the_first_result_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), open_run(tmp_path / "new" / "run", record()):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_leaves_no_parent(tmp_path):
    with pytest.raises(StorageError, match="too long"), open_run(tmp_path / "new" / ("a" * 300), record()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_an_existing_empty_folder_empty(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path, record()):
        raise KeyboardInterrupt
    assert tmp_path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_failure_before_the_first_saved_result_takes_what_was_written_along(tmp_path):
    def interrupted_run():
        with open_run(tmp_path / "run", record()) as run:
            run.write(".unfinished/vide.npz", lambda file: file.write_text("rows"))
            run.write("vide.fits", lambda file: file.write_text("voids"))
            run.record = record()  # as when Ctrl-C comes between the renaming and the noting of a file
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert list(tmp_path.iterdir()) == []


def test_failure_after_a_result_keeps_it(tmp_path):
    def interrupted_run():
        with open_run(tmp_path / "run", record()) as run:
            run.write("vide.fits", lambda file: file.write_text("voids"))
            run.keep()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    with open_run(tmp_path / "run", record()) as run:
        assert run.resumed
        assert not run.finished
        assert run.has("vide.fits")


def test_two_runs_at_once_are_refused(tmp_path):
    with open_run(tmp_path / "run", record()) as run:
        run.write("vide.fits", lambda file: file.write_text("voids"))
        with (
            pytest.raises(RunDirectoryError, match="another process is at work"),
            open_run(tmp_path / "run", record()),
        ):
            pass
        run.keep()
        assert run.has("vide.fits")


def test_unfinished_record_of_a_killed_run_counts_as_ours(tmp_path):
    (tmp_path / ".run.0123456789ab.partial.json").write_text("{")
    with open_run(tmp_path, record()) as run:
        run.finish()
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_intermediate_result_is_removed_with_its_folder(tmp_path):
    with open_run(tmp_path / "run", record()) as run:
        run.write(".unfinished/vide.npz", lambda file: file.write_text("rows"))
        assert run.has(".unfinished/vide.npz")
        run.discard(".unfinished/vide.npz")
        run.finish()
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["run.json"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["outputs"] == {}


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk_is_a_storage_error_and_leaves_nothing(tiny_disk):
    def fill(file):
        file.write_bytes(b"0" * 200_000)

    with pytest.raises(StorageError) as caught, open_run(tiny_disk / "run", record()) as run:
        run.write("vide.fits", fill)
    assert "vide.fits: the disk is full" in str(caught.value)
    assert list(tiny_disk.iterdir()) == []


def test_full_disk_before_the_first_record_leaves_no_folder(tiny_disk):
    (tiny_disk / "ballast").write_bytes(b"0" * 65_536)
    with pytest.raises(StorageError), open_run(tiny_disk / "run", record()):
        pass
    assert [entry.name for entry in tiny_disk.iterdir()] == ["ballast"]
