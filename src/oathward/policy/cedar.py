"""Cedar: people, exceptions and conditions, beside the table of links.

Rules:
- The schema is Oathward's, one a bundle version; a bundle carries it so that its policies can be read
  and checked by anyone, and must not change it: no context attribute is ever optional or absent.
- Every policy has an ``@id``; what a decision rests on is named by it.
- A set is cut by action and destination once, at load, so a decision reads tens of policies.
- **Cedar fails open on errors**: a ``forbid`` that reads a missing attribute is skipped. Any entry in
  ``diagnostics.errors`` therefore makes the verdict an error, whatever Cedar answered.

Deliberately absent: element classes (the table of links decides those) and time (agreements and
consents have their dates, so that an answer knows how long it holds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy
import orjson

from oathward.core.errors import PolicyError
from oathward.core.labels import Assurance
from oathward.policy import starter
from oathward.policy.model import Facts, Link, Recipient, in_order
from oathward.policy.statements import TICKED, Statement, Vocabulary, action_fits, resource_fits

SCHEMA_FILE = "schema.cedarschema"
SCHEMA_VERSION = 2
CUT_POLICIES_MAX = 128
"""The most policies one link may have to read; more means they are not scoped."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Cedar says: ``policies`` determined it; ``errors`` are ids of policies that failed."""

    allowed: bool
    policies: tuple[str, ...]
    notify: tuple[str, ...]
    errors: tuple[str, ...]


class Cut:
    """The policies that can reach one link for ``Disclose``, parsed once.

    ``reads``: the attributes of the context that any of them reads; ``by_device``: whether any looks at the
    device itself. Only that is sent, and an answer hangs on nothing else.
    """

    __slots__ = ("_entities", "_notify", "_resource", "_set", "by_device", "policies", "reads")

    def __init__(self, link: Link, recipient: Recipient, statements: Sequence[Statement]) -> None:
        chosen = [s for s in statements if s.reaches("Disclose", link.id, recipient.id)]
        self.policies = tuple(s.id for s in chosen)
        self._notify = {s.id: s.notify for s in chosen if s.notify}
        read = frozenset[str]().union(*(_reads(s.tree["conditions"]) for s in chosen))
        self.reads = tuple(sorted(read & _CONTEXT))
        self.by_device = _PRINCIPAL in read or not all(_any_device(s.tree["principal"]) for s in chosen)
        trees = {s.id: _unscoped(s.tree, link.id, recipient.id) for s in chosen}
        body = {"templates": {}, "staticPolicies": trees, "templateLinks": []}
        self._set = cedarpy.PolicySet.from_json_str(orjson.dumps(body).decode())
        self._entities = cedarpy.Entities.from_json_str(orjson.dumps(entities(link, recipient)).decode())
        self._resource = {"type": "Link", "id": link.id}

    def ask(self, device: str, context: str) -> Verdict:
        """Evaluate ``Disclose`` by a device on this link.

        Args:
            device: inventory id.
            context: JSON of ``context_of``.
        """
        request = {
            "principal": {"type": "Device", "id": device},
            "action": _DISCLOSE,
            "resource": self._resource,
            "context": context,
        }
        result = cedarpy.is_authorized(request, self._set, self._entities)
        policies = tuple(sorted(result.diagnostics.reasons))
        notify = self._notify and {role for p in policies for role in self._notify.get(p, ())}
        return Verdict(result.allowed, policies, tuple(sorted(notify)), failures(result))


_DISCLOSE = {"type": "Action", "id": "Disclose"}


def failures(result: cedarpy.AuthzResult) -> tuple[str, ...]:
    """Name the policies that failed; empty only when every one was evaluated.

    The guard against Cedar's failing open. Error texts are dropped: they may quote attributes.
    """
    errors = result.diagnostics.errors
    if not errors and result.decision is not cedarpy.Decision.NoDecision:
        return ()
    named = {name for text in errors for name in TICKED.findall(text)[:1]}
    return tuple(sorted(named)) or ("request",)


