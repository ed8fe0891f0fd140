"""The keeper's client for broken glasses: ``client.glass``; see ``keeper/breaking``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oathward.core.phi import Phi

Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Broken:
    """One glass that was broken.

    Args:
        name: of the person. code: of ``policy.glass.REASONS``. left_s: until it ends; 0 once it has. why: it ended.
        often: one too many of its day. reached: nobody had said that they care for the patient. due_us: when its review is overdue. reviewer: by name. said: the reviewer's words.
    """

    id: str
    person: str
    name: str
    subject: str
    code: str
    purpose: str
    session: str
    begun_us: int
    until_us: int
    ended_us: int
    left_s: int
    why: str
    openings: int
    often: bool
    due_us: int
    outcome: str
    by: str
    reviewer: str
    reviewed_us: int
    said: str
    reached: bool

    def overdue(self, now_us: int) -> bool:
        """Whether nobody reviewed it in time."""
        return not self.outcome and now_us > self.due_us


class Glasses:
    """Operations of a person who is signed in."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def begin(
        self, subject: str, code: str, words: Phi[str], minutes: int, once: str, proof: Proof
    ) -> Broken:
        """Break the glass for one patient.

        Raises:
            KeeperError: refused, with the reason; recorded.
        """
        told = {"subject": subject, "code": code, "words": words.reveal(), "minutes": minutes, "once": once}
        return Broken(**self._call("breakglass_begin", **told, proof=dict(proof)))

    def reach(
        self,
        number: tuple[Phi[str], str, str],
        code: str,
        words: Phi[str],
        minutes: int,
        once: str,
        proof: Proof,
    ) -> Broken | None:
        """Break the glass for the patient of a number; None where nobody is here by it.

        Args:
            number: the number, who gave it, and its type (``MR``).

        Raises:
            KeeperError: refused, with the reason; recorded. ``RATE_OF_OPENING``: too many numbers of nobody.
        """
        value, authority, kind = number
        found = self._call(
            "breakglass_reach",
            number={"value": value.reveal(), "authority": authority, "type": kind},
            reason={"code": code, "words": words.reveal(), "minutes": minutes},
            once=once,
            proof=dict(proof),
        )
        return None if found is None else Broken(**found)

    def end(self, id_: str, proof: Proof) -> None:
        """End one's own before its time."""
        self._call("breakglass_end", id=id_, proof=dict(proof))

    def mine(self, proof: Proof) -> list[Broken]:
        """List what this session broke and still stands."""
        return [Broken(**one) for one in self._call("breakglass_mine", proof=dict(proof))]

    def listed(self, proof: Proof, *, waiting: bool = False) -> list[Broken]:
        """List what was broken, newest first; ``waiting``: only what nobody reviewed."""
        found = self._call("breakglass_list", waiting=waiting, proof=dict(proof))
        return [Broken(**one) for one in found]

    def one(self, id_: str, proof: Proof) -> tuple[Broken, Phi[str] | None]:
        """Show one with the words that were said, to another person, on record; no words once the patient was erased."""
        found = self._call("breakglass_one", id=id_, proof=dict(proof))
        words = found.pop("words")
        return Broken(**found), None if words is None else Phi(words)

    def review(self, id_: str, outcome: str, said: str, proof: Proof) -> None:
        """Say whether it was justified."""
        self._call("breakglass_review", id=id_, outcome=outcome, said=said, proof=dict(proof))
