"""What a device does with the first packet of a flow: permit, deny, or Indeterminate where that hangs on what is not known. Pure.

Rules:
- Three values throughout: a rule matches, does not, or may. What may follow is kept beside what would follow if it did not.
- Chains of one hook are asked by priority; to stop is final, to accept leads to the next (nft(8)).
- Each chain is looked at once a packet, or twice where it may be reached: work is linear in rules.

Source: nft(8), Chains and Verdict statements; netfilter's depth of jumps is 16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oathward.network.rules import spans
from oathward.network.rules.model import (
    ENDS,
    STATES,
    Action,
    Branch,
    Chain,
    Match,
    Names,
    Packet,
    Rule,
    Ruleset,
)
from oathward.network.rules.nft_match import named
from oathward.network.rules.spans import PORTS

FORWARDED = ("prerouting", "forward", "postrouting")
RECEIVED = ("prerouting", "input")
SENT = ("output", "postrouting")
JUMPS_MAX = 16
DECIDED = frozenset({"ip", "ip6", "inet"})
BY_POLICY = -1
"""Index of no rule: a chain's policy."""


class Verdict(StrEnum):
    """What becomes of a packet."""

    PERMIT = "permit"
    DENY = "deny"
    INDETERMINATE = "indeterminate"


class Outcome(NamedTuple):
    """One thing that may become of a packet, and the rule (or ``BY_POLICY``) of which chain that ends it."""

    action: Action
    rule: int
    chain: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What may become of a packet.

    Args:
        outcomes: every possible end. sure: indexes of rules that it met whatever is unknown; perhaps: that it may have met.
        why: what of the rules is not understood that it hangs on.
    """

    outcomes: frozenset[Outcome]
    sure: frozenset[int]
    perhaps: frozenset[int]
    why: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Say what becomes of it."""
        permits = {outcome.action is Action.ACCEPT for outcome in self.outcomes}
        if any(outcome.action is Action.UNCLEAR for outcome in self.outcomes) or len(permits) != 1:
            return Verdict.INDETERMINATE
        return Verdict.PERMIT if permits == {True} else Verdict.DENY


