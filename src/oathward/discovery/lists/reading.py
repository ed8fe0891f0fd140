"""What a format of lists is, and what each gives: things told and things refused, with their places.

Rules:
- ``knows`` looks at the first bytes and the name alone; where several know a list, the one with the lowest ``order`` reads it.
- What ends a file early (it is cut off, broken, too large) is one more thing refused; the files behind it are still read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from oathward.core.clock import from_micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.registry import collect
from oathward.discovery.lists.mapping import ColumnMap
from oathward.discovery.lists.opening import Source
from oathward.discovery.model import Statement


class Product(NamedTuple):
    """A row of a catalogue of devices.

    Args:
        di: UDI-DI, as GUDID has it. brand, model, company: as its labeller wrote them.
        gmdn: code and term, ``45148 Dental kit``. product_code, product_name: of FDA's classification; the class follows from them.
        mri: MRI safety as the labelling says. implantable: where the term says so.
    """

    di: str
    brand: str = ""
    model: str = ""
    catalogue: str = ""
    company: str = ""
    gmdn_code: str = ""
    gmdn_term: str = ""
    product_code: str = ""
    product_name: str = ""
    device_class: str = ""
    mri: str = ""
    implantable: bool = False
    packages: tuple[str, ...] = ()


class Peer(NamedTuple):
    """With whom a rule of a MUD file is about.

    Args:
        kind: ``any``, ``network``, ``name`` (DNS), ``controller``, ``my-controller``, ``local-networks``, ``manufacturer``,
            ``same-manufacturer``, ``model``. value: the network, name or URI; empty where the kind says all.
    """

    kind: str
    value: str = ""


class MayRule(NamedTuple):
    """One rule of what a model may speak.

    Args:
        from_device: the packets it sends; else those it gets. permit: accept; else drop or reject.
        transport: ``tcp``, ``udp``, ``icmp`` …, a number of a protocol, or empty for any. version: 4 or 6.
        port: of the peer, first and last; own_port: of the device; (0, 65535) where any. initiated: ``from-device``, ``to-device`` or empty.
    """

    from_device: bool
    permit: bool
    peers: tuple[Peer, ...]
    transport: str
    version: int
    port: tuple[int, int] = (0, 65_535)
    own_port: tuple[int, int] = (0, 65_535)
    initiated: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MayDo:
    """What devices of one model may speak, as their maker says: a MUD file (RFC 8520)."""

    url: str
    make: str = ""
    model: str = ""
    firmware: str = ""
    words: str = ""
    updated: str = ""
    supported: bool = True
    documentation: str = ""
    rules: tuple[MayRule, ...] = field(default=())


class Told(NamedTuple):
    """One thing of a list. ``line``: of the file, or number of the entry; from 1."""

    file: str
    line: int
    what: Statement | Product | MayDo


class Refused(NamedTuple):
    """What could not be read: one cell, row, entry, or with ``line`` 0 a file. ``column``: header or element; never a value."""

    file: str
    line: int
    column: str
    reason: Reason
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What a reader must know besides the bytes.

    Args:
        at_us: as of when the list is, microseconds UTC. columns: of a CSV. tag_system: system of the FHIR identifier that is the site's own number.
    """

    realm: str
    at_us: int
    columns: ColumnMap | None = None
    tag_system: str = ""

    @property
    def year(self) -> int:
        """Of the list."""
        return from_micros(self.at_us).year


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFormat:
    """One format of lists.

    Args:
        words: for people. source: of its statements. knows: (first bytes, name in lower case) -> whether this is one.
        mapped: it needs to be said which column is what. order: who is asked first.
    """

    words: str
    source: str
    knows: Callable[[bytes, str], bool]
    read: Callable[[Iterable[Source], How], Iterator[Told | Refused]]
    mapped: bool = False
    order: int = 50


def formats() -> dict[str, ListFormat]:
    """Give every format by its name, whoever is asked first at the front."""
    found = cast("dict[str, ListFormat]", collect("oathward.discovery.lists", "LIST"))
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def format_of(head: bytes, name: str) -> tuple[str, ListFormat] | None:
    """Find who reads a list; None where nobody does."""
    lower = name.lower()
    return next(((key, one) for key, one in formats().items() if one.knows(head, lower)), None)


def refusals(file: str, line: Callable[[], int], read: Iterator[Told | Refused]) -> Iterator[Told | Refused]:
    """Pass on what is read; what ends it early is told as the last thing.

    Args:
        line: says where the reader stands.
    """
    try:
        yield from read
    except InputError as error:
        yield Refused(file, line(), error.where, error.reason, error.why)
