"""Pictures of results: the only home of matplotlib and plotly.

``plot_x(result, *, ax=None) -> Axes`` draws and does nothing else: no fitting, no reading, no saving. What is computed
for display (surfaces, slices, recovery) is a function beside the science. Nothing here touches pyplot, so pictures are made
without a display and leave no global state behind. Import the module you need: :mod:`armillary.plots.voids` (flat
figures), :mod:`armillary.plots.still` (a shaded view without a display) or :mod:`armillary.plots.map3d` (a map to turn).
"""
