"""Step 5 of a decision: what consents leave of one link's classes, and of the observations of one message.

Rules:
- Deny wins: whatever one consent grants, another that denies it takes away, but for what that denial itself excepts.
- A grant by code is of whole observations that bear such a code. A denial by code withholds all that bears one,
  whatever classes it names. One that lost its codes denies everything, without exceptions.
- While the clock is not sure, a grant or an exception with dates does not count, and a denial with dates cannot be told.
- What is asked by code while the message's codes are not known is not decided.

Deliberately absent: where consents come from, the link's own classes, and Cedar (``decide.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from oathward.core.labels import CLASSES, OBSERVATION_CLASSES
from oathward.core.reasons import Reason
from oathward.policy.consents import ANY, EVERY, Box, ConsentFact, classes_of, hits, labels_meet
from oathward.policy.model import TRANSPORT_CLASSES, Deny, Facts, Indeterminate, Link

FOREVER_US = 1 << 62
"""Later than any date (the year 148108): the end of what has no end."""

_NONE = frozenset[str]()


@dataclass(slots=True)
class Span:
    """The time of a decision, and the span around it in which every date that was read stays as it is."""

    now_us: int
    since_us: int = -FOREVER_US
    until_us: int = FOREVER_US

    def holds(self, start_us: int | None, end_us: int | None) -> bool:
        """Whether now is in a span of dates; remembers both dates."""
        for date in (start_us, end_us):
            if date is None:
                continue
            if date <= self.now_us:
                self.since_us = max(self.since_us, date)
            else:
                self.until_us = min(self.until_us, date)
        return (start_us is None or start_us <= self.now_us) and (end_us is None or self.now_us < end_us)


@dataclass(slots=True)
class Granted:
    """What consents leave: classes granted (``None``: not asked), denied, ids, and the earliest end.

    ``by_code``: codes whose observations are granted although observations are not. ``withheld``: the message's codes
    that are denied. ``only``: of observations, those alone that bear one of these codes of the message; ``None``: all.
    ``unsure``: grants and exceptions with dates that could not be counted, because the clock is not sure.
    """

    granted: frozenset[str] | None
    denied: frozenset[str] = _NONE
    basis: list[str] = field(default_factory=list)
    end_us: int = FOREVER_US
    unsure: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    by_code: frozenset[str] = _NONE
    withheld: frozenset[str] = _NONE
    only: frozenset[str] | None = None
    codes_unknown: bool = False

    def refuses(self, link: Link, *reasons: Reason) -> Deny | Indeterminate:
        """Deny, unless a grant that could not be counted might have said otherwise."""
        if self.unsure:
            return Indeterminate(link.id, Reason.CLOCK_UNSURE, tuple(sorted(set(self.unsure))))
        return Deny(link.id, reasons, tuple(self.basis))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one decision asks of each consent. ``purpose``, ``recipient``: the words that mean them, ``*`` among them."""

    purpose: frozenset[str]
    recipient: frozenset[str]
    facts: Facts
    dates: Span

    def speaks(self, one: ConsentFact | Box, *, permit: bool) -> bool:
        """Whether it is about this purpose, recipient and message, dates aside."""
        purposes, recipients = one.purposes, one.recipients
        return (
            not (self.purpose.isdisjoint(purposes) and (purposes or permit))
            and not (self.recipient.isdisjoint(recipients) and (recipients or permit))
            and (one.labels is EVERY or self._labelled(one, permit=permit))
        )

    def dated(self, one: ConsentFact | Box) -> bool:
        """Whether it has dates that a clock which is not sure cannot tell."""
        return not self.facts.clock_sure and (one.start_us is not None or one.end_us is not None)

    def met(self, codes: frozenset[str], *, permit: bool) -> frozenset[str]:
        """The message's codes that a consent's codes speak of."""
        return hits(codes, self.facts.codes_present or _NONE, wide=not permit)

    def _labelled(self, one: ConsentFact | Box, *, permit: bool) -> bool:
        assert self.facts.confidentiality is not None
        assert self.facts.sensitivity is not None
        return labels_meet(one.labels, self.facts.confidentiality, self.facts.sensitivity, permit=permit)


