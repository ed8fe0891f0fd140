"""Speak with the keeper: over its role's socket, or in this process where no keeper runs.

Rules:
- A running keeper is always asked. Without one, who may read its folder becomes the keeper while the client is open: commands, tests.
- The processes of a site wait for their keeper and never become it (``become=False``): they must not hold what
  opens, and while one did no keeper could start again.
- What the keeper gives is checked where it can be: public keys and documents carry its signature, and the pinned trust anchor verifies them.
- One request at a time on a connection; a connection that failed in the middle is thrown away.

Deliberately absent: retries of refused requests, caching (callers know how long an answer holds).
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from oathward.core import users
from oathward.core.errors import AuthorityError, KeeperError, VaultError
from oathward.core.reasons import BY_CODE, Reason
from oathward.core.settings import Settings
from oathward.vault.authority import Document, trust_anchor, verify
from oathward.vault.keeper.client import frames
from oathward.vault.keeper.client.asks import Asks
from oathward.vault.keeper.client.changes import Changes
from oathward.vault.keeper.client.copies import Copies
from oathward.vault.keeper.client.glass import Glasses
from oathward.vault.keeper.client.jobs import Jobs
from oathward.vault.keeper.client.notices import Notices
from oathward.vault.keeper.client.patients import Patients, original_of
from oathward.vault.keeper.client.people import People
from oathward.vault.keeper.client.portal import Portal
from oathward.vault.keeper.client.reidentify import Reidentify
from oathward.vault.keeper.client.transport import InProcess, Several, SocketTransport, Transport, unavailable
from oathward.vault.keeper.client.words import Words
from oathward.vault.keeper.original import Original
from oathward.vault.keeper.sign_in.visit import Visit, visit_of
from oathward.vault.seal import PublicKey
from oathward.vault.sign import Verifier

if TYPE_CHECKING:
    from oathward.vault.keeper.changing.papers import Register

START_S_MAX = 5.0
"""How long to wait for a keeper that holds its store and does not listen yet."""

ADMIN_S_MAX = 120.0
_CONNECTIONS = {"app": 4, "portal": 4}
"""Where many people ask at once: one who signs in takes the keeper tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """What a gateway works with; the public keys' signatures have been checked.

    ``index_key`` identifiers, ``word_key`` words of the guard, ``duplicate_key`` duplicates: 32 bytes each.
    """

    index_key: bytes = field(repr=False)
    word_key: bytes = field(repr=False)
    duplicate_key: bytes = field(repr=False)
    intake: PublicKey
    outbox: PublicKey


