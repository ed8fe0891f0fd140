"""What the people of this house see of a patient they care for: the same steps as for a link, asked of what was kept.

Consents name them ``house``; as a link's recipient nobody can be called so. They are asked as for treatment that rests on
no consent and honours an objection: a denial narrows, labels above ``restricted`` stay shut.

Rules:
- A message is shown whole or not at all: where a consent denies a class that is in it, or a code that it bears, it is withheld.
- What cannot be told (facts that are gone, a code nobody asked for then, dates on an unsure clock, consents that do not
  verify) is withheld: whoever needs it breaks the glass.
- A denial that arrived and nobody has looked at withholds as one that stands.

Deliberately absent: who cares for whom (``vault/care``), and breaking the glass (``vault/keeper/breaking``).
"""

from __future__ import annotations

from dataclasses import replace

from oathward.core.labels import CLASSES, Confidentiality, Purpose
from oathward.policy.consents import ConsentFact
from oathward.policy.granted import Granted, Span, consented
from oathward.policy.labels import RANK
from oathward.policy.model import TRANSPORT_CLASSES, Facts, Link, Sources

HOUSE = "house"
"""How consents name the people who work here."""

CARD_CLASSES = frozenset({"patient.name", "patient.birth-date", "patient.identifier"})
"""What stands on a patient's sealed card."""

_LINK = Link(
    HOUSE,
    HOUSE,
    Purpose.TREAT,
    "",
    CLASSES,
    "",
    Sources(),
    without_consent=True,
    confidentiality_max=Confidentiality.R,
)
_WORDS = frozenset({HOUSE})


def shows(facts: Facts, now_us: int) -> bool:
    """Say whether a message may be shown, for treatment, to somebody of this house who cares for the patient.

    Args:
        facts: of the message, with what its people say now.
    """
    if facts.consents is None or facts.confidentiality is None or facts.sensitivity is None:
        return False
    if facts.classes_present is None or RANK[facts.confidentiality] > RANK[_LINK.confidentiality_max]:
        return False
    asked = replace(facts, consents=_counted(facts.consents))
    found = consented(_LINK, _WORDS, asked, Span(now_us))
    if not isinstance(found, Granted) or found.unsure:
        return False
    whole = not found.withheld and found.only is None
    return whole and found.denied.isdisjoint(facts.classes_present - TRANSPORT_CLASSES)


def shows_card(consents: tuple[ConsentFact, ...] | None, now_us: int, *, clock_sure: bool) -> bool:
    """Say whether the card may be shown: it bears no codes, and labels of messages are not its own."""
    facts = Facts(
        site="",
        device="",
        device_kind="",
        assurance=None,
        subject_kind="known",
        message_type="",
        confidentiality=Confidentiality.N,
        sensitivity=frozenset(),
        classes_present=CARD_CLASSES,
        consent_version=0,
        consents=consents,
        clock_sure=clock_sure,
        bundle_version=0,
        codes_present=frozenset(),
    )
    return shows(facts, now_us)


def _counted(consents: tuple[ConsentFact, ...]) -> tuple[ConsentFact, ...]:
    """Count what is pending as a denial that stands."""
    return tuple(replace(one, permit=False, pending=False) if one.pending else one for one in consents)
