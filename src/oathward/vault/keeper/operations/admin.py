"""What the command line may ask at the admin socket, each for a person (``asking``).

| kind of document | is signed on a site with people for who may |
|---|---|
| ``device`` | ``device.change`` |
| ``consent`` | ``consent.change`` |
| ``person`` | ``people.change`` |
| ``merge`` | nobody here: ``merge_sign`` looks for the edge first (``merging``) |
| ``bundle``, ``grant``, ``service`` | nobody alone: it takes a proposal (``changes``) |

Deliberately absent: a way round ``asking.person``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oathward.core.errors import InputError, KeeperError
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.people import PERSON, Person
from oathward.policy.people_rules import unfit
from oathward.vault import certificates
from oathward.vault.authority import Document
from oathward.vault.keeper import asking, backups, checkpoints, erasing, keyring, opening, roles, signing
from oathward.vault.keeper.intake import take_all
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import console, plain, shapes
from oathward.vault.keeper.operations.operation import DOCUMENT, ID, IDS, PROOFS, WORD, Operation
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.proof import Person as Named
from oathward.vault.keeper.sign_in import accounts

SIGNED_FOR: Mapping[str, tuple[str, str]] = {
    "device": ("device.change", "device"),
    "consent": ("consent.change", "patient"),
    PERSON: ("people.change", "person"),
}
"""Kind of document -> what its signing is, and about what."""

_MERGE = "merge"


def sign_alone(
    keeper: Keeper, caller: Caller, wanted: Sequence[signing.Wanted], proofs: Sequence[Mapping[str, str]]
) -> list[Document]:
    """Sign what one person may change alone.

    Raises:
        KeeperError: ``NOT_PERMITTED`` where it takes two; else as ``asking.person`` and ``signing.sign``.
    """
    people: list[Named] = []
    if any(one.kind == _MERGE for one in wanted):
        why = "is confirmed by its edge (merge_sign), which is looked for first"
        raise KeeperError(_MERGE, why, reason=Reason.NOT_PERMITTED)
    for proof in proofs:
        if not roles.founded(keeper):
            people.append(asking.person(keeper, caller, proof, "device.change", Thing("device")))
            continue
        for kind in dict.fromkeys(one.kind for one in wanted):  # asked once for all of a kind
            found = SIGNED_FOR.get(kind)
            if found is None:
                why = "takes two people: propose it, and have another approve"
                raise KeeperError(kind, why, reason=Reason.NOT_PERMITTED)
            things = [Thing(found[1], one.id) for one in wanted if one.kind == kind]
            people.append(asking.person(keeper, caller, proof, found[0], *things))
    let_in = [one.id for one in wanted if one.kind == PERSON and _check_person(keeper, one)]
    with keeper.store.transaction():
        for by in people if let_in else ():
            accounts.let_in(keeper, let_in, by.name, "provider")
        return signing.sign(keeper, wanted, people)


def _check_person(keeper: Keeper, wanted: signing.Wanted) -> bool:
    """See that a record may follow the one before; says whether somebody who was here gets another way in by it."""
    try:
        person = Person.from_body(wanted.body)
    except (ValueError, KeyError, TypeError) as error:
        raise KeeperError("person", "is not of that form", reason=Reason.INPUT_INVALID) from error
    why = "is another person" if person.id != wanted.id else ""
    why = why or ("has the id of a service" if roles.service_of(keeper, wanted.id) is not None else "")
    before = roles.person_of(keeper, wanted.id)
    why = why or unfit(before, person, keeper.now_us())
    if why:
        raise KeeperError("person", why, reason=Reason.INPUT_INVALID)
    return before is not None and bool(accounts.provided(keeper, person) - accounts.provided(keeper, before))


def _open(
    keeper: Keeper, caller: Caller, subject: str, messages: list[str], purpose: str, proof: dict[str, str]
) -> list[dict[str, str]]:
    request = opening.Request(tuple(messages), purpose, subject)
    found = opening.open_originals(keeper, request, caller, lambda: _opener(keeper, caller, proof, purpose))
    return [plain.original(one) for one in found]


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

    def who() -> Named:
        if sealed_for == console.QUARANTINE:
            return asking.person(keeper, caller, proof, "quarantine.release", Thing("message"))
        return _opener(keeper, caller, proof, purpose)

    return [plain.original(one) for one in opening.open_originals(keeper, request, caller, who)]


def _opener(keeper: Keeper, caller: Caller, proof: Mapping[str, str], purpose: str) -> Named:
    """Say who opens; at the command line nobody treats a patient, whatever the purpose says."""
    thing = Thing("message", "any")
    return asking.person(
        keeper,
        caller,
        proof,
        "message.open",
        thing,
        purpose=str(Purpose(purpose)) if purpose in set(Purpose) else "",
    )


def _sign_authority(
    keeper: Keeper, caller: Caller, documents: list[dict[str, Any]], approvals: list[dict[str, str]]
) -> list[dict[str, Any]]:
    wanted = [signing.Wanted(**document) for document in documents]
    return [plain.document(d) for d in sign_alone(keeper, caller, wanted, approvals)]


def _erase(
    keeper: Keeper, caller: Caller, subject: str, reason: str, proof: dict[str, str]
) -> dict[str, Any]:
    who = asking.person(keeper, caller, proof, "erase", Thing("patient", subject))
    return plain.document(erasing.erase(keeper, subject, reason, who))


def _rotate_site_key(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> int:
    person = asking.person(keeper, caller, proof, "keys.rotate", Thing("key", "site"))
    take_all(keeper)
    generation = keeper.store.rotate_site_key()
    backups.start_again(keeper.store, keeper.now_us())
    body = {"generation": generation, "key": "site", "person": person.name}
    keeper.note("key.rotated", body)
    keeper.note("key.destroyed", {"generation": generation - 1, "key": "site"})
    return generation


def _rotate_exchange(keeper: Keeper, caller: Caller, kind: str, proof: dict[str, str]) -> str:
    person = asking.person(keeper, caller, proof, "keys.rotate", Thing("key", kind))
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
    thing = Thing("device", names[0] if kind == "device" else "")
    person = asking.person(keeper, caller, proof, "certificate.issue", thing)
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
    return {"certificate": plain.b64(made), "ca": plain.b64(ca.certificate)}


def _back_up(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> str:
    asking.person(keeper, caller, proof, "keys.back-up", Thing("key"))
    return backups.make(keeper.store, keeper.now_us()).name


def _restart_checkpoints(keeper: Keeper, caller: Caller, proofs: list[dict[str, str]]) -> None:
    people = [asking.person(keeper, caller, one, "ledger.restore", Thing("ledger")) for one in proofs]
    checkpoints.restart(keeper, people)


TABLE: Mapping[str, Operation] = {
    "open": Operation(_open, shapes.table(subject=ID, messages=IDS, purpose=WORD, proof=shapes.proof)),
    "open_held": Operation(
        _open_held,
        shapes.table(
            messages=IDS,
            sealed_for=shapes.text(empty=True),
            purpose=WORD,
            reason=shapes.text(200),
            proof=shapes.proof,
        ),
    ),
    "sign_authority": Operation(
        _sign_authority,
        shapes.table(documents=shapes.listed(DOCUMENT, signing.DOCUMENTS_MAX, least=1), approvals=PROOFS),
    ),
    "session_invite": Operation(console.invite, shapes.table(acts=shapes.flag, proof=shapes.proof)),
    "erase": Operation(_erase, shapes.table(subject=ID, reason=WORD, proof=shapes.proof)),
    "rotate_site_key": Operation(_rotate_site_key, shapes.table(proof=shapes.proof)),
    "rotate_exchange": Operation(_rotate_exchange, shapes.table(kind=WORD, proof=shapes.proof)),
    "certify": Operation(
        _certify,
        shapes.table(
            kind=WORD,
            names=shapes.listed(shapes.text(253), 64, least=1),
            public=shapes.raw(256),
            proof=shapes.proof,
        ),
    ),
    "back_up": Operation(_back_up, shapes.table(proof=shapes.proof)),
    "restart_checkpoints": Operation(_restart_checkpoints, shapes.table(proofs=PROOFS)),
}
