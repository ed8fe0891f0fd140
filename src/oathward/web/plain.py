"""No request carries a control character: one look at its path, its query, its form's fields and what its JSON says.

Rules:
- A path has none at all; a query, a field and a text of JSON may have tabs and line ends, which people type and paste.
- What has one is refused whole, before anybody asks whose request it is: 400, ``input.control-character``, never the value.
- The console's frame and the portal's both ask here, so no page and no call has to.

Deliberately absent: what else an id, a number or a reason must be (each page's own), and characters that only look odd.

Source: Unicode 15, general category Cc; PostgreSQL takes no NUL in a text; RFC 3986 §2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from starlette.requests import Request

_ANY = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_UNTYPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]").search


def check_address(request: Request) -> None:
    """See that neither path nor query of a request has a control character.

    Raises:
        InputError: ``input.control-character``.
    """
    if _ANY(request.scope["path"]):
        raise _refused("address")
    check_texts("query", (text for pair in request.query_params.multi_items() for text in pair))


def check_texts(where: str, texts: Iterable[str]) -> None:
    """See that no text has a control character but tabs and line ends.

    Raises:
        InputError: ``input.control-character``.
    """
    if any(_UNTYPED(text) for text in texts):
        raise _refused(where)


def check_json(value: Any) -> None:
    """See the same of every text and name in parsed JSON; its depth must be bounded already.

    Raises:
        InputError: ``input.control-character``.
    """
    check_texts("body", _texts(value))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _refused(where: str) -> InputError:
    return InputError(where, "has a control character in it", reason=Reason.INPUT_CONTROL)
