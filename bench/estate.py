"""Endpoints of a made-up estate against its truth: who was taken for somebody else, who became two, and why.

Rules:
- An endpoint is of the devices whose network cards it has (in that realm, at that time), of the one whose tag or account it has; where it has none of
  these, of those whose serial or EUI-64 it has; where it has none of these either, of those that had its addresses for most of the time.
- *Wrong merge*: a pair of devices in one endpoint. *Wrong split*: a device in more endpoints than the evidence has parts.
- The *evidence* of a device is in parts where nothing that was read says that they belong together: no statement has marks of both, no address had at one time by
  both. A telephone that makes up a number each day and says no name of its own is as many endpoints as numbers, and nobody could do better. Such
  devices are counted apart. A host name joins random network cards alone, where it is one device's name.
- A split is *told* where a conflict names one of its endpoints: two cards that claim one serial at one time are two until a person or a list says
  otherwise, and whoever is told can say. Told and untold are counted apart.
- A *silent* spoof is an intruder in one endpoint with its victim, with no conflict on that endpoint.
"""

from __future__ import annotations

import csv
import itertools
import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from oathward.discovery.model import MarkKind, Statement

VIRTUAL = "00:00:5e:00:01:"
_SURE = {MarkKind.TAG.value, MarkKind.ACCOUNT.value}
_PARTS = {MarkKind.SERIAL.value, MarkKind.EUI64.value}
_CLOCK_US = 60_000_000


class MarkSeen(NamedTuple):
    """One mark of one endpoint; ``scope``: the realm, of a card."""

    endpoint: str
    kind: str
    scope: str
    value: str
    first_us: int
    last_us: int


class LeaseSeen(NamedTuple):
    """One address of one endpoint."""

    endpoint: str
    realm: str
    address: str
    from_us: int
    until_us: int


