"""Rows of the living inventory, and what asking it takes and gives.

Times are microseconds UTC. Empty text is "unknown" or "none".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oathward.discovery.model import Mark


class Lifecycle(StrEnum):
    """Where in its life an endpoint stands, by a person's or a list's word."""

    IN_USE = "in-use"
    LOAN = "loan"
    REPAIR = "repair"
    STORED = "stored"
    RETIRED = "retired"


class ConflictKind(StrEnum):
    """What marks of endpoints can contradict each other in."""

    CLAIMED_TWICE = "identity.claimed-twice"
    NAME_TWICE = "identity.name-twice"


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint as lists show it: each attribute is the one shown first, empty where unknown.

    Args:
        sort: ``network``, or ``account`` for what is off the network. device: id of the declared device it is; empty where undeclared.
        parent: id of the gateway or hub it was heard through. merged: id of the endpoint it became part of; empty where it stands alone.
        conflicts: how many are open on it.
    """

    id: str
    sort: str = "network"
    first_us: int = 0
    last_us: int = 0
    realm: str = ""
    segment: str = ""
    device: str = ""
    parent: str = ""
    merged: str = ""
    lifecycle: str = Lifecycle.IN_USE.value
    lifecycle_us: int = 0
    conflicts: int = 0
    name: str = ""
    address: str = ""
    mac: str = ""
    make: str = ""
    model: str = ""
    serial: str = ""
    type: str = ""
    unit: str = ""
    location: str = ""
    owner: str = ""
    criticality: str = ""
    os: str = ""
    firmware: str = ""
    tag: str = ""
    care: str = ""

    @property
    def title(self) -> str:
        """What people call it: its name, else what else they may know of it; empty where that is nothing."""
        known = self.name.rstrip("|") or self.address or self.mac
        return known or (f"tag {self.tag}" if self.tag else f"serial {self.serial}" if self.serial else "")


@dataclass(slots=True)
class Held:
    """One mark of one endpoint while statements are resolved.

    Args:
        ended_us: when another card took its place; 0 while it stands. fronts: it speaks for others, so it tells nobody from anybody.
        origin: the endpoint that had it first, before a merge. returns: how often, of late, a card came back to an address after another one, or
            who claims this came back to a speaker after another (``twice``); returned_us: when it last did.
    """

    first_us: int
    last_us: int
    ended_us: int = 0
    fronts: bool = False
    origin: str = ""
    returns: int = 0
    returned_us: int = 0


@dataclass(slots=True)
class Lease:
    """An address of a realm as one endpoint had it, from its first to its last sighting.

    ``given_us``: when DHCP last gave it, 0 where it did not; ``asked_us``: when its card last asked for it anew, and did not just go on with it.
    """

    realm: str
    address: str
    from_us: int
    until_us: int
    endpoint: str
    mac: str = ""
    origin: str = ""
    id: str = ""
    asked_us: int = 0
    given_us: int = 0


class AttributeRow(NamedTuple):
    """What one source said of one attribute. ``shown``: it is the value that stands first; ``conflict``: another ties with it."""

    attribute: str
    value: str
    source: str
    first_us: int
    last_us: int
    confidence: float
    shown: bool = False
    conflict: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class RelationRow:
    """One endpoint beside another. ``kind``: ``behind`` (heard through it), or ``itself``: it claimed for itself (child and parent are one)."""

    kind: str
    child: str
    parent: str
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """Two endpoints, or one, whose marks contradict each other.

    Args:
        mark: what was claimed, as kind alone; the value stands with the endpoints' marks. other: empty where one card said both.
    """

    id: str
    kind: str
    endpoint: str
    other: str
    mark: str
    first_us: int
    last_us: int
    times: int = 1
    closed_us: int = 0

    @property
    def what(self) -> str:
        """Say what was seen, in words; of one endpoint alone: what of it was there twice."""
        if self.other:
            return f"two endpoints have one {self.mark}"
        return _TWICE.get(self.mark, f"one {self.mark} is heard from two by turns, or another one between")


_TWICE = {
    "mac": "one network card is in two places by turns: another has its number",
    "host": "one network card gives two host names by turns",
    "client-id": "one network card gives two DHCP client ids by turns",
}
"""Kind of mark -> what is seen of one endpoint that speaks as two."""


