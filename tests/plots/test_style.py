import base64
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from armillary.model.voids import METHODS
from armillary.plots.style import (
    EDGE_NAMES,
    METHOD_COLOURS,
    METHOD_NAMES,
    data_uri,
    edge_colour,
    figure_bytes,
    new_figure,
    tint,
)

#: What red-green blind eyes see (Vienot, Brettel & Mollon 1999), as matrices on linear RGB.
BLINDNESS = {
    "deuteranopia": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
    "protanopia": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
}


def test_every_method_has_a_colour_and_a_name():
    assert set(METHOD_COLOURS) == set(METHOD_NAMES) == set(METHODS)


@pytest.mark.parametrize("kind", BLINDNESS)
def test_methods_stay_apart_for_red_green_blind_eyes(kind):
    colours = np.array([to_rgb(METHOD_COLOURS[method]) for method in METHODS]) ** 2.2
    seen = np.clip(colours @ BLINDNESS[kind].T, 0, 1) ** (1 / 2.2)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)[np.triu_indices(len(METHODS), 1)]
    assert apart.min() > 0.25


def test_edge_voids_are_paler_than_interior_ones():
    for method in METHODS:
        light = [sum(to_rgb(edge_colour(method, edge))) for edge in (0, 2, 1)]
        assert light == sorted(light)
        assert len(set(light)) == 3
    assert set(EDGE_NAMES) == {0, 1, 2}


def test_a_tint_runs_from_the_colour_to_the_paper():
    assert tint("#102030", 0.0) == "#102030"
    assert tint("#102030", 1.0) == "#ffffff"


def test_a_figure_is_the_same_file_every_time():
    def draw(kind):
        figure = new_figure(2, 2)
        figure.add_subplot().plot([0, 1], [1, 0])
        return figure_bytes(figure, kind)

    assert draw("svg") == draw("svg")
    assert draw("png") == draw("png")


def test_a_data_address_holds_the_file():
    figure = new_figure(1, 1)
    head, _, body = data_uri(figure, "png").partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body).startswith(b"\x89PNG")
    assert base64.b64decode(data_uri(figure).partition(",")[2]).lstrip().startswith(b"<?xml")


def test_no_picture_touches_pyplot():
    code = (
        "import sys, armillary.plots.voids, armillary.plots.still, armillary.plots.map3d; "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_room_itself_is_light():
    code = "import sys, armillary.plots; sys.exit(bool({'matplotlib', 'plotly', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
