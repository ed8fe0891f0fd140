"""What the original says about a person, as raw tokens to search outgoing bytes for.

Rules:
- Whole person-bearing structures are taken: every field of PID, NK1, GT1, MRG, and of IN1 what is the insured's.
  This module has its own short list of them and never asks the catalogue: a hole there must not be one here.
- *Strong* tokens stop a message: identifiers of 6 characters or more, telephone numbers of 7 digits or more,
  e-mail, street and number, full names, full birth dates. A field nobody expects to identify is taken by shape.
- *Weak* tokens only count: single names, short identifiers, postcodes, towns; placeholders (``UNKNOWN``,
  ``000000``); the birth date of somebody born in the month before the message, which every time stamp holds.
- Codes are no tokens: OIDs, names of HL7 tables, time stamps, the code and text of a coded element.

Deliberately absent: staff. Who treated a patient identifies the patient only together with what this stops.

Source: HL7 v2.8.2 §3.3.2 (PID), §3.3.5 (NK1), §6.5.5 (GT1), §6.5.6 (IN1), §3.3.9 (MRG).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date

from oathward.core.words import token_of, variants
from oathward.gateway.guard.dates import short, together
from oathward.gateway.guard.normalise import fold, letter_words
from oathward.protocols.hl7v2.reader import Message

IDENTIFIER_LENGTH_MIN = 6
WEAK_LENGTH_MIN = 3
PHONE_DIGITS_MIN = 7
PHONE_TAIL_DIGITS = 9
"""Of a telephone number: what is left without country code and trunk prefix, near enough."""
NEWBORN_DAYS = 31
TOKENS_MAX = 400
"""Of one message; more is not a patient's, and such a message cannot be searched."""
PERSONS_MAX = 100
FORMS_COMPARED_MAX = 100
"""Of one message, for comparing each with each."""
LOCAL_PHONE_DIGITS = 7
"""Of a telephone number of the North American plan: what is dialled within the area."""

_IDS, _NAMES, _PHONES, _ADDRESSES, _BIRTHS = "id", "name", "phone", "address", "birth"
_FIELDS: dict[bytes, dict[int, str]] = {
    b"PID": {2: _IDS, 3: _IDS, 4: _IDS, 5: _NAMES, 6: _NAMES, 7: _BIRTHS, 9: _NAMES, 11: _ADDRESSES, 13: _PHONES,
             14: _PHONES, 18: _IDS, 19: _IDS, 20: _IDS, 21: _IDS, 40: _PHONES},
    b"NK1": {2: _NAMES, 4: _ADDRESSES, 5: _PHONES, 6: _PHONES, 12: _IDS, 16: _BIRTHS, 26: _NAMES, 30: _NAMES,
             31: _PHONES, 32: _ADDRESSES, 33: _IDS, 37: _IDS, 40: _PHONES, 41: _PHONES},
    b"GT1": {2: _IDS, 3: _NAMES, 4: _NAMES, 5: _ADDRESSES, 6: _PHONES, 7: _PHONES, 8: _BIRTHS, 12: _IDS,
             17: _ADDRESSES, 18: _PHONES, 19: _IDS, 42: _NAMES, 45: _NAMES, 46: _PHONES},
    b"IN1": {16: _NAMES, 18: _BIRTHS, 19: _ADDRESSES, 36: _IDS, 49: _IDS},
    b"MRG": {1: _IDS, 2: _IDS, 3: _IDS, 4: _IDS, 5: _IDS, 6: _IDS, 7: _NAMES},
}  # fmt: skip
PERSON_SEGMENTS = frozenset(_FIELDS)
_BY_SHAPE = PERSON_SEGMENTS - {b"IN1"}

_CODE = re.compile(
    r"(?:HL7\d{4}|\d+(?:\.\d+){3,}|(?:19|20)\d{6}(?:\d{2,6})?(?:[.+\-].*)?)", re.IGNORECASE
).fullmatch
_SYSTEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,24}").fullmatch
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})").match
_PLACEHOLDERS = frozenset(
    b"unknown unk unidentified anonymous anon none noname nonamegiven test baby babyboy babygirl boy girl newborn"
    b" infant twin male female patient person trauma xx xxx na nn nil null notgiven refused withheld".split()
)


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

    def __repr__(self) -> str:
        return f"<Tokens: {len(self.needles)} strong, {len(self.names)} names, {len(self.births)} births>"


