"""Requests that differ only in what varies from one reading to the next: checked once, known by their shape.

A wearable sends the same structure all day with other times, numbers and ids. What the definitions, the catalogue
and a plan say of the first one, they say of all.

Rules:
- What varies is listed (``variables``): ids, what identifiers and references name, points in time, measured
  numbers. All else (codes, units, texts, names) is the shape, byte for byte, and is compared each time.
- A message of a known shape has the same length, the same values in the same places, and its values differ in digits
  and in the letters a to f alone. Times and numbers are tested anew. Ids that are the same in one message of a shape
  are the same in all, and no others are.
- A shape is learned from a message that the reader took, when its like came for the second time. Learning costs
  little beside what it spared so far, so that who sends ever new shapes slows nobody down.
- What is remembered of a shape (``constant``, ``template``) is what the function says of the message it was learned
  from and of a marked one alike; else nothing is remembered, and the long way is gone each time.
- Memory changes no answer (tested). It is bounded, and holds values of messages: ``forget`` empties it.

Deliberately absent: bundles, resources with others in them, types other than ``TYPES``: the reader has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from itertools import count
from operator import itemgetter
from typing import Any, TypeVar

from oathward.core.errors import OathwardError
from oathward.protocols.fhir import reader
from oathward.protocols.fhir.check import check
from oathward.protocols.fhir.json import loads
from oathward.protocols.fhir.message import Entry, Request, Resource
from oathward.protocols.fhir.primitives import FORMS as PRIMITIVES
from oathward.protocols.fhir.reader import Checked
from oathward.protocols.fhir.templates import (
    Marked,
    Template,
    UnmarkedError,
    Values,
    mark,
    mark_date,
)
from oathward.protocols.fhir.variables import DAY_CHARS, Variable, variables_of

TYPES = frozenset(("Observation",))
"""Types that come all day."""
SHAPES_MAX = 1_024
SEEN_MAX = 8_192
BYTES_MAX = 8_192
FREE = 256
"""How many shapes are learned whatever they spare."""
SPARED_EACH = 8
"""How many messages of known shapes pay for learning another."""

T = TypeVar("T")

_ZEROED = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?").fullmatch
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,8}").fullmatch
_MISSING = object()


class Layout:
    """Where values stand in requests that look the same: known by their outline, told apart by all the rest."""

    __slots__ = ("_rest", "_tests", "_texts", "_values", "shapes", "spans")

    def __init__(self, variables: list[Variable], size: int) -> None:
        self.spans = tuple((v.kind, v.start, v.end) for v in variables)
        edges = [0, *(at for v in variables for at in (v.start, v.end)), size]
        self._values = _getter([slice(v.start, v.end) for v in variables])
        self._rest = _getter([slice(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)])
        self._tests = [(i, _test(v.kind)) for i, v in enumerate(variables) if v.kind != "text"]
        self._texts = [i for i, v in enumerate(variables) if v.kind == "text"]
        self.shapes: dict[tuple[bytes, ...], Shape] = {}

    def values(self, raw: bytes) -> Values:
        """Give the values of a request of this layout."""
        return self._values(raw)

    def rest(self, raw: bytes) -> tuple[bytes, ...]:
        """Give all that is no value."""
        return self._rest(raw)

    def alike(self, values: Values, named: Values) -> tuple[int, ...]:
        """Say which texts are the same: for each the place of the first one like it.

        Args:
            named: for each text what it names.
        """
        texts = [name + values[i] for i, name in zip(self._texts, named, strict=True)]
        return tuple(map(texts.index, texts))

    def valid(self, values: Values) -> bool:
        """Say whether times are times and numbers numbers."""
        return all(test(values[i]) for i, test in self._tests)


def _getter(slices: list[slice]) -> Callable[[bytes], tuple[bytes, ...]]:
    if len(slices) == 1:
        (only,) = slices
        return lambda raw: (raw[only],)
    return itemgetter(*slices)


def _test(kind: str) -> Callable[[bytes], Any]:
    if kind in ("number", "integer"):
        return _NUMBER if kind == "number" else _INTEGER
    test = PRIMITIVES[kind][1]
    return lambda value: test(value.decode())


class Shape:
    """What requests of one shape have in common; ``serial`` is its own."""

    def __init__(self, raw: bytes, kind: str, layout: Layout, variables: list[Variable]) -> None:
        self.raw, self.type, self.serial = raw, kind, next(_serials)
        self._layout, self._variables = layout, variables
        self.values = layout.values(raw)
        self._named = [v.named.encode() for v in variables if v.kind == "text"]
        self._alike = layout.alike(self.values, self._named)
        self.request = _request(raw) if raw.startswith(b"POST") else None
        self._known: dict[Any, Any] = {}

    def fits(self, values: Values) -> bool:
        """Say whether values make a message of this shape that the reader would take."""
        return self._layout.valid(values) and self._layout.alike(values, self._named) == self._alike

    @cached_property
    def example(self) -> Checked:
        """The request it was learned from."""
        return reader.decode(self.raw)

    @cached_property
    def tails(self) -> Values:
        """For each value what stands behind its marker and belongs to it."""
        return [
            b"" if v.kind in ("text", "number", "integer") else value[DAY_CHARS:]
            for v, value in zip(self._variables, self.values, strict=True)
        ]

    @cached_property
    def marked(self) -> Checked:
        """The same request with a marker in the place of each value."""
        entry = self.example.entries[0]
        head, _, _ = self.raw.partition(b"\n\n")
        body: Resource = loads(self.raw[len(head) + 2 :])
        texts = [i for i, v in enumerate(self._variables) if v.kind == "text"]
        same = {texts[k]: texts[first] for k, first in enumerate(self._alike)}
        numbers: list[tuple[Any, Any, Marked]] = []
        for i, (v, value) in enumerate(zip(self._variables, self.values, strict=True)):
            if not v.path:
                continue
            inside: Any = body
            for key in v.path[:-1]:
                inside = inside[key]
            if v.kind in ("number", "integer"):
                numbers.append((inside, v.path[-1], Marked.of(i, value.decode())))
            elif v.kind == "text":
                inside[v.path[-1]] = v.before + mark(same[i])
            else:
                inside[v.path[-1]] = mark_date(i, value.decode())
        found = tuple(check(body).found)
        for inside, key, number in numbers:  # a number that is none is not checked
            inside[key] = number
        ident = body.get("id", "")
        target = f"{self.type}/{ident}" if entry.method == "PUT" else self.type
        request = Request(entry.method, target)
        return Checked(self.raw, request, body, "", (Entry(body, entry.method, self.type, ident),), (found,))

    def constant(self, name: str, make: Callable[[Checked], T]) -> T | None:
        """Give what a function says of every message of this shape; None where that is not one thing.

        Args:
            name: of the function, the same each time; what it gives is never None.
        """
        known = self._known.get(name, _MISSING)
        if known is _MISSING:
            known = make(self.example)
            known = self._known[name] = known if known == make(self.marked) else None
        return known  # type: ignore[no-any-return]  # what ``make`` gave under this name

    def template(self, name: str, make: Callable[[Checked], bytes]) -> Template | None:
        """Give what a function writes of messages of this shape, as a template; None where there is none."""
        known = self._known.get(name, _MISSING)
        if known is _MISSING:
            try:
                known = Template(make(self.marked), self.tails)
                known = known if known.fill(self.values) == make(self.example) else None
            except (UnmarkedError, OathwardError):
                known = None
            self._known[name] = known
        return known  # type: ignore[no-any-return]  # a template stands under this name


_serials = count()


def _request(raw: bytes) -> Request:
    method, _, target = raw[: raw.index(b"\n\n")].decode().partition(" ")
    return Request(method, target)


class Recognised(Checked):
    """A message of a known shape; read as any other when somebody looks into it.

    ``values``: what varies, as it stands in the request.
    """

    __slots__ = ("shape", "values")

    shape: Shape

    def __init__(self, raw: bytes, request: Request, shape: Shape, values: Values) -> None:
        # What is not set here is set by the first who asks for it.
        self.raw, self.request, self.bundle, self.shape, self.values = raw, request, "", shape, values

    def __getattr__(self, name: str) -> Any:
        if name not in ("body", "entries", "found", "names", "told"):
            raise AttributeError(name)
        whole = reader.decode(self.raw)
        self.body, self.entries, self.found = whole.body, whole.entries, whole.found
        self.names = self.told = None
        return getattr(self, name)

    @property
    def trigger(self) -> str:
        """The resource type."""
        return self.shape.type

    def filled(self, name: str, make: Callable[[Checked], bytes]) -> bytes | None:
        """Give what a function writes of this message, if its shape has a template for it."""
        template = self.shape.template(name, make)
        return None if template is None else template.fill(self.values)


class Memory:
    """Forms that were learned."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, Layout] = {}
        self._seen: dict[int, bool] = {}
        """Outlines that came -> whether they have a shape as far as anybody knows."""
        self._learned = self._spared = 0

    @property
    def shapes(self) -> int:
        """How many are known."""
        return sum(len(one.shapes) for one in self._layouts.values())

    def find(self, raw: bytes) -> Recognised | None:
        """Give the message that a request is, if its shape is known."""
        if len(raw) > BYTES_MAX:
            return None
        layout = self._layouts.get(raw.translate(_ZEROED))
        if layout is None:
            return None
        shape = layout.shapes.get(layout.rest(raw))
        if shape is None:
            return None
        values = layout.values(raw)
        if not shape.fits(values):
            return None
        self._spared += 1
        return Recognised(raw, shape.request or _request(raw), shape, values)

    def note(self, raw: bytes, message: Checked) -> None:
        """Learn the shape of a request that the reader took, if its like came before."""
        if len(raw) > BYTES_MAX or message.bundle or message.trigger not in TYPES:
            return
        outline = raw.translate(_ZEROED)
        seen = hash(outline)
        if seen not in self._seen:
            if len(self._seen) >= SEEN_MAX:
                self._seen.clear()
            self._seen[seen] = True
            return
        if not self._seen[seen] or self._learned > FREE + self._spared // SPARED_EACH:
            return
        self._learned += 1
        variables = variables_of(raw, message.body)
        if variables is None:
            self._seen[seen] = False
            return
        if self.shapes >= SHAPES_MAX:
            self._layouts.clear()
        layout = Layout(variables, len(raw))
        known = self._layouts.setdefault(outline, layout)
        if known.spans == layout.spans and known.valid(known.values(raw)):
            shape = Shape(raw, message.trigger, known, variables)
            known.shapes[known.rest(raw)] = shape

    def forget(self) -> None:
        """Drop everything."""
        self._layouts.clear()
        self._seen.clear()


MEMORY = Memory()


def decode(raw: bytes) -> Checked:
    """Read one request as ``reader.decode`` does, sooner if its shape is known.

    Raises:
        DecodeError: see there.
    """
    found = MEMORY.find(raw)
    if found is None:
        message = reader.decode(raw)
        MEMORY.note(raw, message)
        return message
    return found
