"""Which requests one policy matches: asked of Cedar for every combination of the words it could tell apart.

A policy reads few attributes, and of each it can tell apart only the words that stand in it: so few requests stand for
all there could be. Two policies are compared over the words of both.

| attribute | stands for all |
|---|---|
| levels, assurance, subject, flags | every value |
| texts (kind, message type, purpose, a device) | the words that stand in the policies, and one that stands nowhere |
| sets (tags, sensitivities, roles) | every choice of the words that stand in the policies, and of one that stands nowhere |

Rules:
- With *known* words (what is declared or was seen) a request is only of these: can it come as things are?
- ``like`` takes texts apart in ways that no list of words is sure to meet, and too many combinations are not tried:
  the answer is then *unknown*, and nothing is said of the policy.

Deliberately absent: what follows from a comparison (``review_policies``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from math import prod
from typing import Any

import cedarpy
import orjson

from oathward.core.labels import Assurance, Confidentiality
from oathward.policy.cedar import entities
from oathward.policy.model import Link, Recipient
from oathward.policy.statements import Statement

REQUESTS_MAX = 20_000
"""Of one comparison; more are not tried."""

SET_WORDS_MAX = 8
OTHER = "~other~"
"""A word that stands nowhere."""

Request = Mapping[str, Any]
"""Attribute of the context → value; ``principal`` → id of the device."""

FIXED: Mapping[str, tuple[Any, ...]] = {
    "assurance": tuple(one.rank for one in Assurance),
    "confidentiality": tuple(one.value for one in Confidentiality),
    "subject": ("known", "holding", "none"),
}
SETS = ("device_tags", "sensitivity")
TEXTS = ("device_kind", "message_type", "principal")


class UnknownError(Exception):
    """It cannot be told by trying; ``args[0]`` says why in words."""


@dataclass(frozen=True)
class Known:
    """The words there are: empty sets are *not known*, and then any word may come."""

    kinds: frozenset[str] = frozenset()
    tags: frozenset[str] | None = None
    types: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()


class Matcher:
    """One policy on one link, compiled alone: whether it matches a request, whatever its effect is."""

    def __init__(self, statement: Statement, link: Link, recipient: Recipient) -> None:
        tree = {**statement.tree, "effect": "permit"}
        body = {"templates": {}, "staticPolicies": {statement.id: tree}, "templateLinks": []}
        self._set = cedarpy.PolicySet.from_json_str(orjson.dumps(body).decode())
        self._entities = cedarpy.Entities.from_json_str(orjson.dumps(entities(link, recipient)).decode())
        self._resource = {"type": "Link", "id": link.id}
        self._asked: dict[tuple[Any, ...], bool] = {}
        self.statement = statement
        self.reads = tuple(sorted(_reads(statement.tree["conditions"]) | _principal(statement.tree)))
        said = (
            recipient.kind,
            recipient.party,
            recipient.zone,
            link.agreement,
            link.project,
            str(link.purpose),
        )
        self.words = _words(statement.tree, frozenset(said))
        self.has_like = _has_like(statement.tree["conditions"])

    def matches(self, request: Request) -> bool:
        """Ask Cedar; an error counts as a match: it makes every such request indeterminate.

        Raises:
            KeyError: the request lacks something that the policy reads.
        """
        key = tuple(request[name] for name in self.reads)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = self._ask(request)
        return found

    def _ask(self, request: Request) -> bool:
        context = {name: _plain(request[name]) for name in self.reads if name != "principal"}
        asked = {
            "principal": {"type": "Device", "id": request.get("principal", OTHER)},
            "action": {"type": "Action", "id": "Disclose"},
            "resource": self._resource,
            "context": orjson.dumps(context).decode(),
        }
        result = cedarpy.is_authorized(asked, self._set, self._entities)
        return bool(result.allowed or result.diagnostics.errors)


@dataclass
class Matchers:
    """The matchers of one bundle, made when they are asked for."""

    recipients: Mapping[str, Recipient]
    _made: dict[tuple[str, str], Matcher] = field(default_factory=dict)

    def of(self, statement: Statement, link: Link) -> Matcher:
        """Give one policy's on one link."""
        key = statement.id, link.id
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Matcher(statement, link, self.recipients[link.recipient])
        return found


