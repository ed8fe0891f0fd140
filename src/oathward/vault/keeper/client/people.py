"""The keeper's client for people: signing in, enrolling, sessions, accounts, tokens of services. ``client.people``.

Rules:
- One method an operation; what it raises is the keeper's own refusal, by reason.
- Nothing is kept here: what a browser must hold is given to the caller.

Deliberately absent: pages, cookies, and the provider's addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from oathward.vault.keeper.sign_in.visit import Visit, visit_of

Proof = Mapping[str, str]
NOBODY: Proof = {}


@dataclass(frozen=True, slots=True)
class Step:
    """Where a sign-in or an enrolment stands.

    Args:
        state: ``second``: a second factor is asked for; ``enrol``: a factor must be enrolled; ``signed-in``; ``done``.
        pending: the secret of an unfinished one. offers: the factors that may be shown or enrolled next.
        person, login: told while enrolling. secret: of the new session, or the session's new one.
    """

    state: Literal["second", "enrol", "signed-in", "done"]
    pending: str = field(default="", repr=False)
    offers: tuple[str, ...] = ()
    person: str = ""
    login: str = ""
    secret: str = field(default="", repr=False)
    visit: Visit | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """What a sign-in at the provider is begun with. ``challenge``: of PKCE, S256."""

    state: str
    nonce: str
    challenge: str


@dataclass(frozen=True, slots=True)
class OwnFactor:
    """One of somebody's own factors; ``kind``: ``password``, ``totp``, ``passkey``. ``used_us``: 0 for never."""

    id: str
    kind: str
    label: str
    made_us: int
    used_us: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An open session. ``own``: the one that asks. ``origin``: the browser's address at sign-in."""

    id: str
    person_id: str
    person: str
    by: str
    kind: str
    begun_us: int
    seen_us: int
    left_s: int
    origin: str
    own: bool


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """What somebody else did to how a person signs in. ``what``: as ``notices`` says; ``by``, ``name``: who did it."""

    id: str
    what: str
    by: str
    name: str
    at_us: int

    @property
    def words(self) -> str:
        """Say it in a sentence, without its end."""
        return f"{self.name} {_DID[self.what]}"


_DID = {
    "reset": "reset your account: what you signed in with before has ended, and a new invitation was made",
    "invitation": "made an invitation for you: whoever had it could set up a password and a second factor beside your sign-in at the provider",
    "provider": "wrote a sign-in at the provider into your record: whoever has it there signs in as you",
}


