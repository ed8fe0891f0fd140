"""Accounts: a person's login and factors, as rows of the keeper's own store; and invitations to enrol.

Rules:
- An account belongs to a person record and has its id; there is one for each person, and none without.
- A factor is a password (its Argon2id hash), a TOTP secret or a passkey (its public key); each stands wrapped under the
  site key, so that a copy of the file is worth nothing without it.
- Nobody gets a password of ours: an invitation is a one-time key, made by somebody who may, with which the person makes
  their own. A newer one replaces it; it is used up when the account has what it needs.
- A reset ends every factor at once and gives an invitation.
- Who made the invitation that was used is remembered, and on record: they were, for once, able to be that person (``inviter_of``). So is, for three days,
  who gave somebody who could sign in already another way in: by a reset, an invitation, a record (``let_in_by``); and that
  person is told (``notices``). Who replaced another's invitation before it was used is remembered until the next one is.

Deliberately absent: whether what was shown fits (``signing_in``), who may invite (``roles.permit`` asked before).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.policy.people import Person
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Person as Inviter
from oathward.vault.keeper.sign_in import notices, waits
from oathward.vault.keeper.store import Store

LOGIN_LENGTH_MAX = 128
LABEL_LENGTH_MAX = 64
FACTORS_MAX = 10
HANDLE_BYTES = 32
LET_IN_US = 3 * 24 * 3_600_000_000
"""Over a weekend; by then whose account it is has noticed, or has been told."""

Kind = Literal["password", "totp", "passkey"]
SECOND: tuple[Kind, ...] = ("totp", "passkey")
_COLUMNS = "id, person, kind, label, ref, secret, counter, drift, made_us, used_us"


@dataclass(frozen=True, slots=True)
class Account:
    """A row. ``handle``: what passkeys know the person by, random."""

    person: str
    login: str | None
    handle: bytes
    made_us: int
    used_us: int
    invited_by: str


@dataclass(frozen=True, slots=True)
class Factor:
    """A row, unwrapped. ``ref``: hash of a passkey's credential id. ``counter``: last TOTP step, or sign count."""

    id: str
    person: str
    kind: Kind
    label: str
    ref: str | None
    secret: bytes = field(repr=False)
    counter: int
    drift: int
    made_us: int
    used_us: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A row; ``id`` is the hash of the key."""

    id: str
    person: str
    login: str
    invited_by: str


def fold(login: str) -> str:
    """Give the form in which logins are compared."""
    return unicodedata.normalize("NFKC", login).casefold().strip()


def of(store: Store, person: str) -> Account | None:
    """Read a person's account."""
    return _account(store.one(f"{_ACCOUNT} WHERE id = ?", person))


def by_login(store: Store, login: str) -> Account | None:
    """Find the account of a login."""
    return _account(store.one(f"{_ACCOUNT} WHERE login = ?", fold(login)))


def everyone(store: Store) -> list[Account]:
    """Read every account."""
    return [Account(*row) for row in store.rows(f"{_ACCOUNT} ORDER BY id")]


def factors(store: Store, person: str, *kinds: Kind) -> list[Factor]:
    """Read a person's factors, of some kinds where they are named."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM factor WHERE person = ? ORDER BY made_us, id", person)  # noqa: S608  our own names
    return [_factor(store, row) for row in rows if not kinds or row[2] in kinds]


def by_ref(store: Store, ref: str) -> Factor | None:
    """Find a passkey by the hash of its credential id."""
    row = store.one(f"SELECT {_COLUMNS} FROM factor WHERE ref = ?", ref)  # noqa: S608  our own names
    return _factor(store, row) if row else None


def make(
    store: Store, person: str, now_us: int, *, login: str | None = None, invited_by: str = ""
) -> Account:
    """Make a person's account, or give it the login and inviter of now.

    Raises:
        KeeperError: ``CONFLICT``: another person has the login.
    """
    folded = fold(login) if login else None
    with store.transaction():
        other = store.one("SELECT id FROM account WHERE login = ?", folded) if folded else None
        if other and other[0] != person:
            raise KeeperError("login", "is another person's", reason=Reason.CONFLICT)
        store.rows(
            "INSERT INTO account VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (id) DO UPDATE SET"
            " login = COALESCE(excluded.login, login), invited_by = CASE excluded.invited_by WHEN '' THEN invited_by"
            " ELSE excluded.invited_by END",
            *(person, folded, os.urandom(HANDLE_BYTES), now_us, invited_by),
        )
        found = of(store, person)
    assert found is not None, "it was just written"
    return found


def add(
    store: Store, person: str, kind: Kind, secret: bytes, now_us: int, *, label: str = "", ref: str | None = None,
    counter: int = 0,
) -> str:  # fmt: skip
    """Add a factor; gives its id. A password replaces the one before.

    Raises:
        KeeperError: ``LIMIT_EXCEEDED``: there are enough. ``CONFLICT``: the passkey is somebody's already.
    """
    id_ = uuid7()
    with store.transaction():
        if kind == "password":
            store.rows("DELETE FROM factor WHERE person = ? AND kind = 'password'", person)
        if len(factors(store, person)) >= FACTORS_MAX:
            raise KeeperError("factors", f"there are {FACTORS_MAX} already", reason=Reason.LIMIT_EXCEEDED)
        if ref is not None and by_ref(store, ref) is not None:
            raise KeeperError("passkey", "is enrolled already", reason=Reason.CONFLICT)
        store.rows(
            "INSERT INTO factor VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, 0)",
            *(
                id_,
                person,
                kind,
                label or kind,
                ref,
                store.wrap("factor", "secret", id_, secret),
                counter,
                now_us,
            ),
        )
    return id_


def used(store: Store, factor: Factor, now_us: int, *, counter: int, drift: int = 0) -> bool:
    """Move a factor's counter on; False where somebody else just did: the proof was used already."""
    with store.transaction():
        (now,) = store.one("SELECT counter FROM factor WHERE id = ?", factor.id) or (counter,)
        if now != factor.counter:
            return False
        store.rows(
            "UPDATE factor SET counter = ?, drift = ?, used_us = ? WHERE id = ?",
            counter,
            drift,
            now_us,
            factor.id,
        )
        store.rows("UPDATE account SET used_us = ? WHERE id = ?", now_us, factor.person)
    return True


