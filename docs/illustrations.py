"""Illustrations of the definitions, drawn from small made-up point sets."""

import numpy as np
from matplotlib.patches import Circle
from scipy.spatial import Voronoi

from armillary.plots.style import INK, METHOD_COLOURS, MUTED, new_figure, quiet

BLUE, ORANGE = METHOD_COLOURS["voidfinder"], METHOD_COLOURS["vide"]
ZONES = ("#4c78a8", "#f2a65a", "#76b7b2", "#b279a2", "#9ecf8a", "#e0787a")


def draw_illustrations():
    """Every illustration by name."""
    return {
        "fourth-galaxy": draw_fourth_galaxy(), "union-of-spheres": draw_union(), "watershed": draw_watershed(),
    }


def grow(start, galaxies, touches):
    """Centre, radius and galaxies of the empty sphere grown from ``start`` until it touches 3 or 4; None if it escapes.

    The plain form of the growth rule, one vector operation per step.
    """
    centre = np.array(start)
    met = [int(np.argmin(np.linalg.norm(galaxies - centre, axis=1)))]
    while len(met) < touches:
        first = galaxies[met[0]]
        if len(met) < 3:
            direction = centre - galaxies[met].mean(axis=0)
        else:
            direction = np.cross(galaxies[met[1]] - first, galaxies[met[2]] - first)
            direction = direction * np.sign(direction @ (centre - first) or 1.0)
        direction = direction / np.linalg.norm(direction)
        ahead = (galaxies - first) @ direction
        step = np.sum((galaxies - centre) ** 2, axis=1) - np.sum((first - centre) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.where(ahead > 1e-9, step / (2.0 * ahead), np.inf)
        x[met] = np.inf
        x[x <= 0.0] = np.inf
        if not np.isfinite(x.min()):
            return None
        met.append(int(np.argmin(x)))
        centre = centre + x.min() * direction
    return centre, float(np.linalg.norm(galaxies[met[0]] - centre)), met


def draw_fourth_galaxy():
    """What the fourth galaxy changes: the geometry, and where many starting points lead."""
    figure = new_figure(9.8, 4.5)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1.0))
    _fourth_geometry(left)
    _fourth_statistics(right)
    return figure


def _fourth_geometry(axes):
    ring, third, fourth = 8.0, 2.0, 6.5  # radius of the circle through g1 g2 g3; centres on its axis [Mpc/h]
    radius3, radius4 = np.hypot(ring, third), np.hypot(ring, fourth)
    angle = np.radians(34.0)
    g4 = np.array([fourth + radius4 * np.cos(angle), radius4 * np.sin(angle)])
    theta = np.linspace(0.0, 2.0 * np.pi, 400)
    axes.fill(fourth + radius4 * np.cos(theta), radius4 * np.sin(theta), color=BLUE, alpha=0.10, lw=0)
    axes.plot(fourth + radius4 * np.cos(theta), radius4 * np.sin(theta), color=BLUE, lw=1.8)
    axes.plot(third + radius3 * np.cos(theta), radius3 * np.sin(theta), color=ORANGE, lw=1.6, ls=(0, (5, 3)))
    axes.axhline(0.0, color=MUTED, lw=0.8, ls=":")
    axes.plot([0.0, 0.0], [-ring, ring], color=INK, lw=1.0)
    axes.plot([0.0, 0.0, 0.0, g4[0]], [-ring, ring, 3.0, g4[1]], "o", color=INK, ms=7)
    axes.annotate("", (fourth - 0.15, 0.0), (third + 0.15, 0.0), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.4})
    axes.plot([third], [0.0], "x", color=ORANGE, ms=8, mew=2)
    axes.plot([fourth], [0.0], "x", color=BLUE, ms=8, mew=2)
    axes.text(-0.6, ring + 0.5, "g$_1$", ha="right")
    axes.text(-0.6, 3.0, "g$_2$", ha="right", va="center")
    axes.text(-0.6, -ring - 0.5, "g$_3$", ha="right", va="top")
    axes.text(g4[0] + 0.6, g4[1] + 0.3, "g$_4$")
    axes.text(third + 0.1, -1.0, "three", color=ORANGE, ha="center", va="top")
    axes.text(fourth, -1.0, "four", color=BLUE, ha="center", va="top")
    others = np.array([[-8.2, 6.5], [-9.5, -3.2], [-5.0, -9.8], [7.5, 12.0], [10.0, -11.5], [18.2, -3.0], [-6.5, 11.0]])
    axes.plot(*others.T, "o", color=MUTED, ms=5)
    axes.set_aspect("equal")
    axes.set_axis_off()
    title = "The plane of three galaxies, seen edge-on:\nthe sphere grows along its normal until a fourth stops it"
    axes.set_title(title, loc="left", size=10.5, color=INK)


