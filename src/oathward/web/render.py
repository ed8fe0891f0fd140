"""Templates: Jinja with escaping always on, and what every page is given beside its own values.

Rules:
- A name a template asks for and nobody gave is an error, not an empty place.
- Script and style are named with a digest of their content; where they were not built, pages do without.

Deliberately absent: ``|safe`` and ``Markup`` (a test looks), and reading from anywhere but the view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.routing import compile_path

from oathward import __version__
from oathward.core.clock import iso
from oathward.core.sizes import size
from oathward.web import words
from oathward.web.page import GROUPS, Page
from oathward.web.security import token_of

if TYPE_CHECKING:
    from oathward.web.view import View

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
TYPES = {
    "console.js": "text/javascript",
    "console.css": "text/css",
    "icon.svg": "image/svg+xml; charset=utf-8",
}
THEME_COOKIE = "oathward_theme"
THEMES = ("light", "dark")

log = structlog.get_logger()


class Renderer:
    """Renders pages of one site."""

    def __init__(self, site: str, pages: list[Page]) -> None:
        self.static = _static()
        self._actions = [
            (compile_path(route.path)[0], route.action)
            for page in pages
            for route in page.routes
            if route.method == "GET" and not route.public
        ]
        self.version = hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "site_name": site,
            "version": __version__,
            "menu": partial(_menu, pages),
            "assets": {name: f"/static/{self.version}/{name}" for name in self.static},
            "age": words.age,
            "at": words.at,
            "exact": words.exact,
            "iso": iso,
            "meaning": words.meaning,
            "number": words.number,
            "plural": words.plural,
            "short": words.short,
            "size": size,
            "span": words.span,
            "whole_span": words.whole_span,
        }

    def action_of(self, path: str) -> str | None:
        """Name the action of the page at an address; None where there is none."""
        return next((action for address, action in self._actions if address.match(path)), None)

    def page(self, template: str, view: View, values: Mapping[str, Any]) -> str:
        """Render a whole page."""
        return self._environment.get_template(template).render(self._shared(view), **values)

    def piece(self, template: str, view: View, values: Mapping[str, Any]) -> str:
        """Render a piece of one."""
        return self.page(template, view, values)

    def _shared(self, view: View) -> dict[str, Any]:
        theme = view.request.cookies.get(THEME_COOKIE, "")
        return {
            "view": view,
            "now": view.now,
            "here": view.request.url.path,
            "theme": theme if theme in THEMES else "",
            "token": token_of(view.secret) if view.secret else "",
        }


def _menu(pages: list[Page], view: View) -> list[tuple[str, list[Page]]]:
    """Give the navigation: pages this viewer may open, by group."""
    open_to = [page for page in pages if page.group and view.may(page.routes[0].action)]
    groups = [(group, [page for page in open_to if page.group == group]) for group in GROUPS]
    return [(group, found) for group, found in groups if found]


def _static() -> dict[str, bytes]:
    """Read the built assets; those that are not there are told once."""
    found = {name: (STATIC / name).read_bytes() for name in TYPES if (STATIC / name).is_file()}
    if len(found) < len(TYPES):
        log.warning("console assets missing", count=len(TYPES) - len(found))
    return found
