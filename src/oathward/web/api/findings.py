"""Findings by the API: a list, one with its history, and what a person may decide of several together.

Rules:
- Who may not see people reads their own id, and of others that it is somebody.
- What is decided of many is done for those whose state allows it; the answer names both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.finding import BY_SOURCE, State
from oathward.core.finding_kinds import KINDS, Severity
from oathward.core.reasons import Reason
from oathward.findings import views
from oathward.findings.model import NOBODY, Filters
from oathward.web import finding_acts as acts
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.findings.model import Finding, HistoryRow, Outcome
    from oathward.web.view import View

ANY = "any"


@dataclass(frozen=True, slots=True)
class FindingOut:
    """One finding; `owner`: a person's id, empty for nobody; `suppressed_until`: null unless it is; `details`: facts of this case."""

    id: str
    kind: str
    severity: str
    state: str
    about: str
    source: str
    first: datetime
    last: datetime
    tellings: int
    due: datetime
    overdue: bool
    owner: str
    suppressed_until: datetime | None
    details: dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class FindingStepOut:
    """One thing that happened to a finding; `by`: a person's id, or what raised it; `why`: a person's words."""

    at: datetime
    step: str
    by: str
    about: str
    until: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class FindingWholeOut:
    """One finding with what is the matter, what to do, and its history, the newest first."""

    id: str
    kind: str
    what: str
    remedy: str
    severity: str
    state: str
    about: str
    source: str
    first: datetime
    last: datetime
    tellings: int
    since: datetime
    due: datetime
    overdue: bool
    owner: str
    suppressed_until: datetime | None
    suppressed_why: str
    details: dict[str, str | int | float]
    history: list[FindingStepOut]


@dataclass(frozen=True, slots=True)
class FindingsGiven:
    """Findings, and to whom: `me`, a person's id (for who may see people a staff number or address too), empty for nobody."""

    findings: list[str]
    to: str


@dataclass(frozen=True, slots=True)
class FindingsUntil:
    """Findings, the last day as in 2027-01-31 (UTC), and why; no patient data."""

    findings: list[str]
    until: str
    why: str


@dataclass(frozen=True, slots=True)
class FindingsSaid:
    """Findings, and why; no patient data."""

    findings: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class FindingsDone:
    """For which it was done, and which were left because their state does not allow it."""

    done: list[str]
    left: list[str]


@dataclass(frozen=True, slots=True)
class FindingFacetsOut:
    """How many findings fit, and by each filter how many would with the others as they are; `owners`: `-` for nobody, of whom you may not see `somebody`."""

    total: int
    overdue: int
    states: dict[str, int]
    severities: dict[str, int]
    kinds: dict[str, int]
    sources: dict[str, int]
    owners: dict[str, int]


def listed(view: View) -> Response:
    """List findings: the gravest first, of those the first due; cleared ones the newest first."""
    whose = _wanted(view)
    with read(view.site.engine) as db:
        found = views.listed(
            *(db, view.site.site, whose, view.now_us), after=view.asks.get("after", ""), limit=view.limit
        )
    return view.listed([plain(view, row) for row in found.rows], found.after)


def facets(view: View) -> Response:
    """Count findings by what lists filter by."""
    whose = _wanted(view)
    with read(view.site.engine) as db:
        found = views.facets(db, view.site.site, whose, view.now_us)
    owners = Counter[str]()
    for owner, number in found.owners.items():
        owners[owner if owner == NOBODY else acts.owner_id(view, owner)] += number
    return view.json(
        FindingFacetsOut(
            *(found.total, found.overdue, dict(found.states), dict(found.severities)),
            *(dict(found.kinds), dict(found.sources), dict(owners)),
        )
    )


def _wanted(view: View) -> Filters:
    asks = view.asks
    state, owner = asks.get("state", State.OPEN.value), asks.get("owner", "")
    wanted = Filters(
        state="" if state == ANY else state,
        severity=asks.get("severity", ""),
        kind=asks.get("kind", ""),
        source=asks.get("source", ""),
        owner=owner,
        overdue=asks.get("overdue") == "yes",
        about=asks.get("about", ""),
    )
    whose = acts.mine(view, wanted)
    if owner and not whose.owner:
        why = "only `me` and `-`, without the right to see people"
        raise InputError("owner", why, reason=Reason.INPUT_INVALID)
    return whose


