"""``armillary voids``: what it writes, what it says, and how it is resumed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from armillary.io.desivast import read_desivast
from armillary.io.ply import read_ply
from armillary.services.provenance import sha256

METHODS = ("voidfinder", "vide", "zobov", "revolver")
RESULTS = {*(f"{method}.fits" for method in METHODS), "galaxies.parquet", "report.html", "run.json"}


@pytest.fixture(scope="module")
def box_run(tmp_path_factory, box_file):
    """A finished run of all four methods on the box, and what it printed as JSON."""
    out = tmp_path_factory.mktemp("runs") / "box"
    command = [sys.executable, "-m", "armillary", "voids", "find", str(box_file), "--geometry", "box",
               "--box-size", "80", "--out", str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), done.stderr


def names(folder):
    return {entry.name for entry in folder.iterdir()}


def test_run_writes_everything_and_nothing_else(box_run):
    out, _, stderr = box_run
    assert names(out) == RESULTS
    assert "Traceback" not in stderr


def test_json_agrees_with_the_files(box_run, box_positions):
    out, printed, _ = box_run
    table = pq.read_table(out / "galaxies.parquet")
    assert table.num_rows == len(box_positions)
    for method in METHODS:
        figures = printed[method]
        voids = read_desivast(out / f"{method}.fits")
        assert figures["voids"] == len(voids) > 0
        assert figures["median_radius"] == pytest.approx(np.median(voids.radius))
        assert figures["median_r_eff"] == pytest.approx(np.median(voids.r_eff))
        assert figures["max_r_eff"] == pytest.approx(voids.r_eff.max())
        assert sum(figures["edge"].values()) == len(voids)
        assert figures["edge"]["1"] == np.sum(voids.edge == 1)
        parts = voids.holes if method == "voidfinder" else voids.zones
        assert figures["holes" if method == "voidfinder" else "zones"] == len(parts)
        code, tracer = (table[f"{method}_{name}"].to_numpy() for name in ("code", "tracer"))
        assert figures["galaxies_in_voids"] == np.sum((code == 1) & tracer)
        assert figures["void_fraction"] == pytest.approx(figures["galaxies_in_voids"] / tracer.sum())
        assert figures["seconds"]
        assert all(value >= 0.0 for value in figures["seconds"].values())


def test_planted_voids_are_found(box_run):
    voids = read_desivast(box_run[0] / "voidfinder.fits")
    for centre in ((25.0, 25.0, 25.0), (58.0, 55.0, 30.0), (30.0, 58.0, 60.0)):
        nearest = np.argmin(np.linalg.norm(voids.centre - centre, axis=1))
        assert np.linalg.norm(voids.centre[nearest] - centre) < 5.0
        assert voids.radius[nearest] > 14.0


def test_record_holds_options_digests_versions_counts_and_seconds(box_run, box_file):
    out, printed, _ = box_run
    record = json.loads((out / "run.json").read_text())
    assert record["inputs"] == {str(box_file): sha256(box_file)}
    assert record["configuration"]["methods"] == list(METHODS)
    assert record["configuration"]["box"] == [[0.0] * 3, [80.0] * 3]
    assert record["configuration"]["resolved"]["voidfinder"]["cell"] == 5.0
    assert set(record["outputs"]) == RESULTS - {"run.json"}
    assert all(sha256(out / name) == digest for name, digest in record["outputs"].items())
    assert {"armillary", "python", "numpy", "numba"} <= set(record["versions"])
    assert record["counts"]["vide"] == printed["vide"]
    assert {"read", "write", "report", "wall", *METHODS} <= set(record["seconds"])
    assert record["started"] <= record["finished"]


def test_report_needs_no_network(box_run):
    page = (box_run[0] / "report.html").read_text()
    assert "<script src" not in page
    assert '<link rel="stylesheet" href="http' not in page


def test_finished_run_is_reused(cli, box_run, box_file):
    out, printed, _ = box_run
    before = {name: (out / name).stat().st_mtime_ns for name in RESULTS}
    result = cli("voids", "find", box_file, "--geometry", "box", "--box-size", "0:80", "--out", out, "--json")
    assert result.exit_code == 0
    assert {m: json.loads(result.stdout)[m] for m in METHODS} == {m: printed[m] for m in METHODS}
    assert set(json.loads(result.stdout)["run"]["reused"]) == RESULTS - {"run.json"}
    assert "reused" in result.stderr
    assert {name: (out / name).stat().st_mtime_ns for name in RESULTS} == before


def test_workers_and_printing_are_no_part_of_the_configuration(cli, box_run, box_file):
    result = cli("voids", "find", box_file, "--geometry", "box", "--box-size", "80", "--out", box_run[0], "--workers", 2)
    assert result.exit_code == 0
    assert "revolver" in result.stdout


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (["--box-size", "0:81"], "box: [0.0, 0.0, 0.0],[80.0, 80.0, 80.0] -> [0.0, 0.0, 0.0],[81.0, 81.0, 81.0]"),
        (["--box-size", "80", "--method", "vide"], "methods: voidfinder,vide,zobov,revolver -> vide"),
        (["--box-size", "80", "--drop-invalid"], "drop_invalid: False -> True"),
    ],
)
def test_other_configuration_says_what_differs(cli, box_run, box_file, options, difference):
    result = cli("voids", "find", box_file, "--geometry", "box", "--out", box_run[0], *options)
    assert result.exit_code == 2
    assert difference in result.stderr
    assert names(box_run[0]) == RESULTS


def test_other_input_says_what_differs(cli, box_run, box_positions, tmp_path):
    np.savetxt(tmp_path / "other.txt", box_positions[1:], header="x y z")
    result = cli("voids", "find", "other.txt", "--geometry", "box", "--box-size", 80, "--out", box_run[0])
    assert result.exit_code == 2
    assert "content of" in result.stderr
    assert "SHA-256" in result.stderr


def test_deleted_result_is_made_again(cli, box_file, tmp_path):
    command = ("voids", "find", box_file, "--geometry", "box", "--method", "voidfinder", "--out", tmp_path / "run")
    assert cli(*command).exit_code == 0
    kept = (tmp_path / "run" / "voidfinder.fits").read_bytes()
    (tmp_path / "run" / "galaxies.parquet").unlink()
    assert cli(*command).exit_code == 0
    assert names(tmp_path / "run") == {"voidfinder.fits", "galaxies.parquet", "report.html", "run.json"}
    assert (tmp_path / "run" / "voidfinder.fits").read_bytes() == kept
    assert json.loads((tmp_path / "run" / "run.json").read_text())["finished"]


def test_survey_with_a_mask_from_its_galaxies_names_it(cli, survey_file, tmp_path):
    result = cli("voids", "find", survey_file, "--method", "voidfinder", "--out", tmp_path / "run", "--z-max", 0.055,
                 "--magnitude-limit", -18.5)
    assert result.exit_code == 0
    assert "sky mask built from the galaxies: healpix:" in result.stderr
    header = fits.getheader(tmp_path / "run" / "voidfinder.fits")
    assert header["METHOD"] == "voidfinder"
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["counts"]["voidfinder"]["mask"] == f"healpix:{header['NSIDE']}"
    assert record["counts"]["voidfinder"]["galaxies"] < record["counts"]["galaxies"]


@pytest.mark.parametrize("mask", ["vast", "healpix:8"])
def test_survey_with_a_mask_by_name(cli, survey_file, tmp_path, mask):
    result = cli("voids", "find", survey_file, "--method", "vide", "--mask", mask, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["vide"]["mask"] == mask


def test_invalid_rows_are_left_out_on_request_and_listed(cli, survey_table, tmp_path):
    table = survey_table.copy()
    table["Z"][[3, 40]] = np.nan
    table.write(tmp_path / "holey.fits")
    result = cli("voids", "find", "holey.fits", "--method", "voidfinder", "--out", "run", "--drop-invalid")
    assert result.exit_code == 0
    assert "left out 2 of" in result.stderr
    excluded = json.loads((tmp_path / "run" / "run.json").read_text())["excluded"]
    assert [found["rows"] for found in excluded.values()] == [[3, 40]]
    rows = pq.read_table(tmp_path / "run" / "galaxies.parquet")
    assert rows.num_rows == len(table)
    assert rows["voidfinder_code"].to_pylist()[40] is None


def test_periodic_box(cli, box_file, tmp_path):
    result = cli("voids", "find", box_file, "--geometry", "periodic", "--box-size", 80, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    for method in METHODS:
        assert printed[method]["edge"]["1"] == 0


def test_unlike_column_names(cli, survey_table, tmp_path):
    table = survey_table.copy()
    table.rename_columns(["RA", "DEC", "Z"], ["alpha", "beta", "shift"])
    table.write(tmp_path / "odd.csv")
    result = cli("voids", "find", "odd.csv", "--columns", "ra=ALPHA,dec=beta,z=shift", "--method", "voidfinder", "--out", "run")
    assert result.exit_code == 0


def test_settings_give_the_cosmology_and_options_win(cli, survey_file, tmp_path):
    (tmp_path / "armillary.toml").write_text("omega_m = 0.26\n")
    assert cli("voids", "find", survey_file, "--method", "voidfinder", "--out", "a").exit_code == 0
    assert cli("voids", "find", survey_file, "--method", "voidfinder", "--out", "b", "--omega-m", 0.31).exit_code == 0
    assert fits.getval(tmp_path / "a" / "voidfinder.fits", "OMEGAM") == 0.26
    assert fits.getval(tmp_path / "b" / "voidfinder.fits", "OMEGAM") == 0.31


@pytest.mark.parametrize("extension", ["parquet", "csv", "fits", "ecsv"])
def test_classify_agrees_with_the_run(cli, box_run, box_file, tmp_path, extension):
    out = tmp_path / f"points.{extension}"
    result = cli("voids", "classify", box_file, box_run[0] / "revolver.fits", "--out", out, "--json")
    assert result.exit_code == 0
    expected = pq.read_table(box_run[0] / "galaxies.parquet")["revolver_code"].to_numpy()
    code = pq.read_table(out)["code"].to_numpy() if extension == "parquet" else np.asarray(Table.read(out)["code"])
    assert np.array_equal(code, expected)
    assert json.loads(result.stdout)["counts"]["in a void"] == np.sum(expected == 1)


def test_classify_prints_a_table(cli, box_run, box_file):
    result = cli("voids", "classify", box_file, box_run[0] / "vide.fits")
    assert result.exit_code == 0
    assert "in a void" in result.stdout


@pytest.mark.parametrize("method", ["voidfinder", "vide"])
def test_maps(cli, box_run, tmp_path, method, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    for extension in ("html", "png", "ply"):
        result = cli("voids", "map", box_run[0] / f"{method}.fits", "--out", f"map.{extension}")
        assert result.exit_code == 0, result.stderr
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert "<script src" not in (tmp_path / "map.html").read_text()
    vertices, faces, values = read_ply(tmp_path / "map.ply")
    assert len(faces) > 100
    assert np.isfinite(vertices).all()
    assert set(values["void"]) <= set(range(len(read_desivast(box_run[0] / f"{method}.fits"))))


@pytest.mark.parametrize("options", [[], ["--axis", "x", "--at", "25"], ["--thickness", "4"]])
def test_slices(cli, box_run, box_file, tmp_path, options):
    result = cli("voids", "slice", box_run[0] / "voidfinder.fits", "--galaxies", box_file, "--out", "slice.png", *options)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "slice.png").read_bytes().startswith(b"\x89PNG")
    result = cli("voids", "slice", box_run[0] / "zobov.fits", "--out", "slice.svg", *options)
    assert result.exit_code == 0, result.stderr
    assert "<svg" in (tmp_path / "slice.svg").read_text()


def test_pictures_overwrite_nothing(cli, box_run, tmp_path):
    (tmp_path / "map.png").write_text("mine")
    result = cli("voids", "map", box_run[0] / "vide.fits", "--out", "map.png")
    assert result.exit_code == 2
    assert (tmp_path / "map.png").read_text() == "mine"


def start(out, catalog):
    command = [sys.executable, "-m", "armillary", "voids", "find", str(catalog), "--geometry", "box", "--box-size", "80",
               "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=out.parent)


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)


def test_killed_run_is_resumed_to_the_same_results(cli, box_run, box_file, tmp_path):
    out = tmp_path / "run"
    process = start(out, box_file)
    wait_for(out / "voidfinder.fits", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not json.loads((out / "run.json").read_text())["finished"]
    result = cli("voids", "find", box_file, "--geometry", "box", "--box-size", 80, "--out", out, "--json")
    assert result.exit_code == 0
    assert "resuming" in result.stderr
    assert names(out) == RESULTS
    resumed, whole = ({method: printed[method] for method in METHODS} for printed in (json.loads(result.stdout), box_run[1]))
    for method in METHODS:
        del resumed[method]["seconds"], whole[method]["seconds"]
    assert resumed == whole
    assert pq.read_table(out / "galaxies.parquet").equals(pq.read_table(box_run[0] / "galaxies.parquet"))


def test_ctrl_c_is_one_sentence_and_status_130(cli, box_file, tmp_path):
    out = tmp_path / "run"
    process = start(out, box_file)
    wait_for(out / "voidfinder.fits", process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "armillary: interrupted; run the same command again to go on"
    assert "Traceback" not in stderr
    assert not [entry for entry in out.rglob("*") if ".partial" in entry.name]
    assert cli("voids", "find", box_file, "--geometry", "box", "--box-size", 80, "--out", out).exit_code == 0


def test_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(cli, box_file, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    command = ("voids", "find", box_file, "--geometry", "box", "--box-size", 80, "--method", "voidfinder", "--out", disk / "run")
    try:
        result = cli(*command)
        assert result.exit_code == 2
        assert "report.html: the disk is full" in result.stderr.splitlines()[-1]
        assert names(disk / "run") == {"voidfinder.fits", "galaxies.parquet", "run.json", ".unfinished"}
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        result = cli(*command)
        assert result.exit_code == 0
        assert names(disk / "run") == {"voidfinder.fits", "galaxies.parquet", "run.json", "report.html"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
