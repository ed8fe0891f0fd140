"""One resource as a whole: what is left of it, and of the resources it contains.

Rules:
- It goes whole when a part went without which it says something else (``overrides.LOST``).
- A contained resource stays where something is left of it and the resource, or another one in it, still refers to
  it. Its id means nothing outside; it is a new one unless ids of its type are kept.

Deliberately absent: ids of entries and references between them (``links``).

Source: FHIR R4 §2.4 (contained resources; dom-3).
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from oathward.protocols.fhir.edits import Run
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.overrides import CONTROL
from oathward.protocols.fhir.steps import Compiler
from oathward.protocols.shaping import KEEP

PASSES_MAX = 8
"""How often contained resources are shaped again because one that they referred to went."""

HOLLOW = frozenset(("structure", "message.time", "message.party", CONTROL))
"""Classes that are no content: a resource of which nothing else is left says nothing."""


class Shaped(NamedTuple):
    """What became of a resource.

    Args:
        made: what is left, without its id; None where it goes whole.
        run: what was counted.
        content: whether what is left says something.
        untouched: whether nothing was removed; it may have said nothing when it came.
    """

    made: Resource | None
    run: Run
    content: bool
    untouched: bool


def shape(compiler: Compiler, resource: Resource, kind: str, names: Run) -> Shaped:
    """Give what is left of a resource.

    Args:
        compiler: of the plan.
        names: a run that has the names of all entries.
    """
    if "contained" in resource:
        return _with_contained(compiler, resource, kind, names)
    return _alone(compiler, resource, kind, names.inner())


def _alone(compiler: Compiler, resource: Resource, kind: str, run: Run) -> Shaped:
    made = compiler.resource(kind)(resource, run)
    if made is None or run.broken:
        run.undo((0, 0, 0))
        run.observations += kind == "Observation"
        return Shaped(None, run, content=False, untouched=False)
    content = not (HOLLOW.issuperset(run.kept) and HOLLOW.issuperset(run.changed))
    return Shaped(made, run, content, untouched=not run.removed)


def _with_contained(compiler: Compiler, resource: Resource, kind: str, names: Run) -> Shaped:
    listed: dict[str, Resource] = {item.get("id", ""): item for item in resource["contained"]}
    ids = {
        old: old if compiler.id_ruling(item["resourceType"]) is KEEP else f"c{i}"
        for i, (old, item) in enumerate(listed.items())
    }
    staying = set(ids)
    for passed in count(1):
        run = names.inner()
        run.local = {"": "#", **{old: f"#{ids[old]}" for old in staying}}
        inner = {
            old: _alone(compiler, item, item["resourceType"], run.inner()) for old, item in listed.items()
        }
        saying = {old for old, one in inner.items() if one.content or one.untouched}
        if (
            not staying <= saying
        ):  # nothing may refer to the rest: that is known before the whole, which is much larger
            staying &= saying if passed < PASSES_MAX else set()
            continue
        run.contained = [
            {"resourceType": listed[old]["resourceType"], "id": ids[old]} | (inner[old].made or {})
            for old in ids
            if old in staying
        ]
        whole = _alone(compiler, resource, kind, run)
        left = _reached(run.used, inner) & saying
        if left >= staying or whole.made is None:
            break
        # Who writes a chain of references could have us look once for each: after a few times all of them go.
        staying &= left if passed < PASSES_MAX else set()
    for old, one in inner.items():
        if old in staying and whole.made is not None:
            run.add(one.run)
        else:
            run.lose(one.run)
    content = whole.content or any(one.content for old, one in inner.items() if old in staying)
    return Shaped(whole.made, run, content and whole.made is not None, untouched=not run.removed)


def _reached(used: set[str], inner: dict[str, Shaped]) -> set[str]:
    """Give the ids of contained resources that something refers to, or that refer to what contains them."""
    found = {old for old in used if old in inner} | {old for old, one in inner.items() if "" in one.run.used}
    waiting = list(found)
    while waiting:
        for old in inner[waiting.pop()].run.used:
            if old in inner and old not in found:
                found.add(old)
                waiting.append(old)
    return found
