"""The command line itself: it answers at once, prints data and words to different places, and can be asked for help."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import armillary
from armillary.cli.arguments import parse_box, parse_columns
from armillary.cli.console import Commands, show_table, watching
from armillary.errors import OptionError

HEAVY = ("numpy", "scipy", "astropy", "numba", "matplotlib", "plotly", "pyarrow", "skimage", "pydantic_settings")


@pytest.mark.parametrize("command", ["--help", "--version", "voids --help", "voids find --help", "mock survey --help"])
def test_help_imports_nothing_heavy(command):
    program = (
        "import sys\nfrom armillary.cli import main\n"
        f"try:\n    main({command.split()})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_version(cli):
    assert cli("--version").stdout == f"armillary {armillary.__version__}\n"


def test_run_as_a_module():
    done = subprocess.run([sys.executable, "-m", "armillary", "--version"], capture_output=True, text=True)
    assert done.stdout == f"armillary {armillary.__version__}\n"


def test_unknown_command_is_one_sentence(cli):
    result = cli("voids", "fnd")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "armillary voids --help" in result.stderr


def test_no_command_shows_help(cli):
    result = cli("voids")
    assert "find" in result.output
    assert "classify" in result.output


def test_settings_mistake_is_one_sentence(cli, tmp_path):
    (tmp_path / "armillary.toml").write_text("workers = 'all'\n")
    result = cli("voids", "find", "x.fits", "--out", "run")
    assert result.exit_code == 2
    assert result.stderr.startswith("armillary: settings cannot be used: workers is 'all'")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100", (0, 0, 0), (100, 100, 100)),
        ("100,90,80", (0, 0, 0), (100, 90, 80)),
        ("-50:50", (-50, -50, -50), (50, 50, 50)),
        ("-50:50,0:10,20", (-50, 0, 0), (50, 10, 20)),
    ],
)
def test_boxes(text, low, high):
    box = parse_box(text, periodic=True)
    assert (box.low, box.high, box.periodic) == (low, high, True)


@pytest.mark.parametrize("text", ["", "1,2", "a", "1:b", "1:2:3", "0", "5:1", "nan", "1,2,3,4"])
def test_what_is_no_box(text):
    with pytest.raises(OptionError):
        parse_box(text)


def test_columns():
    assert parse_columns("RA=alpha, dec = DE ,z=Z") == {"ra": "alpha", "dec": "DE", "z": "Z"}
    assert parse_columns(None) == {}


@pytest.mark.parametrize("text", ["ra", "ra=", "=RA", "ra=A,RA=B"])
def test_what_are_no_columns(text):
    with pytest.raises(OptionError):
        parse_columns(text)


def test_table_is_whole_in_a_pipe(capsys):
    show_table("Title", ["name", "a long heading " * 5, "n"], [["x" * 60, 1234567, None]])
    printed = capsys.readouterr().out
    assert "x" * 60 in printed
    assert "1,234,567" in printed


@pytest.mark.parametrize("shown", [True, False])
def test_words_and_progress_go_to_stderr_and_bars_only_when_wanted(capsys, shown):
    with watching(shown) as (progress, say):
        progress("growth", 0.5)
        say("a [bracketed] word,\non two lines")
        progress("growth", 1.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "armillary: a [bracketed] word, on two lines\n" in captured.err
    assert ("growth" in captured.err) == shown


def test_mock_survey_is_a_catalogue_a_mask_and_a_truth(cli, tmp_path):
    from armillary.io.fits_tables import find_table, open_fits
    from armillary.io.galaxies import read_galaxies
    from armillary.io.sky_masks import read_sky_mask

    result = cli("mock", "survey", "--out", "mock.fits", "--galaxies", 1500, "--seed", 3, "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    galaxies, _ = read_galaxies(tmp_path / "mock.fits")
    assert printed["galaxies"] == len(galaxies)
    assert 500 < len(galaxies) < 4500
    assert galaxies.absolute_magnitude.max() <= printed["magnitude_limit"]
    assert read_sky_mask(tmp_path / "mock.fits").contains(galaxies.ra, galaxies.dec).all()
    with open_fits(tmp_path / "mock.fits") as hdus:
        planted = find_table(hdus, "PLANTED").data
    assert len(planted) == printed["planted_voids"]
    assert (planted["RADIUS"] > 0).all()


def test_mock_survey_repeats_itself(cli, tmp_path):
    from armillary.io.galaxies import read_galaxies

    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert cli("mock", "survey", "--out", f"{name}.fits", "--galaxies", 500, "--seed", seed).exit_code == 0
    a, b, c = (read_galaxies(tmp_path / f"{name}.fits")[0] for name in "abc")
    assert np.array_equal(a.z, b.z)
    assert not np.array_equal(a.z, c.z)


def test_flux_limited_mock_survey_has_fainter_galaxies(cli, tmp_path):
    from armillary.io.galaxies import read_galaxies

    assert cli("mock", "survey", "--out", "all.fits", "--galaxies", 1000, "--sample", "flux-limited", "--json").exit_code == 0
    galaxies, _ = read_galaxies(tmp_path / "all.fits")
    assert galaxies.absolute_magnitude.max() > -19.0


def refused(error):
    """Exit status of a command that raises ``error``, as the root command ends it."""
    def raise_it():
        raise error

    app = typer.Typer(cls=Commands)
    app.command("other")(lambda: None)
    app.command("fail")(raise_it)
    return CliRunner().invoke(app, ["fail"])


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (MemoryError("112 GiB"), 2, "armillary: not enough memory (112 GiB)"),
        (PermissionError(13, "Permission denied", "a/b"), 2, "armillary: cannot use a/b: Permission denied"),
        (OSError(28, "No space left on device"), 2, "armillary: cannot write: No space left on device"),
        (KeyboardInterrupt(), 130, "armillary: interrupted"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(error, status, sentence):
    result = refused(error)
    assert result.exit_code == status
    assert result.stderr.startswith(sentence)
    assert len(result.stderr.splitlines()) == 1


def test_interrupt_while_the_command_loads_is_one_sentence(tmp_path):
    """A library on the way interrupts the process as it is imported."""
    (tmp_path / "typer.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    done = subprocess.run(
        [sys.executable, "-m", "armillary", "--help"], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr == "armillary: interrupted\n"


def test_reader_that_has_gone_is_no_error(tmp_path):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "armillary", "mock", "survey", "--galaxies", "300", "--out", "m.fits", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == ""
    assert (tmp_path / "m.fits").is_file()
