"""Write the part of a file that may leave.

Rules:
- What stays as it is is a run of the input, never copied where it is long; what is new is bytes. A sequence is written anew only
  where something in it changes.
- Every element is looked at, at any depth: the same attribute means the same wherever it stands.
- What stands in pixel data and is no pixel (``pixel_data``) is written over with zeros.
- The output says what was done: patient identity removed, by which method and options, and what became of dates. That pixels
  are clean (113101, (0028,0301)) it says where they were looked at, whatever the options are.
- File meta information is ours, with the instance's new UID; the preamble is empty.
- A deflated file leaves inflated.

Deliberately absent: pixels, profiles, keys, I/O.

Source: DICOM PS3.15 §E.1.1 (what is added), §E.3.6 (longitudinal temporal information), PS3.10 §7.1 (file meta information).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from struct import pack
from typing import NamedTuple, TypeAlias

from oathward.protocols.dicom import annex_e, values
from oathward.protocols.dicom.catalogue import CHARACTER_SET, PATIENT_ID
from oathward.protocols.dicom.compiling import Compiler, Means
from oathward.protocols.dicom.named import Words
from oathward.protocols.dicom.ops import NO_WORDS, Op, Run, mapped
from oathward.protocols.dicom.pixel_data import hidden
from oathward.protocols.dicom.reader import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    Element,
    Encoding,
    File,
    Item,
    pixels_of,
    text_of,
)
from oathward.protocols.dicom.safe_private import safe_places
from oathward.protocols.dicom.values import element, item
from oathward.protocols.shaping import KEEP, Decide

__all__ = ["Means", "Rewriter", "Shaped", "compile_rewriter"]

IMPLEMENTATION_UID = "2.25.183469102375519884370216634512098714265"
"""Ours, a random one. Source: DICOM PS3.5 §B.2."""

IMPLEMENTATION_NAME = b"OATHWARD_1"
METHOD = "Oathward"
RUN_BYTES_MIN = 16_384
"""A shorter run of the input is copied: one write is cheaper than two."""

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
_REMOVED, _METHOD, _CODES = 0x00120062, 0x00120063, 0x00120064
_BURNED_IN, _LONGITUDINAL = 0x00280301, 0x00280303

Span = tuple[int, int]
"""Offset and length of a run of ``File.data``."""

_Range = tuple[int, int]
"""Begin and end."""

_Ops: TypeAlias = "dict[tuple[int, bytes], tuple[Op | None, str]]"
OPS_MAX = 20_000
"""Kinds of elements that one rewriter remembers."""


class Shaped(NamedTuple):
    """What may leave of a file, in order, and what was done: values by class, as of a message.

    ``pieces``: bytes, or runs of ``File.data``; those are runs of the input too, but of a deflated file.
    """

    pieces: tuple[bytes | Span, ...]
    removed: Mapping[str, int]
    changed: Mapping[str, int]
    kept: frozenset[str]
    uncatalogued: int

    def joined(self, data: memoryview) -> bytes:
        """Put it together in memory."""
        return b"".join(
            [piece if isinstance(piece, bytes) else data[piece[0] : sum(piece)] for piece in self.pieces]
        )


class _Learnt(NamedTuple):
    """What happens to each kind of element, as far as any was met; in sequences of which nothing stays, ``emptied``."""

    compiler: Compiler
    ops: _Ops
    emptied: _Ops

    def learn(self, tag: int, vr: bytes, *, emptied: bool) -> tuple[Op | None, str]:
        found, ops = self.compiler.op(tag, vr, emptied=emptied), self.emptied if emptied else self.ops
        if len(ops) < OPS_MAX:
            ops[tag, vr] = found
        return found


class Rewriter:
    """A compiled set of rulings; made by ``compile_rewriter``, good for any number of files."""

    def __init__(self, decide: Decide, options: frozenset[int], means: Means, profile: str) -> None:
        usual, searching = (
            Compiler(decide, options, means, self._items, searches=searches) for searches in (False, True)
        )
        self._means = means
        self._keeps_uids = annex_e.RETAIN_UIDS in options and decide("message.control", "") is KEEP
        self._private = annex_e.RETAIN_SAFE_PRIVATE in options
        self._usual, self._searching = _Learnt(usual, {}, {}), _Learnt(searching, {}, {})
        self._said = {
            (encoding, looked): _said(encoding, options, profile, looked=looked)
            for encoding in (EXPLICIT, IMPLICIT, BIG)
            for looked in (False, True)
        }

    def __call__(
        self, file: File, _outgoing_id: str, context: object, *, pixels_cleaned: bool = False
    ) -> Shaped:
        """Write what may leave of one file.

        Args:
            file: as decoded.
            context: handed to the transforms as it is.
            pixels_cleaned: nothing is burned into its pixels, or no longer.

        Raises:
            DeidentificationError: DOCUMENT_HELD, it encapsulates a document of another format; PIXELS_HELD, its frames are not
                what it says they are.
        """
        words = self._means.words(context)
        run, pieces = self._written(file, context, NO_WORDS, looked=pixels_cleaned)
        if words and _near(words, file, pieces):
            run, pieces = self._written(file, context, words, looked=pixels_cleaned)
        return Shaped(
            pieces,
            dict(run.removed),
            dict(run.changed),
            frozenset(run.kept),
            run.removed["uncatalogued"],
        )

    def _written(
        self, file: File, context: object, words: Words, *, looked: bool
    ) -> tuple[Run, tuple[bytes | Span, ...]]:
        """Write a file; what is kept is searched for words where there are any."""
        run = Run(file.data, file.encoding, context, _first(file, PATIENT_ID), words=words)
        whole = file.body, len(file.data)
        said = self._said[file.encoding, looked]
        body = self._dataset(run, file.elements, whole, said, emptied=False) or [whole]
        head = self._meta(run, file)
        return run, _joined(file.data, [head, *_zeroed(body, hidden(file))])

    def _dataset(
        self,
        run: Run,
        elements: list[Element],
        whole: _Range,
        written: Mapping[int, bytes],
        *,
        emptied: bool,
    ) -> list[bytes | _Range] | None:
        """Write the elements of one data set, which stand in ``whole``; None where nothing changes.

        Args:
            written: tag -> an element of ours, for those there and those that are not.
            emptied: of what they say nothing stays.
        """
        learnt = self._searching if run.words else self._usual
        ops = learnt.emptied if emptied else learnt.ops
        out: list[bytes | _Range] = []
        done, kept = whole[0], run.kept
        waiting = sorted(written, reverse=True)
        if self._private:
            run.safe = safe_places(run.view, elements)
        for one in elements:
            tag, vr, start, _value, end, _items = one
            while waiting and tag >= waiting[-1]:
                out += ((done, start), written[waiting.pop()])
                done = start
            if tag in written:
                out.append((done, start))
                done = end
                continue
            op, cls = ops.get((tag, vr)) or learnt.learn(tag, vr, emptied=emptied)
            if op is None:
                kept.add(cls)
                continue
            new = op(run, one)
            if new is None:
                kept.add(cls)
                continue
            out += ((done, start), new)
            done = end
        if not out and not waiting:
            return None
        out.append((done, whole[1]))
        return [*out, *(written[tag] for tag in reversed(waiting))]

    def _items(self, run: Run, items: list[Item], *, emptied: bool) -> bytes | None:
        """Write the items of a sequence; None where nothing in them changes."""
        charset, scheme, safe = run.charset, run.scheme, run.safe
        run.depth += 1
        out: list[bytes | memoryview] = []
        changed = False
        for start, value, stop, end, elements in items:
            run.scheme = ""
            body = self._dataset(run, elements, (value, stop), {}, emptied=emptied)
            run.charset, run.scheme, run.safe = charset, scheme, safe
            if body is None:
                out.append(run.view[start:end])
            else:
                changed = True
                parts = [part if isinstance(part, bytes) else run.view[slice(*part)] for part in body]
                out.append(item(run.encoding, b"".join(parts)))
        run.depth -= 1
        return b"".join(out) if changed else None

    def _meta(self, run: Run, file: File) -> bytes:
        """Write preamble and file meta information."""
        sop_class = _first(file, SOP_CLASS) or _first(file, 0x00020002, meta=True)
        instance = _first(file, SOP_INSTANCE) or _first(file, 0x00020003, meta=True)
        if values.PATTERNS[b"UI"].fullmatch(sop_class.encode()) is None or run.words.are_in(sop_class):
            sop_class = mapped(run, sop_class, self._means.uid)
        if not self._keeps_uids:
            instance = mapped(run, instance, self._means.uid)
        body = b"".join(
            element(EXPLICIT, tag, vr, value)
            for tag, vr, value in (
                (0x00020001, b"OB", b"\0\1"),
                (0x00020002, b"UI", sop_class.encode("ascii", "replace")),
                (0x00020003, b"UI", instance.encode("ascii", "replace")),
                (0x00020010, b"UI", file.syntax.encode("ascii")),
                (0x00020012, b"UI", IMPLEMENTATION_UID.encode("ascii")),
                (0x00020013, b"SH", IMPLEMENTATION_NAME),
            )
        )
        return bytes(128) + b"DICM" + element(EXPLICIT, 0x00020000, b"UL", pack("<L", len(body))) + body


def compile_rewriter(
    decide: Decide, options: Collection[int], means: Means, *, profile: str = ""
) -> Rewriter:
    """Prepare what happens to each kind of element, for use on files.

    Args:
        decide: asked once for each class and part that turns up; it narrows what the options say.
        options: codes of PS3.15 Annex E, 113101 to 113112; the basic profile always holds.
        means: how values are changed.
        profile: its name, for (0012,0063).
    """
    return Rewriter(decide, frozenset(options), means, profile)


def _near(words: Words, file: File, pieces: tuple[bytes | Span, ...]) -> bool:
    """Say whether a word may stand in what was written, pixel data aside."""
    begin, end = pixels_of(file)
    charset = file.view_of(next((one for one in file.elements if one[0] == CHARACTER_SET), None))
    parts: list[bytes | memoryview] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            parts.append(piece)
        else:
            at, stop = piece[0], sum(piece)
            parts += (file.data[at : min(stop, begin)], file.data[max(at, end) : stop])
    return words.near(b"\0".join(parts), charset)


def _first(file: File, tag: int, *, meta: bool = False) -> str:
    elements = file.meta if meta else file.elements
    return next((text_of(file.data, one) for one in elements if one[0] == tag), "")


def _said(encoding: Encoding, options: frozenset[int], profile: str, *, looked: bool) -> dict[int, bytes]:
    """Write what says that, how and by which options a file was de-identified. ``looked``: at its pixels."""
    dates = b"REMOVED"
    if annex_e.RETAIN_LONGITUDINAL_FULL_DATES in options:
        dates = b"UNMODIFIED"
    elif annex_e.RETAIN_LONGITUDINAL_MODIFIED_DATES in options:
        dates = b"MODIFIED"
    pixels = {annex_e.CLEAN_PIXEL_DATA}
    held = {annex_e.BASIC, *options} - pixels | (pixels if looked else set())
    codes = b"".join(_code(encoding, code) for code in sorted(held))
    method = f"{METHOD} {annex_e.EDITION} Annex E" + (f"\\{profile}"[:65] if profile else "")
    return {
        _REMOVED: element(encoding, _REMOVED, b"CS", b"YES"),
        _METHOD: element(encoding, _METHOD, b"LO", method.encode("ascii", "replace")),
        _CODES: element(encoding, _CODES, b"SQ", codes),
        _LONGITUDINAL: element(encoding, _LONGITUDINAL, b"CS", dates),
        **({_BURNED_IN: element(encoding, _BURNED_IN, b"CS", b"NO")} if looked else {}),
    }


def _code(encoding: Encoding, code: int) -> bytes:
    return item(
        encoding,
        element(encoding, 0x00080100, b"SH", str(code).encode("ascii"))
        + element(encoding, 0x00080102, b"SH", b"DCM")
        + element(encoding, 0x00080104, b"LO", annex_e.MEANINGS[code].encode("ascii")[:64].rstrip()),
    )


def _zeroed(parts: list[bytes | _Range], spans: list[_Range]) -> list[bytes | _Range]:
    """Put zeros where spans of the input, in order, would stand."""
    out: list[bytes | _Range] = []
    for part in parts:
        if isinstance(part, bytes):
            out.append(part)
            continue
        at, end = part
        for begin, stop in spans:
            if at < stop and begin < end:
                out += ((at, max(at, begin)), bytes(min(stop, end) - max(at, begin)))
                at = min(stop, end)
        out.append((at, end))
    return out


def _joined(data: memoryview, parts: list[bytes | _Range]) -> tuple[bytes | Span, ...]:
    """Join what is new and short runs of the input; longer runs stay runs."""
    out: list[bytes | Span] = []
    near: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, bytes):
            near.append(part)
        elif part[1] - part[0] < RUN_BYTES_MIN:
            near.append(data[part[0] : part[1]])
        else:
            out += (b"".join(near), (part[0], part[1] - part[0]))
            near = []
    return (*out, b"".join(near)) if near else tuple(out)
