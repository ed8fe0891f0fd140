"""Everything the keeper does for others: one table a role, each operation in exactly one of them.

| role | may |
|---|---|
| ``any`` | ask for its state and for the newest versions of signed documents |
| ``gateway`` | get working keys and public keys; shaping seeds (counted); take releases that people ordered |
| ``courier`` | get the private outbox keys of rows in flight; say which are done |
| ``app`` | begin and end sessions of people; with a session's secret: order a release, sign a device (``console``) |
| ``admin`` | open, sign, erase, rotate, certify, back up: each with the proof of a person |

Rules:
- Arguments are checked by shape first (``shapes``); results are plain JSON, bytes as base64.
- A seed is counted; the counts become records ``seed.issued`` about once a second.

Deliberately absent: parsing of messages, certificates, or anything else of foreign make.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oathward.core.errors import InputError, KeeperError, OathwardError
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.vault import certificates, intake
from oathward.vault.authority import Document
from oathward.vault.keeper import (
    backups,
    checkpoints,
    console,
    erasing,
    keyring,
    opening,
    proof,
    shapes,
    signing,
    subjects,
)
from oathward.vault.keeper.intake import take_all
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller, Person

SEEDS_MAX = 256


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the shapes of its arguments, and what does it."""

    run: Callable[..., Any]
    arguments: shapes.Shape


def call(keeper: Keeper, caller: Caller, name: str, arguments: Any) -> Any:
    """Do one operation for a caller.

    Raises:
        KeeperError: ``NOT_PERMITTED``; not an operation of this role. Otherwise as the operation.
    """
    operation = TABLES["any"].get(name) or TABLES.get(caller.role, {}).get(name)
    if operation is None:
        raise KeeperError("operation", "is not one of this role", reason=Reason.NOT_PERMITTED)
    if keeper.behind is not None and name != "state":
        raise keeper.behind
    return operation.run(keeper, caller, **operation.arguments(arguments, name))


def answer(keeper: Keeper, caller: Caller, request: Any) -> dict[str, Any]:
    """Do what a request asks and give the answer's frame."""
    try:
        if (
            not isinstance(request, dict)
            or request.keys() != {"op", "args"}
            or not isinstance(request["op"], str)
        ):
            raise KeeperError("request", "must have `op` and `args`", reason=Reason.INPUT_INVALID)
        return {"ok": call(keeper, caller, request["op"], request["args"])}
    except OathwardError as error:
        return {"refused": {"reason": error.reason.code, "where": error.where, "why": error.why}}


def flush_counts(keeper: Keeper) -> None:
    """Write how many seeds were given out since the last time, per project."""
    with keeper.guard:
        counts, keeper.seeds_issued = keeper.seeds_issued, type(keeper.seeds_issued)()
    if counts:
        now_us = keeper.now_us()
        keeper.record(
            [
                Record("seed.issued", {"count": count, "project": project}, now_us)
                for project, count in sorted(counts.items())
            ]
        )


def _state(keeper: Keeper, _caller: Caller) -> dict[str, Any]:
    waiting, refused = _intake_counts(keeper)
    counts = keeper.store.one("SELECT (SELECT COUNT(*) FROM subject), (SELECT COUNT(*) FROM data_key)") or (
        0,
        0,
    )
    return {
        "site": keeper.site,
        "site_key": keeper.store.generation,
        "subjects": counts[0],
        "data_keys": counts[1],
        "tombstones": subjects.count(keeper.store),
        "intake_waiting": waiting,
        "intake_refused": refused,
        "witness": "none" if keeper.witness is None else "asked" if keeper.confirmed else "not asked",
        "backups": len(backups.copies(keeper.store)),
        "exchange_keys": {
            kind: len(keyring.exchanges(keeper.store, kind)) for kind in keyring.EXCHANGE_KINDS
        },
    }


def _newest(keeper: Keeper, _caller: Caller, after: list[str]) -> list[tuple[str, str, int]]:
    return signing.newest(keeper, (after[0], after[1]))


def _hello(keeper: Keeper, _caller: Caller) -> dict[str, Any]:
    days = keeper.settings.keeper
    now_us = keeper.now_us()
    keys = keyring.site_keys(keeper.store, keeper.site)
    exchange = {
        "intake": keyring.current(keeper.store, "intake", now_us, days.intake_key_days),
        "outbox": keyring.current(keeper.store, "outbox", now_us, days.outbox_key_days),
    }
    return {
        **{f"{name}_key": _b64(key) for name, key in keys.items()},
        **{
            kind: _document(keyring.public_document(keeper.site, key, keeper.authority))
            for kind, key in exchange.items()
        },
        "authority": _b64(keeper.authority.public),
    }


def _seeds(keeper: Keeper, _caller: Caller, pairs: list[list[str]]) -> list[str]:
    store = keeper.store
    with store.transaction():  # one commit, however many subjects are new
        seeds = [_b64(subjects.seed(store, keeper.site, subject, project)) for subject, project in pairs]
    with keeper.guard:
        keeper.seeds_issued.update(project for _, project in pairs)
    return seeds