def _fourth_statistics(axes):
    rng = np.random.default_rng(4)
    galaxies = rng.uniform(-40.0, 40.0, (700, 3))
    galaxies = galaxies[np.linalg.norm(galaxies / (1.0, 0.9, 0.8), axis=1) > 16.0]
    steps = np.arange(-10.0, 10.1, 2.5)
    starts = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    pairs = [(grow(start, galaxies, 3), grow(start, galaxies, 4)) for start in starts]
    pairs = [(three, four) for three, four in pairs if three is not None and four is not None]
    three, four = (np.array([pair[k][1] for pair in pairs]) for k in (0, 1))
    distinct = [len({tuple(np.round(pair[k][0], 3)) for pair in pairs}) for k in (0, 1)]
    span = [min(three.min(), four.min()) - 0.5, four.max() + 0.7]
    axes.plot(span, span, color=MUTED, lw=0.9)
    axes.plot(three, four, "o", ms=4.5, color=BLUE, alpha=0.45, mew=0)
    axes.text(span[0] + 0.3, span[0] - 0.02, "same radius", color=MUTED, fontsize=8.5, rotation=45,
              rotation_mode="anchor", transform_rotates_text=True)
    axes.set(xlim=span, ylim=span, xlabel="radius touching three galaxies [Mpc/h]",
             ylabel="radius touching four galaxies [Mpc/h]")
    quiet(axes)
    axes.set_title(loc="left", size=10.5, color=INK, label=f"{len(pairs)} starting points in one void lead to {distinct[0]}\n"
                   f"spheres on three galaxies, but to {distinct[1]} on four")


def draw_union():
    """How spheres become a void, in two dimensions."""
    figure = new_figure(8.6, 4.4)
    axes = figure.add_subplot()
    maximal = [((0.0, 0.0), 10.0), ((21.6, 3.0), 13.0)]
    joined = [((-4.2, 5.2), 6.5), ((2.6, -6.2), 7.0), ((26.9, 10.6), 8.0), ((24.8, -5.4), 7.5)]
    refused = [((8.9, 9.4), 5.4), ((12.2, -12.5), 7.0)]
    for centre, radius in maximal:
        axes.add_patch(Circle(centre, radius, facecolor=BLUE, alpha=0.16, lw=0))
        axes.add_patch(Circle(centre, radius, fill=False, edgecolor=BLUE, lw=2.0))
    for centre, radius in joined:
        axes.add_patch(Circle(centre, radius, facecolor=BLUE, alpha=0.16, lw=0))
        axes.add_patch(Circle(centre, radius, fill=False, edgecolor=BLUE, lw=0.9))
    for centre, radius in refused:
        axes.add_patch(Circle(centre, radius, fill=False, edgecolor=ORANGE, lw=1.3, ls=(0, (5, 3))))
    axes.text(5.2, 2.2, "maximal\nsphere", ha="center", va="center", color=BLUE)
    axes.text(16.2, 1.8, "maximal\nsphere", ha="center", va="center", color=BLUE)
    note = {"arrowprops": {"arrowstyle": "-", "color": MUTED, "lw": 0.8}, "fontsize": 9, "va": "center"}
    axes.annotate("joins: more than half of its\nvolume is in one maximal sphere", (33.5, 14.0), (39.0, 15.5), **note)
    axes.annotate("stays out: it lies in both voids,\nand half of it in neither", (14.2, 10.2), (39.0, 1.5), **note)
    axes.annotate("stays out: too little of it is in\nany maximal sphere", (18.6, -14.5), (39.0, -11.5), **note)
    axes.set(xlim=(-12.0, 62.0), ylim=(-20.5, 20.0))
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


