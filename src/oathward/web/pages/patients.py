"""Patients: whom one cares for, one patient by number, and what devices told of them lately.

Rules:
- A number is typed into a form and sent in its body; addresses hold the random subject alone.
- Who is not cared for, who never was and who is no longer look the same: there is no such page.
- Who a patient is stands on the sealed card; only where there is none, in the newest message.
- Where something is withheld the page says so, and neither what, nor how much, nor since when: no counts, no gaps.
- What was opened is read here, in memory, and is gone with the answer; the keeper recorded who opened it and why.
- An open page asks every two seconds whether its viewer still cares; where not, it forgets what it shows. That asking is
  no use of the session and opens nothing.

Deliberately absent: search by name; any value in an address, a log or an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.bedside import card, reading, trend
from oathward.bedside import picture as bedside
from oathward.bedside.picture import Called, Row, Told
from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.messages import views
from oathward.policy.access import Thing
from oathward.policy.glass import REASONS
from oathward.vault import care, kept
from oathward.web import caring, glass
from oathward.web.page import Page, Route
from oathward.web.view import View
from oathward.withholding import withheld

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oathward.vault.keeper.original import Original

MESSAGES_MAX = 200
MINE_MAX = 500
WARD_MAX = 60
HOURS = {"1": "1 hour", "4": "4 hours", "8": "8 hours", "24": "1 day", "72": "3 days"}
STILL_S = 2
"""How often an open page asks whether it may stay."""

BASES = {
    "attending": "you attend them",
    "unit": "they are at your unit",
    "shift": "they are at the unit of your shift",
    "assignment": "they are assigned to you",
    "emergency": "you reached them in an emergency",
}
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a code, and its trend over the span that is shown."""

    row: Row
    trend: trend.Drawn | None

    @property
    def unit(self) -> str:
        """The unit of the latest value, as a device's screen has it."""
        return bedside.unit_words(self.row.latest.unit)


def show(view: View) -> Response:
    """List whom the viewer cares for, and the form to find one patient."""
    return _listed(view)


def again(view: View) -> Response:
    """Lead back to the form whoever loads an answer of it anew: a number stands in no address."""
    return view.go("/patients")


def find(view: View) -> Response:
    """Go to the patient of a number, or say that there is nobody of that number to go to."""
    number, authority = view.form.get("number", "").strip(), view.form.get("authority", "").strip()
    purpose = caring.purpose(view, "patient.find")
    if not number or len(number) > 100 or not number.isprintable() or not authority:
        return _listed(view, missing=True)
    try:
        found = view.site.keeper.patients.find(Phi(number), authority[:200], "MR", purpose, view.proof)
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page("patient_limit.html", status=429)
    return view.go(f"/patients/{found}") if found else _listed(view, nobody=True)


def names(view: View) -> Response:
    """List whom the viewer cares for by name: opens the card of each, or the newest message, on record."""
    purpose = caring.purpose(view, "patient.open")
    listed = [subject for subject, _ in caring.mine(view, WARD_MAX)]
    try:
        opened = view.site.keeper.patients.open_ward(listed, purpose, view.proof) if listed else ()
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page("patient_limit.html", status=429)
    newest = _newest_us(view, [original.subject for original in opened])
    called = {one.subject: (_called(one), newest.get(one.subject, 0)) for one in opened}
    return _listed(view, called=called)


def one(view: View) -> Response:
    """Show what devices told of one patient lately."""
    subject, purpose = view.part("subject"), caring.purpose(view, "patient.open")
    hours = view.asked("hours", "8", known=HOURS)
    from_us = view.now_us - int(hours) * _HOUR_US
    try:
        opened = view.site.keeper.patients.open(
            subject, views.from_time(from_us), MESSAGES_MAX, purpose, view.proof
        )
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page("patient_limit.html", status=429)
    told = read_all(opened.originals)
    rows = bedside.rows(told.readings, _devices(view, opened.originals), view.now_us)
    oldest_us = views.time_of(opened.originals[0].message) if opened.more and opened.originals else from_us
    since_us = trend.since_us([row.points for row in rows], from_us, view.now_us)
    return view.page(
        "patient.html",
        alarms=bedside.alarms(told.alarms),
        bases=BASES,
        called=(_called(opened.card) if opened.card else None) or told.called,
        from_us=max(from_us, oldest_us),
        gaps=bedside.gaps(rows),
        glass=glass.of_patient(view, subject),
        hours=hours,
        lines=[_line(row, since_us, view.now_us) for row in rows],
        newest=opened.originals[-1].message if opened.originals else "",
        opened=opened,
        purpose=purpose,
        purposes=caring.purposes(view, "patient.open"),
        reasons=REASONS,
        spans=HOURS,
        still_s=STILL_S,
        subject=subject,
        told=told,
        trended_s=(view.now_us - since_us) / 1_000_000,
    )


