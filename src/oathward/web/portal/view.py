"""One request as a page of the portal sees it: who asks, for which patient, in which language, and how to answer.

Rules:
- Nothing that is said stands in code: ``say`` and the templates' ``t`` read it from the texts.
- What a page reads comes through a context's ``views``, in one short ``read``, and of ``seat.subject`` alone.
- ``proof`` is of this request's session alone; it is passed to the keeper and kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, RedirectResponse, Response

from oathward.core.clock import micros
from oathward.vault.keeper.client.portal import holder_proof
from oathward.web.portal import safety

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from oathward.vault.keeper.client.portal import Holder, Seat
    from oathward.vault.opened import Opened
    from oathward.web.portal.in_force import InForce
    from oathward.web.portal.render import Renderer
    from oathward.web.portal.texts import Texts


@dataclass(frozen=True, slots=True)
class View:
    """What a page's function takes.

    Args:
        holder: who is signed in; None on public pages. seat: the patient they look at; None where there is none.
        secret: of the session. before: what the browser holds before somebody is signed in.
        form: fields of a POST, the last of each name. policy: gives the bundle in force.
    """

    request: Request
    site: Opened
    render: Renderer
    texts: Texts
    now: datetime
    holder: Holder | None
    seat: Seat | None
    secret: str = field(repr=False)
    before: str = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    policy: InForce = field(repr=False)

    @property
    def now_us(self) -> int:
        """The time of this request in microseconds."""
        return micros(self.now)

    @property
    def proof(self) -> dict[str, str]:
        """What the keeper wants to see of this holder."""
        return holder_proof(self.secret)

    @property
    def token(self) -> str:
        """What a form of this page carries."""
        return safety.token_of(self.secret or self.before, self.seat.access if self.seat else "")

    @property
    def origin(self) -> str:
        """The address the request comes from, which the keeper counts tries by."""
        return self.request.client.host[:64] if self.request.client else ""

    def say(self, name: str, /, **given: object) -> str:
        """Give a sentence in the viewer's language."""
        return self.texts.say(name, **given)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        return HTMLResponse(self.render.page(template, self, values), status)

    def go(self, path: str) -> Response:
        """Send the browser on, with GET."""
        return RedirectResponse(path, 303)
