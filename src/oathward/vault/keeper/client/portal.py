"""The keeper's client for the patient portal: holders sign in, see whom they may see, say what they allow. ``client.portal``.

| socket | operations |
|---|---|
| ``portal`` | enrol, sign in, who, choose, open, end; each with a holder's own proof |
| ``app``, ``admin`` | invite, list, end; for staff who are signed in |
| ``app`` | take letters that are due, and say what became of them |

Rules:
- Names, addresses and codes travel as ``Phi``; they stand in arguments and answers and nowhere else.
- Whatever is wrong while somebody signs in is one refusal, ``sign-in.refused``; an address that tries too often hears ``sign-in.too-many``.
- A subject that a holder may not see is ``not-found``, as one that never was.

Deliberately absent: pages and their words, the sending of letters (``app/letters``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oathward.core.phi import Phi
from oathward.vault.keeper.client.patients import original_of
from oathward.vault.keeper.original import Original

Proof = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seat:
    """One patient whom a holder may see now. ``own``: it is the holder; else they are a proxy, ``basis`` says why.

    Args:
        access: id of the signed document. scope: of ``see``, ``choose``, ``request``. until_us: None is without an end.
    """

    access: str
    subject: str
    own: bool
    basis: str
    scope: frozenset[str]
    until_us: int | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is signed in at the portal. ``seats`` are read anew for each request; none: nothing may be seen any more.

    Args:
        id: of the session, may be shown and recorded. renew: its secret is due for another one.
        passkeys: so many are enrolled.
    """

    id: str
    holder: str
    name: Phi[str] = field(repr=False)
    language: str
    seats: tuple[Seat, ...]
    left_s: int
    by: str
    renew: bool
    passkeys: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a sign-in stands: ``code`` (one was sent, if there is such a holder) or ``signed-in``.

    Args:
        pending: what the browser holds until the code is typed; ten minutes. secret: of the new session.
        left_s: until the session ends for good.
    """

    state: str
    pending: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    left_s: int = 0


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey of a holder. ``used_us``: 0 for never."""

    id: str
    label: str
    made_us: int
    used_us: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One session of a holder. ``own``: the one that asks."""

    begun_us: int
    seen_us: int
    own: bool


@dataclass(frozen=True, slots=True)
class Proxy:
    """Somebody who acts for the holder."""

    access: str
    name: Phi[str] = field(repr=False)
    basis: str
    scope: tuple[str, ...]
    until_us: int | None


@dataclass(frozen=True, slots=True)
class Mine:
    """What there is of a holder's own sign-in, and who acts for them."""

    address: Phi[str] = field(repr=False)
    passkeys: tuple[Passkey, ...]
    sessions: tuple[Visit, ...]
    proxies: tuple[Proxy, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What was opened for a holder, oldest first. ``more``: not all that was named fits one answer."""

    originals: tuple[Original, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that is due. ``kind``: names its text; ``values``: fill it; ``tries``: so many failed before."""

    id: str
    kind: str
    address: Phi[str] = field(repr=False)
    language: str
    values: Phi[Mapping[str, str]] = field(repr=False)
    tries: int


@dataclass(frozen=True, slots=True)
class Given:
    """An access as staff see it. ``standing``: ``in-force``, or why not: ``ended``, ``hidden``, ``early``, ``late``, ``of-age``, ``unsure`` (the clock)."""

    access: str
    holder: str
    subject: str
    own: bool
    basis: str
    scope: tuple[str, ...]
    start_us: int
    until_us: int | None
    standing: str
    enrolled: bool


def holder_proof(secret: str) -> dict[str, str]:
    """Make the proof of somebody who is signed in at the portal."""
    return {"kind": "holder", "session": secret}


class Portal:
    """Operations of the portal, and those of staff about it; see ``keeper/portal``."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    # --- portal: before somebody is signed in

    def enrol_begin(self, key: str, origin: str) -> Entry:
        """Show the key of an invitation; a code goes to the address it was sent to. The key is used up by the code.

        Raises:
            KeeperError: ``INVITATION_ENDED``; ``SIGN_IN_TOO_MANY``.
        """
        return _entry(self._call("portal_enrol_begin", key=key, origin=origin))

    def sign_in_begin(self, login: Phi[str], origin: str) -> Entry:
        """Ask for a code by mail: the answer is the same whether or not anybody has this address.

        Raises:
            KeeperError: ``SIGN_IN_TOO_MANY``.
        """
        return _entry(self._call("portal_sign_in_begin", login=login.reveal(), origin=origin))

    def sign_in_code(self, pending: str, code: str, origin: str) -> Entry:
        """Type the code: of a sign-in or an enrolment.

        Raises:
            KeeperError: ``SIGN_IN_REFUSED``, ``SIGN_IN_TOO_MANY``.
        """
        return _entry(self._call("portal_sign_in_code", pending=pending, code=code, origin=origin))

    def passkey_begin(self) -> tuple[str, dict[str, Any]]:
        """Give a ceremony, and what the browser's ``navigator.credentials.get`` is asked.

        Raises:
            KeeperError: ``FACTOR_MISSING``: passkeys are good nowhere here.
        """
        found = self._call("portal_passkey_begin")
        return found["ceremony"], found["options"]

    def passkey_finish(self, ceremony: str, credential: str, origin: str) -> Entry:
        """Sign in with what the browser shows; raises as ``sign_in_code``."""
        return _entry(
            self._call("portal_passkey_finish", ceremony=ceremony, credential=credential, origin=origin)
        )

    # --- portal: for a holder who is signed in

    def who(self, proof: Proof, *, used: bool = True) -> Holder:
        """Ask who is signed in and whom they may see now.

        Raises:
            KeeperError: ``NOT_PERMITTED``: it has ended. ``SESSION_REUSED``: the secret had been renewed.
        """
        found = self._call("portal_who", used=used, proof=dict(proof))
        seats = tuple(Seat(**{**one, "scope": frozenset(one["scope"])}) for one in found.pop("seats"))
        return Holder(**{**found, "name": Phi(found["name"]), "seats": seats})

    def renew(self, proof: Proof) -> str:
        """Give the session another secret where one is due; empty where none is."""
        secret: str = self._call("portal_renew", proof=dict(proof))
        return secret

    def sign_out(self, proof: Proof) -> None:
        """End this session."""
        self._call("portal_sign_out", everywhere=False, proof=dict(proof))

    def sign_out_everywhere(self, proof: Proof) -> None:
        """End every session of this holder, this one too."""
        self._call("portal_sign_out", everywhere=True, proof=dict(proof))

    def passkey_enrol_begin(self, proof: Proof) -> tuple[str, dict[str, Any]]:
        """Give a ceremony, and what ``navigator.credentials.create`` is asked; raises as ``passkey_begin``."""
        found = self._call("portal_passkey_enrol_begin", proof=dict(proof))
        return found["ceremony"], found["options"]

    def passkey_enrol_finish(self, ceremony: str, credential: str, label: str, proof: Proof) -> None:
        """Keep a new passkey; the holder's other sessions end.

        Raises:
            KeeperError: ``PASSKEY_REFUSED``.
        """
        self._call(
            "portal_passkey_enrol_finish",
            ceremony=ceremony,
            credential=credential,
            label=label,
            proof=dict(proof),
        )

    def choose(
        self, subject: str, purpose: str, recipient: str, answer: str, seen: str, proof: Proof
    ) -> bool:
        """Answer one choice of a patient's, from now on; says whether anything new was said.

        Args:
            answer: ``allowed`` or ``not-allowed``. seen: what the page showed of it (``choosing.Board.seen``).

        Raises:
            KeeperError: ``NOT_FOUND``: not this holder's to choose, or no such choice. ``CONFLICT``: it is not as it was shown;
                nothing was written.
        """
        found = self._call(
            "portal_choose",
            subject=subject,
            choice={"purpose": purpose, "recipient": recipient, "answer": answer, "seen": seen},
            proof=dict(proof),
        )
        return bool(found["changed"])

    def open(self, subject: str, messages: Sequence[str], proof: Proof) -> Shown:
        """Open some messages of a patient for the patient's own use; those named first, where not all fit.

        Args:
            messages: ids, 200 at most; one that is not this patient's is as one that is not there.

        Raises:
            KeeperError: ``NOT_FOUND``: not this holder's to see. ``RATE_OF_OPENING``.
        """
        found = self._call("portal_open", subject=subject, messages=list(messages), proof=dict(proof))
        return Shown(tuple(map(original_of, found["originals"])), found["more"])

    def access_end(self, access: str, proof: Proof) -> None:
        """End an access by the patient's own word: one's own seat as proxy, or a proxy of one's own.

        Raises:
            KeeperError: ``NOT_FOUND``.
        """
        self._call("portal_access_end", access=access, proof=dict(proof))

    def access_hide(self, access: str, proof: Proof) -> None:
        """Want nothing of one's own record here any more; staff may give it again. Raises as ``access_end``."""
        self._call("portal_access_hide", access=access, proof=dict(proof))

    def mine(self, proof: Proof) -> Mine:
        """Say what there is of one's own sign-in, and who acts for oneself."""
        found = self._call("portal_mine", proof=dict(proof))
        return Mine(
            Phi(found["address"]),
            tuple(Passkey(**one) for one in found["passkeys"]),
            tuple(Visit(**one) for one in found["sessions"]),
            tuple(
                Proxy(**{**one, "name": Phi(one["name"]), "scope": tuple(one["scope"])})
                for one in found["proxies"]
            ),
        )

    def passkey_remove(self, passkey: str, proof: Proof) -> None:
        """Take a passkey of one's own away; other sessions end.

        Raises:
            KeeperError: ``NOT_FOUND``.
        """
        self._call("portal_passkey_remove", passkey=passkey, proof=dict(proof))

    def language(self, language: str, proof: Proof) -> None:
        """Choose the language of pages and letters."""
        self._call("portal_language", language=language, proof=dict(proof))

    # --- app, admin: for staff

    def invite(
        self,
        subject: str,
        name: Phi[str],
        address: Phi[str],
        proof: Proof,
        *,
        language: str = "en",
        basis: str = "self",
        scope: tuple[str, ...] = ("see", "choose", "request"),
        until_us: int | None = None,
        born: Phi[str] | None = None,
    ) -> str:
        """Give somebody access to a patient's portal and have the invitation sent; gives the id of the access.

        Args:
            basis: ``self`` for the patient; of a proxy ``parent``, ``guardian``, ``attorney`` or ``wish``.
            born: the patient's day of birth, ``YYYY-MM-DD``; needed for a parent: it ends at coming of age.

        Raises:
            KeeperError: ``INPUT_INVALID``; as every operation of staff.
        """
        id_: str = self._call(
            "portal_invite",
            subject=subject,
            holder={"name": name.reveal(), "address": address.reveal(), "language": language},
            access={"basis": basis, "scope": list(scope), "until_us": until_us or 0},
            born=born.reveal() if born else "",
            proof=dict(proof),
        )
        return id_

    def invite_again(self, access: str, proof: Proof) -> None:
        """Send an invitation once more; the one before is good for nothing.

        Raises:
            KeeperError: ``NOT_FOUND``; ``CONFLICT``: they have enrolled. As every operation of staff.
        """
        self._call("portal_invite_again", access=access, proof=dict(proof))

    def given(self, subject: str, proof: Proof) -> list[Given]:
        """List the accesses to one patient's portal, or to everybody's (empty)."""
        found = self._call("portal_given", subject=subject, proof=dict(proof))
        return [Given(**{**one, "scope": tuple(one["scope"])}) for one in found]

    def end(self, access: str, why: str, proof: Proof) -> None:
        """End an access; ``why``: ``staff``, ``death`` or ``mistake``.

        Raises:
            KeeperError: ``NOT_FOUND``.
        """
        self._call("portal_end", access=access, why=why, proof=dict(proof))

    # --- app: letters

    def letters_take(self) -> list[Letter]:
        """Take the letters that are due, a few at a time."""
        return [
            Letter(**{**one, "address": Phi(one["address"]), "values": Phi[Mapping[str, str]](one["values"])})
            for one in self._call("letters_take")
        ]

    def letter_settle(self, id_: str, *, sent: bool) -> None:
        """Say whether a letter went out; one that did not is due again later, a few times."""
        self._call("letter_settle", id=id_, sent=sent)


def _entry(found: Mapping[str, Any]) -> Entry:
    return Entry(**found)
