"""How the documentation is built: Sphinx, MyST Markdown, the PyData theme. No step needs the network."""

import sys
from pathlib import Path

import armillary

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Armillary"
author = "The Armillary developers"
copyright = "2026, The Armillary developers"  # noqa: A001 (Sphinx reads this name)
release = version = armillary.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "docstrings",
    "mathml",
    "surface",
]
exclude_patterns = ["_build", "pictures", "benchmarks_table.md", "tessellation_table.md"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give meaning, unit and shape, which the annotations do not
autodoc_default_options = {"members": True}

html_theme = "pydata_sphinx_theme"
html_title = f"Armillary {release}"
html_static_path = ["_static"]
html_css_files = ["armillary.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {name: [] for name in ("index", "definitions", "validation", "benchmarks", "architecture", "changelog",
                                       "contributing", "tutorial/*")}
html_theme_options = {
    "show_nav_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
pygments_style = "friendly"
