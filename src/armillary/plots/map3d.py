"""A map of voids in space to turn, hover and filter, as a plotly figure and as a page that needs no network.

:func:`map_content` draws one mesh for each method and edge flag, so that either can be hidden, and :func:`void_map` makes a
figure of it, for a notebook. :func:`map_html` wraps either in a page with its own controls, and :func:`map_fragment` gives the
same block for use inside a larger page, which carries :func:`plotly_script` once. Pages are made of the content without
plotly, which looks at every property of a figure. Coordinates travel as single precision, face indices in the smallest
integer that holds them.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.errors import InputError
from armillary.model import BoxRegion, VoidCatalog
from armillary.plots.still import SurfaceLike
from armillary.plots.style import EDGE_NAMES, INK, METHOD_NAMES, MUTED, PAPER, RULE, edge_colour

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: What plotly draws: ``data``, a list of traces, and ``layout``, all of plain values and arrays.
Content = Mapping[str, Any]

_FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
#: Edge flags in the order of the legend, and their opacity.
_EDGE_OPACITY: Mapping[int, float] = {0: 1.0, 2: 1.0, 1: 0.35}


@dataclass(frozen=True)
class _Layer:
    """What a trace belongs to: a method and an edge flag, or the galaxies."""

    method: str
    edge: int | None

    def meta(self) -> dict[str, object]:
        return {"method": self.method, "edge": self.edge}


def void_map(
    catalogs: Mapping[str, VoidCatalog], surfaces: Mapping[str, SurfaceLike], galaxies_xyz: ArrayLike | None = None, *,
    max_galaxies: int = 20_000, rng: np.random.Generator | None = None, shown: str | None = None,
) -> go.Figure:
    """The map as a plotly figure; parameters and errors are those of :func:`map_content`."""
    import plotly.graph_objects as go

    return go.Figure(map_content(catalogs, surfaces, galaxies_xyz, max_galaxies=max_galaxies, rng=rng, shown=shown))


def map_content(
    catalogs: Mapping[str, VoidCatalog], surfaces: Mapping[str, SurfaceLike], galaxies_xyz: ArrayLike | None = None, *,
    max_galaxies: int = 20_000, rng: np.random.Generator | None = None, shown: str | None = None,
) -> dict[str, Any]:
    """Void surfaces and galaxies in comoving coordinates, as plotly's ``data`` and ``layout``.

    Parameters
    ----------
    catalogs : voids by method.
    surfaces : their surfaces by method, with ``face_void``; ``outline_surface`` gives light ones.
    galaxies_xyz : (n, 3) Mpc/h.
    max_galaxies : a larger sample is thinned at random to this many, and the legend says so.
    rng : chooses them; a generator with seed 0 when None.
    shown : the method visible at first; the first one when None. The legend or the controls bring in the others.

    Raises
    ------
    InputError
        When a method has no surface, or a surface does not know its voids.
    """
    traces: list[dict[str, Any]] = []
    shown = next(iter(catalogs), None) if shown is None else shown
    for method, catalog in catalogs.items():
        surface = surfaces.get(method)
        if surface is None or surface.face_void is None:
            raise InputError(f"the map needs a surface with face_void for {method}; make one with outline_surface")
        meshes = (_mesh(catalog, surface, edge, visible=method == shown) for edge in (0, 2, 1))
        traces += [mesh for mesh in meshes if mesh is not None]
    if galaxies_xyz is not None and len(galaxies := np.asarray(galaxies_xyz, dtype=np.float32).reshape(-1, 3)):
        traces.append(_galaxy_cloud(galaxies, max_galaxies, np.random.default_rng(0) if rng is None else rng))
    region = next((catalog.region for catalog in catalogs.values() if catalog.region is not None), None)
    if isinstance(region, BoxRegion):
        traces.append(_box_frame(region))
    elif any(catalog.on_sky for catalog in catalogs.values()):
        traces.append(_observer())
    return {"data": traces, "layout": _layout()}


def plotly_script() -> str:
    """The plotly library as one ``<script>`` element; a page needs it once, before any :func:`map_fragment`."""
    return f"<script>{(files('plotly') / 'package_data' / 'plotly.min.js').read_text(encoding='utf-8')}</script>"


def map_fragment(figure: go.Figure | Content, *, element: str = "void-map", scroll_zoom: bool = False) -> str:
    """The map with its controls as an HTML block.

    Parameters
    ----------
    figure : from :func:`map_content` or :func:`void_map`.
    element : id of the block, unique in its page.
    scroll_zoom : let the wheel zoom; off where the wheel should scroll the page (buttons zoom in either case).
    """
    content = figure if isinstance(figure, Mapping) else figure.to_dict()
    traces = content["data"]
    layers = [trace["meta"] for trace in traces]
    methods = list(dict.fromkeys(layer["method"] for layer in layers if layer["edge"] is not None))
    edges = [edge for edge in (0, 2, 1) if any(layer["edge"] == edge for layer in layers)]
    visible = {trace["meta"]["method"] for trace in traces if trace.get("visible", True) is True}
    boxes = [_fieldset("Method", [
        _checkbox("method", method, METHOD_NAMES[method], method in visible, edge_colour(method, 0))
        for method in methods
    ])]
    boxes.append(_fieldset("Edge flag", [_checkbox("edge", str(edge), EDGE_NAMES[edge], True) for edge in edges]))
    others = list(dict.fromkeys((trace["meta"]["method"], trace["name"]) for trace in traces if trace["meta"]["edge"] is None))
    boxes.append(_fieldset("Also", [_checkbox("method", method, name, True) for method, name in others]))
    bare = {"data": traces, "layout": {**content["layout"], "showlegend": False}}
    options = {"displaylogo": False, "responsive": True, "scrollZoom": scroll_zoom, "showSendToCloud": False,
               "plotlyServerURL": "", "modeBarButtonsToRemove": ["tableRotation", "resetCameraLastSave3d"]}
    return Template(_FRAGMENT).substitute(
        element=html.escape(element, quote=True), controls="\n".join(boxes),
        figure=_script_json(json.dumps(bare, default=_typed, separators=(",", ":"))), options=_script_json(json.dumps(options)),
    )


def _typed(array: object) -> dict[str, str]:
    """An array in the form in which plotly takes one in JSON: type, bytes in base 64, and shape when it has rows."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"a map cannot carry a {type(array).__name__}")
    held = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    typed = {"dtype": f"{held.dtype.kind}{held.dtype.itemsize}", "bdata": base64.b64encode(held.tobytes()).decode("ascii")}
    return typed if held.ndim == 1 else {**typed, "shape": ", ".join(map(str, held.shape))}


