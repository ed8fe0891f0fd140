"""Templates of the portal: Jinja with escaping always on, every word from the texts.

Rules:
- ``t("home.title")`` is the only way to say something. Its id is written out where it stands, so that an id nobody wrote
  is an error when the portal is made, and not on a patient's page.
- A name a template asks for and nobody gave is an error, not an empty place.
- Style is named with a digest of its content.

Deliberately absent: script (but on the page that makes a passkey), ``|safe`` and ``Markup`` (a test looks).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes

from oathward.core.clock import from_micros
from oathward.core.errors import SettingsError
from oathward.web.portal import texts
from oathward.web.render import HERE, STATIC

if TYPE_CHECKING:
    from oathward.web.portal.page import Page
    from oathward.web.portal.texts import Texts
    from oathward.web.portal.view import View

FOLDER = HERE / "templates" / "portal"
TYPES = {
    "portal.css": "text/css",
    "portal.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml; charset=utf-8",
}


class Renderer:
    """Renders the portal's pages of one site.

    Raises:
        SettingsError: a template or page names a sentence that is not written.
    """

    def __init__(
        self, site: str, pages: list[Page], languages: Mapping[str, Texts], zone: tzinfo = UTC
    ) -> None:
        self.languages, self._pages, self._zone = languages, pages, zone
        self.static = {name: (STATIC / name).read_bytes() for name in TYPES if (STATIC / name).is_file()}
        self.version = hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "site_name": site,
            "assets": {name: f"/static/{self.version}/{name}" for name in self.static},
            "at": self.at,
        }
        texts.check_named(languages[texts.FIRST], self._named())

    def at(self, at_us: int) -> datetime:
        """Give a moment in the zone whose times the pages tell."""
        return from_micros(at_us).astimezone(self._zone)

    def page(self, template: str, view: View, values: Mapping[str, Any]) -> str:
        """Render a whole page."""
        shared = {
            "view": view,
            "t": view.texts.say,
            "token": view.token,
            "here": view.request.url.path,
            "languages": self.languages,
            "menu": self._menu(view),
        }
        return self._environment.get_template(template).render(shared, **values)

    def _menu(self, view: View) -> list[Page]:
        """Give the pages this holder may open for this patient."""
        scope = view.seat.scope if view.seat else frozenset()
        may = {"signed-in"} | scope if view.holder else set()
        return [page for page in self._pages if page.order and page.routes[0].needs in may]

    def _named(self) -> Iterator[str]:
        """List every sentence that pages and templates name."""
        for page in self._pages:
            yield from (page.title, *page.says)
        for path in sorted(FOLDER.glob("*.html")):
            yield from named(self._environment, path.read_text(encoding="utf-8"), path.name)


def named(environment: Environment, source: str, where: str) -> Iterator[str]:
    """List the sentences a template names.

    Raises:
        SettingsError: one is not written out where it stands, and is not a page's title.
    """
    for call in environment.parse(source).find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name != "t":
            continue
        match call.args:
            case [nodes.Const(value=str(name))]:
                yield name
            case [nodes.Getattr(node=nodes.Name(name="page"), attr="title")]:
                pass  # of the menu: listed above
            case _:
                raise SettingsError(f"{where}:{call.lineno}", "write the sentence's id out")
