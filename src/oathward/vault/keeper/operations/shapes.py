"""What arguments of an operation must look like: checked before anything else sees them.

Rules:
- Every operation names each of its arguments with a shape; a missing, unknown or misshapen one refuses
  the request, naming the argument and never its value.
- Every text, list and byte string has a longest length.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason

Shape = Callable[[Any, str], Any]

ID_LENGTH_MAX = 64


def refuse(where: str, why: str) -> KeeperError:
    """Make the refusal of an argument."""
    return KeeperError(where, why, reason=Reason.INPUT_INVALID)


def text(length_max: int = ID_LENGTH_MAX, *, empty: bool = False) -> Shape:
    """Shape a printable text."""

    def shape(value: Any, where: str) -> str:
        if (
            not isinstance(value, str)
            or not (empty or value)
            or len(value) > length_max
            or not value.isprintable()
        ):
            raise refuse(where, f"must be text of at most {length_max} printable characters")
        return value

    return shape


def anything(length_max: int) -> Shape:
    """Shape a text of whatever characters, as people type passwords; the operation says what is wrong with it."""

    def shape(value: Any, where: str) -> str:
        if not isinstance(value, str) or len(value) > length_max or not _is_utf8(value):
            raise refuse(where, f"must be text of at most {length_max} characters")
        return value

    return shape


def raw(length_max: int) -> Shape:
    """Shape bytes, which travel as base64."""

    def shape(value: Any, where: str) -> bytes:
        try:
            if isinstance(value, str) and len(value) <= 4 * (length_max // 3 + 1):
                return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
        raise refuse(where, f"must be base64 of at most {length_max} bytes")

    return shape


def number(least: int, most: int) -> Shape:
    """Shape an integer."""

    def shape(value: Any, where: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise refuse(where, f"must be an integer from {least} to {most}")
        return value

    return shape


def flag(value: Any, where: str) -> bool:
    """Shape a yes or no."""
    if not isinstance(value, bool):
        raise refuse(where, "must be true or false")
    return value


def listed(item: Shape, length_max: int, *, least: int = 0) -> Shape:
    """Shape a list of things of one shape."""

    def shape(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list) or not least <= len(value) <= length_max:
            raise refuse(where, f"must be a list of {least} to {length_max}")
        return [item(one, where) for one in value]

    return shape


def table(**shapes: Shape) -> Shape:
    """Shape an object with exactly these names."""

    def shape(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise refuse(where, "must be an object")
        missing, unknown = shapes.keys() - value.keys(), value.keys() - shapes.keys()
        if missing or unknown:
            raise refuse(where, f"must have exactly: {', '.join(sorted(shapes)) or 'nothing'}")
        return {name: one(value[name], f"{where} {name}") for name, one in shapes.items()}

    return shape


def proof(value: Any, where: str) -> dict[str, str]:
    """Shape a proof: few short texts by name; ``proof.check`` says what they mean."""
    if (
        not isinstance(value, Mapping)
        or len(value) > 16
        or not all(
            isinstance(k, str) and isinstance(v, str) and len(k) + len(v) <= 8_192 for k, v in value.items()
        )
    ):
        raise refuse(where, "must be an object of short texts")
    return dict(value)


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, from JSON's escapes
        return False
    return True
