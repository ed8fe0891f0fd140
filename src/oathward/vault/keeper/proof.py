"""Who asks the keeper to open, erase or sign: the caller's process and a proof of the person.

Rules:
- The caller's process is known by its socket's peer credentials; the socket it may reach is its role.
- A person is named by a proof. This is the one place that looks inside one and says whose it is.
- ``admin``: whoever may reach the admin socket says a name, and the record holds both the name and the process's user.
- ``console``: the secret of a session that began with a one-time link; only the console's socket may show one, and it
  is good for that socket's operations alone. Issue 4 adds passkey, TOTP and role grants here, as more kinds.

Deliberately absent: trust in a name that comes over any socket but the admin's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.sessions import Session, Sessions

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


def session_of(proof: Mapping[str, Any], caller: Caller, sessions: Sessions, *, used: bool = True) -> Session:
    """Find the session whose secret a proof shows.

    Args:
        used: count it as used now.

    Raises:
        KeeperError: ``NOT_PERMITTED``; no such kind, not from this caller, or the session has ended.
    """
    secret = proof.get("session")
    if proof.get("kind") != "console" or caller.role != "app" or not isinstance(secret, str):
        raise KeeperError("proof", "not a proof this caller may give", reason=Reason.NOT_PERMITTED)
    return sessions.find(secret, used=used)
