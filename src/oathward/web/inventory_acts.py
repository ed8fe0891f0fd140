"""What a person says of endpoints on a page: what they are like, that two are one, that one is two, that this was wrong.

Rules:
- Who signed in to look only says nothing.
- Records have people by their ids; by name on a site without people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.model import MarkKind
from oathward.endpoints import deciding
from oathward.endpoints.saying import checked
from oathward.observing import identities
from oathward.web.finding_acts import who

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.endpoints.picture import Key
    from oathward.web.view import View

SEPARATOR = "\t"
"""Between the parts of a mark in a form: no part has it."""


def say(view: View, ids: Sequence[str], attribute: str, value: str) -> None:
    """Write what somebody says of endpoints; an empty value takes back what people said.

    Raises:
        InputError: signed in to look only; nobody is ticked; an attribute or word that is none; or as ``deciding.describe`` says.
    """
    _acts(view)
    if not ids:
        raise InputError("endpoints", "tick at least one", reason=Reason.INPUT_INVALID)
    value = checked(attribute, value)
    deciding.describe(
        view.site.engine, view.site.site, ids, {attribute: value}, by=who(view), now_us=view.now_us
    )


def join(view: View, into: str, other: str) -> None:
    """Say that two endpoints are one.

    Raises:
        InputError: as ``deciding.merge`` says.
    """
    _acts(view)
    by, reason = who(view), view.reason()
    deciding.merge(view.site.engine, view.site.site, into, other, by=by, reason=reason, now_us=view.now_us)
    identities.tell(view.site)


def part(view: View, id_: str, marks: Sequence[str]) -> str:
    """Say that some marks are another endpoint's; gives its id.

    Args:
        marks: kind, scope and value of each, with ``SEPARATOR`` between.

    Raises:
        InputError: as ``deciding.split`` says.
    """
    _acts(view)
    keys = [_key(mark) for mark in marks]
    by, reason = who(view), view.reason()
    new, _ = deciding.split(
        view.site.engine, view.site.site, id_, keys, by=by, reason=reason, now_us=view.now_us
    )
    identities.tell(view.site)
    return new


def undo(view: View, merge: str) -> None:
    """Take a merge or a split back.

    Raises:
        InputError: as ``deciding.undo`` says.
    """
    _acts(view)
    by, reason = who(view), view.reason()
    deciding.undo(view.site.engine, view.site.site, merge, by=by, reason=reason, now_us=view.now_us)
    identities.tell(view.site)


def _key(mark: str) -> Key:
    kind, _, rest = mark.partition(SEPARATOR)
    scope, _, value = rest.partition(SEPARATOR)
    if kind not in frozenset(MarkKind):
        raise InputError("mark", "there is none of this kind", reason=Reason.INPUT_INVALID)
    return MarkKind(kind), scope, value


def _acts(view: View) -> None:
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
