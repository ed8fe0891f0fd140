"""What happens to findings: raised, seen again, cleared by their source; given to somebody, suppressed, extended, noted by people.

Rules:
- Same kind and same key is the same finding. Told again that is counted; that alone is no news and no record.
- Each step appends its record in the same transaction: ids, kinds, counts. A person's words stay in the table; the
  record has their SHA-256, so that a changed word shows.
- What a person decides of many at once is done for those whose state allows it; the others are named.
- Each is done alone: what is decided is decided of what stands, and nobody's step is written over.
- What comes from outside is bounded and made printable before it is kept.

Deliberately absent: who may (``policy.access``), whether an owner is a person here (callers), states and clocks (``core.finding``).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from oathward.core import finding as rules
from oathward.core.db import GROUP_ROWS_MAX
from oathward.core.errors import InputError
from oathward.core.finding import Raised, Step
from oathward.core.finding_kinds import KINDS
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.findings import sql
from oathward.findings.model import IDS_MAX, WORDS_CHARS_MAX, Finding, HistoryRow, Outcome, Told
from oathward.ledger import Leaf, Record, append, prepare

if TYPE_CHECKING:
    from oathward.core.settings_findings import Findings

_DETAIL_CHARS_MAX = 200
_INTEGER_MAX = 2**53


def raise_(
    db: Connection, site: str, source: str, seen: Sequence[Raised], terms: Findings, now_us: int
) -> Told:
    """Raise findings, or note that they are still there. The last call before commit.

    Args:
        source: which part raises them. seen: at most ``GROUP_ROWS_MAX``; of several that are one the gravest counts.

    Raises:
        InputError: ``input.invalid``: a kind that does not stand in ``KINDS``; ``limit``: too many.
    """
    if len(seen) > GROUP_ROWS_MAX:
        raise InputError("findings", f"at most {GROUP_ROWS_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    wanted = _once(seen)
    sql.hold(db, site)
    known = {(row.kind, row.key): row for row in sql.by_keys(db, site, wanted)}
    new, same, steps = list[Finding](), list[str](), list[tuple[Step, Finding]]()
    for at, one in wanted.items():
        row = known.get(at)
        if row is None:
            row = _new(source, one, terms, now_us)
            new.append(row)
            steps.append((Step.OPENED, row))
            continue
        standing, happened = rules.seen_again(row.standing, one.kind, one.weight, terms, now_us)
        back = Step.REOPENED in happened
        by = (row.by, row.why) if standing.held is not None else ("", "")
        details = _plain(one.details or {})
        now = replace(
            row,
            standing=standing,
            about=_bounded(one.about),
            details=details,
            tellings=row.tellings + 1,
            source=source if back else row.source,
            by=by[0],
            why=by[1],
        )
        if not happened and _as_before(row, now):
            same.append(row.id)
        else:
            sql.change(db, site, now)
        steps += [(step, now) for step in happened]
    sql.put(db, site, new)
    if same:
        sql.touch(db, site, same, now_us)
    sql.note(db, site, [_step(row, step, source, now_us, about=row.standing.severity) for step, row in steps])
    _record(db, site, steps, {"source": source}, now_us)
    reopened = sum(step is Step.REOPENED for step, _ in steps)
    return Told(len(new), len(known) - reopened, reopened)


def clear_unseen(db: Connection, site: str, source: str, before_us: int, now_us: int) -> int:
    """Clear some of what a source has not raised since; gives how many. The last call before commit; again until it gives 0."""
    sql.hold(db, site)
    gone = sql.unseen(db, site, source, before_us, GROUP_ROWS_MAX)
    if gone:
        sql.clear(db, site, [id_ for id_, _ in gone], now_us)
        rows = [HistoryRow(uuid7(now_us // 1_000), id_, now_us, source, Step.CLEARED) for id_, _ in gone]
        sql.note(db, site, rows)
        append(db, site, [_leaf(Step.CLEARED, gone, {"source": source}, now_us)])
    return len(gone)


def assign(db: Connection, site: str, ids: Sequence[str], *, by: str, to: str, now_us: int) -> Outcome:
    """Give findings to somebody, or to nobody. The last call before commit.

    Args:
        to: a person's id, who is somebody here; empty for nobody.

    Raises:
        InputError: as ``_decided``.
    """

    def given(row: Finding) -> Finding:
        if row.owner == to:
            raise InputError("to", "has it already", reason=Reason.CONFLICT)
        return replace(row, owner=to)

    return _decided(db, site, ids, HistoryRow("", "", now_us, by, Step.ASSIGNED, to), given)


def suppress(
    db: Connection, site: str, ids: Sequence[str], *, by: str, why: str, until_us: int, now_us: int
) -> Outcome:
    """Note that a person answers for leaving findings, until an end. The last call before commit.

    Raises:
        InputError: as ``_decided``, ``core.finding.suppressed``; ``why`` is none.
    """
    words = said(why)

    def held(row: Finding) -> Finding:
        return replace(row, standing=rules.suppressed(row.standing, until_us, now_us), by=by, why=words)

    what = HistoryRow("", "", now_us, by, Step.SUPPRESSED, "", until_us, words)
    return _decided(db, site, ids, what, held)


def lift(db: Connection, site: str, ids: Sequence[str], *, by: str, why: str, now_us: int) -> Outcome:
    """End the suppression of findings. The last call before commit.

    Raises:
        InputError: as ``_decided``; ``why`` is none.
    """

    def free(row: Finding) -> Finding:
        return replace(row, standing=rules.lifted(row.standing, now_us), by="", why="")

    what = HistoryRow("", "", now_us, by, Step.LIFTED, why=said(why))
    return _decided(db, site, ids, what, free)


def extend(
    db: Connection, site: str, ids: Sequence[str], *, by: str, why: str, until_us: int, now_us: int
) -> Outcome:
    """Give findings more time. The last call before commit.

    Raises:
        InputError: as ``_decided``, ``core.finding.extended``; ``why`` is none.
    """

    def later(row: Finding) -> Finding:
        return replace(row, standing=rules.extended(row.standing, until_us, now_us))

    what = HistoryRow("", "", now_us, by, Step.EXTENDED, "", until_us, said(why))
    return _decided(db, site, ids, what, later)


def note(db: Connection, site: str, ids: Sequence[str], *, by: str, why: str, now_us: int) -> Outcome:
    """Write words beside findings. The last call before commit.

    Raises:
        InputError: as ``_decided``; there are no words.
    """
    what = HistoryRow("", "", now_us, by, Step.NOTED, why=said(why))
    return _decided(db, site, ids, what, lambda row: row)


def wake(db: Connection, site: str, now_us: int) -> int:
    """Open findings whose suppression's end has come; gives how many. The last call before commit; again until it gives 0."""
    sql.hold(db, site)
    rows = sql.ended(db, site, now_us, GROUP_ROWS_MAX)
    for row in rows:
        sql.change(db, site, replace(row, standing=row.standing.at(now_us), by="", why=""))
    sql.note(db, site, [_step(row, Step.ENDED, row.source, now_us) for row in rows])
    _record(db, site, [(Step.ENDED, row) for row in rows], {}, now_us)
    return len(rows)


