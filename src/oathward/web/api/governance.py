"""The register, by the API: entries, findings, the record of processing, quality of data, and writing an entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward import governing
from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.finding_kinds import Severity
from oathward.core.reasons import Reason
from oathward.governance import actions, findings, processing
from oathward.governance.actions import Wanted
from oathward.governance.model import EntryKind, EntryRow, Lifecycle
from oathward.governance.sheet import day_us
from oathward.web import governance_papers as papers
from oathward.web.calls import Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from oathward.governance.findings import Register
    from oathward.governance.quality import QualityRow
    from oathward.web.view import View

DAYS = ("1", "7", "30", "90")
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class EntryOut:
    """One thing of the register; `owner` and `steward` are person ids (to write one, a staff number or a mail address does too); `version` 0: nobody has written it yet."""

    kind: EntryKind
    id: str
    title: str
    owner: str
    steward: str
    state: Lifecycle
    classification: list[str]
    review_due: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class EntryIn:
    """What to write of an entry; what is left out stays. `review_due`: a day, `2027-05-31`."""

    title: str | None = None
    owner: str | None = None
    steward: str | None = None
    state: Lifecycle | None = None
    classification: list[str] | None = None
    review_due: str | None = None


@dataclass(frozen=True, slots=True)
class FindingOut:
    """Something somebody should look at; it goes when it is mended."""

    code: str
    severity: Severity
    kind: str
    about: str
    words: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class CellOut:
    """One cell of the record of processing: its words, where they come from, and what is missing."""

    column: str
    text: str
    source: str
    missing: str


@dataclass(frozen=True, slots=True)
class ProcessingOut:
    """One processing: a live link, or a data set that is kept; every column of GDPR Art. 30(1)."""

    kind: str
    id: str
    cells: list[CellOut]


@dataclass(frozen=True, slots=True)
class CountsOut:
    """Counts of one day (UTC) and one kind of device, or one link."""

    day: datetime
    about: str
    messages: int
    late: int
    late_hour: int
    late_day: int
    ahead: int
    untimed: int
    unidentified: int
    duplicates: int
    malformed: int
    unknown_device: int


@dataclass(frozen=True, slots=True)
class QualityOut:
    """What came late, malformed, of nobody known, twice; `late_s`: from when on a message is late."""

    late_s: float
    by_kind: list[CountsOut]
    by_link: list[CountsOut]


def entries(view: View) -> Response:
    """List the register: what flows first, then what is kept; all of it, for there is not much."""
    return view.listed([_entry(row) for row in _register(view).rows])


def put_entry(view: View) -> Response:
    """Write one entry; nothing becomes active without an owner and a steward who are living persons."""
    papers.acts(view)
    said: EntryIn = view.body
    try:
        kind = EntryKind(view.part("kind"))
        review_due_us = day_us(said.review_due) if said.review_due else None
    except ValueError as error:
        raise InputError("kind or review_due", "is none", reason=Reason.INPUT_INVALID) from error
    wanted = Wanted(
        kind=kind,
        id=view.part("id"),
        title=said.title,
        owner=_person(view, said.owner),
        steward=_person(view, said.steward),
        state=said.state,
        classification=None if said.classification is None else tuple(said.classification),
        review_due_us=review_due_us,
    )
    register = _register(view, also=(wanted.owner or "", wanted.steward or ""))
    if not any((row.kind, row.id) == (kind, wanted.id) for row in register.rows):
        raise InputError("entry", "there is no such entry", reason=Reason.NOT_FOUND)
    with write(view.site.engine) as db:
        actions.change(
            *(db, view.site.site, [wanted]),
            by=papers.by(view),
            now_us=view.now_us,
            living=dict(register.living or {}),
            drafts=register.rows,
            review_days=view.site.settings.governance.review_days,
        )
    row = next(one for one in _register(view).rows if (one.kind, one.id) == (kind, wanted.id))
    return view.json(_entry(row))


def found(view: View) -> Response:
    """List findings of the register, serious first."""
    rows = findings.findings(_register(view, models=True), view.now_us)
    severity = view.asks.get("severity", "")
    return view.listed(
        [
            FindingOut(*(one.code, one.severity, one.kind, one.about, one.words), _time(one.since_us))
            for one in rows
            if severity in {"", one.severity}
        ]
    )


def ropa(view: View) -> Response:
    """Give the record of processing of what is live now."""
    rows = processing.record(_register(view))
    return view.listed(
        [
            ProcessingOut(
                str(row.kind),
                row.id,
                [CellOut(key, cell.text, cell.source, cell.missing) for key, cell in row.cells.items()],
            )
            for row in rows
        ]
    )


def quality(view: View) -> Response:
    """Count what came late, malformed, of nobody known, twice, by day and kind of device, and by day and link."""
    days = int(view.asks.get("days", "7"))
    with read(view.site.engine) as db:
        kinds, links = governing.traffic_quality(
            db, view.site.site, view.now_us - days * _DAY_US, view.now_us
        )
    late_s = view.site.settings.governance.late_s
    return view.json(QualityOut(late_s, [_counts(row) for row in kinds], [_counts(row) for row in links]))


def _counts(row: QualityRow) -> CountsOut:
    return CountsOut(
        *(from_micros(row.day_us), row.about, row.messages, row.late, row.late_hour, row.late_day),
        *(row.ahead, row.untimed, row.unidentified, row.duplicates, row.malformed, row.unknown_device),
    )


def _entry(row: EntryRow) -> EntryOut:
    return EntryOut(
        *(row.kind, row.id, row.title, row.owner, row.steward, row.state, list(row.classification)),
        *(_time(row.review_due_us), row.version),
    )


def _time(at_us: int) -> datetime | None:
    return from_micros(at_us) if at_us else None


def _person(view: View, text: str | None) -> str | None:
    if not text:
        return text
    with read(view.site.engine) as db:
        return governing.person_of(db, view.site, text, view.now_us, sees=view.may("people.see"))


def _register(view: View, *, models: bool = False, also: Iterable[str] = ()) -> Register:
    with read(view.site.engine) as db:
        return governing.register(db, view.site, current=view.asking.active, models=models, also=also)


_HERE = "/api/v1/governance"

API = (
    Route(f"{_HERE}/entries", entries, action="governance.see", api=True, call=Call(gives=EntryOut, listed=True)),
    Route(
        f"{_HERE}/entries/{{kind}}/{{id}}",
        put_entry,
        "PUT",
        action="governance.change",
        thing=named("area"),
        api=True,
        call=Call(gives=EntryOut, takes=EntryIn),
    ),
    Route(
        f"{_HERE}/findings",
        found,
        action="governance.see",
        api=True,
        call=Call(
            gives=FindingOut,
            listed=True,
            asks={"severity": Query("only of this severity", (findings.SERIOUS.value, findings.ATTENTION.value))},
        ),
    ),
    Route(
        f"{_HERE}/processing", ropa, action="governance.see", api=True, call=Call(gives=ProcessingOut, listed=True)
    ),
    Route(
        f"{_HERE}/quality",
        quality,
        action="governance.see",
        api=True,
        call=Call(gives=QualityOut, asks={"days": Query("how far back", DAYS)}),
    ),
)  # fmt: skip