def _device_key(keeper: Keeper, _caller: Caller, project: str) -> str:
    return _b64(subjects.device_key(keeper.store, keeper.site, project))


def _outbox_keys(keeper: Keeper, _caller: Caller) -> dict[str, str]:
    # Made here if need be, so that the courier has the key before the first row under it.
    keyring.current(keeper.store, "outbox", keeper.now_us(), keeper.settings.keeper.outbox_key_days)
    return {key.id: _b64(key.private) for key in keyring.exchanges(keeper.store, "outbox")}


def _outbox_done(keeper: Keeper, _caller: Caller, in_use: list[str]) -> list[str]:
    gone = keyring.destroy_expired(keeper.store, "outbox", set(in_use), keeper.now_us())
    _note_destroyed(keeper, "outbox", gone)
    return gone


def _open(
    keeper: Keeper, caller: Caller, subject: str, messages: list[str], purpose: str, proof: dict[str, str]
) -> list[dict[str, str]]:
    request = opening.Request(tuple(messages), purpose, subject)
    return [_original(one) for one in opening.open_originals(keeper, request, proof, caller)]


def _open_held(
    keeper: Keeper,
    caller: Caller,
    messages: list[str],
    sealed_for: str,
    purpose: str,
    reason: str,
    proof: dict[str, str],
) -> list[dict[str, str]]:
    request = opening.Request(tuple(messages), purpose, "", sealed_for, reason)
    return [_original(one) for one in opening.open_originals(keeper, request, proof, caller)]


def _sign_authority(
    keeper: Keeper, caller: Caller, documents: list[dict[str, Any]], approvals: list[dict[str, str]]
) -> list[dict[str, Any]]:
    wanted = [signing.Wanted(**document) for document in documents]
    return [_document(d) for d in signing.sign(keeper, wanted, _people(caller, approvals))]


def _erase(
    keeper: Keeper, caller: Caller, subject: str, reason: str, proof: dict[str, str]
) -> dict[str, Any]:
    return _document(erasing.erase(keeper, subject, reason, _person(caller, proof)))