def forget(db: Connection, site: str, before_us: int, limit: int) -> int:
    """Delete findings that were cleared before a time, with their history; gives how many. The ledger keeps its records."""
    return sql.forget(db, site, before_us, limit)


def said(text: str) -> str:
    """Give a person's words: short, printable, not empty.

    Raises:
        InputError: they are not.
    """
    words = " ".join(text.split())
    if not words or len(words) > WORDS_CHARS_MAX or not words.isprintable():
        why = f"say why, in 1 to {WORDS_CHARS_MAX} characters; no patient data"
        raise InputError("why", why, reason=Reason.INPUT_INVALID)
    return words


def _decided(
    db: Connection, site: str, ids: Sequence[str], what: HistoryRow, change: Callable[[Finding], Finding]
) -> Outcome:
    """Change some findings, and note and record it; those whose state does not allow it are left.

    Args:
        what: of each; its id and finding are filled in.

    Raises:
        InputError: ``limit``: more than ``IDS_MAX``; ``input.invalid``: none is named; ``not-found``; ``conflict``: all are left.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise InputError("findings", "name the findings that are meant", reason=Reason.INPUT_INVALID)
    if len(wanted) > IDS_MAX:
        raise InputError("findings", f"at most {IDS_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    sql.hold(db, site)
    rows = {row.id: row for row in sql.some(db, site, wanted)}
    if len(rows) < len(wanted):
        raise InputError("finding", "there is no such finding", reason=Reason.NOT_FOUND)
    done, left = list[Finding](), list[str]()
    why_not: InputError | None = None
    for id_ in wanted:
        try:
            done.append(change(replace(rows[id_], standing=rows[id_].standing.at(what.at_us))))
        except InputError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            why_not = error
            left.append(id_)
    if not done and why_not is not None:
        raise why_not
    for row in done:
        sql.change(db, site, row)
    now_us, ms = what.at_us, what.at_us // 1_000
    sql.note(db, site, [replace(what, id=uuid7(ms), finding=row.id) for row in done])
    body: dict[str, Any] = {"by": what.by}
    body |= {"to": what.about} if what.step is Step.ASSIGNED else {}
    body |= {"until": what.until_us} if what.until_us else {}
    body |= {"why": hashlib.sha256(what.why.encode()).hexdigest()} if what.why else {}
    _record(db, site, [(what.step, row) for row in done], body, now_us)
    return Outcome(tuple(row.id for row in done), tuple(left))


def _once(seen: Iterable[Raised]) -> dict[tuple[str, str], Raised]:
    """Give each finding once, with a key that is bounded."""
    found: dict[tuple[str, str], Raised] = {}
    for one in seen:
        if one.kind not in KINDS:
            raise InputError("kind", "there is no such kind of finding", reason=Reason.INPUT_INVALID)
        key = one.key
        if len(key) > rules.KEY_CHARS_MAX or not key.isprintable():
            key = f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
        other = found.get((one.kind, key))
        if other is None or one.weight.rank < other.weight.rank:
            found[one.kind, key] = replace(one, key=key)
    return found


def _new(source: str, one: Raised, terms: Findings, now_us: int) -> Finding:
    return Finding(
        id=uuid7(now_us // 1_000),
        kind=one.kind,
        key=one.key,
        source=source,
        about=_bounded(one.about),
        standing=rules.begun(one.kind, one.weight, terms, now_us),
        details=_plain(one.details or {}),
    )


def _as_before(row: Finding, now: Finding) -> bool:
    """Whether nothing of a finding is different but when it was last seen, and how often it was told."""
    as_of = replace(now.standing, last_us=row.standing.last_us)
    return as_of == row.standing and replace(now, standing=row.standing, tellings=row.tellings) == row


def _plain(details: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Bound facts that come from outside; numbers stay what they are."""
    some = sorted(details.items())[: rules.DETAILS_MAX]
    return {_bounded(str(name)): _fact(value) for name, value in some}


