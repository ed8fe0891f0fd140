"""What a change of policy must bring along before it may be approved, and what an emergency may do without it.

| what changes | what it needs |
|---|---|
| a link to another legal person is new, or goes elsewhere, for another purpose, or gives more | an agreement that covers it |
| a link is new, or goes elsewhere or for another purpose | an assessment of the link; owner and steward |
| a recipient is new | an assessment of the recipient; owner and steward |
| a purpose that no link had | an assessment of the purpose |
| a model of device comes newly to a link | an assessment of the model |

Rules:
- What there is comes in as plain facts; what is missing is told in words, all of it at once.
- An emergency may narrow any link, and widen care links inside this site only, as they were and as they will be; it changes no
  policy about people.
- Policies about people it leaves as they are: forbidding everybody everything would narrow too, and nobody could undo it.
- A widening that concerns no link, or every one of them unsure, is no emergency's.

Deliberately absent: the register itself (``governance``), and judging an assessment (its approver did).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from oathward.policy.bundle import Bundle
from oathward.policy.difference import Change
from oathward.policy.difference_words import purpose_words
from oathward.policy.model import KEEP, Link

NeedKind = Literal["agreement", "assessment", "owner", "steward"]

_ELSEWHERE = ("link.added", "link.recipient", "link.purpose")
_GIVES_MORE = (
    "link.gets",
    "link.form",
    "link.classes",
    "link.sources.",
    "link.carries_identity",
    "link.project",
)
_OTHER_PARTY = ("recipient.party", "recipient.external")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One thing that must be there. ``thing`` and ``id``: of what: ``link``, ``recipient``, ``purpose``, ``device-model``."""

    kind: NeedKind
    thing: str
    id: str


@dataclass(frozen=True, slots=True)
class Held:
    """What meets a need. ``name``: as people find it; ``digest``: SHA-256 (hex) of its canonical form."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """A need and what became of it. ``words``: what it is, and where it is missing why."""

    need: Need
    held: Held | None
    words: str

    @property
    def met(self) -> bool:
        """Whether it is there."""
        return self.held is not None


def needed(
    changes: Iterable[Change],
    before: Bundle | None,
    after: Bundle,
    models: Mapping[str, Iterable[str]] | None = None,
) -> tuple[Need, ...]:
    """List what a change needs, in order.

    Args:
        models: link → models of devices (``Acme|Vista 3``) that come to it newly.
    """
    found: set[Need] = set()
    for change in changes:
        found |= set(_of(change, after))
    had = {link.purpose for link in before.links.values()} if before else set()
    found |= {
        Need("assessment", "purpose", str(p)) for p in {one.purpose for one in after.links.values()} - had
    }
    found |= {Need("assessment", "device-model", one) for new in (models or {}).values() for one in new}
    return tuple(sorted(found))


def _of(change: Change, after: Bundle) -> Iterator[Need]:
    links = [after.links[name] for name in change.links if name in after.links]
    if change.kind in _ELSEWHERE:
        for link in links:
            yield from (Need(kind, "link", link.id) for kind in ("assessment", "owner", "steward"))
    if change.kind == "recipient.added":
        yield from (Need(kind, "recipient", change.about) for kind in ("assessment", "owner", "steward"))
    more = change.direction == "widen" and change.kind.startswith(_GIVES_MORE)
    if more or change.kind in _ELSEWHERE + _OTHER_PARTY or change.kind == "link.agreement":
        yield from (Need("agreement", "link", link.id) for link in links if _external(link, after))


def _external(link: Link, bundle: Bundle) -> bool:
    return link.recipient != KEEP and bundle.recipients[link.recipient].external


def answered(
    needs: Iterable[Need], held: Mapping[Need, Held], lacks: Mapping[Need, Iterable[str]]
) -> tuple[Requirement, ...]:
    """Put what there is beside what is needed.

    Args:
        lacks: why what there is does not do, in words.
    """
    return tuple(_answer(need, held.get(need), tuple(lacks.get(need, ()))) for need in needs)


def _answer(need: Need, held: Held | None, lacks: tuple[str, ...]) -> Requirement:
    what = f"{_WHAT[need.kind]} of {_thing(need)}"
    if held is not None:
        return Requirement(need, held, f"{what}: {held.name}")
    why = "; ".join(lacks) or "none is in the register"
    return Requirement(need, None, f"{what} is missing: {why}. {_REMEDY[need.kind]}")


_WHAT: Mapping[NeedKind, str] = {
    "agreement": "An agreement that covers purpose, destination and classes",
    "assessment": "A privacy and security assessment",
    "owner": "An owner",
    "steward": "A steward",
}
_REMEDY: Mapping[NeedKind, str] = {
    "agreement": "Enter it under Governance, name it in the link's `agreement`.",
    "assessment": "Have one written and approved under Governance.",
    "owner": "Name one under Governance.",
    "steward": "Name one under Governance.",
}


def _thing(need: Need) -> str:
    if need.thing == "purpose":
        return f"purpose {need.id}"
    return f"{need.thing.replace('-', ' ')} {need.id}"


def missing(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Keep those that are not met: they block an approval."""
    return tuple(one for one in requirements if not one.met)


def emergency_refusals(changes: Iterable[Change], before: Bundle | None, after: Bundle) -> tuple[str, ...]:
    """Say in words what an emergency may not do; nothing where it may do all of it."""
    found: list[str] = []
    for change in changes:
        if change.kind.startswith("people."):
            found.append(f"It changes what people may do: {change.words}")
            continue
        if change.direction != "widen":
            continue
        if change.kind == "project.released_by":
            found.append(f"It lets more people run jobs of de-identification: {change.words}")
            continue
        outside = [name for name in change.links if not _inside(name, before, after)]
        if not change.links:
            found.append(f"It widens what no link can be named for: {change.words}")
        elif outside:
            found.append(
                f"It widens what is no care inside this site ({_reasons(outside, before, after)}): {change.words}"
            )
    return tuple(dict.fromkeys(found))


def _inside(name: str, before: Bundle | None, after: Bundle) -> bool:
    """Whether a link is for care and stays in the house, before (where it was) and after."""
    return not _why_outside(name, before, after)


def _why_outside(name: str, before: Bundle | None, after: Bundle) -> str:
    for bundle in (before, after):
        link = bundle.links.get(name) if bundle else None
        if bundle is None or link is None:
            continue
        recipient = bundle.recipients[link.recipient]
        if not link.for_care:
            return f"{name} is for {purpose_words(link.purpose)}"
        if recipient.external:
            return f"{name} goes to another legal person"
        if link.recipient != KEEP and bundle.protection.zones.get(recipient.zone) != "internal":
            return f"{name} leaves the house"
    return "" if name in after.links else f"{name} is no link"


def _reasons(names: Iterable[str], before: Bundle | None, after: Bundle) -> str:
    return "; ".join(sorted({_why_outside(name, before, after) for name in names}))
