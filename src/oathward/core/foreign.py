"""Call one of our own parsers on a file of others, in a process that can do nothing else (``core.parsing``): ``python -m oathward.core.foreign FD``.

Rules:
- Which parser is called says the parent, by its module and name; its arguments and what it gives are read by their annotations (``core.checked``).
- What it gives comes in parts, a field of it each; what is many comes in rows, of which there may be ``ROWS_MAX``.
- What people are told (a type with ``why``) is made printable; all other texts come as they are, and ``check`` says whether they may be so.

Deliberately absent: parsers whose answers are worked on while they come (``network.apart``, ``discovery.lists.apart``).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import orjson

from oathward.core import checked
from oathward.core.errors import InputError
from oathward.core.parsing import Files, Parser, held, odd, printable, serve, too_much

MODULE = "oathward.core.foreign"
ROWS_MAX = 250_000
"""Of all that one call gives; more than any of our lists may have."""
ANSWERS_BYTES_MAX = 512 << 20
MEMORY_BYTES_MAX = 4 << 30
"""Address space; 64 MiB of rows of consents took 1 GB."""
ANSWER_BYTES_MAX = 24 << 20
"""One resource of FHIR (16 MiB) in Base64 fits in."""
_BATCH_BYTES = 1 << 20
_UNSAID = object()

T = TypeVar("T")


def parsed(
    parse: Callable[..., T],
    given: bytes | Iterable[tuple[str, bytes]],
    *arguments: object,
    check: Callable[[T], object] | None = None,
) -> T:
    """Have a file parsed, or several, with their names.

    Args:
        parse: a function of a module of ours. What it gives is a dataclass, a tuple of several, or what ``core.checked`` reads.
        check: raises where no file could have said this.

    Raises:
        InputError: of ``parse``. SandboxError, ParserError: of ``Parser``.
    """
    kind = get_type_hints(parse)["return"]
    parts = _parts(kind)
    asked = {
        "module": parse.__module__,
        "name": parse.__name__,
        "arguments": [checked.plain(one) for one in arguments],
        "single": isinstance(given, bytes),
    }
    files = [("file", given)] if isinstance(given, bytes) else given
    values: list[Any] = [[] if _many(one) else _UNSAID for one in parts]
    left = ROWS_MAX
    with Parser(
        *(MODULE, asked, _held(files)),
        memory_bytes_max=MEMORY_BYTES_MAX,
        bytes_max=ANSWERS_BYTES_MAX,
        answer_bytes_max=ANSWER_BYTES_MAX,
    ) as parser:
        for answer in parser:
            try:
                number = answer["part"]
                if _many(parts[number]):
                    left -= len(answer["rows"])
                    if left < 0:
                        raise too_much()
                    read = _reader(get_args(parts[number])[0])
                    values[number] += [read(one) for one in answer["rows"]]
                else:
                    values[number] = _reader(parts[number])(answer["value"])
            except (IndexError, KeyError, TypeError, ValueError) as error:
                raise odd() from error
    if any(value is _UNSAID for value in values):
        raise odd()
    try:
        made: T = _made(kind, [_as(part, value) for part, value in zip(parts, values, strict=True)])
        if check is not None:
            check(made)
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise odd() from error
    return made


def _parts(kind: Any) -> list[Any]:
    """Give the types of what comes by itself: fields of a dataclass, parts of a tuple, or the one value."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return [hints[one.name] for one in fields(kind)]
    if get_origin(kind) is tuple and not _many(kind):
        return list(get_args(kind))
    return [kind]


def _many(kind: Any) -> bool:
    return get_origin(kind) is list or (get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis)


def _reader(kind: Any) -> checked.Read:
    told = is_dataclass(kind) and any(one.name == "why" for one in fields(kind))
    return checked.reader(kind, printable if told else checked.as_it_is)


def _as(kind: Any, value: Any) -> Any:
    return tuple(value) if _many(kind) and get_origin(kind) is tuple else value


def _made(kind: Any, values: list[Any]) -> Any:
    if is_dataclass(kind):
        return kind(**dict(zip((one.name for one in fields(kind)), values, strict=True)))  # type: ignore[operator]  # a class, not an instance of one
    return values[0] if _parts(kind) == [kind] else tuple(values)


def _held(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, int]]:
    for name, content in files:
        with held(content) as fd:
            yield name, fd


def work(told: dict[str, Any], files: Files) -> Iterator[dict[str, Any]]:
    """Be the child: call the parser that was named on what is given."""
    if not told["module"].startswith("oathward."):
        raise InputError("parser", "is none of ours")
    parse = getattr(import_module(told["module"]), told["name"])
    hints, names = get_type_hints(parse), list(inspect.signature(parse).parameters)
    arguments = [
        checked.reader(hints[name])(one) for name, one in zip(names[1:], told["arguments"], strict=False)
    ]
    content = ((name, file.readall()) for name, file in files)
    found = parse(next(content)[1] if told["single"] else content, *arguments)
    kind = hints["return"]
    parts = _parts(kind)
    if is_dataclass(kind):
        values = [getattr(found, one.name) for one in fields(kind)]
    else:
        values = [found] if parts == [kind] else list(found)
    for number, (part, value) in enumerate(zip(parts, values, strict=True)):
        if not _many(part):
            yield {"part": number, "value": checked.plain(value)}
            continue
        for batch in _batches(value):
            yield {"part": number, "rows": batch}


def _batches(rows: Iterable[Any]) -> Iterator[list[orjson.Fragment]]:
    batch, size = [], 0
    for row in rows:
        text = orjson.dumps(checked.plain(row))
        batch.append(orjson.Fragment(text))
        size += len(text)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], lambda: None, work))