def map_html(figure: go.Figure | Content, title: str) -> str:
    """The map as a self-contained page: no script, style, font or image comes from anywhere else."""
    return Template(_PAGE).substitute(
        title=html.escape(title), style=MAP_STYLE, font=_FONT, ink=INK, paper=PAPER, library=plotly_script(),
        map=map_fragment(figure, scroll_zoom=True),
    )


def _mesh(catalog: VoidCatalog, surface: SurfaceLike, edge: int, *, visible: bool) -> dict[str, Any] | None:
    face_void = np.asarray(surface.face_void)
    wanted = catalog.edge[face_void] == edge
    if not wanted.any():
        return None
    used, faces = np.unique(surface.faces[wanted], return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.uint16 if used.size <= 65_536 else np.uint32)
    void = np.zeros(len(surface.vertices), dtype=np.int64)
    void[surface.faces[wanted]] = face_void[wanted][:, None]
    void = void[used]
    x, y, z = np.ascontiguousarray(surface.vertices[used].T, dtype=np.float32)
    count = len(np.unique(void))
    name = METHOD_NAMES[catalog.method]
    layer = _Layer(catalog.method, edge)
    return {
        "type": "mesh3d", "x": x, "y": y, "z": z, **{key: faces[:, corner].copy() for corner, key in enumerate("ijk")},
        "color": edge_colour(catalog.method, edge), "opacity": _EDGE_OPACITY[edge], "name": f"{EDGE_NAMES[edge]} ({count:,})",
        "legendgroup": catalog.method, "legendgrouptitle": {"text": f"{name} ({len(catalog):,})"}, "showlegend": True,
        "visible": True if visible else "legendonly", "meta": layer.meta(),
        "customdata": np.column_stack([void, np.round(catalog.r_eff[void], 2)]).astype(np.float32),
        "hovertemplate": (
            f"<b>{name} void %{{customdata[0]:d}}</b><br>R_eff %{{customdata[1]:.1f}} Mpc/h<br>"
            f"edge {edge}: {EDGE_NAMES[edge]}<extra></extra>"
        ),
        "flatshading": False, "lightposition": {"x": -20_000, "y": 10_000, "z": 40_000},
        "lighting": {"ambient": 0.5, "diffuse": 0.65, "specular": 0.12, "roughness": 0.7, "fresnel": 0.1},
    }