def draw_watershed():
    """Cells, zones and the links between them, in two dimensions."""
    rng = np.random.default_rng(11)
    hollows = np.array([[0.27, 0.70], [0.72, 0.74], [0.30, 0.25], [0.74, 0.28]])
    points = rng.uniform(-0.25, 1.25, (1500, 2))
    depth = np.min(np.linalg.norm(points[:, None] - hollows, axis=2), axis=1)
    points = points[rng.random(len(points)) < np.clip((depth / 0.20) ** 2.2, 0.03, 1.0) * 0.5]
    cells = Voronoi(points)
    size = np.array([_area(cells.vertices[cells.regions[r]]) if -1 not in cells.regions[r] else 0.0
                     for r in cells.point_region])
    shown = ((points > 0.0) & (points < 1.0)).all(axis=1)
    neighbours = [[] for _ in points]
    for a, b in cells.ridge_points:
        if shown[a] and shown[b]:
            neighbours[a].append(b)
            neighbours[b].append(a)
    zone, cores = _zones(np.where(shown, size, 0.0), neighbours)
    figure = new_figure(9.4, 4.8)
    panels = figure.subplots(1, 2)
    for axes, title in zip(panels, ("Cells, darker where the volume is smaller", "Zones, their cores, and the links between"),
                           strict=True):
        axes.set(xlim=(0.06, 0.94), ylim=(0.05, 0.95))
        axes.set_title(title, loc="left", size=10.5, color=INK)
        axes.set_axis_off()
        axes.set_aspect("equal")
    shade = np.argsort(np.argsort(size)) / len(size)
    for i in np.flatnonzero(shown):
        corners = cells.vertices[cells.regions[cells.point_region[i]]]
        panels[0].fill(*corners.T, facecolor=str(0.45 + 0.53 * shade[i]), edgecolor="white", lw=0.4)
        panels[1].fill(*corners.T, facecolor=ZONES[zone[i] % len(ZONES)], edgecolor="white", lw=0.4, alpha=0.75)
    panels[0].plot(*points.T, ".", color=INK, ms=2.5)
    for core in cores:
        panels[1].plot(*points[core], "*", color=INK, ms=11)
    for pair in _links(size, cells, zone, shown):
        corners = cells.vertices[cells.ridge_vertices[pair]]
        panels[1].plot(*corners.T, color=INK, lw=2.6, solid_capstyle="round")
    return figure


def _area(corners):
    x, y = corners.T
    return 0.5 * abs(x @ np.roll(y, 1) - y @ np.roll(x, 1))


def _zones(size, neighbours):
    """Zone of each cell, and the core of each zone: largest first, each cell follows its largest neighbour."""
    zone = np.full(len(size), -1)
    cores = []
    for i in np.argsort(-size):
        if size[i] <= 0.0:
            continue
        largest = max(neighbours[i], key=lambda j: size[j], default=i)
        if largest == i or size[largest] < size[i]:
            zone[i] = len(cores)
            cores.append(i)
        else:
            zone[i] = zone[largest]
    return zone, cores


def _links(size, cells, zone, shown):
    """The ridge over which two zones are linked: where the smaller of its two cells is largest."""
    best = {}
    for ridge, (a, b) in enumerate(cells.ridge_points):
        if shown[a] and shown[b] and zone[a] != zone[b] and -1 not in cells.ridge_vertices[ridge]:
            key = (min(zone[a], zone[b]), max(zone[a], zone[b]))
            saddle = min(size[a], size[b])
            if saddle > best.get(key, (0.0, 0))[0]:
                best[key] = (saddle, ridge)
    return [ridge for _, ridge in best.values()]
