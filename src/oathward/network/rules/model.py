"""One rule, a chain of them, and all of a device: the model every format is read into. Pure.

Rules:
- A match is a product: its source *and* its destination *and* its protocol … must hold. What cannot be said so is a match more (a branch).
- ``unclear`` says in words of the format what of a rule was not understood; such a rule may match or not.
- Order is the order of ``Chain.rules``; the first that ends, ends.

Source: nft(8) (tables, chains, hooks, priorities, verdicts); RFC 3022 is why a translated address is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from oathward.network.rules.spans import ADDRESSES, PORTS, PROTOCOLS, Spans


class Action(StrEnum):
    """What a rule does with what it matches."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    JUMP = "jump"  # to another chain, and on behind this rule when that chain ends
    GOTO = "goto"  # to another chain, and not back
    RETURN = "return"
    CONTINUE = "continue"  # counts, logs, marks
    UNCLEAR = "unclear"  # it may end here, go elsewhere or change what the packet is


ENDS = frozenset({Action.ACCEPT, Action.DROP, Action.REJECT})
LEAVES = ENDS | {Action.GOTO, Action.RETURN}
"""After which no later rule of the same chain is asked."""

STATES = frozenset({"new", "established", "related", "invalid", "untracked"})


class Names(NamedTuple):
    """Names of interfaces: these, or all but these; ``*`` at the end of one stands for anything."""

    names: frozenset[str] = frozenset()
    all_but: bool = True


ANYWHERE = Names()


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule, or a branch of it, matches: all of it must hold.

    Args:
        sources, destinations: addresses. protocols: IP protocol numbers. source_ports, ports: of the transport; ``ports`` are those asked for.
        states: of the connection. inward, outward: interfaces.
    """

    sources: Spans = ADDRESSES
    destinations: Spans = ADDRESSES
    protocols: Spans = PROTOCOLS
    source_ports: Spans = PORTS
    ports: Spans = PORTS
    states: frozenset[str] = STATES
    inward: Names = ANYWHERE
    outward: Names = ANYWHERE


def but(match: Match, field: str, value: Any) -> Match:
    """Give a match with another set in one of its fields."""
    changed: dict[str, Any] = {field: value}
    return replace(match, **changed)


class Branch(NamedTuple):
    """One match of a rule and what follows from it; ``target``: the chain of a jump."""

    match: Match
    action: Action
    target: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it stands on a device.

    Args:
        place: where it stands, for people: ``inet filter forward #7``. chain: key of its chain. index: among the rules of all chains.
        text: as the device writes it, cut. hits: packets that it counted; None where it does not count them alone.
        unclear: what of it was not understood; then it may match or not.
    """

    place: str
    chain: str
    index: int
    branches: tuple[Branch, ...]
    text: str
    hits: int | None = None
    unclear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules in their order.

    Args:
        key: ``inet filter forward``. hook: ``prerouting``, ``input``, ``forward`` …; empty where only others lead to it.
        family: ``ip``, ``ip6``, ``inet``; of others (``bridge``, ``netdev``) nothing is decided. policy: where no rule ended it.
    """

    key: str
    family: str
    rules: tuple[Rule, ...]
    hook: str = ""
    priority: int = 0
    policy: Action = Action.ACCEPT


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules of one device.

    Args:
        chains: key -> chain. unclear: what of the whole was not understood, in words.
    """

    chains: Mapping[str, Chain]
    unclear: tuple[str, ...] = ()

    @property
    def rules(self) -> list[Rule]:
        """Give every rule, by its index."""
        return sorted(
            (rule for chain in self.chains.values() for rule in chain.rules), key=lambda rule: rule.index
        )


class Packet(NamedTuple):
    """The first packet of a flow; None is not known.

    Args:
        source, destination: as ``spans.number``. protocol: IP protocol number. inward, outward: interface it came in and goes out by.
    """

    source: int
    destination: int
    protocol: int
    source_port: int | None = None
    port: int | None = None
    state: str | None = "new"
    inward: str | None = None
    outward: str | None = None
