import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.errors import InputError
from armillary.plots.map3d import map_content, map_fragment, map_html, plotly_script, void_map
from armillary.voids.surface import Surface


class Links(HTMLParser):
    """Every address that the page would load."""

    def __init__(self):
        super().__init__()
        self.found, self.elements = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.found += [value for name, value in attrs if name in {"src", "href", "data", "poster", "srcset"}]


def links(page):
    parser = Links()
    parser.feed(page)
    return parser


def meshes(figure):
    return [trace for trace in figure.data if trace.type == "mesh3d"]


def test_one_mesh_for_each_method_and_edge_flag(catalogs, surfaces):
    figure = void_map(catalogs, surfaces)
    keys = [(trace.meta["method"], trace.meta["edge"]) for trace in meshes(figure)]
    assert keys == [("voidfinder", 0), ("voidfinder", 2), ("voidfinder", 1), ("vide", 0)]
    assert sum(len(trace.i) for trace in meshes(figure)) == sum(len(surface) for surface in surfaces.values())
    assert meshes(figure)[0].name == "interior (2)"


def test_each_corner_knows_its_void_and_size(catalogs, surfaces):
    for trace in meshes(void_map(catalogs, surfaces)):
        catalog = catalogs[trace.meta["method"]]
        void = trace.customdata[:, 0].astype(int)
        assert set(catalog.edge[void]) == {trace.meta["edge"]}
        assert trace.customdata[:, 1] == pytest.approx(catalog.r_eff[void], abs=0.01)
        corner = np.column_stack([trace.x, trace.y, trace.z])
        assert (np.linalg.norm(corner - catalog.centre[void], axis=1) < 3 * catalog.r_eff[void]).all()
        assert "R_eff" in trace.hovertemplate


def test_only_the_first_method_is_visible_unless_another_is_asked_for(catalogs, surfaces):
    assert [trace.visible for trace in meshes(void_map(catalogs, surfaces))] == [True] * 3 + ["legendonly"]
    other = void_map(catalogs, surfaces, shown="vide")
    assert [trace.visible for trace in meshes(other)] == ["legendonly"] * 3 + [True]


def test_a_large_sample_is_thinned_and_says_so(catalogs, surfaces, galaxies_xyz):
    def cloud(**options):
        figure = void_map(catalogs, surfaces, galaxies_xyz, **options)
        return next(trace for trace in figure.data if trace.meta["method"] == "galaxies")

    assert cloud().name == "400 galaxies"
    thin = cloud(max_galaxies=50)
    assert (len(thin.x), thin.name) == (50, "a random 50 of 400 galaxies")
    assert np.array_equal(thin.x, cloud(max_galaxies=50).x)
    assert not np.array_equal(thin.x, cloud(max_galaxies=50, rng=np.random.default_rng(1)).x)
    assert np.isin(thin.x, galaxies_xyz[:, 0].astype(np.float32)).all()


def test_a_box_has_a_frame_and_a_survey_an_observer(catalogs, surfaces):
    assert void_map(catalogs, surfaces).data[-1].name == "box"
    sky = {"vide": replace(catalogs["vide"], region=None, cosmo=Cosmology())}
    assert void_map(sky, surfaces).data[-1].name == "observer"


def test_face_indices_are_as_small_as_they_can_be(catalogs, surfaces):
    assert {trace.i.dtype for trace in meshes(void_map(catalogs, surfaces))} == {np.dtype(np.uint16)}
    many = 70_000
    strip = np.arange(many)[:, None] + [0, 1, 2]
    surface = Surface(np.zeros((many + 2, 3)), strip, np.zeros(many, dtype=np.int64))
    (large,) = meshes(void_map({"vide": catalogs["vide"]}, {"vide": surface}))
    assert large.i.dtype == np.uint32
    assert large.k.max() == many + 1


def test_a_surface_must_know_its_voids(catalogs, surfaces):
    with pytest.raises(InputError, match="for vide"):
        void_map(catalogs, {"voidfinder": surfaces["voidfinder"]})
    bare = Surface(surfaces["vide"].vertices, surfaces["vide"].faces)
    with pytest.raises(InputError, match="face_void"):
        void_map(catalogs, {**surfaces, "vide": bare})


def test_the_page_loads_nothing_and_carries_the_library_once(catalogs, surfaces, galaxies_xyz):
    page = map_html(void_map(catalogs, surfaces, galaxies_xyz), "Voids")
    assert links(page).found == []
    assert "link" not in links(page).elements
    assert page.count(plotly_script()) == 1
    own = page.replace(plotly_script(), "")
    assert re.findall(r"https?://|@import|url\(|//cdn", own) == []


def test_titles_and_data_cannot_break_out_of_the_page(catalogs, surfaces):
    page = map_html(void_map(catalogs, surfaces), "<script>alert('x')</script>")
    assert "<script>alert" not in page.replace(plotly_script(), "")
    assert "&lt;script&gt;alert" in page
    figure = void_map(catalogs, surfaces)
    figure.data[0].name = "</script><b>"
    assert "</script><b>" not in map_fragment(figure)


def test_the_content_and_the_figure_make_the_same_block(catalogs, surfaces, galaxies_xyz):
    def drawn(figure):
        content = json.loads(re.search(r"var figure = (\{.*\});\n", map_fragment(figure)).group(1))
        content["layout"].pop("template")  # plotly fills in an empty one
        return content

    content = map_content(catalogs, surfaces, galaxies_xyz)
    assert drawn(content) == drawn(void_map(catalogs, surfaces, galaxies_xyz))
    assert map_fragment({**content, "data": content["data"][:1]}).count('"bdata"') == 7


def test_the_library_is_that_of_plotly():
    from plotly.offline import get_plotlyjs

    assert plotly_script() == f"<script>{get_plotlyjs()}</script>"


def test_the_block_offers_every_method_and_edge_flag(catalogs, surfaces, galaxies_xyz):
    block = map_fragment(void_map(catalogs, surfaces, galaxies_xyz), element="one")
    assert re.findall(r'data-method="(\w+)"( checked)?', block) == [
        ("voidfinder", " checked"), ("vide", ""), ("galaxies", " checked"), ("frame", " checked")]
    assert re.findall(r'data-edge="(\d)" checked', block) == ["0", "2", "1"]
    assert 'id="one"' in block


def test_coordinates_arrive_in_the_page_as_they_were(catalogs, surfaces):
    figure = void_map(catalogs, surfaces)
    block = map_fragment(figure)
    drawn = json.loads(re.search(r"var figure = (\{.*\});\n", block).group(1).replace("\\u003c", "<"))
    first = drawn["data"][0]["x"]
    assert first["dtype"] == "f4"
    assert np.array_equal(np.frombuffer(base64.b64decode(first["bdata"]), np.float32), figure.data[0].x)
    assert drawn["data"][0]["i"]["dtype"] == "u2"
    assert drawn["data"][0]["meta"] == {"method": "voidfinder", "edge": 0}
