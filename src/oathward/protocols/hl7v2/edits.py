"""Edit segments and fields where they stand: the hands of ``rewrite``.

Rules:
- An editor takes bytes as written and gives bytes as written, in the message's own separators and character set.
- Values are transformed, escaped and counted by the run (``wire``).
- Emptied repetitions and trailing separators go; a field with several equal pseudonyms keeps one.

Deliberately absent: which editor stands where (``rewrite`` compiles that from shapes and rulings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oathward.protocols.hl7v2.attached import documents
from oathward.protocols.hl7v2.shapes import ALL, Field, Leaf
from oathward.protocols.hl7v2.wire import CONTROL_ID_INDEX, Run
from oathward.protocols.shaping import KEEP, REMOVE, Attachments, Quick, Ruling, Transform

Editor = Callable[[bytes, Run], bytes]


SegmentEditor = Callable[[bytes, Run], bytes | None]
"""Writes a segment anew; None where a transform gave up a part that carries its meaning."""


def control_id(_value: bytes, run: Run) -> bytes:
    """Put the outgoing control id in place of any."""
    return run.control_id


def segment_editor(
    edits: tuple[tuple[int, Editor | None], ...], cut: int, vital: tuple[int, ...]
) -> SegmentEditor:
    """Make the editor of one shape.

    Args:
        edits: place after a split -> editor of the field, None to empty it; in order.
        cut: number of fields left (the name counts) where all behind them goes, else 0.
        vital: places that must not become empty.
    """
    most = cut or edits[-1][0] + 1
    index, editor = edits[0] if edits else (0, None)
    if len(edits) == 1 and not cut and editor is not None:
        return _one_editor(index, editor, vital=bool(vital))

    def edit_all(segment: bytes, run: Run) -> bytes | None:
        fields = segment.split(run.wire.field, most)
        if cut:
            del fields[cut:]
        for place, change in edits:
            fields[place] = change(fields[place], run) if change else b""
        for place in vital:
            if not fields[place]:
                return None
        while not fields[-1]:
            fields.pop()
        return run.wire.field.join(fields)

    return edit_all


def _one_editor(index: int, editor: Editor, *, vital: bool) -> SegmentEditor:
    """Make the editor of a shape with one field to change: often the last one, a time."""

    def edit(segment: bytes, run: Run) -> bytes | None:
        mark = run.wire.field
        head, _, value = segment.rpartition(mark)
        if value and segment.count(mark) == index:
            written = editor(value, run)
            return head + mark + written if written else None if vital else head.rstrip(mark)
        fields = segment.split(mark, index + 1)
        fields[index] = editor(fields[index], run)
        if vital and not fields[index]:
            return None
        while not fields[-1]:
            fields.pop()
        return mark.join(fields)

    return edit


def padded(edit: SegmentEditor) -> SegmentEditor:
    """Give a short header room for its control id."""

    def edit_padded(segment: bytes, run: Run) -> bytes | None:
        missing = CONTROL_ID_INDEX - segment.count(run.wire.field)
        return edit(segment + run.wire.field * missing, run)

    return edit_padded


_Places = dict[int, dict[int, dict[int, tuple[Ruling, str]]]]


def field_editor(found: Field, rulings: Mapping[Leaf, Ruling]) -> Editor | None:
    """Make the editor of one field; None where it is emptied."""
    if all(rulings[leaf] is REMOVE for leaf in found.leaves):
        return None
    first = found.leaves[0]
    ruling = rulings[first]
    if first[:3] == (ALL, ALL, ALL) and callable(ruling):
        return _whole(ruling, first.cls)
    places: _Places = {}
    for leaf in found.leaves:
        if rulings[leaf] is not KEEP:
            inner = places.setdefault(leaf.repetition, {}).setdefault(leaf.component, {})
            inner[leaf.subcomponent] = rulings[leaf], leaf.cls
    return _parts(places)


def _whole(transform: Transform, cls: str) -> Editor:
    if isinstance(transform, Quick):
        return _quick(transform, cls)
    if isinstance(transform, Attachments):
        return lambda value, run: documents(transform, value, cls, run)

    def edit(value: bytes, run: Run) -> bytes:
        return run.apply(transform, value, cls)

    return edit


def _quick(transform: Quick, cls: str) -> Editor:
    short = transform.short

    def edit(value: bytes, run: Run) -> bytes:
        return short(value) or run.apply(transform, value, cls)

    return edit


def _parts(places: _Places) -> Editor:
    def edit(value: bytes, run: Run) -> bytes:
        if ALL in places:
            return _repetition(value, places[ALL], run)
        repetitions = value.split(run.wire.repetition)
        for r, inner in places.items():
            repetitions[r] = _repetition(repetitions[r], inner, run)
        left = [repetition for repetition in repetitions if repetition]
        # What was several identifiers may now be one pseudonym several times; once is enough.
        return run.wire.repetition.join(dict.fromkeys(left) if transformed else left)

    transformed = any(
        callable(ruling)
        for inner in places.values()
        for deeper in inner.values()
        for ruling, _ in deeper.values()
    )
    return edit


def _repetition(value: bytes, inner: dict[int, dict[int, tuple[Ruling, str]]], run: Run) -> bytes:
    if ALL in inner:
        return _component(value, inner[ALL], run)
    components = value.split(run.wire.component)
    for c, deeper in inner.items():
        components[c] = _component(components[c], deeper, run)
    return _trimmed(components, run.wire.component)


def _component(value: bytes, inner: dict[int, tuple[Ruling, str]], run: Run) -> bytes:
    if ALL in inner:
        return _value(value, *inner[ALL], run)
    pieces = value.split(run.wire.subcomponent)
    for s, (ruling, cls) in inner.items():
        pieces[s] = _value(pieces[s], ruling, cls, run)
    return _trimmed(pieces, run.wire.subcomponent)


def _value(value: bytes, ruling: Ruling, cls: str, run: Run) -> bytes:
    return run.apply(ruling, value, cls) if callable(ruling) else b""


def _trimmed(pieces: list[bytes], separator: bytes) -> bytes:
    while pieces and not pieces[-1]:
        pieces.pop()
    return separator.join(pieces)
