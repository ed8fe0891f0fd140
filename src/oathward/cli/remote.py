"""A command asks a server instead of this machine's site: the JSON API, as whoever signed in here.

Rules:
- ``--server``, else ``OATHWARD_SERVER``: encrypted, or this machine's own address. ``OATHWARD_CA`` names a file of who vouches
  for it, where this machine's own trust does not.
- The token is the one ``oathward sign-in --server`` keeps (``signed_in``), or ``OATHWARD_TOKEN`` for a program.
- What the server refuses is the same error here, with its reason; what it answers is printed as it is told.

Deliberately absent: rules (the server decides), redirects, proxies of the environment, retries.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

import orjson
import typer

from oathward.cli import signed_in
from oathward.cli.output import console, emit
from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import BY_CODE, Reason

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 30.0
ROWS_MAX = 10_000
PAGE_ROWS = 200
SETTLE_S_MAX = 60.0
_LOOK_S = 0.5
_BYTES_MAX = 33_554_432

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Ask this server, as who signed in there; else OATHWARD_SERVER, else the site of the data folder.",
        show_default=False,
    ),
]


def server_of(option: str | None) -> str:
    """Give the server a command is to ask; empty where it is this machine's site.

    Raises:
        InputError: it is no such address.
    """
    url = (os.environ.get("OATHWARD_SERVER", "") if option is None else option).rstrip("/")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host, whole = parts.hostname or "", parts.path or parts.query or parts.fragment or "@" in parts.netloc
    except ValueError:
        host, whole = "", ""
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)) if host else False
    if not encrypted or whole:
        raise InputError("--server", "must be https://HOST:PORT, or http:// on this machine alone")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Server:
    """One server, asked by one command.

    Args:
        url: as ``server_of`` gives it. token: shown with each call; empty for signing in.
    """

    def __init__(self, url: str, token: str = "") -> None:
        import httpx2

        headers = {"accept": "application/json", "user-agent": "oathward"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self.url = url
        self._client = httpx2.Client(
            verify=_trust(), headers=headers, timeout=TIMEOUT_S, trust_env=False, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        """Ask for a document; empty queries are left out."""
        given = {name: str(value) for name, value in query.items() if value not in {None, ""}}
        return self._ask("GET", path, params=given)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask for something to be done."""
        content = orjson.dumps(body)
        return self._ask("POST", path, content=content, headers={"content-type": "application/json"})

    def rows(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """Ask for a list, page after page, ``ROWS_MAX`` at most."""
        after, count = "", 0
        while count < ROWS_MAX:
            page = self.get(path, **query, limit=PAGE_ROWS, after=after)
            yield from page["items"]
            count += len(page["items"])
            after = page["next"]
            if not after:
                return

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        import httpx2

        try:
            with self._client.stream(method, self.url + path, **more) as answer:
                raw = b"".join(_bounded(answer))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            why = f"does not answer ({type(error).__name__})"
            raise InputError(self.url, why, reason=Reason.KEEPER_UNAVAILABLE) from error
        try:
            value = orjson.loads(raw) if raw else None
        except ValueError as error:
            raise _unclear(self.url) from error
        if answer.status_code >= 300:
            raise _refused(value, self.url)
        return value


def as_signed_in(url: str) -> Server:
    """Open a server as whoever signed in there.

    Raises:
        InputError: nobody did.
    """
    token = os.environ.get("OATHWARD_TOKEN", "") or signed_in.remembered(url)
    if not token:
        why = f"nobody is signed in; run oathward sign-in --server {url}"
        raise InputError("session", why, reason=Reason.ACCESS_SIGN_IN)
    return Server(url, token)


def sign_in(url: str, login: str, password: str, code: str) -> dict[str, Any]:
    """Sign in at a server, and keep the token for nobody else to read; gives person and seconds."""
    with Server(url) as server:
        told = server.post("/api/v1/sign-in", {"login": login, "password": password, "code": code})
    signed_in.remember(url, told["token"])
    return {"person": told["person"], "left_s": told["expires_in"]}


def step_up(url: str, code: str) -> dict[str, Any]:
    """Prove again who one is; as ``sign_in``."""
    with as_signed_in(url) as server:
        told = server.post("/api/v1/step-up", {"code": code})
    signed_in.remember(url, told["token"])
    return {"person": told["person"], "left_s": told["expires_in"]}


def sign_out(url: str) -> bool:
    """End the session at a server, and let go of its token; says whether there was one."""
    token = signed_in.remembered(url)
    signed_in.forget(url)
    if not token:
        return False
    try:
        with Server(url, token) as server:
            server.post("/api/v1/sign-out", {})
    except OathwardError as error:
        if error.reason is not Reason.TOKEN_INVALID:  # it had ended
            raise
    return True


def show(
    url: str,
    path: str,
    name: str,
    columns: Sequence[str],
    *,
    as_json: bool,
    query: Mapping[str, object] | None = None,
    only: Mapping[str, str] | None = None,
    most: int = ROWS_MAX,
) -> None:
    """Print a list of a server: a table of some columns, or all of it as JSON under a name.

    Args:
        query: of the call. only: what rows must have beside that; empty texts are any. most: rows that are shown.
    """
    wanted = {column: text for column, text in (only or {}).items() if text}
    with as_signed_in(url) as server:
        found = server.rows(path, **(query or {}))
        fitting = (row for row in found if all(row[column] == text for column, text in wanted.items()))
        rows = list(islice(fitting, most))

    def human() -> None:
        from rich.markup import escape
        from rich.table import Table

        if not rows:
            print(f"The server has no {name} for you that fit.")
            return
        table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(escape(_said(row[column])) for column in columns))
        console().print(table)
        if len(rows) >= most:
            print(f"At most {most} are shown.")

    emit({name: rows}, as_json=as_json, human=human)


