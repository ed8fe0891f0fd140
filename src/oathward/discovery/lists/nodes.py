"""Elements of an XML list one after the other, however long the list is, and nothing that XML can do to a reader.

Rules:
- A document type is refused where it stands: no entity is declared, so none expands and none is fetched.
- One wanted element is in memory at a time, bounded in elements, text and depth; a larger one is refused and passed over.
- A tag, comment or instruction that does not end within ``TOKEN_BYTES_MAX`` ends the reading.

Source: XML 1.0 (5th ed.) §2.8, §4; OWASP XXE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.opening import Source

ELEMENTS_MAX = 20_000
TEXT_LENGTH_MAX = 2 * 1024 * 1024
DEPTH_MAX = 100
TOKEN_BYTES_MAX = 4 * 1024 * 1024


@dataclass(slots=True)
class Node:
    """One element: its local name, attributes, text and children."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, *path: str) -> Iterator[Node]:
        """Give the elements at a path below it."""
        for child in self.children:
            if child.name == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def value(self, *path: str) -> str:
        """Give the text of the first element at a path, stripped; empty where there is none."""
        return next((one.text.strip() for one in self.all(*path)), "")


class Nodes:
    """Reads a source. ``line``: where it stands.

    Args:
        wanted: local names of the elements to give; the outermost of those within each other.
    """

    def __init__(self, source: Source, wanted: frozenset[str]) -> None:
        self._source, self._wanted = source, wanted
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _no_doctype
        self._parser.EntityDeclHandler = _no_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._found: list[Node | InputError] = []
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._depth = self._elements = self._length = 0
        self._passed: str = ""

    @property
    def line(self) -> int:
        """Line that was read last, from 1."""
        return self._parser.CurrentLineNumber

    def __iter__(self) -> Iterator[Node | InputError]:
        """Give each wanted element, or why it is refused.

        Raises:
            InputError: not XML, a document type, or too large.
        """
        fed = 0
        try:
            for block in self._source.blocks():
                self._parser.Parse(block, False)
                fed += len(block)
                if fed - max(0, self._parser.CurrentByteIndex) > TOKEN_BYTES_MAX:
                    why = f"a tag or comment has at most {TOKEN_BYTES_MAX} bytes"
                    raise InputError("XML", why, reason=Reason.LIMIT_EXCEEDED)
                yield from self._taken()
            self._parser.Parse(b"", True)
        except (
            expat.ExpatError,
            LookupError,
            ValueError,
        ) as error:  # the two others: an encoding nobody knows
            yield from self._taken()
            why = "is not well formed here; what stands behind it was not read"
            raise InputError("XML", why, reason=Reason.MESSAGE_UNDECODABLE) from error
        yield from self._taken()

    def _taken(self) -> list[Node | InputError]:
        found, self._found = self._found, []
        return found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            why = f"at most {DEPTH_MAX} elements within each other"
            raise InputError("XML", why, reason=Reason.LIMIT_EXCEEDED)
        name = tag.rpartition(" ")[2]
        if not self._open and name not in self._wanted:
            return
        if not self._open:
            self._elements = self._length = 0
            self._passed = ""
        self._elements += 1
        self._length += sum(map(len, attributes.values()))
        if self._elements > ELEMENTS_MAX or self._length > TEXT_LENGTH_MAX:
            self._passed = f"at most {ELEMENTS_MAX} elements and {TEXT_LENGTH_MAX} characters in one"
        node = Node(name, {} if self._passed else attributes, self.line)
        if self._open and not self._passed:
            self._open[-1].children.append(node)
        self._open.append(node)
        self._texts.append([])

    def _characters(self, text: str) -> None:
        if self._open and not self._passed:
            self._length += len(text)
            self._texts[-1].append(text)

    def _end(self, _tag: str) -> None:
        self._depth -= 1
        if not self._open:
            return
        node = self._open.pop()
        node.text = "".join(self._texts.pop())
        if self._open:
            return
        if self._passed:
            self._found.append(InputError(node.name, self._passed, reason=Reason.LIMIT_EXCEEDED))
        else:
            self._found.append(node)


def _no_doctype(*_: object) -> None:
    raise InputError("DOCTYPE", "is not read: no list needs one", reason=Reason.FORMAT_UNSUPPORTED)
