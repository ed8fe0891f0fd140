"""All that is wrong with a request that was refused, for whoever must mend its sender.

Rules:
- The reader stops where it knows enough to refuse; what it refused is read once more here, and only then. The first
  mistake is the reader's own.
- Of an element with a mistake each part is checked by itself: what one mistake hides of another is found too (a rule,
  a binding). Nothing else decides here what a mistake is.
- At most ``issues_max`` are told and ``CHECKS_MAX`` parts looked at; of a body over ``BYTES_MAX`` what the reader saw.
- A bundle that is bad itself is told as that; else the mistakes of each bad entry, in their order.

Deliberately absent: good requests, values.
"""

from __future__ import annotations

from typing import Any

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir.check import At, DefinitionError, Issue, check_as, place
from oathward.protocols.fhir.limits import LIMITS, Limits
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.nodes import ANY, Node, resource_node
from oathward.protocols.fhir.reader import decode, open_request, read_bundle

BYTES_MAX = 32_768
CHECKS_MAX = 500
_DEPTH_MAX = 4
_OF_THE_WHOLE = frozenset((Reason.ELEMENT_MISSING, Reason.ELEMENT_REPEATED, Reason.RULE_BROKEN))
"""What is said of an object for what stands beside the part that is looked at."""
_OF_REFERENCES = ("(dom-3)", "(ref-1)")
"""Rules on a reference and what is contained: they are of two elements."""


def mistakes_of(raw: bytes, limits: Limits = LIMITS) -> list[Issue]:
    """List what is wrong with a request, the reason for its refusal first; nothing where nothing is.

    Args:
        raw: as ``reader.request_bytes`` writes it.
    """
    try:
        request, body = open_request(raw, limits)
        if not request.target:
            return _bundle(raw, body, limits)
        decode(raw, limits)
    except DefinitionError as error:
        return _more(error, body, None, len(raw), limits) if request.target else [*error.issues]
    except DecodeError as error:
        return [Issue(error.where, error.reason, error.why)]
    return []


def told_of(error: DecodeError) -> list[Issue]:
    """List what an error says."""
    if isinstance(error, DefinitionError):
        return [*error.issues]
    return [Issue(error.where, error.reason, error.why)]


def _bundle(raw: bytes, body: Resource, limits: Limits) -> list[Issue]:
    found: list[Issue] = []
    for i, read in enumerate(read_bundle(body, limits)[1]):
        error = read.error
        if error is None:
            continue
        entry = body["entry"][i]
        resource = entry.get("resource") if entry.__class__ is dict else None
        at: At = ((((None, "Bundle", -1), "entry", i)), "resource", -1)
        if isinstance(error, DefinitionError):
            _join(found, _more(error, resource, at, len(raw), limits), limits)
        else:
            _join(found, told_of(error), limits)
        if len(found) >= limits.issues_max:
            break
    return found


def _more(error: DefinitionError, value: Any, at: At | None, size: int, limits: Limits) -> list[Issue]:
    """Add to the mistakes of a resource what they hide."""
    found = [*error.issues]
    if size <= BYTES_MAX:
        _Closer(limits, found).look(value, ANY, at or (None, "resource", -1), 0)
    return found


class _Closer:
    """A look at each part of what has a mistake, for as long as there is room."""

    def __init__(self, limits: Limits, found: list[Issue]) -> None:
        self._limits, self._found, self._left = limits, found, CHECKS_MAX

    def look(self, value: Any, node: Node, at: At, depth: int) -> None:
        """Check each element of an object as if it stood alone."""
        kind = value.get("resourceType") if value.__class__ is dict else None
        if node.any and kind.__class__ is str:
            node = resource_node(kind) or node
            at = at if at[0] is not None else (None, kind, -1)
        if node.any or value.__class__ is not dict or depth > _DEPTH_MAX:
            return
        for key, item in value.items():
            field = node.fields.get(key)
            if field is None or key == "resourceType":
                continue
            several = item.__class__ is list and f"_{key}" not in value
            for i, one in enumerate(item) if several else ((-1, item),):
                if self._left <= 0 or len(self._found) >= self._limits.issues_max:
                    return
                self._left -= 1
                wrong = self._alone(value, key, [one] if several else one, node, at, i)
                if wrong and field.node is not None:
                    self.look(one, field.node, (at, key, i), depth + 1)

    def _alone(self, value: Resource, key: str, item: Any, node: Node, at: At, i: int) -> bool:
        """Check one element, or one of several; says whether something is wrong with it."""
        names = ("resourceType", f"_{key}")
        alone = {name: value[name] for name in names if name in value and (node.resource or name != names[0])}
        top = place(at)
        first, own = f"{top}.{key}[0]", f"{top}.{key}[{i}]"
        issues = [
            issue._replace(where=own + issue.where.removeprefix(first))
            if i >= 0 and issue.where.startswith(first)
            else issue
            for issue in check_as(node, alone | {key: item}, at, self._limits).issues
            if not _of_whole(issue, top)
        ]
        _join(self._found, issues, self._limits)
        return bool(issues)


def _of_whole(issue: Issue, top: str) -> bool:
    """Say whether an issue is about what was left out around the part."""
    outer = issue.where.rpartition(".")[0]
    if issue.where.startswith(f"{top}.children()") or issue.why.endswith(_OF_REFERENCES):
        return True
    return issue.reason in _OF_THE_WHOLE and (
        issue.where == top or (outer == top and issue.reason is not Reason.RULE_BROKEN)
    )


def _join(found: list[Issue], more: list[Issue], limits: Limits) -> None:
    known = {(issue.where, issue.reason) for issue in found}
    for issue in more:
        if (issue.where, issue.reason) not in known and len(found) < limits.issues_max:
            found.append(issue)
            known.add((issue.where, issue.reason))
