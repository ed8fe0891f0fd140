"""Read TOML with places: every key knows its line, every mistake is collected.

Rules:
- A ``Document`` is one parsed file; ``at(key path, word)`` gives ``links/ehr.toml:12``.
- A ``Section`` reads one table; it never raises: it notes the mistake and returns a harmless default,
  so that one pass finds them all. A bundle with any note is not used.
- A key nobody read is a mistake and gets the nearest known key as a hint.

Deliberately absent: file access, and any meaning of the keys.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from oathward.core.clock import micros
from oathward.core.errors import PolicyError
from oathward.policy.files import unseen

Path = tuple[str | int, ...]
Word = TypeVar("Word", bound=StrEnum)

ID_FORM = re.compile(r"[a-z][a-z0-9-]{0,62}")
_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*""")
_VALUE_TOKENS = re.compile(r'"""|\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#|[\[\]{}]')
_TOML_ERROR = re.compile(r"^(?P<why>.*?) \(at line (?P<line>\d+), column \d+\)$")


def near(word: str, known: Iterable[str]) -> str:
    """Say what was probably meant, or what there is."""
    names = sorted(known)
    plain = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), plain, n=1)
    if close:
        return f"did you mean `{plain[close[0]]}`?"
    return f"known: {', '.join(names)}" if names else "there is none"


class Document:
    """One TOML file of a bundle.

    Raises:
        PolicyError: not UTF-8 or not TOML; names the line.
    """

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        try:
            self.text = content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise PolicyError(f"{path}:{line}", "not UTF-8; save the file as UTF-8") from error
        try:
            self.table: dict[str, Any] = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = _TOML_ERROR.match(str(error))
            line = int(found["line"]) if found else self.text.count("\n") + 1
            why = found["why"] if found else str(error).removesuffix(" (at end of document)")
            raise PolicyError(f"{path}:{line}", f"not TOML: {why[0].lower()}{why[1:]}") from error
        except RecursionError as error:
            raise PolicyError(path, "not TOML: nested too deeply") from error
        self._lines = _locate(self.text)

    def unseen(self) -> list[PolicyError]:
        """Say where a key or a text is other than what people read."""
        found = ((keys, unseen(word)) for keys, word in _words(self.table))
        return [PolicyError(self.at(keys), f"{why}; take it out") for keys, why in found if why]

    def at(self, keys: Path = (), word: str = "") -> str:
        """Give the place of a key, or of a quoted word in its value; the nearest parent where unknown."""
        known = keys
        while known and known not in self._lines:
            known = known[:-1]
        line = self._lines.get(known, 1)
        if word:
            rows = self.text.split("\n")
            end = min((n for n in self._lines.values() if n > line), default=len(rows) + 1)
            line = next((n for n in range(line, end) if _quoted(word, rows[n - 1])), line)
        return f"{self.path}:{line}"


