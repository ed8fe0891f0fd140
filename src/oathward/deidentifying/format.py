"""What a format must say for its files to be de-identified.

Rules:
- A *unit* is what of a file is of one patient: a message, a resource, an image. It is shaped with that patient's seeds or held.
- Reading a file is bounded; what is too large, deep or broken is a ``DecodeError`` with a reason and a place, never a value.

Deliberately absent: files and processes (``worker`` has them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from oathward.core.authorities import Authorities
from oathward.core.errors import DecodeError
from oathward.core.registry import collect
from oathward.deid.pixels.model import Read
from oathward.deid.pixels.models import Model
from oathward.deid.plan import SafeMessage, Seeds
from oathward.deid.profile import Profile
from oathward.deid.text.model import NOTHING, Ask, Known
from oathward.patients.identifiers import Hasher, Identifier
from oathward.protocols.fhir.provenance import Origin

HEAD_BYTES = 4_096
"""How much of a file its format is recognised by."""

TOLD_MAX = 25_000
"""Units of which a worker says at once what they say of their patients: an answer has room for 2 kB of each."""

LOGICAL = "fhir-id"
"""Type of an identifier that is a logical id of FHIR: it may be any word, and is looked for in no text."""

_NO_KEY = bytes(16)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where files come from, as a sender of messages: see ``patients.model.Source``.

    ``id``: identifiers without an authority mean something among the files of it alone.
    """

    id: str
    default_authority: str = ""
    default_identifier_type: str = ""
    authoritative_adt: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What files are read and shaped by.

    ``authorities``: what the site calls its assigning authorities. ``language``: of texts; empty where it is told by each.
    ``read``: reads print in pictures; None where nothing does. ``origin``: what a format that can says of how its file was made;
    None: nothing. ``models``: where devices of the site draw text. ``suffix``: of the file that is read, in lower case. ``ask``: the site's
    own model of language; None: it has none.
    """

    profile: Profile
    folder: Folder
    authorities: Authorities = field(default_factory=Authorities)
    language: str = ""
    read: Read | None = field(default=None, repr=False)
    origin: Origin | None = None
    models: tuple[Model, ...] = ()
    suffix: str = ""
    ask: Ask | None = field(default=None, repr=False)

    @property
    def hasher(self) -> Hasher:
        """Read identifiers as the site does; a worker has no key, and what it would hash is nobody's."""
        return Hasher(_NO_KEY, "", self.authorities)


Piece = bytes | tuple[int, int]
"""Bytes, or (offset, length) of the file that came: what is not touched is not read."""


class Shaped(NamedTuple):
    """What may leave of one unit, and what was done: values by class, as in ``SafeMessage``."""

    pieces: tuple[Piece, ...]
    removed: Mapping[str, int]
    changed: Mapping[str, int]

    @classmethod
    def of(cls, safe: SafeMessage) -> Shaped:
        """Take what ``deid.shape`` made."""
        return cls((safe.data,), safe.removed, safe.changed)


@dataclass(frozen=True, slots=True)
class Unit:
    """What of a file is of one patient.

    Args:
        identifiers: each of which may name the patient; none where nobody is named.
        known: gives what it says of persons and things, by class.
        shape: (plan, seeds) -> what may leave; raises ``OathwardError``, then it is held.
    """

    identifiers: tuple[Identifier, ...] = field(repr=False)
    known: Callable[[], Known] = field(repr=False)
    shape: Callable[[Any, Seeds], Shaped] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """A file once it was read.

    ``put_together``: what may leave of each unit, None where it is held -> the file that leaves.
    """

    units: Sequence[Unit]
    put_together: Callable[[Sequence[Shaped | None]], tuple[Piece, ...]]


def broken(error: DecodeError) -> Unit:
    """Give what stands for a part of a file that cannot be read: it is held, the rest of the file is not."""

    def shape(_plan: object, _seeds: Seeds) -> Shaped:
        raise error

    return Unit((), lambda: NOTHING, shape)


def one_after_another(parts: Sequence[Shaped | None]) -> tuple[Piece, ...]:
    """Put units together that only stand behind each other in a file."""
    return tuple(piece for part in parts if part is not None for piece in part.pieces)


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Args:
        name: as reports say it. suffix: of the files that are written, but of those that came with one of ``keeps``.
        recognise: (first ``HEAD_BYTES`` of a file, its name in lower case) -> whether it is one.
        compile: terms -> what its units are shaped by, a plan for most.
        read: (bytes, terms) -> its content.
        bytes_max: of a file. whole: it is read as bytes; else as a view of the file, of which only what is looked at is read.
        named: (a file that was written) -> the reference that stands beside the output for it, where the file itself cannot say how
            it was made; empty where it does.
        texts: (a file that was written) -> what of it is searched for what is known; None: all of its bytes, as they are.
        names: bytes that each unit that names somebody begins with or has; empty: a file is one unit; None: it names nobody.
    """

    name: str
    suffix: str
    recognise: Callable[[bytes, str], bool]
    compile: Callable[[Terms], Any]
    read: Callable[[Any, Terms], Content]
    bytes_max: int
    whole: bool = True
    named: Callable[[bytes], str] = lambda _data: ""
    texts: Callable[[bytes], Iterable[str]] | None = None
    names: bytes | None = b""
    keeps: tuple[str, ...] = ()


@cache
def formats() -> Mapping[str, Format]:
    """Collect the formats: name -> format."""
    found = collect("oathward.deidentifying.formats", "FORMAT")
    return {one.name: one for one in found.values() if isinstance(one, Format)}


def format_of(head: bytes, name: str) -> Format | None:
    """Say what a file is; None where nobody knows."""
    return next((one for one in formats().values() if one.recognise(head, name)), None)
