"""What can happen to one element: dropped, emptied, replaced, checked, changed by a transform.

Rules:
- An op sees one element of a file being written (``Run``) and gives what stands in its place, or None: it stays as it is.
- What cannot be done (a text that nobody can read, a result that is no value of the VR) is left to another op, ``otherwise``.
- The same UID stands for the same UID in all of a file; which ones stand for themselves, say the caller's means.

Deliberately absent: which op is for which attribute (``compiling``).

Source: DICOM PS3.15 §E.1.1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.dicom import icc, terms, values
from oathward.protocols.dicom.charset import UnreadableError, bytes_of, text_of
from oathward.protocols.dicom.dictionary import BINARY_SIZES, OPAQUE, SINGLE, TEXTS
from oathward.protocols.dicom.named import Words
from oathward.protocols.dicom.reader import Element, Encoding, place
from oathward.protocols.shaping import Transform

STANDARD_SCHEMES = frozenset(
    (
        *(
            "DCM",
            "SCT",
            "SRT",
            "SNM3",
            "99SDM",
            "LN",
            "UCUM",
            "ICD10",
            "I10",
            "I10P",
            "I9",
            "I9C",
            "I9P",
            "I11",
        ),
        *("ICDO3", "RADLEX", "FMA", "UMLS", "NCIt", "C4", "C5", "MDC", "BI", "NEU", "ISO3166_1", "ISO639_1"),
        *(
            "ISO639_2",
            "RFC5646",
            "RFC3066",
            "CD2",
            "ACR",
            "DCMUID",
            "PATHLEX",
            "UBERON",
            "RXNORM",
            "NDC",
            "IBSI",
        ),
        *("ITIS_TSN", "POS", "SCPECG", "MSH"),
    )
)
"""Coding schemes whose meanings are the standard's words. Source: DICOM PS3.16 table 8-1."""

UNKNOWN_BYTES_MAX = 1_024
NO_WORDS = Words((), (), frozenset())

_AGE = re.compile(r"([0-9]{3})([DWMY])")
_YEARS = re.compile(r"[0-9]{1,3}(?![0-9])")


@dataclass(slots=True)
class Run:
    """One file being written; ``charset`` and ``scheme`` are those that hold where it is now.

    ``number``: the patient's own. ``depth``: within how many sequences it is. ``safe``: where safe private elements of the data set begin. ``uids``: those met so far and what stands for them.
    ``words``: of persons; none where what is kept is not searched for them.
    """

    view: memoryview
    encoding: Encoding
    context: Any
    number: str = field(default="", repr=False)
    charset: bytes = b""
    scheme: str = ""
    depth: int = 0
    safe: frozenset[int] = frozenset()
    removed: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    kept: set[str] = field(default_factory=set)
    uids: dict[str, str] = field(default_factory=dict)
    words: Words = NO_WORDS

    def write(self, cls: str, tag: int, vr: bytes, value: bytes) -> bytes:
        """Count a value that is changed, and write it."""
        self.changed[cls] += 1
        self.kept.add(cls)
        return values.element(self.encoding, tag, vr, value)

    def bytes_of(self, one: Element) -> bytes:
        """Give a value as it is written."""
        return bytes(self.view[one[3] : one[4]])


Op = Callable[[Run, Element], "bytes | None"]


def mapped(run: Run, uid: str, means: Transform) -> str:
    """Give the UID that stands for one; what is none gets one all the same, for what refers by it."""
    known = run.uids.get(uid)
    if known is None:
        known = means(uid, run.context) if uid else ""
        if uid and not known:
            number = int.from_bytes(blake2b(uid.encode("ascii", "replace"), digest_size=16).digest(), "big")
            known = means(f"2.25.{number}", run.context)
        run.uids[uid] = known
    return known


def dropped(cls: str) -> Op:
    """Leave it out."""

    def op(run: Run, one: Element) -> bytes:
        if one[4] > one[3]:
            run.removed[cls] += 1
        return b""

    return op


def emptied(cls: str, vr: bytes) -> Op:
    """Leave the attribute without a value."""

    def op(run: Run, one: Element) -> bytes | None:
        if one[3] == one[4]:
            return None
        run.removed[cls] += 1
        return values.element(run.encoding, one[0], vr, b"")

    return op


