"""Whether a value looks like its element: codes, displays, quantities, texts, what an observation's code says of its value.

Rules:
- All forms read the *normal form* of a value, each digit ``0``, as those of HL7 v2 do (``hl7v2.forms``): the two
  wires judge alike. Only codes that name a person (``hl7v2.codes.PERSONAL``) are compared exactly.
- A code is standard when its system is (``core.code_systems``, or one of HL7's own) and it looks like its codes.
- Display text passes only where it says no more than a standard code beside it: ADR 0009.
- A value that does not fit is whatever somebody typed: its class becomes ``note.text``.
- Verdicts are remembered under Python's keyed 64-bit hash of what was judged, never under the text itself; at most
  ``REMEMBERED_MAX`` of them.

Deliberately absent: classes of elements (``elements``), and what may happen to a class.

Source: FHIR R4 §4.3.0 (code systems), §2.24.0.7 (Coding), §2.24.0.11 (Quantity); HL7 table 0396.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from oathward.core.code_systems import name_of
from oathward.protocols.fhir.message import Resource, Verbatim
from oathward.protocols.hl7v2 import codes, forms

DIGITS = bytes.maketrans(b"123456789", b"000000000")
REMEMBERED_MAX = 20_000

STANDARD, TOKEN, CODE, SAME, SYSTEM, KNOWN, WORD, LOCAL = 1, 2, 4, 8, 16, 32, 64, 128
"""Of a coding: its code is standard; it has the form of a token; of an observation code; its display says no more;
its system is a published one; its system is known to everyone; (of a text) it is a word of an enumeration; its code is
standard or no word."""

_HL7 = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
_HL7_CODE = re.compile(rb"(?!.*0{5})[A-Za-z0._+*<>=!-]{1,40}").fullmatch
_PUBLISHED = re.compile(
    rb"https?://(?:terminology\.hl0\.org|hl0\.org/fhir|dicom\.nema\.org|(?:www\.)?ihe\.net|(?:www\.)?nucc\.org|www\.nubc\.org"
    rb"|bluebutton\.cms\.gov/resources|www\.cms\.gov/Medicare/Coding|www\.nlm\.nih\.gov/research/umls|fhir\.de/CodeSystem"
    rb"|fhir\.kbv\.de/CodeSystem|fhir\.nhs\.uk|fhir\.hl0\.org\.uk|fhir\.infoway-inforoute\.ca|www\.ada\.org|varnomen\.hgvs\.org"
    rb"|www\.genenames\.org)(?:/[A-Za-z0_.#-]{1,64}){0,6}/?"
    rb"|urn:ietf:(?:bcp:00|rfc:0{4})|urn:iso:std:iso:0{4,5}(?:[:-]0{1,5}){0,2}|urn:oid:[0-2](?:\.0{1,7}){2,20}"
).fullmatch
"""Systems that a body publishes under a name of its own; what stands elsewhere may name an institution, or somebody."""

_SNOMED_EDITION = re.compile(rb"http://snomed\.info/x?sct/0{6,18}(?:/version/0{8})?").fullmatch
_URI = re.compile(rb"(?!.*0{9})[A-Za-z0_.:/%+~#?&=|()!,;@-]{1,255}").fullmatch
_sample = re.compile(rb"[+-]?0{1,10}(?:\.0{1,10})?(?:[eE][+-]?0{1,3})?|[ELU]").fullmatch
_LANGUAGE = re.compile(rb"[A-Za-z]{2,3}(?:-[A-Za-z0]{2,8}){0,3}").fullmatch

_known: dict[int, int] = {}


def normal(text: str) -> bytes:
    """Give the normal form of a text: every digit is ``0``."""
    return text.encode("utf-8", "replace").translate(DIGITS)


def of_coding(system: str, code: str, display: str) -> int:
    """Judge a coding; an absent part is empty."""
    key = hash((system, code, display))
    known = _known.get(key)
    if known is None:
        known = _remember(key, _coding(system, code, display))
    return known


def _remember(key: int, verdict: int) -> int:
    if len(_known) >= REMEMBERED_MAX:
        _known.clear()
    _known[key] = verdict
    return verdict


def _coding(system: str, code: str, display: str) -> int:
    plain = normal(code)
    found = 0
    name = name_of(system) if system else ""
    own = not name and system.startswith(_HL7)
    label = normal(name)
    if plain and (codes.standard(label, plain) or (own and _HL7_CODE(plain))):
        found |= STANDARD
    if plain and (found or forms.FITS[forms.TOKEN](plain)):
        found |= TOKEN
    if plain and (found or forms.FITS[forms.CODE](plain)):
        found |= CODE
    if plain and (found & STANDARD or forms.FITS[forms.LOCAL](plain)):
        found |= LOCAL
    if name or (own and _PUBLISHED(normal(system))):
        found |= SYSTEM | KNOWN
    elif _PUBLISHED(normal(system)):
        found |= SYSTEM
    if display and says_no_more(label, plain, display, own=bool(own and found & STANDARD)):
        found |= SAME
    return found


def says_no_more(name: bytes, code: bytes, text: str, *, own: bool) -> bool:
    """Say whether text beside a code is the code again, or the reference id of an MDC code.

    Args:
        name: of the system in HL7 v2, normal form; empty for HL7's FHIR systems.
        code: normal form.
        own: the code is one of HL7's FHIR systems.
    """
    plain = normal(text)
    return codes.display(name, code, plain) or (own and plain == code and b"0" not in plain)


def text_of_codings(text: str, codings: list[Any]) -> bool:
    """Say whether the text of a concept says no more than one of its codes."""
    return any(of_coding(coding.get("system", ""), coding.get("code", ""), text) & SAME for coding in codings)


def unit(system: str, code: str, text: str) -> int:
    """Judge the unit of a quantity: ``TOKEN`` for its code, ``SAME`` for its text, ``SYSTEM`` and ``KNOWN``."""
    key = hash((code, text, system, 0))
    known = _known.get(key)
    if known is None:
        coding = _coding(system, code, "")
        found = coding & (SYSTEM | KNOWN)
        if code and (coding & STANDARD or forms.FITS[forms.UNIT](normal(code))):
            found |= TOKEN
        if not text or forms.FITS[forms.UNIT](normal(text)):
            found |= SAME
        known = _remember(key, found)
    return known


def uri(text: str) -> int:
    """Say whether text has the form of a URI without a long number in it."""
    key = hash((text, 1))
    known = _known.get(key)
    return _remember(key, int(_URI(normal(text)) is not None)) if known is None else known


def version(text: str) -> bool:
    """Say whether text has the form of a version: numbers, a date, an edition of SNOMED CT."""
    plain = normal(text)
    return forms.FITS[forms.VERSION](plain) is not None or _SNOMED_EDITION(plain) is not None


def number(value: Any, digits: int = 7) -> bool:
    """Say whether a number is small enough to be no identifier: ``digits`` before the point, ten behind it."""
    if value.__class__ is Verbatim:
        text = value.text.lstrip("+-")
        head, _, tail = text.lower().partition("e")
        return len(head.partition(".")[2]) <= 10 and len(head.partition(".")[0]) <= digits and len(tail) <= 4
    if not -(10.0**digits) < value < 10.0**digits:
        return False
    return value.__class__ is int or len(repr(value)) <= digits + 12


def samples(text: str) -> bool:
    """Say whether text is the samples of a ``SampledData``.

    Source: FHIR R4 §2.24.0.10: decimals with spaces between, or E, L, U.
    """
    # Each kind of piece once: samples that differ in digits only are one kind.
    return all(map(_sample, set(normal(text).split(b" ")) - {b""}))


class Observed(NamedTuple):
    """What the code of an observation says of its value.

    ``known``: a standard code. ``mdc``: its reference id, normal form. ``personal``: class of the value, if it is
    no measurement.
    """

    known: bool
    mdc: bytes
    personal: str


NOTHING = Observed(False, b"", "")
_observed: dict[int, Observed] = {}


def observed(concept: Resource) -> Observed:
    """Read the code of an observation."""
    codings = concept.get("coding")
    if not codings:
        return NOTHING
    key = hash(tuple([(c.get("system"), c.get("code"), c.get("display")) for c in codings]))
    known = _observed.get(key)
    if known is None:
        if len(_observed) >= REMEMBERED_MAX:
            _observed.clear()
        known = _observed[key] = _read(codings)
    return known


def _read(codings: list[Any]) -> Observed:
    known, mdc, personal = False, b"", ""
    for coding in codings:
        system, code, display = (coding.get(word, "") for word in ("system", "code", "display"))
        known = known or bool(of_coding(system, code, "") & STANDARD)
        if name_of(system) == "MDC" and not mdc:
            mdc = normal(display)
        personal = personal or codes.PERSONAL.get(code.encode(), "")
    return Observed(known, mdc, personal or codes.mdc_class(mdc))


def word(name: bytes, text: str) -> bool:
    """Say whether text is a word of the enumeration that an MDC reference id has."""
    return bool(name) and codes.enumerated(name, normal(text))


def _form(name: str) -> Callable[[str], object]:
    fits = forms.FITS[name]
    return lambda text: fits(normal(text))


FITS: dict[str, Callable[[str], object]] = {
    "token": _form(forms.TOKEN),
    "local": _form(forms.LABEL),
    "code": _form(forms.CODE),
    "words": _form(forms.WORDS),
    "di": _form(forms.DI),
    "unit": _form(forms.UNIT),
    "range": _form(forms.RANGE),
    "uri": uri,
    "language": lambda text: _LANGUAGE(normal(text)),
    "samples": samples,
}
"""Form of a text -> whether a value has it."""
