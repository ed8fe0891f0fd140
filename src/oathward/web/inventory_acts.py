"""What a person says of endpoints on a page: what they are like, that two are one, that one is two, that this was wrong.

Rules:
- What may be said is what people know of a device; what follows from something else (an FDA class, an end of support) is not typed in.
- Words that are from a list of ours must be of it: type, stage of life, criticality, consequence, whether it stores patient data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.model import MarkKind
from oathward.endpoints import deciding
from oathward.endpoints.model import Lifecycle
from oathward.endpoints.types import TYPES, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oathward.endpoints.picture import Key
    from oathward.web.view import View

SAID: Mapping[str, str] = {
    "name": "Name",
    "type": "Type of device",
    "make": "Maker",
    "model": "Model",
    "serial": "Serial number",
    "unit": "Unit",
    "location": "Location",
    "owner": "Owner",
    "steward": "Steward",
    "criticality": "Clinical criticality",
    "consequence": "Consequence of failure",
    "phi": "Stores patient data",
    "lifecycle": "Stage of life",
    "maintained": "Last maintenance",
}
"""Attribute that a person may write -> its words, in the order of the form."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "criticality": ("high", "medium", "low"),
    "consequence": ("death", "injury", "delay", "none"),
    "phi": ("yes", "no"),
    "lifecycle": tuple(one.value for one in Lifecycle),
}
SEPARATOR = "\t"
"""Between the parts of a mark in a form: no part has it."""


def say(view: View, ids: Sequence[str], attribute: str, value: str) -> None:
    """Write what somebody says of endpoints; an empty value takes back what people said.

    Raises:
        InputError: signed in to look only; an attribute or word that is none; or as ``deciding.describe`` says.
    """
    _acts(view)
    value = " ".join(value.split())
    if attribute not in SAID:
        raise InputError("attribute", f"one of {', '.join(SAID)}", reason=Reason.INPUT_INVALID)
    if value and attribute == "type":
        if not type_of(value):
            raise InputError(
                "value", f"a type of ours: {', '.join(sorted(TYPES))}", reason=Reason.INPUT_INVALID
            )
        value = type_of(value)
    if value and attribute in CHOICES and value not in CHOICES[attribute]:
        raise InputError("value", f"one of {', '.join(CHOICES[attribute])}", reason=Reason.INPUT_INVALID)
    deciding.describe(
        view.site.engine, view.site.site, ids, {attribute: value}, by=view.person, now_us=view.now_us
    )


def join(view: View, into: str, other: str) -> None:
    """Say that two endpoints are one.

    Raises:
        InputError: as ``deciding.merge`` says.
    """
    _acts(view)
    by, reason = view.person, view.reason()
    deciding.merge(view.site.engine, view.site.site, into, other, by=by, reason=reason, now_us=view.now_us)


def part(view: View, id_: str, marks: Sequence[str]) -> str:
    """Say that some marks are another endpoint's; gives its id.

    Args:
        marks: kind, scope and value of each, with ``SEPARATOR`` between.

    Raises:
        InputError: as ``deciding.split`` says.
    """
    _acts(view)
    keys = [_key(mark) for mark in marks]
    by, reason = view.person, view.reason()
    new, _ = deciding.split(
        view.site.engine, view.site.site, id_, keys, by=by, reason=reason, now_us=view.now_us
    )
    return new


def undo(view: View, merge: str) -> None:
    """Take a merge or a split back.

    Raises:
        InputError: as ``deciding.undo`` says.
    """
    _acts(view)
    by, reason = view.person, view.reason()
    deciding.undo(view.site.engine, view.site.site, merge, by=by, reason=reason, now_us=view.now_us)


def _key(mark: str) -> Key:
    kind, _, rest = mark.partition(SEPARATOR)
    scope, _, value = rest.partition(SEPARATOR)
    if kind not in frozenset(MarkKind):
        raise InputError("mark", "there is none of this kind", reason=Reason.INPUT_INVALID)
    return MarkKind(kind), scope, value


def _acts(view: View) -> None:
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
