"""The report of a void run: one page with the sample, the counts, pictures, a map to turn, and where it all came from.

The page is self-contained: styles, figures and the plotting library are inside it, and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from armillary.model import (
    BoxRegion,
    GalaxyCatalog,
    HealpixMask,
    MembershipCode,
    Region,
    RunRecord,
    SurveyRegion,
    VoidCatalog,
)
from armillary.model.voids import METHODS
from armillary.plots.map3d import MAP_STYLE, map_content, map_fragment, plotly_script
from armillary.plots.still import plot_void_map
from armillary.plots.style import METHOD_COLOURS, METHOD_NAMES, data_uri
from armillary.plots.voids import plot_radius_distribution, plot_redshift_distribution, plot_sky, plot_slice
from armillary.services.provenance import jsonable
from armillary.voids.cuts import Cut
from armillary.voids.slices import middle_cut, slice_each
from armillary.voids.surface import outline_surface

#: Stands where a method has no such figure.
_NOTHING = "\u2013"

#: How finely the map draws each method: vertices for all its voids together.
_VERTICES = {"voidfinder": 90_000, "vide": 30_000, "zobov": 30_000, "revolver": 30_000}


@dataclass(frozen=True)
class Picture:
    """A figure inside the page: its data address, what it shows (for those who cannot see it), and a caption."""

    source: str
    alt: str
    caption: str


def render_report(
    galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog], record: RunRecord, *, title: str | None = None,
    warnings: Sequence[str] = (), cut: Cut | None = None, max_galaxies: int = 20_000,
) -> str:
    """The report as an HTML page.

    Parameters
    ----------
    galaxies : the catalogue that the voids were found in.
    catalogs : the voids of each method.
    record : options, digests, versions and seconds; ``counts`` holds the figures of each method by its name. What is
        missing from it is left out of the page.
    title : heading; the name of the input when None.
    warnings : sentences to show near the top, besides those that follow from the data.
    cut : the surface of the slices; the middle of the sample when None.
    max_galaxies : most galaxies that the map draws.
    """
    catalogs = {method: catalogs[method] for method in METHODS if method in catalogs}
    xyz = _positions(galaxies, catalogs)
    searched = _searched(len(galaxies), catalogs)
    title = title or f"Cosmic voids in {_input_name(galaxies, record)}"
    surfaces = {
        method: outline_surface(catalog, _drawn(catalog), max_vertices=_VERTICES[method])
        for method, catalog in catalogs.items()
    }
    content = map_content(catalogs, surfaces, xyz[searched], max_galaxies=max_galaxies)
    first = next(iter(catalogs), None)
    rng = np.random.default_rng(0)
    few = np.flatnonzero(searched)
    few = few if len(few) <= max_galaxies else np.sort(rng.choice(few, max_galaxies, replace=False))
    page = {
        "title": title,
        "record": record,
        "lead": _lead(galaxies, catalogs),
        "facts": _facts(galaxies, catalogs),
        "warnings": [*warnings, *_warnings(catalogs, record)],
        "methods": [(method, METHOD_NAMES[method], METHOD_COLOURS[method]) for method in catalogs],
        "rows": _table(catalogs, record),
        "sizes": _radius_picture(catalogs),
        "wide_slices": _region(catalogs) is None or isinstance(_region(catalogs), SurveyRegion),
        "slices": _slice_pictures(catalogs, xyz, searched, cut),
        "sample": _sample_pictures(galaxies, catalogs, searched),
        "still": None if first is None else Picture(
            data_uri(_figure(plot_void_map(catalogs[first], surfaces[first], xyz[few])), "png", dpi=110),
            f"Voids of {METHOD_NAMES[first]} in space", "",
        ),
        "map": Markup(map_fragment(content)),
        "plotly": Markup(plotly_script()),
        "map_style": Markup(MAP_STYLE),
        "drawn": next((trace["name"] for trace in content["data"] if trace["meta"]["method"] == "galaxies"), ""),
        "parameters": _parameters(catalogs),
        "options": _flat(record.configuration),
        "seconds": _flat(record.seconds),
    }
    return _environment().get_template("void_report.html.j2").render(page)


def write_report(path: Path, galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog], record: RunRecord) -> None:
    """Write :func:`render_report` to ``path`` as UTF-8."""
    path.write_text(render_report(galaxies, catalogs, record), encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("armillary.services"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show"] = show
    return environment


def show(value: Any) -> str:
    """A value as a person writes it: thousands separated, no needless digits, a dash for nothing."""
    if value is None:
        return _NOTHING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{float(value):,.0f}" if abs(float(value)) >= 1e4 else f"{float(value):.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {show(item)}" for key, item in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(show(item) for item in value)
    return str(value)


def _positions(galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog]) -> NDArray[np.float64]:
    cosmo = next((catalog.cosmo for catalog in catalogs.values() if catalog.cosmo is not None), None)
    return galaxies.positions(cosmo)


def _searched(n: int, catalogs: Mapping[str, VoidCatalog]) -> NDArray[np.bool_]:
    """(n,) True for galaxies inside the region of any method."""
    known = [catalog.membership for catalog in catalogs.values() if catalog.membership is not None]
    known = [membership for membership in known if len(membership) == n]
    if not known:
        return np.ones(n, dtype=bool)
    return np.any([membership.code != MembershipCode.OUTSIDE for membership in known], axis=0)


def _drawn(catalog: VoidCatalog) -> NDArray[np.int64]:
    """The voids that the map shows: all but the watershed void that takes every zone, which would hide the others."""
    voids = np.arange(len(catalog))
    return voids[voids != catalog.parameters.get("root_void", -1)]


def _input_name(galaxies: GalaxyCatalog, record: RunRecord) -> str:
    return str(jsonable(PurePath(next(iter(record.inputs), galaxies.name)).name))


def _region(catalogs: Mapping[str, VoidCatalog]) -> Region | None:
    return next((catalog.region for catalog in catalogs.values() if catalog.region is not None), None)


def _lead(galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog]) -> str:
    found = [f"{METHOD_NAMES[method]} {len(catalog):,}" for method, catalog in catalogs.items()]
    where = "in a simulation box"
    if galaxies.z is not None and len(galaxies):
        where = f"between redshift {float(galaxies.z.min()):.4g} and {float(galaxies.z.max()):.4g}"
    return f"{len(galaxies):,} galaxies {where} were searched for voids. Voids found: {', '.join(found) or 'none'}."


def _facts(galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog]) -> list[tuple[str, str]]:
    """The sample in a few lines: name and value."""
    facts = [("Galaxies in the catalogue", f"{len(galaxies):,}")]
    if galaxies.z is not None and len(galaxies):
        facts.append(("Redshifts", f"{float(galaxies.z.min()):.5g} to {float(galaxies.z.max()):.5g}"))
    tracers = {METHOD_NAMES[m]: int(c.membership.tracer.sum()) for m, c in catalogs.items() if c.membership is not None}
    if tracers:
        same = len(set(tracers.values())) == 1
        each = f"{next(iter(tracers.values())):,}" if same else ", ".join(f"{k} {v:,}" for k, v in tracers.items())
        facts.append(("Tracers (galaxies the voids were found with)", each))
    cosmo = next((c.cosmo for c in catalogs.values() if c.cosmo is not None), None)
    if cosmo is not None:
        facts.append(("Cosmology", f"flat ΛCDM, Ω_M = {cosmo.omega_m:g}; distances are comoving Mpc/h"))
    region = _region(catalogs)
    if isinstance(region, SurveyRegion):
        kind = f"HEALPix, nside {region.mask.nside}" if isinstance(region.mask, HealpixMask) else (
            f"equal-angle grid, {region.mask.resolution} cell(s) per degree")
        facts += [
            ("Sky mask", f"{kind}; {region.mask.area:,.0f} deg²"),
            ("Radial limits", f"{region.r_min:.1f} to {region.r_max:.1f} Mpc/h"),
            ("Volume searched", f"{region.volume:,.0f} (Mpc/h)³"),
        ]
    elif isinstance(region, BoxRegion):
        kind = "periodic box" if region.periodic else "box"
        sides = " by ".join(f"{side:g}" for side in region.size)
        facts += [("Geometry", f"{kind} of {sides} Mpc/h"), ("Volume searched", f"{region.volume:,.0f} (Mpc/h)³")]
    return facts


def _warnings(catalogs: Mapping[str, VoidCatalog], record: RunRecord) -> list[str]:
    out = []
    for reason, rows in record.excluded.items():
        count = rows.get("count") if isinstance(rows, Mapping) else None
        out.append(f"{show(count)} rows of the input were left out ({reason}); run.json lists them.")
    cut = {m: int((c.edge == 1).sum()) for m, c in catalogs.items()}
    often = [f"{cut[m]:,} of {len(c):,} ({METHOD_NAMES[m]})" for m, c in catalogs.items() if cut[m] > 0.5 * len(c)]
    if often:
        out.append(f"Most voids touch the edge of the region, and their sizes are lower limits: {', '.join(often)}.")
    empty = [METHOD_NAMES[method] for method, catalog in catalogs.items() if not len(catalog)]
    if empty:
        out.append(f"No void was found by {', '.join(empty)}.")
    if "zobov" in catalogs and len(catalogs["zobov"]):
        out.append(
            "ZOBOV voids nest: a zone can lie in several. The void that takes every zone says nothing, so it is not drawn "
            "and being in it alone does not count."
        )
    return out


def _table(catalogs: Mapping[str, VoidCatalog], record: RunRecord) -> list[tuple[str, list[str]]]:
    """Rows of the table of counts: name, and one value per method; rows that no method has are left out."""
    counts = [_counts_of(method, catalog, record) for method, catalog in catalogs.items()]
    rows: list[tuple[str, list[str]]] = [("Voids", [show(count.get("voids")) for count in counts])]
    for edge, name in (("0", "interior"), ("2", "within 10 Mpc/h of the edge"), ("1", "touching the edge")):
        rows.append((f"\u2003{name}", [show(count.get("edge", {}).get(edge)) for count in counts]))
    plain = (("Holes (spheres)", "holes"), ("Zones", "zones"))
    rows += [(name, [show(count.get(key)) for count in counts]) for name, key in plain]
    lengths = (
        ("Median radius [Mpc/h]", "median_radius"), ("Median effective radius [Mpc/h]", "median_r_eff"),
        ("Largest effective radius [Mpc/h]", "max_r_eff"),
    )
    rows += [(name, [_length(count.get(key)) for count in counts]) for name, key in lengths]
    rows += [
        ("Wall / field galaxies", [_pair(count.get("wall"), count.get("field")) for count in counts]),
        ("Tracers in voids", [
            _share(c.get("galaxies_in_voids"), c.get("galaxies"), c.get("void_fraction")) for c in counts]),
        ("All galaxies of the region in voids", [
            _share(c.get("all_galaxies_in_voids"), c.get("all_galaxies"), c.get("all_void_fraction")) for c in counts]),
        ("Share of the volume in voids", [_share(None, None, count.get("volume_fraction")) for count in counts]),
        ("CPU time [s]", [_length(sum(count.get("seconds", {}).values()) or None, 2) for count in counts]),
    ]
    return [(name, values) for name, values in rows if any(value != _NOTHING for value in values)]


def _counts_of(method: str, catalog: VoidCatalog, record: RunRecord) -> Mapping[str, Any]:
    counts = record.counts.get(method)
    return counts if isinstance(counts, Mapping) else {"voids": len(catalog)}


def _length(value: float | None, digits: int = 1) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def _pair(first: int | None, second: int | None) -> str:
    return _NOTHING if first is None or second is None else f"{first:,} / {second:,}"


def _share(part: int | None, whole: int | None, fraction: float | None) -> str:
    if fraction is None:
        return _NOTHING if part is None else f"{part:,}"
    return f"{100.0 * fraction:.1f}\u00a0%" if part is None or whole is None else (
        f"{part:,} of {whole:,} ({100.0 * fraction:.1f}\u00a0%)")


def _figure(ax: Any) -> Any:
    return ax.figure


def _radius_picture(catalogs: Mapping[str, VoidCatalog]) -> Picture | None:
    if not any(len(catalog) for catalog in catalogs.values()):
        return None
    medians = ", ".join(
        f"{METHOD_NAMES[m]} {np.median(c.r_eff):.1f} Mpc/h" for m, c in catalogs.items() if len(c)
    )
    return Picture(
        data_uri(_figure(plot_radius_distribution(catalogs))), f"Number of voids against effective radius; medians: {medians}.",
        "Effective radii: radius of the sphere with the volume of the void. Bars are Poisson errors; both axes are logarithmic.",
    )


def _slice_pictures(
    catalogs: Mapping[str, VoidCatalog], xyz: NDArray, searched: NDArray, cut: Cut | None
) -> list[Picture]:
    """One slice per method, all along the same surface."""
    if not searched.any() or not catalogs:
        return []
    on_sky = any(catalog.on_sky for catalog in catalogs.values())
    cut = middle_cut(xyz[searched], _region(catalogs), on_sky=on_sky) if cut is None else cut
    pictures = []
    for method, piece in slice_each(catalogs, cut, xyz).items():
        crossed = len(np.unique(piece.outline_void))
        pictures.append(Picture(
            data_uri(_figure(plot_slice(piece)), "png", dpi=140),
            f"Slice through the {METHOD_NAMES[method]} voids: {crossed} voids and {len(piece.galaxies):,} galaxies.",
            f"{METHOD_NAMES[method]}: {crossed:,} voids are cut; {len(piece.galaxies):,} galaxies lie within "
            f"{0.5 * piece.thickness:g} Mpc/h of the slice.",
        ))
    return pictures


def _sample_pictures(
    galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog], searched: NDArray
) -> list[Picture]:
    if galaxies.ra is None or galaxies.dec is None or galaxies.z is None or not searched.any():
        return []
    first = next(iter(catalogs.values()), None)
    tracer = first.membership.tracer if first is not None and first.membership is not None else None
    return [
        Picture(
            data_uri(_figure(plot_sky(galaxies.ra[searched], galaxies.dec[searched])), "png", dpi=140),
            "Map of the sky: density of the galaxies searched.",
            "On the sky, in equal areas: the galaxies searched; darker where there are more.",
        ),
        Picture(
            data_uri(_figure(plot_redshift_distribution(galaxies.z, tracer))),
            "Histogram of redshifts of all galaxies and of the tracers.",
            "In redshift: all galaxies of the catalogue and those the voids were found with.",
        ),
    ]


def _parameters(catalogs: Mapping[str, VoidCatalog]) -> list[tuple[str, list[str]]]:
    names = dict.fromkeys(name for catalog in catalogs.values() for name in catalog.parameters)
    return [
        (name, [show(c.parameters[name]) if name in c.parameters else "" for c in catalogs.values()]) for name in names
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested mappings as lines: path and value."""
    lines: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            lines += _flat(value, f"{name}: ")
        else:
            lines.append((name, show(value)))
    return lines
