"""Decide again what was decided: recorded answers and facts, two bundles → what would be otherwise (one decision).

Steps for each link that the two bundles do not have alike:
1. what the bundle in force says of these facts, at the record's own time, with the consents that were recorded;
2. whether what is recorded fits that: it may have stopped later (shaping left nothing, the guard stopped it);
3. what the other bundle says;
4. what is otherwise: the answer, the classes of this message that leave, how they are shaped.

Rules:
- What cannot be told is *undecided*, with its cause, and never counts as unchanged.
- A FHIR resource without what it must have is nothing: where nothing of one was left for some link, whether anything
  would be left for a link that would newly get it cannot be told.
- Where labels may be one or the other (``dry_run_labels``), an answer counts only where it is the same for all.
- A class leaves where the answer permits it, the message has it, and the profile leaves anything of it.
- What only dates make otherwise is *dated*: decided today, both bundles would say the same.

Deliberately absent: sums (``dry_run_sums``), the ledger (``oathward.dry_running``), and what the guard would make of
a message that was never shaped for a link.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.policy.decide import care_first, decide
from oathward.policy.dry_run_labels import Relabelling
from oathward.policy.granted import FOREVER_US
from oathward.policy.model import (
    KEEP,
    Decision,
    Deny,
    Facts,
    Indeterminate,
    Link,
    Permit,
    Wire,
    outgoing_wire,
)

Word = Literal["permit", "deny", "hold", "none"]
"""What became of a message on a link; ``none``: the link takes no such messages, or is not there."""

CAUSES = ("removed", "facts", "version", "codes", "labels", "patient", "message")
"""Why something cannot be decided again: facts removed, not there, of another version; codes nobody asked for then;
labels that another table may have given; unsure which patient; what shaping or the guard makes of the message itself."""

_WHOM = frozenset({Reason.PATIENTS_SEVERAL.code, Reason.PATIENT_AMBIGUOUS.code})
_LATE = frozenset({Reason.NOTHING_LEFT.code})
_WORDS: Mapping[str, Word] = {"permit": "permit", "deny": "deny", "held": "hold", "indeterminate": "hold"}
_NONE = frozenset[str]()


class Answered(NamedTuple):
    """What is recorded for one link: the word of the record, and the reason's code."""

    link: str
    word: str
    reason: str = ""


class Recorded(NamedTuple):
    """One recorded decision. ``partial``: a release, which served only the links it names."""

    answers: tuple[Answered, ...]
    wire: Wire
    partial: bool = False

    def of(self, link: str) -> Answered | None:
        """What is recorded for a link."""
        return next((answer for answer in self.answers if answer.link == link), None)

    def unsure_whom(self, facts: Facts, bundle: Bundle) -> bool | None:
        """Whether it was unsure who the message is about; None where no link that would say so answered."""
        if any(answer.word == "held" and answer.reason in _WHOM for answer in self.answers):
            return True
        if facts.subject_kind == "known":
            return False
        others = [a for a in self.answers if a.link in bundle.links and not bundle.links[a.link].for_care]
        return False if any(answer.word in ("permit", "deny") for answer in others) else None


@dataclass(frozen=True)
class Side:
    """One bundle and what its profiles do: profile → class → action, for classes of which anything stays."""

    bundle: Bundle
    profiles: Mapping[str, Mapping[str, str]]

    @cached_property
    def parts(self) -> Mapping[str, object]:
        """All that an answer on a link hangs on but labels, by link: equal for two bundles, equal answers."""
        bundle, found = self.bundle, {}
        for name, link in bundle.links.items():
            reaching = tuple(
                (statement.id, statement.notify, statement.tree)
                for statement in bundle.policies
                if statement.reaches("Disclose", name, link.recipient)
            )
            recipient = bundle.recipients[link.recipient]
            found[name] = (
                link,
                recipient,
                reaching,
                dict(self.profiles.get(link.profile, {})),
                bundle.labels,
            )
        return found

    @cached_property
    def dates(self) -> tuple[int, ...]:
        """The dates of its links' agreements."""
        links = self.bundle.links.values()
        return tuple(d for link in links for d in (link.valid_from_us, link.valid_until_us) if d is not None)