@dataclass(slots=True)
class _Walk:
    ruleset: Ruleset
    packet: Packet
    sure: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)
    known: dict[tuple[str, bool], frozenset[Outcome]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    why: dict[str, None] = field(default_factory=dict)


def decide(ruleset: Ruleset, packet: Packet, hooks: tuple[str, ...] = FORWARDED) -> Decision:
    """Say what the device does with a packet that goes through these hooks."""
    walk = _Walk(ruleset, packet)
    stopped: set[Outcome] = set()
    accepted: set[Outcome] = {Outcome(action, BY_POLICY, key) for action, key in _beside(ruleset)}
    for chain in _asked(ruleset, packet, hooks):
        found = _ends(walk, chain, certain=not stopped)
        stopped |= {one for one in found if one.action is not Action.ACCEPT}
        passes = {one for one in found if one.action is Action.ACCEPT}
        if not passes:
            accepted = set()
            break
        accepted |= passes
    if not stopped and not accepted:
        accepted = {Outcome(Action.ACCEPT, BY_POLICY, "")}  # no chain of these hooks says anything
    ends = frozenset(stopped | accepted)
    return Decision(ends, frozenset(walk.sure), frozenset(walk.perhaps - walk.sure), tuple(walk.why)[:5])


def _asked(ruleset: Ruleset, packet: Packet, hooks: tuple[str, ...]) -> Iterator[Chain]:
    """Give the chains that the device asks, in its order."""
    family = "ip" if packet.source < spans.V6_FIRST else "ip6"
    for hook in hooks:
        found = [
            one for one in ruleset.chains.values() if one.hook == hook and one.family in {family, "inet"}
        ]
        yield from sorted(found, key=lambda one: one.priority)


def _beside(ruleset: Ruleset) -> Iterator[tuple[Action, str]]:
    """Give what is not decided here and may stop a packet: bridges, devices, what of the listing was not understood."""
    for chain in ruleset.chains.values():
        if chain.hook and (chain.family not in DECIDED or chain.hook in {"ingress", "egress"}):
            stops = chain.policy is Action.DROP or any(
                branch.action not in {Action.ACCEPT, Action.CONTINUE}
                for rule in chain.rules
                for branch in rule.branches
            )
            if stops:
                yield Action.UNCLEAR, chain.key
    if ruleset.unclear:
        yield Action.UNCLEAR, ""


_FELL = Outcome(Action.RETURN, BY_POLICY, "")


def _ends(walk: _Walk, chain: Chain, *, certain: bool) -> frozenset[Outcome]:
    """Give what may become of the packet in a chain of a hook."""
    found = _through(walk, chain, certain=certain)
    if _FELL in found:
        found = found - {_FELL} | {Outcome(chain.policy, BY_POLICY, chain.key)}
    return found


def _through(walk: _Walk, chain: Chain, *, certain: bool) -> frozenset[Outcome]:
    """Give what may become of the packet in a chain; ``_FELL`` where it may come out at its end."""
    key = (chain.key, certain)
    if key in walk.known:
        return walk.known[key]
    if chain.key in walk.open or len(walk.open) >= JUMPS_MAX:
        walk.why["chains that lead to each other"] = None
        return frozenset({Outcome(Action.UNCLEAR, BY_POLICY, chain.key)})
    walk.open.append(chain.key)
    found: set[Outcome] = set()
    fell = True
    for rule in chain.rules:
        hit = met_by(rule, walk.packet)
        if hit is None:
            continue
        surely, branches = hit
        now = certain and surely and not found
        (walk.sure if now else walk.perhaps).add(rule.index)
        if not surely:
            walk.why |= dict.fromkeys(rule.unclear)
        fell = False
        for branch in branches:
            fell |= _follow(walk, chain, rule, branch, found, now=now)
        if surely and not fell:
            break
        fell = True
    walk.open.pop()
    if fell:
        found.add(_FELL)
    walk.known[key] = frozenset(found)
    return walk.known[key]


def _follow(walk: _Walk, chain: Chain, rule: Rule, branch: Branch, found: set[Outcome], *, now: bool) -> bool:
    """Add what a branch leads to; says whether the next rule of the chain may be asked after it."""
    action = branch.action
    if action in ENDS:
        found.add(Outcome(action, rule.index, chain.key))
        return False
    if action is Action.RETURN:
        found.add(_FELL)
        return False
    if action in {Action.JUMP, Action.GOTO}:
        target = walk.ruleset.chains.get(" ".join((*chain.key.split(" ")[:2], branch.target)))
        if target is None:
            walk.why[f"{rule.place}: leads to a chain that is not there"] = None
            found.add(Outcome(Action.UNCLEAR, rule.index, chain.key))
            return True
        inner = _through(walk, target, certain=now)
        found |= inner - {_FELL}
        if _FELL in inner and action is Action.GOTO:
            found.add(_FELL)
        return _FELL in inner and action is Action.JUMP
    if action is Action.UNCLEAR:
        found.add(Outcome(action, rule.index, chain.key))
    return True


def met_by(rule: Rule, packet: Packet) -> tuple[bool, list[Branch]] | None:
    """Give the branches of a rule that a packet meets, and whether it surely meets one; None where it meets none."""
    sure: list[Branch] = []
    perhaps: list[Branch] = []
    for branch in rule.branches:
        found = meets(branch.match, packet)
        if found is not False:
            (sure if found and not rule.unclear else perhaps).append(branch)
    if sure and all(
        branch.action == sure[0].action and branch.target == sure[0].target for branch in perhaps
    ):
        return True, sure[:1]
    if sure or perhaps:
        return bool(sure), sure[:1] + perhaps
    return None


def meets(match: Match, packet: Packet) -> bool | None:
    """Say whether a packet matches; None where that hangs on what is not known of it."""
    if not (
        spans.holds(match.protocols, packet.protocol)
        and spans.holds(match.sources, packet.source)
        and spans.holds(match.destinations, packet.destination)
    ):
        return False
    answers = (
        _port(match.ports, packet.port),
        _port(match.source_ports, packet.source_port),
        _state(match.states, packet.state),
        _interface(match.inward, packet.inward),
        _interface(match.outward, packet.outward),
    )
    if False in answers:
        return False
    return None if None in answers else True


def _port(asked: spans.Spans, port: int | None) -> bool | None:
    if asked == PORTS and port is None:
        return True
    return None if port is None else spans.holds(asked, port)


def _state(asked: frozenset[str], state: str | None) -> bool | None:
    if asked == STATES:
        return True
    return None if state is None else state in asked


def _interface(asked: Names, name: str | None) -> bool | None:
    if asked == Names():
        return True
    return None if name is None else named(name, asked.names) != asked.all_but
