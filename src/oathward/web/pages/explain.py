"""Explain: who may see what of one patient now, by which consent or rule, and why a message was sent, or not.

Rules:
- A number is typed into a form and sent in its body; addresses hold random ids alone. Who finds by number asks the keeper.
- Who is not there and who is not the viewer's look the same: there is no such page.
- Ids, codes and counts; who of the staff cares for the patient is named to who may see people.

Deliberately absent: who the patient is, and anything of a message's content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.explaining import carers, now, past
from oathward.web import seeking
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

WORDS = {
    "permit": ("ok", "Gets"),
    "deny": ("off", "Gets nothing"),
    "indeterminate": ("note", "Held: it cannot be told"),
    "held": ("note", "Held"),
}


def show(view: View) -> Response:
    """Ask for the patient, by subject id or by number."""
    return _asked(view)


def again(view: View) -> Response:
    """Lead back to the form whoever loads an answer of it anew."""
    return view.go("/explain")


def find(view: View) -> Response:
    """Go to the patient of a subject id or a number, or say that there is nobody to go to."""
    return seeking.find(view, "/explain", _asked)


def one(view: View) -> Response:
    """Show who may see what of one patient, what is on record, and where a message is asked about why it was sent."""
    subject = view.part("subject")
    family = now.family_of(view.site, subject)
    active = view.asking.active
    message = view.asked("message")
    return view.page(
        "explain_patient.html",
        carers=carers.carers(view.site, family[0], names=view.may("people.see")),
        message=message,
        past=past.past(view.site, family),
        receives=now.receives(view.site, active, family[0]),
        subject=subject,
        why=past.why(view.site, active, message, family) if message else [],
        words=WORDS,
    )


def _asked(view: View, *, nobody: bool = False, missing: bool = False) -> Response:
    return view.page(
        "explain.html",
        authorities=sorted(view.site.settings.patients.authorities),
        missing=missing,
        nobody=nobody,
        numbers=view.may("patient.find"),
    )


PAGE = Page(
    "Explain",
    (
        Route("/explain", show, action="consent.explain", around=seeking.asking),
        Route("/explain/find", again, action="consent.explain", around=seeking.asking),
        Route("/explain/find", find, "POST", action="consent.explain", around=seeking.asking),
        Route(
            "/explain/{subject}",
            one,
            action="consent.explain",
            thing=named("patient", "subject"),
            around=seeking.about,
        ),
    ),
    group="See",
    key="x",
    order=7,
)
