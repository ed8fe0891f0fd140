"""Explain a decision: the steps that made it, what each looked at by id, what it gave and took, and what it hangs on.

Rules:
- The steps are those of ``decide`` itself, in its order and by its numbers; the answer is the same for all facts.
- What was never asked is not told: after the step that answers there is none.
- ``decides``: without this one thing the answer would be another. ``shares``: it spoke, and others said as much, so that
  without it alone nothing changes. ``none``: it spoke and changed nothing.
- Ids, codes and class words alone: ``link:…``, ``consent:…``, ``label:…``, ``policy:…``, ``fact:…``.

Deliberately absent: who the patient is, where consents come from, what was sent (``explaining``), and any clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from oathward.core.labels import CLASSES
from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ANY, ConsentFact

# The steps themselves: an explanation that had its own would drift from what is decided.
from oathward.policy.decide import (
    _FACTS_READ,
    _cedar,
    _dates,
    _known,
    _labelled,
    _left,
    _refused,
    _reviewed,
    _source,
    _subject,
    _whole,
    care_first,
)
from oathward.policy.explain_words import said
from oathward.policy.granted import Granted, Span, consented
from oathward.policy.labels import RANK
from oathward.policy.model import (
    TRANSPORT_CLASSES,
    Decision,
    Deny,
    Facts,
    Indeterminate,
    Link,
    Permit,
)

Weight = Literal["decides", "shares", "none"]
_NONE = frozenset[str]()
_CONTENT = CLASSES - TRANSPORT_CLASSES


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a step looked at.

    ``gave``, ``took``: classes of the link that it alone grants or takes away. ``codes``: that it speaks of, where it
    speaks by code. ``until_us``: when it ends, where it does.
    """

    id: str
    weight: Weight = "none"
    gave: frozenset[str] = _NONE
    took: frozenset[str] = _NONE
    codes: frozenset[str] = _NONE
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision, as ``decide`` numbers them.

    ``left``: classes that may still pass after it. ``took``: classes it took from those before. ``answers``: the decision
    ended here. ``reasons``: why, where nothing passes. ``words``: for whoever reads it.
    """

    number: int
    name: str
    parts: tuple[Part, ...]
    took: frozenset[str]
    left: frozenset[str]
    answers: bool
    reasons: tuple[Reason, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and how it came about. ``care``: what the link lets care have although it could not be told."""

    link: str
    answer: Decision
    steps: tuple[Step, ...]
    care: Permit | None = None

    @property
    def passes(self) -> frozenset[str]:
        """The classes that may leave, the frame of the message included."""
        permit = self.care or self.answer
        return permit.classes if isinstance(permit, Permit) else _NONE

    @property
    def decided_by(self) -> tuple[str, ...]:
        """What the answer hangs on: each of these alone; in order of the steps."""
        return tuple(part.id for step in self.steps for part in step.parts if part.weight == "decides")


@dataclass(frozen=True, slots=True)
class _Case:
    """What is being explained: with all consents, those that wait among them."""

    bundle: Bundle
    link: Link
    facts: Facts
    now_us: int
    answer: Decision

    def weight(self, other: Facts, *, spoke: bool) -> Weight:
        """Say what hangs on what is not in other facts."""
        answer = _reviewed(self.bundle, self.link, other, Span(self.now_us))
        if effect_of(answer) != effect_of(self.answer):
            return "decides"
        return "shares" if spoke else "none"

    def without(self, consent: ConsentFact) -> Facts:
        """The same facts, had one thing not been said."""
        said_all = self.facts.consents or ()
        return replace(self.facts, consents=tuple(one for one in said_all if one is not consent))


def effect_of(answer: Decision) -> tuple[Any, ...]:
    """Give what an answer comes to, whatever it rests on: two with equal effects do the same."""
    match answer:
        case Permit():
            return ("permit", answer.classes, answer.withheld, answer.only, answer.valid_until_us)
        case Deny():
            return ("deny", answer.reasons)
        case Indeterminate():
            return ("indeterminate", answer.why)


def explain(bundle: Bundle, link: Link, facts: Facts, now_us: int) -> Explanation:
    """Explain what ``decide`` answers; arguments as there. It costs a decision for each consent, and remembers nothing."""
    answer = _reviewed(bundle, link, facts, Span(now_us))
    case = _Case(bundle, link, facts, now_us, answer)
    waiting = tuple(one for one in facts.consents or () if one.pending)
    steps, stands = _walk(case, _standing(facts) if waiting else facts)
    if waiting and isinstance(stands, Permit):
        steps.append(_waiting(case, waiting, stands))
    care = care_first(link, answer) if isinstance(answer, Indeterminate) else None
    return Explanation(link.id, answer, tuple(steps), care if isinstance(care, Permit) else None)