@dataclass(frozen=True, slots=True)
class Release:
    """What became of a release somebody ordered: ``waiting``, ``taken``, ``done`` or ``refused`` and why.

    ``outcome``: message -> the reason it stays held for, empty where it was released.
    """

    id: str
    state: str
    messages: tuple[str, ...]
    outcome: Mapping[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """A release that was taken, with its opened originals; for the gateway's replay."""

    id: str
    person: str
    reason: str
    originals: tuple[Original, ...]


class Client:
    """The keeper as one role sees it; safe in threads. The keeper refuses what the role may not ask."""

    def __init__(self, transport: Transport, role: str, authority: Verifier) -> None:
        self.role = role
        self._transport, self._authority, self._serials = transport, authority, dict[str, int]()
        self.people, self.glass, self.words = People(self._call), Glasses(self._call), Words(self._call)
        self.reidentify = Reidentify(self._call)
        self.patients, self.notices = Patients(self._call, self._document), Notices(self._call)
        self.changes, self.copies = Changes(self._call, self._document), Copies(self._call)
        self.portal, self.asks, self.jobs = Portal(self._call), Asks(self._call), Jobs(self._call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, or stop being the keeper."""
        self._transport.close()

    def state(self) -> dict[str, Any]:
        """Ask how many keys there are, and which site key is in force."""
        found: dict[str, Any] = self._call("state")
        return found

    def newest(self) -> dict[tuple[str, str], int]:
        """Ask for the newest version of every signed document: (kind, id) -> version."""
        found: dict[tuple[str, str], int] = {}
        after = ["", ""]
        while page := self._call("newest", after=after):
            found |= {(kind, id_): version for kind, id_, version in page}
            after = page[-1][:2]
        return found

    # --- gateway

    def hello(self) -> GatewayKeys:
        """Get the working keys of a gateway and the keeper's public keys of the day.

        Raises:
            AuthorityError: a public key is not signed by the pinned authority, or is older than one seen.
        """
        answer = self._call("hello")
        return GatewayKeys(
            _raw(answer["index_key"]),
            _raw(answer["word_key"]),
            _raw(answer["duplicate_key"]),
            self._public_key("intake", answer["intake"]),
            self._public_key("outbox", answer["outbox"]),
        )

    def seed(self, subject: str, project: str) -> bytes:
        """Get the shaping seed of a subject in a project, 32 bytes: for this epoch, counted."""
        return self.seeds([(subject, project)])[0]

    def seeds(self, pairs: Sequence[tuple[str, str]]) -> list[bytes]:
        """Get many shaping seeds at once."""
        return [_raw(seed) for seed in self._call("seeds", pairs=[list(pair) for pair in pairs])]

    def device_key(self, project: str) -> bytes:
        """Get the key of a project's device aliases, 32 bytes."""
        return _raw(self._call("device_key", project=project))

    def releases_waiting(self) -> int:
        """Count releases that people ordered and nobody took yet."""
        count: int = self._call("releases_waiting")
        return count

    def release_take(self) -> Ordered | None:
        """Take the oldest ordered release, its originals opened; nothing where none waits."""
        found = self._call("release_take")
        if found is None:
            return None
        originals = tuple(original_of(one) for one in found["originals"])
        return Ordered(found["id"], found["person"], found["reason"], originals)

    def release_settle(self, id_: str, outcome: Sequence[tuple[str, str]], why: str = "") -> None:
        """Say what became of it: each message with the reason it stays held for, empty where released."""
        self._call("release_settle", id=id_, outcome=[list(one) for one in outcome], why=why)

    # --- courier

    def outbox_keys(self) -> dict[str, bytes]:
        """Get the private keys of rows in flight, for ``envelope.Opener``: id -> 32 bytes."""
        return {id_: _raw(key) for id_, key in self._call("outbox_keys").items()}

    def outbox_done(self, in_use: Sequence[str]) -> list[str]:
        """Say which outbox keys rows still need; expired others are destroyed. Gives their ids."""
        gone: list[str] = self._call("outbox_done", in_use=list(in_use))
        return gone

    # --- app, for a person who is signed in at the console

    def session_begin(self, key: str) -> tuple[str, Visit]:
        """Use a one-time link up; gives the secret of the session, and whose it is.

        Raises:
            KeeperError: ``NOT_PERMITTED``; used already, too old, or never made.
        """
        found = self._call("session_begin", key=key)
        return found.pop("secret"), visit_of(found)

    def session_check(self, proof: Mapping[str, str], *, used: bool) -> Visit:
        """Ask who is signed in; ``used`` counts as use of the session.

        Raises:
            KeeperError: ``NOT_PERMITTED``; it has ended.
        """
        return visit_of(self._call("session_check", used=used, proof=dict(proof)))

    def session_end(self, proof: Mapping[str, str]) -> None:
        """Sign out."""
        self._call("session_end", proof=dict(proof))

    def release_order(self, messages: Sequence[str], reason: str, proof: Mapping[str, str]) -> Release:
        """Order the release of held messages; the gateway's replay carries it out."""
        return _release(
            self._call("release_order", messages=list(messages), reason=reason, proof=dict(proof))
        )

    def release_ordered(self, id_: str, proof: Mapping[str, str]) -> Release:
        """Ask what became of a release this person ordered."""
        return _release(self._call("release_ordered", id=id_, proof=dict(proof)))

    def sign_devices(
        self, documents: Sequence[tuple[str, str, int, bytes]], proof: Mapping[str, str]
    ) -> list[Document]:
        """Have device documents signed for the person who is signed in; as ``sign_many``."""
        answer = self._call("sign_devices", documents=_wanted(documents), proof=dict(proof))
        return [self._document(one) for one in answer]

    # --- admin

    def session_invite(self, proof: Mapping[str, str], *, acts: bool) -> str:
        """Make the key of a one-time link to the console for a person."""
        key: str = self._call("session_invite", acts=acts, proof=dict(proof))
        return key

    def open(
        self, subject: str, messages: Sequence[str], purpose: str, proof: Mapping[str, str]
    ) -> list[Original]:
        """Open originals of one subject: one request, one decision, one record.

        Raises:
            KeeperError: refused, with the reason.
        """
        answer = self._call(
            "open", subject=subject, messages=list(messages), purpose=purpose, proof=dict(proof)
        )
        return [original_of(one) for one in answer]

    def export_open(
        self,
        messages: Sequence[str],
        purpose: str,
        reason: str,
        proof: Mapping[str, str],
        *,
        sealed_for: str = "",
    ) -> list[Original]:
        """Open originals of any subject, for replay from quarantine; needs a recorded reason (a code)."""
        answer = self._call(
            "open_held",
            messages=list(messages),
            sealed_for=sealed_for,
            purpose=purpose,
            reason=reason,
            proof=dict(proof),
        )
        return [original_of(one) for one in answer]

    def sign_authority(
        self, kind: str, id_: str, version: int, body: bytes, approvals: Sequence[Mapping[str, str]]
    ) -> Document:
        """Have one document signed; ``version`` 0 takes the next. The caller stores it (``authority.put``)."""
        return self.sign_many([(kind, id_, version, body)], approvals)[0]

    def sign_many(
        self, documents: Sequence[tuple[str, str, int, bytes]], approvals: Sequence[Mapping[str, str]]
    ) -> list[Document]:
        """Have up to 500 documents (kind, id, version, body) signed, all or none.

        Raises:
            KeeperError: ``CONFLICT`` for a version that was signed before with another body.
        """
        wanted = _wanted(documents)
        answer = self._call("sign_authority", documents=wanted, approvals=[dict(a) for a in approvals])
        return [self._document(one) for one in answer]

    def erase(self, subject: str, reason: str, proof: Mapping[str, str]) -> Document:
        """Destroy a subject's keys; gives the signed certificate of erasure."""
        return self._document(self._call("erase", subject=subject, reason=reason, proof=dict(proof)))

    def rotate_site_key(self, proof: Mapping[str, str]) -> int:
        """Put a new site key in force and destroy the old one; gives its number."""
        generation: int = self._call("rotate_site_key", proof=dict(proof))
        return generation

    def rotate_exchange(self, kind: str, proof: Mapping[str, str]) -> str:
        """Renew the ``intake`` or ``outbox`` key before its day; gives the new id."""
        id_: str = self._call("rotate_exchange", kind=kind, proof=dict(proof))
        return id_

    def certify(
        self, kind: str, names: Sequence[str], public: bytes, proof: Mapping[str, str]
    ) -> tuple[bytes, bytes]:
        """Issue a certificate: ``device`` (first name = device id) or ``server``; DER, with the CA's."""
        answer = self._call(
            "certify",
            kind=kind,
            names=list(names),
            public=base64.b64encode(public).decode(),
            proof=dict(proof),
        )
        return _raw(answer["certificate"]), _raw(answer["ca"])

    def back_up(self, proof: Mapping[str, str]) -> str:
        """Make a copy of the key store now; gives its file name."""
        name: str = self._call("back_up", proof=dict(proof))
        return name

    def restart_checkpoints(self, proofs: Sequence[Mapping[str, str]]) -> None:
        """Let checkpoints begin again after a declared restore; two different people."""
        self._call("restart_checkpoints", proofs=[dict(proof) for proof in proofs])

    def _call(self, op: str, **arguments: Any) -> Any:
        answer = self._transport.request({"op": op, "args": arguments})
        if not isinstance(answer, dict) or not ("ok" in answer or "refused" in answer):
            raise KeeperError("keeper", "gave no answer", reason=Reason.KEEPER_UNAVAILABLE)
        if "refused" in answer:
            no = answer["refused"]
            raise KeeperError(no["where"], no["why"], reason=BY_CODE.get(no["reason"], Reason.KEEPER_REFUSED))
        return answer["ok"]

    def _document(self, one: Mapping[str, Any]) -> Document:
        fields = dict(one) | {"body": _raw(one["body"]), "signature": _raw(one["signature"])}
        document = Document(**fields)
        verify(document, self._authority)
        return document

    def _public_key(self, kind: str, one: Mapping[str, Any]) -> PublicKey:
        document = self._document(one)
        if document.kind != f"key.{kind}" or document.version < self._serials.get(kind, 0):
            raise AuthorityError(
                f"keeper {kind} key", "is older than one seen", reason=Reason.AUTHORITY_STALE
            )
        self._serials[kind] = document.version
        body = orjson.loads(document.body)
        return PublicKey(document.id, _raw(body["public"]), body["not_after_us"])


def connect(settings: Settings, role: str, *, become: bool = True, register: Register | None = None) -> Client:  # fmt: skip
    """Reach the keeper as a role.

    Args:
        become: be the keeper, with this ``register``, where none runs and this caller may read its folder.

    Raises:
        KeeperError: ``KEEPER_UNAVAILABLE``; none runs and this caller may not be it.
        AuthorityError: the data folder has no trust anchor.
    """
    authority = trust_anchor(settings)
    patience_s = settings.gateway.keeper_timeout_s if role in {"gateway", "courier"} else ADMIN_S_MAX
    # A command of root on a site with users of its own: each door is for its own user, and root may be that one.
    uid = users.user_of(settings, role) if role in users.ROLES else os.geteuid()
    ends_s = time.monotonic() + START_S_MAX
    while True:
        path, group = frames.socket_path(settings, role), users.group_of(settings)
        several = [SocketTransport(path, patience_s, uid, group) for _ in range(_CONNECTIONS.get(role, 1))]
        if several[0].reach():
            transport = Several(several[0], several[1:]) if len(several) > 1 else several[0]
            return Client(transport, role, authority)
        if not become:
            if time.monotonic() > ends_s:
                raise unavailable("does not run")
            time.sleep(0.05)
            continue
        try:
            return Client(InProcess(settings, role, register), role, authority)
        except VaultError as error:
            raise unavailable(error.why) from error
        except KeeperError as error:  # the store is held: by a keeper about to listen, or not for long
            if error.reason is not Reason.CONFLICT or time.monotonic() > ends_s:
                raise
            time.sleep(0.05)


def _raw(text: str) -> bytes:
    return base64.b64decode(text)


def _wanted(documents: Sequence[tuple[str, str, int, bytes]]) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "id": id_, "version": version, "body": base64.b64encode(body).decode()}
        for kind, id_, version, body in documents
    ]


def _release(one: Mapping[str, Any]) -> Release:
    return Release(one["id"], one["state"], tuple(one["messages"]), dict(one["outcome"]), one["why"])