def shown(store: Store, factor: Factor, now_us: int) -> None:
    """Note that a password was shown and fits."""
    with store.transaction():
        store.rows("UPDATE factor SET used_us = ? WHERE id = ?", now_us, factor.id)


def replace_hash(store: Store, factor: Factor, secret: bytes) -> None:
    """Keep a password under today's figures."""
    with store.transaction():
        wrapped = store.wrap("factor", "secret", factor.id, secret)
        store.rows("UPDATE factor SET secret = ? WHERE id = ?", wrapped, factor.id)


def remove(keeper: Keeper, person: str, id_: str, *, first: bool) -> Factor:
    """Remove one factor of a person.

    Args:
        first: they have a first factor elsewhere: at the provider.

    Raises:
        KeeperError: ``NOT_FOUND``. ``FACTOR_LAST``: without it they could not sign in with what is left.
    """
    store = keeper.store
    with store.transaction():
        own = factors(store, person)
        found = next((one for one in own if one.id == id_), None)
        if found is None:
            raise KeeperError("factor", "there is no such", reason=Reason.NOT_FOUND)
        left = {one.kind for one in own if one.id != id_}
        if "passkey" not in left and not ("totp" in left and ("password" in left or first)):
            raise KeeperError("factor", "is needed to sign in", reason=Reason.FACTOR_LAST)
        store.rows("DELETE FROM factor WHERE id = ?", id_)
    keeper.note("factor.removed", {"factor": id_, "kind": found.kind, "person": person})
    return found


def invite(keeper: Keeper, by: Inviter, person: Person, login: str = "") -> str:
    """Make the key of a one-time invitation to enrol.

    Args:
        by: who invites; they were asked whether they may.
        login: to sign in with; empty: the account's, else mail, else number, else the person's id.

    Raises:
        KeeperError: ``CONFLICT``: another person has the login; or this one has a second factor: only a reset, which ends
            what they have, may give somebody a way in beside it.
    """
    if factors(keeper.store, person.id, *SECOND):
        raise KeeperError(
            "account",
            "signs in already: reset it instead (oathward people reset), once you have seen who asks",
            reason=Reason.CONFLICT,
        )
    key = _invitation(keeper, by, person, login)
    if provided(keeper, person):
        let_in(keeper, [person.id], by.name, "invitation")
    keeper.note("account.invited", {"by": by.name, "person": person.id})
    return key


def reset(keeper: Keeper, by: Inviter, person: Person) -> str:
    """End every factor and session of a person, and give the key of an invitation; raises as ``invite``."""
    store = keeper.store
    with store.transaction():
        account = of(store, person.id)
        gone = factors(store, person.id)
        store.rows("DELETE FROM factor WHERE person = ?", person.id)
        key = _invitation(keeper, by, person, "")
        let_in(keeper, [person.id], by.name, "reset")
        names = [waits.name_of("code", person.id)]
        if account is not None and account.login:
            names.append(waits.name_of("password", account.login))
        waits.clear(store, *names)
    keeper.entrance.pending.drop(lambda one: one.person == person.id)
    ended = [one.id for one in keeper.sessions.revoke_all(person.id)]
    body = {"factors": sorted(one.kind for one in gone), "person": person.id, "sessions": ended}
    keeper.note("account.reset", body | {"by": by.name})
    return key


def invitation(store: Store, key: str, now_us: int) -> Invitation | None:
    """Find an invitation that is not over, by its key."""
    row = store.one(
        "SELECT id, person, login, invited_by FROM invitation WHERE id = ? AND until_us > ?",
        _hash(key),
        now_us,
    )
    return Invitation(*row) if row else None


