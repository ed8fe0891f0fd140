"""Write the part of a message that may leave: one resource, or a transaction of PUTs.

Rules:
- What stays is listed by class; unlisted is gone. What is kept whole is not copied.
- An observation is one thing: if a part that carries its meaning would be removed, it goes whole; a component too.
  Which elements those are, of observations and of other types, says ``tables/reviewed.tsv``.
- What is left is valid R4: where an element is asked for, an extension says that it was masked.
- A resource of which only structure is left goes, but for one that others refer to by a name that may leave.
- What leaves is idempotent: each entry is a PUT under an id that is fixed for this message and link.
- How a message of a known shape (``shapes``) is written is remembered, where that does not depend on its values.
- What was created before by the same condition keeps the id it got then, and is not sent where it is already.
- Where nothing may be changed, everything is kept as it came but for names that the message made up for itself.

Deliberately absent: profiles, keys, and any knowledge of what an action is for.

Source: FHIR R4 §3.1.0.11 (transactions), §2.3.0 (references).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from oathward.core.errors import DeidentificationError
from oathward.core.labels import CLASSES
from oathward.protocols.fhir import catalogue, links
from oathward.protocols.fhir.edits import Run
from oathward.protocols.fhir.elements import REST, TEXT
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.labels import REDACTED, labelled
from oathward.protocols.fhir.message import Entry, Message, Resource, Retold
from oathward.protocols.fhir.overrides import CONTROL, id_class
from oathward.protocols.fhir.resources import Shaped, shape
from oathward.protocols.fhir.shapes import Recognised
from oathward.protocols.fhir.steps import Compiler
from oathward.protocols.fhir.tables import compartment
from oathward.protocols.fhir.templates import OUTGOING, Recorder, UnmarkedError, Writing
from oathward.protocols.shaping import KEEP, REMOVE, Decide, Rewritten

PARTS = ("", REST, TEXT, "street", "city", "state", "postcode", "country")

COUNTED_MAX = 100
WRITINGS_MAX = 2_048
PASSES_MAX = 8
"""How often the entries of one message are shaped again because something they referred to went."""

_NONE: frozenset[int] = frozenset()

EMPTY = b'{"resourceType":"Bundle","type":"transaction"}'
"""What is written of a message of which nothing is left."""

_NEW: Final[Any] = object()


class Rewriter:
    """A compiled set of rulings; made by ``compile_rewriter``, good for any number of messages."""

    def __init__(
        self, decide: Decide, *, hold_uncatalogued: bool, tags: frozenset[str] | None = None
    ) -> None:
        self._tags = tags
        self._compiler = Compiler(decide, hold=hold_uncatalogued)
        rulings = (decide(cls, part) for cls in CLASSES - {"structure"} for part in PARTS)
        self._unchanged = not hold_uncatalogued and all(ruling is KEEP for ruling in rulings)
        self._writings: dict[tuple[int, bool, bool], tuple[Writing, tuple[Any, ...]] | None] = {}

    def __call__(self, message: Message, outgoing_id: str, context: object) -> Rewritten:
        """Write what may leave of one message.

        Args:
            message: as decoded.
            outgoing_id: of the outgoing message; ids made for it begin with this, in lower case.
            context: handed to the transforms as it is.

        Raises:
            DeidentificationError: UNCATALOGUED, where such values are to be held; names the first place.
        """
        if not isinstance(message, Recognised):
            return self._write(message, outgoing_id, Run(context))
        key = message.shape.serial, bool(links.source_of(context)), links.shares_ids(context)
        known: tuple[Writing, tuple[Any, ...]] | None = self._writings.get(key, _NEW)
        if known is _NEW:
            return self._learn(message, outgoing_id, context, key)
        data = None if known is None else known[0].fill(message.values, outgoing_id, context)
        if known is None or data is None:
            return self._write(message, outgoing_id, Run(context))
        return Rewritten(data, *known[1])

    def _learn(
        self, message: Recognised, outgoing_id: str, context: object, key: tuple[int, bool, bool]
    ) -> Rewritten:
        """Write a message of a shape that is new here; how, is remembered if it is so for all of the shape."""
        done = self._write(message, outgoing_id, Run(context))
        recorder = Recorder(message.shape.tails, message.values, context)
        known = None
        try:
            marked = self._write(message.shape.marked, OUTGOING, Run(context, recorder))
            writing = Writing(marked.data, recorder)
            if marked._replace(data=writing.fill(message.values, outgoing_id, context) or b"") == done:
                known = writing, done[1:]
        except (UnmarkedError, DeidentificationError):
            pass
        if len(self._writings) >= WRITINGS_MAX:
            self._writings.clear()
        self._writings[key] = known
        return done

    def _write(self, message: Message, outgoing_id: str, names: Run) -> Rewritten:
        entries = message.entries
        ruling_of = self._compiler.id_ruling
        links.name_entries(names, entries, outgoing_id, ruling_of)
        there = _as_before(message, names, outgoing_id) if isinstance(message, Retold) else _NONE
        if self._unchanged:
            return _as_it_came(message, names, there)
        names.own = links.own_patient(entries) if callable(ruling_of("Patient")) else ""
        shaped = self._shaped(entries, names)
        for passed in count(1):
            staying = self._staying(entries, shaped, names)
            lost = {target for index in staying for target in shaped[index].run.referred} - staying
            if not lost:
                return self._written(entries, shaped, staying, names, there)
            # What stays refers to what goes: once more, and those references go too. Who writes a chain of
            # references could have us do so for each: after a few times what refers to them goes as well.
            going = lost if passed < PASSES_MAX else _with_referrers(lost, shaped)
            for target in going:
                names.outgoing[target] = ""
            for index, entry in enumerate(entries):
                if not going.isdisjoint(shaped[index].run.referred):
                    shaped[index] = shape(self._compiler, entry.resource, entry.type, names)
        raise AssertionError  # it ends above

    def _shaped(self, entries: Sequence[Entry], names: Run) -> list[Shaped]:
        """Shape every entry: people, places and things first, for where nothing is left of them nobody is to refer to them.

        It spares shaping again all that refers to them, which is most of a bundle.
        """
        if len(entries) == 1:
            return [shape(self._compiler, entries[0].resource, entries[0].type, names)]
        found: dict[int, Shaped] = {}
        telling = compartment()
        for told in (False, True):
            for index, entry in enumerate(entries):
                if (entry.type in telling and entry.type != "Patient") is told:
                    found[index] = one = shape(self._compiler, entry.resource, entry.type, names)
                    hollow = one.made is None or not (one.content or one.untouched)
                    if not told and hollow and (one.made is None or self._nameless(entry.type)):
                        names.outgoing[index] = ""
        return [found[index] for index in range(len(entries))]

    def _staying(self, entries: Sequence[Entry], shaped: Sequence[Shaped], names: Run) -> set[int]:
        """Say which entries leave: what says something, and what that refers to by a name that may leave."""
        named = {i for i, one in enumerate(shaped) if names.outgoing[i] and one.made is not None}
        staying = {
            i
            for i in named
            if shaped[i].content or (shaped[i].untouched and not self._nameless(entries[i].type))
        }
        waiting = list(staying) if len(entries) > 1 else []
        while waiting:
            for target in shaped[waiting.pop()].run.referred:
                if target in named and target not in staying and not self._nameless(entries[target].type):
                    staying.add(target)
                    waiting.append(target)
        return staying

    def _nameless(self, kind: str) -> bool:
        """Say whether a name of this type would be all that is left of something that may have none."""
        return id_class(kind) != CONTROL and self._compiler.id_ruling(kind) is REMOVE

    def _written(
        self,
        entries: Sequence[Entry],
        shaped: Sequence[Shaped],
        staying: set[int],
        names: Run,
        there: frozenset[int],
    ) -> Rewritten:
        # One alone counts for itself.
        total = shaped[0].run if len(shaped) == len(staying) == 1 else Run(None)
        resources = []
        for index, one in enumerate(shaped):
            entry = entries[index]
            if index not in staying or one.made is None:
                total.lose(one.run)
                total.removed += [id_class(entry.type)] * bool(entry.id)
                continue
            if index in there:
                continue
            made = _with_id(one.made, names.outgoing[index])
            if self._tags is not None:
                made = labelled(made, (*self._tags, *((REDACTED,) if one.run.removed else ())))
            if total is not one.run:
                total.add(one.run)
            _count_name(entry, names.outgoing[index], total, kept=not self._nameless(entry.type))
            resources.append(made)
        return Rewritten(
            _output(resources),
            _counted(total.removed),
            _counted(total.changed + total.links),
            frozenset(total.kept).union(total.changed, total.told),
            total.uncatalogued,
            total.observations,
        )


def _with_referrers(lost: set[int], shaped: Sequence[Shaped]) -> set[int]:
    """Give some entries and all that refer to them, or to those."""
    referrers: dict[int, list[int]] = {}
    for index, one in enumerate(shaped):
        for target in one.run.referred:
            referrers.setdefault(target, []).append(index)
    found, waiting = set(lost), list(lost)
    while waiting:
        for index in referrers.get(waiting.pop(), ()):
            if index not in found:
                found.add(index)
                waiting.append(index)
    return found


def _counted(told: list[str]) -> dict[str, int]:
    """Count classes; quicker than ``Counter`` for the few that a reading has."""
    if len(told) > COUNTED_MAX:
        return dict(Counter(told))
    return {cls: told.count(cls) for cls in set(told)}


def _count_name(entry: Entry, name: str, total: Run, *, kept: bool) -> None:
    """Count what became of the id of an entry that stays."""
    cls = id_class(entry.type) if kept else CONTROL
    total.told.add(cls)
    if name != f"{entry.type}/{entry.id}":
        total.changed.append(cls)
    if entry.id and not kept:
        total.removed.append(id_class(entry.type))


def _with_id(resource: Resource, name: str) -> Resource:
    kind, _, ident = name.partition("/")
    return {"resourceType": kind, "id": ident} | resource | {"id": ident}


def _output(resources: Sequence[Resource]) -> bytes:
    """Write one resource, or a transaction."""
    if len(resources) == 1:
        return dumps(resources[0])
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    body: Resource = {"resourceType": "Bundle", "type": "transaction"}
    return dumps(body | {"entry": entries} if entries else body)


def _as_before(message: Retold, names: Run, outgoing_id: str) -> frozenset[int]:
    """Call what was created before as it was called then; gives the places in ``entries`` that do not leave again."""
    for i, entry in enumerate(message.entries):
        called = message.called.get(entry.index)
        if called == "" or (
            called and names.outgoing[i] == f"{entry.type}/{outgoing_id.lower()}-{entry.index}"
        ):
            names.outgoing[i] = called and f"{entry.type}/{called}"
    return frozenset(i for i, entry in enumerate(message.entries) if entry.index in message.there)


def _as_it_came(message: Message, names: Run, there: frozenset[int]) -> Rewritten:
    """Write everything, under names that leave."""
    reading = catalogue.read(message)
    changed = links.renamed(names)
    resources = []
    for i, (entry, name) in enumerate(zip(message.entries, names.outgoing, strict=True)):
        if not name or i in there:
            continue
        resource = entry.resource
        if changed:
            resource = {key: links.relinked(value, changed, names) for key, value in resource.items()}
        resources.append(_with_id(resource, name))
    made = sum(
        name != f"{entry.type}/{entry.id}"
        for entry, name in zip(message.entries, names.outgoing, strict=True)
    )
    data = _output(resources)
    return Rewritten(
        data if changed else links.referred_anew(data, names),
        {},
        {CONTROL: made} if made else {},
        reading.classes | {CONTROL},
        reading.uncatalogued,
        0,
    )


def compile_rewriter(
    decide: Decide, *, hold_uncatalogued: bool = False, tags: frozenset[str] | None = None
) -> Rewriter:
    """Prepare rulings by class and part for use on messages.

    Args:
        decide: asked once for each class and part that turns up.
        hold_uncatalogued: refuse messages that hold a value nobody catalogued.
        tags: labels of what is done to everything; with these, even none, each resource says too whether something of it
            was removed. None: nothing is said.
    """
    return Rewriter(decide, hold_uncatalogued=hold_uncatalogued, tags=tags)
