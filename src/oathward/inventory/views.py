"""Read the inventory for people: devices with their standing, and who is held."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.core.errors import AuthorityError
from oathward.inventory import sql
from oathward.inventory.model import Device
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device. ``status`` is in force; ``signed`` says whether its document verifies, or why not."""

    device: Device
    status: str
    version: int
    at_us: int
    signed: str


@dataclass(frozen=True, slots=True)
class HeldView:
    """Somebody who spoke and is not known: what was seen of them; times in microseconds UTC."""

    id: str
    address: str
    certificate: str
    application: str
    facility: str
    reason: str
    first_us: int
    last_us: int
    messages: int
    state: str


def devices(db: Connection, site: str, authority: Verifier, seen: Seen) -> list[DeviceView]:
    """List every device that can be read, by id, its signature checked."""
    found = (_view(row, authority, seen) for row in sql.rows(db, site))
    return [view for view in found if view is not None]


def page(
    db: Connection,
    site: str,
    authority: Verifier,
    seen: Seen,
    *,
    begins: str = "",
    status: str = "",
    after: str = "",
    limit: int = 50,
) -> list[DeviceView]:
    """List some devices by id, each signature checked.

    Args:
        begins: only ids that begin so. status: only those in force so. after: the last id of the page before.
    """
    first = max(after, begins[:-1] + chr(ord(begins[-1]) - 1) + _LAST if begins else "")
    end = begins[:-1] + chr(ord(begins[-1]) + 1) if begins else ""
    found = sql.page(db, site, after=first, before=end, status=status, limit=limit)
    views = (_view(row, authority, seen) for row in found)
    return [view for view in views if view is not None]


def of_makes(
    db: Connection, site: str, authority: Verifier, seen: Seen, makes: frozenset[str]
) -> list[DeviceView]:
    """List all devices of these products, ``Acme`` or ``Acme|Vista 3``, whose documents verify, by id."""
    views = (_view(row, authority, seen) for row in sql.of_makers(db, site, _makers(makes)))
    return [view for view in views if view is not None and _is_of(view, makes)]


def change_count(db: Connection, site: str) -> int:
    """Count the changes of the inventory: what was read at the same count is still so."""
    return sql.change_count(db, site)


def make_of(db: Connection, site: str, id_: str, authority: Verifier, seen: Seen) -> str:
    """Say which product a device is, ``Acme|Vista 3``; empty where there is none, or its document does not verify.

    The same work for each answer: where there is no such device, another one's document is read and checked.
    """
    row = sql.row(db, site, id_)
    others = sql.page(db, site, after="", before="", status="", limit=1)
    rows = [row] if row is not None else others
    views = [_view(one, authority, seen) for one in rows]
    if row is None or not views or views[0] is None or views[0].signed != "yes":
        return ""
    return product(views[0].device)


def product(device: Device) -> str:
    """Write which product a device is: ``Acme|Vista 3``, or ``Acme`` where it has no model."""
    return f"{device.make}|{device.model}" if device.model else device.make


def _makers(makes: frozenset[str]) -> frozenset[str]:
    """Give the manufacturers among products; one that nothing is of where there is none."""
    return frozenset(make.partition("|")[0] for make in makes) or frozenset({"\x00"})


def _is_of(view: DeviceView, makes: frozenset[str]) -> bool:
    device = view.device
    named = bool(device.make) and (device.make in makes or product(device) in makes)
    return named and view.signed == "yes"


def one(db: Connection, site: str, id_: str, authority: Verifier, seen: Seen) -> DeviceView | None:
    """Show one device."""
    row = sql.row(db, site, id_)
    return _view(row, authority, seen) if row else None


def models(db: Connection, site: str, *, most: int) -> frozenset[str]:
    """List makes and models, ``Acme|Vista 3``; none where there are more devices than are read for that."""
    if sum(sql.status_counts(db, site).values()) > most:
        return frozenset()
    found = (_readable(row) for row in sql.rows(db, site))
    return frozenset(f"{one.make}|{one.model}" for one in found if one and one.make and one.model)


