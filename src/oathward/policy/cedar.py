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

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy
import orjson

from oathward.core.errors import PolicyError
from oathward.core.labels import Assurance
from oathward.policy import starter
from oathward.policy.model import Facts, Link, Recipient, in_order
from oathward.policy.reading import near

SCHEMA_FILE = "schema.cedarschema"
SCHEMA_VERSION = 1
CUT_POLICIES_MAX = 128
"""The most policies one link may have to read; more means they are not scoped."""

_ANNOTATIONS = ("id", "why", "notify")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;')
_BLANK = re.compile(r"(?:\s|//[^\n]*(?:\n|$))*")
_TICKED = re.compile(r"`([^`]*)`")
_POLICY_PREFIX = re.compile(r"^(Policy parse error: |for policy `[^`]*`, )")


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy: its id, where it stands, what it asks to be told to whom, and its tree."""

    id: str
    where: str
    permits: bool
    notify: tuple[str, ...]
    tree: Mapping[str, Any]

    def reaches(self, action: str, link: str, recipient: str) -> bool:
        """Whether its scope can match this action on this link; an unknown form counts as yes."""
        return _action_fits(self.tree["action"], action) and _resource_fits(
            self.tree["resource"], link, recipient
        )


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
    named = {name for text in errors for name in _TICKED.findall(text)[:1]}
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
def schema() -> cedarpy.Schema:
    """Give Oathward's schema, parsed."""
    return cedarpy.Schema.from_str(starter.text(SCHEMA_FILE))


def check_schema(content: bytes | None, errors: list[PolicyError]) -> None:
    """Note whatever makes a bundle's schema differ from ours in meaning; comments may differ."""
    write = f"copy {SCHEMA_FILE} from what `oathward policy init` writes (schema {SCHEMA_VERSION})"
    if content is None:
        errors.append(PolicyError(SCHEMA_FILE, f"missing; {write}"))
        return
    text, why = content.decode(errors="replace"), f"differs from schema {SCHEMA_VERSION} of Oathward"
    try:
        if str(cedarpy.Schema.from_str(text)) == str(schema()):
            return
    except ValueError as error:
        why = str(error)
    ours = {row.strip() for row in starter.text(SCHEMA_FILE).split("\n")}
    line = next((n for n, row in enumerate(text.split("\n"), 1) if row.strip() not in ours), 1)
    errors.append(PolicyError(f"{SCHEMA_FILE}:{line}", f"{why}; {write}"))


def read(path: str, content: bytes, errors: list[PolicyError]) -> list[Statement]:
    """Read one Cedar file, policy by policy, so that each mistake has its line."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        errors.append(PolicyError(f"{path}:{line}", "not UTF-8; save the file as UTF-8"))
        return []
    found = (_statement(path, chunk, line, errors) for chunk, line in _chunks(text))
    return [statement for statement in found if statement is not None]


def _chunks(text: str) -> Iterator[tuple[str, int]]:
    """Cut a Cedar text at its semicolons: each policy with the line it starts on."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            yield _chunk(text, start, token.end())
            start = token.end()
    rest, line = _chunk(text, start, len(text))
    if rest:
        yield rest, line


def _chunk(text: str, start: int, end: int) -> tuple[str, int]:
    blank = _BLANK.match(text, start, end)
    first = blank.end() if blank else start
    return text[first:end], text.count("\n", 0, first) + 1


def _statement(path: str, chunk: str, line: int, errors: list[PolicyError]) -> Statement | None:
    where = f"{path}:{line}"
    try:
        parsed = orjson.loads(cedarpy.policies_to_json_str(chunk))
    except ValueError as error:
        place = f"{path}:{_line_in(chunk, str(error), line)}"
        ended = " before `;`: every policy ends with one" if "end of input" in str(error) else ""
        errors.append(PolicyError(place, f"not Cedar: {error}{ended}"))
        return None
    if parsed["templates"]:
        errors.append(PolicyError(where, 'templates are not used; name it: resource == Link::"…"'))
        return None
    tree = next(iter(parsed["staticPolicies"].values()))
    notes = tree.pop("annotations", {})
    tree["annotations"] = {}
    for name in notes:
        if name not in _ANNOTATIONS:
            at = f"{path}:{_line_in(chunk, f'`@{name}`', line)}"
            errors.append(PolicyError(at, f"unknown annotation `@{name}`; {near(name, _ANNOTATIONS)}"))
    _validate(path, chunk, line, errors)
    if not notes.get("id"):
        errors.append(PolicyError(where, 'a policy needs a name; write @id("…") on the line above it'))
        return None
    roles = tuple(sorted(filter(None, (role.strip() for role in (notes.get("notify") or "").split(",")))))
    return Statement(notes["id"], where, tree["effect"] == "permit", roles, tree)


def _validate(path: str, chunk: str, line: int, errors: list[PolicyError]) -> None:
    texts = [
        _POLICY_PREFIX.sub("", error.error) for error in cedarpy.validate_policies(chunk, schema()).errors
    ]
    said: set[str] = set()
    for why in texts:
        subject = (_TICKED.findall(why) or [why])[0]
        if subject in said or (said and why.startswith("unable to find an applicable action")):
            continue  # one mistake, told once for each action or once more in general
        said.add(subject)
        errors.append(PolicyError(f"{path}:{_line_in(chunk, why, line)}", why + _hint(why)))


