"""The fields of a form that was sent, under limits: for the console's frame and the portal's.

Deliberately absent: what a field means, and whose form it is (tokens: ``security``, ``portal/safety``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web import plain

if TYPE_CHECKING:
    from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a form may be."""

    form_bytes_max: int
    fields_max: int


async def fields(request: Request, limits: Limits) -> tuple[tuple[str, str], ...]:
    """Read a form's fields, in order.

    Raises:
        InputError: it is no form, too long, or has a control character in it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InputError("form", "must be a form of this site", reason=Reason.INPUT_INVALID)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > limits.form_bytes_max:
            raise InputError("form", "is too long", reason=Reason.LIMIT_EXCEEDED)
    try:
        found = tuple(
            parse_qsl(
                body.decode(),
                keep_blank_values=True,
                strict_parsing=bool(body),
                max_num_fields=limits.fields_max,
            )
        )
    except ValueError as error:
        raise InputError("form", "is not readable", reason=Reason.INPUT_INVALID) from error
    plain.check_texts("form", (text for field in found for text in field))
    return found
