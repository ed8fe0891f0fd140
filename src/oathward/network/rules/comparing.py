"""Rules beside the flows that were seen: which nobody uses, which are wider than their flows, which flows none should allow. Pure.

Rules:
- What is compared is the first packet of each flow; rules of connections that stand are asked for with its answer.
- A rule is called unused only with the window and the share of its hours that anything was seen in; a counter of the device's own outranks it.
- A flow is against the rules only where it was *answered* and the rules surely stop it; where they hang on what is not known it is
  undecided, and counted.
- A narrower rule is a proposal in words of nft: it permits every flow that was seen to go by the rule, and nothing the rule does not.

Source: NIST SP 800-41r1 §5 (review of rule sets); nft(8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import Any

from oathward.network.rules import spans
from oathward.network.rules.deciding import BY_POLICY, FORWARDED, Decision, Verdict, decide
from oathward.network.rules.model import ANYWHERE, Action, Match, Packet, Rule, Ruleset
from oathward.network.rules.shadowing import shadowed
from oathward.network.rules.spans import Spans
from oathward.network.rules.words import PROTOCOL, WITH_PORTS

FLOWS_MAX = 50_000
"""Totals that are compared at once."""

PARTS_MAX = 64
"""Networks or ranges that a proposal names; more is widened to /24 and /64 first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFlow:
    """A total of flows between two addresses.

    Args:
        client, server: addresses as text. transport: ``tcp``, ``udp`` … or a number. count: flows. answered: None where the source does not know.
    """

    client: str
    server: str
    transport: str
    port: int
    count: int = 1
    answered: bool | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """When the flows were seen, and in how many hours of that anything was: what was not watched was not seen."""

    from_us: int
    until_us: int
    hours_seen: int

    @property
    def coverage(self) -> float:
        """Give the share of hours in which anything was seen, 0 to 1."""
        hours = max((self.until_us - self.from_us) / 3_600_000_000, 1)
        return min(self.hours_seen / hours, 1.0)


@dataclass(frozen=True, slots=True)
class Wider:
    """A rule that permits more than went by it.

    Args:
        permitted, used: combinations of source, destination and port. proposal: a narrower rule in words of nft; empty where it would name too much.
    """

    rule: Rule
    permitted: int
    used: int
    proposal: str


@dataclass(frozen=True, slots=True)
class Against:
    """A flow that was answered although the rules stop it; ``rules``: which; empty where the policy at the end does."""

    flow: SeenFlow
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What rules and flows say of each other.

    Args:
        unused: no flow met it. counted: no flow met it, and the device's own counter says otherwise: nobody watched there.
        shadowed: rule -> those before it that leave it nothing. undecided: flows that hang on what is not known; why -> how many.
        stopped: flows that were asked, not answered, and that the rules stop. unreadable: flows whose addresses or transport are none.
    """

    window: Window
    unused: tuple[Rule, ...]
    counted: tuple[Rule, ...]
    wider: tuple[Wider, ...]
    against: tuple[Against, ...]
    shadowed: tuple[tuple[Rule, tuple[Rule, ...]], ...]
    undecided: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    stopped: tuple[Against, ...] = ()


@dataclass(slots=True)
class _Used:
    sources: set[int] = field(default_factory=set)
    destinations: set[int] = field(default_factory=set)
    services: set[tuple[int, int]] = field(default_factory=set)


def compare(
    ruleset: Ruleset,
    flows: Iterable[SeenFlow],
    window: Window,
    *,
    hooks: Sequence[str] = FORWARDED,
    interfaces: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare rules with what was seen.

    Args:
        interfaces: network -> the interface it stands behind, where the site says so; else rules that ask for one are undecided. What has both
            ends behind one is not compared.
    """
    rules = ruleset.rules
    behind = sorted(
        ((spans.address_span(net), name) for net, name in (interfaces or {}).items()),
        key=lambda one: one[0][1] - one[0][0],
    )
    met: set[int] = set()
    by_rule: dict[int, _Used] = {}
    against: list[Against] = []
    stopped: list[Against] = []
    undecided: Counter[str] = Counter()
    unreadable = 0
    for flow in flows:
        packet = packet_of(flow, behind)
        if packet is None:
            unreadable += 1
            continue
        if packet.inward is not None and packet.inward == packet.outward:
            continue  # both ends stand behind one interface: it does not pass here
        decision = decide(ruleset, packet, tuple(hooks))
        met |= decision.sure | decision.perhaps
        if flow.answered:
            met |= _standing(ruleset, packet, tuple(hooks))
        if decision.verdict is Verdict.INDETERMINATE:
            undecided[decision.why[0] if decision.why else "interface, state or source port"] += 1
        elif decision.verdict is Verdict.DENY and flow.answered is not None:
            by = tuple(rules[one.rule] for one in decision.outcomes if one.rule != BY_POLICY)
            (against if flow.answered else stopped).append(Against(flow, by))
        elif decision.verdict is Verdict.PERMIT:
            _note(by_rule, decision, packet)
    idle = [rule for rule in rules if rule.index not in met]
    return Comparison(
        window,
        tuple(rule for rule in idle if not rule.hits),
        tuple(rule for rule in idle if rule.hits),
        tuple(_wider(rules, by_rule)),
        tuple(against),
        tuple(shadowed(ruleset)),
        dict(undecided),
        unreadable,
        tuple(stopped),
    )


