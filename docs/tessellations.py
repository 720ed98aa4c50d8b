"""Pictures of the tessellation at work, and its errors measured against whole-number arithmetic."""

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from armillary.plots.style import INK, METHOD_COLOURS, MUTED, RULE, new_figure, quiet, tint
from armillary.voids.blocks import Whole, tessellate_block
from armillary.voids.delaunay import Growing
from armillary.voids.exact import coordinate_bits
from armillary.voids.order import canonical_order, extent, hilbert_index, insertion_order
from armillary.voids.tessellation import Tessellation

BLUE, ORANGE, GREEN, WINE = (METHOD_COLOURS[name] for name in ("voidfinder", "vide", "zobov", "revolver"))


def draw_tessellations():
    """Every picture by name, and the table of errors."""
    errors = measure_errors()
    return {
        "insertion-order": draw_order(), "block-and-halo": draw_block(), "volume-errors": draw_errors(errors),
        "volume-errors-table": tabulate_errors(errors),
    }


def draw_order():
    """Which points come when, and how far apart neighbours lie in memory, in four orders of insertion."""
    figure = new_figure(9.8, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    points = np.random.default_rng(3).random((60_000, 3))
    order = insertion_order(points)
    turn = np.empty(len(points), dtype=np.int64)
    turn[order] = np.arange(len(points))
    along = hilbert_index(points)[order]
    last = int(np.flatnonzero(along[1:] < along[:-1])[-1]) + 1  # every round begins at the curve's beginning
    slab = np.abs(points[:, 2] - 0.3) < 0.02
    final = slab & (turn >= last)
    left.scatter(*points[final, :2].T, c=turn[final], cmap="viridis", s=7, lw=0)
    left.plot(*points[slab & (turn < last), :2].T, "o", ms=4.5, mfc="white", mec=INK, mew=1.1)
    left.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xticks=[], yticks=[])
    left.set_aspect("equal")
    left.add_patch(Rectangle((0.0, 0.0), 1.0, 1.0, fill=False, edgecolor=RULE, lw=1.2, clip_on=False))
    left.set_axis_off()
    left.set_title("A slab of 60,000 points: an earlier round (rings),\nand the last one, coloured by when a point comes",
                   loc="left", size=10.5, color=INK)
    rng = np.random.default_rng(4)
    halving = rng.geometric(0.5, len(points)).clip(max=7)
    orders = {
        "rounds of 16, along the curve": (order, BLUE, "-"),
        "rounds of 2, along the curve": (np.lexsort((hilbert_index(points), -halving)), ORANGE, (0, (6, 2))),
        "along the curve, no rounds": (canonical_order(points), GREEN, (0, (3, 1.5))),
        "by chance": (rng.permutation(len(points)), WINE, (0, (1, 1.2))),
    }
    apart = 2 ** np.arange(0, 20)
    for name, (rows, colour, style) in orders.items():
        distance = np.sort(slot_distances(points[rows]))
        within = np.searchsorted(distance, apart, side="right") / len(distance)
        right.plot(apart, within, color=colour, ls=style, lw=1.8, label=name)
    right.set(xscale="log", xlim=(1, apart[-1]), ylim=(0.0, 1.02), xlabel="distance in memory [tetrahedra]",
              ylabel="share of adjacent tetrahedra within it")
    right.legend(frameon=False, fontsize=9, loc="upper left", handlelength=3.2)
    quiet(right)
    right.set_title("Neighbours in space are neighbours in memory\nwhen they were made at the same time", loc="left", size=10.5,
                    color=INK)
    return figure


def slot_distances(points):
    """How many places apart in memory tetrahedra lie that share a face, when points are inserted in this order."""
    growing = Growing(*extent(points))
    growing.insert(points, np.arange(len(points), dtype=np.uint64))
    links = growing.release().reshape(-1, 8)
    alive = (links[:, :4] != np.iinfo(np.uint32).max).all(axis=1) & (links[:, :4] > 0).all(axis=1)
    slots = np.flatnonzero(alive)
    return np.abs((links[slots, 4:] >> 2).astype(np.int64) - slots[:, None]).ravel()