def _hint(why: str) -> str:
    """Turn what Cedar did not find into what there is."""
    if found := re.match(r'attribute `(\w+)` (?:in context for Action::"|on entity type `)(\w+)', why):
        known = _schema_words()[found[2]]
        return f"; {near(found[1], known)}" + ("" if known else ": what is known of it stands in the context")
    if found := re.match(r'unrecognized (action|entity type) `(?:Action::)?"?(\w+)', why):
        actions = {name for name in _schema_words() if name in _ACTIONS}
        return f"; {near(found[2], actions if found[1] == 'action' else set(_schema_words()) - actions)}"
    return ""


_ACTIONS = ("Disclose", "Read", "Open", "Change", "Approve", "Contain")


@lru_cache(maxsize=1)
def _schema_words() -> dict[str, set[str]]:
    """Map each entity and action of the schema to its attributes."""
    words: dict[str, set[str]] = {}
    current = ""
    for row in re.sub(r"//[^\n]*", "", starter.text(SCHEMA_FILE)).split("\n"):
        if found := re.match(r"(?:entity|action) (\w+)", row):
            current = found[1]
            words[current] = set()
        names = set(re.findall(r"(\w+): ", row)) - {"principal", "resource", "context"}
        words.setdefault(current, set()).update(names)
    words.pop("", None)
    return words


def _line_in(chunk: str, why: str, line: int) -> int:
    """Find the line an error speaks of: where its first quoted word stands, else the end or the start."""
    for word in re.findall(r"`([^`]+)`|'([^']+)'", why):
        form = re.escape(word[0] or word[1])
        if not form[-1].isalnum() and not word[0]:
            form = rf"(?<![=!<>&|]){form}(?![=&|])"  # `=` alone, not a part of `==`
        found = re.search(form, chunk)
        if found:
            return line + chunk.count("\n", 0, found.start())
    return line + (chunk.rstrip().count("\n") if "end of input" in why else 0)


def check_references(
    statements: Iterable[Statement], known: Mapping[str, Iterable[str]], errors: list[PolicyError]
) -> None:
    """Note policies that name a link or recipient that the bundle does not declare, and ids used twice."""
    seen: dict[str, str] = {}
    for statement in statements:
        if statement.id in seen:
            errors.append(
                PolicyError(statement.where, f'@id("{statement.id}") stands already at {seen[statement.id]}')
            )
        seen.setdefault(statement.id, statement.where)
        for kind, name in sorted(_references(statement.tree)):
            if kind in known and name not in set(known[kind]):
                errors.append(
                    PolicyError(
                        statement.where,
                        f'{kind}::"{name}" is not declared in this bundle; {near(name, known[kind])}',
                    )
                )


def _references(tree: Any) -> set[tuple[str, str]]:
    if isinstance(tree, Mapping):
        if set(tree) == {"type", "id"}:
            return {(str(tree["type"]), str(tree["id"]))}
        return set().union(*(_references(part) for part in tree.values()))
    if isinstance(tree, list):
        return set().union(*(_references(part) for part in tree))
    return set()


def _unscoped(tree: Mapping[str, Any], link: str, recipient: str) -> dict[str, Any]:
    """Leave out what a scope says and every request on this link meets: half of what evaluation costs.

    Only forms that were decided here; any other stays as it is, for Cedar to decide.
    """
    found = dict(tree)
    if _action_fits(tree["action"], "Disclose", unknown=False):
        found["action"] = {"op": "All"}
    if _resource_fits(tree["resource"], link, recipient, unknown=False):
        found["resource"] = {"op": "All"}
    if tree["principal"] == {"op": "is", "entity_type": "Device"}:
        found["principal"] = {"op": "All"}
    return found


def _action_fits(scope: Mapping[str, Any], action: str, *, unknown: bool = True) -> bool:
    match scope:
        case {"op": "All"}:
            return True
        case {"op": "==" | "in", "entity": {"id": str(name)}}:
            return name == action
        case {"op": "in", "entities": list(several)}:
            return any(entity["id"] == action for entity in several)
    return unknown


def _resource_fits(scope: Mapping[str, Any], link: str, recipient: str, *, unknown: bool = True) -> bool:
    ours = {("Link", link), ("Recipient", recipient)}
    match scope:
        case {"op": "All"}:
            return True
        case {"op": "==", "entity": {"type": kind, "id": name}}:
            return (kind, name) == ("Link", link)
        case {"op": "in", "entity": {"type": kind, "id": name}}:
            return (kind, name) in ours
        case {"op": "is", "entity_type": kind, "in": {"entity": {"type": parent, "id": name}}}:
            return kind == "Link" and (parent, name) in ours
        case {"op": "is", "entity_type": kind} if set(scope) == {"op", "entity_type"}:
            return bool(kind == "Link")
    return unknown
