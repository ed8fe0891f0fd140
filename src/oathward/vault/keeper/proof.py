"""Who asks the keeper to open, erase or sign: the caller's process and a proof of the person.

Rules:
- The caller's process is known by its socket's peer credentials; the socket it may reach is its role.
- A person is named by a proof. This is the one place that looks inside one and says whose it is.
- ``admin``: whoever may reach the admin socket says a name, and the record holds both the name and the process's user.
- ``console``: the secret of a session; the console's socket and the command line's may show one.
- ``holder``: the secret of a session at the patient portal; the portal's socket alone may show one.
- ``service``: the access token of a program that asks for itself; through the console alone.
- ``pending``: the secret of an unfinished sign-in; it is good for finishing that and for nothing else.

Deliberately absent: trust in a name that comes over any socket but the admin's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in.sessions import Session, Sessions

_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The process at the other end: its role (which socket), user id and process id."""

    role: str
    uid: int
    pid: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who proved to be that person; ``by`` says how."""

    name: str
    by: str


def admin_proof(name: str) -> dict[str, str]:
    """Make the proof of a person at the command line."""
    return {"kind": "admin", "person": name}


def console_proof(secret: str) -> dict[str, str]:
    """Make the proof of a person who is signed in at the console."""
    return {"kind": "console", "session": secret}


def service_proof(token: str) -> dict[str, str]:
    """Make the proof of a service that got a token."""
    return {"kind": "service", "token": token}


def pending_proof(secret: str) -> dict[str, str]:
    """Make the proof of somebody who has not finished signing in or enrolling."""
    return {"kind": "pending", "pending": secret}


def check(proof: Mapping[str, Any], caller: Caller) -> Person:
    """Turn a proof into a person.

    Raises:
        KeeperError: ``NOT_PERMITTED``; no such kind, not from this caller, or no usable name.
    """
    name = proof.get("person")
    if proof.get("kind") != "admin" or caller.role != "admin":
        raise KeeperError("proof", "not a proof this caller may give", reason=Reason.NOT_PERMITTED)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise KeeperError("proof person", "must be a name of 1 to 64 characters", reason=Reason.NOT_PERMITTED)
    return Person(name, f"uid {caller.uid}")


def session_of(
    proof: Mapping[str, Any], caller: Caller, sessions: Sessions, *, used: bool = True, now_us: int = 0
) -> Session:
    """Find the session whose secret a proof shows.

    Args:
        used: count it as used now.

    Raises:
        KeeperError: ``NOT_PERMITTED``; no such kind, not from this caller, or the session has ended.
            ``SESSION_REUSED``: as ``Sessions.find``.
    """
    kind, secret = proof.get("kind"), secret_of(proof)
    if caller.role not in _SHOWN_BY.get(str(kind), ()) or not secret:
        raise KeeperError("proof", "not a proof this caller may give", reason=Reason.NOT_PERMITTED)
    session = sessions.find(secret, used=used, now_us=now_us)
    if session.visitor.kind != _VISITORS[str(kind)]:  # a token is no cookie, and a cookie no token
        raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
    return session


def secret_of(proof: Mapping[str, Any]) -> str:
    """Give the secret a proof shows, of whatever kind; empty for none."""
    secret = proof.get(_NAMES.get(str(proof.get("kind")), ""))
    return secret if isinstance(secret, str) else ""


_NAMES = {"console": "session", "holder": "session", "service": "token", "pending": "pending"}
_SHOWN_BY = {"console": ("app", "admin"), "service": ("app",), "holder": ("portal",)}
_VISITORS = {"console": "person", "service": "service", "holder": "holder"}