def packet_of(flow: SeenFlow, behind: Sequence[tuple[tuple[int, int], str]] = ()) -> Packet | None:
    """Give the first packet of a flow; None where its addresses or its transport are none."""
    try:
        source, destination = (spans.number(ip_address(text)) for text in (flow.client, flow.server))
        protocol = PROTOCOL[flow.transport] if flow.transport in PROTOCOL else int(flow.transport)
    except ValueError:
        return None
    if not 0 <= protocol <= 255:
        return None
    port = flow.port if protocol in WITH_PORTS else None
    return Packet(
        source,
        destination,
        protocol,
        None,
        port,
        "new",
        _interface(source, behind),
        _interface(destination, behind),
    )


def _interface(address: int, behind: Sequence[tuple[tuple[int, int], str]]) -> str | None:
    return next((name for (first, last), name in behind if first <= address <= last), None)


def _standing(ruleset: Ruleset, packet: Packet, hooks: tuple[str, ...]) -> frozenset[int]:
    """Give the rules that the rest of an answered flow may meet."""
    on = packet._replace(state="established")
    back = Packet(
        packet.destination,
        packet.source,
        packet.protocol,
        packet.port,
        None,
        "established",
        packet.outward,
        packet.inward,
    )
    found = [decide(ruleset, one, hooks) for one in (on, back)]
    return frozenset().union(*(one.sure | one.perhaps for one in found))


def _note(by_rule: dict[int, _Used], decision: Decision, packet: Packet) -> None:
    for outcome in decision.outcomes:
        if outcome.rule != BY_POLICY and outcome.action is Action.ACCEPT:
            used = by_rule.setdefault(outcome.rule, _Used())
            used.sources.add(packet.source)
            used.destinations.add(packet.destination)
            used.services.add((packet.protocol, packet.port if packet.port is not None else -1))