def consented(link: Link, recipient: frozenset[str], facts: Facts, dates: Span) -> Granted | Indeterminate:
    """Read the consents that speak of this purpose and recipient.

    Args:
        recipient: the words that mean it: its id, and its actors.
        facts: with known labels and consents.
        dates: learns every date that was read.
    """
    found = Granted(None if link.without_consent else _NONE)
    if link.objection == "overruled":
        return found
    asked = _Asked(_any_or(link.purpose), recipient | EVERY, facts, dates)
    for consent in facts.consents or ():
        if (consent.permit and link.without_consent) or not asked.speaks(consent, permit=consent.permit):
            continue
        name = f"consent:{consent.id}"
        if asked.dated(consent):
            (found.unsure if consent.permit else found.untold).append(name)
        elif dates.holds(consent.start_us, consent.end_us):
            found.basis.append(name)
            if consent.permit:
                _grant(found, consent)
            else:
                _deny(found, consent, asked)
        elif not consent.permit and consent.start_us is not None and consent.start_us > dates.now_us:
            found.end_us = min(found.end_us, consent.start_us)  # a denial begins: the permit ends
    return _told(link, found, asked)


def _told(link: Link, found: Granted, asked: _Asked) -> Granted | Indeterminate:
    """Say what it comes to, once all consents are read."""
    if found.untold:
        return Indeterminate(link.id, Reason.CLOCK_UNSURE, tuple(sorted(found.untold)))
    if found.granted is not None:
        found.granted |= TRANSPORT_CLASSES
        if found.by_code and not found.granted >= OBSERVATION_CLASSES:
            found.codes_unknown |= asked.facts.codes_present is None
            some = asked.met(found.by_code, permit=True)
            if some:
                found.granted |= OBSERVATION_CLASSES
                _narrow(found, some)
    if found.codes_unknown:
        return Indeterminate(link.id, Reason.FACT_MISSING, ("codes_present",))
    if found.only is not None and not found.only - found.withheld:
        found.denied |= OBSERVATION_CLASSES  # no observation is left that may pass
    if found.denied >= OBSERVATION_CLASSES:
        found.only = None
    found.basis.sort()
    return found


def _grant(found: Granted, consent: ConsentFact) -> None:
    words = classes_of(consent.classes, permit=True)
    if consent.codes is EVERY or ANY in consent.codes:
        found.granted = words | (found.granted or _NONE)
    elif words >= OBSERVATION_CLASSES:
        found.by_code |= consent.codes
    if consent.end_us is not None and consent.end_us < found.end_us:
        found.end_us = consent.end_us


def _deny(found: Granted, consent: ConsentFact, asked: _Asked) -> None:
    """Count a denial, less what it excepts here and now."""
    if (
        not consent.codes
    ):  # by code it would have been of all that bears one, whatever its classes: so it is of all
        found.denied |= CLASSES - TRANSPORT_CLASSES
        return
    classes = classes_of(consent.classes, permit=False)
    excepted, codes = _excepted(found, consent, asked) if consent.unless else (_NONE, _NONE)
    left = classes - TRANSPORT_CLASSES - excepted
    if not left:
        return
    if ANY not in consent.codes:
        found.codes_unknown |= asked.facts.codes_present is None
        # Of a denial by code an exception must lift every class: what bears the code leaves whole.
        found.withheld |= asked.met(consent.codes, permit=False) - codes
        return
    if codes and left & OBSERVATION_CLASSES:
        _narrow(found, codes)
        left -= OBSERVATION_CLASSES
    found.denied |= left


def _excepted(found: Granted, consent: ConsentFact, asked: _Asked) -> tuple[frozenset[str], frozenset[str]]:
    """What a denial does not deny here and now: classes, and the message's codes whose observations it leaves.

    Of a denial by code, classes count only where they are all of its classes.
    """
    classes, codes = _NONE, _NONE
    theirs = classes_of(consent.classes, permit=False) - TRANSPORT_CLASSES
    by_code = ANY not in consent.codes
    for box in consent.unless:
        if not asked.speaks(box, permit=True):
            continue
        if asked.dated(box):
            found.unsure.append(f"consent:{consent.id}")
        elif asked.dates.holds(box.start_us, box.end_us):
            found.end_us = min(found.end_us, FOREVER_US if box.end_us is None else box.end_us)
            words = classes_of(box.classes, permit=True)
            if ANY in box.codes:
                classes |= words if not by_code or words >= theirs else _NONE
            elif words >= (theirs if by_code else OBSERVATION_CLASSES):
                found.codes_unknown |= asked.facts.codes_present is None
                codes |= asked.met(box.codes, permit=True)
    return classes, codes


def _narrow(found: Granted, codes: frozenset[str]) -> None:
    found.only = codes if found.only is None else found.only & codes


@lru_cache(maxsize=64)
def _any_or(word: str) -> frozenset[str]:
    return EVERY | {word}
