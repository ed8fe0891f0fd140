"""Home, in three sentences: whose data this is, how many places may get what devices send, what the viewer may do.

Rules:
- The patient somebody looks at is one of those they may see now; choosing another writes nothing but this browser's
  cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web.portal import safety
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.portal.view import View


def _home(view: View) -> Response:
    seats = view.holder.seats if view.holder else ()
    return view.page("home.html", seats=list(enumerate(seats, 1)), places=_places(view))


def _places(view: View) -> int:
    """Count the recipients of the policy in force; what this site keeps for itself is none."""
    bundle = view.policy.now()
    if bundle is None:
        return 0
    return len({link.recipient for link in bundle.links.values() if link is not bundle.keep})


def _patient(view: View) -> Response:
    assert view.holder is not None, "the frame lets nobody else here"
    chosen = view.form.get("access", "")
    if chosen not in {seat.access for seat in view.holder.seats}:
        raise InputError(reason=Reason.NOT_FOUND)
    answer = view.go("/")
    safety.keep(answer, view.request, safety.PATIENT, chosen)
    return answer


PAGE = Page(
    "home.title",
    (Route("/", _home, "signed-in"), Route("/patient", _patient, "signed-in", "POST")),
    order=10,
)
