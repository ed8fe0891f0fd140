"""Sessions and tokens that the keeper confirmed within the last seconds, with who that is to the rules.

Rules:
- Kept by a hash of kind and secret; the secret itself is the request's alone.
- Believed for ``BELIEVED_S``, and no longer than until somebody changes something here: a session that is ended on a page
  has ended. Use that was not told the keeper is told before it is believed.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from oathward.vault.keeper.proof import console_proof, service_proof
from oathward.web.asking import actor_of

if TYPE_CHECKING:
    from oathward.policy.access import Actor
    from oathward.vault.keeper.sign_in.visit import Visit
    from oathward.vault.opened import Opened

BELIEVED_S = 5.0
_BELIEVED_MAX = 1_000


class Believed:
    """What one process believes; safe in threads."""

    def __init__(self, site: Opened, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._site, self._monotonic = site, monotonic
        self._known: dict[bytes, tuple[float, bool, Visit, Actor]] = {}
        self._guard = threading.Lock()

    def who(self, secret: str, *, used: bool, anew: bool, service: bool = False) -> tuple[Visit, Actor]:
        """Say whose session it is, and what they are to the rules.

        Args:
            used: this request is use of the session; asked of the keeper where it was not told lately.
            anew: believe nothing. service: the secret is a service's token.

        Raises:
            KeeperError: ``not-permitted``: it has ended; or the keeper does not answer.
            AuthorityError: a vendor user's person document cannot be believed.
        """
        key, now_s = _hash(secret, service=service), self._monotonic()
        with self._guard:
            known = self._known.get(key)
        if known is not None and known[0] > now_s and not anew and (known[1] or not used):
            return known[2], known[3]
        with self._guard:
            self._known.pop(key, None)
        proof = service_proof(secret) if service else console_proof(secret)
        visit = self._site.keeper.session_check(proof, used=used)
        actor = actor_of(self._site, visit)
        with self._guard:
            if len(self._known) >= _BELIEVED_MAX:
                self._known.clear()
            self._known[key] = (now_s + BELIEVED_S, used, visit, actor)
        return visit, actor

    def forget(self) -> None:
        """Believe nothing any more: something was changed, and it may have been a session."""
        with self._guard:
            self._known.clear()


def _hash(secret: str, *, service: bool) -> bytes:
    return hashlib.sha256(f"{service}\0{secret}".encode()).digest()
