"""Which op is for which attribute: the table's action under the chosen options, narrowed by the ruling for its class.

Rules:
- Never the other way round: what is kept or cleaned may become less by a ruling, what is removed stays removed.
- What is kept must be a value of its VR: a name does not leave because it stands where a number should.
- What an option keeps or cleans and cannot (not permitted, nobody cleans texts) falls back to the basic profile.
- A dummy of a sequence keeps its form and nothing of what it said.
- Overlays and curves go whole: nobody cleans what is drawn there. So do pixels within sequences (icons): nobody looks at them.

Deliberately absent: the walk over a file (``rewrite``).

Source: DICOM PS3.15 §E.1.1, §E.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from oathward.protocols.dicom import annex_e, catalogue, ops, terms, values
from oathward.protocols.dicom.annex_e import Action
from oathward.protocols.dicom.dictionary import OPAQUE, TEXTS, TIMES, vr_of
from oathward.protocols.dicom.named import Words
from oathward.protocols.dicom.ops import NO_WORDS, Op, Run
from oathward.protocols.dicom.reader import IMPLICIT, Element, Item
from oathward.protocols.shaping import KEEP, REMOVE, Decide, Ruling, Transform

PERSON = "patient.identifier"
CLOCK = "time"
"""Part of a time of day without its date, as ``Decide`` is asked for."""

PIXELS = 0x7FE0
_SMALL_NUMBER = re.compile(rb"[0-9]{1,4} *")
_NUMBERED = frozenset((0x00209056, 0x00480106, 0x006A000E))
"""Texts that must be there and mostly are a small number: stack and optical path."""


@dataclass(frozen=True, slots=True)
class Means:
    """How values are changed; each gets the caller's context, and gives nothing where it cannot.

    Args:
        person: the project's name for the subject, given the patient's own number.
        uid: a UID for a UID, the same for the same; those of the standard for themselves.
        shift: a DA or DT moved by the subject's days.
        text: a text without what names anybody; None where texts may not pass.
        named: what of a text names the patient, by what the file says of them; empty where nothing does.
        words: of persons, that what is kept is searched for.
    """

    person: Transform
    uid: Transform
    shift: Transform
    text: Transform | None = None
    named: Transform = lambda _value, _context: ""
    words: Callable[[Any], Words] = lambda _context: NO_WORDS


class Walk(Protocol):
    """The walk over the items of a sequence, as ``rewrite`` does it."""

    def __call__(self, run: Run, items: list[Item], *, emptied: bool) -> bytes | None:
        """Write them; None where nothing is changed. ``emptied``: of what they say nothing stays."""


class _Kind(NamedTuple):
    """A kind of element: its tag, what it is by VR, and its class."""

    tag: int
    vr: bytes
    cls: str
    part: str


class Compiler:
    """Makes ops; asks ``decide`` once for each class and part. ``searches``: for words of persons, in what is kept."""

    def __init__(
        self, decide: Decide, options: AbstractSet[int], means: Means, walk: Walk, *, searches: bool
    ) -> None:
        self._decide = decide
        self._options = options
        self._means = means
        self._walk = walk
        self._searches = searches

    def op(self, tag: int, vr: bytes, *, emptied: bool) -> tuple[Op | None, str]:
        """Give what happens to a kind of element, None where it stays as it is, and its class."""
        known = vr_of(tag)
        vr = known if vr == b"UN" and known else vr
        kind = _Kind(tag, vr, *catalogue.class_of(tag, vr))
        special = self._special(kind)
        if special is not None:
            return special, kind.cls
        row = annex_e.row_of(tag)
        action, instead = catalogue.treatment(tag, vr, self._options, known=known is not None)
        if emptied and row is None:
            action = instead = _emptied(action, vr)
        if vr == b"SQ":
            return self._sequence(kind, action, emptied=emptied), kind.cls
        op = self._value(kind, action, instead)
        return (ops.outermost(op, kind.cls) if tag >> 16 == PIXELS else op), kind.cls

    def _special(self, kind: _Kind) -> Op | None:
        if kind.tag >> 16 & 1:
            gone = ops.dropped("uncatalogued")
            safe = annex_e.RETAIN_SAFE_PRIVATE in self._options
            return self._searched(kind, ops.safe_private, gone) if safe else gone
        if kind.tag >> 24 in (0x50, 0x60):
            # Without their data, which always goes, the rest of these groups describes nothing.
            return ops.dropped(kind.cls)
        if kind.tag == catalogue.ENCAPSULATED_DOCUMENT:
            return ops.held
        return ops.charset if kind.tag == catalogue.CHARACTER_SET else None

    def _searched(self, kind: _Kind, op: Op | None, plain: Op) -> Op | None:
        """Give an op for what is kept, that looks for words of persons where this compiler's do."""
        return ops.unnamed(op, plain, kind.vr) if self._searches else op

    def _value(self, kind: _Kind, action: Action, instead: Action) -> Op | None:
        plain = self._plain(kind, instead)
        if action == "K":
            return self._searched(kind, self._kept(kind, plain), plain)
        if action != "C":
            return self._plain(kind, action)
        cleaned = self._cleaned(kind, plain)
        if kind.tag == catalogue.CODE_MEANING:
            return self._searched(kind, ops.meaning(cleaned, self._means.named), cleaned)
        return ops.matching(_SMALL_NUMBER, cleaned) if kind.tag in _NUMBERED else cleaned

    def _plain(self, kind: _Kind, action: Action) -> Op:
        """Give what happens without looking at the value."""
        if kind.tag in (catalogue.PATIENT_NAME, catalogue.PATIENT_ID):
            if self._decide(PERSON, "") is REMOVE:
                return ops.emptied(kind.cls, kind.vr)
            return ops.person(PERSON, self._means.person)
        if action == "U" or (action == "D" and kind.vr == b"UI"):
            return ops.uid(kind.cls, self._means.uid)
        if action == "D":
            return ops.dummy(kind.cls, kind.vr)
        return ops.emptied(kind.cls, kind.vr) if action == "Z" else ops.dropped(kind.cls)

    def _ruling(self, kind: _Kind) -> Ruling:
        part = CLOCK if kind.vr == b"TM" and not kind.part else kind.part
        return KEEP if kind.cls == "structure" else self._decide(kind.cls, part)

    def _kept(self, kind: _Kind, plain: Op) -> Op | None:
        if kind.vr == b"UI" and annex_e.row_of(kind.tag) is None:
            return ops.matching(values.PATTERNS[b"UI"], plain)  # it names a kind of thing
        ruling = self._ruling(kind)
        if ruling is REMOVE:
            return plain
        if callable(ruling):
            return self._changed(kind, ruling, plain)
        if kind.tag in (catalogue.CODE_SCHEME, catalogue.ICC_PROFILE):
            gone = ops.dropped(kind.cls)
            return ops.scheme if kind.tag == catalogue.CODE_SCHEME else ops.icc_profile(gone, kind.cls)
        if kind.vr == b"CS":
            every, one = values.PATTERNS[b"CS"], values.ONE[b"CS"]
            codes = ops.codes(terms.TERMS.get(kind.tag, one))
            return ops.matching(terms.ALL.get(kind.tag, every), codes)
        pattern = terms.TEXTS.get(kind.tag) or values.PATTERNS.get(kind.vr)
        return None if pattern is None else ops.matching(pattern, plain)

    def _changed(self, kind: _Kind, transform: Transform, plain: Op) -> Op:
        if kind.vr == b"AS":
            return ops.age(transform, plain, kind.cls)
        if kind.vr in TIMES and catalogue.is_no_patients(kind.tag):
            return plain  # moved beside its true value, which many know, it would show by how much
        return ops.transformed(transform, plain, kind.cls, kind.vr)

    def _cleaned(self, kind: _Kind, plain: Op) -> Op:
        """Clean a date by its shift and a text by what cleans texts; where its class has a transform, that does it."""
        ruling = self._ruling(kind)
        if ruling is REMOVE:
            return plain
        if callable(ruling):
            return self._changed(kind, ruling, plain)
        if kind.vr == b"TM":
            return ops.matching(values.PATTERNS[b"TM"], plain)  # days move, times of day stay
        means = self._means.shift if kind.vr in TIMES else self._means.text if kind.vr in TEXTS else None
        return plain if means is None else self._changed(kind, means, plain)

    def _sequence(self, kind: _Kind, action: Action, *, emptied: bool) -> Op:
        if action == "X" or (action == "Z" and kind.tag in annex_e.NEVER_EMPTY):
            return ops.dropped(kind.cls)
        if action == "Z":
            return ops.emptied(kind.cls, b"SQ")
        if kind.tag == catalogue.CONTENT_SEQUENCE and action == "D":
            return ops.no_content
        walk, inner, unread = self._walk, emptied or action == "D", ops.dropped(kind.cls)

        def op(run: Run, one: Element) -> bytes | None:
            items = one[5]
            if items is None:
                return unread(run, one)
            # Source: PS3.5 §6.2.2: what stands in a sequence of unknown VR is in implicit VR little endian.
            outer, run.encoding = run.encoding, IMPLICIT if one[1] == b"UN" else run.encoding
            body = walk(run, items, emptied=inner)
            run.encoding = outer
            return None if body is None else values.element(outer, one[0], one[1], body)

        return op


def _emptied(action: Action, vr: bytes) -> Action:
    """Say what stands in a sequence of which nothing stays: what points or is valid by form; else dummies."""
    if action == "X" or vr in OPAQUE:
        return "X"
    if vr == b"UI":
        return "U"
    return "K" if vr in (b"SQ", b"CS") else "D"
