"""What the path needs: keys, policy, look-ups and stores of one gateway process.

Rules:
- Everything here is loaded from signed documents, or is a cache that a version number throws away.
- A key or a fact that cannot be had makes the messages that need it fail closed, link by link.
- Look-ups read the database only where a cache does not know.

Deliberately absent: steps and branching (``path.py``), transactions (``commit.py``), sockets.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Hashable, Iterable
from hashlib import blake2b
from typing import Any

import structlog

from oathward.activation import Active, load_active
from oathward.consent import sql as consent_sql
from oathward.consent.views import Consents
from oathward.consent.watch import Watch
from oathward.core.authorities import Authorities
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import AuthorityError, KeeperError, OathwardError
from oathward.core.ids import same_key
from oathward.core.labels import Assurance
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.gateway.facts import Around, Known, known_of, read_of
from oathward.gateway.guard import Guard
from oathward.gateway.guard.message import OneMessage
from oathward.gateway.guard.original import Original
from oathward.gateway.guard.verdict import Verdict
from oathward.gateway.stores import Stores
from oathward.gateway.traffic import Traffic
from oathward.gateway.wires.wire import Identity, Wire
from oathward.inventory import sql as inventory_sql
from oathward.inventory.model import Device, Peer
from oathward.inventory.snapshot import Snapshot
from oathward.patients import sql as patients_sql
from oathward.patients.identifiers import Hasher
from oathward.patients.model import Resolution
from oathward.patients.resolver import Resolver
from oathward.patients.state import Recent
from oathward.plans import Planned, Plans, route_of
from oathward.policy import model as policy
from oathward.policy.bundle import Bundle
from oathward.policy.model import Link, Permit
from oathward.protocols.fhir.shapes import MEMORY as SHAPES
from oathward.vault.care_room import Room
from oathward.vault.care_rows import Stamps
from oathward.vault.opened import Opened
from oathward.vault.seal import Sealer

KEEPER_REST_S = 1.0
"""After the keeper failed to answer, how long messages that need it are held without asking again."""

NEWEST_S = 30.0
"""How often the keeper is asked what it signed although nothing seems to have changed."""

SIFT_S = 30.0
"""How often identifiers that other processes wrote become known as another patient's."""

_FACTS_CACHED_MAX = 50_000
_OFTEN_MAX = 10_000
_SEEDS_CACHED_MAX = 100_000
_NAMED_CACHED_MAX = 20_000
_ID_BYTES = 10  # 20 characters in hexadecimal: what MSH-10 holds before v2.7

log = structlog.get_logger()


class NotTakenError(OathwardError):
    """A message that is not stored and not acknowledged; the sender keeps it."""