def _words(table: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """List every key and every text of a table, each with where it stands."""
    rest: list[tuple[Path, Any]] = [((), table)]
    while rest:
        keys, value = rest.pop()
        if isinstance(value, str):
            yield keys, value
        elif isinstance(value, Mapping):
            yield from ((keys, name) for name in value)
            rest += [((*keys, name), one) for name, one in value.items()]
        elif isinstance(value, list):
            rest += [((*keys, number), one) for number, one in enumerate(value)]


def _quoted(word: str, row: str) -> bool:
    return f'"{word}"' in row or f"'{word}'" in row


class _Scanner:
    """Follow a TOML text line by line, as far as needed to know where keys stand.

    Only ever sees text that ``tomllib`` accepted, so it may be simple.
    """

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._prefix: Path = ()
        self._counts: dict[Path, int] = {}
        self._depth = 0
        self._quote = ""

    def feed(self, row: str, number: int) -> None:
        if not self._quote and not self._depth:
            stripped = row.strip()
            if not stripped or stripped.startswith("#"):
                return
            if stripped.startswith("["):
                self._header(stripped, number)
                return
            keys, start = _keys(row, 0)
            self._note((*self._prefix, *keys), number)
            row = row[start + 1 :]
        self._value(row)

    def _header(self, row: str, number: int) -> None:
        array = row.startswith("[[")
        keys, _ = _keys(row, 2 if array else 1)
        path = self._resolve(keys[:-1]) + keys[-1:]
        if array:
            index = self._counts.get(path, -1) + 1
            self._counts[path] = index
            self._note(path, number)
            path = (*path, index)
        self._prefix = path
        self._note(path, number)

    def _resolve(self, keys: Path) -> Path:
        """Enter the last element wherever a part of the path is an array of tables."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _note(self, path: Path, number: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], number)
        self.lines[path] = min(self.lines[path], number)

    def _value(self, row: str) -> None:
        position = 0
        while position < len(row):
            if self._quote:
                end = row.find(self._quote, position)
                if end < 0:
                    return
                position, self._quote = end + 3, ""
                continue
            token = _VALUE_TOKENS.search(row, position)
            if token is None or token[0] == "#":
                return
            position = token.end()
            if token[0] in ('"""', "'''"):
                self._quote = token[0]
            elif token[0] in "[{":
                self._depth += 1
            elif token[0] in "]}":
                self._depth -= 1


def _keys(row: str, position: int) -> tuple[Path, int]:
    keys: list[str] = []
    while (found := _KEY.match(row, position)) is not None:
        word = found[1]
        keys.append(word[1:-1] if word[0] in "\"'" else word)
        position = found.end()
        if row[position : position + 1] != ".":
            break
        position += 1
    return tuple(keys), position


def _locate(text: str) -> dict[Path, int]:
    scanner = _Scanner()
    for number, row in enumerate(text.split("\n"), 1):
        scanner.feed(row, number)
    return scanner.lines


class Section:
    """Read one table of a document, noting every mistake in ``errors``."""

    def __init__(
        self,
        document: Document,
        table: Mapping[str, Any],
        errors: list[PolicyError],
        path: Path = (),
    ) -> None:
        self.document, self.path = document, path
        self._table, self._errors, self._read = table, errors, set[str]()

    def note(self, key: str, why: str, word: str = "") -> None:
        """Note a mistake at a key of this table (at the table itself when the key is absent)."""
        place = (*self.path, key) if key else self.path
        self._errors.append(PolicyError(self.document.at(place, word), why))

    def has(self, key: str) -> bool:
        """Whether the key stands there."""
        return key in self._table

    def keys(self) -> list[str]:
        """Give every key of the table, and count them all as known."""
        self._read |= set(self._table)
        return list(self._table)

    def text(self, key: str, default: str | None = None, *, example: str = "…") -> str:
        """Read text; without a default it must be there and not be empty."""
        value = self._take(key, str, f'{key} = "{example}"', required=default is None)
        if value is None:
            return default or ""
        if default is None and not value.strip():
            self.note(key, f'`{key}` is empty; write {key} = "{example}"')
        return str(value)

    def name(self, key: str, *, example: str) -> str:
        """Read an id: a lower-case letter, then letters, digits and hyphens, at most 63."""
        value = self.text(key, example=example)
        if value and not ID_FORM.fullmatch(value):
            self.note(key, f'use lower-case letters, digits and hyphens, as in {key} = "{example}"')
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._take(key, bool, f"{key} = {str(default).lower()}")
        return default if value is None else bool(value)

    def whole(self, key: str, default: int | None, *, least: int = 0, most: int = 36_500) -> int:
        """Read a whole number in its bounds."""
        value = self._take(key, int, f"{key} = {default or least or 1}", required=default is None)
        if value is None:
            return default or 0
        if not least <= value <= most:
            self.note(key, f"`{key}` must be from {least} to {most}")
        return int(value)

    def choice(self, key: str, known: Collection[str], default: str | None = None) -> str:
        """Read one of the known words."""
        value = self.text(key, default, example=next(iter(known), "…"))
        if value and value not in known:
            self.note(key, f"`{value}` is not a known `{key}`; {near(value, known)}")
            return default or next(iter(known))
        return value or default or next(iter(known))

    def member(self, key: str, kind: type[Word], default: Word | None = None) -> Word:
        """Read one word of an enumeration."""
        return kind(self.choice(key, [str(word) for word in kind], None if default is None else str(default)))

    def words(self, key: str, default: Collection[str] | None = None) -> tuple[str, ...]:
        """Read a list of words; without a default it must be there."""
        value = self._take(key, list, f'{key} = ["…"]', required=default is None)
        if value is None:
            return tuple(default or ())
        if not all(isinstance(word, str) for word in value):
            self.note(key, f'every entry must be text in quotes: {key} = ["…", "…"]')
            return ()
        return tuple(value)

    def moment(self, key: str) -> int | None:
        """Read a date or a time with zone as microseconds UTC; a date is its first instant, UTC."""
        value = self._take(key, date, f"{key} = 2030-01-31")
        if isinstance(value, datetime):
            if value.tzinfo is None:
                self.note(key, "a time needs its zone; write 2030-01-31T00:00:00Z")
                value = value.replace(tzinfo=UTC)
            return micros(value)
        return None if value is None else micros(datetime(value.year, value.month, value.day, tzinfo=UTC))

    def section(self, key: str) -> Section | None:
        """Read a sub-table; ``None`` when absent."""
        value = self._take(key, dict, f"a table [{key}]")
        return None if value is None else Section(self.document, value, self._errors, (*self.path, key))

    def sections(self, key: str) -> list[Section]:
        """Read an array of tables."""
        value = self._take(key, list, f"tables [[{key}]]")
        if value is None:
            return []
        if not all(isinstance(row, dict) for row in value):
            self.note(key, f"write tables [[{key}]]")
            return []
        return [
            Section(self.document, row, self._errors, (*self.path, key, index))
            for index, row in enumerate(value)
        ]

    def done(self) -> None:
        """Note every key that nobody read."""
        for key in self._table:
            if key not in self._read:
                self.note(key, f"unknown key `{key}`; {near(key, self._read)}")

    def _take(self, key: str, kind: type, write: str, *, required: bool = False) -> Any:
        self._read.add(key)
        value = self._table.get(key)
        if value is None:
            if required:
                self.note("", f"`{key}` is missing; write {write}")
            return None
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            self.note(key, f"`{key}` has the wrong type; write {write}")
            return None
        return value
