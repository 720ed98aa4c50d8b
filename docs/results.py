"""Pictures of what this version finds in a simulated survey."""

from itertools import pairwise

import numpy as np

from armillary.cosmology import Cosmology
from armillary.mock import MockBox, MockSurvey
from armillary.plots.still import plot_void_map
from armillary.plots.style import METHOD_NAMES, new_figure
from armillary.plots.voids import plot_radius_distribution, plot_recovery, plot_sky, plot_slice
from armillary.voids import V2, VoidFinder
from armillary.voids.recovery import recovery
from armillary.voids.slices import middle_cut, slice_voids
from armillary.voids.surface import outline_surface

#: Bins of void radius [Mpc/h]; the table has one more, for all that is larger.
RADII = np.array([10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 25.0, 30.0])


def draw_results():
    """Every picture by name, and a table: sky, slices, radii, map, and how well planted voids are recovered."""
    cosmo = Cosmology(omega_m=0.3)
    survey = MockSurvey().make(rng=np.random.default_rng(1), cosmo=cosmo)
    galaxies = survey.tracers()
    found = {
        "voidfinder": VoidFinder().find(galaxies, mask=survey.mask, cosmo=cosmo),
        **V2().find(galaxies, mask=survey.mask, cosmo=cosmo),
    }
    xyz = galaxies.positions(cosmo)
    cut = middle_cut(xyz, survey.region)
    spheres = found["voidfinder"]
    matches = measure_recovery()
    return {
        "sky": plot_sky(galaxies.ra, galaxies.dec, voids=spheres).figure,
        "slice": plot_slice(slice_voids(spheres, cut, xyz), title=False).figure,
        "slice-revolver": plot_slice(slice_voids(found["revolver"], cut, xyz), title=False).figure,
        "radii": plot_radius_distribution(found).figure,
        "map": plot_void_map(spheres, outline_surface(spheres), xyz).figure,
        "recovery": draw_recovery(matches),
        "recovery-table": tabulate_recovery(matches),
    }


def measure_recovery():
    """Planted and found voids, matched, by method, in a periodic box, where no void is cut."""
    box = MockBox(size=200.0).make(rng=np.random.default_rng(2))
    found = {
        "voidfinder": VoidFinder().find(box.galaxies, box=box.region),
        **V2().find(box.galaxies, box=box.region),
    }
    return {
        method: recovery(box.voids.centre, box.voids.radius, catalog.centre, catalog.r_eff, box_size=box.region.size)
        for method, catalog in found.items()
    }


def draw_recovery(matches):
    """Completeness and purity against radius, one panel for each method."""
    figure = new_figure(9.4, 6.6)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for axes, (method, match) in zip(panels, matches.items(), strict=True):
        plot_recovery(match.completeness(RADII), match.purity(RADII), method=method, ax=axes)
        axes.label_outer()
    return figure


def tabulate_recovery(matches):
    """The shares as a Markdown table: completeness; purity, each with the numbers that it is made of."""
    lines = [
        "| radius [Mpc/h] | " + " | ".join(METHOD_NAMES[method] for method in matches) + " |",
        "|---|" + "---|" * len(matches),
    ]
    edges = np.append(RADII, np.inf)
    shares = [(match.completeness(edges), match.purity(edges)) for match in matches.values()]
    for row, (low, high) in enumerate(pairwise(edges)):
        cells = [f"{_share(completeness, row)}; {_share(purity, row)}" for completeness, purity in shares]
        bin_ = f"{low:g} to {high:g}" if np.isfinite(high) else f"above {low:g}"
        lines.append(f"| {bin_} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _share(share, row):
    if not share.total[row]:
        return "none"
    return f"{share.share[row]:.2f} ({share.matched[row]} of {share.total[row]})"