def _galaxy_cloud(xyz: NDArray[np.float32], limit: int, rng: np.random.Generator) -> dict[str, Any]:
    name = f"{len(xyz):,} galaxies"
    if len(xyz) > limit:
        name = f"a random {limit:,} of {len(xyz):,} galaxies"
        xyz = xyz[np.sort(rng.choice(len(xyz), limit, replace=False))]
    x, y, z = np.ascontiguousarray(xyz.T)
    return {
        "type": "scatter3d", "x": x, "y": y, "z": z, "mode": "markers", "name": name, "hoverinfo": "skip",
        "marker": {"size": 1.6, "color": INK, "opacity": 0.55, "line": {"width": 0}}, "meta": _Layer("galaxies", None).meta(),
    }


def _box_frame(box: BoxRegion) -> dict[str, Any]:
    ends = [(float(low), float(high)) for low, high in zip(box.low, box.high, strict=True)]
    walk = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1), (0, 0, 1)]
    corners: list[tuple[int, int, int] | None] = [*walk]
    for first, second in ((1, 0), (1, 1), (0, 1)):
        corners += [None, (first, second, 0), (first, second, 1)]
    path = [
        (None,) * 3 if corner is None else tuple(end[side] for end, side in zip(ends, corner, strict=True))
        for corner in corners
    ]
    x, y, z = zip(*path, strict=True)
    return {
        "type": "scatter3d", "x": x, "y": y, "z": z, "mode": "lines", "line": {"color": MUTED, "width": 2}, "name": "box",
        "hoverinfo": "skip", "meta": _Layer("frame", None).meta(),
    }


def _observer() -> dict[str, Any]:
    return {
        "type": "scatter3d", "x": [0.0], "y": [0.0], "z": [0.0], "mode": "markers", "name": "observer",
        "marker": {"size": 5, "color": INK, "symbol": "cross"}, "hovertemplate": "observer<extra></extra>",
        "meta": _Layer("observer", None).meta(),
    }


def _layout() -> dict[str, object]:
    axis = {
        "showbackground": False, "gridcolor": RULE, "zeroline": False, "color": MUTED, "showspikes": False,
        "tickfont": {"size": 10}, "nticks": 6,
    }
    return {
        "template": {}, "paper_bgcolor": PAPER, "font": {"family": _FONT, "color": INK, "size": 12},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "hoverlabel": {"bgcolor": PAPER, "font": {"color": INK}},
        "legend": {"itemsizing": "constant", "groupclick": "toggleitem", "bgcolor": "rgba(255,255,255,0.7)"},
        "scene": {
            "aspectmode": "data", "dragmode": "orbit",
            "camera": {"eye": {"x": 1.3, "y": -1.3, "z": 0.85}, "center": {"x": 0, "y": 0, "z": -0.12}},
            **{f"{name}axis": {**axis, "title": {"text": f"{name} [Mpc/h]"}} for name in "xyz"},
        },
    }


