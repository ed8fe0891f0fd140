"""What a finding is, when its clock is due, and where its state may go: the rules of every finding, pure.

| state | means | goes on to |
|---|---|---|
| ``open`` | somebody must see to it | suppressed, cleared |
| ``suppressed`` | a person answers for leaving it, until an end | open (the end came, somebody lifted it, it got worse), cleared |
| ``cleared`` | what raised it sees it no longer | open; suppressed, where that has not ended yet |

Rules:
- The clock begins when a finding was first seen, and is due after the term of its kind or of its severity, whichever is shorter.
- Nothing pauses it, neither suppressing nor giving it to somebody. Only a person's extension moves it later.
- Where it gets worse, the term of the worse severity begins then, if that is due sooner. Getting better moves nothing.
- One that is back within its term goes on with the clock it had: whoever makes it vanish for a day wins no time. Back
  later, its clock begins anew; when it was first seen stays.
- A suppression lasts a year at most. It ends early when the severity rises above what was suppressed.

Deliberately absent: kinds (``finding_kinds``), rows and records (``oathward.findings``), who may do what (``policy``).

Source: docs/adr/0053-findings-and-clocks.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.finding_kinds import KINDS, Severity
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.core.settings_findings import Findings

DAYS_MAX = 366
"""So far ahead a suppression or an extension reaches at most."""

KEY_CHARS_MAX = 200
"""Of a key and of what a finding is about. What comes from a network is bounded here; a longer key counts by its digest."""

DETAILS_MAX = 20
_DAY_US = 86_400_000_000


class State(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    SUPPRESSED = "suppressed"
    CLEARED = "cleared"


class Step(StrEnum):
    """What happened to a finding; the record of it is ``finding.`` and this word."""

    OPENED = "opened"
    REOPENED = "reopened"
    ROSE = "rose"  # it got worse
    CLEARED = "cleared"
    ASSIGNED = "assigned"
    EXTENDED = "extended"
    SUPPRESSED = "suppressed"
    ENDED = "ended"  # its suppression's time was over
    LIFTED = "lifted"  # its suppression, by a person
    NOTED = "noted"


BY_SOURCE = frozenset({Step.OPENED, Step.REOPENED, Step.ROSE, Step.CLEARED, Step.ENDED})
"""Steps that no person takes: whoever stands beside them is what raised the finding."""


@dataclass(frozen=True, slots=True)
class Raised:
    """One thing that somebody should look at, as what raises it says it.

    Args:
        kind: of ``KINDS``. key: with the kind it says which finding it is; stable for as long as it is the same matter.
        about: what it is about, ``endpoint:ID``, ``link:ID``; a page leads there. severity: that of the kind where None.
        details: facts, shown as they are: ids, codes, addresses, counts; no value of a message, no name of a person.
    """

    kind: str
    key: str
    about: str = ""
    severity: Severity | None = None
    details: Mapping[str, str | int | float] | None = None

    @property
    def weight(self) -> Severity:
        """How grave it is."""
        return self.severity or KINDS[self.kind].severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one finding stands. Times in microseconds UTC, 0 for none.

    Args:
        first_us: when it was first seen, ever. since_us: when its clock began. due_us: when somebody must have settled it.
        until_us: end of its suppression. held: the severity that was suppressed.
    """

    state: State
    severity: Severity
    first_us: int
    last_us: int
    since_us: int
    due_us: int
    cleared_us: int = 0
    until_us: int = 0
    held: Severity | None = None

    def at(self, now_us: int) -> Standing:
        """Give how it stands at a time: a suppression whose end has come is over."""
        if self.state is State.SUPPRESSED and self.until_us <= now_us:
            return replace(self, state=State.OPEN, until_us=0, held=None)
        return self

    def overdue(self, now_us: int) -> bool:
        """Whether nobody settled it in time."""
        return self.at(now_us).state is State.OPEN and self.due_us <= now_us