def still_good(store: Store, id_: str, now_us: int) -> bool:
    """Say whether an invitation was neither used nor replaced, and is not over."""
    return store.one("SELECT 1 FROM invitation WHERE id = ? AND until_us > ?", id_, now_us) is not None


def use_up(keeper: Keeper, id_: str) -> bool:
    """Use an invitation up, and remember who made it: the account is theirs to have been; False where it was used."""
    store = keeper.store
    with store.transaction():
        row = store.one("SELECT person, invited_by FROM invitation WHERE id = ?", id_)
        store.rows("DELETE FROM invitation WHERE id = ?", id_)
        if row is None:
            return False
        person, by = row
        make(store, person, keeper.now_us(), invited_by=by)
        store.set_meta(_REPLACED.format(person), store.meta(_REPLACES.format(person)))
        store.set_meta(_REPLACES.format(person), "")
        keeper.note("account.enrolled", {"invited_by": by, "person": person})
    return True


def invited(store: Store, now_us: int) -> set[str]:
    """Name the people whose invitation waits."""
    return {person for (person,) in store.rows("SELECT person FROM invitation WHERE until_us > ?", now_us)}


def inviter_of(keeper: Keeper, person_id: str) -> str:
    """Name who made the invitation an account was last enrolled with; empty where there was none."""
    account = of(keeper.store, person_id)
    return account.invited_by if account is not None else ""


def provided(keeper: Keeper, person: Person) -> frozenset[str]:
    """Name a person's sign-ins at this site's provider."""
    return frozenset(sub for issuer, sub in person.sign_ins if issuer == keeper.settings.oidc.issuer)


def let_in(keeper: Keeper, people: Collection[str], by: str, what: notices.What) -> None:
    """Remember that somebody gave people another way in, and have them told."""
    with keeper.store.transaction():
        for person in people:
            held = _let_in(keeper, person) | {by: keeper.now_us()}
            keeper.store.set_meta(f"let in {person}", orjson.dumps(held).decode())
        notices.add(keeper, people, by, what)


def let_in_by(keeper: Keeper, person: str) -> frozenset[str]:
    """Name those who lately gave a person another way in: each could have been that person since.

    Whoever replaced another's invitation that waited, with the one that was used, stays among them.
    """
    replaced = keeper.store.meta(_REPLACED.format(person))
    return frozenset(_let_in(keeper, person)) | ({replaced} if replaced else frozenset())


def _let_in(keeper: Keeper, person: str) -> dict[str, int]:
    held = orjson.loads(keeper.store.meta(f"let in {person}") or b"{}")
    return {by: at_us for by, at_us in held.items() if keeper.now_us() - at_us < LET_IN_US}


def _invitation(keeper: Keeper, by: Inviter, person: Person, login: str) -> str:
    store, now_us = keeper.store, keeper.now_us()
    account = of(store, person.id)
    login = fold(login or (account.login if account else "") or person.mail or person.number or person.id)
    if not login or len(login) > LOGIN_LENGTH_MAX or not login.isprintable():
        raise KeeperError("login", "must be printable text", reason=Reason.INPUT_INVALID)
    key = secrets.token_urlsafe(32)
    until_us = now_us + int(keeper.settings.people.enrolment_hours_max * 3_600_000_000)
    with store.transaction():
        for table, column in (("account", "id"), ("invitation", "person")):
            other = store.one(f"SELECT {column} FROM {table} WHERE login = ?", login)  # noqa: S608  our own names
            if other and other[0] != person.id:
                raise KeeperError("login", "is another person's", reason=Reason.CONFLICT)
        _note_replaced(keeper, person.id, by.name)
        store.rows("DELETE FROM invitation WHERE until_us <= ? OR person = ?", now_us, person.id)
        store.rows(
            "INSERT INTO invitation VALUES (?, ?, ?, ?, ?)", _hash(key), person.id, login, by.name, until_us
        )
    return key


def _note_replaced(keeper: Keeper, person: str, by: str) -> None:
    """Note who replaces another person's invitation that waits; replacing one's own leaves what was noted."""
    store = keeper.store
    row = store.one(
        "SELECT invited_by FROM invitation WHERE person = ? AND until_us > ?", person, keeper.now_us()
    )
    name = _REPLACES.format(person)
    other = row is not None and row[0] != by and roles.person_of(keeper, row[0]) is not None
    own = row is not None and row[0] == by == store.meta(name)
    store.set_meta(name, by if other or own else "")


def _account(row: tuple[object, ...] | None) -> Account | None:
    return Account(*row) if row else None  # type: ignore[arg-type]  # STRICT table, in this order


def _factor(store: Store, row: tuple[object, ...]) -> Factor:
    one = Factor(*row)  # type: ignore[arg-type]  # STRICT table, in this order
    return replace(one, secret=store.unwrap("factor", "secret", one.id, one.secret))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


_REPLACES, _REPLACED = "replaces invitation {}", "replaced invitation {}"
"""Of a person: who replaced another's invitation with the one that waits now; and with the one that was used."""

_ACCOUNT = "SELECT id, login, handle, made_us, used_us, invited_by FROM account"
