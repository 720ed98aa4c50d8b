"""Finding voids as a call: it prints nothing, reports its progress, and its request is checked before anything runs."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.errors import CoordinateError, OptionError
from armillary.io.desivast import read_desivast
from armillary.model import BoxRegion
from armillary.model.voids import METHODS
from armillary.services.kernels import kernels_are_compiled
from armillary.services.provenance import jsonable, to_json
from armillary.services.voids import FindVoids, _check_period, find_voids


@pytest.fixture(scope="module")
def box_file(tmp_path_factory):
    """2,000 or so positions in [0, 60]^3 Mpc/h around one empty sphere of 18 Mpc/h in the middle."""
    xyz = np.random.default_rng(2).uniform(0.0, 60.0, (2000, 3))
    path = tmp_path_factory.mktemp("box") / "box.csv"
    xyz = xyz[np.linalg.norm(xyz - 30.0, axis=1) > 18.0]
    np.savetxt(path, xyz, delimiter=",", header="X,Y,Z", comments="")
    return path


def request(box_file, out, **changes):
    options = {"methods": ("voidfinder",), "geometry": "box", "box": BoxRegion((0.0,) * 3, (60.0,) * 3)}
    return FindVoids(box_file, out, **(options | changes))


@pytest.fixture(scope="module")
def found(box_file, tmp_path_factory):
    """A finished run of VoidFinder."""
    return find_voids(request(box_file, tmp_path_factory.mktemp("runs") / "run"))


def test_call_prints_nothing_and_reports_stages_to_their_end(box_file, tmp_path, capfd):
    fractions: dict[str, list[float]] = {}
    sentences = []
    result = find_voids(
        request(box_file, tmp_path / "run"), say=sentences.append,
        progress=lambda stage, fraction: fractions.setdefault(stage, []).append(fraction),
    )
    assert capfd.readouterr() == ("", "")
    assert {"read", "write", "report", "VoidFinder: tessellation", "VoidFinder: growth"} <= set(fractions)
    for stage, reported in fractions.items():
        assert reported == sorted(reported), stage
        assert (reported[0], reported[-1]) == (0.0, 1.0), stage
    assert all("\n" not in sentence for sentence in sentences)
    assert result.report == tmp_path / "run" / "report.html"
    assert result.methods["voidfinder"]["max_r_eff"] > 17.0


def test_one_void_is_where_it_was_planted(found):
    voids = read_desivast(found.out / "voidfinder.fits")
    largest = np.argmax(voids.radius)
    np.testing.assert_allclose(voids.centre[largest], 30.0, atol=3.0)


def test_figures_are_json(found):
    figures = json.loads(to_json(found.figures()))
    assert figures["voidfinder"] == found.methods["voidfinder"]
    assert figures["run"]["out"] == str(found.out)
    assert figures["run"]["galaxies"] == figures["run"]["rows"] > 1500


def test_number_of_workers_changes_no_result(box_file, tmp_path):
    one = find_voids(request(box_file, tmp_path / "one", methods=METHODS))
    two = find_voids(request(box_file, tmp_path / "two", methods=METHODS), workers=2)
    for method in METHODS:
        assert {**one.methods[method], "seconds": None} == {**two.methods[method], "seconds": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"methods": ()}, "void methods are"),
        ({"methods": ("zoboz",)}, "zoboz"),
        ({"geometry": "torus"}, "torus"),
        ({"geometry": "survey"}, "box size was given for a survey"),
        ({"geometry": "periodic", "box": None}, "periodic box needs its size"),
        ({"z_max": 0.1}, "--z-max was given for a box"),
        ({"mask": "vast"}, "--mask was given for a box"),
        ({"magnitude_limit": np.nan}, "--magnitude-limit is nan"),
    ],
)
def test_contradictory_request_is_refused(box_file, tmp_path, changes, expected):
    with pytest.raises(OptionError, match=expected):
        request(box_file, tmp_path, **changes)


def test_configuration_names_every_option_that_changes_a_result(box_file, tmp_path):
    configuration = request(box_file, tmp_path, cosmo=Cosmology(0.26, 0.7)).configuration()
    fields = set(FindVoids.__dataclass_fields__) - {"catalog", "out", "cosmo"} | {"omega_m", "h"}
    assert set(configuration) == fields
    assert (configuration["omega_m"], configuration["h"]) == (0.26, 0.7)


@pytest.mark.usefixtures("found")
def test_kernels_that_ran_are_known_to_be_compiled():
    assert kernels_are_compiled("armillary.voids")


def test_numbers_that_json_lacks_become_null():
    value = {"a": np.float32("nan"), "b": np.array([1.0, np.inf]), 3: (np.int64(4), None, True)}
    assert jsonable(value) == {"a": None, "b": [1.0, None], "3": [4, None, True]}


def test_galaxies_outside_the_box_are_told(box_file, tmp_path):
    sentences = []
    find_voids(request(box_file, tmp_path / "run", box=BoxRegion((0.0,) * 3, (60.0, 60.0, 45.0))), say=sentences.append)
    outside = np.sum(np.loadtxt(box_file, delimiter=",", skiprows=1)[:, 2] > 45.0)
    assert f"{outside} galaxies lie outside the box and trace no voids" in sentences


@pytest.mark.parametrize("side", [40.5, 60.0])
def test_periodic_positions_may_lead_out_of_the_box_by_less_than_half_a_side(box_file, side):
    xyz = np.loadtxt(box_file, delimiter=",", skiprows=1)
    _check_period(xyz, BoxRegion((0.0,) * 3, (side,) * 3), box_file)
    with pytest.raises(CoordinateError, match="periodic box has a side of 30"):
        _check_period(xyz, BoxRegion((0.0,) * 3, (30.0,) * 3), box_file)


def test_text_that_is_no_unicode_becomes_json():
    assert json.loads(to_json({"path": Path(os.fsdecode(b"a\xff"))})) == {"path": "a\\udcff"}
