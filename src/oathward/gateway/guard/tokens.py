"""What is searched for in outgoing bytes: the values that tell who the persons of a message are.

Rules:
- *Strong* tokens stop a message: identifiers of 6 characters or more, telephone numbers of 7 digits or more,
  e-mail, street and number, full names, full birth dates. A field nobody expects to identify is taken by shape.
- *Weak* tokens only count: single names, short identifiers, postcodes, towns; placeholders (``UNKNOWN``,
  ``000000``); the birth date of somebody born in the month before the message, which every time stamp holds.

Deliberately absent: where values stand in a message (``of_hl7v2``, ``of_fhir``), how tokens are made of them
(``makers``), and staff. Who treated a patient identifies the patient only together with what this stops.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date

from oathward.gateway.guard.dates import short, together

IDENTIFIER_LENGTH_MIN = 6
WEAK_LENGTH_MIN = 3
NEWBORN_DAYS = 31
TOKENS_MAX = 400
"""Of one message; more is not a patient's, and such a message cannot be searched."""
PERSONS_MAX = 100
FORMS_COMPARED_MAX = 100
"""Of one message, for comparing each with each."""


@dataclass(frozen=True, slots=True)
class Needle:
    """A run of letters and digits to look for in squeezed text.

    ``tail``: more digits may stand before it (country and area codes).
    """

    form: bytes
    kind: str
    place: str
    tail: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A full name: one of ``family`` near one of ``given``, the same backwards, or one of ``joined``."""

    family: frozenset[bytes]
    given: frozenset[bytes]
    family_backwards: frozenset[bytes]
    given_backwards: frozenset[bytes]
    joined: frozenset[bytes]
    place: str


@dataclass(frozen=True, slots=True)
class Birth:
    """A birth date."""

    born: date
    place: str


@dataclass(slots=True)
class Tokens:
    """The tokens of one message's persons; values of patients: never printed, never kept beyond memory.

    ``digit_forms``: of needles and of birth dates written together, those of digits only; a text must hold one
    of them in its digits, or one of ``other_forms`` in its letters and digits, to hold any. ``covered``: whole
    tokens (``words.token_of``) that a search for these finds: a card's hash of one of them adds nothing.
    ``weak_ids`` and ``name_words``: weak tokens that stop where a value is nothing else. ``too_many``: there
    were more than the bounds allow, and some are missing.
    """

    digit_forms: tuple[bytes, ...] = ()
    other_forms: tuple[bytes, ...] = ()
    covered: set[str] = field(default_factory=set)
    needles: dict[bytes, Needle] = field(default_factory=dict)
    names: list[Name] = field(default_factory=list)
    births: list[Birth] = field(default_factory=list)
    weak_words: dict[bytes, str] = field(default_factory=dict)
    weak_numbers: dict[bytes, str] = field(default_factory=dict)
    weak_ids: dict[bytes, str] = field(default_factory=dict)
    name_words: dict[bytes, str] = field(default_factory=dict)
    too_many: bool = False

    @property
    def full(self) -> bool:
        """Say whether no more are taken."""
        return len(self.needles) >= TOKENS_MAX or len(self.names) + len(self.births) >= PERSONS_MAX

    def __repr__(self) -> str:
        return f"<Tokens: {len(self.needles)} strong, {len(self.names)} names, {len(self.births)} births>"


def settle(tokens: Tokens, sent: date | None) -> Tokens:
    """Finish what was collected from one message.

    Args:
        sent: day of the message. The birth of somebody born in the month before it becomes weak: the time of every
            observation holds it.
    """
    for birth in list(tokens.births):
        if sent and abs((sent - birth.born).days) <= NEWBORN_DAYS:
            tokens.births.remove(birth)
            tokens.weak_numbers.setdefault(birth.born.strftime("%Y%m%d").encode(), birth.place)
    dates = _settle_forms(tokens)
    tokens.covered.update(form.decode() for form in dates)
    for name in tokens.names:
        tokens.covered.update(form.decode("utf-8", "replace") for form in name.joined)
    return tokens


def _settle_forms(tokens: Tokens) -> list[bytes]:
    dates = [form for one in tokens.births for form in together(one.born)]
    shorter = [form for one in tokens.births for form in short(one.born)]
    forms = dict.fromkeys((*tokens.needles, *dates, *shorter))
    tokens.digit_forms = tuple(form for form in forms if form.isdigit())
    tokens.other_forms = tuple(form for form in forms if not form.isdigit())
    return dates


def without_longer(forms: Iterable[bytes]) -> tuple[bytes, ...]:
    """Leave out forms that hold another one: a text without that has none of them."""
    listed = tuple(dict.fromkeys(forms))
    if len(listed) > FORMS_COMPARED_MAX:
        return listed
    return tuple(form for form in listed if not any(one in form for one in listed if one != form))


def without(tokens: Tokens, clear: AbstractSet[str]) -> Tokens:
    """Leave out the strong tokens whose class a plan lets pass unchanged: they only count.

    Args:
        clear: element classes, e.g. ``patient.birth-date`` of a limited data set.
    """

    def stops(kind: str, place: str) -> bool:
        return f"{role_of(place)}.{_CLASS_KINDS[kind]}" not in clear

    # The same value may stand in several places (the patient is often the insured): one that may pass, passes.
    born = {one.born for one in tokens.births if not stops("birth-date", one.place)}
    passed = {
        one.born.strftime("%Y%m%d").encode(): one.place for one in reversed(tokens.births) if one.born in born
    }
    named = {(one.family, one.given) for one in tokens.names if not stops("name", one.place)}
    left = Tokens(
        needles={form: one for form, one in tokens.needles.items() if stops(one.kind, one.place)},
        names=[one for one in tokens.names if (one.family, one.given) not in named],
        births=[one for one in tokens.births if one.born not in born],
        weak_words=tokens.weak_words,
        weak_numbers=tokens.weak_numbers | passed,
        weak_ids={form: place for form, place in tokens.weak_ids.items() if stops("identifier", place)},
        name_words={word: place for word, place in tokens.name_words.items() if stops("name", place)},
        covered=tokens.covered,
        too_many=tokens.too_many,
    )
    _settle_forms(left)
    return left


def role_of(place: str) -> str:
    """Say whose a value is by where it stands in the original: the patient's, or a relative's."""
    own = place.startswith(_OWN) and not place.startswith(_NOT_OWN)
    return "patient" if own else "relative"


_OWN, _NOT_OWN = ("PID", "MRG", "Patient.", "Person."), "Patient.contact"
_CLASS_KINDS = {
    "identifier": "identifier", "name": "name", "phone": "contact", "e-mail": "contact", "address": "address",
    "birth-date": "birth-date",
}  # fmt: skip