def _standing(facts: Facts) -> Facts:
    return replace(facts, consents=tuple(one for one in facts.consents or () if not one.pending))


def _walk(case: _Case, facts: Facts) -> tuple[list[Step], Decision]:
    """Go the steps of ``decide`` by what stands; gives them with the answer they come to."""
    bundle, link, dates = case.bundle, case.link, Span(case.now_us)
    steps: list[Step] = []
    early: tuple[tuple[str, Callable[[], Deny | Indeterminate | None]], ...] = (
        ("source", lambda: _source(link, facts)),
        ("facts", lambda: _known(link, facts)),
        ("dates", lambda: _dates(link, facts, dates)),
        ("subject", lambda: _subject(link, facts)),
    )
    for number, (name, ask) in enumerate(early, 1):
        no = ask()
        left = _NONE if no else link.classes
        steps.append(_step(case, number, name, _EARLY[name](link, facts, no), (link.classes, left), no))
        if no is not None:
            return steps, no
    recipient = bundle.recipients.get(link.recipient)
    names = frozenset((link.recipient,)) | (recipient.actors if recipient else _NONE)
    consent = consented(link, names, facts, dates)
    parts = _spoken(case, names, facts, consent)
    if isinstance(consent, Indeterminate):
        steps.append(_step(case, 5, "consent", parts, (link.classes, _NONE), consent))
        return steps, consent
    granted = link.classes if consent.granted is None else link.classes & consent.granted
    no = _refused(link, consent, granted)
    left = _NONE if no else granted - consent.denied
    steps.append(_step(case, 5, "consent", parts, (link.classes, left), no))
    return (steps, no) if no is not None else _end(case, facts, steps, (granted, consent, left))


def _end(
    case: _Case, facts: Facts, steps: list[Step], before: tuple[frozenset[str], Granted, frozenset[str]]
) -> tuple[list[Step], Decision]:
    """Go steps 6 to 8."""
    link, (granted, consent, left) = case.link, before
    labelled = _labelled(link, facts)
    no = labelled if isinstance(labelled, Deny) else None
    after = _NONE if isinstance(labelled, Deny) else left - labelled
    steps.append(_step(case, 6, "labels", _labels(case, facts), (left, after), no))
    if isinstance(labelled, Deny):
        return steps, labelled
    classes = _whole(granted - consent.denied - labelled)
    lost = _left(link, facts, classes, consent)
    parts = (Part("fact:classes_present", "decides" if lost else "none", took=after - classes),)
    steps.append(_step(case, 7, "left", parts, (after, _NONE if lost else classes), lost))
    if lost is not None:
        return steps, lost
    answer = _cedar(case.bundle, link, facts, classes, consent)
    return [*steps, _conditions(case, answer, classes)], answer


def _conditions(case: _Case, answer: Decision, classes: frozenset[str]) -> Step:
    """Step 8: which policies determined the verdict; each of a denial is enough for it."""
    named = answer.about if isinstance(answer, Indeterminate) else answer.basis
    found = tuple(
        Part(one, "shares" if len(named) > 1 and not isinstance(answer, Permit) else "decides")
        for one in named
        if one.startswith("policy:")
    )
    permits = isinstance(answer, Permit)
    no = None if isinstance(answer, Permit) else answer
    return replace(
        _step(case, 8, "conditions", found, (classes, classes if permits else _NONE), no), answers=True
    )


def _waiting(case: _Case, waiting: tuple[ConsentFact, ...], stands: Permit) -> Step:
    """What arrived and nobody has looked at: a permit that would say less with it is held."""
    parts = tuple(
        Part(
            f"consent:{one.id}",
            case.weight(case.without(one), spoke=True),
            took=one.classes & _CONTENT,
            until_us=one.end_us,
        )
        for one in waiting
    )
    held = case.answer if isinstance(case.answer, Indeterminate) else None
    step = _step(case, 5, "waiting", parts, (stands.classes, _NONE if held else stands.classes), held)
    return replace(step, answers=held is not None)


