"""Whom a file is about: the identifiers by which the subject is found, and what a text in it may name somebody by.

Rules:
- The patient's own number is (0010,0020) with its issuer; other numbers count with theirs, from (0010,1002). What stands in
  (0010,1000) has no issuer: it is known, and identifies nobody.
- Only the top of the file says who it is about; what is known is collected at every depth.
- What cannot be read in its character set says nothing.

Deliberately absent: who a patient is beyond the file (``patients``), and matching by name or birth date.

Source: DICOM PS3.3 §C.2.2 (Patient Identification), §10.14 (issuer of patient id), §10.17 (person names: PS3.5 §6.2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from oathward.core.phi import Phi
from oathward.protocols.dicom import catalogue
from oathward.protocols.dicom.charset import ESCAPE, UnreadableError, text_of
from oathward.protocols.dicom.dictionary import SINGLE, TEXTS, vr_of
from oathward.protocols.dicom.reader import Element, File

IDENTIFIERS_MAX = 32
"""Identifiers read of one file; the rest is left alone."""

KNOWN_MAX = 5_000
_UNIVERSAL, _UNIVERSAL_TYPE = 0x00400032, 0x00400033
_KNOWN = ("name", "identifier", "address", "contact", "birth-date", "encounter", "identity")
"""Last words of element classes that are looked for in texts; ``order`` too."""

_SPOKEN = TEXTS | {b"PN", b"UN", b"AE", b"CS", b"UR"}
_READ = TEXTS | {b"PN", b"DA", b"AE"}


class Identifier(NamedTuple):
    """A patient's number as the file gives it, with what it says of who issued it; empty where it does not say."""

    value: Phi[str]
    namespace: str
    universal: str = ""
    kind: str = ""


def identifiers_of(file: File) -> tuple[Identifier, ...]:
    """Give the patient's numbers, the file's own first."""
    top = {one[0]: one for one in file.elements}
    charset = _charset(file.view_of(top.get(catalogue.CHARACTER_SET)), b"")
    found = [*_identifier(file, file.elements, charset)]
    others = top.get(catalogue.OTHER_IDS_SEQUENCE)
    for item in (others[5] if others else None) or ():
        found += _identifier(file, item.elements, charset)
    return tuple(dict.fromkeys(found[:IDENTIFIERS_MAX]))


def known_values_of(file: File) -> tuple[tuple[str, str, str], ...]:
    """Give what is known of persons, places, devices and orders: element class, part, value as text."""
    return tuple(dict.fromkeys(_limited(_known(file))))


def texts_of(file: File) -> Iterator[str]:
    """Give the texts of a file that are not in ASCII, at every depth, each in the character set that holds there.

    What is not of that set is read byte by byte: whoever looks for something in a text looks there too.
    """
    for one, charset in _values(file, file.elements, b""):
        value = file.view_of(one) if one[1] in _SPOKEN else b""
        if not value.isascii() or ESCAPE in value:
            try:
                yield text_of(value, charset, one[1])
            except UnreadableError:
                yield value.decode("latin-1")


def _values(file: File, elements: Iterable[Element], charset: bytes) -> Iterator[tuple[Element, bytes]]:
    """Give what has a value, at every depth, with the character set that holds there."""
    for one in elements:
        if one[0] == catalogue.CHARACTER_SET:
            charset = file.view_of(one)
        elif one[5]:
            for item in one[5]:
                yield from _values(file, item.elements, charset)
        else:
            yield one, charset


def _limited(values: Iterator[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    for _, value in zip(range(KNOWN_MAX), values, strict=False):
        yield value


def _known(file: File) -> Iterator[tuple[str, str, str]]:
    for one, charset in _values(file, file.elements, b""):
        tag, vr, _start, value, end, _items = one
        if value < end and not tag >> 16 & 1:
            vr = (vr_of(tag) or vr) if vr == b"UN" else vr
            cls, part = catalogue.class_of(tag, vr)
            if vr in _READ and (cls == "order" or cls.rpartition(".")[2] in _KNOWN):
                for text in _texts(_text(file, one, vr, charset), vr):
                    yield cls, part, text


def _texts(text: str, vr: bytes) -> Iterator[str]:
    """Give the values of a text; of a name its components, in each of its spellings."""
    values = [text] if vr in SINGLE else text.split("\\")
    if vr == b"PN":
        values = [part for value in values for group in value.split("=") for part in group.split("^")]
    yield from (value.strip() for value in values if value.strip())


def _identifier(file: File, elements: list[Element], charset: bytes) -> Iterator[Identifier]:
    here = {one[0]: one for one in elements}
    charset = _charset(file.view_of(here.get(catalogue.CHARACTER_SET)), charset)

    def text(tag: int, among: dict[int, Element] = here) -> str:
        one = among.get(tag)
        return "" if one is None else _text(file, one, b"LO", charset).strip()

    number = text(catalogue.PATIENT_ID)
    if not number:
        return
    qualifiers = here.get(catalogue.ISSUER_QUALIFIERS)
    items = (qualifiers[5] if qualifiers else None) or ()
    issuer = {one[0]: one for item in items[:1] for one in item.elements}
    yield Identifier(
        Phi(number), text(catalogue.ISSUER), text(_UNIVERSAL, issuer), text(_UNIVERSAL_TYPE, issuer)
    )


def _text(file: File, one: Element, vr: bytes, charset: bytes) -> str:
    try:
        return text_of(file.view_of(one), charset, vr)
    except UnreadableError:
        return ""


def _charset(named: bytes, outer: bytes) -> bytes:
    return named or outer
