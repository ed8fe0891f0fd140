"""nftables in force, as JSON or text, as one ``Ruleset``. Pure.

Rules:
- What a match implies is part of it: ``tcp dport`` asks for TCP, ``ip saddr`` for IPv4.
- A set or map that changes by itself (``timeout``, ``dynamic``) may have held something else when a flow was seen: unclear.
- A rule that sends a packet elsewhere before it is routed (``dnat``, ``redirect``, ``tproxy``) or changes its addresses makes what follows unclear.

Source: libnftables-json(5), nft(8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network.rules import nft_text
from oathward.network.rules.model import Action, Branch, Chain, Match, Rule, Ruleset
from oathward.network.rules.nft_match import MATCHES_MAX, Elements, conditions, met
from oathward.network.rules.nft_said import said
from oathward.network.rules.words import PRIORITY

SIZE_BYTES_MAX = 32 * 1024 * 1024
RULES_MAX = 200_000
Tree = dict[str, Any]
Key = tuple[str, str, str]
"""Family, table and name."""

_PASSES = frozenset(
    {
        "counter",
        "log",
        "comment",
        "mangle",
        "dup",
        "flow",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "secmark",
        "last",
    }
)
_VERDICTS = {
    "accept": Action.ACCEPT,
    "drop": Action.DROP,
    "reject": Action.REJECT,
    "continue": Action.CONTINUE,
    "return": Action.RETURN,
}
_VERDICTS |= {"jump": Action.JUMP, "goto": Action.GOTO, "masquerade": Action.ACCEPT, "snat": Action.ACCEPT}
_ELSEWHERE = frozenset({"dnat", "redirect", "tproxy", "queue", "fwd", "synproxy", "xt"})


class _Around(NamedTuple):
    """What rules name: sets and maps, counters, and which of those several rules count on."""

    sets: Mapping[Key, Tree]
    counters: Mapping[Key, int]
    shared: frozenset[Key]

    def of(self, key: Key) -> Elements:
        """Give how a rule of this chain finds a named set."""

        def elements(name: str) -> list[Any] | None:
            body = self.sets.get((key[0], key[1], name))
            if body is None or "timeout" in body or {"dynamic", "timeout"} & set(_flags(body)):
                return None
            return list(body.get("elem", ()))

        return elements


@dataclass(slots=True)
class _Made:
    """A rule as it is read: its matches so far, its verdict, what else may follow from it, what was not understood."""

    parts: list[list[Match]] = field(default_factory=list)
    verdicts: list[Branch] = field(default_factory=list)
    also: list[Branch] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    hits: int | None = None
    over: bool = False


def read(data: bytes) -> Ruleset:
    """Read a listing, whichever of the two forms it has.

    Raises:
        InputError: ``message.json-invalid``, ``message.truncated``, ``message.limit-exceeded``; the place is a line.
    """
    if len(data) > SIZE_BYTES_MAX:
        raise InputError("file", f"at most {SIZE_BYTES_MAX >> 20} MiB", reason=Reason.LIMIT_EXCEEDED)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError("file", "is not UTF-8", reason=Reason.CHARSET_BROKEN) from error
    if text.lstrip()[:1] in {"{", "["}:
        return of_objects(_objects(text))
    objects, unclear = nft_text.read(text)
    return of_objects(objects, unclear)


def _objects(text: str) -> list[Tree]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise InputError(f"line {line}", "is not JSON", reason=Reason.JSON_INVALID) from error
    rows = whole.get("nftables") if isinstance(whole, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(
            "nftables", "a list of objects, as `nft -j list ruleset` gives", reason=Reason.JSON_INVALID
        )
    return rows


def of_objects(objects: Iterable[Tree], unclear: Iterable[str] = ()) -> Ruleset:
    """Make the model of a listing's objects.

    Raises:
        InputError: an object lacks what it must have; more rules than can be.
    """
    rows = [(kind, body) for row in objects for kind, body in row.items() if isinstance(body, dict)]
    try:
        return _ruleset(rows, list(unclear))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration, RecursionError) as error:
        raise InputError(
            "nftables", "an object lacks what it must have", reason=Reason.JSON_INVALID
        ) from error


def _ruleset(rows: list[tuple[str, Tree]], unclear: list[str]) -> Ruleset:
    dormant = {(b["family"], b["name"]) for kind, b in rows if kind == "table" and "dormant" in _flags(b)}
    live = [(kind, b) for kind, b in rows if (b.get("family"), b.get("table")) not in dormant]
    around = _around(live)
    rules: dict[Key, list[Tree]] = {}
    heads = {_key(b): b for kind, b in live if kind == "chain"}
    for kind, body in live:
        if kind == "rule":
            rules.setdefault((body["family"], body["table"], body["chain"]), []).append(body)
    if sum(map(len, rules.values())) > RULES_MAX:
        raise InputError("nftables", f"more than {RULES_MAX} rules", reason=Reason.LIMIT_EXCEEDED)
    chains, index = {}, 0
    for key in [*heads, *(key for key in rules if key not in heads)]:
        made = []
        for number, body in enumerate(rules.get(key, ()), 1):
            made.append(_rule(body, key, number, index, around))
            index += 1
        head = heads.get(key, {})
        chains[" ".join(key)] = Chain(
            " ".join(key),
            key[0],
            tuple(made),
            str(head.get("hook", "")),
            _priority(head.get("prio", 0)),
            _policy(head),
        )
    return Ruleset(chains, tuple(unclear))


def _around(rows: list[tuple[str, Tree]]) -> _Around:
    sets = {_key(b): b for kind, b in rows if kind in {"set", "map"}}
    counters = {_key(b): int(b.get("packets", 0)) for kind, b in rows if kind == "counter"}
    used: list[Key] = []
    for kind, body in rows:
        if kind == "rule":
            names = [one["counter"] for one in body.get("expr", ()) if isinstance(one.get("counter"), str)]
            used += [(body["family"], body["table"], name) for name in names]
    return _Around(sets, counters, frozenset(key for key in used if used.count(key) > 1))


def _flags(body: Tree) -> list[str]:
    flags = body.get("flags", [])
    return [flags] if isinstance(flags, str) else list(flags)


def _key(body: Tree) -> Key:
    return body["family"], body["table"], body["name"]


def _priority(value: object) -> int:
    words = str(value).replace("+", " + ").replace("-", " -").split()
    total = sum(PRIORITY.get(word, 0) for word in words[:1])
    return total + sum(int(word) for word in words if word.removeprefix("-").isdecimal())


def _policy(head: Tree) -> Action:
    return Action.DROP if head.get("policy") == "drop" else Action.ACCEPT


def _rule(body: Tree, key: Key, number: int, index: int, around: _Around) -> Rule:
    made = _Made()
    for one in body.get("expr", ()):
        kind, value = next(iter(one.items()))
        if kind == "counter":
            made.hits = _hits(value, key, around)
        elif kind == "match":
            made.hits = None  # what was counted before it is more than the rule matches
            found = conditions(value["left"], str(value["op"]), value["right"], around.of(key), made.unclear)
            made.parts.append(found)
        elif kind == "vmap":
            made.hits = None
            made.verdicts = _mapped(value, key, around, made.unclear)
        elif kind in _VERDICTS:
            made.verdicts = [Branch(Match(), _VERDICTS[kind], _target(value))]
        elif kind not in _PASSES or _moves(value):
            _not_understood(kind, value, made)
    text = str(body.get("text") or said(body.get("expr", []), str(body.get("comment", ""))))
    place = f"{' '.join(key)} #{body.get('handle') or number}"
    unclear = tuple(dict.fromkeys(made.unclear))
    branches = tuple(_crossed(made))
    if made.over:
        unclear = (*unclear, f"more than {MATCHES_MAX} matches")
    return Rule(place, " ".join(key), index, branches, nft_text.cut(text), made.hits, unclear)


def _not_understood(kind: str, value: Any, made: _Made) -> None:
    made.hits = None
    if kind in {"limit", "quota", "ct count", "set"}:
        made.unclear.append(kind)
        return
    words = [str(word) for word in value] if kind == "unclear" and isinstance(value, list) else [kind]
    made.unclear.append(" ".join(words[:3])[:60])
    if kind == "unclear":
        made.also += _verdicts_in(words)
    else:
        made.also.append(Branch(Match(), Action.UNCLEAR))


def _verdicts_in(words: list[str]) -> list[Branch]:
    """Find what a text that was not understood may end in."""
    found = []
    for at, word in enumerate(words):
        if word in {"jump", "goto"}:
            found.append(Branch(Match(), _VERDICTS[word], words[at + 1] if at + 1 < len(words) else ""))
        elif word in _VERDICTS:
            found.append(Branch(Match(), _VERDICTS[word]))
        elif word in _ELSEWHERE | {"vmap", "set", "map"}:
            found.append(Branch(Match(), Action.UNCLEAR))
    return found


def _mapped(value: Tree, key: Key, around: _Around, unclear: list[str]) -> list[Branch]:
    """Give a branch for each element of a verdict map; ``*`` is what no other element is."""
    elements = around.of(key)
    data = value["data"]
    rows = elements(data[1:]) if isinstance(data, str) else data["set"]
    if rows is None:
        unclear.append("vmap")
        return [Branch(Match(), Action.UNCLEAR)]
    found: list[Branch] = []
    others: list[Branch] = []
    keys = []
    for wanted, verdict in rows:
        plain = wanted["elem"]["val"] if isinstance(wanted, dict) and "elem" in wanted else wanted
        kind, target = next(iter(verdict.items()))
        action = _VERDICTS.get(kind, Action.UNCLEAR)
        if plain == "*":
            others.append(Branch(Match(), action, _target(target)))
            continue
        keys.append(plain)
        matches = conditions(value["key"], "==", {"set": [wanted]}, elements, unclear)
        found += [Branch(match, action, _target(target)) for match in matches]
    if others:
        matches = conditions(value["key"], "!=", {"set": keys}, elements, unclear)
        found += [Branch(match, other.action, other.target) for other in others for match in matches]
    return found


def _target(value: Any) -> str:
    return str(value["target"]) if isinstance(value, dict) and "target" in value else ""


def _moves(value: Any) -> bool:
    """Say whether a statement changes what a later match reads."""
    key = value.get("key") if isinstance(value, dict) else None
    return isinstance(key, dict) and "payload" in key


def _hits(value: Any, key: Key, around: _Around) -> int | None:
    if isinstance(value, dict):
        return int(value.get("packets", 0))
    name = (key[0], key[1], str(value))
    return around.counters.get(name) if isinstance(value, str) and name not in around.shared else None


def _crossed(made: _Made) -> list[Branch]:
    """Give every branch: what all matches together ask, with each verdict."""
    matches = [Match()]
    for part in made.parts:
        if len(matches) * len(part) > MATCHES_MAX:
            made.over = True
            continue
        matches = [both for one, other in product(matches, part) if (both := met(one, other))]
    verdicts = made.also + (made.verdicts or [Branch(Match(), Action.CONTINUE)])
    if len(matches) * len(verdicts) > MATCHES_MAX:
        made.over = True
        verdicts = list(dict.fromkeys(Branch(Match(), one.action, one.target) for one in verdicts))
        matches = [Match()]
    return [
        Branch(both, verdict.action, verdict.target)
        for verdict, match in product(verdicts, matches)
        if (both := met(match, verdict.match))
    ]
