"""The keeper's client for finding out whose a pseudonym is: ``client.reidentify``; see ``keeper/reidentifying``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oathward.core.phi import Phi
from oathward.vault.keeper.client.patients import original_of
from oathward.vault.keeper.original import Original

Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Args:
        code: of ``policy.reidentify.REASONS``. person, name: who asked. until_us: it ends by itself.
        state: ``waiting``, ``approved``, ``shown``, ``refused``, ``withdrawn``, ``lapsed``.
        by, by_name, said: the second person and their words.
    """

    id: str
    project: str
    code: str
    person: str
    name: str
    at_us: int
    until_us: int
    state: str
    by: str
    by_name: str
    decided_us: int
    said: str
    ended_us: int

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state in {"waiting", "approved"}


@dataclass(frozen=True, slots=True)
class Shown:
    """Whose a pseudonym is.

    Args:
        found: ``one``, ``nobody``, or ``several`` that may have it, of whom nobody is shown.
        subject: empty but for one. together: all subjects of that patient.
        originals: their card; without one the newest message that was kept; nothing where there is neither.
    """

    id: str
    found: str
    project: str
    subject: str
    together: tuple[str, ...]
    originals: tuple[Original, ...]


class Reidentify:
    """Operations of a person who is signed in."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def request(self, project: str, pseudonym: str, code: str, words: Phi[str], proof: Proof) -> Asked:
        """Ask whose a pseudonym is.

        Raises:
            KeeperError: refused, with the reason; recorded.
        """
        told = {"project": project, "pseudonym": pseudonym, "code": code, "words": words.reveal()}
        return Asked(**self._call("reidentify_request", **told, proof=dict(proof)))

    def listed(self, proof: Proof, *, waiting: bool = False) -> list[Asked]:
        """List requests, newest first; ``waiting``: only what has not ended."""
        return [Asked(**one) for one in self._call("reidentify_list", waiting=waiting, proof=dict(proof))]

    def one(self, id_: str, proof: Proof) -> tuple[Asked, str | None, Phi[str] | None]:
        """Show one to another person, on record: with its pseudonym while it is open, and its words where they are left."""
        found = self._call("reidentify_one", id=id_, proof=dict(proof))
        pseudonym, words = found.pop("pseudonym"), found.pop("words")
        return Asked(**found), pseudonym, None if words is None else Phi(words)

    def decide(self, id_: str, said: str, proof: Proof, *, agrees: bool) -> None:
        """Agree to another person's request, or refuse it."""
        self._call("reidentify_decide", id=id_, agrees=agrees, said=said, proof=dict(proof))

    def withdraw(self, id_: str, proof: Proof) -> None:
        """Take one's own back."""
        self._call("reidentify_withdraw", id=id_, proof=dict(proof))

    def show(self, id_: str, proof: Proof) -> Shown:
        """Show whose it is, once, to who asked.

        Raises:
            KeeperError: refused, with the reason; recorded.
        """
        found = self._call("reidentify_show", id=id_, proof=dict(proof))
        originals = tuple(original_of(one) for one in found.pop("originals"))
        return Shown(**found | {"originals": originals, "together": tuple(found["together"])})