def _fact(value: object) -> str | int | float:
    """Give a number that JSON can say, or a text."""
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int:
        return value if abs(value) <= _INTEGER_MAX else _bounded(hex(value), _DETAIL_CHARS_MAX)
    return _bounded(str(value), _DETAIL_CHARS_MAX)


def _bounded(text: str, chars_max: int = rules.KEY_CHARS_MAX) -> str:
    """Cut a text, and replace what neither a page nor a terminal should be given."""
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in text[:chars_max])


def _step(row: Finding, step: Step, by: str, now_us: int, **more: Any) -> HistoryRow:
    return HistoryRow(uuid7(now_us // 1_000), row.id, now_us, by, step, **more)


def _record(
    db: Connection,
    site: str,
    steps: Sequence[tuple[Step, Finding]],
    body: Mapping[str, Any],
    now_us: int,
) -> None:
    """Append one record for each step that happened."""
    by_step: dict[Step, list[tuple[str, str]]] = {}
    for step, row in steps:
        by_step.setdefault(step, []).append((row.id, row.kind))
    if by_step:
        append(db, site, [_leaf(step, rows, body, now_us) for step, rows in by_step.items()])


def _leaf(step: Step, rows: Sequence[tuple[str, str]], body: Mapping[str, Any], now_us: int) -> Leaf:
    kinds = dict(sorted(Counter(kind for _, kind in rows).items()))
    said_ = {**body, "findings": [id_ for id_, _ in rows], "kinds": kinds}
    return prepare(Record(f"finding.{step}", said_, now_us))