def _fieldset(name: str, entries: list[str]) -> str:
    return f"<fieldset><legend>{name}</legend>{''.join(entries)}</fieldset>" if entries else ""


def _checkbox(kind: str, value: str, label: str, checked: bool, colour: str | None = None) -> str:
    swatch = f'<i style="background:{colour}"></i>' if colour else ""
    return (
        f'<label><input type="checkbox" data-{kind}="{html.escape(value, quote=True)}"{" checked" if checked else ""}>'
        f"{swatch}{html.escape(label)}</label>"
    )


def _script_json(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c")


#: The look of the controls; a page that uses :func:`map_fragment` includes it once.
MAP_STYLE = """
.void-map-controls { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: flex-start; margin: 0 0 .5rem; }
.void-map-controls fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .15rem .9rem; }
.void-map-controls legend { float: left; padding: 0 .9rem 0 0; font-weight: 600; }
.void-map-controls label { display: inline-flex; align-items: center; gap: .35rem; cursor: pointer; }
.void-map-controls i { width: .8rem; height: .8rem; border-radius: 50%; display: inline-block; }
.void-map-controls button { font: inherit; padding: .1rem .6rem; border: 1px solid #b9c0c8; border-radius: .3rem;
  background: #fff; color: #1b2430; cursor: pointer; }
.void-map-canvas { width: 100%; background: #fff; }
"""

_FRAGMENT = """<div class="void-map" id="$element">
<div class="void-map-controls">
$controls
<span><button type="button" data-zoom="0.8" aria-label="zoom in">+</button>
<button type="button" data-zoom="1.25" aria-label="zoom out">&minus;</button>
<button type="button" data-zoom="0">Reset view</button></span>
</div>
<div class="void-map-canvas" role="img" aria-label="Three-dimensional map of the voids; drag to turn it"></div>
<noscript>The map needs JavaScript; everything else on this page does not.</noscript>
<script>
(function () {
  var root = document.getElementById("$element"), canvas = root.querySelector(".void-map-canvas");
  var figure = $figure;
  var start = JSON.parse(JSON.stringify(figure.layout.scene.camera));
  function wanted(kind) {
    var set = {};
    root.querySelectorAll("input[data-" + kind + "]").forEach(function (box) {
      set[box.getAttribute("data-" + kind)] = box.checked;
    });
    return set;
  }
  function visibility() {
    var method = wanted("method"), edge = wanted("edge");
    return figure.data.map(function (trace) {
      return method[trace.meta.method] && (trace.meta.edge === null || edge[trace.meta.edge]);
    });
  }
  var first = visibility();
  figure.data.forEach(function (trace, i) { trace.visible = first[i]; });
  Plotly.newPlot(canvas, figure.data, figure.layout, $options);
  root.querySelectorAll("input").forEach(function (box) {
    box.addEventListener("change", function () { Plotly.restyle(canvas, { visible: visibility() }); });
  });
  root.querySelectorAll("button[data-zoom]").forEach(function (button) {
    button.addEventListener("click", function () {
      var factor = parseFloat(button.getAttribute("data-zoom")), eye = canvas.layout.scene.camera.eye;
      Plotly.relayout(canvas, factor === 0 ? { "scene.camera": JSON.parse(JSON.stringify(start)) }
        : { "scene.camera.eye": { x: eye.x * factor, y: eye.y * factor, z: eye.z * factor } });
    });
  });
})();
</script>
</div>"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; font: 14px/1.45 $font; color: $ink; background: $paper; }
header { padding: .8rem 1rem 0; }
h1 { font-size: 1.15rem; font-weight: 600; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.void-map { flex: 1; display: flex; flex-direction: column; padding: 0 1rem .5rem; min-height: 420px; }
.void-map-canvas { flex: 1; min-height: 320px; }
$style
</style>
</head>
<body>
<header><h1>$title</h1></header>
$library
$map
</body>
</html>
"""
