"""Wrong patient: device data that went out under a patient they were not of; which messages, who got them, what came of it.

Rules:
- Patients stand here as random ids; whose the data really are can be left open.
- Who got what is read from the ledger each time.

Deliberately absent: content, and telling recipients.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.disclosures import actions, views
from oathward.disclosures.model import Settled, Told
from oathward.patients import views as patients
from oathward.people import views as people
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from oathward.web.view import View

SHOWN_MAX = 200
STATES = {"waiting": "To settle", "settled": "Settled"}
OUTCOMES = {
    Settled.CORRECTED.value: "Corrected: whoever got it was told and holds it no longer under this patient",
    Settled.UNCORRECTED.value: "Not corrected: somebody still holds it under this patient",
    Settled.NOT_SO.value: "Not so: the data were this patient's",
}
CONFIRM = "confirm"
SUSPICIONS = {
    CONFIRM: "It is so: the data are not this patient's",
    Settled.NOT_SO.value: "Not so: the data were this patient's",
}
LEVELS = {"corrected": "ok", "uncorrected": "bad", "not-so": "off"}
TOLD = {
    Told.STAFF.value: "staff reported it",
    Told.CORRECTION.value: "the device took it back",
    Told.SUSPECTED.value: "suspected: ADT says that another patient lay in that bed",
    Told.CONFIRMED.value: "another patient lay in that bed, and a person confirmed it",
}


def show(view: View) -> Response:
    """List them, and the form to report one."""
    return _listed(view)


def report(view: View) -> Response:
    """Report one."""
    form, site = {name: value.strip()[:64] for name, value in view.form.items()}, view.site
    try:
        period = _time(form.get("from", "")), _time(form.get("until", ""))
        other = form.get("other", "")
        with read(site.engine) as db:
            if other and not patients.exists(db, site.site, other):
                raise InputError("other", "there is no such patient")
        with write(site.engine) as db:
            row = actions.report(
                *(db, site.site),
                device=form.get("device", ""),
                subject=form.get("subject", ""),
                other=other,
                period=period,
                by=_who(view),
                now_us=view.now_us,
            )
    except InputError as error:
        return _listed(view, wrong=f"{error.where}: {error.why}", status=400)
    return view.go(f"/wrong-patient/{row.id}")


def one(view: View) -> Response:
    """Show one with its messages and who got them."""
    site = view.site
    with read(site.engine) as db:
        row = views.one(db, site.site, view.part("disclosure")[:64])
        if row is None:
            raise InputError("disclosure", "there is none of this id", reason=Reason.NOT_FOUND)
        went = views.reached(db, site.site, row)
        names = people.names(db, site.site, {row.by, row.settled_by} - {""})
    active = view.asking.active
    links = active.bundle.links if active else {}
    recipients = {id_: links[id_].recipient for id_ in went.links if id_ in links}
    return view.page(
        "disclosure.html",
        levels=LEVELS,
        names=names,
        one=row,
        answers=SUSPICIONS if row.told is Told.SUSPECTED else OUTCOMES,
        outcomes=OUTCOMES,
        recipients=recipients,
        shown=went.messages[:SHOWN_MAX],
        told=TOLD,
        went=went,
    )


def settle(view: View) -> Response:
    """Say what it came to, or that what was suspected is so."""
    id_ = view.part("disclosure")[:64]
    with write(view.site.engine) as db:
        if view.form.get("outcome") == CONFIRM:
            actions.confirm(db, view.site.site, id_, by=_who(view), now_us=view.now_us)
            return view.go(f"/wrong-patient/{id_}")
        actions.settle(
            *(db, view.site.site, id_),
            outcome=view.form.get("outcome", ""),
            by=_who(view),
            now_us=view.now_us,
        )
    return view.go(f"/wrong-patient/{id_}")


def _listed(view: View, *, wrong: str = "", status: int = 200) -> Response:
    state = view.asked("state", "waiting", known=STATES)
    with read(view.site.engine) as db:
        rows = views.listed(db, view.site.site, settled=state == "settled")
        waiting, overdue = views.waiting(db, view.site.site, view.now_us)
    return view.page(
        "disclosures.html",
        status=status,
        given=view.form,
        levels=LEVELS,
        overdue=overdue,
        rows=rows,
        state=state,
        states=STATES,
        told=TOLD,
        waiting=waiting,
        wrong=wrong,
    )


def _who(view: View) -> str:
    return view.who


def _time(text: str) -> int:
    try:
        return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InputError("from, until", "a day and time, in UTC") from error


PAGE = Page(
    "Wrong patient",
    (
        Route("/wrong-patient", show, action="disclosures.see"),
        Route("/wrong-patient", report, "POST", action="disclosures.change"),
        Route("/wrong-patient/{disclosure}", one, action="disclosures.see", thing=named("area")),
        Route(
            "/wrong-patient/{disclosure}", settle, "POST", action="disclosures.change", thing=named("area")
        ),
    ),
    group="Respond",
    key="k",
    order=40,
)