def still(view: View) -> Response:
    """Say how many messages came since; where care or the broken glass ended, what the page shows is replaced."""
    subject, under = view.part("subject"), view.asked("glass")
    if caring.relation(view, subject) is None:
        return _instead(view.piece("patient_ended.html"))
    broken = glass.of_patient(view, subject)
    if under and (broken is None or broken.id != under):
        return _instead(view.piece("glass_over.html", subject=subject))
    with read(view.site.engine) as db:
        together = sorted(care.tied(db, view.site.site, subject, None))
        rows = kept.newest(db, view.site.site, together, after=view.asked("than"), limit=MESSAGES_MAX)
    count = len(rows)
    if rows and broken is None:  # what is withheld is not counted either
        count -= len(withheld(view.site, together, [row.message for row in rows]).messages)
    return view.piece("new.html", count=views.Counted(count, more=False))


def _instead(answer: Response) -> Response:
    """Put a piece in the place of all that the page shows."""
    answer.headers.update({"hx-retarget": "#main", "hx-reswap": "innerHTML"})
    return answer


def read_all(originals: Sequence[Original]) -> Told:
    """Read what some originals tell; what cannot be read is counted."""
    return reading.read_all(originals, views.time_of)


def _called(original: Original) -> Called | None:
    """Say who a patient is: by the card, or where that is a message, by the message."""
    return card.called_of(original) if card.is_card(original) else read_all([original]).called


def _newest_us(view: View, subjects: Sequence[str]) -> dict[str, int]:
    """Say when the last data of each of some patients came; nothing is opened for it."""
    site, found = view.site.site, {}
    with read(view.site.engine) as db:
        for subject in subjects:
            rows = kept.newest(db, site, sorted(care.tied(db, site, subject, None)), limit=1)
            if rows:
                found[subject] = views.time_of(rows[0].message)
    return found


def _listed(
    view: View,
    *,
    nobody: bool = False,
    missing: bool = False,
    called: Mapping[str, tuple[Called | None, int]] | None = None,
) -> Response:
    return view.page(
        "patients.html",
        bases=BASES,
        called=called,
        authorities=sorted(view.site.settings.patients.authorities),
        mine=caring.mine(view, MINE_MAX),
        missing=missing,
        nobody=nobody,
        purpose=caring.purpose(view, "patient.find"),
        purposes=caring.purposes(view, "patient.find"),
    )


def _line(row: Row, from_us: int, until_us: int) -> Line:
    return Line(row, trend.drawn(row.points, from_us, until_us, bedside.longest_us(row.every_us)))


def _devices(view: View, originals: Sequence[Original]) -> dict[str, str]:
    ids = sorted({one.message.partition(".")[0] for one in originals})
    with read(view.site.engine) as db:
        return views.devices_of(db, ids)


def _patient(view: View) -> Thing:
    return Thing("patient", view.part("subject"))


def _any_patient(_view: View) -> Thing:
    return Thing("patient")


def _caring(view: View) -> tuple[str, bool]:
    """Of those in one's care, and nobody else: the keeper leaves out all others."""
    return caring.purpose(view, "patient.open"), True


PAGE = Page(
    "Patients",
    (
        Route("/patients", show, action="patient.find", around=caring.finding),
        Route("/patients/find", again, action="patient.find", around=caring.finding),
        Route("/patients/names", again, action="patient.find", around=caring.finding),
        Route("/patients/find", find, "POST", action="patient.find", around=caring.finding),
        Route("/patients/names", names, "POST", action="patient.open", around=_caring),
        Route("/patients/{subject}", one, action="patient.open", thing=_patient, around=caring.opening),
        Route(
            "/patients/{subject}/still",
            still,
            quiet=True,
            action="patient.find",
            thing=_any_patient,
            around=caring.finding,
        ),
    ),
    group="See",
    key="c",
    order=5,
)