def context_of(facts: Facts, names: Iterable[str]) -> str:
    """Write the ``Disclose`` context as JSON: each named attribute, always; none is optional."""
    return orjson.dumps({name: _WRITE[name](facts) for name in names}).decode()


_NONE = frozenset[str]()
_PRINCIPAL = "principal"
_ASSURANCE = {assurance: assurance.rank for assurance in Assurance}
_WRITE: dict[str, Callable[[Facts], object]] = {
    "assurance": lambda facts: _ASSURANCE[facts.assurance or Assurance.NONE],
    "confidentiality": lambda facts: facts.confidentiality,
    "device_kind": lambda facts: facts.device_kind,
    "device_tags": lambda facts: in_order(facts.device_tags or _NONE),
    "message_type": lambda facts: facts.message_type,
    "sensitivity": lambda facts: in_order(facts.sensitivity or _NONE),
    "subject": lambda facts: facts.subject_kind,
}
_CONTEXT = frozenset(_WRITE)
"""Every attribute of the ``Disclose`` context."""


def _reads(tree: Any) -> frozenset[str]:
    """Which attributes of the context a condition reads; all of them where it takes the context whole."""
    match tree:
        case {".": {"left": {"Var": "context"}, "attr": str(name)}}:
            return frozenset({name})
        case {"Var": "context"}:
            return _CONTEXT
        case {"Var": "principal"}:
            return frozenset({_PRINCIPAL})
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return _NONE.union(*(_reads(part) for part in parts))


def _any_device(scope: Mapping[str, Any]) -> bool:
    return scope["op"] == "All" or (scope["op"] == "is" and "in" not in scope)


def entities(link: Link, recipient: Recipient) -> list[dict[str, Any]]:
    """Describe a link and its recipient to Cedar, as the schema says."""
    owner = {"type": "Recipient", "id": recipient.id}
    return [
        {
            "uid": owner,
            "attrs": {
                "external": recipient.external,
                "kind": recipient.kind,
                "party": recipient.party,
                "zone": recipient.zone,
            },
            "parents": [],
        },
        {
            "uid": {"type": "Link", "id": link.id},
            "attrs": {
                "agreement": link.agreement,
                "carries_identity": link.carries_identity,
                "project": link.project,
                "purpose": str(link.purpose),
                "recipient": {"__entity": owner},
                "without_consent": link.without_consent,
            },
            "parents": [owner],
        },
    ]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Give Oathward's own schema of messages on links."""
    return Vocabulary(starter.text(SCHEMA_FILE))


def check_schema(content: bytes | None, errors: list[PolicyError]) -> None:
    """Note whatever makes a bundle's schema differ from ours in meaning; comments may differ."""
    write = f"copy {SCHEMA_FILE} from what `oathward policy init` writes (schema {SCHEMA_VERSION})"
    if content is None:
        errors.append(PolicyError(SCHEMA_FILE, f"missing; {write}"))
        return
    text, why = content.decode(errors="replace"), f"differs from schema {SCHEMA_VERSION} of Oathward"
    try:
        if str(cedarpy.Schema.from_str(text)) == str(vocabulary().schema):
            return
    except ValueError as error:
        why = str(error)
    ours = {row.strip() for row in starter.text(SCHEMA_FILE).split("\n")}
    line = next((n for n, row in enumerate(text.split("\n"), 1) if row.strip() not in ours), 1)
    errors.append(PolicyError(f"{SCHEMA_FILE}:{line}", f"{why}; {write}"))


def _unscoped(tree: Mapping[str, Any], link: str, recipient: str) -> dict[str, Any]:
    """Leave out what a scope says and every request on this link meets: half of what evaluation costs.

    Only forms that were decided here; any other stays as it is, for Cedar to decide.
    """
    found = dict(tree)
    if action_fits(tree["action"], "Disclose", unknown=False):
        found["action"] = {"op": "All"}
    if resource_fits(tree["resource"], link, recipient, unknown=False):
        found["resource"] = {"op": "All"}
    if tree["principal"] == {"op": "is", "entity_type": "Device"}:
        found["principal"] = {"op": "All"}
    return found
