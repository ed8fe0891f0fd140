"""Review of a site's own policies about people (``people/*.cedar``): which never fire, contradict, or are implied.

They are compared with the shipped rules and with each other, action by action, over all that can be told apart: every
flag, whether a person or a service asks, purposes and products that stand in the policies, and roles.

Rules:
- Roles are tried one and two at a time, of those that stand in the policies: a third only makes more of them match.
- *Contradicts*: of a permit whose every request some forbid says no, shipped ones among them.
- The shipped rules themselves are not reviewed; they are tested.
- More combinations than ``REQUESTS_MAX`` are not tried; nothing is said then.

Deliberately absent: who has which role (``people.views.review``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from math import prod
from typing import Any

import cedarpy
import orjson

from oathward.core.labels import Purpose, Role
from oathward.policy.access import Rules
from oathward.policy.actions import ACTIONS, entity_of
from oathward.policy.bundle import Bundle
from oathward.policy.review_edits import Files, without_policies
from oathward.policy.review_findings import Proposal, ReviewFinding
from oathward.policy.review_requests import OTHER, REQUESTS_MAX, compared, literals
from oathward.policy.statements import Statement, action_fits

_FLAGS = ("fresh", "ours", "own", "relation", "strong")
_TEXTS = ("make", "party", "purpose")
_CONTEXT = (*_FLAGS, *_TEXTS, "roles")
_ROLES = frozenset(role.value for role in Role)
_TOGETHER_MAX = 2

Request = Mapping[str, Any]


class PeopleMatcher:
    """One policy about people, compiled alone: whether it matches a request, whatever its effect is."""

    def __init__(self, statement: Statement) -> None:
        tree = {**statement.tree, "action": {"op": "All"}, "effect": "permit"}  # as ``access``: cut by action
        body = {"templates": {}, "staticPolicies": {statement.id: tree}, "templateLinks": []}
        self._set = cedarpy.PolicySet.from_json_str(orjson.dumps(body).decode())
        self._asked: dict[tuple[Any, ...], bool] = {}
        self.statement = statement
        self.words = compared(statement.tree["conditions"], _attribute)
        for name in ("principal", "resource"):
            self.words.setdefault(name, set()).update(literals(statement.tree[name]))
        self.reads = frozenset(_named(statement.tree["conditions"])) | {"principal", "resource"}

    def actions(self) -> list[str]:
        """The actions it can be about."""
        scope = self.statement.tree["action"]
        return [name for name, info in ACTIONS.items() if action_fits(scope, name, info.groups)]

    def matches(self, action: str, request: Request) -> bool:
        """Ask Cedar; an error counts as a match."""
        key = (action, *(request[name] for name in sorted(self.reads)))
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = self._ask(action, request)
        return found

    def _ask(self, action: str, request: Request) -> bool:
        kind, who = request["principal"]
        context = {name: request[name] for name in self.reads & set(_CONTEXT)}
        if "roles" in context:
            context["roles"] = sorted(context["roles"])
        asked = {
            "principal": {"type": kind, "id": who},
            "action": {"type": "Action", "id": action},
            "resource": {"type": entity_of(ACTIONS[action].thing), "id": request["resource"]},
            "context": orjson.dumps(context).decode(),
        }
        result = cedarpy.is_authorized(asked, self._set, _NO_ENTITIES)
        return bool(result.allowed or result.diagnostics.errors)


_NO_ENTITIES = cedarpy.Entities.from_json_str("[]")


def findings(bundle: Bundle, files: Files) -> Iterator[ReviewFinding]:
    """Review the policies about people that a site added."""
    own = [PeopleMatcher(one) for one in bundle.people]
    if not own:
        return
    mine = {one.statement.id for one in own}
    shipped = [PeopleMatcher(one) for one in Rules.builtin().statements if one.id not in mine]
    for place, one in enumerate(own):
        if not any(_some(one, action) for action in one.actions()):
            words = f"{one.statement.id} asks for what no request can have"
            yield _gone(files, "policy.never-fires", one, words)
            continue
        if one.statement.permits and (names := _contradicted(one, [*shipped, *own])):
            words = f"{one.statement.id} permits nothing: {' and '.join(names)} forbids all of it"
            yield _gone(files, "policy.contradicts", one, words)
            continue
        others = [(other, True) for other in shipped] + [
            (other, n < place) for n, other in enumerate(own) if n != place
        ]
        implied = next((o for o, earlier in others if _shadows(o, one, earlier=earlier)), None)
        if implied is not None:
            words = f"{one.statement.id} says nothing that {implied.statement.id} does not say already"
            yield _gone(files, "policy.shadowed", one, words)


def _gone(files: Files, rule: str, one: PeopleMatcher, words: str) -> ReviewFinding:
    statement = one.statement
    path = statement.where.rpartition(":")[0]
    proposal = Proposal(f"take {statement.id} out of {path}", without_policies(files, [statement]))
    return ReviewFinding(rule, f"policy:{statement.id}", words, proposal)


def _some(one: PeopleMatcher, action: str) -> bool:
    some = requests([one])
    return some is None or any(one.matches(action, request) for request in some)


def _contradicted(one: PeopleMatcher, every: Sequence[PeopleMatcher]) -> list[str]:
    """Name the forbids that together say no to all that a permit permits; none where something is left."""
    named: dict[str, None] = {}
    for action in one.actions():
        forbids = [other for other in every if not other.statement.permits and action in other.actions()]
        some = requests([one, *forbids])
        if some is None:
            return []
        for request in some:
            if one.matches(action, request):
                no = next((f for f in forbids if f.matches(action, request)), None)
                if no is None:
                    return []
                named[no.statement.id] = None
    return list(named)


def _shadows(other: PeopleMatcher, one: PeopleMatcher, *, earlier: bool) -> bool:
    """Whether another policy implies one; of two that are the same, the earlier does."""
    if other.statement.permits != one.statement.permits or not set(one.actions()) <= set(other.actions()):
        return False
    same = set(one.actions()) == set(other.actions())
    some = list(requests([one, other]) or ())
    for action in one.actions():
        for request in some:
            matched, implied = one.matches(action, request), other.matches(action, request)
            if matched and not implied:
                return False
            same = same and matched == implied
    return bool(some) and (earlier or not same)


def requests(matchers: Sequence[PeopleMatcher]) -> Iterator[Request] | None:
    """Give the requests that stand for all these policies can tell apart; None where they are too many."""
    names = sorted(frozenset[str]().union(*(one.reads for one in matchers)))
    words = {name: set[str]().union(*(one.words.get(name, ()) for one in matchers)) for name in names}
    values = [_values(name, words[name]) for name in names]
    if prod(map(len, values)) > REQUESTS_MAX:
        return None
    return (dict(zip(names, row, strict=True)) for row in product(*values))


def _values(name: str, words: set[str]) -> Sequence[Any]:
    if name in _FLAGS:
        return (False, True)
    if name == "roles":
        roles = sorted(words & _ROLES)
        return [frozenset(some) for n in range(_TOGETHER_MAX + 1) for some in combinations(roles, n)]
    if name == "principal":
        return [(kind, who) for kind in ("Person", "Service") for who in (*sorted(words), OTHER)]
    if name == "purpose":
        return ["", *sorted(words & set(Purpose)), next(p.value for p in Purpose if p not in words)]
    return ["", *sorted(words), OTHER]


def _attribute(tree: Any) -> frozenset[str]:
    """Which attributes a comparison reads."""
    return frozenset(_named(tree))


def _named(tree: Any) -> Iterator[str]:
    match tree:
        case {".": {"left": {"Var": "context"}, "attr": str(name)}}:
            yield name
            return
        case {"Var": "context"}:
            yield from _CONTEXT
            return
        case {"Var": "principal" | "resource" as name}:
            yield name
            return
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    for part in parts:
        yield from _named(part)