def release(url: str, messages: Sequence[str], reason: str, *, as_json: bool) -> int:
    """Order a release at a server and wait for what becomes of it; gives the exit code."""
    with as_signed_in(url) as server:
        order = server.post("/api/v1/quarantine/releases", {"messages": list(messages), "reason": reason})
        until_s = time.monotonic() + SETTLE_S_MAX
        while order["state"] in {"waiting", "taken"} and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
            order = server.get(f"/api/v1/quarantine/releases/{order['id']}")

    def human() -> None:
        for message in order["messages"]:
            kept = order["outcome"].get(message)
            said = "no word yet" if kept is None else f"still held: {kept}" if kept else "released"
            print(f"{message}  {said}")
        why = f", {order['why']}" if order["why"] else ""
        print(f"Order {order['id']}: {order['state']}{why}.")

    emit(order, as_json=as_json, human=human)
    return 0 if order["state"] == "done" and not any(order["outcome"].values()) else 1


def _said(value: object) -> str:
    if isinstance(value, list):
        named = (str(one.get("role", "")) if isinstance(one, dict) else str(one) for one in value)
        value = ", ".join(one for one in named if one)
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def _bounded(answer: httpx2.Response) -> Iterator[bytes]:
    count = 0
    for part in answer.iter_bytes():
        count += len(part)
        if count > _BYTES_MAX:
            raise InputError("server", "answers with more than is taken", reason=Reason.HTTP_BODY_TOO_LARGE)
        yield part


def _refused(value: Any, url: str) -> OathwardError:
    """Make the server's refusal our own error: its reason and words."""
    if not isinstance(value, dict) or value.get("code") not in BY_CODE:
        return _unclear(url)
    reason = BY_CODE[value["code"]]
    detail = str(value.get("detail") or value.get("title") or "refused")[:500]
    if reason is Reason.ACCESS_STEP_UP:
        detail = f"prove again who you are: oathward sign-in --again --server {url}"
    elif reason in {Reason.TOKEN_INVALID, Reason.SESSION_REUSED}:
        detail = f"the session has ended: oathward sign-in --server {url}"
    return InputError("server", detail if detail.isprintable() else "refused", reason=reason)


def _unclear(url: str) -> InputError:
    return InputError(url, "answers with something else than Oathward does", reason=Reason.INPUT_INVALID)


def _trust() -> ssl.SSLContext:
    ca = os.environ.get("OATHWARD_CA", "")
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ValueError) as error:
        raise InputError("OATHWARD_CA", "cannot be read as PEM", reason=Reason.SETTINGS_INVALID) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