def tokens_of(message: Message) -> Tokens:
    """Collect the raw tokens of the person-bearing segments of a message."""
    tokens = Tokens()
    for segment in message.segments:
        if segment[:3] in PERSON_SEGMENTS:
            for kind, place, repetition in _values(message, segment):
                tokens.too_many = (
                    len(tokens.needles) >= TOKENS_MAX or len(tokens.names) + len(tokens.births) >= PERSONS_MAX
                )
                if tokens.too_many:
                    return tokens
                _TAKE[kind](tokens, place, _Parts(message, repetition))
    _settle_births(tokens, message)
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
        role = "patient" if place[:3] in {"PID", "MRG"} else "relative"
        return f"{role}.{_CLASS_KINDS[kind]}" not in clear

    # The same value may stand in several places (the patient is often the insured): one that may pass, passes.
    born = {one.born for one in tokens.births if not stops("birth-date", one.place)}
    named = {(one.family, one.given) for one in tokens.names if not stops("name", one.place)}
    left = Tokens(
        needles={form: one for form, one in tokens.needles.items() if stops(one.kind, one.place)},
        names=[one for one in tokens.names if (one.family, one.given) not in named],
        births=[one for one in tokens.births if one.born not in born],
        weak_words=tokens.weak_words,
        weak_numbers=tokens.weak_numbers | {day.strftime("%Y%m%d").encode(): "PID-7" for day in born},
        weak_ids={form: place for form, place in tokens.weak_ids.items() if stops("identifier", place)},
        name_words={word: place for word, place in tokens.name_words.items() if stops("name", place)},
        covered=tokens.covered,
        too_many=tokens.too_many,
    )
    _settle_forms(left)
    return left


_CLASS_KINDS = {
    "identifier": "identifier", "name": "name", "phone": "contact", "e-mail": "contact", "address": "address",
    "birth-date": "birth-date",
}  # fmt: skip


def _strong(tokens: Tokens, kind: str, place: str, form: bytes, *, tail: bool = False) -> None:
    tokens.needles.setdefault(form, Needle(form, kind, place, tail=tail))
    tokens.covered.add(form.decode("utf-8", "replace"))


def _identifier(tokens: Tokens, place: str, text: str) -> None:
    form = token_of(text).encode()
    bare = form.lstrip(b"0")
    if len(set(form)) < 2 or form in _PLACEHOLDERS:
        return
    if len(form) >= IDENTIFIER_LENGTH_MIN and not form.isalpha():
        strong = bare if form.isdigit() and len(bare) >= IDENTIFIER_LENGTH_MIN else form
        _strong(tokens, "identifier", place, strong)
        tokens.covered.add(form.decode("utf-8", "replace"))
        if strong.isdigit():
            # Hexadecimal that looks like a number; more of it may stand before.
            _strong(tokens, "identifier", place, strong.hex().encode(), tail=True)
    elif len(form) >= WEAK_LENGTH_MIN:
        (tokens.weak_words if form.isalpha() else tokens.weak_numbers).setdefault(form, place)
        if form.isdigit() and len(form) > WEAK_LENGTH_MIN:
            tokens.weak_ids.setdefault(form, place)


class _Parts:
    """The components of one repetition as text."""

    __slots__ = ("_message", "_pieces")

    def __init__(self, message: Message, repetition: bytes) -> None:
        self._message = message
        self._pieces = repetition.split(bytes([message.separators.component]))

    def __len__(self) -> int:
        return len(self._pieces)

    def text(self, n: int) -> str:
        """Give component ``n`` from 1; sub-components with spaces between them."""
        if n > len(self._pieces):
            return ""
        piece = self._pieces[n - 1].replace(bytes([self._message.separators.subcomponent]), b" ")
        text = self._message.text(piece).reveal().strip()
        return "" if text == '""' else text

    def all(self) -> Iterator[str]:
        """Give each component that holds something."""
        return (text for n in range(1, len(self._pieces) + 1) if (text := self.text(n)))