def _step(
    case: _Case,
    number: int,
    name: str,
    parts: tuple[Part, ...],
    classes: tuple[frozenset[str], frozenset[str]],
    no: Deny | Indeterminate | None,
) -> Step:
    before, left = classes
    reasons = () if no is None else (no.why,) if isinstance(no, Indeterminate) else no.reasons
    about = no.about if isinstance(no, Indeterminate) else ()
    words = said(name, case.link, case.facts, reasons, about)
    return Step(number, name, parts, before - left, left, no is not None, reasons, words)


# --- what a step looked at


def _of_source(link: Link, facts: Facts, no: Deny | Indeterminate | None) -> tuple[Part, ...]:
    del facts
    looked = ("fact:message_type", "fact:device", "fact:device_kind", "fact:device_tags", "fact:assurance")
    return (Part(f"link:{link.id}", "decides" if no else "none"), *map(Part, looked))


def _of_facts(link: Link, facts: Facts, no: Deny | Indeterminate | None) -> tuple[Part, ...]:
    del link
    lacks = [f"fact:{name}" for name in _FACTS_READ if getattr(facts, name) is None] if no else []
    return tuple(Part(one, "decides" if len(lacks) == 1 else "shares") for one in lacks)


def _of_dates(link: Link, facts: Facts, no: Deny | Indeterminate | None) -> tuple[Part, ...]:
    del facts
    if link.valid_from_us is None and link.valid_until_us is None:
        return ()
    weight: Weight = "decides" if no else "none"
    return (Part(f"link:{link.id}", weight, until_us=link.valid_until_us),)


def _of_subject(link: Link, facts: Facts, no: Deny | Indeterminate | None) -> tuple[Part, ...]:
    del link, facts
    return (Part("fact:subject_kind", "decides" if no else "none"),)


_EARLY: dict[str, Callable[[Link, Facts, Deny | Indeterminate | None], tuple[Part, ...]]] = {
    "source": _of_source,
    "facts": _of_facts,
    "dates": _of_dates,
    "subject": _of_subject,
}


def _spoken(
    case: _Case, names: frozenset[str], facts: Facts, found: Granted | Indeterminate
) -> tuple[Part, ...]:
    """The consents that speak of this link now, or will: what each says alone, and what hangs on it."""
    counted = set() if isinstance(found, Indeterminate) else {*found.basis, *found.unsure}
    about = set(found.about) if isinstance(found, Indeterminate) else _NONE
    parts = []
    for one in facts.consents or ():
        name = f"consent:{one.id}"
        spoke = name in counted or name in about
        alone = _alone(case, names, facts, one)
        if isinstance(found, Indeterminate):
            spoke = spoke or isinstance(alone, Indeterminate) or bool(alone.basis or alone.unsure)
        weight = case.weight(case.without(one), spoke=spoke)
        if spoke or weight == "decides":
            parts.append(_part(case.link, one, alone, weight))
    return tuple(sorted(parts, key=lambda part: part.id))


def _alone(case: _Case, names: frozenset[str], facts: Facts, one: ConsentFact) -> Granted | Indeterminate:
    """What one consent would say if nothing else had been said."""
    return consented(case.link, names, replace(facts, consents=(one,)), Span(case.now_us))


def _part(link: Link, one: ConsentFact, alone: Granted | Indeterminate, weight: Weight) -> Part:
    gave = took = _NONE
    if isinstance(alone, Granted):
        content = link.classes & _CONTENT
        gave = content & (alone.granted or _NONE) if one.permit else _NONE
        took = content & alone.denied
    codes = _NONE if ANY in one.codes else one.codes
    known = (
        isinstance(alone, Granted) and not alone.unsure
    )  # else several may keep the answer from being known together
    if weight == "shares" and known and not (gave or took or codes):
        weight = "none"
    return Part(f"consent:{one.id}", weight, gave, took, codes, one.end_us)


def _labels(case: _Case, facts: Facts) -> tuple[Part, ...]:
    """The level, and each sensitivity with the classes that this link does not take under it."""
    link = case.link
    assert facts.confidentiality is not None
    above = RANK[facts.confidentiality] > RANK[link.confidentiality_max]
    parts = [Part(f"label:{facts.confidentiality}", "decides" if above else "none")]
    for code in sorted(facts.sensitivity or ()):
        taken = link.sensitivity_denied.get(code, link.sensitivity_denied.get(ANY, _NONE))
        took = link.classes & (taken - TRANSPORT_CLASSES)
        rest = (facts.sensitivity or _NONE) - {code}
        other = replace(case.facts, sensitivity=rest)
        parts.append(Part(f"label:{code}", case.weight(other, spoke=bool(took)), took=took))
    return tuple(parts)