def dummy(cls: str, vr: bytes) -> Op:
    """Put something in its place that says nothing."""

    def op(run: Run, one: Element) -> bytes:
        return run.write(cls, one[0], vr, values.dummy(vr, one[4] - one[3]))

    return op


def person(cls: str, means: Transform) -> Op:
    """Write the project's name for the subject, as HL7 v2 and FHIR do in the place of an identifier."""

    def op(run: Run, one: Element) -> bytes:
        name = means(run.number, run.context).encode("ascii", "replace")
        return (
            run.write(cls, one[0], one[1], name)
            if name
            else values.element(run.encoding, one[0], one[1], b"")
        )

    return op


def uid(cls: str, means: Transform) -> Op:
    """Write the UID that stands for it, for each where there are several."""

    def op(run: Run, one: Element) -> bytes | None:
        old = run.bytes_of(one).decode("ascii", "replace").rstrip("\0 ")
        if not old:
            return None
        new = "\\".join([mapped(run, each, means) for each in old.split("\\")])
        return None if new == old else run.write(cls, one[0], b"UI", new.encode("ascii"))

    return op


def safe_private(run: Run, one: Element) -> bytes | None:
    """Keep what its maker said is safe."""
    if one[2] in run.safe:
        return None
    if one[4] > one[3]:
        run.removed["uncatalogued"] += 1
    return b""


def outermost(op: Op | None, cls: str) -> Op:
    """Do it outside of sequences, and within them leave the element out."""
    within = dropped(cls)

    def either(run: Run, one: Element) -> bytes | None:
        if run.depth:
            return within(run, one)
        return None if op is None else op(run, one)

    return either


def held(_run: Run, one: Element) -> None:
    """Hold the file, where there is a value.

    Raises:
        DeidentificationError: DOCUMENT_HELD.
    """
    if one[4] > one[3]:
        why = "no document of another format inside"
        raise DeidentificationError(place(one[0]), why, reason=Reason.DOCUMENT_HELD)


def charset(run: Run, one: Element) -> bytes | None:
    """Read on in another character set; what is the name of none goes."""
    run.charset = run.bytes_of(one)
    if terms.ALL[one[0]].fullmatch(run.charset):
        return None
    return run.write("structure", one[0], b"CS", b"")


def scheme(run: Run, one: Element) -> None:
    """Note of which coding scheme a code is."""
    run.scheme = run.bytes_of(one).decode("ascii", "replace").strip(" \0")


def meaning(otherwise: Op, named: Transform) -> Op:
    """Keep what a code means where that is the standard's own word; who wrote it may have put another there.

    Args:
        named: gives what of a text names the patient, as far as the file says how they are named; empty where nothing does.
    """

    def op(run: Run, one: Element) -> bytes | None:
        if run.scheme not in STANDARD_SCHEMES:
            return otherwise(run, one)
        try:
            told = named(text_of(run.bytes_of(one), run.charset, b"LO"), run.context)
        except UnreadableError:
            return otherwise(run, one)
        return otherwise(run, one) if told else None

    return op


def matching(pattern: re.Pattern[bytes], otherwise: Op) -> Op:
    """Keep what looks like this."""
    match = pattern.fullmatch

    def op(run: Run, one: Element) -> bytes | None:
        return None if one[3] == one[4] or match(run.view, one[3], one[4]) else otherwise(run, one)

    return op


def icc_profile(otherwise: Op, cls: str) -> Op:
    """Keep of an ICC profile what its colours need; what is none goes."""

    def op(run: Run, one: Element) -> bytes | None:
        old = run.bytes_of(one)
        new = icc.cleaned(old)
        if not old or new == old:
            return None
        return run.write(cls, one[0], one[1], new) if new else otherwise(run, one)

    return op


def codes(pattern: re.Pattern[bytes]) -> Op:
    """Keep, of several codes, those that look like this."""

    def op(run: Run, one: Element) -> bytes:
        made = values.replaced(b"CS", run.bytes_of(one), pattern.fullmatch)
        return run.write("structure", one[0], b"CS", made)

    return op