def requests(matchers: Sequence[Matcher], known: Known | None = None) -> Iterator[Request]:
    """Give the requests that stand for all there could be, as far as these policies can tell them apart.

    Args:
        known: give only such as could come with these words.

    Raises:
        UnknownError: they cannot all be tried.
    """
    names = sorted({name for one in matchers for name in one.reads})
    words = {name: frozenset[str]().union(*(one.words.get(name, ()) for one in matchers)) for name in names}
    texts = [name for name in names if name in TEXTS and name != "principal"]
    if texts and any(one.has_like for one in matchers) and not _all_known(texts, known):
        raise UnknownError("it compares by a pattern")
    values = [_values(name, words[name], known) for name in names]
    if prod(map(len, values)) > REQUESTS_MAX:
        raise UnknownError("it can tell too many requests apart")
    return (dict(zip(names, row, strict=True)) for row in product(*values))


def _all_known(names: Iterable[str], known: Known | None) -> bool:
    """Whether these texts are among words that are known, so that patterns meet nothing else."""
    if known is None:
        return False
    of = {"device_kind": known.kinds, "message_type": known.types}
    return all(of[name] for name in names)


def _values(name: str, words: frozenset[str], known: Known | None) -> Sequence[Any]:
    if name in FIXED:
        return FIXED[name]
    if name in SETS:
        tags = known.tags if known is not None and name == "device_tags" else None
        some = words if tags is None else words & tags
        if len(some) > SET_WORDS_MAX:
            raise UnknownError("it names too many words")
        listed = [*sorted(some), OTHER]
        picked = chain.from_iterable(combinations(listed, count) for count in range(len(listed) + 1))
        return [frozenset(one) for one in picked]
    there = {"device_kind": "kinds", "message_type": "types", "principal": "devices"}[name]
    ones: frozenset[str] = getattr(known, there) if known is not None else frozenset()
    if ones:
        named = words & ones
        return [*sorted(named), *sorted(ones - named)[: None if name != "principal" else 1]]
    return [*sorted(words), OTHER]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _reads(tree: Any) -> frozenset[str]:
    """Which attributes of the context a condition reads; all of them where it takes the context whole."""
    every = frozenset((*FIXED, *SETS, "device_kind", "message_type"))
    match tree:
        case {".": {"left": {"Var": "context"}, "attr": str(name)}}:
            return frozenset({name})
        case {"Var": "context"}:
            return every
        case {"Var": "principal"}:
            return frozenset({"principal"})
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return frozenset[str]().union(*(_reads(part) for part in parts))


def _principal(tree: Mapping[str, Any]) -> frozenset[str]:
    scope = tree["principal"]
    any_device = scope["op"] == "All" or (scope["op"] == "is" and "in" not in scope)
    return frozenset() if any_device else frozenset({"principal"})


def _words(tree: Mapping[str, Any], said: frozenset[str]) -> dict[str, set[str]]:
    """Give the texts that each attribute is compared with; of texts and sets nothing else tells two requests apart.

    Args:
        said: texts of the link and its recipient, which an attribute may be compared with too.
    """
    return compared(tree["conditions"], _reads, said, {"principal": set(literals(tree["principal"]))})


def compared(
    tree: Any,
    attributes: Callable[[Any], frozenset[str]],
    said: frozenset[str] = frozenset(),
    found: dict[str, set[str]] | None = None,
) -> dict[str, set[str]]:
    """Give the texts of a condition by the attributes they are compared with.

    Args:
        attributes: gives the attributes that a part of a condition reads.
        said: texts of the resource, which an attribute may be compared with too.
    """
    found = {} if found is None else found
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key in _COMPARISONS:
                words = {*literals(value), *(said if _has_resource(value) else ())}
                for name in attributes(value):
                    found.setdefault(name, set()).update(words)
            compared(value, attributes, said, found)
    elif isinstance(tree, list):
        for part in tree:
            compared(part, attributes, said, found)
    return found


def _has_resource(tree: Any) -> bool:
    if isinstance(tree, Mapping):
        return tree == {"Var": "resource"} or any(map(_has_resource, tree.values()))
    return isinstance(tree, list) and any(map(_has_resource, tree))


_COMPARISONS = frozenset({"==", "!=", "in", "is", "contains", "containsAll", "containsAny", "like"})


def literals(tree: Any) -> Iterator[str]:
    """Give every text that stands in a part of a policy, ids of what it names among them."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key in ("Value", "id", "Literal") and isinstance(value, str):
                yield value
            else:
                yield from literals(value)
    elif isinstance(tree, list):
        for part in tree:
            yield from literals(part)


def _has_like(tree: Any) -> bool:
    if isinstance(tree, Mapping):
        return "like" in tree or any(map(_has_like, tree.values()))
    return isinstance(tree, list) and any(map(_has_like, tree))
