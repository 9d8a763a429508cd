"""How the documentation is built: ``make docs``."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "densefog"
author = "The densefog maintainers"
copyright = author
release = metadata.version("densefog")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_ext"]
# The house style writes `name` for a Python name of densefog.
default_role = "py:obj"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# SQLAlchemy's own attributes have docstrings that refer to its documentation.
autodoc_default_options = {"members": True, "exclude-members": "metadata, registry"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"densefog {release}"
html_static_path = ["_static"]
html_css_files = ["densefog.css"]
html_show_copyright = False
html_copy_source = False
pygments_style = "default"
