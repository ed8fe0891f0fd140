"""Everything the keeper does for others: one table a role.

| role | may |
|---|---|
| ``any`` | ask for its state and for the newest versions of signed documents |
| ``gateway`` | get working keys and public keys; shaping seeds (counted); take releases that people ordered; open how links know a patient (``noticing``) |
| ``courier`` | get the private outbox keys of rows in flight; say which are done |
| ``app`` | begin and end sessions of people; with a session's secret: order a release, sign a device (``console``) |
| ``portal`` | what holders of the patient portal do (``portal/operations``) |
| ``admin`` | open, sign, erase, rotate, certify, back up: each with the proof of a person |

Rules:
- Arguments are checked by shape first (``shapes``); results are plain JSON, bytes as base64.
- A seed is counted; the counts become records ``seed.issued`` about once a second, of jobs with their person.
- A project that jobs alone write into, and that names whose, has no seed for a process that says for nobody.

Deliberately absent: parsing of messages, certificates, or anything else of foreign make.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError, OathwardError
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.vault import intake
from oathward.vault.keeper import (
    backups,
    breaking,
    care_keeping,
    glasses,
    job_seeds,
    keyring,
    merging,
    noticing,
    opening,
    patient_opening,
    projects,
    reaching,
    reidentifying,
    roles,
    signing,
    subjects,
    words,
)
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import admin as operations_admin
from oathward.vault.keeper.operations import changes as operations_changes
from oathward.vault.keeper.operations import console, copies, plain, shapes
from oathward.vault.keeper.operations import people as operations_people
from oathward.vault.keeper.operations.operation import DOCUMENT, ID, IDS, Operation, note_destroyed
from oathward.vault.keeper.portal import operations as portal
from oathward.vault.keeper.portal import reports, seats
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import visiting

SEEDS_MAX = 256


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
    """Write how many seeds were given out since the last time, per project; and what ended or was refused by itself."""
    with keeper.guard:
        counts, keeper.seeds_issued = keeper.seeds_issued, type(keeper.seeds_issued)()
    if counts:
        now_us = keeper.now_us()
        keeper.record(
            [
                Record("seed.issued", _issued(keeper, project, person, count), now_us)
                for (project, person), count in sorted(counts.items())
            ]
        )
    visiting.flush(keeper)
    seats.flush(keeper)


def _issued(keeper: Keeper, project: str, person: str, count: int) -> dict[str, Any]:
    told: dict[str, Any] = {"count": count, "project": project}
    return told | {"person": person, "today": job_seeds.today(keeper, person, project)} if person else told


def _state(keeper: Keeper, _caller: Caller) -> dict[str, Any]:
    waiting, refused = _intake_counts(keeper)
    counts = keeper.store.one("SELECT (SELECT COUNT(*) FROM subject), (SELECT COUNT(*) FROM data_key)") or (
        0,
        0,
    )
    return {
        "founded": roles.founded(keeper),
        "glass": glasses.counts(keeper),
        "reports": reports.counts(keeper),
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
        **{f"{name}_key": plain.b64(key) for name, key in keys.items()},
        **{
            kind: plain.document(keyring.public_document(keeper.site, key, keeper.authority))
            for kind, key in exchange.items()
        },
        "authority": plain.b64(keeper.authority.public),
    }


def _seeds(keeper: Keeper, _caller: Caller, pairs: list[list[str]]) -> list[str]:
    for project in {project for _, project in pairs}:
        projects.check_open(keeper, project)
    store = keeper.store
    with store.transaction():  # one commit, however many subjects are new
        seeds = [plain.b64(subjects.seed(store, keeper.site, subject, project)) for subject, project in pairs]
    with keeper.guard:
        keeper.seeds_issued.update((project, "") for _, project in pairs)
    return seeds


def _device_key(keeper: Keeper, _caller: Caller, project: str) -> str:
    projects.check_open(keeper, project)
    return plain.b64(subjects.device_key(keeper.store, keeper.site, project))


def _outbox_keys(keeper: Keeper, _caller: Caller) -> dict[str, str]:
    # Made here if need be, so that the courier has the key before the first row under it.
    keyring.current(keeper.store, "outbox", keeper.now_us(), keeper.settings.keeper.outbox_key_days)
    return {key.id: plain.b64(key.private) for key in keyring.exchanges(keeper.store, "outbox")}


def _outbox_done(keeper: Keeper, _caller: Caller, in_use: list[str]) -> list[str]:
    gone = keyring.destroy_expired(keeper.store, "outbox", set(in_use), keeper.now_us())
    note_destroyed(keeper, "outbox", gone)
    return gone


def _sign_devices(keeper: Keeper, caller: Caller, **arguments: Any) -> list[dict[str, Any]]:
    return [plain.document(d) for d in console.sign_devices(keeper, caller, **arguments)]


def _release_take(keeper: Keeper, caller: Caller) -> dict[str, Any] | None:
    taken = console.take(keeper, caller)
    if taken is None:
        return None
    order, originals = taken
    return {
        "id": order.id,
        "originals": [plain.original(one) for one in originals],
        "person": order.person,
        "reason": order.reason,
    }


def _notice_identities(
    keeper: Keeper, caller: Caller, subject: str, because: str, links: list[str]
) -> list[dict[str, Any]]:
    return [plain.original(one) for one in noticing.open_shown(keeper, caller, subject, because, links)]


def _intake_counts(keeper: Keeper) -> tuple[int, int]:
    from oathward.core.db import read

    with read(keeper.engine) as db:
        return intake.counts(db, keeper.site)


_PAIR = shapes.listed(ID, 2, least=2)
_OUTCOME = shapes.listed(shapes.text(empty=True), 2, least=2)

SIGNED_IN: Mapping[str, Operation] = {
    "session_begin": Operation(console.begin, shapes.table(key=shapes.text())),
    "session_check": Operation(console.check, shapes.table(used=shapes.flag, proof=shapes.proof)),
    "session_end": Operation(console.end, shapes.table(proof=shapes.proof)),
    "release_order": Operation(
        console.order, shapes.table(messages=IDS, reason=shapes.text(200), proof=shapes.proof)
    ),
    "release_ordered": Operation(console.ordered, shapes.table(id=ID, proof=shapes.proof)),
    "sign_devices": Operation(
        _sign_devices,
        shapes.table(documents=shapes.listed(DOCUMENT, console.DOCUMENTS_MAX, least=1), proof=shapes.proof),
    ),
    **operations_changes.BOTH,
    **operations_people.APP,
    **breaking.TABLE,
    **reaching.TABLE,
    **reidentifying.TABLE,
    **words.TABLE,
    **merging.TABLE,
    **portal.STAFF,
    **reports.STAFF,
}
"""For people who sign in or are signed in, through the console or at the command line: it is their session that counts."""

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
        "device_key": Operation(_device_key, shapes.table(project=ID)),
        "notice_identities": Operation(
            _notice_identities, shapes.table(subject=ID, because=ID, links=shapes.listed(ID, 256, least=1))
        ),
        "releases_waiting": Operation(console.waiting, shapes.table()),
        "release_take": Operation(_release_take, shapes.table()),
        "release_settle": Operation(
            console.settle,
            shapes.table(
                id=ID,
                outcome=shapes.listed(_OUTCOME, opening.MESSAGES_MAX),
                why=shapes.text(empty=True),
            ),
        ),
    },
    "courier": {
        "outbox_keys": Operation(_outbox_keys, shapes.table()),
        "outbox_done": Operation(_outbox_done, shapes.table(in_use=shapes.listed(ID, 10_000))),
    },
    "app": {
        "session_begin": Operation(console.begin, shapes.table(key=shapes.text())),
        **SIGNED_IN,
        **patient_opening.TABLE,
        **portal.LETTERS,
    },
    "portal": portal.PORTAL,
    "admin": {
        **copies.TABLE,
        **care_keeping.TABLE,
        **job_seeds.TABLE,
        **operations_admin.TABLE,
        **operations_changes.ADMIN,
        **SIGNED_IN,
    },
}
"""Role -> operation -> what it takes."""
