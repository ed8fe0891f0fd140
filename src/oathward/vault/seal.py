"""Seal originals for the keeper and outgoing messages for their recipients.

Rules:
- Originals: one AES-256-GCM data key per (subject, purpose, epoch, process), in memory only, HPKE-wrapped
  once to the keeper's signed intake key. The wrapped key goes into the database in the same transaction
  as the first body that uses it: ``pending_keys`` before, ``confirm_keys`` after the commit.
- Outgoing: one data key per (link, recipient key, epoch, process), wrapped inside each envelope, so that
  an envelope needs nothing but the recipient's private key (``vault/envelope.py`` opens it).
- Nonces count up from 1 under each key; a forked child forgets every key, so no nonce comes twice.
- What is bound: site, subject, purpose and message id of an original; site, link and outgoing id of an
  outgoing message. A body moved elsewhere does not open.
- Only ``Sealer.seal_outgoing`` makes a ``SealedMessage``, and only from a ``SafeMessage``.

Deliberately absent: opening of originals (this process cannot), erasing of memory (Python cannot).
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.clock import Clock, micros
from oathward.core.errors import VaultError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault import envelope
from oathward.vault.primitives import KEY_BYTES, NONCE_BYTES, bind, decrypt, wrap, x25519_public

if TYPE_CHECKING:
    from oathward.deid.plan import SafeMessage

EPOCH_S_MAX = 3_600
KEYS_CACHED_MAX = 20_000
"""Data keys a process keeps; the one not used longest is forgotten and simply replaced when needed."""

KEY_USES_MAX = 2**32 - 1
KEYS_PENDING_MAX = 100_000
"""Wrapped keys not known to be stored; more means that nothing has been committed for long."""

ORIGINAL_FORM = b"\x01"
_SEAL = object()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of the keeper, as ``hello`` gives it; the signature has been checked.

    ``not_after_us``: sealing to it after that could outlive its private key.
    """

    id: str
    public: bytes
    not_after_us: int


@dataclass(frozen=True, slots=True)
class IntakeKey:
    """A wrapped data key on its way to the keeper: a row of ``intake_key``."""

    id: str
    site: str
    subject: str
    intake: str
    epoch: str
    wrapped: bytes
    at_us: int


class SealedBody(NamedTuple):
    """A sealed original: form byte, nonce, ciphertext and tag; ``key_id`` names its data key, ``sha256`` is of ``data``."""

    key_id: str
    data: bytes
    sha256: bytes


@final
@dataclass(frozen=True, slots=True)
class SealedMessage:
    """One outgoing message that may leave; only ``Sealer.seal_outgoing`` makes one.

    ``key_id``: of the recipient's or outbox key it is sealed to. ``data``: the envelope.
    """

    link: str
    message_id: str
    outgoing_id: str
    data: bytes
    end_to_end: bool
    key_id: str
    made_by: InitVar[object]

    def __post_init__(self, made_by: object) -> None:
        if made_by is not _SEAL:
            raise TypeError("a SealedMessage is made by Sealer.seal_outgoing()")


class _DataKey:
    """One data key in use."""

    __slots__ = ("aead", "head", "id", "used")

    def __init__(self, id_: str, key: bytes, head: bytes) -> None:
        self.id, self.aead, self.head, self.used = id_, AESGCM(key), head, 0


@dataclass(frozen=True, slots=True)
class _Target:
    """Where outgoing messages of one link go: its data key with the fixed parts of its envelopes."""

    key: _DataKey
    before: bytes
    after: bytes


