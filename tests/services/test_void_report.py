import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from armillary.cosmology import Cosmology, sky_to_cartesian
from armillary.model import (
    BoxRegion,
    GalaxyCatalog,
    HealpixMask,
    Holes,
    Membership,
    RunRecord,
    SurveyRegion,
    VoidCatalog,
    Zones,
)
from armillary.plots.map3d import plotly_script
from armillary.services.void_report import render_report, show, write_report

COSMO = Cosmology(0.26)
VOID_TAGS = {"meta", "img", "input", "br", "link"}


class Page(HTMLParser):
    """Elements, addresses and texts of a page; refuses one whose elements do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.images, self.addresses, self.words = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append(tag)
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag == "img":
            self.images.append(attrs)
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(scope="module")
def survey():
    """A catalogue of 600 galaxies, a VoidFinder result with membership, and a REVOLVER result."""
    rng = np.random.default_rng(4)
    n = 600
    galaxies = GalaxyCatalog.from_sky(rng.uniform(150, 210, n), rng.uniform(5, 55, n), rng.uniform(0.05, 0.1, n))
    mask = HealpixMask.from_galaxies(galaxies.ra, galaxies.dec, 8)
    region = SurveyRegion(mask, float(COSMO.comoving_distance(0.05)), float(COSMO.comoving_distance(0.1)))
    xyz = galaxies.positions(COSMO)
    centre = sky_to_cartesian(np.array([165.0, 180, 195]), np.array([20.0, 30, 40]), np.array([200.0, 230, 250]))
    radius = np.array([20.0, 15.0, 12.0])
    gap = np.linalg.norm(xyz[:, None] - centre, axis=2)
    inside = (gap < radius).any(axis=1)
    code = np.where(inside, 1, 0).astype(np.int8)
    code[:5] = 9
    membership = Membership(code, np.ones(n, dtype=bool), np.full(n, -1), (gap / radius).min(axis=1))
    spheres = VoidCatalog(
        "voidfinder", centre, radius, radius * 1.2, np.full(3, 0.1), np.array([0, 1, 2]), {"cell": 5.0}, region, COSMO,
        holes=Holes(centre, radius, np.arange(3)), membership=membership, seconds={"growth": 1.25})
    zone = np.argmin(gap, axis=1)
    zones = Zones(np.arange(3), np.arange(3), np.arange(n), xyz, zone, np.zeros(n, dtype=np.int64),
                  np.zeros(n, dtype=bool), np.zeros(n, dtype=bool))
    cells = VoidCatalog("revolver", centre, radius, radius, np.zeros(3), np.array([1, 1, 0]), {"min_radius": 10.0}, region,
                        COSMO, zones=zones, membership=membership)
    return galaxies, {"revolver": cells, "voidfinder": spheres}


@pytest.fixture(scope="module")
def record():
    counts = {
        "voidfinder": {"voids": 3, "holes": 1297, "edge": {"0": 1, "1": 1, "2": 1}, "median_radius": 15.0,
                       "median_r_eff": 18.0, "max_r_eff": 24.0, "galaxies": 595, "galaxies_in_voids": 50,
                       "void_fraction": 50 / 595, "wall": 540, "field": 55, "seconds": {"growth": 1.25}},
        "revolver": {"voids": 3, "zones": 3, "edge": {"0": 1, "1": 2}, "median_radius": None},
    }
    return RunRecord(
        "voids find", {"methods": ["voidfinder", "revolver"], "omega_m": 0.26, "mask": None}, {"data/galaxies.fits": "ab" * 32},
        {"armillary": "0.1.0", "numpy": "2.0"}, counts=counts, seconds={"read": 0.5, "voidfinder": {"growth": 1.25}},
        excluded={"NaN or infinite": {"count": 7, "rows": [1, 2]}}, started="2026-01-02T03:04:05+00:00")


@pytest.fixture(scope="module")
def text(survey, record):
    return render_report(*survey, record)


def test_the_page_says_what_was_searched_and_found(text):
    page = Page(text)
    for said in (
        "Cosmic voids in galaxies.fits", "VoidFinder 3, REVOLVER 3", "HEALPix, nside 8", "Ω_M = 0.26", "1,297",
        "50 of 595 (8.4\u00a0%)", "540 / 55", "ab" * 32, "armillary 0.1.0", "growth", "2026-01-02T03:04:05",
        "7 rows of the input were left out", "2 of 3 (REVOLVER)", "595 galaxies",
    ):
        assert said in page.text, said


def test_methods_stand_in_their_order_whatever_the_order_given(text):
    page = Page(text).text
    assert page.index("VoidFinder") < page.index("REVOLVER")


def test_every_picture_is_inside_the_page_and_has_a_description(text):
    page = Page(text)
    assert len(page.images) == 6
    assert all(image["src"].startswith("data:image/") for image in page.images)
    assert all(len(image["alt"]) > 20 for image in page.images)


def test_the_page_fetches_nothing(text):
    page = Page(text)
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "link" not in page.elements
    assert text.count(plotly_script()) == 1
    assert re.findall(r"https?://|@import|url\(", text.replace(plotly_script(), "")) == []


def test_links_lead_to_sections_that_exist(text):
    for target in re.findall(r'href="#(\w+)"', text):
        assert f'<section id="{target}">' in text


def test_hostile_names_stay_words(survey, record):
    galaxies, catalogs = survey
    nasty = "<script>alert(1)</script>"
    record = replace(record, inputs={nasty: "0" * 64}, configuration={nasty: nasty}, excluded={nasty: {"count": 1}})
    text = render_report(galaxies, catalogs, record, title=nasty, warnings=[nasty])
    assert nasty not in text
    assert Page(text).text.count("alert(1)") >= 5


def test_a_record_without_figures_still_makes_a_page(survey):
    bare = RunRecord("voids find", {}, {}, {"armillary": "0.1.0"})
    page = Page(render_report(*survey, bare)).text
    assert "Cosmic voids in galaxies" in page
    assert "Median radius" not in page


def test_a_box_without_voids_or_membership_makes_a_page(record):
    none = np.empty(0)
    empty = VoidCatalog("voidfinder", np.empty((0, 3)), none, none, none, none.astype(np.int64),
                        region=BoxRegion((0, 0, 0), (50, 50, 50), periodic=True),
                        holes=Holes(np.empty((0, 3)), none, none.astype(np.int64)))
    galaxies = GalaxyCatalog.from_positions(np.random.default_rng(0).uniform(0, 50, (30, 3)))
    page = Page(render_report(galaxies, {"voidfinder": empty}, replace(record, counts={})))
    assert "No void was found by VoidFinder" in page.text
    assert "periodic box of 50 by 50 by 50 Mpc/h" in page.text


def test_the_same_run_writes_the_same_page(tmp_path, survey, record, text):
    write_report(tmp_path / "report.html", *survey, record)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("value", "words"), [
    (None, "\u2013"), (True, "yes"), (1234567, "1,234,567"), (0.1, "0.1"), (123456.7, "123,457"), (np.float64(1 / 3), "0.3333"),
    ([1, 2.5], "1, 2.5"), ({"a": 1}, "a 1"), ("word", "word"),
])
def test_values_are_written_as_a_person_would(value, words):
    assert show(value) == words
