"""Values of our own types as JSON, and back from who is not to be believed: what a process said that reads foreign bytes.

Rules:
- The type decides how a value is read; nothing that was sent chooses one. What does not fit is refused (``ValueError``), nothing is filled in.
- A type is a dataclass, a named tuple, an enumeration, or made of ``str``, ``bytes``, ``int``, ``float``, ``bool``, ``None``, tuples, lists, frozen
  sets and mappings by text. Their fields stand in their order, enumerations by the names of their members, numbers above 53 bits in hexadecimal,
  bytes in Base64; what is wrapped (``Phi``) comes back wrapped.
- Every text goes through who reads it (``text``), but for what is wrapped, which nobody is shown: what is printable or short enough is the reader's to say.
"""

from __future__ import annotations

import types
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from oathward.core.phi import Phi

TEXT_LENGTH_MAX = 1 << 18
BYTES_LENGTH_MAX = 16 << 20
_WHOLE_MAX = 1 << 53
_DIGITS_MAX = 40

Read = Callable[[Any], Any]
Text = Callable[[str], str]


def plain(value: Any) -> Any:
    """Give a value as JSON has it."""
    if value is None or isinstance(value, bool | float | int | str):
        return _one(value)
    if isinstance(value, Phi):
        return plain(value.reveal())
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, AbstractSet):
        value = sorted(value)
    elif is_dataclass(value):
        value = [getattr(value, one.name) for one in fields(value)]
    return [plain(one) for one in value]


def _one(value: Any) -> Any:
    """Give a value that holds no other: a member of an enumeration may be a text, and a yes a number."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _WHOLE_MAX:
        return f"{value:x}"
    return str(value) if isinstance(value, str) else value


def as_it_is(text: str) -> str:
    """Take a text as it is."""
    return text


@lru_cache(maxsize=256)
def reader(kind: Any, text: Text = as_it_is) -> Read:
    """Give what makes a value of a type of what was sent.

    Args:
        kind: as the rules say. text: what becomes of each text; it may raise ``ValueError``.

    Raises:
        TypeError: a type that is none of those.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is str:
        return lambda sent: text(_text(sent))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _members(kind)
    if get_origin(kind) is not None:
        return _made_of(kind, text)
    names = [one.name for one in fields(kind)] if is_dataclass(kind) else getattr(kind, "_fields", None)
    if names is None:
        raise TypeError(f"{kind} has no form in JSON here")
    hints = get_type_hints(kind)
    return _fields(
        lambda values: kind(**dict(zip(names, values, strict=True))),
        [reader(hints[name], text) for name in names],
    )


def _made_of(kind: Any, text: Text) -> Read:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType} and arguments[1:] == (types.NoneType,):
        inner = reader(arguments[0], text)
        return lambda sent: None if sent is None else inner(sent)
    if origin is Phi:
        wrapped = reader(arguments[0])
        return lambda sent: Phi(wrapped(sent))
    if origin in {frozenset, list} or (origin is tuple and arguments[-1] is Ellipsis):
        each = reader(arguments[0], text)
        return lambda sent: origin(each(one) for one in _rows(sent))
    if origin is tuple:
        return _fields(tuple, [reader(one, text) for one in arguments])
    if origin in {Mapping, dict}:
        key, value = reader(arguments[0], text), reader(arguments[1], text)
        return lambda sent: {key(name): value(one) for name, one in _table(sent).items()}
    raise TypeError(f"{kind} has no form in JSON here")


def _fields(make: Callable[[list[Any]], Any], each: list[Read]) -> Read:
    def read(sent: Any) -> Any:
        if len(_rows(sent)) != len(each):
            raise ValueError("fields")
        return make([one(value) for one, value in zip(each, sent, strict=True)])

    return read


def _members(kind: type[Enum]) -> Read:
    def read(sent: Any) -> Any:
        found = kind.__members__.get(_text(sent))
        if found is None:
            raise ValueError("member")
        return found

    return read


def _rows(sent: Any) -> list[Any]:
    if not isinstance(sent, list):
        raise ValueError("list")  # noqa: TRY004  one error for all that does not fit
    return sent


def _table(sent: Any) -> dict[str, Any]:
    if not isinstance(sent, dict):
        raise ValueError("table")  # noqa: TRY004  as above
    return sent


def _text(sent: Any) -> str:
    if not isinstance(sent, str) or len(sent) > TEXT_LENGTH_MAX:
        raise ValueError("text")
    return sent


def _bytes(sent: Any) -> bytes:
    if not isinstance(sent, str) or len(sent) > BYTES_LENGTH_MAX * 4 // 3 + 4:
        raise ValueError("bytes")
    return b64decode(sent, validate=True)


def _whole(sent: Any) -> int:
    if isinstance(sent, str) and len(sent) <= _DIGITS_MAX:
        return int(sent, 16)
    if not isinstance(sent, int) or isinstance(sent, bool):
        raise ValueError("number")  # noqa: TRY004  as above
    return sent


def _bool(sent: Any) -> bool:
    if not isinstance(sent, bool):
        raise ValueError("yes or no")  # noqa: TRY004  as above
    return sent


def _float(sent: Any) -> float:
    if not isinstance(sent, int | float) or isinstance(sent, bool):
        raise ValueError("number")  # noqa: TRY004  as above
    return float(sent)


_PLAIN: Mapping[Any, Read] = {int: _whole, bool: _bool, float: _float, bytes: _bytes}