def unknown(db: Connection, site: str, *, state: str = "held", limit: int = 1_000) -> list[HeldView]:
    """List who is held, last heard first."""
    names = HeldView.__slots__
    return [
        HeldView(**{n: getattr(r, n) for n in names})
        for r in sql.held_rows(db, site, state=state, limit=limit)
    ]


def heard(db: Connection, site: str, id_: str) -> HeldView | None:
    """Show one of those who are held now."""
    row = sql.held_row(db, site, id_)
    if row is None or row.state != "held":
        return None
    return HeldView(**{n: getattr(row, n) for n in HeldView.__slots__})


def counts(db: Connection, site: str) -> tuple[dict[str, int], int]:
    """Count devices by status, and who is held."""
    return sql.status_counts(db, site), sql.held_count(db, site)


def called(db: Connection, site: str, address: str, certificate: str, *, limit: int = 3) -> list[str]:
    """Say what somebody called itself, ``MSH-3|MSH-4``, last heard first: a device's words, made printable.

    Args:
        certificate: SHA-256 in hex; empty where it showed none.
    """
    found = sql.held_from(db, site, address, certificate, limit)
    return [f"{r.application}|{r.facility}" for r in found if r.application or r.facility]


_LAST = "\x7f"
"""Behind every character an id may have."""


class Known:
    """Whose certificates, addresses and names the inventory knows: for people who look into a mismatch.

    Deliberately absent: signatures; nothing is let through by this.
    """

    def __init__(self, db: Connection, site: str) -> None:
        self._proofs: dict[tuple[str, str], list[str]] = {}
        self._networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]] = []
        for row in sql.rows(db, site):
            try:
                device = row.device
            except ValueError:
                continue
            self._take(device)

    def owners(self, address: str, certificate: str, names: Sequence[str] = ()) -> list[str]:
        """List the devices that a certificate belongs to, or without one those pinned to an address."""
        if certificate:
            proofs = [("certificate", certificate), *(("name", name) for name in names)]
            found = [id_ for proof in proofs for id_ in self._proofs.get(proof, ())]
            return list(dict.fromkeys(found))
        found = list(self._proofs.get(("address", address), ()))
        try:
            here = ipaddress.ip_address(address)
        except ValueError:
            return found
        return list(dict.fromkeys(found + [id_ for network, id_ in self._networks if here in network]))

    def namesakes(self, application: str) -> list[str]:
        """List the devices that may use this MSH-3, or are called so."""
        name = application.partition("^")[0].casefold()
        return list(dict.fromkeys(self._proofs.get(("sender", name), ()))) if name else []

    def warnings(self, held: HeldView) -> list[str]:
        """Say what people should know before they make somebody who is held one of ours."""
        owners = self.owners(held.address, held.certificate)
        namesakes = [id_ for id_ in self.namesakes(held.application) if id_ not in owners]
        said = []
        if owners:
            what = "certificate" if held.certificate else "address"
            none = "which may not call itself so" if len(owners) == 1 else "none of which may call itself so"
            said.append(f"its {what} is that of {', '.join(owners)}, {none}")
        if namesakes:
            said.append(f"calls itself like {', '.join(namesakes)}: an impostor?")
        return said

    def _take(self, device: Device) -> None:
        proofs = [("certificate", c) for c in device.certificates]
        proofs += [("name", n) for n in device.certificate_names]
        proofs += [("address", a) for a in device.addresses if "/" not in a]
        proofs += [("sender", s.partition("|")[0].partition("^")[0].casefold()) for s in device.senders]
        proofs.append(("sender", device.id.casefold()))
        for proof in proofs:
            self._proofs.setdefault(proof, []).append(device.id)
        self._networks += [(ipaddress.ip_network(a), device.id) for a in device.addresses if "/" in a]


def _readable(row: sql.DeviceRow) -> Device | None:
    try:
        return row.device
    except ValueError:
        return None


def _view(row: sql.DeviceRow, authority: Verifier, seen: Seen) -> DeviceView | None:
    signed = "yes"
    try:
        seen.admit(row.document, authority)
    except AuthorityError as error:
        signed = error.reason.code
    try:
        return DeviceView(row.device, row.status, row.document.version, row.document.at_us, signed)
    except ValueError:
        return None
