"""The words of an explanation: one or two sentences for each step of a decision, for a privacy officer.

Rules:
- A step that ends a decision is said by its reason, as the reference page says it; one that does not, by what it found.
- Nothing of a message stands in them: types, levels, classes, dates of agreements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oathward.core.label_words import some
from oathward.core.meanings import MEANINGS
from oathward.core.reasons import Reason
from oathward.policy.difference_words import day, quoted
from oathward.policy.model import Facts, Link


def said(name: str, link: Link, facts: Facts, reasons: Sequence[Reason], about: Sequence[str]) -> str:
    """Say a step.

    Args:
        reasons: why it ended the decision; none where it went on.
        about: what could not be told.
    """
    if not reasons:
        return _WENT_ON[name](link, facts)
    why = "; ".join(MEANINGS[one].what for one in reasons)
    lacks = f": {some(one.partition(':')[2] or one.replace('_', ' ') for one in about)}" if about else ""
    return f"{_STOPPED[name]}: {why}{lacks}."


def _source(link: Link, facts: Facts) -> str:
    what = facts.message_type or "such messages"
    return f"`{link.id}` takes {what} of this device, which is sure enough ({link.min_assurance} or surer)."


def _facts(link: Link, facts: Facts) -> str:
    del link, facts
    return "All that a decision asks for is known."


def _dates(link: Link, facts: Facts) -> str:
    del facts
    if link.valid_from_us is None and link.valid_until_us is None:
        return "The link has no dates."
    until = f" until {day(link.valid_until_us)}" if link.valid_until_us is not None else ""
    return f"What was agreed for the link holds{until}."


def _subject(link: Link, facts: Facts) -> str:
    if facts.subject_kind == "known":
        return "The patient is known."
    return "The patient is not known; " + (
        "care goes on." if link.for_care else "nothing on this link belongs to a person."
    )


def _consent(link: Link, facts: Facts) -> str:
    del facts
    if link.objection == "overruled":
        return f"The law is stronger than a patient's word here ({link.legal_basis})."
    if link.without_consent:
        return f"The link does not rest on consent ({link.legal_basis}); a denial narrows it all the same."
    return "The link rests on consent: what no permit names does not pass, and a denial wins."


def _labels(link: Link, facts: Facts) -> str:
    kinds = f" and {quoted(facts.sensitivity)}" if facts.sensitivity else ""
    return f"Labelled {facts.confidentiality}{kinds}; the link takes up to {link.confidentiality_max}."


def _left(link: Link, facts: Facts) -> str:
    del link, facts
    return "An observation passes whole or not at all; something of this message is left."


def _conditions(link: Link, facts: Facts) -> str:
    del link, facts
    return "The policy's conditions and exceptions allow it."


def _waiting(link: Link, facts: Facts) -> str:
    del link, facts
    return "Something arrived that nobody has looked at; it would take nothing away here."


_WENT_ON: dict[str, Callable[[Link, Facts], str]] = {
    "source": _source,
    "facts": _facts,
    "dates": _dates,
    "subject": _subject,
    "consent": _consent,
    "labels": _labels,
    "left": _left,
    "conditions": _conditions,
    "waiting": _waiting,
}
_STOPPED = {
    "source": "The link does not take it",
    "facts": "It cannot be told",
    "dates": "What was agreed does not hold",
    "subject": "The patient is not known",
    "consent": "What the patient said",
    "labels": "Its labels",
    "left": "Nothing is left that may pass",
    "conditions": "The policy's conditions",
    "waiting": "It is held",
}
