"""One request as a page or a call of the JSON API sees it: who asks, what they ask, the opened site, and how to answer.

Rules:
- What a page reads comes through a context's ``views``, in one short ``read``.
- ``proof`` is of this request's session alone; it is passed to the keeper and kept nowhere.
- A link or a button is shown where ``may`` says so; a list is cut to what the viewer may see (``makes``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from starlette.responses import HTMLResponse, RedirectResponse, Response

from oathward.core.clock import iso, micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof, service_proof
from oathward.web import security, typed
from oathward.web.calls import JSON, LIMIT

if TYPE_CHECKING:
    from starlette.requests import Request

    from oathward.policy.access import Actor, Thing
    from oathward.vault.keeper.sign_in.visit import Visit
    from oathward.vault.opened import Opened
    from oathward.web.asking import Asking
    from oathward.web.render import Renderer


@dataclass(frozen=True, slots=True)
class View:
    """What a page's function takes.

    Args:
        visit: who is signed in; None on public pages only.
        secret: of the session, for ``proof``.
        form: fields of a POST, the last of each name; ``many`` gives all of one name.
        asking: what this viewer may. body: of a call, as its ``takes`` says. asks: queries of a call, those given.
        peer: the client certificate of the connection, DER; empty without one.
    """

    request: Request
    site: Opened
    render: Renderer
    now: datetime
    visit: Visit | None
    secret: str
    asking: Asking
    fields: tuple[tuple[str, str], ...] = ()
    body: Any = None
    asks: Mapping[str, str] = field(default_factory=dict)
    peer: bytes = b""

    @property
    def now_us(self) -> int:
        """The time of this request in microseconds."""
        return micros(self.now)

    @property
    def person(self) -> str:
        """The name of who is signed in, to be shown; records have ``who``."""
        assert self.visit is not None, "a public page has no person"
        return self.visit.person

    @property
    def who(self) -> str:
        """Who asks, as records have people: by id; by name on a site without people. A name may change, or be two people's."""
        return self.actor.id or self.person

    @property
    def actor(self) -> Actor:
        """Who asks, to the rules."""
        return self.asking.actor

    @property
    def proof(self) -> dict[str, str]:
        """What the keeper wants to see of this person or service."""
        if self.visit is not None and self.visit.kind == "service":
            return service_proof(self.secret)
        return console_proof(self.secret)

    @property
    def origin(self) -> str:
        """The address the request comes from, for records."""
        return self.request.client.host[:64] if self.request.client else ""

    def may(self, action: str, thing: Thing | None = None) -> bool:
        """Say whether the viewer may do something: for links and buttons.

        Args:
            thing: without it, the kind of thing as a whole.
        """
        return self.asking.may(action, thing)

    def leads(self, href: str) -> bool:
        """Say whether the viewer may open an address of this console: for links whose place comes from elsewhere."""
        action = self.render.action_of(href.partition("#")[0].partition("?")[0])
        return action is not None and self.may(action)

    def makes(self, action: str) -> frozenset[str] | None:
        """Say to which products a list is cut, ``Acme`` or ``Acme|Vista 3``; None where it is whole."""
        return None if self.asking.sees_all(action) else self.actor.makes

    @property
    def form(self) -> dict[str, str]:
        """Fields of the form, by name."""
        return dict(self.fields)

    def many(self, name: str) -> list[str]:
        """All values a form has under one name: ticked rows."""
        return [value for key, value in self.fields if key == name]

    def part(self, name: str) -> str:
        """A part of the path.

        Raises:
            InputError: ``not-found``: it does not print. No id is so, and PostgreSQL takes no NUL in a text.
        """
        text = str(self.request.path_params[name])
        if not text.isprintable():
            raise InputError(name, "there is none of this id", reason=Reason.NOT_FOUND)
        return text

    def asked(self, name: str, default: str = "", *, known: Mapping[str, Any] | None = None) -> str:
        """A filter in the address; one that nothing can bear is left out, so that an old link still opens.

        Args:
            known: the words it may have; any where None.
        """
        value = self.request.query_params.get(name, default).strip()[:200]
        return value if value.isprintable() and (known is None or value in known) else default

    def number(self, name: str) -> int | None:
        """A number in the address; None for what is none, or is longer than any there is."""
        text = self.asked(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None

    def link(self, path: str, /, **filters: object) -> str:
        """Write an address; empty filters are left out."""
        query = urlencode({name: str(value) for name, value in filters.items() if value not in (None, "")})
        return f"{path}?{query}" if query else path

    def with_filters(self, /, **changed: object) -> str:
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

    def json(self, value: object, *, status: int = 200) -> Response:
        """Answer a call: a dataclass, or what JSON has."""
        return Response(orjson.dumps(value, default=_plain), status, media_type=JSON)

    @property
    def limit(self) -> int:
        """How many a call's list gives at most."""
        return int(self.asks.get("limit", str(LIMIT)))

    def listed(self, items: Sequence[object], after: object = "") -> Response:
        """Answer a call with a page of a list.

        Args:
            after: what ``after`` of the next page is; empty at the end.
        """
        return self.json({"items": list(items), "next": str(after or "")})

    def signed_in(self, response: Response, secret: str, left_s: int) -> Response:
        """Let the browser keep a session's secret, and say so in the answer."""
        security.put_cookie(response, self.request, secret, left_s)
        return response

    def signed_out(self, response: Response) -> Response:
        """Let the browser forget the session's secret."""
        security.drop_cookie(response, self.request)
        return response

    def why(self, path: str) -> str:
        """Give the words the viewer typed into the form of a path before they had to prove again who they are."""
        return typed.of(self, path)

    def reason(self) -> str:
        """Give the person's words for an action: short, printable, not empty.

        Raises:
            InputError: it is missing or too long.
        """
        return reason_of(self.form.get("reason", ""))


def reason_of(text: str) -> str:
    """Give words that will stand in the ledger: short, printable, not empty.

    Raises:
        InputError: they are missing or too long.
    """
    words = " ".join(text.split())
    if not words or len(words) > _REASON_LENGTH_MAX or not words.isprintable():
        why = f"say why, in 1 to {_REASON_LENGTH_MAX} characters; it goes into the ledger, so no patient data"
        raise InputError("reason", why, reason=Reason.INPUT_INVALID)
    return words


_REASON_LENGTH_MAX = 200
_DIGITS_MAX = 18


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)