def one(view: View) -> Response:
    """Show one finding with its history."""
    with read(view.site.engine) as db:
        row = views.one(db, view.site.site, view.part("finding")[:64], view.now_us)
        history = views.steps(db, view.site.site, row.id)
    kind, now = KINDS.get(row.kind), plain(view, row)
    return view.json(
        FindingWholeOut(
            id=now.id,
            kind=now.kind,
            what=kind.what if kind else "",
            remedy=kind.remedy if kind else "",
            severity=now.severity,
            state=now.state,
            about=now.about,
            source=now.source,
            first=now.first,
            last=now.last,
            tellings=now.tellings,
            since=from_micros(row.standing.since_us),
            due=now.due,
            overdue=now.overdue,
            owner=now.owner,
            suppressed_until=now.suppressed_until,
            suppressed_why=row.why,
            details=now.details,
            history=[_step(view, step) for step in history],
        )
    )


def assign(view: View) -> Response:
    """Give findings to somebody, or to nobody."""
    return _done(view, acts.decide(view, "assign", _ids(view), to=view.body.to))


def suppress(view: View) -> Response:
    """Leave findings as they are until a day, and answer for it."""
    body = view.body
    return _done(view, acts.decide(view, "suppress", _ids(view), until=body.until, why=body.why))


def extend(view: View) -> Response:
    """Give findings more time, until a day."""
    body = view.body
    return _done(view, acts.decide(view, "extend", _ids(view), until=body.until, why=body.why))


def lift(view: View) -> Response:
    """End the suppression of findings."""
    return _done(view, acts.decide(view, "lift", _ids(view), why=view.body.why))


def note(view: View) -> Response:
    """Write words beside findings."""
    return _done(view, acts.decide(view, "note", _ids(view), why=view.body.why))


def _ids(view: View) -> Sequence[str]:
    found: list[str] = view.body.findings
    return found


def _done(view: View, outcome: Outcome) -> Response:
    return view.json(FindingsDone(list(outcome.done), list(outcome.left)))


def plain(view: View, row: Finding) -> FindingOut:
    """Give a finding as lists show it."""
    now = row.standing
    return FindingOut(
        id=row.id,
        kind=row.kind,
        severity=now.severity.value,
        state=now.state.value,
        about=row.about,
        source=row.source,
        first=from_micros(now.first_us),
        last=from_micros(now.last_us),
        tellings=row.tellings,
        due=from_micros(now.due_us),
        overdue=now.overdue(view.now_us),
        owner=acts.owner_id(view, row.owner),
        suppressed_until=from_micros(now.until_us) if now.state is State.SUPPRESSED else None,
        details=dict(row.details),
    )


def _step(view: View, row: HistoryRow) -> FindingStepOut:
    by_source = row.step in BY_SOURCE
    return FindingStepOut(
        at=from_micros(row.at_us),
        step=row.step.value,
        by=row.by if by_source else acts.owner_id(view, row.by),
        about=row.about if by_source else acts.owner_id(view, row.about),
        until=from_micros(row.until_us) if row.until_us else None,
        why=row.why,
    )


def _verb(name: str, answer: Callable[[View], Response], takes: type) -> Route:
    return Route(
        f"/api/v1/findings/{name}",
        answer,
        "POST",
        action="finding.change",
        api=True,
        call=Call(gives=FindingsDone, takes=takes),
    )


_ASKS = {
    "about": Query("what it is about, whole: `rules:fw1`, or `fw1`; `*` stands for any part: `fw*`"),
    "kind": Query("only of this kind", tuple(KINDS)),
    "overdue": Query("`yes`: only what nobody settled in time", ("yes",)),
    "owner": Query(f"`me`, `{NOBODY}` for nobody, or a person's id"),
    "severity": Query("only of this severity", tuple(one.value for one in Severity)),
    "source": Query("only what this part raised"),
    "state": Query("`open` without it", (*(one.value for one in State), ANY)),
}

API = (
    Route(
        "/api/v1/findings",
        listed,
        action="findings.see",
        api=True,
        call=Call(
            gives=FindingOut,
            listed=True,
            asks={**PAGED, **_ASKS},
        ),
    ),
    Route(
        "/api/v1/findings/facets",
        facets,
        action="findings.see",
        api=True,
        call=Call(gives=FindingFacetsOut, asks=_ASKS),
    ),
    Route(
        "/api/v1/findings/{finding}",
        one,
        action="findings.see",
        thing=named("area"),
        api=True,
        call=Call(gives=FindingWholeOut),
    ),
    _verb("assign", assign, FindingsGiven),
    _verb("suppress", suppress, FindingsUntil),
    _verb("extend", extend, FindingsUntil),
    _verb("lift", lift, FindingsSaid),
    _verb("note", note, FindingsSaid),
)
