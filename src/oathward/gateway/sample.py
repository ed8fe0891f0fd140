"""What each recipient would get of one made-up message, element by element, and why.

Rules:
- The message is a ``twins.Story``: nobody in it exists, so what stands in it may be shown.
- It is read, decided and shaped exactly as the gateway does it, with keys of no site; nothing is sent or stored.
- An element is kept, changed or removed by comparing what came with what would leave; the reason follows from its class.

Deliberately absent: real messages. Whoever wants to see one opens it through the keeper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from oathward.core.errors import OathwardError
from oathward.core.labels import Assurance
from oathward.deid.plan import HL7V2 as ROUTE_HL7V2
from oathward.deid.plan import Seeds, shape
from oathward.deid.profile import Profile, load_profiles
from oathward.gateway.facts import Around, known_of, read_of
from oathward.gateway.twins import Story, as_fhir, as_hl7v2
from oathward.gateway.wires import HL7V2, Wire
from oathward.inventory.model import Device
from oathward.plans import Plans, route_of
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ConsentFact
from oathward.policy.decide import care_first, decide
from oathward.policy.model import ANY, KEEP, Decision, Deny, Indeterminate, Link, Permit, SubjectKind
from oathward.protocols.fhir import leaves as fhir
from oathward.protocols.hl7v2 import leaves as hl7v2
from oathward.protocols.hl7v2.reader import Message, decode

What = Literal["kept", "changed", "removed"]
Leaves = dict[str, tuple[str, str]]
"""Place → (element class, value as it is shown)."""

SEEDS = Seeds(b"\x01" * 32, b"\x02" * 32, "0123456789ABCDEFGHIJ", 2026)


@dataclass(frozen=True, slots=True)
class Row:
    """One element. ``becomes``: empty where it is removed. ``why``: in words, for people."""

    place: str
    cls: str
    given: str
    becomes: str
    what: What
    why: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What one link would do with the message.

    Args:
        answer: ``permit``, ``deny``, ``indeterminate``, ``not taken`` or ``held``.
        reasons: codes; see ``docs/reference/reasons.md``.
        document: what would leave, as text; empty where nothing would.
    """

    link: str
    recipient: str
    wire: str
    answer: str
    reasons: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    document: str = field(default="", repr=False)


def sample(
    bundle: Bundle,
    link: Link,
    wire: Wire = HL7V2,
    story: Story | None = None,
    consents: tuple[ConsentFact, ...] = (),
) -> Sample:
    """Show what one link would give its recipient.

    Args:
        wire: by which protocol the message comes.
        story: what happened; without one, an ordinary measurement.
        consents: what the patient said.
    """
    story = story or Story()
    if link not in bundle.carriers(wire.name):
        return Sample(link.id, link.recipient, wire.name, "not taken", ("decision.no-link",))
    message = told(wire, story)
    answer = decided(bundle, link, wire, story, consents)
    match answer:
        case Permit():
            try:
                return _permitted(bundle, link, wire, message, answer)
            except OathwardError as error:
                return Sample(link.id, link.recipient, wire.name, "held", (error.reason.code,), answer.basis)
        case Deny(_, reasons, basis):
            codes = tuple(reason.code for reason in reasons)
            return Sample(link.id, link.recipient, wire.name, "deny", codes, basis)
        case Indeterminate(_, why):
            return Sample(link.id, link.recipient, wire.name, "indeterminate", (why.code,))


def device_for(link: Link, story: Story) -> Device:
    """Give a device that a link takes."""
    sources = link.sources
    return Device(
        min(sources.devices - {ANY}, default="sample-unit"),
        kind=min(sources.kinds - {ANY}, default="monitor"),
        tags=frozenset(sorted(sources.tags - {ANY})[:1]),
        senders=frozenset({story.application}),
    )


def told(wire: Wire, story: Story) -> Any:
    """Give a story as a message of one wire."""
    return wire.decode(as_hl7v2(story) if wire is HL7V2 else as_fhir(story))


