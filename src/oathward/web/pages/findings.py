"""Findings: what somebody should look at, until when, whose it is; deciding many together, and one with its history.

Rules:
- Filters stand in the address, and stay there when something was decided.
- Deciding works by plain forms: ticked rows, one reason, a day. What cannot be done shows the page again with what was typed.
- Nobody clears a finding here: it is cleared when what raised it sees it no longer.

Deliberately absent: findings of the register and of the policy's review, whose pages are linked with their counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import governing
from oathward.changes import findings_views as reviewed
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.finding import BY_SOURCE, DAYS_MAX, State
from oathward.core.finding_kinds import KINDS, Severity
from oathward.core.reasons import Reason
from oathward.findings import views
from oathward.findings.model import IDS_MAX, NOBODY, WORDS_CHARS_MAX, Filters
from oathward.governance import views as governance
from oathward.web import finding_acts as acts
from oathward.web import saved_views
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from oathward.web.view import View

ROWS = 50
ANY = "any"
STATES = {
    State.OPEN.value: "open",
    State.SUPPRESSED.value: "suppressed",
    State.CLEARED.value: "cleared",
    ANY: "any",
}
LEVELS = {Severity.URGENT.value: "bad", Severity.SERIOUS.value: "note", Severity.ATTENTION.value: "off"}
STANDS = {State.OPEN.value: "note", State.SUPPRESSED.value: "off", State.CLEARED.value: "ok"}
DONE = {
    "assign": "given",
    "suppress": "suppressed",
    "extend": "given more time",
    "lift": "open again",
    "note": "noted",
}
_REFUSED = frozenset(
    {Reason.INPUT_INVALID, Reason.CONFLICT, Reason.LIMIT_EXCEEDED, Reason.NOT_FOUND, Reason.GIVEN_TO}
)
"""Of a form that is shown again, with what to do."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Findings that stand on a page of their own: how many, of those how many grave ones."""

    title: str
    href: str
    total: int
    grave: int


def show(view: View) -> Response:
    """List findings."""
    return _listed(view)


def decide(view: View) -> Response:
    """Decide ticked findings together."""
    form, verb = view.form, view.form.get("verb", "")
    try:
        outcome = acts.decide(
            *(view, verb, view.many("finding")),
            to=_to(form),
            until=form.get("until", ""),
            why=form.get("why", ""),
        )
    except InputError as error:
        if error.reason not in _REFUSED:
            raise
        return _listed(view, wrong=f"{error.where}: {error.why}", status=400)
    said = {"did": verb, "done": str(len(outcome.done)), "left": str(len(outcome.left) or "")}
    return view.go(view.link("/findings", **_kept(view) | said))


def one(view: View) -> Response:
    """Show one finding."""
    return _one(view)


def decide_one(view: View) -> Response:
    """Decide one finding."""
    id_, form = view.part("finding")[:64], view.form
    try:
        acts.decide(
            *(view, form.get("verb", ""), [id_]),
            to=_to(form),
            until=form.get("until", ""),
            why=form.get("why", ""),
        )
    except InputError as error:
        if error.reason not in _REFUSED or (error.where == "finding" and error.reason is Reason.NOT_FOUND):
            raise
        return _one(view, wrong=f"{error.where}: {error.why}", status=400)
    return view.go(f"/findings/{id_}")


