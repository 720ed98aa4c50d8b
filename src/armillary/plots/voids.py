"""Flat figures of void catalogues: radii, slices, sky, redshifts, and how well planted voids are recovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from armillary.model import VoidCatalog
from armillary.plots.style import (
    EDGE_NAMES,
    INK,
    METHOD_COLOURS,
    METHOD_MARKERS,
    METHOD_NAMES,
    MUTED,
    PAPER,
    RULE,
    bare,
    edge_colour,
    legend,
    own_axes,
    quiet,
    tint,
)


class SliceLike(Protocol):
    """What :func:`plot_slice` draws; its members are explained in ``armillary.voids.slices.VoidSlice``."""

    @property
    def method(self) -> str: ...  # noqa: D102

    @property
    def cut(self) -> Any: ...  # noqa: D102

    @property
    def thickness(self) -> float: ...  # noqa: D102

    @property
    def outlines(self) -> Sequence[NDArray[np.float64]]: ...  # noqa: D102

    @property
    def outline_void(self) -> NDArray[np.int64]: ...  # noqa: D102

    @property
    def outline_edge(self) -> NDArray[np.int64]: ...  # noqa: D102

    @property
    def galaxies(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def galaxy_in_void(self) -> NDArray[np.bool_] | None: ...  # noqa: D102

    @property
    def footprint(self) -> Sequence[NDArray[np.float64]]: ...  # noqa: D102

    @property
    def low(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def high(self) -> NDArray[np.float64]: ...  # noqa: D102


class ShareLike(Protocol):
    """What :func:`plot_recovery` draws; its members are explained in ``armillary.voids.recovery.RecoveredShare``."""

    @property
    def edges(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def total(self) -> NDArray[np.int64]: ...  # noqa: D102

    @property
    def share(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def low(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def high(self) -> NDArray[np.float64]: ...  # noqa: D102


def plot_radius_distribution(catalogs: Mapping[str, VoidCatalog], *, bins: int = 16, ax: Axes | None = None) -> Axes:
    """Number of voids against effective radius in logarithmic bins, with Poisson errors; empty bins are left out.

    Parameters
    ----------
    catalogs : voids by method.
    bins : logarithmic bins from the smallest to the largest radius.
    """
    ax = own_axes(ax)
    filled = {method: catalog.r_eff for method, catalog in catalogs.items() if len(catalog)}
    if filled:
        everything = np.concatenate(list(filled.values()))
        edges = np.geomspace(0.98 * everything.min(), 1.02 * everything.max(), bins + 1)
        middle = np.sqrt(edges[1:] * edges[:-1])
        for place, (method, radius) in enumerate(filled.items()):
            count, _ = np.histogram(radius, edges)
            shown = count > 0
            # A shift of a few per cent of a bin keeps the error bars of the methods apart.
            at = middle * (edges[1] / edges[0]) ** (0.12 * (place - 0.5 * (len(filled) - 1)))
            error = np.minimum(np.sqrt(count), count - 0.5)
            ax.errorbar(
                at[shown], count[shown], [error[shown], np.sqrt(count[shown])], color=METHOD_COLOURS[method],
                marker=METHOD_MARKERS[method], markersize=4.5, linewidth=1.4, elinewidth=0.8, markeredgewidth=0,
                ecolor=tint(METHOD_COLOURS[method], 0.5),
                label=f"{METHOD_NAMES[method]}  ({radius.size:,}, median {np.median(radius):.1f} Mpc/h)",
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(0.6, None)
        _plain_ticks(ax)
    ax.set_xlabel("effective radius $R_\\mathrm{eff}$ [Mpc/h]")
    ax.set_ylabel("voids per bin")
    quiet(ax)
    if filled:
        legend(ax, loc="best")
    return ax


def plot_slice(slice_: SliceLike, *, title: bool = True, ax: Axes | None = None) -> Axes:
    """Voids cut by a plane or a declination cone, with the galaxies near it, in Mpc/h and true proportions.

    Void interiors are filled with the method's colour (paler for edge voids), galaxies inside voids carry it, and all
    other galaxies are grey.
    """
    width, spare = (9.0, 0.3) if _is_cone(slice_) else (5.8, 0.9)
    ax = own_axes(ax, width=width, height=width * _aspect(slice_) + spare, whole=_is_cone(slice_))
    footprint = [Path(curve, closed=True) for curve in slice_.footprint]
    _add_paths(ax, footprint, facecolor="#f5f6f8", edgecolor=RULE, linewidth=0.7, zorder=0)
    colour = METHOD_COLOURS[slice_.method]
    key: list[Artist] = []
    for edge in (1, 2, 0):
        line = edge_colour(slice_.method, edge)
        look: dict[str, Any] = {"facecolor": to_rgba(tint(line, 0.3), 0.42), "edgecolor": line, "linewidth": 0.9}
        paths = _void_paths(slice_, edge)
        _add_paths(ax, paths, zorder=1, **look)
        if paths:
            key.append(Patch(label=f"void, {EDGE_NAMES[edge]}", **look))
    in_void = slice_.galaxy_in_void
    inside = np.zeros(len(slice_.galaxies), dtype=bool) if in_void is None else in_void
    dot = float(np.clip(9000.0 / max(len(slice_.galaxies), 1), 0.6, 4.0))
    for rows, shade, name in ((~inside, tint(INK, 0.2), "other galaxy" if inside.any() else "galaxy"),
                              (inside, colour, "galaxy in a void")):
        if rows.any():
            u, v = slice_.galaxies[rows].T
            ax.scatter(u, v, s=dot, color=shade, alpha=0.75, linewidths=0, zorder=2, rasterized=True)
            key.append(Line2D([], [], linestyle="", marker="o", markersize=3.5, color=shade, label=name))
    _slice_frame(ax, slice_)
    words = _slice_title(slice_) if title else ""
    if _is_cone(slice_):
        bare(ax, words, size=10)
    else:
        ax.set_title(words, color=INK, size=10, loc="left")
    ax.legend(handles=key[::-1], loc="upper center", bbox_to_anchor=(0.5, -0.02 if _is_cone(slice_) else -0.1),
              ncols=5 if _is_cone(slice_) else 2, frameon=False, fontsize=8, labelcolor=INK)
    return ax


def plot_redshift_distribution(
    z: ArrayLike, tracer: ArrayLike | None = None, *, bins: int = 40, ax: Axes | None = None
) -> Axes:
    """Number of galaxies against redshift, and of those that trace the voids.

    Parameters
    ----------
    z : (n,) redshifts.
    tracer : (n,) True for galaxies that the voids were found with.
    """
    ax = own_axes(ax)
    z = np.asarray(z, dtype=np.float64)
    edges = np.histogram_bin_edges(z, bins).tolist()
    ax.hist(z, edges, color=RULE, label=f"all galaxies ({z.size:,})")
    if tracer is not None:
        rows = np.asarray(tracer, dtype=bool)
        ax.hist(z[rows], edges, histtype="step", color=INK, linewidth=1.4, label=f"tracers ({rows.sum():,})")
    ax.set_xlabel("redshift")
    ax.set_ylabel("galaxies per bin")
    quiet(ax)
    legend(ax, loc="upper left")
    return ax


def plot_sky(ra: ArrayLike, dec: ArrayLike, *, voids: VoidCatalog | None = None, ax: Axes | None = None) -> Axes:
    """The survey on the sky, equal areas on the page, right ascension increasing to the left.

    Parameters
    ----------
    ra, dec : (n,) degrees, drawn as density of galaxies.
    voids : their centres are drawn as rings, area in proportion to the effective radius.
    """
    ax = own_axes(ax, height=3.4)
    ra, dec = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    middle = _middle_ra(ra)
    ax.hexbin(
        _turn(ra, middle), np.sin(np.radians(dec)), gridsize=110, mincnt=1, cmap="Greys", linewidths=0.1,
        bins="log", rasterized=True, vmin=0.5,
    )
    if voids is not None and len(voids):
        void_ra, void_dec, _ = voids.sky()
        ax.scatter(
            _turn(void_ra, middle), np.sin(np.radians(void_dec)), s=1.2 * voids.r_eff, facecolors="none",
            edgecolors=METHOD_COLOURS[voids.method], linewidths=0.7, label=f"{METHOD_NAMES[voids.method]} centre",
        )
        # Above the frame: on the page no corner of a survey is sure to be empty.
        legend(ax, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    low, high = np.degrees(np.arcsin(np.clip(ax.get_ylim(), -1.0, 1.0)))
    marks = [mark for mark in range(-90, 91, 15) if low <= mark <= high]
    ax.set_yticks(np.sin(np.radians(marks)), [f"{mark}°" for mark in marks])
    ax.invert_xaxis()
    ax.xaxis.set_major_locator(FixedLocator(_right_ascensions(ax.get_xlim(), middle)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{round(value + middle) % 360}°")
    ax.set_xlabel("right ascension")
    ax.set_ylabel("declination")
    return quiet(ax)


def plot_recovery(
    completeness: ShareLike, purity: ShareLike | None = None, *, method: str | None = None, ax: Axes | None = None
) -> Axes:
    """Completeness (filled) and purity (open) against void radius, with 68 % intervals; empty bins are left out.

    Parameters
    ----------
    completeness, purity : shares per radius bin, as ``Recovery.completeness(edges)`` and ``Recovery.purity(edges)`` give.
    method : colours the points, when given; draw several methods on the same axes to compare them.
    """
    ax = own_axes(ax)
    colour = METHOD_COLOURS[method] if method else INK
    marker = METHOD_MARKERS[method] if method else "o"
    name = f"{METHOD_NAMES[method]} " if method else ""
    for what, share, line, face in (("completeness", completeness, "-", colour), ("purity", purity, "--", PAPER)):
        if share is None:
            continue
        full = share.total > 0
        middle = 0.5 * (share.edges[1:] + share.edges[:-1])[full]
        value = share.share[full]
        spread = np.maximum([value - share.low[full], share.high[full] - value], 0.0)
        ax.errorbar(
            middle, value, spread, color=colour, linestyle=line, marker=marker, markerfacecolor=face, markersize=5,
            linewidth=1.6, elinewidth=1.0, label=f"{name}{what}",
        )
    ax.set_ylim(-0.03, 1.05)
    ax.set_xlabel("void radius [Mpc/h]")
    ax.set_ylabel("share of voids")
    quiet(ax)
    # Above the frame: matplotlib's best place overlooks error bars.
    legend(ax, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2)
    return ax


def _plain_ticks(ax: Axes) -> None:
    ax.xaxis.set_major_locator(FixedLocator([2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300]))
    ax.xaxis.set_minor_locator(NullLocator())
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _void_paths(slice_: SliceLike, edge: int) -> list[Path]:
    """One path per void: its outlines together, so that openings stay open."""
    paths = []
    for void in np.unique(slice_.outline_void[slice_.outline_edge == edge]):
        curves = [slice_.outlines[row] for row in np.flatnonzero(slice_.outline_void == void).tolist()]
        paths.append(Path.make_compound_path(*(Path(curve, closed=True) for curve in curves)))
    return paths


def _add_paths(ax: Axes, paths: Sequence[Path], **look: Any) -> None:
    """Draw paths of straight lines as one artist, like patches; those would be searched for the extremes of curves."""
    if paths:
        ax.add_collection(PathCollection(paths, joinstyle="miter", capstyle="butt", **look), autolim=False)
        ax.update_datalim(np.concatenate([path.vertices for path in paths]))


def _slice_frame(ax: Axes, slice_: SliceLike) -> None:
    margin = 0.03 * (slice_.high - slice_.low).max()
    ax.set_aspect("equal")
    if not _is_cone(slice_):
        first, second = slice_.cut.across
        ax.set_xlabel(f"{'xyz'[first]} [Mpc/h]")
        ax.set_ylabel(f"{'xyz'[second]} [Mpc/h]")
        quiet(ax, grid=False)
        ax.set_xlim(slice_.low[0] - margin, slice_.high[0] + margin)
        ax.set_ylim(slice_.low[1] - margin, slice_.high[1] + margin)
        return
    points = np.concatenate([slice_.galaxies, *slice_.footprint, *slice_.outlines])
    distance = np.hypot(*points.T)
    far = float(distance.max())
    angle = np.arctan2(-points[:, 0], points[:, 1])[distance > 0.2 * far]
    _cone_grid(ax, slice_.cut, far, float(angle.min()) - 0.02, float(angle.max()) + 0.02)


def _cone_grid(ax: Axes, cone: Any, far: float, left: float, right: float) -> None:
    """Arcs of equal distance and rays of equal right ascension between two angles on the page [rad]."""
    arc = np.linspace(left, right, 200)
    step = next(step for step in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if far / step <= 7)
    grid: dict[str, Any] = {"color": RULE, "linewidth": 0.6, "zorder": 0.5}
    for distance in np.arange(step, far + step, step):
        if distance <= 1.02 * far:
            ax.plot(-distance * np.sin(arc), distance * np.cos(arc), **grid)
            ax.annotate(f"{distance:.0f}", (-distance * np.sin(right), distance * np.cos(right)), color=MUTED, size=7.5,
                        xytext=(-3, -3), textcoords="offset points", ha="right", va="center")
    width = np.degrees(right - left) / np.cos(np.radians(cone.dec))
    spacing = next(spacing for spacing in (5, 10, 20, 30, 45) if width / spacing <= 10 or spacing == 45)
    for ra in np.arange(0, 360, spacing):
        angle = float(cone.angle(ra))
        if left <= angle <= right:
            ax.plot([0, -far * np.sin(angle)], [0, far * np.cos(angle)], **grid)
            ax.text(-1.04 * far * np.sin(angle), 1.04 * far * np.cos(angle), f"{ra:.0f}°", color=MUTED, size=8,
                    ha="center", va="center", rotation=np.degrees(angle), rotation_mode="anchor")
    ax.plot(0, 0, marker="o", color=INK, markersize=3)
    ax.annotate("observer", (0, 0), color=MUTED, size=8, xytext=(0, -5), textcoords="offset points", ha="center", va="top")


def _slice_title(slice_: SliceLike) -> str:
    where = (
        f"{'xyz'[slice_.cut.axis]} = {slice_.cut.position:g} Mpc/h" if not _is_cone(slice_)
        else f"declination {slice_.cut.dec:g}°, unrolled, distances in Mpc/h"
    )
    return f"{METHOD_NAMES[slice_.method]}: {where}; galaxies within {0.5 * slice_.thickness:g} Mpc/h"


def _is_cone(slice_: SliceLike) -> bool:
    return hasattr(slice_.cut, "dec")


def _aspect(slice_: SliceLike) -> float:
    width, height = slice_.high - slice_.low
    return float(np.clip(height / width, 0.4, 1.3))


def _middle_ra(ra: NDArray[np.float64]) -> float:
    """The right ascension opposite to the widest empty stretch [deg]."""
    if not ra.size:
        return 180.0
    order = np.sort(ra % 360.0)
    gap = np.diff(np.append(order, order[0] + 360.0))
    widest = int(np.argmax(gap))
    return float(order[widest] + 0.5 * gap[widest] + 180.0) % 360.0


def _right_ascensions(limits: tuple[float, float], middle: float) -> list[float]:
    """Places on the page of whole right ascensions, at most nine of them between the limits."""
    low, high = min(limits) + middle, max(limits) + middle
    step = next((step for step in (1, 2, 5, 10, 15, 30) if (high - low) / step <= 8.0), 60)
    first, last = int(np.ceil(low / step)), int(np.floor(high / step))
    return [mark * step - middle for mark in range(first, last + 1)]


def _turn(ra: NDArray[np.float64], middle: float) -> NDArray[np.float64]:
    return (ra - middle + 180.0) % 360.0 - 180.0
