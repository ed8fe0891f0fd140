"""Where what a patient said contradicts itself: a yes of which a no takes all. The no counts; a person should know.

Rules:
- A no that takes a part of a yes is an exception, and no contradiction; so is a yes that the no excepts by itself.
- What one subject said is held against what everybody said who is the same patient: a merge brings contradictions.
- Actors stay words: that two of them mean one recipient is the bundle's to say, and is not asked here.
- One that ends is one until it ends; one that has not begun yet is one already.

Deliberately absent: any decision (``policy/granted.py``), and which of the two the patient meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from oathward.consent.model import Statement
from oathward.policy.consents import EVERY, Box, ConsentFact, classes_of, meet


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A yes, and the no that takes all of it; ``apart``: two subjects said them, who are one patient now.

    ``until_us``: when one of them ends; None for never.
    """

    permit: Statement
    denial: Statement
    apart: bool
    until_us: int | None


def contradictions(said: Iterable[tuple[str, Statement]], now_us: int) -> list[Contradiction]:
    """Find what contradicts among all that subjects said who are one patient, and has not ended.

    Args:
        said: subject and statement.
    """
    standing = [
        (subject, one) for subject, one in said if one.fact.end_us is None or one.fact.end_us > now_us
    ]
    denials = [(subject, one) for subject, one in standing if not one.fact.permit]
    return [
        Contradiction(yes, no, whose != other, _until(yes.fact, no.fact))
        for whose, yes in standing
        if yes.fact.permit
        for other, no in denials
        if _takes_all(no.fact, yes.fact)
    ]


def _until(*facts: ConsentFact) -> int | None:
    return min((one.end_us for one in facts if one.end_us is not None), default=None)


def _takes_all(no: ConsentFact, yes: ConsentFact) -> bool:
    """Whether nothing of a permit is left beside a denial, in a time in which both hold."""
    if meet(_when(no.box), _when(yes.box), wide=False) is None:
        return False
    denied, granted = _plain(no), _what(yes.box)
    lifted = (meet(_what(one), granted, wide=True) for one in no.unless if no.codes)
    if any(one is not None for one in lifted):
        return False
    if not classes_of(yes.classes, permit=True) <= classes_of(denied.classes, permit=False):
        return False
    return meet(replace(granted, classes=EVERY), replace(denied, classes=EVERY), wide=False) == replace(
        granted, classes=EVERY
    )


def _plain(no: ConsentFact) -> Box:
    """What a denial denies, times aside; what got lost of it is everything."""
    box = _what(no.box)
    if not box.codes:
        return replace(box, codes=EVERY, classes=EVERY, labels=box.labels or EVERY)
    return Box(
        box.purposes or EVERY, box.recipients or EVERY, box.classes or EVERY, box.codes, box.labels or EVERY
    )


def _what(box: Box) -> Box:
    return replace(box, start_us=None, end_us=None)


def _when(box: Box) -> Box:
    return Box(start_us=box.start_us, end_us=box.end_us)
