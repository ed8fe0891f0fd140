"""The card: what an authoritative message says a patient is called and where they live.

Rules:
- ``card_of`` gives canonical JSON for the vault to seal; nothing here keeps it.
- ``words_of_card`` gives keyed hashes for the guard: each word of names and addresses, and as whole tokens
  full names (family first and given first), telephone numbers, e-mail, birth date, identifiers.
- A Patient resource gives a card of the same form (``fhir_card``), so both share what is hashed (``words_of``).
- Identifiers of 6 characters or more are ``IDENTIFIER``: met in a message about somebody else they are
  *another patient's*. Shorter ones are words.

Deliberately absent: relatives and insured persons (NK1, IN1, GT1): the guard reads those in the message itself.

Source: HL7 v2.8.2 §3.3.2 (PID); §2A.3.77 (XPN), §2A.3.72 (XAD), §2A.3.80 (XTN), §2A.3.14 (CX).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from oathward.core.words import WordHasher, token_of, variants, words_in
from oathward.patients.model import WordKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oathward.protocols.hl7v2.reader import Message

IDENTIFIER_LENGTH_MIN = 6
PHONE_DIGITS_MIN = 6
WORDS_MAX = 400
"""Of one card; more is not a patient's card."""

_PARTS = {
    "identifiers": ((2, 3, 4, 18, 19, 20), {1: "value", 4: "authority", 5: "type"}),
    "names": (
        (5, 9),
        {1: "family", 2: "given", 3: "further", 4: "suffix", 5: "prefix", 6: "degree", 7: "use"},
    ),
    "mother": ((6,), {1: "family", 2: "given", 3: "further"}),
    "addresses": (
        (11,),
        {1: "street", 2: "other", 3: "city", 4: "state", 5: "postcode", 6: "country", 7: "use", 9: "county"},
    ),
    "contacts": (
        (13, 14, 40),
        {1: "text", 2: "use", 3: "equipment", 4: "email", 5: "country", 6: "area", 7: "local", 12: "number"},
    ),
}
_PLAIN = {
    7: "birth", 8: "sex", 10: "race", 15: "language", 16: "marital", 17: "religion", 22: "ethnic_group",
    23: "birth_place", 24: "multiple_birth", 25: "birth_order", 26: "citizenship", 28: "nationality",
    29: "death", 30: "dead",
}  # fmt: skip


def card_of(message: Message, pid: bytes | None = None) -> bytes:
    """Write the demographics of a PID (the first one by default) as canonical JSON; patient data: seal it."""
    segment = pid if pid is not None else next(iter(message.named(b"PID")), b"")
    return written(_read(message, segment))


def words_of_card(message: Message, pid: bytes, hasher: WordHasher) -> list[tuple[bytes, WordKind]]:
    """Hash what stands in a PID for the guard."""
    return words_of(_read(message, pid), hasher)


def written(card: dict[str, Any]) -> bytes:
    """Write a card as canonical JSON; patient data: seal it."""
    return orjson.dumps(card, option=orjson.OPT_SORT_KEYS)


def words_of(card: dict[str, Any], hasher: WordHasher) -> list[tuple[bytes, WordKind]]:
    """Hash what stands on a card; the strongest kind where a hash comes twice."""
    strength = list(WordKind)
    found: dict[bytes, WordKind] = {}
    for hashed, kind in _hashes(card, hasher):
        known = found.get(hashed)
        if known is None or strength.index(kind) < strength.index(known):
            found[hashed] = kind
    return sorted(found.items())[:WORDS_MAX]


def word_of_identifier(value: str, hasher: WordHasher) -> tuple[bytes, WordKind] | None:
    """Hash one whole identifier; None where it is too short to say anything."""
    token = token_of(value)
    if len(token) >= IDENTIFIER_LENGTH_MIN:
        return hasher.token(token), WordKind.IDENTIFIER
    return (hasher.word(token), WordKind.WORD) if len(token) >= 3 else None


