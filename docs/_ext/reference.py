"""The directives that put what `generated` returns into a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import generated
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from densefog_core.app import App


@cache
def _app() -> App:
    return generated.shipped_app()


PAGES: dict[str, Callable[[], list[str]]] = {
    "hooks": generated.hooks_page,
    "settings": lambda: generated.settings_page(_app()),
    "errors": lambda: generated.errors_page(_app()),
    "commands": lambda: generated.commands_page(_app()),
    "plugins": lambda: generated.plugins_page(_app()),
}


class Page(SphinxDirective):
    """``.. densefog:: hooks`` puts a whole page; ``.. densefog:: names MODULE`` the public names of a module."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the page's nodes."""
        # What the page says changes with the code, which Sphinx does not watch.
        self.env.note_reread()
        kind, *rest = self.arguments
        lines = generated.names_page(*rest) if kind == "names" else PAGES[kind]()
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive; Sphinx calls this."""
    app.add_directive("densefog", Page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