@dataclass(frozen=True, slots=True)
class Own:
    """Somebody's own account. ``passkeys``: they are good at this site's address."""

    login: str
    factors: tuple[OwnFactor, ...]
    sessions: tuple[SessionRow, ...]
    passkeys: bool
    notices: tuple[NoticeRow, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A person's account as others see it. ``factors``: kinds. ``invited``: an invitation waits."""

    person_id: str
    login: str
    factors: tuple[str, ...]
    used_us: int
    invited: bool


class People:
    """Methods about people; made by ``Client.people``."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    # --- signing in; SIGN_IN_REFUSED whatever is wrong, SIGN_IN_TOO_MANY for an address

    def sign_in_password(self, login: str, password: str, origin: str) -> Step:
        """Show a login and a password; a second factor comes next."""
        return _step(self._call("sign_in_password", login=login, password=password, origin=origin))

    def sign_in_second(self, pending: str, code: str, origin: str) -> Step:
        """Show a code as the second factor."""
        return _step(self._call("sign_in_second", pending=pending, code=code, origin=origin))

    def passkey_begin(self, proof: Proof = NOBODY) -> tuple[str, dict[str, Any]]:
        """Ask for a challenge; gives the ceremony's secret and options for ``navigator.credentials.get``.

        Args:
            proof: none to sign in with the passkey alone; ``pending_proof`` as a second factor; ``console_proof`` to
                prove it again.
        """
        found = self._call("passkey_begin", proof=dict(proof))
        return found["ceremony"], found["options"]

    def passkey_finish(self, ceremony: str, credential: str, origin: str, proof: Proof = NOBODY) -> Step:
        """Show what the browser answered (JSON), with the proof of ``passkey_begin``."""
        return _step(
            self._call(
                "passkey_finish", ceremony=ceremony, credential=credential, origin=origin, proof=dict(proof)
            )
        )

    def step_up_code(self, code: str, proof: Proof, password: str = "") -> Step:
        """Prove it again by a code, with both factors where the password comes too; gives the session's new secret."""
        return _step(self._call("step_up_code", code=code, password=password, proof=dict(proof)))

    # --- sign-in at the provider; its refusals have a reason of their own each

    def provider_begin(self, browser: str, proof: Proof = NOBODY) -> Begun:
        """Begin for one browser.

        Args:
            browser: SHA-256 (hexadecimal) of a random value in a cookie of it. proof: ``console_proof`` to prove it
                again; then ask the provider with ``prompt=login`` and ``max_age=0``.
        """
        return Begun(**self._call("provider_begin", browser=browser, proof=dict(proof)))

    def provider_take(self, state: str, browser: str) -> str:
        """Take the PKCE verifier for the answer with this state: once. Raises ``PROVIDER_STATE``."""
        verifier: str = self._call("provider_take", state=state, browser=browser)
        return verifier

    def provider_finish(
        self, state: str, browser: str, id_token: str, keys: str, origin: str, proof: Proof = NOBODY
    ) -> Step:
        """Give the ID token and the key set the provider shows (JSON), with the proof of ``provider_begin``."""
        return _step(
            self._call(
                "provider_finish",
                state=state,
                browser=browser,
                id_token=id_token,
                keys=keys,
                origin=origin,
                proof=dict(proof),
            )
        )

    # --- services

    def service_assert(self, assertion: str, origin: str) -> tuple[str, int]:
        """Get a token for a signed assertion (RFC 7523); gives it and its seconds. Raises ``ASSERTION_*``."""
        found = self._call("service_assert", assertion=assertion, origin=origin)
        return found["token"], found["left_s"]

    def service_certificate(self, sha256: str, origin: str) -> tuple[str, int]:
        """Get a token for the client certificate a TLS connection showed: SHA-256 of its DER, hexadecimal."""
        found = self._call("service_certificate", sha256=sha256, origin=origin)
        return found["token"], found["left_s"]

    # --- enrolling

    def enrol_begin(self, key: str, origin: str) -> Step:
        """Begin with an invitation's key. Raises ``INVITATION_ENDED``."""
        return _step(self._call("enrol_begin", key=key, origin=origin))

    def enrol_password(self, password: str, pending: str) -> Step:
        """Set the first password. Raises ``PASSWORD_REFUSED``, with words that may be shown."""
        return _step(self._call("enrol_password", password=password, pending=pending))

    def enrol_totp_begin(self, proof: Proof) -> tuple[str, str]:
        """Ask for a TOTP secret; gives it in base 32, and the ``otpauth`` address."""
        found = self._call("enrol_totp_begin", proof=dict(proof))
        return found["secret"], found["uri"]

    def enrol_totp_finish(self, code: str, label: str, proof: Proof) -> Step:
        """Confirm it by a code. Raises ``CODE_REFUSED``: it may be tried again."""
        return _step(self._call("enrol_totp_finish", code=code, label=label, proof=dict(proof)))

    def enrol_passkey_begin(self, proof: Proof) -> tuple[str, dict[str, Any]]:
        """Ask for a challenge; gives the ceremony's secret and options for ``navigator.credentials.create``."""
        found = self._call("enrol_passkey_begin", proof=dict(proof))
        return found["ceremony"], found["options"]

    def enrol_passkey_finish(self, ceremony: str, credential: str, label: str, proof: Proof) -> Step:
        """Give what the browser made (JSON). Raises ``PASSKEY_REFUSED``."""
        return _step(
            self._call(
                "enrol_passkey_finish",
                ceremony=ceremony,
                credential=credential,
                label=label,
                proof=dict(proof),
            )
        )

    # --- one's own account

    def account_own(self, proof: Proof) -> Own:
        """Ask for one's own login, factors and sessions."""
        found = self._call("account_own", proof=dict(proof))
        return Own(
            found["login"],
            tuple(OwnFactor(**one) for one in found["factors"]),
            tuple(SessionRow(**one) for one in found["sessions"]),
            found["passkeys"],
            tuple(NoticeRow(**one) for one in found["notices"]),
        )

    def notice_put_away(self, id_: str, proof: Proof) -> None:
        """Show a notice no more. Raises ``NOT_PERMITTED``: this session came in by what it is about."""
        self._call("notice_put_away", id=id_, proof=dict(proof))

    def password_change(self, current: str, password: str, proof: Proof) -> None:
        """Change one's password; one's other sessions end. Raises ``ACCESS_PROVE_BOTH``, ``PASSWORD_REFUSED``."""
        self._call("password_change", current=current, password=password, proof=dict(proof))

    def factor_remove(self, id_: str, proof: Proof) -> None:
        """Remove one of one's factors; one's other sessions end. Raises ``ACCESS_PROVE_BOTH``, ``FACTOR_LAST``."""
        self._call("factor_remove", id=id_, proof=dict(proof))

    # --- accounts of others

    def account_invite(self, person_id: str, login: str, proof: Proof) -> str:
        """Make the key of a one-time invitation; ``login`` empty: mail, number or id of the person."""
        key: str = self._call("account_invite", person=person_id, login=login, proof=dict(proof))
        return key

    def account_reset(self, person_id: str, proof: Proof) -> str:
        """End all factors and sessions of a person; gives the key of an invitation."""
        key: str = self._call("account_reset", person=person_id, proof=dict(proof))
        return key

    def account_list(self, proof: Proof) -> tuple[AccountRow, ...]:
        """List who has an account or an invitation."""
        found = self._call("account_list", proof=dict(proof))
        return tuple(AccountRow(**{**one, "factors": tuple(one["factors"])}) for one in found)

    # --- sessions

    def session_rotate(self, proof: Proof) -> str:
        """Ask for the session's next secret; empty where none is due."""
        secret: str = self._call("session_rotate", proof=dict(proof))
        return secret

    def session_list(self, proof: Proof, person_id: str = "") -> tuple[SessionRow, ...]:
        """List open sessions of a person; one's own where none is named."""
        found = self._call("session_list", person=person_id, proof=dict(proof))
        return tuple(SessionRow(**one) for one in found)

    def service_tokens(self, proof: Proof) -> tuple[SessionRow, ...]:
        """List the open tokens of services; ``person`` is the service's name, ``person_id`` its id."""
        return tuple(SessionRow(**one) for one in self._call("service_tokens", proof=dict(proof)))

    def session_revoke(self, id_: str, proof: Proof) -> None:
        """End a session by its id; ``others``: all of one's own but this."""
        self._call("session_revoke", id=id_, proof=dict(proof))


def _step(found: Mapping[str, Any]) -> Step:
    rest = {name: value for name, value in found.items() if name not in {"offers", "visit"}}
    visit = visit_of(found["visit"]) if "visit" in found else None
    return Step(**rest, offers=tuple(found.get("offers", ())), visit=visit)