class Sealer:
    """Seal for one process; safe in threads, useless (empty) in a forked child.

    Args:
        intake, outbox: the keeper's public keys, verified; renew with ``renew``.
        epoch_s: after it every data key is forgotten.
        clock, monotonic: replaced in tests.
    """

    def __init__(
        self,
        site: str,
        intake: PublicKey,
        outbox: PublicKey,
        *,
        epoch_s: float = EPOCH_S_MAX,
        keys_cached_max: int = KEYS_CACHED_MAX,
        key_uses_max: int = KEY_USES_MAX,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < epoch_s <= EPOCH_S_MAX:
            raise VaultError("gateway.seal_epoch_s", f"must be over 0 and at most {EPOCH_S_MAX}")
        self._site, self._epoch_s = site, epoch_s
        self._keys_cached_max, self._key_uses_max = keys_cached_max, key_uses_max
        self._clock, self._monotonic = clock or Clock(), monotonic
        self._guard = threading.Lock()
        self._pending: dict[str, IntakeKey] = {}
        self._originals: OrderedDict[tuple[str, str], _DataKey] = OrderedDict()
        self._targets: OrderedDict[tuple[str, bytes | None], _Target] = OrderedDict()
        self._new_epoch()
        self.renew(intake, outbox)
        _sealers.add(self)

    def renew(self, intake: PublicKey, outbox: PublicKey) -> None:
        """Take the keeper's keys of the day; keys already wrapped stay in use until their epoch ends."""
        with self._guard:
            self._intake, self._intake_public = intake, x25519_public(intake.public, "intake key")
            self._outbox, self._outbox_public = outbox, x25519_public(outbox.public, "outbox key")

    def seal_original(self, subject: str, message_id: str, purpose: str, data: bytes) -> SealedBody:
        """Seal what Oathward keeps, so that only the keeper opens it.

        Raises:
            VaultError: ``KEY_UNAVAILABLE``; the intake key has expired, or nothing was committed for long.
        """
        with self._guard:
            if self._monotonic() >= self._epoch_ends_s:
                self._new_epoch()
            key = self._originals.get((subject, purpose))
            if key is None or key.used >= self._key_uses_max:
                key = self._new_original_key(subject, purpose)
            else:
                self._originals.move_to_end((subject, purpose))
            key.used += 1
            nonce = key.used.to_bytes(NONCE_BYTES, "big")
        sealed = key.aead.encrypt(nonce, data, key.head + message_id.encode())
        whole = b"".join((ORIGINAL_FORM, nonce, sealed))
        return SealedBody(key.id, whole, hashlib.sha256(whole).digest())

    def seal_outgoing(
        self, safe: SafeMessage, link: str, message_id: str, outgoing_id: str, recipient_key: bytes | None
    ) -> SealedMessage:
        """Seal a shaped message end to end to its recipient, or to the courier where that has no key.

        Args:
            recipient_key: raw X25519 public key from the signed bundle, 32 bytes.

        Raises:
            VaultError: ``KEY_UNAVAILABLE``; the recipient's key is no key, or the outbox key has expired.
            TypeError: not made by ``shape()``.
        """
        if type(safe) is not _safe_message():
            raise TypeError("only a SafeMessage made by shape() is sealed for a recipient")
        with self._guard:
            if self._monotonic() >= self._epoch_ends_s:
                self._new_epoch()
            target = self._targets.get((link, recipient_key))
            if target is None or target.key.used >= self._key_uses_max:
                target = self._new_target(link, recipient_key)
            key = target.key
            key.used += 1
            nonce = key.used.to_bytes(NONCE_BYTES, "big")
        outgoing = outgoing_id.encode()
        head = b"".join((target.before, len(outgoing).to_bytes(2, "big"), outgoing, target.after, nonce))
        sealed = head + key.aead.encrypt(nonce, safe.data, head)
        return SealedMessage(link, message_id, outgoing_id, sealed, recipient_key is not None, key.id, _SEAL)

    def pending_keys(self) -> list[IntakeKey]:
        """Give every wrapped key not known to be stored: insert them in the transaction of their bodies."""
        with self._guard:
            return list(self._pending.values())

    def confirm_keys(self, keys: Iterable[IntakeKey]) -> None:
        """Note after the commit that these are stored."""
        with self._guard:
            for key in keys:
                self._pending.pop(key.id, None)

    def forget(self) -> None:
        """Drop every data key from memory; the next message gets new ones."""
        with self._guard:
            self._new_epoch()

    def _new_epoch(self) -> None:
        self._epoch = uuid7()
        self._epoch_ends_s = self._monotonic() + self._epoch_s
        self._originals.clear()
        self._targets.clear()

    def _new_original_key(self, subject: str, purpose: str) -> _DataKey:
        """Make a data key of a subject and purpose for this epoch."""
        if len(self._pending) >= KEYS_PENDING_MAX:
            raise VaultError("intake key", "too many keys wait to be stored")
        now_us = self._usable(self._intake)
        id_, raw = uuid7(), os.urandom(KEY_BYTES)
        row = IntakeKey(id_, self._site, subject, self._intake.id, self._epoch, b"", now_us)
        wrapped = wrap(raw, self._intake_public, intake_context(row))
        self._pending[id_] = IntakeKey(
            id_, self._site, subject, self._intake.id, self._epoch, wrapped, now_us
        )
        key = _DataKey(id_, raw, original_context(self._site, subject, purpose))
        self._originals[subject, purpose] = key
        self._originals.move_to_end((subject, purpose))
        if len(self._originals) > self._keys_cached_max:
            self._originals.popitem(last=False)
        return key

    def _new_target(self, link: str, recipient_key: bytes | None) -> _Target:
        if recipient_key is None:
            self._usable(self._outbox)
            public, key_id = self._outbox_public, self._outbox.id
        else:
            public = x25519_public(recipient_key, f"links/{link} recipient key")
            key_id = envelope.fingerprint(recipient_key).hex()
        raw = os.urandom(KEY_BYTES)
        before, after = envelope.fixed_parts(self._site, link, public, raw)
        target = _Target(_DataKey(key_id, raw, b""), before, after)
        self._targets[link, recipient_key] = target
        if len(self._targets) > self._keys_cached_max:
            self._targets.popitem(last=False)
        return target

    def _usable(self, key: PublicKey) -> int:
        now_us = micros(self._clock.now())
        if now_us >= key.not_after_us:
            raise VaultError("keeper key", "has expired; is the keeper running?")
        return now_us


def open_original(key: bytes, site: str, subject: str, message_id: str, purpose: str, sealed: bytes) -> bytes:
    """Open a sealed original; the keeper alone has its key.

    Raises:
        VaultError: ``SEAL_BROKEN``; changed, moved to another place, or sealed under another key.
    """
    start = len(ORIGINAL_FORM) + NONCE_BYTES
    if sealed[: len(ORIGINAL_FORM)] != ORIGINAL_FORM or len(sealed) < start:
        raise VaultError("sealed original", "not of a known form", reason=Reason.SEAL_BROKEN)
    context = original_context(site, subject, purpose) + message_id.encode()
    return decrypt(
        AESGCM(key), sealed[len(ORIGINAL_FORM) : start], sealed[start:], context, "sealed original"
    )


def original_context(site: str, subject: str, purpose: str) -> bytes:
    """Give what is bound to an original before its message id, which stands last."""
    return bind("oathward original 1", site, subject, purpose) + b","


def intake_context(key: IntakeKey) -> bytes:
    """Give what is bound to a wrapped data key: another subject's row does not open."""
    return bind("oathward intake 1", key.site, key.id, key.subject, key.intake, key.epoch)


@cache
def _safe_message() -> type[SafeMessage]:
    from oathward.deid.plan import SafeMessage

    return SafeMessage


_sealers: weakref.WeakSet[Sealer] = weakref.WeakSet()


def _forget_all_in_child() -> None:
    # A child shares keys and counters with its parent: the same nonce twice would break both seals.
    for sealer in _sealers:
        sealer._guard = threading.Lock()  # noqa: SLF001  the parent may have held it while forking
        sealer._pending.clear()  # noqa: SLF001  they are the parent's to store
        sealer._new_epoch()  # noqa: SLF001  as the line above: this is the class's own business


os.register_at_fork(after_in_child=_forget_all_in_child)