def _values(message: Message, segment: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Give kind, place and bytes of every repetition that holds something."""
    name = segment[:3]
    kinds = _FIELDS[name]
    for n, value in enumerate(message.fields(segment)):
        if n == 0 or not value:
            continue
        kind = kinds.get(n) or ("" if name in _BY_SHAPE else None)
        if kind is not None:
            place = f"{name.decode()}-{n}"
            for repetition in message.repetitions(value):
                yield kind, place, repetition


def _take_id(tokens: Tokens, place: str, parts: _Parts) -> None:
    _identifier(tokens, place, parts.text(1))


def _take_name(tokens: Tokens, place: str, parts: _Parts) -> None:
    given = parts.text(2)
    family, _, rest = parts.text(1).partition(" ") if not given else (parts.text(1), "", "")
    given = given or rest
    for part in (family, given, parts.text(3)):
        for word in _words(part):
            if len(word) >= WEAK_LENGTH_MIN:
                tokens.weak_words.setdefault(word, place)
                if word not in _PLACEHOLDERS:
                    tokens.name_words.setdefault(word, place)
    families, givens = _words(family), _words(given)
    if families - _PLACEHOLDERS and givens and (families | givens) - _PLACEHOLDERS:
        joined = frozenset(
            form
            for f in variants(family)
            for g in variants(given)
            for form in _joined(token_of(f).encode(), token_of(g).encode())
        )
        f, g = _long(families), _long(givens)
        tokens.names.append(Name(f, g, _backwards(f), _backwards(g), joined, place))


def _take_phone(tokens: Tokens, place: str, parts: _Parts) -> None:
    country, area, local = parts.text(5), parts.text(6), parts.text(7)
    formatted = re.split(r"[xX]|ext", parts.text(1), maxsplit=1)[0]
    for text in (formatted, country + area + local, area + local, local, parts.text(12)):
        written = "".join(c for c in text if c.isdecimal())
        digits = written.lstrip("0")
        if len(digits) >= PHONE_DIGITS_MIN and len(set(digits[-PHONE_TAIL_DIGITS:])) > 1:
            tail = digits[-PHONE_TAIL_DIGITS:].encode()
            _strong(tokens, "phone", place, tail, tail=len(digits) > PHONE_DIGITS_MIN)
            tokens.covered.add(written)
        local = digits[-LOCAL_PHONE_DIGITS:]
        if len(digits.removeprefix("1")) == 10 and len(set(local)) > 1:
            _strong(tokens, "phone", place, local.encode())
    for text in parts.all():
        _take_email(tokens, place, text)


def _take_email(tokens: Tokens, place: str, text: str) -> bool:
    if "@" not in text:
        return False
    local, _, domain = text.rpartition("@")
    for form in (token_of(text), token_of(local) + "at" + token_of(domain.replace(".", "dot"))):
        if len(form) >= IDENTIFIER_LENGTH_MIN:
            _strong(tokens, "e-mail", place, form.encode())
    return True


def _take_address(tokens: Tokens, place: str, parts: _Parts) -> None:
    for n in (1, 2):
        form = token_of(parts.text(n)).encode()
        if len(form) >= IDENTIFIER_LENGTH_MIN and not form.isdigit() and re.search(rb"[0-9]", form):
            _strong(tokens, "address", place, form)
    for word in _words(parts.text(3)):
        if len(word) >= WEAK_LENGTH_MIN:
            tokens.weak_words.setdefault(word, place)
    postcode = token_of(parts.text(5)).encode()
    if len(postcode) >= WEAK_LENGTH_MIN and not postcode.isalpha():
        tokens.weak_numbers.setdefault(postcode, place)


def _take_birth(tokens: Tokens, place: str, parts: _Parts) -> None:
    born = _date(parts.text(1))
    if born:
        tokens.births.append(Birth(born, place))


def _take_by_shape(tokens: Tokens, place: str, parts: _Parts) -> None:
    coded = len(parts) >= 3 and _SYSTEM(parts.text(3)) is not None
    for text in parts.all():
        form = token_of(text)
        digits = sum(c.isdecimal() for c in form)
        if _take_email(tokens, place, text) or coded or _CODE(text):
            continue
        if len(form) >= IDENTIFIER_LENGTH_MIN and digits * 2 >= len(form):
            _identifier(tokens, place, text)


_TAKE: dict[str, Callable[[Tokens, str, _Parts], None]] = {
    _IDS: _take_id,
    _NAMES: _take_name,
    _PHONES: _take_phone,
    _ADDRESSES: _take_address,
    _BIRTHS: _take_birth,
    "": _take_by_shape,
}


def _settle_births(tokens: Tokens, message: Message) -> None:
    """Make the births of newborns weak: the time of every observation holds them."""
    sent = _date(message.header(7).decode("ascii", "replace"))
    for birth in list(tokens.births):
        if sent and abs((sent - birth.born).days) <= NEWBORN_DAYS:
            tokens.births.remove(birth)
            tokens.weak_numbers.setdefault(birth.born.strftime("%Y%m%d").encode(), birth.place)


def _date(text: str) -> date | None:
    match = _DATE(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _words(text: str) -> frozenset[bytes]:
    return frozenset(word for spelling in variants(text) for word in letter_words(fold(spelling.encode())))


def _long(words: frozenset[bytes]) -> frozenset[bytes]:
    """Leave out particles (``de``, ``van``) where something longer is there."""
    return frozenset(word for word in words if len(word) >= WEAK_LENGTH_MIN) or words


def _backwards(words: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(word[::-1] for word in words if word.isascii() and len(word) >= WEAK_LENGTH_MIN)


def _joined(family: bytes, given: bytes) -> Iterator[bytes]:
    for form in (family + given, given + family):
        if len(form) >= IDENTIFIER_LENGTH_MIN:
            yield form
            if form.isascii():
                yield form[::-1]
