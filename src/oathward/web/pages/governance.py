"""Governance: who answers for what flows and is kept, what is wrong with that, how good the data are, the record of processing.

Rules:
- What follows from the bundle is listed before anybody wrote it; every number links to its rows.
- Names of persons are joined here, from their signed documents; the register has ids.
- A mistake in a form shows the form again with what was written in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import governing
from oathward.core.clock import iso
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.finding_kinds import Severity
from oathward.core.reasons import Reason
from oathward.governance import actions, findings, processing, sheet, views, written
from oathward.governance.covering import day
from oathward.governance.model import ID, TRANSITIONS, EntryKind, EntryRow, Lifecycle
from oathward.people import views as people
from oathward.web import governance_papers as papers
from oathward.web.governance_people import Called, ids_of
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oathward.governance.findings import Register
    from oathward.governance.model import RegisterFinding
    from oathward.web.view import View

PERSONS_OFFERED_MAX = 100
"""Of so many persons a form offers a list; of more one writes a staff number or an address."""

DAYS = {"1": 1, "7": 7, "30": 30, "90": 90}
_DAY_US = 86_400_000_000

LEVELS = {
    Lifecycle.ACTIVE: "ok",
    Lifecycle.DRAFT: "note",
    Lifecycle.SUSPENDED: "bad",
    Lifecycle.RETIRED: "off",
}
SEVERITIES = {Severity.SERIOUS: "bad", Severity.ATTENTION: "note"}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as the list shows it."""

    row: EntryRow
    owner: str
    steward: str
    found: tuple[RegisterFinding, ...]

    @property
    def level(self) -> str:
        """Shape and colour of the gravest finding."""
        if not self.found:
            return "ok"
        return SEVERITIES[self.found[0].severity]


def show(view: View) -> Response:
    """List the register."""
    register = _register(view)
    found = findings.findings(register, view.now_us)
    by: dict[tuple[str, str], list[RegisterFinding]] = {}
    for one in found:
        by.setdefault((one.kind, one.about), []).append(one)
    kind = view.asked("kind", known=dict.fromkeys(EntryKind))
    state = view.asked("state", known=dict.fromkeys(Lifecycle))
    asked = view.asked("owner")
    with read(view.site.engine) as db:
        whose = governing.person_of(db, view.site, asked, view.now_us, sees=view.may("people.see"))
    called = Called(view, (who for row in register.rows for who in (row.owner, row.steward)), register.living)
    wrong = view.asked("wrong", known={"yes": 1})
    lines = [
        Line(
            row,
            _named(register, called, row.owner),
            _named(register, called, row.steward),
            tuple(by.get((row.kind, row.id), ())),
        )
        for row in register.rows
    ]
    rows = [
        line
        for line in lines
        if kind in {"", line.row.kind}
        and state in {"", line.row.state}
        and (not whose or whose in {line.row.owner, line.row.steward})
        and (not wrong or line.found)
    ]
    return view.page(
        "governance.html",
        day=day,
        kind=kind,
        kinds={one: sum(line.row.kind is one for line in lines) for one in EntryKind},
        levels=LEVELS,
        mine=view.actor.id,
        owner=asked,
        rows=rows,
        state=state,
        states={one: sum(line.row.state is one for line in lines) for one in Lifecycle},
        summary=views.summary(found),
        total=len(lines),
        wrong=wrong,
    )


def found(view: View) -> Response:
    """List findings."""
    register = _register(view, models=True)
    rows = findings.findings(register, view.now_us)
    severity = view.asked("severity", known=dict.fromkeys(SEVERITIES))
    return view.page(
        "governance_findings.html",
        levels=SEVERITIES,
        link=papers.place_of,
        rows=[row for row in rows if severity in {"", row.severity}],
        severity=severity,
        summary=views.summary(rows),
    )


def entry(view: View) -> Response:
    """Show one entry with its history."""
    return _entry(view, {}, {})


def begin(view: View) -> Response:
    """Go to where an entry of what is not there yet is written."""
    kind, id_ = view.asked("kind", known=dict.fromkeys(EntryKind)), view.asked("id")
    if not kind or not ID(id_):
        raise InputError("id", "letters, digits, dot, dash and underscore, at most 64")
    return view.go(f"/governance/{kind}/{id_}?new=yes")


def change(view: View) -> Response:
    """Write one entry."""
    papers.acts(view)
    kind, id_ = _key(view)
    form = {name: view.form.get(name, "").strip() for name in sheet.ENTRY_COLUMNS}
    with read(view.site.engine) as db:
        for name in ("owner", "steward"):
            form[name] = governing.person_of(
                db, view.site, form[name], view.now_us, sees=view.may("people.see")
            )
    register = _register(view, also=(form["owner"], form["steward"]))
    if not _is_new(view) and not any((row.kind, row.id) == (kind, id_) for row in register.rows):
        raise InputError("entry", "there is no such entry", reason=Reason.NOT_FOUND)
    try:
        said = sheet.wanted_of({**form, "kind": kind, "id": id_})
        wanted = replace(  # what a form shows empty becomes so
            said,
            title=form["title"],
            owner=form["owner"],
            steward=form["steward"],
            classification=said.classification or (),
            review_due_us=said.review_due_us or 0,
        )
        with write(view.site.engine) as db:
            actions.change(
                *(db, view.site.site, [wanted]),
                by=papers.by(view),
                now_us=view.now_us,
                living=dict(register.living or {}),
                drafts=register.rows,
                review_days=view.site.settings.governance.review_days,
            )
    except InputError as error:
        if error.reason is Reason.NOT_FOUND:
            raise
        return _entry(view, form, {"where": error.where, "why": error.why, "code": error.reason.code})
    return view.go(f"/governance/{kind}/{id_}?written=yes")