@dataclass(frozen=True, slots=True)
class MergeRow:
    """One merge or split, by a person or a rule, and whether it was undone.

    Args:
        act: ``merge`` or ``split``. into: who stays. other: who became part of it, or was split from it.
    """

    id: str
    act: str
    into: str
    other: str
    at_us: int
    by: str
    reason: str
    undone_us: int = 0
    undone_by: str = ""


@dataclass(slots=True)
class SourceRow:
    """What one source of one realm told of endpoints nobody knew.

    Args:
        first_us: when it began, by its own clock. first_day: endpoints it began in the day after that. hour_us, made: the latest hour, and how many it began in it.
        most: in its busiest hour without a flood. from_us, until_us, held, taken, segment: of its latest flood: when, how many were heard once and began nothing,
            how many of those were heard again and are endpoints, where. noted_us: when that was read, by our clock.
    """

    realm: str
    source: str
    first_us: int = 0
    first_day: int = 0
    hour_us: int = 0
    made: int = 0
    most: int = 0
    from_us: int = 0
    until_us: int = 0
    held: int = 0
    taken: int = 0
    segment: str = ""
    noted_us: int = 0


@dataclass(frozen=True, slots=True)
class OnceRow:
    """One mark that was heard once in a flood, by its digest."""

    digest: str
    realm: str
    source: str
    at_us: int


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One probe that a person ordered, and what came of it.

    Args:
        by: who ordered it; reason: their words. kind: of ``discovery.probing``. address, port: what was asked.
        risks: those that were named and taken, with commas. ended_us: 0 while it goes on, or where it was cut short. outcome: empty until then.
    """

    id: str
    endpoint: str
    at_us: int
    by: str
    reason: str
    kind: str
    address: str
    port: int
    risks: str = ""
    ended_us: int = 0
    outcome: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """What the public device identification database says of one UDI-DI.

    Args:
        type: GMDN preferred term. product_code: of the FDA, three letters. device_class: 1, 2 or 3; empty where none. mri: MRI safety status.
    """

    udi_di: str
    brand: str
    model: str
    company: str
    type: str = ""
    product_code: str = ""
    device_class: str = ""
    mri: str = ""
    source: str = "gudid"
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch of statements came to.

    Args:
        counts: ``statements``, ``new``, ``known``, ``joined``, ``unclear`` (names that several have, alone), ``empty`` (no mark that can be used),
            ``held`` (heard once in a flood, ``flooding``), ``records``. conflicts: those seen in this batch, new or again. changed: ids of endpoints that were written.
    """

    counts: Mapping[str, int]
    conflicts: tuple[ConflictRow, ...] = ()
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which endpoints are wanted.

    Args:
        search: part of a name, address, MAC, serial, tag, make or model, whatever its case. equal: attribute -> value. unknown: attributes that
            nobody says anything of. ended: retired and merged ones too. never_heard: a list alone has them. unlisted: heard, and no list has them.
        disagree: sources say different things of them. new_since_us: heard for the first time since. support_before: the support of
            their operating system ended before that day, ISO 8601.
    """

    search: str = ""
    equal: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    conflict: bool = False
    undeclared: bool = False
    declared: bool = False
    since_us: int = 0
    until_us: int = 0
    ended: bool = False
    never_heard: bool = False
    unlisted: bool = False
    disagree: bool = False
    new_since_us: int = 0
    support_before: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many endpoints there are, retired ones aside, and how many of them are what ``Filters`` of the same name ask for."""

    total: int = 0
    declared: int = 0
    conflict: int = 0
    new: int = 0
    never_heard: int = 0
    unlisted: int = 0
    in_use: int = 0
    disagree: int = 0
    unsupported: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of endpoints. ``after``: key of the next page, empty at the end. ``facets``: column -> value -> how many of all wanted."""

    rows: tuple[EndpointRow, ...]
    total: int
    after: str = ""
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """One endpoint with all that is known of it. ``attributes``: those shown first at the front of each attribute."""

    row: EndpointRow
    marks: tuple[tuple[Mark, str, Held], ...]
    attributes: tuple[AttributeRow, ...]
    leases: tuple[Lease, ...]
    relations: tuple[RelationRow, ...]
    conflicts: tuple[ConflictRow, ...]
    merges: tuple[MergeRow, ...]
