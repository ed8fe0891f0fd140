"""Write the part of a message that may leave.

Rules:
- What is kept is copied as bytes; only fields with something to remove or to change are taken apart.
- An observation is one thing: if a part that carries its meaning (``MEANING``: type, code, sub-id, value, unit,
  status, time) would be removed, the OBX goes whole, with the NTE and PRT that follow it.
- Removing leaves a field empty; trailing separators and emptied repetitions go, and so does a segment of which
  nothing but ``structure`` is left, except those that a message is not valid without (``REQUIRED``).
- A new value is written with the message's own separators and escapes: no value makes a component, field,
  repetition or segment, and no segment is ever added.
- MSH-10 is always the outgoing id. ``structure`` always stays: without it nothing is a message.
- HL7's explicit null (two quotation marks) is removed or kept, never transformed: it has no value.

Deliberately absent: profiles, keys, and any knowledge of what an action is for.

Source: HL7 v2.8.2 §2.5.3, §2.7, §7.4.2. Observations are atomic groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.edits import SegmentEditor, control_id, field_editor, padded, segment_editor
from oathward.protocols.hl7v2.elements import TEXT
from oathward.protocols.hl7v2.escapes import escape_bytes
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.hl7v2.shapes import ALL, Field, Leaf, Shape, generation, shapes
from oathward.protocols.hl7v2.wire import CONTROL_ID_INDEX, Run, wire_of
from oathward.protocols.shaping import KEEP, REMOVE, Decide, Rewritten, Ruling

MEANING = frozenset((2, 3, 4, 5, 6, 11, 14))
"""Fields of OBX without which it says something else, or nothing."""

CHILDREN = frozenset(("NTE", "PRT"))
"""Segments that belong to the OBX before them."""

REQUIRED = frozenset(("MSH", "MSA", "EVN", "ORC", "OBR", "TXA", "QPD", "QAK"))
REMEMBERED_MAX = 2_000
"""Kinds of messages, and of segments, that one rewriter remembers."""

SEGMENTS_REMEMBERED_MAX = 300
"""A longer message is not remembered: each is another."""


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """What happens to segments of one shape: dropped, edited or (``edit`` is None) copied.

    ``broken``: dropped because an observation would have lost its meaning. ``total``: all values, by class.
    """

    dropped: bool
    broken: bool
    edit: SegmentEditor | None
    removed: Counter[str]
    changed: Counter[str]
    kept: frozenset[str]
    total: Counter[str]


@dataclass(frozen=True, slots=True)
class _Assembly:
    """What happens to messages of one sequence of shapes."""

    pick: Callable[[list[bytes]], Iterable[bytes]]
    edits: tuple[tuple[int, SegmentEditor], ...]
    followers: Mapping[int, tuple[int, ...]]
    """Position of an OBX -> positions of its NTE and PRT, in what is picked."""
    steps: tuple[_Step, ...]
    removed: Mapping[str, int]
    changed: Mapping[str, int]
    kept: frozenset[str]
    uncatalogued: tuple[str, ...]
    observations: int


class Rewriter:
    """A compiled set of rulings; made by ``compile_rewriter``, good for any number of messages."""

    def __init__(self, decide: Decide, *, hold_uncatalogued: bool) -> None:
        self._decide = decide
        self._hold = hold_uncatalogued
        self._steps: dict[Shape, _Step] = {}
        self._assemblies: dict[tuple[Shape, ...], _Assembly] = {}
        self._generation = generation()

    def __call__(self, message: Message, outgoing_id: str, context: object) -> Rewritten:
        """Write what may leave of one message.

        Args:
            message: as decoded.
            outgoing_id: becomes MSH-10.
            context: handed to the transforms as it is.

        Raises:
            DeidentificationError: UNCATALOGUED, where such values are to be held; names the first place.
        """
        found = shapes(message)
        assembly = self._assemblies.get(found) or self._assembled(found)
        if self._hold and assembly.uncatalogued:
            raise DeidentificationError(
                assembly.uncatalogued[0], "an element of the catalogue", reason=Reason.UNCATALOGUED
            )
        wire = wire_of(message.separators, message.charset)
        run = Run(wire, context, escape_bytes(outgoing_id.encode("ascii", "replace"), wire.separators))
        out = list(assembly.pick(message.segments))
        gone: list[int] = []
        for position, edit in assembly.edits:
            edited = edit(out[position], run)
            if edited is None:
                gone.append(position)
            else:
                out[position] = edited
        if gone or run.lost:
            return _with_losses(assembly, out, gone, run.lost)
        return Rewritten(
            b"\r".join((*out, b"")),
            assembly.removed,
            assembly.changed,
            assembly.kept,
            len(assembly.uncatalogued),
            assembly.observations,
        )

    def _assembled(self, found: tuple[Shape, ...]) -> _Assembly:
        """Decide what happens to each segment, observations first."""
        if self._generation != generation():
            self._steps.clear()
            self._assemblies.clear()
            self._generation = generation()
        steps: list[_Step] = []
        owners: list[int] = []
        broken, owner = False, ALL
        for i, shape in enumerate(found):
            step = self._step(shape)
            if shape.name in CHILDREN:
                steps.append(_dropped(step) if broken and not step.dropped else step)
            else:
                broken, owner = step.broken, i if shape.name == "OBX" else ALL
                steps.append(step)
            owners.append(owner if shape.name in CHILDREN else ALL)
        keep = [i for i, step in enumerate(steps) if not step.dropped]
        places = {i: position for position, i in enumerate(keep)}
        followers: dict[int, list[int]] = {}
        for i in keep:
            if owners[i] in places:
                followers.setdefault(places[owners[i]], []).append(places[i])
        removed: Counter[str] = Counter()
        changed: Counter[str] = Counter()
        for step in steps:
            removed.update(step.removed)
            changed.update(step.changed)
        assembly = _Assembly(
            pick=_picker(keep, len(found)),
            edits=tuple((places[i], edit) for i in keep if (edit := steps[i].edit) is not None),
            followers={position: tuple(own) for position, own in followers.items()},
            steps=tuple(steps[i] for i in keep),
            removed=dict(removed),
            changed=dict(changed),
            kept=frozenset().union(*(step.kept for step in steps)),
            uncatalogued=tuple(place for shape in found for place in shape.uncatalogued),
            observations=sum(step.broken for step in steps),
        )
        if len(self._assemblies) > REMEMBERED_MAX:
            self._assemblies.clear()
        if len(found) <= SEGMENTS_REMEMBERED_MAX and all(shape.lasting for shape in found):
            self._assemblies[found] = assembly
        return assembly

    def _step(self, shape: Shape) -> _Step:
        known = self._steps.get(shape)
        if known is None:
            known = _compiled(shape, self._ruling)
            if len(self._steps) > REMEMBERED_MAX:
                self._steps.clear()
            if shape.lasting:
                self._steps[shape] = known
        return known

    def _ruling(self, leaf: Leaf) -> Ruling:
        return KEEP if leaf.cls == "structure" else self._decide(leaf.cls, leaf.part)


def compile_rewriter(decide: Decide, *, hold_uncatalogued: bool = False) -> Rewriter:
    """Prepare rulings by class and part for use on messages.

    Args:
        decide: asked once for each class and part that turns up in a shape.
        hold_uncatalogued: refuse messages that hold a value nobody catalogued.
    """
    return Rewriter(decide, hold_uncatalogued=hold_uncatalogued)


# --- compiling one shape


def _compiled(shape: Shape, ruling_of: Callable[[Leaf], Ruling]) -> _Step:
    fields = [found for found in shape.fields if shape.name != "MSH" or found.at != CONTROL_ID_INDEX]
    leaves = [leaf for found in fields for leaf in found.leaves]
    rulings = {leaf: ruling_of(leaf) for leaf in leaves}
    total = Counter(leaf.cls for leaf in leaves)
    removed = Counter(leaf.cls for leaf in leaves if rulings[leaf] is REMOVE)
    broken = any(_loses_meaning(found, rulings) for found in fields if found.n in MEANING)
    empty = bool(removed) and shape.name not in REQUIRED and _is_empty(shape, rulings)
    observation = shape.name == "OBX"
    if empty or (observation and broken):
        return _Step(True, observation, None, total, Counter(), frozenset(), total)
    edits = {found.at: field_editor(found, rulings) for found in fields if _touched(found, rulings)}
    changed = Counter(leaf.cls for leaf in leaves if callable(rulings[leaf]))
    kept = {leaf.cls for leaf, ruling in rulings.items() if ruling is not REMOVE}
    if shape.name == "MSH":
        edits[CONTROL_ID_INDEX] = control_id
        changed["message.control"] += 1
        kept.add("message.control")
    left = [found.at for found in fields if edits.get(found.at, control_id)]
    last = max((*left, *(index for index, editor in edits.items() if editor)), default=0)
    cut = last + 1 if any(index > last for index in edits) else 0
    listed = tuple((index, edits[index]) for index in sorted(edits) if index <= last)
    edit = segment_editor(listed, cut, _vital(shape, fields, rulings)) if edits else None
    if edit is not None and shape.name == "MSH":
        edit = padded(edit)
    return _Step(False, False, edit, removed, changed, frozenset(kept), total)


def _vital(shape: Shape, fields: list[Field], rulings: Mapping[Leaf, Ruling]) -> tuple[int, ...]:
    """List the fields of an observation that must not become empty by a transform."""
    return tuple(
        found.at
        for found in fields
        if shape.name == "OBX"
        and found.n in MEANING
        and any(callable(rulings[leaf]) for leaf in found.leaves)
    )


def _dropped(step: _Step) -> _Step:
    return _Step(True, False, None, step.total, Counter(), frozenset(), step.total)


def _touched(found: Field, rulings: Mapping[Leaf, Ruling]) -> bool:
    return any(rulings[leaf] is not KEEP for leaf in found.leaves)


def _loses_meaning(found: Field, rulings: Mapping[Leaf, Ruling]) -> bool:
    """Say whether a repetition would lose more than display text that stands beside a code."""
    repetitions: dict[int, list[Leaf]] = {}
    for leaf in found.leaves:
        repetitions.setdefault(leaf.repetition, []).append(leaf)
    for leaves in repetitions.values():
        removed = [leaf for leaf in leaves if rulings[leaf] is REMOVE]
        left = [leaf for leaf in leaves if not leaf.part and rulings[leaf] is not REMOVE]
        if removed and (not left or any(leaf.part != TEXT for leaf in removed)):
            return True
    return False


def _is_empty(shape: Shape, rulings: Mapping[Leaf, Ruling]) -> bool:
    """Say whether nothing that says anything would be left."""
    return all(
        leaf.cls == "structure" or rulings[leaf] is REMOVE for found in shape.fields for leaf in found.leaves
    )


# --- putting together


def _picker(keep: list[int], total: int) -> Callable[[list[bytes]], Iterable[bytes]]:
    if len(keep) == total:
        return list
    if len(keep) == 1:
        return lambda segments: [segments[keep[0]]]
    return itemgetter(*keep)


def _with_losses(assembly: _Assembly, out: list[bytes], gone: list[int], lost: list[str]) -> Rewritten:
    """Count what transforms gave up, and leave out observations that lost their meaning by it."""
    removed, changed = Counter(assembly.removed), Counter(assembly.changed)
    for cls in lost:
        removed[cls] += 1
        changed[cls] -= 1
    dropped = set(gone)
    for position in gone:
        dropped.update(assembly.followers.get(position, ()))
    for position in dropped:
        step = assembly.steps[position]
        removed.update(step.total - step.removed)
    data = b"\r".join((*(segment for i, segment in enumerate(out) if i not in dropped), b""))
    return Rewritten(
        data,
        dict(removed),
        {cls: n for cls, n in changed.items() if n > 0},
        assembly.kept,
        len(assembly.uncatalogued),
        assembly.observations + len(gone),
    )