class Truth:
    """What was so."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "devices.jsonl").read_bytes().splitlines()
        self.devices = {row["device"]: row for row in map(json.loads, lines)}
        self._cards: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
        self._leases: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
        self._claims: dict[tuple[str, str], str] = {}
        self.random: set[str] = set()
        for row in _rows(folder / "cards.csv"):
            self._cards[row["realm"], row["mac"]].append(
                (int(row["from_us"]), int(row["until_us"]), row["device"])
            )
            if row["random"] == "1":
                self.random.add(row["mac"])
        for row in _rows(folder / "leases.csv"):
            where = row["realm"], row["address"]
            self._leases[where].append((int(row["from_us"]), int(row["until_us"]), row["device"]))
        for those in self._leases.values():
            those.sort()
        self.lies = _rows(folder / "lies.csv")
        names = Counter(
            name.casefold()
            for one in self.devices.values()
            for name in {one["host"], one["before"].get("host", one["host"])}
        )
        self.names_of_one = {name for name, count in names.items() if name and count == 1}
        for id_, one in self.devices.items():
            maker = one["make"].casefold()
            serials = {one["serial"], one["before"].get("serial", one["serial"])}
            self._claims |= {("serial", f"{maker}|{serial}".casefold()): id_ for serial in serials}
            self._claims["tag", one["tag"].casefold()] = self._claims["tag", f"{one['tag']}-2".casefold()] = (
                id_
            )
            if one["account"]:
                self._claims["account", one["account"].casefold()] = id_
            if one["eui64"]:
                self._claims["eui64", one["eui64"].casefold()] = id_

    def by_card(self, realm: str, mac: str, from_us: int, until_us: int) -> list[str]:
        """Who had a card at a site within some time."""
        those = self._cards.get((realm, mac), ())
        return [
            id_ for begin, end, id_ in those if begin <= until_us + _CLOCK_US and from_us <= end + _CLOCK_US
        ]

    def by_claim(self, kind: str, value: str) -> str | None:
        """Whose a tag, account, serial or EUI-64 is."""
        return self._claims.get((kind, value.casefold()))

    def by_address(self, realm: str, address: str, at_us: int) -> str | None:
        """Who had an address then."""
        found = self.lease(realm, address, at_us)
        return found[0] if found else None

    def lease(self, realm: str, address: str, at_us: int) -> tuple[str, int] | None:
        """Who had an address then, and since when."""
        those = self._leases.get((realm, address))
        if not those:
            return None
        at = bisect_right(those, (at_us + _CLOCK_US, 0, "")) - 1
        return (those[at][2], those[at][0]) if at >= 0 and at_us <= those[at][1] + _CLOCK_US else None

    def mostly(self, lease: LeaseSeen) -> Counter[str]:
        """Who had an address within some time, and for how long."""
        found = Counter[str]()
        for begin, end, id_ in self._leases.get((lease.realm, lease.address), ()):
            both = min(end, lease.until_us) - max(begin, lease.from_us)
            if both >= 0:
                found[id_] += both + 1
        return found

    def held(self) -> Iterator[tuple[str, str, int, str]]:
        """Give each address as it was held: realm, address, a moment in the middle, device."""
        for (realm, address), those in self._leases.items():
            for begin, end, id_ in those:
                yield realm, address, (begin + end) // 2, id_


class Evidence:
    """Which marks of a device statements join, as they are read."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._above: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._seen: set[tuple[str, tuple[object, ...], int]] = set()
        self.nobody = 0

    def take(self, said: Statement) -> None:
        """Note what one statement joins."""
        key = (said.realm, said.marks, said.at_us // 3_600_000_000)
        if key in self._seen:
            return
        self._seen.add(key)
        id_ = self._of(said)
        if id_ is None:
            self.nobody += 1
            return
        for kind, value in said.marks:
            # What an intruder or a gateway says of another is a part of the other's evidence.
            owner = self._truth.by_claim(kind.value, value)
            if owner is not None and owner != id_:
                self._above.setdefault(
                    (owner, kind.value, value.casefold()), (owner, kind.value, value.casefold())
                )
        nodes = list(self._nodes(said, id_))
        for node in nodes:
            self._above.setdefault(node, node)
            self._above[self._root(node)] = self._root(nodes[0])

    def parts(self) -> dict[str, int]:
        """In how many parts the evidence of each device is that anybody spoke of."""
        roots: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for node in list(self._above):
            roots[node[0]].add(self._root(node))
        return {id_: len(those) for id_, those in roots.items()}

    def _of(self, said: Statement) -> str | None:
        """Whose statement it is."""
        truth, at = self._truth, said.at_us
        by_address = [
            truth.by_address(said.realm, value, at) for kind, value in said.marks if kind is MarkKind.ADDRESS
        ]
        found: list[str] = []
        for kind, value in said.marks:
            if kind is MarkKind.MAC and not value.startswith(VIRTUAL):
                # A list names cards that were never heard, or no longer are.
                found += truth.by_card(said.realm, value, at, at) or truth.by_card(
                    said.realm, value, 0, 2**62
                )
        for kind, value in said.marks:
            if kind.value in _SURE and (id_ := truth.by_claim(kind.value, value)):
                return id_
        both = [id_ for id_ in found if id_ in by_address]
        for id_ in (*both, *found, *by_address):
            if id_ is not None:
                return id_
        return next((id_ for kind, value in said.marks if (id_ := truth.by_claim(kind.value, value))), None)

    def _nodes(self, said: Statement, id_: str) -> Iterator[tuple[str, ...]]:
        random = any(kind is MarkKind.MAC and value in self._truth.random for kind, value in said.marks)
        for kind, value in said.marks:
            if kind is MarkKind.MAC:
                if id_ in self._truth.by_card(said.realm, value, 0, 2**62):
                    yield id_, kind.value, value
            elif kind is MarkKind.ADDRESS:
                lease = self._truth.lease(said.realm, value, said.at_us)
                if lease is not None and lease[0] == id_:
                    yield id_, kind.value, said.realm, value, str(lease[1])
            elif kind is MarkKind.HOST:
                if random and value.partition(".")[0].casefold() in self._truth.names_of_one:
                    yield id_, kind.value, said.realm, value
            elif kind.value in _SURE | _PARTS and self._truth.by_claim(kind.value, value) == id_:
                yield id_, kind.value, value.casefold()

    def _root(self, node: tuple[str, ...]) -> tuple[str, ...]:
        while (above := self._above[node]) != node:
            self._above[node] = node = self._above[above]
        return node


@dataclass(slots=True)
class Judged:
    """What came of it.

    Args:
        devices: of which somebody spoke. endpoints: there are. merged, split: cause -> pairs of devices in one endpoint, devices in too many endpoints
            that no conflict names; split_told: those that one does.
        in_merged: devices in an endpoint with another; merged_told: pairs whose endpoint a conflict names. apart: devices whose evidence is in several parts. silent: (intruder, victim) in one endpoint,
            untold. false: mark and what is particular about the device -> conflicts about one device that nothing is the matter with. docked: devices that are put into a dock and taken out. intruders, told: by what they claim, and how many of them a conflict tells of. addresses: (held by the right endpoint, by another, by none).
    """

    devices: int
    endpoints: int
    merged: Counter[str] = field(default_factory=Counter)
    split: Counter[str] = field(default_factory=Counter)
    split_told: Counter[str] = field(default_factory=Counter)
    in_merged: int = 0
    merged_told: int = 0
    apart: int = 0
    silent: list[tuple[str, str]] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    intruders: Counter[str] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    docked: int = 0
    examples: list[str] = field(default_factory=list)


def judge(
    truth: Truth,
    evidence: Evidence,
    marks: Iterable[MarkSeen],
    leases: Sequence[LeaseSeen],
    conflicts: Sequence[Sequence[str]],
) -> Judged:
    """Compare what was resolved with what was so.

    Args:
        conflicts: of each the endpoints it is about, and last the kind of mark.
    """
    of_endpoint = owners(truth, marks, leases)
    parts = evidence.parts()
    endpoints_of: dict[str, set[str]] = defaultdict(set)
    for endpoint, those in of_endpoint.items():
        for id_ in those:
            endpoints_of[id_].add(endpoint)
    told = {endpoint for *those, _ in conflicts for endpoint in those if endpoint}
    judged = Judged(len(parts), len(of_endpoint))
    judged.apart = sum(count > 1 for count in parts.values())
    together: set[str] = set()
    for endpoint, those in of_endpoint.items():
        for one, other in itertools.combinations(sorted(those), 2):
            cause = _cause_of_merge(truth, one, other)
            judged.merged[cause] += 1
            together |= {one, other}
            judged.merged_told += endpoint in told
            if {truth.devices[one]["victim"], truth.devices[other]["victim"]} & {
                one,
                other,
            } and endpoint not in told:
                judged.silent.append((one, other))
            if judged.merged[cause] <= 3:
                judged.examples.append(f"merge, {cause}: {endpoint} is {one} and {other}")
    judged.in_merged = len(together)
    for id_, count in parts.items():
        if len(endpoints_of[id_]) > count:
            cause = _cause(truth, id_)
            if endpoints_of[id_] & told:
                judged.split_told[cause] += 1
                continue
            judged.split[cause] += 1
            if judged.split[cause] <= 3:
                judged.examples.append(
                    f"split, {cause}: {id_} is {', '.join(sorted(endpoints_of[id_]))}; evidence in {count}"
                )
    for id_, one in truth.devices.items():
        if one["claim"] and id_ in parts:
            judged.intruders[one["claim"]] += 1
            judged.told[one["claim"]] += bool((endpoints_of[id_] | endpoints_of[one["victim"]]) & told)
    judged.docked = sum(bool(one["dock"]) and id_ in parts for id_, one in truth.devices.items())
    judged.false = _false(truth, of_endpoint, conflicts)
    judged.addresses = _addresses(truth, leases, of_endpoint)
    return judged


def _false(
    truth: Truth, of_endpoint: dict[str, set[str]], conflicts: Sequence[Sequence[str]]
) -> Counter[str]:
    """Count the conflicts that are about one device alone that nobody claims to be, that shares nothing, and of which no list lies; by mark and kind of device."""
    story = {one["victim"] for one in truth.devices.values()} | {row["victim"] for row in truth.lies}
    story |= {row["device"] for row in truth.lies}
    found = Counter[str]()
    for *endpoints, kind in conflicts:
        those = set[str]().union(*(of_endpoint.get(one, ()) for one in endpoints if one))
        one = truth.devices[next(iter(those))] if len(those) == 1 else None
        if one is not None and not one["claim"] and not one["fate"] and one["device"] not in story:
            found[f"{kind}, {_cause(truth, one['device'])}"] += 1
    return found


def owners(truth: Truth, marks: Iterable[MarkSeen], leases: Iterable[LeaseSeen]) -> dict[str, set[str]]:
    """Say of which devices each endpoint is."""
    sure: dict[str, set[str]] = defaultdict(set)
    likely: dict[str, set[str]] = defaultdict(set)
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for mark in marks:
        sure[mark.endpoint]
        if mark.kind == MarkKind.MAC.value and not mark.value.startswith(VIRTUAL):
            sure[mark.endpoint].update(truth.by_card(mark.scope, mark.value, mark.first_us, mark.last_us))
        elif mark.kind in _SURE | _PARTS and (id_ := truth.by_claim(mark.kind, mark.value)):
            (sure if mark.kind in _SURE else likely)[mark.endpoint].add(id_)
    for lease in leases:
        held[lease.endpoint].update(truth.mostly(lease))
    found = {}
    for endpoint in {*sure, *held}:
        found[endpoint] = (
            sure[endpoint] or likely[endpoint] or {id_ for id_, _ in held[endpoint].most_common(1)}
        )
    return found


def _addresses(truth: Truth, leases: Sequence[LeaseSeen], of_endpoint: dict[str, set[str]]) -> Counter[str]:
    """How often whoever held an address is who it is said to be, in the middle of the time."""
    rows: dict[tuple[str, str], list[LeaseSeen]] = defaultdict(list)
    for lease in leases:
        rows[lease.realm, lease.address].append(lease)
    for those in rows.values():
        those.sort(key=lambda one: one.from_us)
    found = Counter[str]()
    for realm, address, at_us, id_ in truth.held():
        those = [one for one in rows.get((realm, address), ()) if one.from_us <= at_us]
        if not those:
            found["none"] += 1
        else:
            found["right" if id_ in of_endpoint.get(those[-1].endpoint, ()) else "another"] += 1
    return found


def _cause_of_merge(truth: Truth, one: str, other: str) -> str:
    for id_, peer in ((one, other), (other, one)):
        if truth.devices[id_]["victim"] == peer:
            return f"intruder with its {truth.devices[id_]['claim']}"
    listed = {
        row["victim"]: row["cause"]
        for row in truth.lies
        if row["cause"] not in {"intruder", "clock", "place-of-before"}
    }
    for id_ in (one, other):
        if id_ in listed:
            return f"list: {listed[id_]}"
    return " and ".join(sorted({_cause(truth, one), _cause(truth, other)}))


def _cause(truth: Truth, id_: str) -> str:
    """Say what is particular about a device."""
    one = truth.devices[id_]
    if one["claim"]:
        return f"intruder ({one['claim']})"
    if one["fate"]:
        return str(one["fate"])
    if one["dock"]:
        return "docked"
    if one["role"] in {"annexe", "router"}:
        return str(one["role"])
    if one["behind"] or one["account"]:
        return "behind a gateway or hub"
    if set(one["macs"]) & truth.random:
        return "random card"
    if len(one["macs"]) > 1:
        return "two cards"
    return "fixed address" if one["fixed"] else "one card"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as rows:
        return list(csv.DictReader(rows))
