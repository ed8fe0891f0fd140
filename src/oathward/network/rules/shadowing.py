"""Rules that can never decide anything: what stands before them in their chain leaves them nothing, or no rule leads to their chain. Pure.

Rules:
- A rule is shadowed only where that is certain: what stands before it is understood and ends, and together takes all it matches.
- What is left of a rule is kept as at most ``PIECES_MAX`` matches; beyond that it is not called shadowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from oathward.network.rules import spans
from oathward.network.rules.model import LEAVES, Action, Chain, Match, Names, Rule, Ruleset, but
from oathward.network.rules.nft_match import both_names, empty, met

PIECES_MAX = 64
LOOKED_MAX = 2_000_000
"""Pairs of matches that are compared for a rule set; rules beyond are not called shadowed."""


def shadowed(ruleset: Ruleset) -> Iterator[tuple[Rule, tuple[Rule, ...]]]:
    """Give rules that never decide, each with those before it that take all it matches (none where nothing leads to its chain)."""
    led = _led_to(ruleset)
    looked = 0
    for chain in ruleset.chains.values():
        if not chain.hook and chain.key not in led:
            yield from ((rule, ()) for rule in chain.rules)
            continue
        for at, rule in enumerate(chain.rules):
            looked += at * len(rule.branches)
            if looked > LOOKED_MAX:
                return
            by = _taken(chain, at)
            if by is not None:
                yield rule, by


def _led_to(ruleset: Ruleset) -> set[str]:
    """Give the chains that a chain of a hook leads to; all of them where a rule that is not understood may lead anywhere."""
    open_ = [chain.key for chain in ruleset.chains.values() if chain.hook]
    found = set(open_)
    while open_:
        chain = ruleset.chains[open_.pop()]
        for rule in chain.rules:
            for branch in rule.branches:
                if branch.action is Action.UNCLEAR:
                    return set(ruleset.chains)
                target = " ".join((*chain.key.split(" ")[:2], branch.target))
                if branch.target and target in ruleset.chains and target not in found:
                    found.add(target)
                    open_.append(target)
    return found


def _taken(chain: Chain, at: int) -> tuple[Rule, ...] | None:
    """Give the rules before one that together take all it matches; None where something is left."""
    left = [branch.match for branch in chain.rules[at].branches]
    if not left:
        return ()
    by = []
    for rule in chain.rules[:at]:
        if rule.unclear:
            continue
        for branch in rule.branches:
            if branch.action not in LEAVES:
                continue
            after = [piece for match in left for piece in less(match, branch.match)]
            if len(after) > PIECES_MAX:
                return None
            if after != left and rule not in by:
                by.append(rule)
            left = after
            if not left:
                return tuple(by)
    return None


def less(a: Match, b: Match) -> list[Match]:
    """Give what ``a`` matches and ``b`` does not, as matches apart from each other."""
    if met(a, b) is None:
        return [a]
    pieces = []
    for name in ("sources", "destinations", "protocols", "source_ports", "ports"):
        mine, theirs = getattr(a, name), getattr(b, name)
        pieces.append(but(a, name, spans.without(mine, theirs)))
        a = but(a, name, spans.common(mine, theirs))
    pieces.append(replace(a, states=a.states - b.states))
    a = replace(a, states=a.states & b.states)
    for name in ("inward", "outward"):
        mine, theirs = getattr(a, name), getattr(b, name)
        if mine != theirs and any(word.endswith("*") for word in mine.names | theirs.names):
            pieces.append(a)
            break
        if mine != theirs:
            pieces.append(but(a, name, both_names(mine, Names(theirs.names, all_but=not theirs.all_but))))
            a = but(a, name, both_names(mine, theirs))
    return [piece for piece in pieces if not empty(piece)]