def _listed(view: View, *, wrong: str = "", status: int = 200) -> Response:
    site, filters = view.site, _filters(view)
    wanted = acts.mine(view, filters)
    with read(site.engine) as db:
        try:
            found = views.listed(db, site.site, wanted, view.now_us, after=view.asked("after"), limit=ROWS)
        except InputError:  # an address of another list
            found = views.listed(db, site.site, wanted, view.now_us, limit=ROWS)
        facets = views.facets(db, site.site, wanted, view.now_us)
        stored = saved_views.of(view, db, "/findings")
        names = acts.names(db, view, (row.about for row in found.rows))
    owners = (
        {row.owner for row in found.rows} | {one for one in facets.owners if one != NOBODY} | {wanted.owner}
    )
    return view.page(
        "findings.html",
        status=status,
        action=view.link("/findings/decide", **_kept(view)),
        called=acts.called(view, owners),
        did=DONE.get(view.asked("did"), ""),
        done=view.number("done"),
        elsewhere=_elsewhere(view),
        facets=facets,
        filters=filters,
        found=found,
        given=view.form,
        ids_max=IDS_MAX,
        kinds=KINDS,
        latest=_day(view, DAYS_MAX - 1),
        left=view.number("left"),
        levels=LEVELS,
        names=names,
        nobody=NOBODY,
        offered=acts.offered(view),
        place_of=acts.place_of,
        saved=stored,
        stands=STANDS,
        state=filters.state or ANY,
        states=STATES,
        ticked=set(view.many("finding")),
        today=_day(view, 0),
        who=acts.who(view),
        words_max=WORDS_CHARS_MAX,
        wrong=wrong,
    )


def _one(view: View, *, wrong: str = "", status: int = 200) -> Response:
    site = view.site
    with read(site.engine) as db:
        found = views.one(db, site.site, view.part("finding")[:64], view.now_us)
        history = views.steps(db, site.site, found.id)
        names = acts.names(db, view, (found.about, *map(str, found.details.values())))
    ids = {found.owner, found.by, *(row.by for row in history), *(row.about for row in history)}
    return view.page(
        "finding.html",
        status=status,
        by_source=BY_SOURCE,
        called=acts.called(view, ids),
        found=found,
        given=view.form,
        history=history,
        history_max=views.HISTORY_MAX,
        kind=KINDS.get(found.kind),
        latest=_day(view, DAYS_MAX - 1),
        levels=LEVELS,
        names=names,
        offered=acts.offered(view),
        place_of=acts.place_of,
        stands=STANDS,
        today=_day(view, 0),
        who=acts.who(view),
        words_max=WORDS_CHARS_MAX,
        wrong=wrong,
    )


def _filters(view: View) -> Filters:
    state = view.asked("state", State.OPEN.value, known=STATES)
    return Filters(
        state="" if state == ANY else state,
        severity=view.asked("severity", known=LEVELS),
        kind=view.asked("kind", known=KINDS),
        source=view.asked("source"),
        owner=view.asked("owner"),
        overdue=view.asked("overdue") == "yes",
        about=view.asked("about"),
    )


_SAID = frozenset({"did", "done", "left", "after"})


def _kept(view: View) -> dict[str, str]:
    """Give the filters of the address, without the page and what was said."""
    return {name: value for name, value in view.request.query_params.items() if name not in _SAID}


def _to(form: dict[str, str]) -> str:
    """Read to whom something is given: one of the choices, or whom the field beside it names."""
    choice = form.get("to", "")
    return form.get("person", "").strip() or "?" if choice == "person" else choice


def _day(view: View, ahead: int) -> str:
    return f"{from_micros(view.now_us + ahead * _DAY_US):%Y-%m-%d}"


def _elsewhere(view: View) -> list[Elsewhere]:
    """Count findings that other pages have, where the viewer may see those."""
    found, site = list[Elsewhere](), view.site
    with read(site.engine) as db:
        if view.may("governance.see") and view.visit is not None and view.visit.person_id:
            rows = governing.findings(db, site, view.now_us, current=view.asking.active)
            told = governance.summary(rows)
            found.append(Elsewhere("Register", "/governance/findings", len(rows), told.serious))
        if view.may("review.see"):
            waits = reviewed.waiting(db, site.site, view.now_us)
            found.append(Elsewhere("Review of the policy", "/policies/review", waits.total, waits.grave))
    return found


_DAY_US = 86_400_000_000

PAGE = Page(
    "Findings",
    (
        Route("/findings", show, action="findings.see"),
        Route("/findings/decide", decide, "POST", action="finding.change"),
        Route("/findings/{finding}", one, action="findings.see", thing=named("area")),
        Route("/findings/{finding}", decide_one, "POST", action="finding.change", thing=named("finding")),
    ),
    group="Watch",
    key="4",
    order=5,
)