def quality(view: View) -> Response:
    """Show the counters of traffic."""
    asked = view.asked("days", "7", known=DAYS)
    with read(view.site.engine) as db:
        kinds, links = governing.traffic_quality(
            db, view.site.site, view.now_us - DAYS[asked] * _DAY_US, view.now_us
        )
    late_s = view.site.settings.governance.late_s
    return view.page(
        "governance_quality.html", asked=asked, day=day, days=DAYS, kinds=kinds, late_s=late_s, links=links
    )


def ropa(view: View) -> Response:
    """Show the record of processing."""
    rows = processing.record(_register(view))
    return view.page(
        "governance_processing.html", columns=processing.COLUMNS, gaps=processing.gaps(rows), rows=rows
    )


def ropa_csv(view: View) -> Response:
    """Give the record of processing as CSV."""
    return _saved(view, "csv", "text/csv; charset=utf-8")


def ropa_html(view: View) -> Response:
    """Give the record of processing as a page that stands alone."""
    return _saved(view, "html", "text/html; charset=utf-8")


def _saved(view: View, style: str, media_type: str) -> Response:
    rows = processing.record(_register(view))
    write_ = {"csv": written.csv, "html": written.html}[style]
    name = f"record-of-processing-{view.now:%Y-%m-%d}.{style}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(write_(rows, view.site.site, iso(view.now)), media_type=media_type, headers=headers)


def _entry(view: View, form: Mapping[str, str], wrong: Mapping[str, str]) -> Response:
    kind, id_ = _key(view)
    with read(view.site.engine) as db:
        sees = view.may("people.see")
        few = sees and sum(people.counts(db, view.site.site).values()) <= PERSONS_OFFERED_MAX
    register = _register(view, everyone=few)
    row = next((row for row in register.rows if (row.kind, row.id) == (kind, id_)), None)
    if row is None and _is_new(view) and ID(id_):
        row = EntryRow(kind, id_)
    if row is None:
        raise InputError("entry", "there is no such entry", reason=Reason.NOT_FOUND)
    with read(view.site.engine) as db:
        history = views.history(db, view.site.site, kind, id_)
    living = register.living or {}
    form = dict(form)
    people_ = {row.owner, row.steward, form.get("owner", ""), form.get("steward", "")} | ids_of(history)
    called = Called(view, people_ | (living.keys() if few else set()), living)
    form |= {name: called.written(form[name]) for name in ("owner", "steward") if name in form}
    return view.page(
        "governance_entry.html",
        called=called,
        day=day,
        expected=register.things.get((row.kind, row.id)),
        form=form,
        found=[f for f in findings.findings(register, view.now_us) if (f.kind, f.about) == (kind, id_)],
        history=history,
        levels=LEVELS,
        link=papers.link_of(register, row),
        named="staff number, mail address or person id" if sees else "person id",
        next_states=sorted(TRANSITIONS[row.state]),
        offered={called.written(id_): name for id_, name in living.items()} if few else {},
        people=living,
        row=row,
        severities=SEVERITIES,
        status=422 if wrong else 200,
        wrong=wrong,
    )


def _is_new(view: View) -> bool:
    """Whether somebody who may writes an entry of what is only proposed yet, or of a release."""
    return view.may("governance.change") and "yes" in {view.asked("new"), view.form.get("new", "")}


def _key(view: View) -> tuple[EntryKind, str]:
    try:
        return EntryKind(view.part("kind")), view.part("id")
    except ValueError as error:
        raise InputError("entry", "there is no such entry", reason=Reason.NOT_FOUND) from error


def _register(
    view: View, *, models: bool = False, everyone: bool = False, also: Iterable[str] = ()
) -> Register:
    with read(view.site.engine) as db:
        return governing.register(
            db, view.site, current=view.asking.active, models=models, everyone=everyone, also=also
        )


def _named(register: Register, called: Called, who: str) -> str:
    return f"{called(who)}{'' if who in (register.living or {}) else ', not active'}" if who else ""


_SEEN = named("area")

PAGE = Page(
    "Governance",
    (
        Route("/governance", show, action="governance.see"),
        Route("/governance/findings", found, action="governance.see"),
        Route("/governance/new", begin, action="governance.change"),
        *papers.ROUTES,
        Route("/governance/quality", quality, action="governance.see"),
        Route("/governance/processing", ropa, action="governance.see"),
        Route("/governance/processing.csv", ropa_csv, action="governance.see"),
        Route("/governance/processing.html", ropa_html, action="governance.see"),
        Route("/governance/{kind}/{id}", entry, action="governance.see", thing=_SEEN),
        Route("/governance/{kind}/{id}", change, "POST", action="governance.change", thing=_SEEN),
    ),
    group="Decide",
    key="r",
    order=40,
)
