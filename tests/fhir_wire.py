"""FHIR by hand for tests: a site with a FHIR door, TLS contexts, raw HTTP, small resources, signed assertions."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import uuid
from contextlib import contextmanager

from joserfc import jwt
from tests.site import Site, bundle
from tests.site import certified as device  # what speaks FHIR has nothing else to be known by

SYSTEM = "urn:oid:1.2.3.4"
_ISSUING = threading.Lock()


def patient_reference(mrn="12345678"):
    return {"identifier": {"type": {"coding": [{"code": "MR"}]}, "system": SYSTEM, "value": mrn}}


def observation(*, value=72.0, mrn="12345678", **more):
    """A heart rate of one patient."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": patient_reference(mrn),
        "effectiveDateTime": "2026-05-04T08:15:00Z",
        "valueQuantity": {
            "value": value,
            "unit": "beats/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
        **more,
    }


def bundle_of(kind, *requests):
    """A batch or transaction of (method, url, resource)."""
    entry = [{"resource": r, "request": {"method": m, "url": u}} for m, u, r in requests]
    return {"resourceType": "Bundle", "type": kind, "entry": entry}


@contextmanager
def served(folder, fhir, *names):
    """A served site with these devices of certificates and no recipient; ``fhir``: settings of its door."""
    site = Site.make(folder, fhir=fhir)
    site.activate(bundle({}))
    site.add(*map(device, names))
    site.start()
    try:
        yield site
    finally:
        site.stop()


def certificate(site: Site, id_):
    folder = site.folder / "certs" / id_
    with _ISSUING:  # clients of several threads ask at once
        if not (folder / f"{id_}.pem").exists():
            site.cli("device", "cert", id_, "--out", str(folder))
    return folder / f"{id_}.pem", folder / f"{id_}.key"


def context(site: Site, id_=None):
    """What a client of the door trusts and shows."""
    made = ssl.create_default_context(cafile=str(site.folder / "trust" / "device-ca.pem"))
    if id_ is not None:
        made.load_cert_chain(*certificate(site, id_))
    return made


class Answer:
    """One HTTP response."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        """Our reason code in an OperationOutcome."""
        return self.json["issue"][0]["details"]["coding"][0]["code"]


class Http:
    """One connection to the FHIR door, byte by byte."""

    def __init__(self, site: Site, id_=None, *, timeout_s=20.0, address="127.0.0.1", made=None):
        made = made or context(site, id_)  # before there is a connection: a certificate may have to be issued
        raw = socket.create_connection(
            ("127.0.0.1", site.port("fhir")), timeout=timeout_s, source_address=(address, 0)
        )
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = made.wrap_socket(raw, server_hostname="localhost")
        self._buffer = b""

    def write(self, data: bytes):
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65_536)
        except TimeoutError:
            raise
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def answer(self, *, head=False):
        """The next response, or None when the door closed."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        size = 0 if head else int(headers.get("content-length", 0))
        while len(self._buffer) < size:
            if not self._more():
                return None
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Answer(int(first.split(" ")[1]), headers, body)

    def ask(self, method, path, body=b"", **headers):
        """Send one request, give its answer; headers by name with ``_`` for ``-``."""
        self.write(request(method, path, body, **headers))
        return self.answer(head=method == "HEAD")

    def post(self, path, resource, **headers):
        return self.ask("POST", path, encoded(resource), **headers)

    def put(self, path, resource, **headers):
        return self.ask("PUT", path, encoded(resource), **headers)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def encoded(resource):
    return resource if isinstance(resource, bytes) else json.dumps(resource).encode()


def request(method, path, body=b"", **headers):
    lines = {"Host": "localhost"}
    if method in {"POST", "PUT"}:
        lines |= {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def assertion(key, client, audience, *, algorithm="ES384", kid=None, header=None, **claims):
    """A signed request for a token, as SMART Backend Services has it."""
    values = {
        "iss": client,
        "sub": client,
        "aud": audience,
        "exp": int(time.time()) + 240,
        "jti": str(uuid.uuid4()),
    }
    values |= claims
    values = {name: value for name, value in values.items() if value is not None}
    head = {"alg": algorithm, "typ": "JWT"} | ({"kid": kid} if kid else {}) | (header or {})
    return jwt.encode(head, values, key, algorithms=[algorithm])
