"""One look for every figure: a colour for each method, quiet axes, and figures that need no display.

The colours are three of Okabe & Ito (2008) and one of Tol (2021), which remain distinct with the common colour
deficiencies.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

INK = "#1b2430"
MUTED = "#68727f"
RULE = "#d5dae0"
PAPER = "#ffffff"

#: The colour of each method, everywhere.
METHOD_COLOURS: Mapping[str, str] = MappingProxyType(
    {"voidfinder": "#0072b2", "vide": "#d55e00", "zobov": "#009e73", "revolver": "#882255"}
)
METHOD_NAMES: Mapping[str, str] = MappingProxyType(
    {"voidfinder": "VoidFinder", "vide": "VIDE", "zobov": "ZOBOV", "revolver": "REVOLVER"}
)
METHOD_MARKERS: Mapping[str, str] = MappingProxyType({"voidfinder": "o", "vide": "s", "zobov": "^", "revolver": "D"})
#: The three values of the edge flag.
EDGE_NAMES: Mapping[int, str] = MappingProxyType(
    {0: "interior", 1: "touches the edge", 2: "within 10 Mpc/h of the edge"}
)
#: How far the method's colour is mixed with paper for each edge flag.
EDGE_TINTS: Mapping[int, float] = MappingProxyType({0: 0.0, 2: 0.35, 1: 0.6})

_TEXT = 9.0
_MARGIN = 0.08  # inches around a figure


def tint(colour: str, amount: float, *, towards: str = PAPER) -> str:
    """Mix ``colour`` with ``towards``: 0 leaves it, 1 replaces it. Returns ``#rrggbb``."""
    red, green, blue = ((1.0 - amount) * a + amount * b for a, b in zip(to_rgb(colour), to_rgb(towards), strict=True))
    return to_hex((red, green, blue))


def edge_colour(method: str, edge: int) -> str:
    """The colour of voids of a method with an edge flag: full in the interior, paler near the edge."""
    return tint(METHOD_COLOURS[method], EDGE_TINTS[edge])


def new_figure(width: float = 6.4, height: float = 4.0) -> Figure:
    """An empty figure of ``width`` by ``height`` inches with its own canvas, independent of any display."""
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def own_axes(ax: Axes | None, *, width: float = 6.4, height: float = 4.0, whole: bool = False) -> Axes:
    """The axes to draw on: the given ones, or those of a new figure, on request over the whole of it (see :func:`bare`)."""
    if ax is not None:
        return ax
    figure = new_figure(width, height)
    if not whole:
        return figure.add_subplot()
    figure.set_layout_engine(None)
    return figure.add_axes((0.01, 0.01, 0.98, 0.98))


def quiet(ax: Axes, *, grid: bool = True) -> Axes:
    """Take away what carries no information: two spines, tick marks, dark grid lines."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(RULE)
    ax.tick_params(which="both", color=RULE, labelcolor=MUTED, labelsize=_TEXT, length=3)
    ax.xaxis.label.set(color=INK, size=_TEXT + 1)
    ax.yaxis.label.set(color=INK, size=_TEXT + 1)
    ax.title.set(color=INK, size=_TEXT + 2)
    if grid:
        ax.set_axisbelow(True)
        ax.grid(True, color=RULE, linewidth=0.6, alpha=0.7)
    return ax


def bare(ax: Axes, title: str, *, size: float) -> Axes:
    """No axes at all, only a title; without ticks and with the title in its place there is little to lay out."""
    ax.set_axis_off()
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title, color=INK, size=size, loc="left", y=1.0)
    return ax


def legend(ax: Axes, **options: Any) -> None:
    """A legend without a box, in small type."""
    ax.legend(frameon=False, fontsize=_TEXT, labelcolor=INK, **options)


def figure_bytes(figure: Figure, kind: str = "svg", *, dpi: int = 200) -> bytes:
    """The figure as an SVG or PNG file in memory; the same figure always gives the same bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata: dict[str, str | None] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "armillary", "svg.fonttype": "path"}):
        box = _settled(figure, dpi)
        # A lower level takes half the time and a few per cent more room.
        how: dict[str, Any] = {} if kind == "svg" else {"pil_kwargs": {"compress_level": 3}}
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, bbox_inches=box, pad_inches=_MARGIN, **how)
    return buffer.getvalue()


def _settled(figure: Figure, dpi: int) -> Bbox | str:
    """Lay the figure out and return what it covers [inches]; ``savefig`` would draw it once more for that."""
    canvas = figure.canvas
    if not figure.axes or not isinstance(canvas, FigureCanvasAgg):
        return "tight"
    figure.set_dpi(dpi)
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    return figure.get_tightbbox(canvas.get_renderer()).padded(_MARGIN)


def data_uri(figure: Figure, kind: str = "svg", *, dpi: int = 200) -> str:
    """The figure as a ``data:`` address that an HTML page can carry inside itself."""
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(figure_bytes(figure, kind, dpi=dpi)).decode('ascii')}"
