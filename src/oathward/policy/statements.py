"""Read Cedar policies one by one: each with its id, its place and its tree, each mistake with its line.

Rules:
- Every policy has an ``@id``; ``@why`` says it in words, ``@notify`` names roles that are told.
- A policy is checked against one ``Vocabulary``: the schema of messages on links, or that of people and things.
- Templates are not used: what a policy is about is named in it.

Deliberately absent: evaluation (``cedar``, ``access``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cedarpy
import orjson

from oathward.core.errors import PolicyError
from oathward.policy.files import unseen
from oathward.policy.reading import near

TICKED = re.compile(r"`([^`]*)`")

_ANNOTATIONS = ("id", "why", "notify")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;')
_BLANK = re.compile(r"(?:\s|//[^\n]*(?:\n|$))*")
_POLICY_PREFIX = re.compile(r"^(Policy parse error: |for policy `[^`]*`, )")


@dataclass(frozen=True)
class Vocabulary:
    """A schema as text, and what stands in it."""

    text: str

    @cached_property
    def schema(self) -> cedarpy.Schema:
        """Give it parsed."""
        return cedarpy.Schema.from_str(self.text)

    @cached_property
    def words(self) -> dict[str, set[str]]:
        """Map each entity and action to its attributes."""
        words: dict[str, set[str]] = {}
        current = ""
        for row in re.sub(r"//[^\n]*", "", self.text).split("\n"):
            if found := re.match(r'(?:entity|action|type) "?([\w.-]+)"?', row):
                current = found[1]
                words[current] = set()
            names = set(re.findall(r"(\w+): ", row)) - {"principal", "resource", "context"}
            words.setdefault(current, set()).update(names)
        words.pop("", None)
        return words

    @cached_property
    def actions(self) -> set[str]:
        """Name every action."""
        return set(re.findall(r'^action "?([\w.-]+)"?', self.text, re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy: its id, where it stands, who is told, its tree, and why in words."""

    id: str
    where: str
    permits: bool
    notify: tuple[str, ...]
    tree: Mapping[str, Any]
    why: str = ""

    def reaches(self, action: str, link: str, recipient: str) -> bool:
        """Whether its scope can match this action on this link; an unknown form counts as yes."""
        return action_fits(self.tree["action"], action) and resource_fits(
            self.tree["resource"], link, recipient
        )


def read(path: str, content: bytes, errors: list[PolicyError], vocabulary: Vocabulary) -> list[Statement]:
    """Read one Cedar file, policy by policy, so that each mistake has its line."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        errors.append(PolicyError(f"{path}:{line}", "not UTF-8; save the file as UTF-8"))
        return []
    found = (statement(path, chunk, line, errors, vocabulary) for chunk, line in _chunks(text))
    return [one for one in found if one is not None]


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


def without(text: str, lines: Collection[int]) -> str:
    """Give a Cedar text without the policies that begin on these lines; what is said above them stays."""
    kept, start = [], 0
    for token in _TOKEN.finditer(text):
        if token[0] != ";":
            continue
        _, line = _chunk(text, start, token.end())
        blank = _BLANK.match(text, start, token.end())
        first = blank.end() if blank else start
        kept.append(text[start:first] if line in lines else text[start : token.end()])
        start = token.end()
    return re.sub(r"\n{3,}", "\n\n", "".join([*kept, text[start:]]))


def _chunk(text: str, start: int, end: int) -> tuple[str, int]:
    blank = _BLANK.match(text, start, end)
    first = blank.end() if blank else start
    return text[first:end], text.count("\n", 0, first) + 1


def statement(
    path: str, chunk: str, line: int, errors: list[PolicyError], vocabulary: Vocabulary
) -> Statement | None:
    """Read one policy, noting what is wrong with it."""
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
    _validate(path, chunk, line, errors, vocabulary)
    if not notes.get("id"):
        errors.append(PolicyError(where, 'a policy needs a name; write @id("…") on the line above it'))
        return None
    if why := next(filter(None, map(unseen, (one or "" for one in notes.values()))), ""):
        errors.append(PolicyError(where, f"what is said above the policy {why}; take it out"))
        return None
    roles = tuple(sorted(filter(None, (role.strip() for role in (notes.get("notify") or "").split(",")))))
    return Statement(notes["id"], where, tree["effect"] == "permit", roles, tree, notes.get("why") or "")


def _validate(path: str, chunk: str, line: int, errors: list[PolicyError], vocabulary: Vocabulary) -> None:
    texts = [
        _POLICY_PREFIX.sub("", error.error)
        for error in cedarpy.validate_policies(chunk, vocabulary.schema).errors
    ]
    said: set[str] = set()
    for why in texts:
        subject = (TICKED.findall(why) or [why])[0]
        if subject in said or (said and why.startswith("unable to find an applicable action")):
            continue  # one mistake, told once for each action or once more in general
        said.add(subject)
        errors.append(PolicyError(f"{path}:{_line_in(chunk, why, line)}", why + _hint(why, vocabulary)))


def _hint(why: str, vocabulary: Vocabulary) -> str:
    """Turn what Cedar did not find into what there is."""
    if found := re.match(r'attribute `(\w+)` (?:in context for Action::"|on entity type `)([\w.-]+)', why):
        known = vocabulary.words.get(found[2], set())
        return f"; {near(found[1], known)}" + ("" if known else ": what is known of it stands in the context")
    if found := re.match(r'unrecognized (action|entity type) `(?:Action::)?"?([\w.-]+)', why):
        there = vocabulary.actions
        return f"; {near(found[2], there if found[1] == 'action' else set(vocabulary.words) - there)}"
    return ""


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
    for one in statements:
        if one.id in seen:
            errors.append(PolicyError(one.where, f'@id("{one.id}") stands already at {seen[one.id]}'))
        seen.setdefault(one.id, one.where)
        for kind, name in sorted(references(one.tree)) if known else ():
            if kind in known and name not in set(known[kind]):
                errors.append(
                    PolicyError(
                        one.where,
                        f'{kind}::"{name}" is not declared in this bundle; {near(name, known[kind])}',
                    )
                )


def references(tree: Any) -> set[tuple[str, str]]:
    """Give what a policy's tree names: kind and id."""
    if isinstance(tree, Mapping):
        if set(tree) == {"type", "id"}:
            return {(str(tree["type"]), str(tree["id"]))}
        return set().union(*(references(part) for part in tree.values()))
    if isinstance(tree, list):
        return set().union(*(references(part) for part in tree))
    return set()


def action_fits(
    scope: Mapping[str, Any], action: str, groups: frozenset[str] = frozenset(), *, unknown: bool = True
) -> bool:
    """Whether a scope can match an action that stands in these groups; ``unknown`` for a form not known."""
    match scope:
        case {"op": "All"}:
            return True
        case {"op": "==" | "in", "entity": {"id": str(name)}}:
            return name == action or name in groups
        case {"op": "in", "entities": list(several)}:
            return any(entity["id"] == action or entity["id"] in groups for entity in several)
    return unknown


def resource_fits(scope: Mapping[str, Any], link: str, recipient: str, *, unknown: bool = True) -> bool:
    """Whether a scope can match a link of a recipient; ``unknown`` for a form not known."""
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
