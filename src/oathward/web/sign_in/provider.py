"""Ask the hospital's OpenID Connect provider who somebody is: authorization code with PKCE, and no more than that.

Steps: 1 its metadata name where to go · 2 the browser is sent there with state, nonce and challenge of the keeper's ·
3 its answer is read from our address · 4 the code is exchanged for an ID token · 5 the keys it shows are fetched.

Rules:
- What is believed is decided by the keeper: it made state, nonce and verifier, and it alone checks the ID token.
- Encrypted only, every address; a provider on this machine that is not may name addresses on this machine alone.
- Metadata count only where they are of the issuer in the settings, letter by letter; so does ``iss`` in an answer.
- A whole exchange has one limit of time and every answer one of size; no redirect is followed, no proxy of the
  environment is used, and few are asked at once: a slow provider holds up nobody who signs in otherwise.
- Nothing the provider says is shown or logged: an error names the step.

Deliberately absent: any reading of tokens beyond which key signed (docs/adr/0030-own-oidc-client.md), access tokens,
user info, refresh, logout there, dynamic registration, implicit and hybrid answers.

Source: OpenID Connect Core 1.0 §3.1; Discovery 1.0 §4; RFC 6749 §2.3, §4.1; RFC 7636; RFC 8414; RFC 9207; RFC 9700 §2.1.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.core.settings import Oidc, Settings

METADATA_BYTES_MAX = 65_536
KEYS_BYTES_MAX = 262_144
TOKENS_BYTES_MAX = 65_536
KEYS_MAX = 100
TEXT_LENGTH_MAX = 2_048
ID_TOKEN_LENGTH_MAX = 16_384
METADATA_AGE_S_MAX = 3_600.0
KEYS_AGE_S_MAX = 600.0
KEYS_AGAIN_S_MIN = 30.0
"""How often an unknown key makes us look again."""
AT_ONCE_MAX = 8
TURN_S_MAX = 2.0
"""How long one waits for a turn: threads are for everybody's pages."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider says of itself. ``says_issuer``: its answers always name it (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    says_issuer: bool
    basic: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back to our address: ``code`` for the exchange, ``state`` of the request it answers."""

    state: str
    code: str


class Provider:
    """The provider of a site's settings; safe in threads.

    Args:
        data: the folder that relative names of files are in.
    """

    def __init__(
        self, settings: Oidc, data: Path, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._data, self._monotonic = settings, data, monotonic
        self._guard = threading.Lock()
        self._asking = threading.BoundedSemaphore(AT_ONCE_MAX)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, dict[str, Any]] | None = None

    def begin(self, *, state: str, nonce: str, challenge: str, redirect_uri: str, anew: bool = False) -> str:
        """Give the address a browser is sent to.

        Args:
            challenge: SHA-256 of the verifier, base64url (RFC 7636 §4.2).
            anew: have the person prove again who they are, though the provider knows them already.

        Raises:
            InputError: the provider does not answer, or not rightly.
        """
        query = {
            "response_type": "code",
            "response_mode": "query",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if self._settings.acr:
            query["acr_values"] = self._settings.acr
        if anew:
            query |= {"prompt": "login", "max_age": "0"}
        address = self.metadata().authorization
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"

    def read(self, query: Sequence[tuple[str, str]]) -> Answered:
        """Read the provider's answer from the address it sent the browser to.

        Raises:
            InputError: it is no answer, another's, or a refusal; ``state`` is not looked at.
        """
        found = dict(query)
        ours = {"state", "code", "iss", "error"}
        if any(sum(key == name for key, _ in query) > 1 for name in ours):
            raise _bad("answer", "names one thing twice")
        named = "iss" in found or self.metadata().says_issuer
        if named and found.get("iss") != self._settings.issuer:
            raise InputError(
                "provider answer", "comes from another provider", reason=Reason.PROVIDER_MIXED_UP
            )
        if "error" in found:
            raise InputError("provider", "did not sign you in", reason=Reason.PROVIDER_REFUSED)
        state, code = found.get("state", ""), found.get("code", "")
        if not all(0 < len(text) <= TEXT_LENGTH_MAX and text.isascii() for text in (state, code)):
            raise _bad("answer", "lacks its code or its state")
        return Answered(state, code)

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> str:
        """Exchange a code for an ID token; nobody has looked into it yet.

        Raises:
            InputError: the provider does not answer, refuses the code, or answers with something else.
        """
        metadata = self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._settings.client_id,
        }
        headers = {"accept": "application/json"}
        secret = self._secret()
        if secret and metadata.basic:
            del form["client_id"]
            pair = f"{quote_plus(self._settings.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        elif secret:
            form["client_secret"] = secret
        status, body = self._ask("POST", metadata.token, TOKENS_BYTES_MAX, form=form, headers=headers)
        if status in {400, 401, 403}:
            raise InputError("provider", "did not take the code it gave", reason=Reason.PROVIDER_REFUSED)
        answer = _object("tokens", status, body)
        token = answer.get("id_token")
        if not isinstance(token, str) or not token.isascii() or not 0 < len(token) <= ID_TOKEN_LENGTH_MAX:
            raise _bad("tokens", "hold no ID token")
        return token

    def keys(self, id_token: str = "") -> dict[str, Any]:
        """Give the keys the provider shows, as a JWK set; looked for again where none of them signed the token.

        Raises:
            InputError: the provider does not answer, or not rightly.
        """
        at_s, now_s = -KEYS_AGE_S_MAX, self._monotonic()
        with self._guard:
            if self._keys is not None:
                at_s, known = self._keys
                wanted = _key_id(id_token)
                named = not wanted or any(key.get("kid") == wanted for key in known["keys"])
                if now_s - at_s < (KEYS_AGE_S_MAX if named else KEYS_AGAIN_S_MIN):
                    return known
        found = self._get("keys", self.metadata().keys, KEYS_BYTES_MAX)
        keys = found.get("keys")
        if not isinstance(keys, list) or len(keys) > KEYS_MAX or not all(isinstance(k, dict) for k in keys):
            raise _bad("keys", "are no set of keys")
        with self._guard:
            self._keys = (now_s, {"keys": keys})
        return {"keys": keys}

    def metadata(self) -> Metadata:
        """Give what the provider says of itself, asked for again after an hour.

        Raises:
            InputError: it does not answer, or as another.
        """
        now_s = self._monotonic()
        with self._guard:
            if self._metadata is not None and now_s - self._metadata[0] < METADATA_AGE_S_MAX:
                return self._metadata[1]
        issuer = self._settings.issuer
        address = issuer.rstrip("/") + "/.well-known/openid-configuration"
        made = self._read_metadata(self._get("metadata", address, METADATA_BYTES_MAX))
        with self._guard:
            self._metadata = (now_s, made)
        return made

    def _read_metadata(self, found: Mapping[str, Any]) -> Metadata:
        if found.get("issuer") != self._settings.issuer:
            raise InputError("provider metadata", "are another provider's", reason=Reason.PROVIDER_MIXED_UP)
        methods = found.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise _bad("metadata", "offer no PKCE with S256")
        ways = found.get("token_endpoint_auth_methods_supported")
        return Metadata(
            authorization=self._address(found, "authorization_endpoint"),
            token=self._address(found, "token_endpoint"),
            keys=self._address(found, "jwks_uri"),
            says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
            basic=not isinstance(ways, list) or "client_secret_basic" in ways,
        )

    def _address(self, found: Mapping[str, Any], name: str) -> str:
        text = found.get(name)
        try:
            parts = urlsplit(text if isinstance(text, str) else "")
            host = parts.hostname or ""
        except ValueError:
            host = ""
        here = urlsplit(self._settings.issuer).scheme == "http" and host in _LOOPBACK
        if (
            not host
            or len(str(text)) > TEXT_LENGTH_MAX
            or parts.fragment
            or "@" in parts.netloc
            or not (parts.scheme == "https" or (here and parts.scheme == "http"))
        ):
            raise _bad("metadata", f"name no encrypted address as {name}")
        return str(text)

    def _secret(self) -> str:
        name = self._settings.client_secret_file
        if not name:
            return ""
        try:
            return (self._data / name).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InputError(
                "[oidc] client_secret_file", "cannot be read", reason=Reason.SETTINGS_INVALID
            ) from error

    def _get(self, what: str, address: str, bytes_max: int) -> dict[str, Any]:
        status, body = self._ask("GET", address, bytes_max, headers={"accept": "application/json"})
        return _object(what, status, body)

    def _ask(
        self,
        method: str,
        address: str,
        bytes_max: int,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Ask once, under one limit of time."""
        if not self._asking.acquire(timeout=TURN_S_MAX):
            raise _away("is asked by too many at once")
        try:
            return asyncio.run(self._exchange(method, address, bytes_max, headers, form))
        except TimeoutError as error:
            raise _away("does not answer in time") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _away("cannot be reached") from error
        finally:
            self._asking.release()

    async def _exchange(
        self,
        method: str,
        address: str,
        bytes_max: int,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
    ) -> tuple[int, bytes]:
        async with asyncio.timeout(self._settings.timeout_s):
            # No content encodings: what is counted is what came.
            more = {"accept-encoding": "identity", "user-agent": "oathward"}
            async with (
                httpx2.AsyncClient(
                    verify=self._trust(), trust_env=False, follow_redirects=False, timeout=None
                ) as client,
                client.stream(method, address, headers={**headers, **more}, data=form) as answer,
            ):
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise _bad("answer", "is compressed, which was not asked for")
                body = b""
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) > bytes_max:
                        raise _bad("answer", "is too long")
                return answer.status_code, body

    def _trust(self) -> ssl.SSLContext:
        ca = self._settings.ca_file
        try:
            context = ssl.create_default_context(cafile=str(self._data / ca) if ca else None)
        except (OSError, ValueError) as error:
            raise InputError("[oidc] ca_file", "cannot be read", reason=Reason.SETTINGS_INVALID) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def provider_of(settings: Settings) -> Provider | None:
    """Give the provider of a site, one for all who sign in; nothing where the settings name none."""
    return _provider(settings.oidc, settings.data) if settings.oidc.issuer else None


@functools.lru_cache(maxsize=8)
def _provider(settings: Oidc, data: Path) -> Provider:
    return Provider(settings, data)


def _key_id(id_token: str) -> str:
    """Read which key signed, to look for it; nothing is believed of it."""
    head = id_token.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return ""
    name = found.get("kid") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def _object(what: str, status: int, body: bytes) -> dict[str, Any]:
    if status != 200:
        why = "leads elsewhere" if 300 <= status < 400 else f"answers {what} with an error"
        raise _bad(what, why) if status < 500 else _away(why)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad(what, "are no JSON") from error
    if not isinstance(found, dict):
        raise _bad(what, "are no JSON object")
    return found


def _bad(what: str, why: str) -> InputError:
    return InputError(f"provider {what}", why, reason=Reason.PROVIDER_ANSWER)


def _away(why: str) -> InputError:
    return InputError("provider", why, reason=Reason.PROVIDER_UNAVAILABLE)
