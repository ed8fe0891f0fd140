"""Who a person is here, which roles they were granted, and what a service is: the bodies of signed documents.

| kind of document | id | says |
|---|---|---|
| ``person`` | person | name, state, party, products, units, staff numbers, sign-ins at a provider |
| ``grant`` | person | roles, each with its dates and why |
| ``service`` | service | name, owner, roles, and by which key or certificate it proves itself |

Rules:
- A person is one human being; every account, session and approval leads to one, and persons are compared, never accounts.
- A person record alone permits nothing; roles are granted apart from it, by two other people.
- Who left, or whose grant has ended, has no role; who comes back has none of the roles of before.
- Bodies are canonical JSON: sorted keys, sorted sets, times in microseconds UTC.

Deliberately absent: secrets (``vault/keeper/accounts``), tables, and any clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from oathward.core.labels import Role

PERSON, GRANT, SERVICE = "person", "grant", "service"
"""Kinds of signed documents."""

PersonState = Literal["active", "left"]
STATES = frozenset({"active", "left"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One human being.

    Args:
        number: as the employer counts them (CSV ``number``, SCIM ``externalId``); one person a number.
        party: the legal person they work for; empty is this site. makes: a vendor user's own products, as the
            inventory writes them: ``Acme``, or ``Acme|Vista 3`` for one model.
        units: places of care they always work at; a shift's come from ``vault/care``.
        staff_ids: their numbers in messages, ``authority|value`` (XCN).
        sign_ins: issuer and subject at a provider, as OIDC's ``iss`` and ``sub`` say.
        since_us: when they came, or came back: roles granted before that are history (``Grant.at``).
    """

    id: str
    name: str
    number: str = ""
    mail: str = ""
    state: PersonState = "active"
    party: str = ""
    makes: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    staff_ids: frozenset[str] = frozenset()
    sign_ins: frozenset[tuple[str, str]] = frozenset()
    since_us: int = 0

    def body(self) -> bytes:
        """Write it canonically."""
        return _written(
            {
                "id": self.id,
                "mail": self.mail,
                "makes": sorted(self.makes),
                "name": self.name,
                "number": self.number,
                "party": self.party,
                "sign_ins": sorted(list(one) for one in self.sign_ins),
                "since_us": self.since_us,
                "staff_ids": sorted(self.staff_ids),
                "state": self.state,
                "units": sorted(self.units),
            }
        )

    @classmethod
    def from_body(cls, body: bytes) -> Person:
        """Invert ``body``.

        Raises:
            ValueError: it is not such a body.
        """
        row = _read(body, cls)
        listed = [row[name] for name in ("makes", "units", "staff_ids")]
        words = [row[name] for name in ("id", "name", "number", "mail", "party", "state")]
        fine = (
            all(isinstance(one, list) for one in (*listed, row["sign_ins"])) and type(row["since_us"]) is int
        )
        if not fine or not all(
            isinstance(word, str) for word in (*words, *(w for one in listed for w in one))
        ):
            raise ValueError("not a body of a person")
        if row["state"] not in STATES:  # who is neither here nor gone would come back unseen
            raise ValueError("not a state of a person")
        sets: dict[str, Any] = {name: frozenset(row.pop(name)) for name in ("makes", "units", "staff_ids")}
        pairs = frozenset((str(iss), str(sub)) for iss, sub in row.pop("sign_ins"))
        return cls(**row, **sets, sign_ins=pairs)


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """One role with its dates, microseconds UTC; ``until_us`` None is until it is taken away. ``why``: in words."""

    role: Role
    from_us: int
    until_us: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """All roles of one person; a new version replaces the one before."""

    person: str
    roles: tuple[RoleGrant, ...] = ()

    def body(self) -> bytes:
        """Write it canonically."""
        rows = [
            {"from_us": r.from_us, "role": r.role.value, "until_us": r.until_us, "why": r.why}
            for r in self.roles
        ]
        return _written({"person": self.person, "roles": sorted(rows, key=lambda r: str(r["role"]))})

    @classmethod
    def from_body(cls, body: bytes) -> Grant:
        """Invert ``body``.

        Raises:
            ValueError: it is not such a body.
        """
        row = _read(body, cls)
        return cls(row["person"], tuple(RoleGrant(**{**r, "role": Role(r["role"])}) for r in row["roles"]))

    def at(self, now_us: int, since_us: int = 0) -> frozenset[Role]:
        """Give the roles that hold now.

        Args:
            since_us: ``Person.since_us``; who left and came back starts without the roles of before.
        """
        return frozenset(
            r.role
            for r in self.roles
            if since_us <= r.from_us <= now_us and (r.until_us is None or now_us < r.until_us)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program that asks for itself.

    Args:
        owner: the person who answers for it; when they leave it may do nothing.
        roles: as people's. certificate: SHA-256 of its client certificate (hex); jwk: its public key (JSON), for
            private-key JWTs; one of both is enough.
    """

    id: str
    name: str
    owner: str
    state: PersonState = "active"
    roles: frozenset[Role] = frozenset()
    certificate: str = ""
    jwk: str = ""
    until_us: int | None = None

    def body(self) -> bytes:
        """Write it canonically."""
        return _written(
            {
                "certificate": self.certificate,
                "id": self.id,
                "jwk": self.jwk,
                "name": self.name,
                "owner": self.owner,
                "roles": sorted(role.value for role in self.roles),
                "state": self.state,
                "until_us": self.until_us,
            }
        )

    @classmethod
    def from_body(cls, body: bytes) -> Service:
        """Invert ``body``.

        Raises:
            ValueError: it is not such a body.
        """
        row = _read(body, cls)
        return cls(**{**row, "roles": frozenset(map(Role, row["roles"]))})


def _written(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def _read(body: bytes, kind: type) -> dict[str, Any]:
    row = orjson.loads(body)
    names = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # every caller is a dataclass
    if not isinstance(row, dict) or set(row) != names:
        raise ValueError(f"not a body of a {kind.__name__.lower()}")
    return row
