"""Who may see what of one patient, and why a message was sent or not, by the API; what the page Explain shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.explaining import carers, now, past
from oathward.explaining.carers import Carers
from oathward.explaining.now import Receives
from oathward.explaining.past import Past, Why
from oathward.web.calls import Call
from oathward.web.page import Route, named
from oathward.web.seeking import about

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ExplanationOut:
    """One patient: who gets what now, who of the staff cares for them, what the ledger says was decided."""

    subject: str
    receives: list[Receives]
    carers: Carers
    past: Past


@dataclass(frozen=True, slots=True)
class WhyOut:
    """One message: for each link why it was sent on it, or not."""

    message: str
    why: list[Why]


def patient(view: View) -> Response:
    """Say who may see what of a patient now."""
    site, subject = view.site, view.part("subject")
    family = now.family_of(site, subject)
    return view.json(
        ExplanationOut(
            subject,
            now.receives(site, view.asking.active, family[0]),
            carers.carers(site, family[0], names=view.may("people.see")),
            past.past(site, family),
        )
    )


def message(view: View) -> Response:
    """Say why a message of a patient was sent, or not."""
    family = now.family_of(view.site, view.part("subject"))
    id_ = view.part("message")
    return view.json(WhyOut(id_, past.why(view.site, view.asking.active, id_, family)))


API = (
    Route(
        "/api/v1/explain/{subject}",
        patient,
        action="consent.explain",
        thing=named("patient", "subject"),
        around=about,
        api=True,
        call=Call(gives=ExplanationOut),
    ),
    Route(
        "/api/v1/explain/{subject}/messages/{message}",
        message,
        action="consent.explain",
        thing=named("patient", "subject"),
        around=about,
        api=True,
        call=Call(gives=WhyOut),
    ),
)