class Change(NamedTuple):
    """What would be otherwise on one link.

    ``more``, ``less``: classes of the message that newly leave, or no longer. ``codes``: whole observations more (1)
    or fewer (-1) by their codes. ``reshaped``: classes that leave in another form. ``dated``: by dates alone.
    ``reasons``: of the new answer, where it is no permit.
    """

    link: str
    old: Word
    new: Word
    more: frozenset[str] = _NONE
    less: frozenset[str] = _NONE
    codes: int = 0
    reshaped: bool = False
    dated: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether it is as it was."""
        return self.old == self.new and not (self.more or self.less or self.codes or self.reshaped)


class Effect(NamedTuple):
    """What one recorded decision comes to. It holds for equal ones made from ``since_us`` up to ``until_us``.

    ``undecided``: link → cause; the empty link is all of it. ``moved``: links whose recorded answer is not that of the
    bundle in force: another was, then.
    """

    kind: str = ""
    known: bool = False
    changes: tuple[Change, ...] = ()
    undecided: tuple[tuple[str, str], ...] = ()
    moved: tuple[str, ...] = ()
    since_us: int = -FOREVER_US
    until_us: int = FOREVER_US


def wire_of(message_type: str) -> Wire:
    """Say by which protocol a message of a type came."""
    return "fhir" if message_type.startswith("FHIR^") else "hl7v2"


def undecidable(cause: str) -> Effect:
    """Say that a decision cannot be made again at all."""
    assert cause in CAUSES
    return Effect(undecided=(("", cause),))


class _Answer(NamedTuple):
    """An answer in the words of a dry run. ``unknown``: the cause where it cannot be told."""

    word: Word
    permit: Permit | None = None
    reasons: tuple[str, ...] = ()
    unknown: str = ""


class _Asked(NamedTuple):
    """One recorded decision, as it is asked again. ``labelled``: its facts by each labelling that may be after."""

    facts: Facts
    labelled: tuple[Facts, ...]
    recorded: Recorded
    unsure: bool | None


class Comparison:
    """Two bundles, ready to decide recorded facts again under both.

    Args:
        now_us: the time of the run: what dates alone change is told by deciding at this time too.
    """

    def __init__(self, before: Side, after: Side, now_us: int) -> None:
        self._before, self._after, self._now_us = before, after, now_us
        self._relabelling = Relabelling(before.bundle.labels, after.bundle.labels)
        old, new = before.parts, after.parts
        self._other = frozenset(name for name in {*old, *new} if old.get(name) != new.get(name))
        labelled = before.bundle.labels == after.bundle.labels
        self.links = tuple(sorted(self._other if labelled else {*old, *new}))
        """The links that the two may not answer alike."""

    def effect(self, facts: Facts, recorded: Recorded, at_us: int) -> Effect:
        """Decide one recorded decision again."""
        asked = _Asked(
            facts, self._relabelling.of(facts), recorded, recorded.unsure_whom(facts, self._before.bundle)
        )
        relabelled = asked.labelled != (facts,)
        since_us, until_us = self._span(facts, at_us)
        changes, undecided, moved = [], [], []
        for link in self.links:
            if (recorded.partial and recorded.of(link) is None) or not (relabelled or link in self._other):
                continue
            change, cause, was_other = self._link(link, asked, at_us)
            if cause:
                undecided.append((link, cause))
            elif not change.nothing:
                dated = not since_us <= self._now_us < until_us and self._is_dated(link, asked)
                changes.append(change._replace(dated=dated))
            if was_other:
                moved.append(link)
        kind, known = facts.device_kind or "", facts.subject_kind == "known"
        return Effect(kind, known, tuple(changes), tuple(undecided), tuple(moved), since_us, until_us)

    def _link(self, link: str, asked: _Asked, at_us: int) -> tuple[Change, str, bool]:
        """Compare on one link; gives the change, the cause where it cannot be told, and whether another bundle answered."""
        old, new = self._old(link, asked, at_us), self._new(link, asked, at_us)
        said = asked.recorded.of(link)
        late = said is not None and old.word == "permit" and _is_late(said)
        fits = late or (_WORDS[said.word] if said else "none") == old.word
        change = self._change(link, asked.recorded.wire, old, new)
        cause = old.unknown or new.unknown
        if not cause and self._is_unsure(link, old, new, asked.recorded):
            cause = "message"
        if late and said is not None and not cause:
            if new.word == "permit" and not change.nothing:
                cause = "message"
            stopped = _WORDS[said.word]  # so nothing of it left, whatever was permitted
            change = Change(link, stopped, stopped if new.word == "permit" else new.word, reasons=new.reasons)
        return change, cause, not fits

    def _is_unsure(self, name: str, old: _Answer, new: _Answer, recorded: Recorded) -> bool:
        """Whether it newly leaves, of a request of which nothing was left elsewhere: perhaps nothing is here either."""
        link = self._after.bundle.links.get(name)
        if link is None or link.for_care or recorded.wire != "fhir":
            return False
        newly = new.word == "permit" and old.word != "permit"
        return newly and any(one.reason in _LATE for one in recorded.answers)

    def _old(self, link: str, asked: _Asked, at_us: int) -> _Answer:
        wire, unsure = asked.recorded.wire, bool(asked.unsure)
        return _answer(self._before, link, asked.facts, wire, at_us, unsure=unsure)

    def _new(self, link: str, asked: _Asked, at_us: int) -> _Answer:
        """Answer under the bundle after, for each labelling that may be; undecided where they differ."""
        wire, unsure = asked.recorded.wire, bool(asked.unsure)
        answers = [_answer(self._after, link, one, wire, at_us, unsure=unsure) for one in asked.labelled]
        if not answers or any(_apart(answers[0], other) for other in answers[1:]):
            return _Answer("hold", unknown="labels")
        one = self._after.bundle.links.get(link)
        if asked.unsure is None and one is not None and not one.for_care and answers[0].permit is not None:
            return _Answer("hold", unknown="patient")
        return answers[0]

    def _change(self, link: str, wire: Wire, old: _Answer, new: _Answer) -> Change:
        was, would = self._leaving(self._before, link, old), self._leaving(self._after, link, new)
        kept = was.keys() & would.keys()
        forms = self._form(self._before, link, old, wire), self._form(self._after, link, new, wire)
        return Change(
            link,
            old.word,
            new.word,
            frozenset(would.keys() - was.keys()),
            frozenset(was.keys() - would.keys()),
            _by_codes(old.permit, new.permit),
            any(was[cls] != would[cls] for cls in kept) or (None not in forms and forms[0] != forms[1]),
            reasons=new.reasons,
        )

    @staticmethod
    def _form(side: Side, name: str, answer: _Answer, wire: Wire) -> tuple[Wire, str] | None:
        """Give the protocol it leaves by, and what becomes of what it only mentions."""
        if answer.permit is None:
            return None
        link = side.bundle.links[name]
        leaves = outgoing_wire(link, side.bundle.recipients[link.recipient], wire)
        return leaves, link.mentioned if leaves != wire else ""

    @staticmethod
    def _leaving(side: Side, name: str, answer: _Answer) -> Mapping[str, str]:
        """Give the classes that leave, each with what is done to it."""
        if answer.permit is None:
            return {}
        link = side.bundle.links[name]
        if link.recipient == KEEP:
            return {}
        actions = side.profiles.get(answer.permit.profile, {})
        found = {cls: actions[cls] for cls in answer.permit.classes if cls in actions}
        if link.for_care:
            found.pop("uncatalogued", None)
            if link.uncatalogued == "pass" and "uncatalogued" in answer.permit.classes:
                found["uncatalogued"] = "keep"
        return found

    def _is_dated(self, link: str, asked: _Asked) -> bool:
        """Whether dates alone make it otherwise: today both would say the same."""
        old, new = self._old(link, asked, self._now_us), self._new(link, asked, self._now_us)
        return self._change(link, asked.recorded.wire, old, new).nothing

    def _span(self, facts: Facts, at_us: int) -> tuple[int, int]:
        """Give the time around a decision in which no date of consents or links is crossed."""
        dates = {*self._before.dates, *self._after.dates}
        for consent in facts.consents or ():
            for one in (consent.box, *consent.unless):
                dates.update(d for d in (one.start_us, one.end_us) if d is not None)
        if not dates:
            return -FOREVER_US, FOREVER_US
        ordered = sorted(dates)
        place = bisect_right(ordered, at_us)
        return (
            ordered[place - 1] if place else -FOREVER_US,
            ordered[place] if place < len(ordered) else FOREVER_US,
        )


def _answer(side: Side, name: str, facts: Facts, wire: Wire, at_us: int, *, unsure: bool) -> _Answer:
    """Say what becomes of a message on a link, as ``gateway/path.py`` does."""
    link = side.bundle.links.get(name)
    decision = None if link is None else _decision(side.bundle, link, facts, wire, at_us)
    if link is None or decision is None:
        return _Answer("none")
    if isinstance(decision, Indeterminate):
        unknown = "codes" if "codes_present" in decision.about else ""
        return _Answer("hold", None, (decision.why.code,), unknown)
    if unsure and not link.for_care:
        return _Answer("hold", None, (Reason.PATIENT_AMBIGUOUS.code,))
    if isinstance(decision, Deny):
        return _Answer("deny", None, tuple(reason.code for reason in decision.reasons))
    if _held_for_uncatalogued(link, facts):
        return _Answer("hold", None, (Reason.UNCATALOGUED.code,))
    return _Answer("permit", _present(decision, facts))


def _decision(bundle: Bundle, link: Link, facts: Facts, wire: Wire, at_us: int) -> Decision | None:
    """Decide; None where the link takes no such messages, which is no news."""
    if outgoing_wire(link, bundle.recipients[link.recipient], wire) not in (wire, "fhir"):
        return None
    decision = decide(bundle, link, facts, at_us)
    if isinstance(decision, Deny) and decision.reasons == (Reason.NO_LINK,):
        return None
    return care_first(link, decision) if isinstance(decision, Indeterminate) else decision


def _held_for_uncatalogued(link: Link, facts: Facts) -> bool:
    """Whether a care link holds it for what nobody catalogued; other links remove that."""
    present = "uncatalogued" in (facts.classes_present or _NONE)
    return link.for_care and link.recipient != KEEP and link.uncatalogued == "hold" and present


def _present(permit: Permit, facts: Facts) -> Permit:
    """Leave of a permit's classes those that the message has."""
    present = facts.classes_present
    return permit if present is None else replace(permit, classes=permit.classes & present)


def _is_late(said: Answered) -> bool:
    """Whether a decision that permitted was stopped afterwards: nothing was left, or it waits for a person."""
    return (said.word == "deny" and said.reason in _LATE) or (
        said.word == "held" and said.reason not in _WHOM
    )


def _apart(one: _Answer, other: _Answer) -> bool:
    if one.word != other.word or (one.permit is None) != (other.permit is None):
        return True
    if one.permit is None or other.permit is None:
        return False
    what = [(p.classes, p.profile, p.withheld, p.only) for p in (one.permit, other.permit)]
    return what[0] != what[1]


def _by_codes(old: Permit | None, new: Permit | None) -> int:
    """Say whether whole observations leave that did not (1), or no longer (-1)."""
    if old is None or new is None:
        return 0
    if not new.covers(_NONE, old.withheld, old.only):
        return -1
    return 0 if old.covers(_NONE, new.withheld, new.only) else 1