def end_of(day: str) -> int:
    """Give the end of a day in UTC, in microseconds, as somebody writes one: ``2027-01-31``.

    Raises:
        InputError: it is no day.
    """
    try:
        return micros(datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise InputError("until", "a day as in 2027-01-31", reason=Reason.INPUT_INVALID) from error


def term_us(kind: str, severity: Severity, terms: Findings) -> int:
    """Give the time somebody has for a finding: the kind's own or the severity's, whichever is shorter."""
    by_severity = {
        Severity.URGENT: terms.urgent_days,
        Severity.SERIOUS: terms.serious_days,
        Severity.ATTENTION: terms.attention_days,
    }[severity]
    own = KINDS[kind].days
    return int((min(own, by_severity) if own else by_severity) * _DAY_US)


def begun(kind: str, severity: Severity, terms: Findings, now_us: int) -> Standing:
    """Give how a finding stands that was never seen before."""
    due_us = now_us + term_us(kind, severity, terms)
    return Standing(
        state=State.OPEN,
        severity=severity,
        first_us=now_us,
        last_us=now_us,
        since_us=now_us,
        due_us=due_us,
    )


def seen_again(
    was: Standing, kind: str, severity: Severity, terms: Findings, now_us: int
) -> tuple[Standing, tuple[Step, ...]]:
    """Give how a known finding stands that is seen again, and what happened by that; nothing, most often."""
    now, steps = was.at(now_us), list[Step]()
    if now.state is not was.state:
        steps.append(Step.ENDED)
    rose, length_us = severity.rank < now.severity.rank, term_us(kind, severity, terms)
    if now.state is State.CLEARED:
        steps.append(Step.REOPENED)
        kept = now.until_us > now_us
        state = State.SUPPRESSED if kept else State.OPEN
        held = now.held if kept else None
        now = replace(now, state=state, until_us=now.until_us if kept else 0, held=held)
        if now_us - now.cleared_us >= length_us:
            now = replace(now, since_us=now_us, due_us=now_us + length_us)
        now = replace(now, cleared_us=0)
    if rose:
        steps.append(Step.ROSE)
        if now_us + length_us < now.due_us:
            now = replace(now, since_us=now_us, due_us=now_us + length_us)
    if now.state is State.SUPPRESSED and now.held is not None and severity.rank < now.held.rank:
        now = replace(now, state=State.OPEN, until_us=0, held=None)
    return replace(now, severity=severity, last_us=max(now.last_us, now_us)), tuple(steps)


def cleared(was: Standing, now_us: int) -> Standing:
    """Give how a finding stands that its source sees no longer; a suppression is kept for when it is back.

    Raises:
        InputError: ``conflict``: it is cleared already.
    """
    _living(was)
    return replace(was.at(now_us), state=State.CLEARED, cleared_us=now_us)


def suppressed(was: Standing, until_us: int, now_us: int) -> Standing:
    """Give how a finding stands that a person answers for leaving, until an end.

    Raises:
        InputError: ``input.invalid``: the end is not within a year; ``conflict``: it is cleared.
    """
    _within(until_us, now_us)
    _living(was)
    return replace(was, state=State.SUPPRESSED, until_us=until_us, held=was.severity)


def lifted(was: Standing, now_us: int) -> Standing:
    """Give how a finding stands whose suppression a person ends.

    Raises:
        InputError: ``conflict``: it is not suppressed.
    """
    if was.at(now_us).state is not State.SUPPRESSED:
        raise InputError("finding", "is not suppressed", reason=Reason.CONFLICT)
    return replace(was, state=State.OPEN, until_us=0, held=None)


def extended(was: Standing, until_us: int, now_us: int) -> Standing:
    """Give how a finding stands that has more time.

    Raises:
        InputError: ``input.invalid``: the day is not within a year; ``conflict``: it is cleared, or due later already.
    """
    _within(until_us, now_us)
    _living(was)
    if until_us <= was.due_us:
        raise InputError("until", "it is due later already", reason=Reason.CONFLICT)
    return replace(was.at(now_us), due_us=until_us)


def _living(was: Standing) -> None:
    if was.state is State.CLEARED:
        raise InputError("finding", "is cleared: what raised it sees it no longer", reason=Reason.CONFLICT)


def _within(until_us: int, now_us: int) -> None:
    if not now_us < until_us <= now_us + DAYS_MAX * _DAY_US:
        why = f"a time to come, within {DAYS_MAX} days"
        raise InputError("until", why, reason=Reason.INPUT_INVALID)
