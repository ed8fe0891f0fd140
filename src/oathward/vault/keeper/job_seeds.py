"""Seeds for jobs of de-identification: handed to a person who may run one, into a project that takes jobs of theirs.

| operation | action | gives |
|---|---|---|
| ``job_begin`` | ``deid.run`` | the project's device key, and an order that is good for ``ORDER_DAYS`` |
| ``job_seeds`` | its order | seeds of patients in that project |

Rules:
- An order names person and project under a key that never leaves the keeper: who runs a job is not proved anew for each patient, for a job
  may take longer than a proof is fresh. Whether that person may still run one, and into that project, is looked at again within a second.
- A project of the policy in force that names who runs jobs into it (``released_by``) takes none of others: a refusal is a record.
- Seeds are counted by person, project and day, in the transaction that gives them out; the counts go on record (``seed.issued``).

Deliberately absent: whose the seeds are (``deidentifying.whom``), and any limit: a folder may have a million patients.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

import orjson

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy import access
from oathward.policy.access import AT_THE_MACHINE, Permitted, Thing
from oathward.vault.keeper import asking, keyring, projects, roles, subjects
from oathward.vault.keeper.client.jobs import SEEDS_MAX
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, Operation
from oathward.vault.keeper.proof import Caller
from oathward.vault.primitives import bind

ACTION = "deid.run"
ORDER_DAYS = 7
COUNTED_DAYS = 90
DAY_US = 86_400_000_000
_ORDER_LENGTH_MAX = 1_024
_SECRET = "job-order"  # noqa: S105  its name


def begin(keeper: Keeper, caller: Caller, project: str, proof: Mapping[str, str]) -> dict[str, str]:
    """Let a person begin a job, or go on with one.

    Raises:
        KeeperError: as ``asking.person``; ``ACCESS_PROJECT``: the project takes no job of theirs, on record; ``INPUT_INVALID``: the
            policy in force has no such project.
    """
    person = asking.person(keeper, caller, proof, ACTION, Thing("area")).name
    try:
        _check_project(keeper, person, project)
    except KeeperError as error:
        keeper.note("deid.denied", {"person": person, "project": project, "why": error.reason.code})
        raise
    now_us = keeper.now_us()
    keeper.store.rows("DELETE FROM job_seed WHERE day < ?", now_us // DAY_US - COUNTED_DAYS)
    until_us = now_us + ORDER_DAYS * DAY_US
    said = orjson.dumps([person, project, until_us])
    order = f"{plain.b64(said)}.{_mac(keeper, said)}"
    return {"device_key": plain.b64(subjects.device_key(keeper.store, keeper.site, project)), "order": order}


def seeds(keeper: Keeper, _caller: Caller, order: str, patients: list[str]) -> list[str]:
    """Give the seeds of patients in the project of an order.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it is no order, it is over, or its person may run no job any more; ``ACCESS_PROJECT``; ``KEY_DESTROYED``.
    """
    person, project = _said(keeper, order)
    _check_still(keeper, person, project)
    store = keeper.store
    with store.transaction():
        found = [plain.b64(subjects.seed(store, keeper.site, one, project)) for one in patients]
        _count(keeper, person, project, len(found))
    with keeper.guard:
        keeper.seeds_issued[project, person] += len(found)
    return found


def today(keeper: Keeper, person: str, project: str) -> int:
    """Give how many seeds of a project a person had today (UTC)."""
    sql = "SELECT seeds FROM job_seed WHERE day = ? AND person = ? AND project = ?"
    found = keeper.store.one(sql, keeper.now_us() // DAY_US, person, project)
    return found[0] if found else 0


def _count(keeper: Keeper, person: str, project: str, more: int) -> None:
    day = keeper.now_us() // DAY_US
    keeper.store.rows(
        "INSERT INTO job_seed VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET seeds = seeds + excluded.seeds",
        *(day, person, project, more),
    )


def _check_still(keeper: Keeper, person: str, project: str) -> None:
    """See that a person may still run this job: it is asked for each patient, and looked at once a second."""
    checked, now_s = keeper.job_checked, keeper.monotonic()
    if checked is not None and checked[:2] == (person, project) and now_s - checked[2] < projects.AGE_S_MAX:
        return
    _check_person(keeper, person)
    _check_project(keeper, person, project)
    keeper.job_checked = person, project, now_s


def _check_person(keeper: Keeper, person: str) -> None:
    if not roles.founded(keeper):
        return
    actor = roles.actor_of(keeper, person)
    if not isinstance(
        access.decide(roles.rules(keeper), actor, ACTION, Thing("area"), AT_THE_MACHINE), Permitted
    ):
        raise KeeperError(ACTION, "may not be done by this person any more", reason=Reason.NOT_PERMITTED)


def _check_project(keeper: Keeper, person: str, project: str) -> None:
    declared = projects.check_declared(keeper, project)
    if declared is None or not declared.released_by:
        return
    # Before a site has people its names are what somebody typed: nobody is among those a project names.
    who = (person, *roles.actor_of(keeper, person).roles) if roles.founded(keeper) else ()
    if declared.released_by.isdisjoint(who):
        raise projects.refusal()


def _said(keeper: Keeper, order: str) -> tuple[str, str]:
    written, _, mac = order.partition(".")
    try:
        said = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        said = b""
    if not mac.isascii() or not hmac.compare_digest(mac, _mac(keeper, said)):
        raise KeeperError("order", "is none of this keeper", reason=Reason.NOT_PERMITTED)
    person, project, until_us = orjson.loads(said)
    if keeper.now_us() >= until_us:
        raise KeeperError("order", "is over: begin again", reason=Reason.NOT_PERMITTED)
    return person, project


def _mac(keeper: Keeper, said: bytes) -> str:
    told = bind("oathward job order 1", keeper.site, said.hex())
    return hmac.digest(keyring.secret(keeper.store, _SECRET), told, "sha256").hex()


TABLE: Mapping[str, Operation] = {
    "job_begin": Operation(begin, shapes.table(project=ID, proof=shapes.proof)),
    "job_seeds": Operation(
        seeds,
        shapes.table(order=shapes.text(_ORDER_LENGTH_MAX), patients=shapes.listed(ID, SEEDS_MAX, least=1)),
    ),
}
