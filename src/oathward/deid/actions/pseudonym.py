"""Put a keyed name in the value's place: stable in one project, unlinkable between projects.

Rules:
- ``patient.identifier`` becomes one name for the person, whatever the identifier was: the value does not enter,
  so the name says nothing of it, and every wire of a project gives the patient the same.
- Other classes become a name for their value, within this person and project.
- What only qualifies an identifier (authority, type, check digit) is removed: it would vouch for a false one.
- Parameter ``shape``: with ``["keep"]`` digits stand for digits and letters for letters, in their places; other marks stay. UIDs and
  UUIDs stay such. A person then has one name for each shape that identifiers come in. What has room for fewer than a million names is removed:
  names of so few characters would soon be of two persons. With N persons and S names, two share one with a chance of
  about N²/2S: 1 in 200 for 1,000 persons and eight digits. The name without a shape has room for 2⁸⁰.
- Parameter ``check``, with ``shape``: the scheme of the last digit: ``luhn`` (mod 10, HL7 table 0061 M10), ``npi`` (US National Provider
  Identifier: ten digits, Luhn after 80840), ``nhs`` (mod 11 of the NHS number, ten digits). Values that it does not fit get none.

Source: ISO 25237 (irreversible pseudonymisation); 45 CFR 164.514(c) (code not derived from the individual); ISO/IEC 7812-1 Annex B
(Luhn); 45 CFR 162.406 (NPI).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from oathward.deid.action import Action, Parameters, Seeds, draws, shares, token
from oathward.deid.actions.uid import remapped
from oathward.protocols.shaping import REMOVE, Ruling

PERSON = "patient.identifier"
ROOM_LEAST = 1_000_000
"""Names a shape must have room for."""

_DIGIT, _LETTER, _CAPITAL = "9", "a", "A"
_ROOM = {_DIGIT: 10, _LETTER: 26, _CAPITAL: 26}
_BYTES = 64


def _of_the_person(_value: str, seeds: Seeds) -> str:
    return token(seeds.subject_seed, PERSON, "")


def _rule(cls: str, part: str, parameters: Parameters) -> Ruling:
    if part:
        return REMOVE
    if parameters.get("shape"):
        return _shaped(cls, "".join(parameters.get("check", ())))
    if cls == PERSON:
        return _of_the_person

    def of_the_value(value: str, seeds: Seeds) -> str:
        return token(seeds.subject_seed, cls, value)

    return of_the_value


# --- whose a name is


def is_of(name: str, subject_seed: bytes) -> bool:
    """Say whether a name without a shape is the one of the person of a seed; however its letters were typed.

    Raises:
        DeidentificationError: no seed.
    """
    return name.strip().upper() == _of_the_person("", Seeds(subject_seed, b"", ""))


def may_be_of(name: str, subject_seed: bytes) -> bool:
    """Say whether a name is one that the person of a seed has in its shape, whatever its check digit is by.

    So few names fit some shapes that another person may have it too, by chance: the caller has other evidence. A UID's or UUID's
    hangs on its value, and is nobody's here.

    Raises:
        DeidentificationError: no seed.
    """
    text = name.strip()
    shape = _shape(text)
    checks = ("", *_CHECKS) if shape.isdecimal() else ("",)
    # Past the cache: a search asks for everybody once.
    return any(_named.__wrapped__(subject_seed, PERSON, shape, "", check) == text for check in checks)


# --- in the shape of the value


def _shaped(cls: str, check: str) -> Ruling:
    def in_its_shape(value: str, seeds: Seeds) -> str:
        text = value.strip()
        # Numbers with two or three points in them are somebody's way to write numbers.
        made = remapped(text, seeds.subject_seed) if text.count(".") not in (2, 3) else ""
        return made or _named(seeds.subject_seed, cls, _shape(text), "" if cls == PERSON else text, check)

    return in_its_shape


def _shape(text: str) -> str:
    return "".join(
        [
            _DIGIT
            if one.isdecimal()
            else one
            if not one.isalpha()
            else _CAPITAL
            if one.isupper()
            else _LETTER
            for one in text
        ]
    )


@lru_cache(maxsize=8_192)
def _named(key: bytes, cls: str, shape: str, value: str, check: str) -> str:
    """Give the name; ``value``: empty where the name is the person's, and the shape alone enters."""
    room = 1
    for kind in shape:
        room *= _ROOM.get(kind, 1)
    if room < ROOM_LEAST or sum(kind in _ROOM for kind in shape) > _BYTES:
        return ""
    for drawn in draws(key, f"{cls} {shape}", value):
        made = _written(shape, drawn)
        fit = _CHECKS[check](made) if check and shape.isdecimal() else made
        if fit and not shares(fit, value):
            return fit
    raise AssertionError  # draws raises before


def _written(shape: str, drawn: bytes) -> str:
    """Write drawn bytes in a shape; the first digit is none of nought, which numbers lose."""
    number = int.from_bytes(drawn, "big")
    made: list[str] = []
    for kind in shape:
        if kind == _DIGIT:
            least = 0 if made else 1
            number, one = divmod(number, 10 - least)
            made.append(str(one + least))
        elif kind in _ROOM:
            number, one = divmod(number, 26)
            made.append(chr(ord(kind) + one))
        else:
            made.append(kind)
    return "".join(made)


def _luhn(digits: str) -> str:
    """Put the check digit in the place of the last."""
    total = 0
    for place, one in enumerate(reversed(digits[:-1])):
        doubled = int(one) * (2 - place % 2)
        total += doubled - 9 * (doubled > 9)
    return digits[:-1] + str(-total % 10)


def _npi(digits: str) -> str:
    return _luhn(f"80840{digits}")[5:] if len(digits) == 10 else digits


def _nhs(digits: str) -> str:
    """Put the check digit in the place of the last; empty where these nine digits can have none."""
    if len(digits) != 10:
        return digits
    check = -sum(int(one) * (10 - place) for place, one in enumerate(digits[:9])) % 11
    return digits[:9] + str(check) if check < 10 else ""


_CHECKS: Mapping[str, Callable[[str], str]] = {"luhn": _luhn, "npi": _npi, "nhs": _nhs}


def _wrong(parameters: Parameters) -> Mapping[str, str]:
    found = {}
    if "shape" in parameters and parameters["shape"] != ("keep",):
        found["shape"] = 'write ["keep"], or leave the line out'
    if "check" in parameters:
        if "shape" not in parameters:
            found["check"] = 'needs shape = ["keep"]: a name of another form has no check digit'
        elif parameters["check"] not in [(name,) for name in _CHECKS]:
            found["check"] = f"write one of {', '.join(_CHECKS)}"
    return found


ACTION = Action(_rule, parameters=frozenset(("shape", "check")), keyed=True, wrong=_wrong)
