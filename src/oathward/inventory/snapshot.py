"""Who is speaking: every device of a site in memory, looked up in under two microseconds.

Steps of ``identify``, strongest first:
1. certificate: its fingerprint, else a name in it → that device, if it may use MSH-3/4; a registered key that
   signed for an access token counts as much;
2. vouched: the certificate is a gateway's, and MSH-3/4 (or OBX-18) is a device's it vouches for;
3. address: a device pinned to it, that may use MSH-3/4; several on one address need MSH-3/4 to tell them apart;
4. claimed: MSH-3/4 alone names nobody, however well it is known.

Rules:
- A device's signature is checked when it is first met. One that does not verify is nobody, and a finding.
- A certificate that is a device's and speaks as another is ``DEVICE_MISMATCH``, never looked up by address.
- Revoked is revoked on every way, and wins over everything else.
- Answers are remembered until something changes; what a sender can make up does not fill the memory.

Deliberately absent: TLS (the listener checks the chain), and any network.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import threading
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from oathward.core.errors import AuthorityError
from oathward.core.labels import Assurance
from oathward.core.reasons import Reason
from oathward.inventory import sql
from oathward.inventory.keys import parse_key, thumbprint
from oathward.inventory.model import KIND, Device, Identified, Peer, Status
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier

REMEMBERED_MAX = 20_000
_Sender = tuple[bytes, bytes]
_COMPONENT = b"^"


class _Entry:
    """One device and whether its signature was checked."""

    __slots__ = ("device", "row", "trusted")

    def __init__(self, row: sql.DeviceRow, device: Device) -> None:
        self.row, self.device = row, device
        self.trusted: bool | None = None


class Snapshot:
    """The devices of one site, as one process knows them."""

    def __init__(self, site: str, authority: Verifier, seen: Seen) -> None:
        self.site, self._authority, self._seen = site, authority, seen
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._index: dict[tuple[str, object], tuple[str, ...]] = {}
        self._networks: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]] = []
        self._remembered: dict[tuple[str, bytes | str, _Sender | None], Identified] = {}
        self._change = -1
        self._findings: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def refresh(self, db: Connection) -> bool:
        """Take in what changed; says whether anything did. Call it at least every second."""
        count = sql.change_count(db, self.site)
        if count == self._change:
            return False
        with self._lock:
            first = self._change < 0
            for row in sql.changed(db, self.site, self._change):
                self._take(row)
            if first:
                for gone in self._seen.ids(KIND) - self._entries.keys():
                    self._find("device.gone", gone)
            self._change = count
            self._remembered = {}
        return True

    def identify(self, peer: Peer, sender: _Sender | None, equipment: tuple[bytes, ...] = ()) -> Identified:
        """Say who is speaking and how sure that is.

        Args:
            sender: MSH-3 and MSH-4 as written; None where the protocol names no sender.
            equipment: OBX-18 of the message, where a gateway speaks for what it names.
        """
        key = peer.address, peer.cert_sha256 or peer.key, sender
        remembered = (
            self._remembered
        )  # a refresh meanwhile puts another in its place: what is old stays out of that
        found = remembered.get(key)
        if found is None:
            found = self._identify(peer, sender)
            if len(remembered) >= REMEMBERED_MAX:
                remembered.clear()
            remembered[key] = found
        if (
            equipment
            and found.assurance is Assurance.CERTIFICATE
            and found.device
            and found.device.vouches_for
        ):
            return self._named(found, equipment)
        return found

    def revoked(self, peer: Peer) -> bool:
        """Say whether the device behind a connection was revoked: cut it off."""
        candidates = [*self._by_proof(peer), *self._by_address(peer)]
        return bool(candidates) and all(e.device.status is Status.REVOKED for e in candidates)

    def device(self, id_: str) -> Device | None:
        """Find a device by its id, if its signature verifies; its status in force is in it."""
        entry = self._entries.get(id_)
        return entry.device if entry is not None and self._trusted(entry) else None

    def take_findings(self) -> list[tuple[str, str]]:
        """Give what somebody should look at since the last call: (code, device id)."""
        with self._lock:
            found, self._findings = self._findings, []
        return found

    # --- inside

    def _identify(self, peer: Peer, sender: _Sender | None) -> Identified:
        for entry in self._by_proof(peer):
            return self._certified(entry.device, sender)
        candidates = list(self._by_address(peer))
        fitting = [e.device for e in candidates if _may_use(e.device, sender)]
        exact = [d for d in fitting if d.senders] or fitting
        if len(exact) == 1:
            return _in_force(exact[0], Assurance.ADDRESS)
        if candidates and not fitting:
            return Identified(None, Assurance.CLAIMED, Reason.DEVICE_MISMATCH)
        claimed = any(True for _ in self._by_sender(sender))
        return Identified(None, Assurance.CLAIMED if claimed else Assurance.NONE, Reason.DEVICE_UNKNOWN)

    def _certified(self, device: Device, sender: _Sender | None) -> Identified:
        if device.status is not Status.ACTIVE or _may_use(device, sender):
            return _in_force(device, Assurance.CERTIFICATE)
        vouched = [e.device for e in self._by_sender(sender) if device.vouches(e.device)]
        if len(vouched) == 1:
            return _in_force(vouched[0], Assurance.VOUCHED)
        return Identified(device, Assurance.NONE, Reason.DEVICE_MISMATCH)

    def _named(self, gateway: Identified, equipment: tuple[bytes, ...]) -> Identified:
        """Find the one device that OBX-18 names, if the gateway vouches for it."""
        entries = [e for raw in equipment for e in self._entries_at(("equipment", _first(raw)))]
        known = list({e.device.id: e.device for e in entries}.values())
        assert gateway.device is not None
        if not known or gateway.device in known:
            return gateway
        if len(known) > 1 or not gateway.device.vouches(known[0]):
            return Identified(gateway.device, Assurance.NONE, Reason.DEVICE_MISMATCH)
        return _in_force(known[0], Assurance.VOUCHED)

    def _by_proof(self, peer: Peer) -> Iterator[_Entry]:
        if peer.key:
            yield from self._entries_at(("key", peer.key))
        if peer.cert_sha256 is None:
            return
        yield from self._entries_at(("certificate", peer.cert_sha256.hex()))
        for name in peer.cert_names:
            yield from self._entries_at(("name", name))

    def _by_address(self, peer: Peer) -> Iterator[_Entry]:
        yield from self._entries_at(("address", peer.address))
        if self._networks:
            try:
                address = ipaddress.ip_address(peer.address)
            except ValueError:
                return
            for network, id_ in self._networks:
                entry = self._entries.get(id_)
                if entry is not None and address in network and self._trusted(entry):
                    yield entry

    def _by_sender(self, sender: _Sender | None) -> Iterator[_Entry]:
        seen: set[str] = set()
        for form in _forms(sender) if sender else ():
            for entry in self._entries_at(("sender", form)):
                if entry.device.id not in seen:
                    seen.add(entry.device.id)
                    yield entry

    def _entries_at(self, place: tuple[str, object]) -> Iterator[_Entry]:
        for id_ in self._index.get(place, ()):
            entry = self._entries.get(id_)
            if entry is not None and self._trusted(entry):
                yield entry

    def _trusted(self, entry: _Entry) -> bool:
        if entry.trusted is None:
            try:
                self._seen.admit(entry.row.document, self._authority)
                entry.trusted = True
            except AuthorityError as error:
                entry.trusted = False
                self._find(error.reason.code, entry.row.document.id)
        return entry.trusted

    def _take(self, row: sql.DeviceRow) -> None:
        id_ = row.document.id
        old = self._entries.pop(id_, None)
        for place in _places(old.device) if old else ():
            self._index[place] = tuple(i for i in self._index[place] if i != id_)
        networks = [(network, owner) for network, owner in self._networks if owner != id_]
        device = _readable(row)
        if device is None:
            self._find(Reason.SIGNATURE_INVALID.code, id_)
        else:
            self._entries[id_] = _Entry(row, _narrowed(device, row.status))
            for place in _places(device):
                self._index[place] = (*self._index.get(place, ()), id_)
            networks += [(ipaddress.ip_network(a), id_) for a in device.addresses if "/" in a]
        self._networks = networks

    def _find(self, code: str, device: str) -> None:
        if len(self._findings) < REMEMBERED_MAX:
            self._findings.append((code, device))


def _readable(row: sql.DeviceRow) -> Device | None:
    try:
        device = row.device
    except ValueError:
        return None
    return device if device.id == row.document.id else None


def _in_force(device: Device, assurance: Assurance) -> Identified:
    if device.status is Status.ACTIVE:
        return Identified(device, assurance)
    reason = Reason.DEVICE_UNKNOWN if device.status is Status.HELD else Reason.DEVICE_REVOKED
    return Identified(device, Assurance.NONE, reason)


def _narrowed(device: Device, status: str) -> Device:
    """Apply the row's status where it allows less than the signed one; it never allows more."""
    if device.status is Status.ACTIVE and status != Status.ACTIVE:
        known = status in set(Status)
        return dataclasses.replace(device, status=Status(status) if known else Status.HELD)
    return device


def _places(device: Device) -> Iterable[tuple[str, object]]:
    yield from (("certificate", c) for c in device.certificates)
    yield from (("name", n) for n in device.certificate_names)
    yield from (("key", thumbprint(parse_key(k))) for k in device.keys)
    yield from (("address", a) for a in device.addresses if "/" not in a)
    yield from (("sender", _sender(s)) for s in device.senders)
    yield from (("equipment", _first(e.encode())) for e in device.equipment)


def _sender(text: str) -> _Sender:
    application, _, facility = text.partition("|")
    return application.encode(), facility.encode()


def _first(raw: bytes) -> bytes:
    return raw.partition(_COMPONENT)[0]


def _forms(sender: _Sender) -> Iterator[_Sender]:
    """Give the ways an inventory may write this sender: whole or first component, with facility or any."""
    application, facility = sender
    for app in dict.fromkeys((application, _first(application))):
        for place in dict.fromkeys((facility, _first(facility), b"")):
            yield app, place


def _may_use(device: Device, sender: _Sender | None) -> bool:
    if not device.senders or sender is None:
        return True
    allowed = {_sender(s) for s in device.senders}
    return any(form in allowed for form in _forms(sender))