def _wider(rules: Sequence[Rule], by_rule: Mapping[int, _Used]) -> list[Wider]:
    found = []
    for index, used in by_rule.items():
        rule = rules[index]
        if rule.unclear:
            continue
        matches = [branch.match for branch in rule.branches if branch.action is Action.ACCEPT]
        permitted = sum(map(room, matches))
        taken = len(used.sources) * len(used.destinations) * len(used.services)
        if permitted > taken:
            found.append(
                Wider(rule, permitted, taken, proposal(rule, used.sources, used.destinations, used.services))
            )
    return sorted(found, key=lambda one: (-(one.permitted // one.used), one.rule.index))


def room(match: Match) -> int:
    """Count the combinations of source, destination, protocol and port that a match permits."""
    ported = sum(1 for number in WITH_PORTS if spans.holds(match.protocols, number))
    services = ported * spans.size(match.ports) + spans.size(match.protocols) - ported
    return spans.size(match.sources) * spans.size(match.destinations) * services


def proposal(
    rule: Rule, sources: Iterable[int], destinations: Iterable[int], services: Iterable[tuple[int, int]]
) -> str:
    """Write a narrower rule, in words of nft, a line for each family and protocol; empty where it would name too much."""
    lines = []
    froms, tos = list(sources), list(destinations)
    rest = _kept(rule)
    for word, family in (("ip", spans.V4), ("ip6", spans.V6)):
        sides = []
        for key, numbers, name in (("saddr", froms, "sources"), ("daddr", tos, "destinations")):
            whole = spans.joined(span for branch in rule.branches for span in getattr(branch.match, name))
            parts = _few(spans.common(spans.joined((number, number) for number in numbers), family), whole)
            if parts is None:
                return ""
            sides.append((key, parts))
        if not all(parts for _, parts in sides):
            continue
        left = " ".join(f"{word} {key} {_set(parts)}" for key, parts in sides)
        lines += [f"{left} {service} {rest}accept" for service in _services(services)]
    return "\n".join(lines)


def _services(services: Iterable[tuple[int, int]]) -> list[str]:
    ports: dict[int, set[int]] = {}
    for protocol, port in services:
        ports.setdefault(protocol, set()).add(port)
    found = []
    for protocol, wanted in sorted(ports.items()):
        name = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}.get(protocol)
        numbers = spans.ranges(spans.joined((port, port) for port in wanted))
        found.append(f"{name} dport {_set(numbers)}" if name else f"meta l4proto {protocol}")
    return found


def _kept(rule: Rule) -> str:
    """Give what a narrower rule keeps of the old one besides addresses and ports: where all its branches agree."""
    first = rule.branches[0].match
    states = "" if first.states == Match().states else f"ct state {_set(sorted(first.states))} "
    words = ""
    for key, one in (("iifname", first.inward), ("oifname", first.outward)):
        if one != ANYWHERE:
            names = _set([f'"{name}"' for name in sorted(one.names)])
            words += f"{key} {'!= ' if one.all_but else ''}{names} "
    return states + words


def _few(used: Spans, whole: Spans) -> list[str] | None:
    """Write addresses as few networks: as they are, else widened within what the rule permits; None where that is too many."""
    parts = list(spans.networks(used))
    if len(parts) <= PARTS_MAX:
        return parts
    wide = spans.joined(
        (first - first % step, last - last % step + step - 1)
        for first, last in used
        for step in ((1 << 8) if first < spans.V6_FIRST else (1 << 64),)
    )
    parts = list(spans.networks(spans.common(wide, whole)))
    return parts if len(parts) <= PARTS_MAX else None


def _set(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else "{ " + ", ".join(parts) + " }"


def plain(found: Comparison) -> dict[str, Any]:
    """Give a comparison as plain words and numbers, for JSON."""
    window = found.window
    return {
        "window": {
            "from_us": window.from_us,
            "until_us": window.until_us,
            "coverage": round(window.coverage, 4),
        },
        "unused": [rule.place for rule in found.unused],
        "counted": [{"place": rule.place, "hits": rule.hits} for rule in found.counted],
        "wider": [
            {
                "place": one.rule.place,
                "permitted": str(one.permitted),
                "used": one.used,
                "proposal": one.proposal,
            }
            for one in found.wider
        ],
        "against": [
            {"flow": asdict(one.flow), "rules": [rule.place for rule in one.rules]} for one in found.against
        ],
        "stopped": [
            {"flow": asdict(one.flow), "rules": [rule.place for rule in one.rules]} for one in found.stopped
        ],
        "shadowed": [{"place": rule.place, "by": [one.place for one in by]} for rule, by in found.shadowed],
        "undecided": dict(found.undecided),
        "unreadable": found.unreadable,
    }
