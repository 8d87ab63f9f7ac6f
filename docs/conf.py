"""Sphinx: the pages of this folder as a static site that needs nothing from the net. Built by `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tools"))

from babelbatch import __version__

project = "babelbatch"
author = "the babelbatch authors"
copyright = "the babelbatch authors, Apache-2.0"  # Sphinx's name for it
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "plain_docstrings"]
exclude_patterns = ["_build", "tools", "study/**"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3  # links to headings, as GitHub has them

suppress_warnings = ["ref.python"]  # a type in a signature whose name two modules have: it links to one of them

html_theme = "furo"
html_title = f"babelbatch {__version__}"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False}
highlight_language = "none"  # of blocks that do not name one
pygments_style = "friendly"
pygments_dark_style = "github-dark"

autodoc_inherit_docstrings = False  # those of Lightning and torch are in a markup of their own
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