def _rotate_site_key(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> int:
    person = _person(caller, proof)
    take_all(keeper)
    generation = keeper.store.rotate_site_key()
    backups.start_again(keeper.store, keeper.now_us())
    body = {"generation": generation, "key": "site", "person": person.name}
    keeper.note("key.rotated", body)
    keeper.note("key.destroyed", {"generation": generation - 1, "key": "site"})
    return generation


def _rotate_exchange(keeper: Keeper, caller: Caller, kind: str, proof: dict[str, str]) -> str:
    person = _person(caller, proof)
    if kind not in keyring.EXCHANGE_KINDS:
        raise shapes.refuse("kind", f"must be one of {', '.join(keyring.EXCHANGE_KINDS)}")
    key = keyring.renew(
        keeper.store, kind, keeper.now_us(), getattr(keeper.settings.keeper, f"{kind}_key_days")
    )
    keeper.note("key.rotated", {"id": key.id, "key": kind, "person": person.name})
    return key.id


def _certify(
    keeper: Keeper, caller: Caller, kind: str, names: list[str], public: bytes, proof: dict[str, str]
) -> dict[str, str]:
    person = _person(caller, proof)
    now = keeper.clock.now()
    ca = keyring.device_ca(keeper.store, keeper.site, now)
    try:
        if kind == "device":
            made = certificates.certify_device(ca, names[0], public, now)
        else:
            made = certificates.certify_server(ca, names, public, now)
    except InputError as error:
        raise KeeperError(error.where, error.why, reason=Reason.INPUT_INVALID) from error
    digest = certificates.fingerprint(made).hex()
    keeper.note("certificate.issued", {"kind": kind, "names": names, "person": person.name, "sha256": digest})
    return {"certificate": _b64(made), "ca": _b64(ca.certificate)}


def _back_up(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> str:
    _person(caller, proof)
    return backups.make(keeper.store, keeper.now_us()).name


def _restart_checkpoints(keeper: Keeper, caller: Caller, proofs: list[dict[str, str]]) -> None:
    checkpoints.restart(keeper, _people(caller, proofs))


def _sign_devices(keeper: Keeper, caller: Caller, **arguments: Any) -> list[dict[str, Any]]:
    return [_document(d) for d in console.sign_devices(keeper, caller, **arguments)]


def _release_take(keeper: Keeper, caller: Caller) -> dict[str, Any] | None:
    taken = console.take(keeper, caller)
    if taken is None:
        return None
    order, originals = taken
    return {
        "id": order.id,
        "originals": [_original(one) for one in originals],
        "person": order.person,
        "reason": order.reason,
    }


def _intake_counts(keeper: Keeper) -> tuple[int, int]:
    from oathward.core.db import read

    with read(keeper.engine) as db:
        return intake.counts(db, keeper.site)


def _note_destroyed(keeper: Keeper, kind: str, ids: list[str]) -> None:
    if ids:
        keeper.store.forget_deleted()
        keeper.note("key.destroyed", {"ids": ids, "key": kind})


def _person(caller: Caller, evidence: Mapping[str, str]) -> Person:
    return proof.check(evidence, caller)


def _people(caller: Caller, proofs: list[dict[str, str]]) -> list[Person]:
    return [proof.check(evidence, caller) for evidence in proofs]


def _original(one: opening.Original) -> dict[str, str]:
    return {
        "message": one.message,
        "subject": one.subject,
        "purpose": one.purpose,
        "data": _b64(one.data.reveal()),
    }


def _document(d: Document) -> dict[str, Any]:
    return {
        "site": d.site,
        "kind": d.kind,
        "id": d.id,
        "version": d.version,
        "body": _b64(d.body),
        "signature": _b64(d.signature),
        "at_us": d.at_us,
    }


def _b64(raw: bytes) -> str:
    return b64encode(raw).decode()


_ID = shapes.text()
_WORD = shapes.text(64)
_IDS = shapes.listed(_ID, opening.MESSAGES_MAX, least=1)
_DOCUMENT = shapes.table(
    kind=_WORD, id=shapes.text(128), version=shapes.number(0, 2**53), body=shapes.raw(signing.BODY_BYTES_MAX)
)
_PROOFS = shapes.listed(shapes.proof, 16)
_PAIR = shapes.listed(_ID, 2, least=2)
_OUTCOME = shapes.listed(shapes.text(empty=True), 2, least=2)

TABLES: Mapping[str, Mapping[str, Operation]] = {
    "any": {
        "state": Operation(_state, shapes.table()),
        "newest": Operation(
            _newest, shapes.table(after=shapes.listed(shapes.text(128, empty=True), 2, least=2))
        ),
    },
    "gateway": {
        "hello": Operation(_hello, shapes.table()),
        "seeds": Operation(_seeds, shapes.table(pairs=shapes.listed(_PAIR, SEEDS_MAX, least=1))),
        "device_key": Operation(_device_key, shapes.table(project=_ID)),
        "releases_waiting": Operation(console.waiting, shapes.table()),
        "release_take": Operation(_release_take, shapes.table()),
        "release_settle": Operation(
            console.settle,
            shapes.table(
                id=_ID,
                outcome=shapes.listed(_OUTCOME, opening.MESSAGES_MAX),
                why=shapes.text(empty=True),
            ),
        ),
    },
    "courier": {
        "outbox_keys": Operation(_outbox_keys, shapes.table()),
        "outbox_done": Operation(_outbox_done, shapes.table(in_use=shapes.listed(_ID, 10_000))),
    },
    "app": {
        "session_begin": Operation(console.begin, shapes.table(key=shapes.text())),
        "session_check": Operation(console.check, shapes.table(used=shapes.flag, proof=shapes.proof)),
        "session_end": Operation(console.end, shapes.table(proof=shapes.proof)),
        "release_order": Operation(
            console.order, shapes.table(messages=_IDS, reason=shapes.text(200), proof=shapes.proof)
        ),
        "release_ordered": Operation(console.ordered, shapes.table(id=_ID, proof=shapes.proof)),
        "sign_devices": Operation(
            _sign_devices,
            shapes.table(
                documents=shapes.listed(_DOCUMENT, console.DOCUMENTS_MAX, least=1), proof=shapes.proof
            ),
        ),
    },
    "admin": {
        "open": Operation(_open, shapes.table(subject=_ID, messages=_IDS, purpose=_WORD, proof=shapes.proof)),
        "open_held": Operation(
            _open_held,
            shapes.table(
                messages=_IDS,
                sealed_for=shapes.text(empty=True),
                purpose=_WORD,
                reason=shapes.text(200),
                proof=shapes.proof,
            ),
        ),
        "sign_authority": Operation(
            _sign_authority,
            shapes.table(
                documents=shapes.listed(_DOCUMENT, signing.DOCUMENTS_MAX, least=1), approvals=_PROOFS
            ),
        ),
        "session_invite": Operation(console.invite, shapes.table(acts=shapes.flag, proof=shapes.proof)),
        "erase": Operation(_erase, shapes.table(subject=_ID, reason=_WORD, proof=shapes.proof)),
        "rotate_site_key": Operation(_rotate_site_key, shapes.table(proof=shapes.proof)),
        "rotate_exchange": Operation(_rotate_exchange, shapes.table(kind=_WORD, proof=shapes.proof)),
        "certify": Operation(
            _certify,
            shapes.table(
                kind=_WORD,
                names=shapes.listed(shapes.text(253), 64, least=1),
                public=shapes.raw(256),
                proof=shapes.proof,
            ),
        ),
        "back_up": Operation(_back_up, shapes.table(proof=shapes.proof)),
        "restart_checkpoints": Operation(_restart_checkpoints, shapes.table(proofs=_PROOFS)),
    },
}
"""Role -> operation -> what it takes. Each operation stands in exactly one table."""