class Gate:
    """Everything one gateway process knows.

    Args:
        writer: names this process's body files: ``gateway``, or ``replay`` for a release.
    """

    def __init__(self, site: Opened, *, writer: str = "gateway") -> None:
        self.opened, self.site, self.clock, self.engine = site, site.site, site.clock, site.engine
        keys = site.keeper.hello()
        self._duplicate_key = keys.duplicate_key
        self.sealer = Sealer(self.site, keys.intake, keys.outbox, epoch_s=site.settings.gateway.seal_epoch_s)
        self._keys_until_s = time.monotonic() + site.settings.gateway.seal_epoch_s / 4
        self.words = WordHasher(keys.word_key)
        self.guard = Guard(self.words)
        whose = site.settings.patients
        authorities = Authorities(whose.authorities)
        merges_us = whose.merges_max, int(whose.merges_minutes * 60_000_000)
        self.resolver = Resolver(
            keys.index_key, self.site, words=self.words, authorities=authorities, merges_us=merges_us
        )
        self.hasher = Hasher(keys.index_key, self.site, authorities)
        self.stamps = Stamps(keys.index_key, self.site)
        self.room = Room.by(site.settings.people)
        self.shown = set[tuple[str, str]]()  # subject and link, of which is kept how one knows the other
        self.named: Recent[bytes, tuple[bytes, bytes, tuple[bytes, ...]]] = Recent(_NAMED_CACHED_MAX)
        self.beds = Recent[bytes, int](_NAMED_CACHED_MAX)  # device, patient and bed -> when to look again
        self.inventory = Snapshot(self.site, site.authority, site.seen)
        self.consents = Consents(self.site, site.authority, site.seen, family=self.resolver.family)
        self.stores = Stores(site, writer)
        self.duplicate_window_us = site.settings.gateway.duplicate_window_days * 86_400_000_000
        self.counts: Counter[str] = Counter()
        self.refusals: Counter[tuple[str, Reason]] = Counter()
        self.findings: list[tuple[str, str]] = []
        self.traffic = Traffic(site.settings.governance.late_s)
        self.trouble = ""
        self._often: Counter[Hashable] = Counter()
        self._stranger_hour = self._stranger_bytes = 0
        self._active: Active | None = None
        self._plans = Plans()
        self._facts: dict[tuple[object, ...], Known] = {}
        self._seeds: dict[tuple[str, str], bytes] = {}
        self._device_keys: dict[str, bytes] = {}
        self._seeds_until_s = self._keeper_rests_until_s = 0.0
        self._sift_at_s = self._newest_at_s = 0.0
        self._change_counts = (-1, -1)
        self._marks = (-1, -1)
        self.watch = Watch(self._look, site.settings.consent.poll_ms / 1000)
        self.refresh()

    # --- what changes under us

    @property
    def active_bundle(self) -> Bundle:
        """The active bundle.

        Raises:
            OathwardError: ``decision.bundle-missing``; there is none that verifies: messages are held.
        """
        if self._active is None:
            raise OathwardError("bundle", "none is active", reason=Reason.BUNDLE_MISSING)
        return self._active.bundle

    def links(self, only: frozenset[str] | None, wire: policy.Wire) -> Iterable[Link]:
        """The links to decide for what came by a protocol: all that can carry it, or those a release is for."""
        links = self.active_bundle.carriers(wire)
        return links if only is None else [link for link in links if link.id in only]

    @property
    def bundle_name(self) -> str:
        """Name and version of the bundle, as records have it."""
        return self._active.label if self._active else ""

    def refresh(self) -> None:
        """Take in what other processes changed; call it about twice a second, off the hot path (``watch``: in between)."""
        self._year = self.clock.now().year
        self._learn_newest()
        self.watch.look()
        with read(self.engine) as db:
            if self.inventory.refresh(db) | self.consents.refresh(db) | self.resolver.refresh(db):
                self._facts.clear()
            try:
                active = load_active(
                    db, self.site, self.opened.authority, self.opened.seen, current=self._active
                )
            except AuthorityError as error:
                self.unhealthy(error)
                active = None
            if time.monotonic() > self._sift_at_s:
                self._sift_at_s = time.monotonic() + SIFT_S
                self.resolver.sift(db)
        self.findings += [*self.inventory.take_findings(), *self.consents.take_findings()]
        if active is not self._active:
            self._active = active
            self._plans = Plans(active.bundle.profiles if active else None)
            self._facts.clear()
        if time.monotonic() > self._keys_until_s:
            self._renew_keys()

    def _look(self) -> None:
        """Take in other consents and merges; where there are none it costs two small reads."""
        with read(self.engine) as db:
            marks = consent_sql.change_count(db, self.site), patients_sql.edge_mark(db, self.site)
            if marks != self._marks:
                self.consents.refresh(db)
                self.resolver.refresh(db)
                self._facts.clear()
                self._marks = marks

    def _learn_newest(self) -> None:
        """Ask the keeper which versions it signed, when something changed and now and then.

        What was signed and is gone from the database, or put back to an older version, is noticed by that.
        """
        with read(self.engine) as db:
            counts = inventory_sql.change_count(db, self.site), consent_sql.change_count(db, self.site)
        now_s = time.monotonic()
        if counts == self._change_counts and now_s < self._newest_at_s:
            return
        try:
            self.opened.seen.learn(self.opened.keeper.newest())
        except KeeperError as error:
            self.unhealthy(error)
            return
        self._change_counts, self._newest_at_s = counts, now_s + NEWEST_S

    def _renew_keys(self) -> None:
        try:
            keys = self.opened.keeper.hello()
        except KeeperError as error:
            self.unhealthy(error)
            return
        self.sealer.renew(keys.intake, keys.outbox)
        self._keys_until_s = time.monotonic() + self.opened.settings.gateway.seal_epoch_s / 4

    # --- step 5 and 6

    def resolve(self, wire: Wire, message: Any, device: Device, now_us: int) -> Resolution:
        """Say whom a message is about."""
        return wire.resolve(self.resolver, self.engine, message, device, now_us)

    def facts_of(
        self, wire: Wire, message: Any, device: Device, assurance: Assurance, resolution: Resolution
    ) -> Known:
        """Collect what decisions read, as codes; the same for equal messages until something changes."""
        active = self._active  # once: another may take its place at any moment
        bundle = active.bundle if active is not None else self.active_bundle
        version, consents = self.consents.of(self.engine, (resolution.subject, *resolution.others))
        read = read_of(wire, message, bundle, device, consents)
        around = Around(
            self.site,
            assurance,
            resolution.kind,
            version,
            consents,
            self.clock.sure(),
            active.version if active is not None else 0,
        )
        # The facts that are remembered hold the consents, so that their identity is not given to others.
        # And all that facts are made of is in the key: what was computed before a change is not found after it.
        of_device = device.id, device.kind, device.tags
        key = (*of_device, *read, assurance, resolution.kind, version, id(consents), *around[-2:])
        known = self._facts.get(key)
        if known is None:
            known = known_of(read, around, bundle, device)
            if len(self._facts) >= _FACTS_CACHED_MAX:
                self._facts.clear()
            self._facts[key] = known
        return known

    # --- step 8 to 10

    def plan(self, wire: policy.Wire, link: Link, permit: Permit) -> Planned:
        """Give the compiled plan for what was permitted of a message that came by a protocol."""
        return self._plans.of(route_of(self.active_bundle, link, wire), link, permit)

    def seeds(self, subject: str, project: str) -> tuple[bytes, bytes]:
        """Give the shaping seed of a subject in a project, and the project's device key.

        Raises:
            KeeperError: it cannot be had now.
        """
        now_s = time.monotonic()
        self.forget_in_time()
        seed, device_key = self._seeds.get((subject, project)), self._device_keys.get(project)
        if seed is None or device_key is None:
            if now_s < self._keeper_rests_until_s:
                raise KeeperError("seed", "the keeper does not answer", reason=Reason.KEEPER_UNAVAILABLE)
            try:
                # Of all projects at once: a patient's first message waits for one answer, not for one a link.
                projects = sorted(
                    {link.project for link in self.active_bundle.links.values()} - {"", project}
                )
                pairs = [(subject, name) for name in (project, *projects)]
                found = dict(zip(pairs, self.opened.keeper.seeds(pairs), strict=True))
                seed = found[subject, project]
                if device_key is None:
                    device_key = self._device_keys[project] = self.opened.keeper.device_key(project)
            except KeeperError as error:
                if error.reason is Reason.KEEPER_UNAVAILABLE:
                    self._keeper_rests_until_s = now_s + KEEPER_REST_S
                raise
            if len(self._seeds) >= _SEEDS_CACHED_MAX:
                self._seeds.clear()
            self._seeds.update(found)
        return seed, device_key

    def forget_in_time(self) -> None:
        """Drop, once an epoch, what memory holds of patients, whether links need seeds or not.

        Call it now and then where messages are handled, not beside them as ``refresh``: it takes from under their feet.
        """
        now_s = time.monotonic()
        if now_s >= self._seeds_until_s:
            self._seeds.clear()
            self.guard.forget()
            self.shown.clear()
            SHAPES.forget()
            self._seeds_until_s = now_s + self.opened.settings.gateway.seal_epoch_s

    def guarded(self, original: Original, subject: str, now_us: int) -> OneMessage:
        """Put one message under the guard, for all its links."""
        return self.guard.message(
            original,
            card_words=self.resolver.card_words(self.engine, subject, now_us),
            canaries=self.resolver.canaries,
            foreign=lambda tokens: self.resolver.foreign(self.engine, tokens, subject),
        )

    def check(self, message: OneMessage, outgoing: bytes, link: Link, clear: frozenset[str]) -> Verdict:
        """Ask the guard about the bytes that would leave."""
        return self.guard.link(message, outgoing, carries_identity=link.carries_identity, clear=clear)

    def often(self, what: Hashable) -> bool:
        """Count what alone is no news; says so at the tenth time, the hundredth and so on."""
        if len(self._often) > _OFTEN_MAX:
            self._often.clear()
        self._often[what] += 1
        count = str(self._often[what])
        return len(count) > 1 and count == "1" + "0" * (len(count) - 1)

    def recipient_key(self, link: Link) -> bytes | None:
        """The key that the recipient's deliveries are sealed to, if it has one."""
        return self.active_bundle.recipients[link.recipient].public_key

    # --- ids

    def outgoing_id(self, message_id: str, link: str) -> str:
        """The id a recipient sees: the same for one message on one link, and says nothing."""
        name = f"{message_id}|{link}".encode()
        return blake2b(name, digest_size=_ID_BYTES, key=self._duplicate_key).hexdigest().upper()

    def duplicate_key(self, source: str, identity: Identity) -> bytes:
        """Keyed hash of what makes a message the same one for its sender; random where nothing does.

        Args:
            source: the device's id, or the peer's address where the device is not known.
        """
        if not identity.words:
            return self.random_key()
        return same_key(self._duplicate_key, source, identity.words)

    @staticmethod
    def random_key() -> bytes:
        """A key that equals no other."""
        return os.urandom(16)

    def digest(self, raw: bytes) -> bytes:
        """Keyed hash of the bytes as received: equal bytes, equal digest, and nothing to guess from."""
        return blake2b(raw, digest_size=16, key=self._duplicate_key).digest()

    # --- health

    def take_stranger_bytes(self, size: int) -> None:
        """Count what is kept for senders nobody knows.

        Raises:
            NotTakenError: too much in this hour: it is neither stored nor acknowledged.
        """
        if size > self.stranger_room_bytes:
            raise NotTakenError("strangers", "their room for this hour is used up", reason=Reason.RATE_LIMIT)
        self._stranger_bytes += size

    @property
    def stranger_room_bytes(self) -> int:
        """How much more may be kept for senders nobody knows in this hour."""
        hour = int(time.monotonic() // 3600)
        if hour != self._stranger_hour:
            self._stranger_hour, self._stranger_bytes = hour, 0
        return self.opened.settings.mllp.stranger_bytes_per_hour_max - self._stranger_bytes

    def refused(self, peer: Peer, reason: Reason) -> None:
        """Count a refused connection; records of them are written in sums, so that a flood is one record."""
        self.refusals[peer.address, reason] += 1
        self.counts["connection.refused"] += 1

    @property
    def year(self) -> int:
        """The UTC year, as of the last refresh: ages are reckoned from it."""
        return self._year

    def now_us(self) -> int:
        """Server time in microseconds."""
        return micros(self.clock.now())

    def revoked(self, peer: Peer) -> bool:
        """Whether a connection's device was revoked."""
        return self.inventory.revoked(peer)

    def unhealthy(self, error: Exception) -> None:
        """Note trouble that makes messages be held; the status shows it until it is gone."""
        self.trouble = error.reason.code if isinstance(error, OathwardError) else type(error).__name__
        self.counts["trouble"] += 1
        log.error("gateway.trouble", trouble=self.trouble)

    def close(self) -> None:
        """Look at nothing any more, and close the body files."""
        self.watch.stop()
        self.stores.close()