def draw_block():
    """A plane through a tessellation: all of it, and what is final when one block is tessellated with its halo."""
    points = np.random.default_rng(5).random((6000, 3))
    whole = Whole.of(points)
    first, last = whole.blocks(1500)[1]
    block = tessellate_block(whole, first, last)
    own = np.arange(len(block.sites)) < last - first
    height = float(np.median(block.sites[own, 2]))
    figure = new_figure(9.8, 5.4)
    axes = figure.add_subplot()
    everything = cut(whole.points, Tessellation.of(whole.points).tetrahedra, height)
    axes.add_collection(PolyCollection([polygon for _, polygon in everything], facecolor="none", edgecolor=RULE, lw=0.6))
    count = own[block.tetrahedra].sum(axis=1)
    pieces = cut(block.sites, block.tetrahedra, height)
    axes.add_collection(PolyCollection(
        [polygon for _, polygon in pieces], edgecolor=BLUE, lw=0.7,
        facecolor=[tint(BLUE, 0.55 if count[t] == 4 else 0.82) for t, _ in pieces],
    ))
    reach = 0.02
    marks = (
        (whole.points, MUTED, 2.5, "points that were not needed"), (block.sites[~own], ORANGE, 4.5, "its halo"),
        (block.sites[own], INK, 4.5, "points of the block"),
    )
    for sites, colour, size, name in marks:
        near = np.abs(sites[:, 2] - height) < reach
        axes.plot(*sites[near, :2].T, "o", color=colour, ms=size, mew=0, label=name)
    axes.fill([], [], facecolor=tint(BLUE, 0.55), edgecolor=BLUE, label="tetrahedra of the block's points alone")
    axes.fill([], [], facecolor=tint(BLUE, 0.82), edgecolor=BLUE, label="tetrahedra shared with the halo")
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.legend(frameon=False, fontsize=9.5, loc="center left", bbox_to_anchor=(1.02, 0.5), reverse=True)
    return figure


def cut(sites, tetrahedra, height):
    """Where a plane of constant z cuts tetrahedra: (number, polygon) of each that it does."""
    above = sites[tetrahedra, 2] > height
    pieces = []
    for t in np.flatnonzero(above.any(axis=1) & ~above.all(axis=1)):
        corners, up = sites[tetrahedra[t]], above[t]
        crossings = []
        for i in np.flatnonzero(up):
            for j in np.flatnonzero(~up):
                share = (height - corners[i, 2]) / (corners[j, 2] - corners[i, 2])
                crossings.append(corners[i, :2] + share * (corners[j, :2] - corners[i, :2]))
        polygon = np.array(crossings)
        x, y = (polygon - polygon.mean(axis=0)).T
        pieces.append((t, polygon[np.argsort(np.arctan2(y, x))]))
    return pieces


def difficult_sets():
    """Small point sets by name, each with its own way of losing digits."""
    rng = np.random.default_rng(1)
    axis = np.arange(8.0)
    lattice = 0.1 * np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return {
        "uniform": rng.random((500, 3)),
        "rounded to float32": rng.random((500, 3)).astype(np.float32).astype(np.float64),
        "lattice, step 0.1": lattice,
        "the lattice with noise of 1e-12": lattice + 1e-12 * rng.normal(size=lattice.shape),
        "uniform, shifted by 1e6": 1e6 + rng.random((500, 3)),
        "a cluster of size 1e-5": np.concatenate((rng.random((250, 3)), 0.5 + 1e-5 * rng.random((250, 3)))),
    }