def decided(
    bundle: Bundle,
    link: Link,
    wire: Wire,
    story: Story,
    consents: tuple[ConsentFact, ...] | None,
    subject: SubjectKind = "known",
) -> Decision:
    """Decide a story for one link as the gateway does."""
    device, message = device_for(link, story), told(wire, story)
    version = None if consents is None else 1
    around = Around(
        "sample", Assurance.CERTIFICATE, subject, version, consents, clock_sure=True, bundle_version=1
    )
    known = known_of(read_of(wire, message, bundle, device, consents), around, bundle, device)
    answer = decide(bundle, link, known.facts, now_us=0)
    return care_first(link, answer) if isinstance(answer, Indeterminate) else answer


def _permitted(bundle: Bundle, link: Link, wire: Wire, message: Any, permit: Permit) -> Sample:
    if link.recipient == KEEP:
        rows = tuple(
            Row(place, cls, value, value, "kept", "the original is kept, sealed")
            for place, (cls, value) in _leaves(wire, message).items()
        )
        return Sample(link.id, link.recipient, wire.name, "permit", (), permit.basis, rows)
    plans, route = Plans(bundle.profiles), route_of(bundle, link, wire.name)
    allowed = message
    if permit.withheld or permit.only is not None:
        allowed = wire.narrowed(message, permit.withheld, permit.only)
    data = shape(allowed, plans.of(route, link, permit).plan, SEEDS).data
    compared = data
    if route.came != route.leaves:  # what is removed and changed is so before it is mapped
        compared = shape(allowed, plans.of(ROUTE_HL7V2, link, permit).plan, SEEDS).data
    after = _of_hl7v2(decode(compared)) if wire is HL7V2 else _of_fhir(_resources(orjson.loads(compared)))
    profile = load_profiles(bundle.profiles)[permit.profile]
    rows = tuple(_compared(link, permit, profile, _leaves(wire, message), after))
    return Sample(link.id, link.recipient, wire.name, "permit", (), permit.basis, rows, _shown(data))


def _compared(link: Link, permit: Permit, profile: Profile, before: Leaves, after: Leaves) -> Iterator[Row]:
    for place, (cls, value) in before.items():
        alone = place.removesuffix(".1")  # a first component with nothing behind it is the whole field
        becomes = (after.get(place) or after.get(alone) or after.get(f"{place}.1") or ("", ""))[1]
        what: What = "removed" if not becomes else "kept" if becomes == value else "changed"
        yield Row(place, cls, value, becomes, what, _why(link, permit, profile, cls, what))


def _why(link: Link, permit: Permit, profile: Profile, cls: str, what: What) -> str:
    action = profile.action_of(cls)
    if what == "removed" and cls not in link.classes:
        return "the link does not name this class"
    if what == "removed" and cls not in permit.classes:
        return "a consent or a label takes this class away"
    if what == "removed":
        return f"profile {profile.name} removes it"
    if what == "kept":
        return f"profile {profile.name} keeps it"
    return (
        f"profile {profile.name}: {action}" if action not in ("keep", "remove") else "made anew for each link"
    )


def _leaves(wire: Wire, message: Any) -> Leaves:
    return _of_hl7v2(message) if wire is HL7V2 else _of_fhir([entry.resource for entry in message.entries])


def _of_hl7v2(message: Message) -> Leaves:
    found: Leaves = {}
    seen: dict[str, int] = {}
    for name, inside in hl7v2.leaves(message):
        seen[name] = seen.get(name, 0) + 1
        place = name if seen[name] == 1 else f"{name}[{seen[name]}]"
        found |= {f"{place}{inner}": leaf for inner, leaf in inside.items()}
    return found


def _resources(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if body["resourceType"] != "Bundle":
        return [dict(body)]
    return [entry["resource"] for entry in body["entry"]]


def _of_fhir(resources: list[dict[str, Any]]) -> Leaves:
    return {
        fhir.place(resource, path): (cls, value)
        for resource in resources
        for path, cls, value in fhir.leaves(resource)
    }


def _shown(data: bytes) -> str:
    """Write a document for reading: JSON indented, HL7 v2 a segment a line."""
    if data.startswith(b"{"):
        return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2).decode()
    return data.decode("utf-8", "replace").replace("\r", "\n").strip()
