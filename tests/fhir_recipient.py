"""A FHIR recipient for tests: an HTTPS server in threads that keeps what it takes and answers as it is told.

Unless told otherwise it does what R4 says: an update creates or replaces, a transaction is taken whole or not at all,
a read answers 200 or 404. Source: FHIR R4 §3.1.0.2, §3.1.0.4, §3.1.0.11; RFC 9110 §13.1.2.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.v2fhir import references

from oathward_sim.pki import Authority, Issued

RECIPIENT = """
id = "{id}"
name = "{id}"
party = "this site"
zone = "clinical"
address = "{address}"
{key}
[tls]
ca = "recipient-ca.pem"
certificate = "courier.pem"
key = "courier.key"
server_name = "{server_name}"
"""


class FhirRecipient:
    """Takes updates and transactions of updates; may be read.

    Args:
        folder: for its certificates; its authority signs the courier's too.

    ``script``: for the next writes in turn: a status, a (status, body) or ``"cut"`` (taken, and the connection cut).
    ``puts``: everything that was put, in order: (place, resource as bytes). ``tried``: every write: (line, body).
    ``made``: what each write said of how it was made (``X-Provenance``), "" where nothing.
    ``reads``: what was asked for, in order. ``unreadable``: the status of every read instead.
    ``whole``: refuses what refers to something that is not there, as servers may (R4 §2.3.0.5).
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "recipient")
        self.courier: Issued = self.authority.issue("courier")
        server = self.authority.issue("server")
        self.puts: list[tuple[str, bytes]] = []
        self.tried: list[tuple[str, bytes]] = []
        self.made: list[str] = []
        self.script: list[object] = []
        self.always: int | None = None
        self.reads: list[str] = []
        self.unreadable: int | None = None
        self.whole = False
        self.lock = threading.Lock()
        recipient = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                recipient.say(self)

            def do_PUT(self) -> None:
                recipient.take(self)

            do_POST = do_PUT  # noqa: N815  the name the standard library calls

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def finish_request(self, request, address) -> None:
                context = recipient.context(server)
                try:
                    tls = context.wrap_socket(request, server_side=True)
                except OSError:
                    return
                with tls, contextlib.suppress(OSError):
                    self.RequestHandlerClass(tls, address, self)

            def handle_error(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def context(self, server: Issued) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.cert, server.key)
        context.load_verify_locations(self.authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}/fhir"

    def trusted_by(self, data: Path) -> None:
        """Put what the courier needs where it looks."""
        folder = data / "recipients"
        folder.mkdir(exist_ok=True)
        for name, file in (
            ("recipient-ca.pem", self.authority.file),
            ("courier.pem", self.courier.cert),
            ("courier.key", self.courier.key),
        ):
            (folder / name).write_bytes(file.read_bytes())

    def declared(self, id_: str, *, key: str = "", server_name: str = "localhost") -> bytes:
        """Its file of a bundle."""
        line = f'public_key = "{key}"\n' if key else ""
        return RECIPIENT.format(id=id_, address=self.address, key=line, server_name=server_name).encode()

    def say(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a read."""
        asked = handler.path.removeprefix("/fhir/")
        with self.lock:
            self.reads.append(asked)
            found = dict(self.puts).get(asked.partition("?")[0])
        status = self.unreadable or (404 if found is None else 200)
        answer = found if found is not None and status == 200 else b""
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def judged(self, handler: BaseHTTPRequestHandler, body: bytes) -> int:
        """Say how a server answers that nobody told otherwise."""
        places, there = dict(puts(handler.command, body)), dict(self.puts)
        if any(place in there for place in only_new(body)):
            return 412
        referred = {to for resource in places.values() for to in references(json.loads(resource))}
        return 400 if self.whole and referred - places.keys() - there.keys() else 200

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.lock:
            self.tried.append((handler.requestline, body))
            self.made.append(handler.headers.get("X-Provenance", ""))
            step = self.script.pop(0) if self.script else self.always or self.judged(handler, body)
            status, said = step if isinstance(step, tuple) else (step, None)
            places = puts(handler.command, body)
            if status == "cut" or (isinstance(status, int) and status < 300):
                self.puts += places
        if status == "cut":
            handler.close_connection = True
            handler.connection.close()
            return
        if said is None and handler.command == "POST" and status == 200:
            said = {
                "resourceType": "Bundle",
                "type": "transaction-response",
                "entry": [{"response": {"status": "201"}}] * len(places),
            }
        answer = json.dumps(said).encode() if said is not None else b""
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(answer)))
        handler.send_header("ETag", 'W/"7"')
        handler.end_headers()
        handler.wfile.write(answer)

    def now(self) -> dict[str, bytes]:
        """What it holds: place -> resource."""
        with self.lock:
            return dict(self.puts)

    def values(self) -> list[str]:
        """Values of all observations, in the order they were put."""
        with self.lock:
            resources = [json.loads(body, parse_float=str, parse_int=str) for _, body in self.puts]
        return [
            r["valueQuantity"]["value"]
            for r in resources
            if r["resourceType"] == "Observation" and "valueQuantity" in r
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def puts(method: str, body: bytes) -> list[tuple[str, bytes]]:
    """Say what a request puts where."""
    asked = json.loads(body, parse_float=str)
    if method == "PUT":
        return [(f"{asked['resourceType']}/{asked['id']}", body)]
    return [(entry["request"]["url"], json.dumps(entry["resource"]).encode()) for entry in asked["entry"]]


def only_new(body: bytes) -> list[str]:
    """Say which places a transaction wants to find empty."""
    entries = json.loads(body).get("entry", ())
    return [one["request"]["url"] for one in entries if one["request"].get("ifNoneMatch") == "*"]