def measure_errors():
    """Relative errors of the volumes of all bounded cells, by point set."""
    errors = {}
    for name, points in difficult_sets().items():
        tessellation = Tessellation.of(points)
        base, _ = coordinate_bits(points)
        exact = whole_number_volumes(points, tessellation, base)
        errors[name] = np.array([
            abs(whole_number(volume, 3 * base) - exact[k]) / exact[k]
            for k, volume in enumerate(tessellation.volumes.tolist()) if volume < np.inf
        ])
    return errors


def whole_number(x, base):
    """x in units of 2**base, cut to a whole number."""
    numerator, denominator = x.as_integer_ratio()
    return (numerator << max(-base, 0)) // (denominator << max(base, 0))


def whole_number_volumes(points, tessellation, base):
    """Volumes of the cells in cubes of 2**base, each of its terms cut to a whole number of them.

    Each edge of each face of a tetrahedron spans two right-angled simplices with the circumcentres of face and tetrahedron,
    one for each of its ends; their signed volumes sum to the cell's (another sum than the one under test).
    """
    p = [[whole_number(x, base) for x in row] for row in points.tolist()]
    volumes = [0] * len(p)
    unbounded = tessellation.unbounded
    for corners in tessellation.tetrahedra.tolist():
        if unbounded[corners].all():
            continue
        first = p[corners[0]]
        u, v, w = (difference(p[k], first) for k in corners[1:])
        normals = cross(v, w), cross(w, u), cross(u, v)
        double = 2 * dot(u, normals[0])
        centre = [sum(dot(e, e) * n[axis] for e, n in zip((u, v, w), normals, strict=True)) for axis in range(3)]
        for far in range(4):
            i, j, k = (corners[(far + step) % 4] for step in (1, 2, 3))
            a, b = difference(p[j], p[i]), difference(p[k], p[i])
            normal = cross(a, b)
            height = dot(normal, centre) - double * dot(normal, difference(p[i], first))
            if dot(normal, difference(p[corners[far]], p[i])) < 0:
                height = -height
            aa, bb, ab = dot(a, a), dot(b, b), dot(a, b)
            unit = 24 * dot(normal, normal) * double
            edges = ((i, j, aa * (bb - ab)), (i, k, bb * (aa - ab)), (j, k, (aa + bb - 2 * ab) * ab))
            for start, end, weight in edges:
                term = weight * height // unit
                volumes[start] += term
                volumes[end] += term
    return volumes


def difference(a, b):
    """Of two vectors of whole numbers."""
    return [x - y for x, y in zip(a, b, strict=True)]


def cross(a, b):
    """Of two vectors of whole numbers."""
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def dot(a, b):
    """Of two vectors of whole numbers."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def draw_errors(errors):
    """Histograms of the errors, one panel for each set."""
    figure = new_figure(9.4, 4.8)
    panels = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    top = 10.0 ** max(-13.0, np.ceil(np.log10(max(error.max() for error in errors.values()))))
    bins = np.geomspace(1e-18, top, 41)
    for axes, (name, error) in zip(panels, errors.items(), strict=True):
        axes.hist(error.clip(min=1.01e-18), bins, weights=np.full(len(error), 1.0 / len(error)), color=tint(BLUE, 0.35))
        axes.axvline(2.0**-53, color=MUTED, lw=1.0, ls=(0, (4, 3)))
        axes.axvline(error.max(), color=ORANGE, lw=1.4)
        axes.set(xscale="log", xlim=(1e-18, top), xticks=10.0 ** np.arange(-17.0, np.log10(top) - 0.5, 2.0))
        axes.set_title(name, loc="left", size=10, color=INK)
        quiet(axes)
    for axes in panels[3:]:
        axes.set_xlabel("relative error of the volume")
    for axes in panels[::3]:
        axes.set_ylabel("share of cells")
    return figure


def tabulate_errors(errors):
    """The worst and the median error, as a Markdown table."""
    lines = ["| points | bounded cells | median error | worst error |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {len(error)} | {np.median(error):.1e} | {error.max():.1e} |" for name, error in errors.items()]
    return "\n".join(lines) + "\n"
