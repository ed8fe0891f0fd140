"""Access reviews: openings of patients' data that nothing explains, and those of people others are curious about.

Rules:
- One line is one person and one patient: their openings are looked at together, and reviewed together where they are.
- What is on record around an opening stands as facts; reasons are computed, never stored (``accesses``).
- Words of a review are typed into a form, sealed by the keeper, and read again on record by whoever may review.

Deliberately absent: content of what was opened, names of patients, and anything that happens to the person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.accesses import actions, views
from oathward.accesses.model import Filters, Outcome
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.people import views as people
from oathward.vault.keeper.words import WORDS_MAX
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oathward.accesses.views import Told
    from oathward.web.view import View

ROWS_MAX = 500
STATES = {"waiting": "To review", "overdue": "Overdue", "reviewed": "Reviewed"}
WHOSE = {"mine": "Given to me", "nobody": "Given to nobody"}
OUTCOMES = {
    Outcome.JUSTIFIED.value: "There was a reason, and it is not on record",
    Outcome.MISTAKE.value: "A mistake: the wrong patient, and nothing was made of it",
    Outcome.MISUSE.value: "Misuse: it was nobody's work",
    Outcome.UNCLEAR.value: "It could not be found out",
}
LEVELS = {"justified": "ok", "mistake": "note", "misuse": "bad", "unclear": "note"}
KINDS = {
    "keeper.opened": "opened",
    "keeper.refused": "tried, and was refused",
    "patient.sought": "searched",
    "copy.read": "read in an emergency copy",
}
WATCHED = {"CEL": "others are curious about this patient", "EMP": "this patient works here"}
FACTS = {
    "stay": "The patient's stay",
    "assignment": "Assigned to this person",
    "shift": "A shift",
    "on-call": "On call",
    "order": "Ordered something for the patient",
    "glass": "Broke the glass",
    "device": "Answers for the device",
    "release": "Ordered the release of the message",
}


def show(view: View) -> Response:
    """List pairs of person and patient."""
    site = view.site
    state, who = view.asked("state", "waiting", known=STATES), view.asked("person")
    whose = view.asked("whose", known=WHOSE)
    with read(site.engine) as db:
        wanted = Filters(
            waiting=state != "reviewed",
            person=who,
            assigned=view.actor.id if whose == "mine" else "",
            outcome=view.asked("outcome", known=OUTCOMES) if state == "reviewed" else "",
            due_before_us=view.now_us if state == "overdue" else 0,
        )
        found = views.reviews(db, site.site, site.authority, site.seen, wanted, limit=ROWS_MAX + 1)
        if whose == "nobody":
            found = [one for one in found if not one.row.assigned]
        worth = views.patterns(db, site.site, view.now_us)
        counts = views.waiting(db, site.site, view.now_us)
        ids = [who, *(one.row.person for one in found), *(one.row.assigned for one in found)]
        names = people.names(
            db, site.site, {*ids, *(one.row.by for one in found), *(p.person for p in worth)}
        )
    return view.page(
        "accesses.html",
        counts=counts,
        kinds=KINDS,
        levels=LEVELS,
        more=len(found) > ROWS_MAX,
        names=names,
        outcome=view.asked("outcome", known=OUTCOMES),
        outcomes=OUTCOMES,
        pairs=views.pairs(found[:ROWS_MAX]),
        patterns=worth,
        person=who,
        state=state,
        states=STATES,
        watched=WATCHED,
        whose=whose,
        whoses=WHOSE,
    )


def one(view: View) -> Response:
    """Show one opening: what is on record around it, the others of the same pair, its history."""
    return _shown(view)


def review(view: View) -> Response:
    """Note what a review of ticked openings came to."""
    opening, outcome, words = _number(view), view.form.get("outcome", ""), view.form.get("words", "").strip()
    if outcome not in OUTCOMES or not 0 < len(words) <= WORDS_MAX:
        return _shown(view, wrong="Choose an outcome, and say what you found.", status=400)
    openings = [
        opening,
        *(int(n) for n in view.many("also") if n.isascii() and n.isdigit() and len(n) < _DIGITS),
    ]
    site, by = view.site, _who(view)
    with read(site.engine) as db:
        subject = actions.subject_of(db, site.site, openings, by=by)
    sealed = site.keeper.words.seal("access", str(opening), subject, Phi(words), view.proof)
    with write(site.engine) as db:
        actions.review(*(db, site.site, openings), by=by, outcome=outcome, sealed=sealed, now_us=view.now_us)
    return view.go("/accesses")


def assign(view: View) -> Response:
    """Take ticked openings oneself, or give them back."""
    opening = _number(view)
    to = _who(view) if view.form.get("to") == "me" else ""
    with write(view.site.engine) as db:
        actions.assign(db, view.site.site, [opening], by=_who(view), to=to, now_us=view.now_us)
    return view.go(f"/accesses/{opening}")


def _shown(view: View, *, wrong: str = "", status: int = 200) -> Response:
    site, number = view.site, _number(view)
    with read(site.engine) as db:
        told = views.one(db, site.site, number, site.authority, site.seen)
        if told is None:
            raise InputError("opening", "there is no review of it", reason=Reason.NOT_FOUND)
        row, about = told.review.row, told.review.found.opening
        wanted = Filters(person=row.person)
        same = views.reviews(db, site.site, site.authority, site.seen, wanted, limit=ROWS_MAX)
        others = [
            other
            for other in same
            if other.found.opening.subject == about.subject and other.row.opening != number
        ]
        names = people.names(db, site.site, _ids(told))
    return view.page(
        "access.html",
        status=status,
        facts=FACTS,
        given=view.form,
        kinds=KINDS,
        levels=LEVELS,
        names=names,
        others=others[: actions.TOGETHER_MAX - 1],
        outcomes=OUTCOMES,
        own=row.person == _who(view),
        told=told,
        watched=WATCHED,
        words=_words(view, told),
        words_max=WORDS_MAX,
        wrong=wrong,
    )


def _words(view: View, told: Told) -> Phi[str] | None:
    """Open what the reviewer said; on record."""
    if not told.sealed:
        return None
    row, subject = told.review.row, told.review.found.opening.subject
    return view.site.keeper.words.open("access", str(row.said_of), subject, told.sealed, view.proof)


def _ids(told: Told) -> Iterable[str]:
    row = told.review.row
    steps = [name for step in told.steps for name in (step.by, step.about)]
    return {one for one in (row.person, row.by, row.assigned, *steps) if one}


def _who(view: View) -> str:
    """Name who is signed in, as records do: by id, by name on a site without people."""
    return view.who


def _number(view: View) -> int:
    text = view.part("opening")
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        raise InputError("opening", "there is no review of it", reason=Reason.NOT_FOUND)
    return int(text)


_DIGITS = 19

PAGE = Page(
    "Access reviews",
    (
        Route("/accesses", show, action="accesses.see"),
        Route("/accesses/{opening}", one, action="accesses.review", thing=named("finding")),
        Route("/accesses/{opening}", review, "POST", action="accesses.review", thing=named("finding")),
        Route("/accesses/{opening}/assign", assign, "POST", action="accesses.review", thing=named("finding")),
    ),
    group="Decide",
    key="i",
    order=66,
)
