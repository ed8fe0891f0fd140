"""OpenID Connect providers for tests: npm's ``oidc-provider`` on the packaged Node, and one of our own that misbehaves.

``running`` starts the real one over TLS; ``signed_in_there`` is a browser that signs in at it. ``Hostile`` answers what
it is told to: its tokens are signed here, its metadata, keys and answers are whatever a test puts in their place.
"""

import contextlib
import json
import re
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx2
from bench.peers import setup

from oathward.core.settings import Oidc
from oathward_sim.pki import Authority, server_context

CLIENT = "oathward"
SECRET = "of-a-test-alone-0123456789abcdef"
ACCOUNTS = {
    "ada": {"sub": "u-1001", "name": "Ada", "amr": ["pwd", "otp"]},
    "ben": {"sub": "u-1002", "name": "Ben", "amr": ["pwd"]},
}


@dataclass
class Real:
    """A provider that runs: its settings for Oathward, and who it knows."""

    issuer: str
    version: str
    folder: Path
    settings: Oidc


@contextmanager
def running(folder: Path, redirect_uris, *, accounts=ACCOUNTS, acr: str = "", secret: str = SECRET):
    """npm's ``oidc-provider`` over TLS on a free port.

    Args:
        redirect_uris: of the one client. secret: empty for a public client.
    """
    issued = Authority(folder, "provider").issue("provider-server")
    method = {"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"}
    client = {"client_id": CLIENT, "redirect_uris": list(redirect_uris), **method}
    file = folder / "provider.json"
    file.write_text(json.dumps({"key": str(issued.key), "certificate": str(issued.cert), "client": client, "accounts": accounts, "acr": acr}))  # fmt: skip
    command = [*setup.command("oidc-provider", 0), str(file)]
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)  # fmt: skip
    try:
        said = json.loads(process.stdout.readline())
        yield Real(
            f"https://localhost:{said['port']}",
            said["version"],
            folder,
            oidc(folder, f"https://localhost:{said['port']}", acr=acr, secret=secret),
        )
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def oidc(folder: Path, issuer: str, *, acr: str = "", secret: str = SECRET) -> Oidc:
    """Settings for a provider of this folder."""
    if secret:
        (folder / "secret").write_text(secret)
    return Oidc(
        issuer=issuer,
        client_id=CLIENT,
        client_secret_file=str(folder / "secret") if secret else "",
        ca_file=str(folder / "provider-ca.pem"),
        acr=acr,
        timeout_s=2.0,
    )


def signed_in_there(folder: Path, address: str, login: str) -> str:
    """Follow an address to the provider as a browser would, sign in there; gives where it sends the browser back to."""
    trust = ssl.create_default_context(cafile=str(folder / "provider-ca.pem"))
    with httpx2.Client(verify=trust, trust_env=False) as browser:
        answer = browser.get(address)
        for _ in range(8):
            if answer.status_code == 200:
                assert re.search(r'name="login"', answer.text), answer.text
                answer = browser.post(answer.url, data={"login": login})
            location = urljoin(str(answer.url), answer.headers["location"])
            if not location.startswith(f"https://localhost:{urlsplit(address).port}/"):
                return location
            answer = browser.get(location)
    raise AssertionError("the provider never sent the browser back")


def queried(address: str) -> list[tuple[str, str]]:
    """What an address asks."""
    return parse_qsl(urlsplit(address).query)


@dataclass
class Hostile:
    """A provider that answers what a test wants it to.

    ``metadata``, ``keys``, ``tokens``: what is said, as JSON or bytes. ``status``, ``headers``, ``slow_s``: by path.
    ``asked``: what came: (path, headers, form).
    """

    folder: Path
    metadata: object = None
    keys: object = field(default_factory=lambda: {"keys": []})
    tokens: object = field(default_factory=lambda: {"id_token": "a.b.c", "token_type": "Bearer"})
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    slow_s: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    @contextmanager
    def serving(self, *, tls: bool = True, trusted: bool = True):
        """Serve; over TLS by an authority that its settings trust."""
        authority = Authority(self.folder, "provider")
        issued = (authority if trusted else Authority(self.folder / "other", "other")).issue("server")
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hostile.answer(self)

            do_POST = do_GET  # noqa: N815  the name the standard library calls

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def finish_request(self, request, address) -> None:
                with contextlib.suppress(OSError):
                    whole = server_context(issued).wrap_socket(request, server_side=True) if tls else request
                    with whole:
                        self.RequestHandlerClass(whole, address, self)

            def handle_error(self, *_: object) -> None: ...

        server = Server(("127.0.0.1", 0), Handler)
        self.issuer = f"http{'s' if tls else ''}://localhost:{server.server_address[1]}"
        if self.metadata is None:
            self.metadata = self.usual()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def usual(self, **other: object) -> dict[str, object]:
        """Metadata as they should be, but for what is given; None leaves one out."""
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: value for name, value in {**usual, **other}.items() if value is not None}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        form = request.rfile.read(int(request.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((path, headers, {k: v[-1] for k, v in parse_qs(form).items()}))
        said = {"/jwks": self.keys, "/token": self.tokens}.get(path, self.metadata)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        request.send_response(self.status.get(path, 200))
        for name, value in {"content-length": str(len(body)), "content-type": "application/json", **self.headers.get(path, {})}.items():  # fmt: skip
            request.send_header(name, value)
        request.end_headers()
        slow_s = self.slow_s.get(path, 0.0)
        pieces = [body[n : n + 1] for n in range(len(body))] if slow_s else [body]
        for piece in pieces:  # one byte at a time: each comes before any limit of one read
            time.sleep(slow_s)
            request.wfile.write(piece)
            request.wfile.flush()

    @property
    def settings(self) -> Oidc:
        return oidc(self.folder, self.issuer)
