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
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

import orjson

from oathward.core.errors import PolicyError
from oathward.core.labels import CLASSES
from oathward.deid.action import Seeds, actions
from oathward.deid.profile import Profile
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.hl7v2.rewrite import Rewriter, compile_rewriter
from oathward.protocols.shaping import KEEP, REMOVE, Ruling

__all__ = ["Plan", "SafeMessage", "Seeds", "compile_plan", "shape"]

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

    ``digest``: of everything it was made of. ``needs_seeds``: an action on a permitted class is keyed.
    """

    profile: str
    classes: frozenset[str]
    digest: bytes
    needs_seeds: bool
    rewriter: Rewriter = field(repr=False, compare=False)


def compile_plan(profile: Profile, classes: frozenset[str]) -> Plan:
    """Compile a profile for what is permitted.

    Args:
        profile: what may happen to each class.
        classes: the permitted ones; all others are removed.

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

    body = {
        "actions": profile.actions,
        "classes": sorted(classes),
        "parameters": profile.parameters,
        "profile": profile.name,
        "protocol": "hl7v2",
        "uncatalogued": profile.uncatalogued,
    }
    return Plan(
        profile.name,
        classes,
        hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest(),
        any(known[action].keyed for cls, action in profile.actions if cls in classes),
        compile_rewriter(decide, hold_uncatalogued=profile.uncatalogued == "hold"),
    )


def shape(message: Message, plan: Plan, seeds: Seeds) -> SafeMessage:
    """Write what may leave of one message.

    Args:
        message: as decoded.
        plan: of this link and decision.
        seeds: of this subject and project; empty secrets where ``plan.needs_seeds`` is false.

    Raises:
        DeidentificationError: it cannot be shaped as the plan asks; nothing of it may leave on this link.
    """
    done = plan.rewriter(message, seeds.outgoing_id, seeds)
    return SafeMessage(
        done.data, done.removed, done.kept, done.uncatalogued, done.changed, done.observations, _TOKEN
    )