def unnamed(op: Op | None, otherwise: Op, vr: bytes) -> Op | None:
    """Do it; what would stay as it is goes where a word in it names a person. None where no word can stand in a value of the VR."""
    if vr in TEXTS | {b"AE", b"PN", b"UR"}:
        names = _text_names
    elif vr in (b"IS", b"DS", b"UI"):
        names = _number_names
    elif vr in OPAQUE or vr in BINARY_SIZES:
        names = _opaque_names
    elif vr == b"CS":
        names, otherwise = _text_names, _unnamed_codes
    else:
        return op

    def either(run: Run, one: Element) -> bytes | None:
        new = None if op is None else op(run, one)
        return otherwise(run, one) if new is None and names(run, one) else new

    return either


def _text_names(run: Run, one: Element) -> bool:
    value = run.bytes_of(one)
    try:
        text = text_of(value, run.charset, one[1])
    except UnreadableError:
        text = value.decode("latin-1")
    return run.words.stand_in(text)


def _number_names(run: Run, one: Element) -> bool:
    return run.words.are_in(run.bytes_of(one).decode("latin-1"))


def _opaque_names(run: Run, one: Element) -> bool:
    value = run.bytes_of(one)
    # Of unknown VR, what is short is mostly a text.
    return run.words.lie_in(value) or (
        one[1] == b"UN" and len(value) <= UNKNOWN_BYTES_MAX and run.words.stand_in(value.decode("latin-1"))
    )


def _unnamed_codes(run: Run, one: Element) -> bytes:
    def stays(code: bytes) -> bool:
        return not run.words.stand_in(code.decode("latin-1"))

    return run.write("structure", one[0], b"CS", values.replaced(b"CS", run.bytes_of(one), stays))


def transformed(transform: Transform, otherwise: Op, cls: str, vr: bytes) -> Op:
    """Write what a transform makes of the value, of each where there are several."""
    single = vr in SINGLE

    def op(run: Run, one: Element) -> bytes | None:
        if one[3] == one[4]:
            return None
        try:
            old = text_of(run.bytes_of(one), run.charset, vr)
            parts = [old] if single else old.split("\\")
            new = "\\".join([transform(part, run.context) if part.strip() else part for part in parts])
            if new == old:
                return None
            made = bytes_of(values.fitting(vr, new), run.charset) if new.strip("\\ ") else b""
        except UnreadableError:
            made = b""
        if not made or (vr not in TEXTS and not values.is_valid(vr, made)):
            return otherwise(run, one)
        return run.write(cls, one[0], vr, made)

    return op


def age(transform: Transform, otherwise: Op, cls: str) -> Op:
    """Ask the transform about the years of an age; a younger one has none."""

    def op(run: Run, one: Element) -> bytes | None:
        if one[3] == one[4]:
            return None
        found = _AGE.fullmatch(run.bytes_of(one).decode("ascii", "replace").strip(" \0"))
        if found is None:
            return otherwise(run, one)
        years = str(int(found[1])) if found[2] == "Y" else "0"
        new = transform(years, run.context)
        if new == years:
            return None
        told = _YEARS.match(new)  # a band such as 90+ is told by its lower end
        return run.write(cls, one[0], b"AS", f"{told[0]:0>3}Y".encode()) if told else otherwise(run, one)

    return op


def no_content(run: Run, one: Element) -> bytes | None:
    """Put one item that says that the content was removed in the place of a tree."""
    if not one[5]:
        return None

    def write(tag: int, vr: bytes, value: bytes) -> bytes:
        return values.element(run.encoding, tag, vr, value)

    # (121106, DCM, "Comment"): a concept that any report may have.
    concept = b"".join(
        (
            write(0x00080100, b"SH", b"121106"),
            write(0x00080102, b"SH", b"DCM"),
            write(0x00080104, b"LO", b"Comment"),
        )
    )
    content = b"".join(
        (
            write(0x0040A010, b"CS", b"CONTAINS"),
            write(0x0040A040, b"CS", b"TEXT"),
            write(0x0040A043, b"SQ", values.item(run.encoding, concept)),
            write(0x0040A160, b"UT", values.REMOVED),
        )
    )
    return run.write("note.text", one[0], b"SQ", values.item(run.encoding, content))
