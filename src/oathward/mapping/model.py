"""What is declared, what was observed, and where the two differ, as one shape for links, connections and flows. Pure.

Rules:
- A declaration that names no clients is about whoever asks; one that names no classes says nothing about them.
- ``None`` in an observation is *not known*: nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oathward.core.finding_kinds import Severity
from oathward.network.rules.spans import Spans


class DeclaredKind(StrEnum):
    """What says that a flow may be."""

    LINK = "link"  # of the bundle: Oathward sends it
    GATEWAY = "gateway"  # a declared device speaks to this site's gateway
    CONNECTION = "connection"  # of the register: to or from outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One flow that somebody declared.

    Args:
        clients, servers: addresses as ``spans``; empty clients are anybody, empty servers are known by ``hosts`` alone.
        hosts: names of the server, ``*.example.org`` for all below. ports: empty is any. transport: empty is either.
        tls: it must be encrypted; tls_min: at least by this version. authentication: ``none``, ``server``, ``mutual``.
        certificate_days_min: days a certificate must still be valid. classes: of data it may carry; None says nothing about them.
        lacks: why what is declared does not hold now: ended, no agreement in force. outside: the other end is no part of this site.
    """

    kind: DeclaredKind
    id: str
    clients: Spans = ()
    servers: Spans = ()
    hosts: frozenset[str] = frozenset()
    ports: Spans = ()
    transport: str = ""
    tls: bool = False
    tls_min: str = ""
    authentication: str = "none"
    certificate_days_min: int = 0
    classes: frozenset[str] | None = None
    lacks: tuple[str, ...] = ()
    outside: bool = False
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One conversation that was seen.

    Args:
        client, server: addresses; ``client_endpoint``, ``server_endpoint``: ids of the living inventory, empty where nobody is known.
        tls: ``TLSv1.2`` …; empty in clear or not known (``encrypted`` says which). server_name: as the client asked for it.
        authentication: who proved who they are. certificate_days: how long the server's certificate was valid still.
        classes: of data seen in clear text -> how many elements.
    """

    id: str
    realm: str
    client: str
    server: str
    transport: str
    port: int
    client_zone: str = ""
    server_zone: str = ""
    client_endpoint: str = ""
    server_endpoint: str = ""
    service: str = ""
    tls: str = ""
    encrypted: bool | None = None
    server_name: str = ""
    authentication: str | None = None
    certificate_days: int | None = None
    flows: int = 0
    bytes: int = 0
    answered: bool | None = None
    first_us: int = 0
    last_us: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)


class Listed(StrEnum):
    """The three lists, and what stands beside them."""

    UNDECLARED = "undeclared"
    UNSEEN = "unseen"
    OTHERWISE = "otherwise"


class Difference(NamedTuple):
    """One thing in which declared and observed differ.

    Args:
        listed: in which list it stands. kind: of finding. key: which one it is, stable. about: ``link:ID``, ``endpoint:ID`` …
        words: what differs, for a person. conversations: ids of what was seen, at most a few. clients: how many asked.
    """

    listed: Listed
    kind: str
    key: str
    about: str
    words: str
    details: Mapping[str, str | int | float]
    conversations: tuple[str, ...] = ()
    severity: Severity | None = None


class Conduit(NamedTuple):
    """All that went from one zone to another.

    Args:
        services: service or ``transport/port`` -> conversations. classes: of data -> elements seen in clear text.
        carried: classes that declared links between the two may carry. declared: ids of these. undeclared: conversations nobody declared.
    """

    client_zone: str
    server_zone: str
    conversations: int
    flows: int
    bytes: int
    services: Mapping[str, int]
    classes: Mapping[str, int]
    carried: frozenset[str]
    declared: tuple[str, ...]
    undeclared: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing. ``looked``: conversations that were looked at; ``left``: there were more than that."""

    conduits: tuple[Conduit, ...]
    differences: tuple[Difference, ...]
    matched: Mapping[str, str]
    looked: int
    left: bool = False

    def listed(self, wanted: Listed) -> list[Difference]:
        """Give one of the lists."""
        return [one for one in self.differences if one.listed is wanted]
