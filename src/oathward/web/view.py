"""One request as a page sees it: who asks, what they ask, the opened site, and how to answer.

Rules:
- What a page reads comes through a context's ``views``, in one short ``read``.
- ``proof`` is of this request's session alone; it is passed to the keeper and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof

if TYPE_CHECKING:
    from starlette.requests import Request

    from oathward.vault.keeper.client import Visit
    from oathward.vault.opened import Opened
    from oathward.web.render import Renderer


@dataclass(frozen=True, slots=True)
class View:
    """What a page's function takes.

    Args:
        visit: who is signed in; None on public pages only.
        secret: of the session, for ``proof``.
        form: fields of a POST, the last of each name; ``many`` gives all of one name.
    """

    request: Request
    site: Opened
    render: Renderer
    now: datetime
    visit: Visit | None
    secret: str
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def now_us(self) -> int:
        """The time of this request in microseconds."""
        return micros(self.now)

    @property
    def person(self) -> str:
        """Who is signed in."""
        assert self.visit is not None, "a public page has no person"
        return self.visit.person

    @property
    def proof(self) -> dict[str, str]:
        """What the keeper wants to see of this person."""
        return console_proof(self.secret)

    @property
    def form(self) -> dict[str, str]:
        """Fields of the form, by name."""
        return dict(self.fields)

    def many(self, name: str) -> list[str]:
        """All values a form has under one name: ticked rows."""
        return [value for key, value in self.fields if key == name]

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def asked(self, name: str, default: str = "", *, known: Mapping[str, Any] | None = None) -> str:
        """A filter in the address; one that nothing can bear is left out, so that an old link still opens.

        Args:
            known: the words it may have; any where None.
        """
        value = self.request.query_params.get(name, default).strip()[:200]
        return value if value.isprintable() and (known is None or value in known) else default

    def link(self, path: str, **filters: object) -> str:
        """Write an address; empty filters are left out."""
        query = urlencode({name: str(value) for name, value in filters.items() if value not in (None, "")})
        return f"{path}?{query}" if query else path

    def with_filters(self, **changed: object) -> str:
        """Write this page's address with other filters."""
        return self.link(self.request.url.path, **{**dict(self.request.query_params), **changed})

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        return HTMLResponse(self.render.page(template, self, values), status)

    def piece(self, template: str, **values: Any) -> Response:
        """Answer with a piece of a page, which an open page puts in its place."""
        return HTMLResponse(self.render.piece(template, self, values))

    def go(self, path: str) -> Response:
        """Send the browser on, with GET."""
        return RedirectResponse(path, 303)

    def reason(self) -> str:
        """Give the person's words for an action: short, printable, not empty.

        Raises:
            InputError: it is missing or too long.
        """
        words = " ".join(self.form.get("reason", "").split())
        if not words or len(words) > _REASON_LENGTH_MAX or not words.isprintable():
            why = f"say why, in 1 to {_REASON_LENGTH_MAX} characters; it goes into the ledger, so no patient data"
            raise InputError("reason", why, reason=Reason.INPUT_INVALID)
        return words


_REASON_LENGTH_MAX = 200
