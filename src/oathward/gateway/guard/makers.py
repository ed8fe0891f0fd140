"""How tokens are made of the values of a message: one maker a kind, for originals of every protocol.

Rules:
- A maker is told a kind by whoever knows where the value stands; what nobody expects is taken by its shape.
- Codes are no tokens: OIDs, names of HL7 tables, time stamps.
- A placeholder (``UNKNOWN``, ``000000``) identifies nobody.

Deliberately absent: what is strong and what is weak (``tokens``), and where values stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from oathward.core.words import token_of, variants
from oathward.gateway.guard.normalise import fold, letter_words
from oathward.gateway.guard.tokens import (
    IDENTIFIER_LENGTH_MIN,
    WEAK_LENGTH_MIN,
    Birth,
    Name,
    Needle,
    Tokens,
)

PHONE_DIGITS_MIN = 7
PHONE_TAIL_DIGITS = 9
"""Of a telephone number: what is left without country code and trunk prefix, near enough."""
LOCAL_PHONE_DIGITS = 7
"""Of a telephone number of the North American plan: what is dialled within the area."""

_CODE = re.compile(
    r"(?:HL7\d{4}|\d+(?:\.\d+){3,}|(?:19|20)\d{6}(?:\d{2,6})?(?:[.+\-].*)?)", re.IGNORECASE
).fullmatch
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})").match
_EXTENSION = re.compile(r"[xX]|ext")
_PLACEHOLDERS = frozenset(
    b"unknown unk unidentified anonymous anon none noname nonamegiven test baby babyboy babygirl boy girl newborn"
    b" infant twin male female patient person trauma xx xxx na nn nil null notgiven refused withheld".split()
)


def take_identifier(tokens: Tokens, place: str, text: str) -> None:
    """Take an identifier."""
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


def take_name(tokens: Tokens, place: str, family: str, given: str, further: str = "") -> None:
    """Take a name; without a given one the family's is its first word, and the others are given ones."""
    if not given:
        family, _, given = family.partition(" ")
    for part in (family, given, further):
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
        name = Name(f, g, _backwards(f), _backwards(g), joined, place)
        if name not in tokens.names:
            tokens.names.append(name)


def take_phone(tokens: Tokens, place: str, texts: Iterable[str]) -> None:
    """Take a telephone number in the ways it is written."""
    for text in texts:
        written = "".join(c for c in text if c.isdecimal())
        digits = written.lstrip("0")
        if len(digits) >= PHONE_DIGITS_MIN and len(set(digits[-PHONE_TAIL_DIGITS:])) > 1:
            tail = digits[-PHONE_TAIL_DIGITS:].encode()
            _strong(tokens, "phone", place, tail, tail=len(digits) > PHONE_DIGITS_MIN)
            tokens.covered.add(written)
        local = digits[-LOCAL_PHONE_DIGITS:]
        if len(digits.removeprefix("1")) == 10 and len(set(local)) > 1:
            _strong(tokens, "phone", place, local.encode())


def without_extension(phone: str) -> str:
    """Give what stands before an extension."""
    return _EXTENSION.split(phone, maxsplit=1)[0]


def take_email(tokens: Tokens, place: str, text: str) -> bool:
    """Take an e-mail address; says whether it is one."""
    if "@" not in text:
        return False
    local, _, domain = text.rpartition("@")
    for form in (token_of(text), token_of(local) + "at" + token_of(domain.replace(".", "dot"))):
        if len(form) >= IDENTIFIER_LENGTH_MIN:
            _strong(tokens, "e-mail", place, form.encode())
    return True


def take_address(tokens: Tokens, place: str, lines: Iterable[str], town: str, postcode: str) -> None:
    """Take an address: a line with a number and a name is strong."""
    for line in lines:
        form = token_of(line).encode()
        if len(form) >= IDENTIFIER_LENGTH_MIN and not form.isdigit() and re.search(rb"[0-9]", form):
            _strong(tokens, "address", place, form)
    for word in _words(town):
        if len(word) >= WEAK_LENGTH_MIN:
            tokens.weak_words.setdefault(word, place)
    code = token_of(postcode).encode()
    if len(code) >= WEAK_LENGTH_MIN and not code.isalpha():
        tokens.weak_numbers.setdefault(code, place)


def take_birth(tokens: Tokens, place: str, text: str) -> None:
    """Take a birth date; one without month or day is none."""
    born = date_of(text)
    if born and (birth := Birth(born, place)) not in tokens.births:
        tokens.births.append(birth)


def take_by_shape(tokens: Tokens, place: str, text: str, *, coded: bool = False) -> None:
    """Take a value that nobody expects to identify: an e-mail address, or an identifier by its digits.

    Args:
        coded: it is part of a coded element, so what looks like an identifier is a code.
    """
    form = token_of(text)
    digits = sum(c.isdecimal() for c in form)
    if take_email(tokens, place, text) or coded or _CODE(text):
        return
    if len(form) >= IDENTIFIER_LENGTH_MIN and digits * 2 >= len(form):
        take_identifier(tokens, place, text)


def date_of(text: str) -> date | None:
    """Read the date at the beginning of a text, with or without hyphens."""
    match = _DATE(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _strong(tokens: Tokens, kind: str, place: str, form: bytes, *, tail: bool = False) -> None:
    tokens.needles.setdefault(form, Needle(form, kind, place, tail=tail))
    tokens.covered.add(form.decode("utf-8", "replace"))


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
