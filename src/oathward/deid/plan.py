"""Plans: a profile and the permitted classes, compiled; and ``shape``, which makes what may leave.

Rules:
- A class that is not permitted is removed, whatever the profile says; ``structure`` always stays.
- What nobody catalogued passes only where the profile says ``pass`` and the class is permitted; under ``hold``
  a message that has such a value raises, and nothing of it leaves on this link.
- Only ``shape`` makes a ``SafeMessage``: its constructor wants a token that nobody else has.
- A plan holds no secret and no value; it is good for every message and every patient of its link.

Deliberately absent: caching of plans (the caller has the digests), and sealing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any, NamedTuple

import orjson

from oathward.core.errors import PolicyError
from oathward.core.labels import CLASSES
from oathward.deid.action import Seeds, actions
from oathward.deid.profile import Profile
from oathward.deid.tags import tags_of
from oathward.deid.texts import Reading
from oathward.protocols.hl7v2 import rewrite as hl7v2
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.shaping import KEEP, REMOVE, Attachments, Decide, Rewritten, Ruling, Texts

__all__ = ["Plan", "SafeMessage", "Seeds", "compile_plan", "shape"]

Rewriter = Callable[[Any, str, Any], Rewritten]
"""(message, outgoing id, context for transforms) -> what may leave."""

_TOKEN = object()


@dataclass(frozen=True, slots=True)
class SafeMessage:
    """Bytes that may leave on one link, and what was done to them; made only by ``shape``.

    ``removed``, ``changed``: values by class. ``kept``: classes that are still there, changed or not.
    ``uncatalogued``: values nobody catalogued that came in. ``observations``: those removed whole.
    """

    data: bytes = field(repr=False)
    removed: Mapping[str, int]
    kept: frozenset[str]
    uncatalogued: int
    changed: Mapping[str, int]
    observations: int
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        if token is not _TOKEN:
            raise TypeError("only shape() makes a SafeMessage")

    def __reduce__(self) -> str:
        # A copy or a pickle would be made without the token.
        raise TypeError("only shape() makes a SafeMessage")


@dataclass(frozen=True, slots=True)
class Plan:
    """A profile for a set of permitted classes, ready for use.

    ``digest``: of everything it was made of. ``needs_seeds``: an action on a permitted class is keyed. ``texts``: how it is read
    what texts are cleaned with; None where none is cleaned.
    """

    profile: str
    classes: frozenset[str]
    digest: bytes
    needs_seeds: bool
    rewriter: Rewriter = field(repr=False, compare=False)
    texts: Reading | None = field(default=None, repr=False, compare=False)


class Route(NamedTuple):
    """By which protocol a message came, and by which it leaves: ``hl7v2`` or ``fhir``.

    Args:
        mentioned: what becomes of a resource that the message only names: ``create`` or ``update``.
    """

    came: str
    leaves: str
    mentioned: str = "create"


HL7V2 = Route("hl7v2", "hl7v2")


def compile_plan(profile: Profile, classes: frozenset[str], route: Route = HL7V2) -> Plan:
    """Compile a profile for what is permitted.

    Args:
        profile: what may happen to each class.
        classes: the permitted ones; all others are removed.

    Raises:
        PolicyError: a class that does not exist.
    """
    decide = deciding(profile, classes)
    body = {
        "actions": profile.actions,
        "classes": sorted(classes),
        "parameters": profile.parameters,
        "profile": profile.name,
        # What is only mentioned may be written or created: that is how it is delivered, not what may leave.
        "protocol": route.came if route.came == route.leaves else f"{route.came}>{route.leaves}",
        "uncatalogued": profile.uncatalogued,
    }
    return Plan(
        profile.name,
        classes,
        hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest(),
        any(actions()[action].keyed for cls, action in profile.actions if cls in classes),
        _rewriter(
            route, decide, hold_uncatalogued=profile.uncatalogued == "hold", tags=tags_of(profile, classes)
        ),
        _reading(route, decide),
    )


def deciding(profile: Profile, classes: frozenset[str]) -> Decide:
    """Give what a profile rules for each class and part, where the class is permitted.

    Raises:
        PolicyError: a class that does not exist.
    """
    unknown = classes - CLASSES
    if unknown:
        raise PolicyError("classes", f"no such class: {', '.join(sorted(unknown))}")
    names = dict(profile.actions)
    known = actions()

    def decide(cls: str, part: str) -> Ruling:
        if cls not in classes:
            return REMOVE
        if cls == "uncatalogued":
            return KEEP if profile.uncatalogued == "pass" else REMOVE
        action = names.get(cls, "remove")
        return known[action].rule(cls, part, profile.parameters_of(action))

    return decide


def _reading(route: Route, decide: Decide) -> Reading | None:
    """Say how what texts are cleaned with is read, where a permitted class is cleaned."""
    if not any(isinstance(decide(cls, ""), Texts | Attachments) for cls in ("note.text", "attachment")):
        return None
    if route.came == "fhir":
        from oathward.protocols.fhir import told as fhir

        return Reading(decide, fhir.known_of, lambda _message: ())
    from oathward.protocols.hl7v2 import told

    return Reading(decide, told.known_of, told.texts_of)


def _rewriter(
    route: Route, decide: Decide, *, hold_uncatalogued: bool, tags: frozenset[str] | None
) -> Rewriter:
    """Choose who writes; HL7 v2 is written first, and what may leave of it is then mapped."""
    if route == HL7V2:
        return hl7v2.compile_rewriter(decide, hold_uncatalogued=hold_uncatalogued)
    if route.leaves != "fhir":
        raise PolicyError("format", f"{route.came} is not written as {route.leaves}")
    if route.came == "fhir":
        from oathward.protocols.fhir import rewrite as fhir

        return fhir.compile_rewriter(decide, hold_uncatalogued=hold_uncatalogued, tags=tags)
    from oathward.protocols.fhir.known import Naming
    from oathward.protocols.fhir.labels import REDACTED
    from oathward.protocols.v2fhir import to_fhir

    write = hl7v2.compile_rewriter(decide, hold_uncatalogued=hold_uncatalogued)
    creates = route.mentioned == "create"

    def written_and_mapped(message: Any, outgoing_id: str, context: Seeds) -> Rewritten:
        done = write(message, outgoing_id, context)
        naming = Naming(context.source, raw=context.identity)
        altered = () if tags is None else (*tags, *((REDACTED,) if done.removed else ()))
        return done._replace(
            data=to_fhir(decode(done.data), outgoing_id, naming, creates=creates, altered=altered)
        )

    return written_and_mapped


def shape(message: Any, plan: Plan, seeds: Seeds) -> SafeMessage:
    """Write what may leave of one message.

    Args:
        message: as decoded.
        plan: of this link and decision.
        seeds: of this subject and project; empty secrets where ``plan.needs_seeds`` is false.

    Raises:
        DeidentificationError: it cannot be shaped as the plan asks; nothing of it may leave on this link.
    """
    if plan.texts is not None:
        seeds = plan.texts.seeds(message, seeds)
    done = plan.rewriter(message, seeds.outgoing_id, seeds)
    return SafeMessage(
        done.data, done.removed, done.kept, done.uncatalogued, done.changed, done.observations, _TOKEN
    )
