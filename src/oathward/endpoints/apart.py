"""IEEE's registry parsed in a process of its own, which can do nothing else (``core.parsing``): ``python -m oathward.endpoints.apart FD``.

What the child says is checked: prefixes by their form, names printable and cut, at most as many as a registry has.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from oathward.core.errors import InputError
from oathward.core.parsing import Files, Parser, held, odd, printable, serve
from oathward.core.reasons import Reason
from oathward.endpoints.makers import NAME_LENGTH_MAX, ROWS_MAX, read_registry

MODULE = "oathward.endpoints.apart"
BYTES_MAX = 64 << 20
_ROWS = 2_000
_PREFIX = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){2}")


def registry_of(content: bytes, name: str) -> dict[str, str]:
    """Read a registry: prefix -> maker. As ``makers.read_registry``.

    Args:
        name: of its file, as errors name it.

    Raises:
        InputError: it is none, no UTF-8, or too large. SandboxError, ParserError: of ``Parser``.
    """
    found: dict[str, str] = {}
    with held(content) as fd, Parser(MODULE, {}, [(name, fd)]) as parser:
        for answer in parser:
            try:
                found.update(_row(*one) for one in answer["makers"])
            except (KeyError, TypeError, ValueError) as error:
                raise odd() from error
            if len(found) > ROWS_MAX:
                raise odd()
    return found


def _row(prefix: Any, maker: Any) -> tuple[str, str]:
    if not (isinstance(maker, str) and _PREFIX.fullmatch(prefix)):
        raise ValueError("row")
    return prefix, printable(maker[:NAME_LENGTH_MAX])


def work(_told: dict[str, Any], files: Files) -> Iterator[dict[str, Any]]:
    """Be the child: read one file as a registry."""
    name, file = next(files)
    content = file.readall()
    if len(content) > BYTES_MAX:
        raise InputError(name, f"at most {BYTES_MAX >> 20} MiB", reason=Reason.LIMIT_EXCEEDED)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(name, "is not UTF-8", reason=Reason.FORMAT_UNSUPPORTED) from error
    rows = list(read_registry(text).items())
    for at in range(0, len(rows), _ROWS):
        yield {"makers": rows[at : at + _ROWS]}


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], lambda: None, work))
