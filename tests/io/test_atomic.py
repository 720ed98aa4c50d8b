"""A file appears whole or not at all."""

import errno
import os
import resource

import numpy as np
import pytest

from armillary.errors import StorageError
from armillary.io.atomic import atomic_path, remove_leftovers
from armillary.io.ply import write_ply


def names(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_success_replaces_the_old_file(tmp_path):
    path = tmp_path / "voids.fits"
    path.write_text("old")
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".fits"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["voids.fits"]


def test_new_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "atomic") as temporary:
        temporary.touch()
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("a bug")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "report.html"
    path.write_text("old")

    def interrupted():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(type(failure)):
        interrupted()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.html"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_said_in_words(tmp_path, code):
    def full():
        with atomic_path(tmp_path / "out.parquet") as temporary:
            temporary.write_text("half")
            raise OSError(code, os.strerror(code))

    with pytest.raises(StorageError, match=r"out\.parquet: the disk is full .* make room"):
        full()
    assert names(tmp_path) == []


@pytest.fixture
def small_files():
    """No file may grow past 4 kB, as on a disk that fills up while a file is written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_write_that_stops_half_way_leaves_nothing(tmp_path):
    with pytest.raises(StorageError, match="full"):
        write_ply(np.zeros((10_000, 3)), np.zeros((0, 3), dtype=int), tmp_path / "big.ply")
    assert names(tmp_path) == []


def test_missing_directory_and_directory_in_the_way(tmp_path):
    with (
        pytest.raises(StorageError, match="there is no directory"),
        atomic_path(tmp_path / "nowhere" / "x.json") as temporary,
    ):
        temporary.touch()
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="there is no directory"), atomic_path(tmp_path / "file" / "x") as temporary:
        temporary.touch()
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="it is a directory"), atomic_path(tmp_path / "taken") as temporary:
        temporary.touch()
    assert names(tmp_path) == ["file", "taken"]


def test_leftovers_of_a_killed_writer_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "deep").mkdir()
    keep = [tmp_path / "voids.fits", tmp_path / ".hidden", tmp_path / "a.partial", tmp_path / ".partial.txt"]
    for path in keep:
        path.touch()
    with atomic_path(tmp_path / "voids.fits") as temporary:
        temporary.touch()
        left = [tmp_path / temporary.name, tmp_path / "deep" / temporary.name]
    for path in left:
        path.touch()
    remove_leftovers(tmp_path)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in keep)


def test_refusal_within_a_temporary_path_names_the_file_that_is_wanted(tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*/voids\.fits: the disk is full"), \
            atomic_path(tmp_path / "voids.fits") as outer, atomic_path(outer):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
