"""One probe of one endpoint, on a person's order: whether it may be, the order on record, one connection, what it told.

Steps: 1 settings permit orders · 2 what is ordered can be meant · 3 who is in use is looked at anew · 4 the address it holds now, and nobody
else · 5 risks, each named · 6 the order on record, with who and why · 7 one connection · 8 the result on record · 9 what it told is taken in.

Rules:
- Where one of 1 to 6 fails, nothing is opened: an order that the ledger does not take is none.
- What a probe told is a statement like any other, of the source ``probe``; it is resolved, and never joins two endpoints. What contradicts is a conflict.
- Nothing here calls itself: no schedule, no list, no second try.

Deliberately absent: who may order (``policy``), several endpoints, several ports.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.discovery.probing import connecting
from oathward.discovery.probing.probe import Outcome, Told, probes
from oathward.endpoints import actions, probing, views
from oathward.endpoints import probes as rows
from oathward.endpoints.alone import alone
from oathward.endpoints.model import Lease, ProbeRow, Whole
from oathward.network import views as network
from oathward.network.model import EXTERNAL
from oathward.observing import caring, identities

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.vault.opened import Opened

SOURCE = "probe"
REASON_LENGTH_MAX = 200
PORT_MAX = 65_535
TITLE_LENGTH_MAX = 16

Ask = Callable[[str, str, int, str], Told]
"""Kind, address, port, called AE title -> what was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person orders.

    Args:
        kind: of ``discovery.probing.probes()``. by: who. reason: their words, for the ledger. although: risks that they name and take.
        address: the one they were shown; refused where it is another by now. Empty: whichever it is.
    """

    endpoint: str
    kind: str
    port: int
    by: str
    reason: str
    although: Collection[str] = field(default=())
    address: str = ""


@dataclass(frozen=True, slots=True)
class May:
    """Whether an endpoint may be probed, as a page shows it: where, at which risks; or why not."""

    address: str = ""
    risks: tuple[probing.Risk, ...] = ()
    why_not: str = ""


def order(site: Opened, wanted: Order, ask: Ask | None = None) -> tuple[ProbeRow, Told]:
    """Probe one endpoint once; gives the order with its end, and what was told.

    Args:
        ask: opens the one connection; None: ``connecting.ask``.

    Raises:
        InputError: it may not be; the reason says why, and nothing was opened. SandboxError: what would talk could not be confined.
        StorageError: the order is not on record, and nothing was opened; or its end is not.
    """
    _check_on(site)
    _check(wanted)
    caring.tend(site)
    now_us = micros(site.clock.now())
    with alone(site.engine, site.site, "probe"):
        with read(site.engine) as db:
            found, lease = _whom(db, site, wanted.endpoint, now_us)
        if wanted.address not in {"", lease.address}:
            raise InputError("address", "is another by now: look again", reason=Reason.CONFLICT)
        held = probing.check_risks(found, wanted.although)
        row = ProbeRow(
            *(uuid7(now_us // 1_000), found.row.id, now_us, wanted.by, _words(wanted.reason)),
            *(wanted.kind, lease.address, wanted.port, ",".join(held)),
        )
        with write(site.engine) as db:
            rows.begin(db, site.site, row)
    told = Told(Outcome.LOST)
    try:
        told = (ask or connecting.ask)(
            wanted.kind, lease.address, wanted.port, probing.called_title(found)[:TITLE_LENGTH_MAX]
        )
    finally:
        row = _end(site, row, told)
    _take(site, lease, row, told)
    return row, told


def may(site: Opened, found: Whole) -> May:
    """Say whether an endpoint may be probed now, for a page that offers it."""
    try:
        _check_on(site)
        with read(site.engine) as db:
            lease = _at(db, site, found, micros(site.clock.now()))
    except InputError as error:
        return May(why_not=f"{error.where} {error.why}")
    return May(lease.address, probing.risks(found))


def _whom(db: Connection, site: Opened, id_: str, now_us: int) -> tuple[Whole, Lease]:
    found = views.one(db, site.site, id_)
    if found is None:
        raise InputError("endpoint", "there is none of this id", reason=Reason.NOT_FOUND)
    return found, _at(db, site, found, now_us)


def _at(db: Connection, site: Opened, found: Whole, now_us: int) -> Lease:
    """Give the one address that an endpoint holds, once nobody else may answer there."""
    realm = site.settings.network.realm or site.site
    lease = probing.address_of(found, realm, now_us)
    plan = network.plan(db, site.site)
    if plan.place(realm, lease.address).zone == EXTERNAL:
        raise InputError("address", "is not on the hospital's network", reason=Reason.PROBE_OUTSIDE)
    others = {row.realm for row in plan.rows} - {realm}
    if any(plan.place(other, lease.address).network for other in others):
        why = "stands in the plan of another realm too"
        raise InputError("address", why, reason=Reason.PROBE_REALM)
    probing.check_others(
        lease,
        rows.leases_at(db, site.site, lease.address),
        rows.listed_at(db, site.site, realm, lease.address),
        now_us,
    )
    return lease


def _check_on(site: Opened) -> None:
    if not site.settings.network.probes:
        why = "of devices are off here: `[network] probes` in the settings"
        raise InputError("probes", why, reason=Reason.PROBE_OFF)


def _check(wanted: Order) -> None:
    kinds = probes()
    if wanted.kind not in kinds:
        raise InputError("with", f"one of {', '.join(kinds)}", reason=Reason.INPUT_INVALID)
    if not 0 < wanted.port <= PORT_MAX:
        raise InputError("port", f"1 to {PORT_MAX}", reason=Reason.INPUT_INVALID)
    _words(wanted.reason)


def _words(reason: str) -> str:
    words = " ".join(reason.split())
    if not words or len(words) > REASON_LENGTH_MAX or not words.isprintable():
        why = f"say why, in 1 to {REASON_LENGTH_MAX} characters; it goes into the ledger, so no patient data"
        raise InputError("reason", why, reason=Reason.INPUT_INVALID)
    return words


def _end(site: Opened, row: ProbeRow, told: Told) -> ProbeRow:
    now_us = micros(site.clock.now())
    with write(site.engine) as db:
        return rows.end(
            *(db, site.site, row),
            outcome=told.outcome.value,
            detail=told.detail,
            facts=len(told.facts),
            now_us=now_us,
        )


def _take(site: Opened, lease: Lease, row: ProbeRow, told: Told) -> None:
    """Take in what was told; of who did not answer nothing is said."""
    if told.outcome not in {Outcome.ANSWERED, Outcome.OPEN, Outcome.DECLINED, Outcome.OTHER}:
        return
    facts = (*told.facts, Fact("service", _service(row.kind, row.port, told.outcome), 0.8))
    marks = [Mark(MarkKind.ADDRESS, lease.address)]
    if told.certificate:
        marks.append(Mark(MarkKind.CERTIFICATE, told.certificate))
    said = Statement(row.ended_us, f"{SOURCE}.{row.kind}", lease.realm, tuple(marks), facts)
    actions.take(site.engine, site.site, [said], row.ended_us, row.by, joins=False)
    identities.tell(site)


def _service(kind: str, port: int, outcome: Outcome) -> str:
    """Name what was found at a port: ``dicom at tcp 104``; the port alone where it speaks something else."""
    known = {"tls": "tls", "http": "http", "dicom-echo": "dicom"}.get(kind, "")
    spoke = known and outcome in {Outcome.ANSWERED, Outcome.DECLINED}
    return f"{known} at tcp {port}" if spoke else f"tcp {port}"