def _read(message: Message, segment: bytes) -> dict[str, Any]:
    fields = message.fields(segment)
    card: dict[str, Any] = {}
    for name, (numbers, parts) in _PARTS.items():
        rows = [
            row
            for n in numbers
            if n < len(fields) and fields[n]
            for repetition in message.repetitions(fields[n])
            if (row := _row(message, repetition, parts))
        ]
        if rows:
            card[name] = rows
    for n, name in _PLAIN.items():
        if n < len(fields) and (value := _text(message, message.part(fields[n], 1))):
            card[name] = value
    return card


def _row(message: Message, repetition: bytes, parts: dict[int, str]) -> dict[str, str]:
    pieces = {name: _text(message, message.part(repetition, n)) for n, name in parts.items()}
    return {name: value for name, value in pieces.items() if value}


def _text(message: Message, raw: bytes) -> str:
    value = message.text(raw).reveal().strip()
    return "" if value == '""' else value


def _hashes(card: dict[str, Any], hasher: WordHasher) -> Iterator[tuple[bytes, WordKind]]:
    for row in card.get("identifiers", ()):
        hashed = word_of_identifier(row.get("value", ""), hasher)
        if hashed:
            yield hashed
    for row in (*card.get("names", ()), *card.get("mother", ())):
        yield from _name(row, hasher)
    for row in card.get("addresses", ()):
        for part in ("street", "other", "city", "postcode", "county"):
            yield from _words(row.get(part, ""), WordKind.WORD, hasher)
    for row in card.get("contacts", ()):
        yield from _contact(row, hasher)
    birth = "".join(c for c in card.get("birth", "")[:8] if c.isdigit())
    if len(birth) == 8:
        year, month, day = birth[:4], birth[4:6], birth[6:]
        for form in (year + month + day, day + month + year, month + day + year):
            yield hasher.token(form), WordKind.BIRTH


def _name(row: dict[str, str], hasher: WordHasher) -> Iterator[tuple[bytes, WordKind]]:
    family, given = row.get("family", "").replace("&", " "), row.get("given", "")
    for part in (family, given, row.get("further", "")):
        for spelling in variants(part):
            yield from _words(spelling, WordKind.NAME, hasher)
    if row.get("text"):
        yield from _name_in_one(row["text"], hasher)
    if family and given:
        for f in variants(family):
            for g in variants(given):
                yield hasher.token(token_of(f + g)), WordKind.TOKEN
                yield hasher.token(token_of(g + f)), WordKind.TOKEN


def _name_in_one(text: str, hasher: WordHasher) -> Iterator[tuple[bytes, WordKind]]:
    """Hash a name of which nobody says where the family's begins: it is first or last."""
    first, comma, rest = text.partition(",")
    words = text.split()
    told = [(first, rest.split())] if comma else [(words[-1], words[:-1]), (words[0], words[1:])]
    for family, parts in told:
        row = {"family": family, "given": next(iter(parts), ""), "further": " ".join(parts[1:])}
        yield from _name(row, hasher)
        yield from _name(row | {"given": " ".join(parts)}, hasher)


def _contact(row: dict[str, str], hasher: WordHasher) -> Iterator[tuple[bytes, WordKind]]:
    texts = [row.get("text", ""), row.get("number", "")]
    texts += [row.get("country", "") + row.get("area", "") + row.get("local", "")]
    texts += [row.get("area", "") + row.get("local", ""), row.get("local", "")]
    for text in texts:
        digits = "".join(c for c in text if c.isdigit())
        if len(digits) >= PHONE_DIGITS_MIN:
            yield hasher.token(digits), WordKind.TOKEN
    for text in (row.get("email", ""), row.get("text", "")):
        if "@" in text:
            yield hasher.token(token_of(text)), WordKind.TOKEN


def _words(text: str, kind: WordKind, hasher: WordHasher) -> Iterator[tuple[bytes, WordKind]]:
    for word in words_in(text):
        yield hasher.word(word), kind
