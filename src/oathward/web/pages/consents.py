"""Consents: what patients said, by state; what one patient said, with its versions; what came as messages and waits.

Rules:
- The list is for who may see all patients; whoever sees those in their care alone has the form, and is asked about each.
- A number is typed into a form and sent in its body; addresses hold random ids alone.
- A row of the list is a hint; one patient's page verifies every version.
- Who waits is named by the random id of a message. Dismissing lifts what pends, so it takes a reason, and is on record.

Deliberately absent: who the patient is; signing. The console has no consent signed: what a patient says is entered at the
command line or by the patient, and what arrived is imported there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from oathward.consent import actions, listing, views
from oathward.consent.listing import STATES
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.explaining import now, said
from oathward.people import views as people
from oathward.policy.access import Permitted, Thing
from oathward.web import seeking
from oathward.web.caring import PURPOSES
from oathward.web.page import Page, Route, named
from oathward.web.pages.portal_access import BASES

if TYPE_CHECKING:
    from oathward.consent.fhir.r5 import Edition
    from oathward.web.view import View

ROWS = 50
EDITIONS: dict[str, Edition] = {"r4": "r4", "r5": "r5"}
WORDS = {
    "stands": ("ok", "stands"),
    "soon": ("note", "ends soon"),
    "ended": ("off", "ended"),
    "contradictory": ("bad", "contradictory"),
    "unsure": ("bad", "cannot be verified"),
}
KINDS = {
    "use": "Uses besides care",
    "care": "Care, where an objection counts",
    "law": "Where the law leaves no choice",
}
CHOICES = {"allowed": ("ok", "allowed"), "not-allowed": ("off", "not allowed"), "partly": ("note", "partly")}


def show(view: View) -> Response:
    """List patients who said something, and ask for one."""
    return _listed(view)


def again(view: View) -> Response:
    """Lead back to the form whoever loads an answer of it anew."""
    return view.go("/consents")


def find(view: View) -> Response:
    """Go to the patient of a subject id or a number, or say that there is nobody to go to."""
    return seeking.find(view, "/consents", _listed)


def one(view: View) -> Response:
    """Show what one patient said."""
    family = now.family_of(view.site, view.part("subject"))
    told = said.said(view.site, view.asking.active, family)
    with read(view.site.engine) as db:
        names = people.names(db, view.site.site, {version.by for version in told.versions})
    return view.page(
        "consents_patient.html",
        bases=BASES,
        choices=CHOICES,
        kinds=KINDS,
        names=names,
        purposes=PURPOSES,
        said=told,
        subject=view.part("subject"),
    )


def fhir(view: View) -> Response:
    """Give what stands of one patient as FHIR Consents: a file."""
    subject = view.part("subject")
    family = now.family_of(view.site, subject)
    edition = view.asked("edition", "r4", known=EDITIONS)
    body = said.as_fhir(view.site, family, EDITIONS[edition])
    name = f'attachment; filename="consents-{subject}-{edition}.json"'
    data = orjson.dumps(body, option=orjson.OPT_INDENT_2)
    return Response(data, media_type="application/fhir+json", headers={"Content-Disposition": name})


def arrived(view: View) -> Response:
    """List Consents that came as messages and wait for a person."""
    with read(view.site.engine) as db:
        count, rows = views.arrivals(db, view.site.site, limit=ROWS + 1, after=_place(view.asked("after")))
    more = f"{rows[ROWS - 1].at_us}.{rows[ROWS - 1].message}" if len(rows) > ROWS else ""
    return view.page(
        "consents_arrived.html", after=more, count=count, rows=[said.waits(row) for row in rows[:ROWS]]
    )


def dismiss(view: View) -> Response:
    """Say of Consents that came as a message that they are not to be in force."""
    settle(view, view.part("message"), view.reason())
    return view.go("/consents/arrived")


def settle(view: View, message: str, reason: str) -> None:
    """Dismiss an arrival.

    Raises:
        InputError: ``not-found``: none of this message waits; ``access.role``: this session is for looking only.
    """
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    with write(view.site.engine) as db:
        by = {"by": view.who, "reason": reason}
        actions.settle(db, view.site.site, message, state="dismissed", **by, now_us=view.now_us)


def sees_all(view: View) -> bool:
    """Say whether the viewer may see what all patients said, and not those in their care alone."""
    purpose = view.asking.around.purpose
    alone = view.asking.opening(purpose, relation=False)
    return isinstance(alone.answer("consents.see", Thing("patient")), Permitted)


def _listed(view: View, *, nobody: bool = False, missing: bool = False) -> Response:
    state = view.asked("state", known=STATES)
    every = sees_all(view)
    found, count, waiting = listing.Listed((), ""), 0, 0
    if every:
        by = {"now_us": view.now_us}
        with read(view.site.engine) as db:
            site = view.site.site
            found = listing.page(db, site, state, **by, after=view.asked("after"), limit=ROWS)
            count = listing.count(db, site, state, **by)
            waiting = views.arrivals_count(db, site)
    return view.page(
        "consents.html",
        authorities=sorted(view.site.settings.patients.authorities),
        count=count,
        counted_max=listing.COUNTED_MAX,
        every=every,
        found=found,
        missing=missing,
        nobody=nobody,
        numbers=view.may("patient.find"),
        state=state,
        states=STATES,
        waiting=waiting,
        words=WORDS,
    )


def everybody(view: View) -> tuple[str, bool]:
    """For what is about no patient in particular: whose care they are in counts for nobody."""
    return seeking.asking(view)[0], False


def _place(after: str) -> tuple[int, str] | None:
    number, _, message = after.partition(".")
    return (int(number), message) if number.isascii() and number.isdigit() and len(number) < 20 else None


PAGE = Page(
    "Consents",
    (
        Route("/consents", show, action="consents.see", around=seeking.asking),
        Route("/consents/find", again, action="consents.see", around=seeking.asking),
        Route("/consents/find", find, "POST", action="consents.see", around=seeking.asking),
        Route("/consents/arrived", arrived, action="consents.see", around=everybody),
        Route(
            "/consents/arrived/{message}/dismiss",
            dismiss,
            "POST",
            action="consent.change",
            thing=named("patient"),
        ),
        Route(
            "/consents/{subject}",
            one,
            action="consents.see",
            thing=named("patient", "subject"),
            around=seeking.about,
        ),
        Route(
            "/consents/{subject}/fhir",
            fhir,
            action="consents.see",
            thing=named("patient", "subject"),
            around=seeking.about,
        ),
    ),
    group="See",
    key="s",
    order=6,
)
