"""A whole Oathward site for tests: a data folder with a small bundle, real processes, real sockets.

The bundle has two MLLP or file recipients the test names, a research link that needs consent, and ``keep``. Devices are
pinned to addresses or have certificates of the site's own CA.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import forked

from oathward import activation
from oathward.app import build, create
from oathward.core.clock import micros
from oathward.core.db import connect, read, write
from oathward.core.settings import load
from oathward.inventory import actions as inventory
from oathward.inventory.model import Device
from oathward.policy import starter
from oathward.vault.keeper.proof import admin_proof

SETTINGS = """
[mllp]
port = 0
tls_port = {tls_port}
{mllp}
[metrics]
port = 0
[fhir]
port = {fhir_port}
{fhir}
[console]
port = {console_port}
[courier]
retry_first_s = 0.05
retry_longest_s = 0.5
reply_timeout_s = 3.0
{courier}
{more}
"""
LINK = """
id = "{id}"
recipient = "{id}"
purpose = "TREAT"
legal_basis = "test"
without_consent = true
classes = ["*"]
profile = "treatment"
carries_identity = true
uncatalogued = "pass"
min_assurance = "address"
min_protection = "none"
indeterminate = "care-team"
on_exhausted = "block"
retention_days = 7
confidentiality_max = "V"
[sources]
devices = ["*"]
message_types = ["*"]
"""
RECIPIENT = 'id = "{id}"\nname = "{id}"\nparty = "this site"\nzone = "clinical"\naddress = "{address}"\n'
PYTHON = frozenset({"PYTHONPATH"})
"""What Python reads as it begins."""
ALLOW = '@id("{id}") permit(principal, action == Action::"Disclose", resource == Link::"{id}");\n'


def local(id_: str = "mon-1", sender: str = "", *, kind: str = "monitor", **more) -> Device:
    """A device of this machine's address, whose MRNs are the hospital's; ``sender``: the only MSH-3 it may have."""
    senders = frozenset({sender} if sender else ())
    here = frozenset({"127.0.0.1"})
    return Device(id=id_, kind=kind, senders=senders, addresses=here, default_authority="HOSP", **more)


def certified(id_: str, sender: str = "", **more) -> Device:
    """A device that is known by the certificate the site's CA gives it; ``sender``: the only MSH-3 it may have."""
    facts = {
        "kind": "monitor",
        "certificate_names": frozenset({f"URI:urn:oathward:device:{id_}"}),
        "senders": frozenset({sender} if sender else ()),
        "default_authority": "HOSP",
    }
    return Device(id=id_, **facts | more)


def bundle(
    care: dict[str, str], research: tuple[str, bytes] | None = None, extra: dict[str, bytes] | None = None
) -> dict[str, bytes]:
    """A bundle: care recipients by address, and a research registry as (folder, X25519 public key)."""
    files = dict(starter.files({}, {"research-registry": bytes(31) + b"\x09"}))
    kept = (
        "bundle.toml",
        "schema.cedarschema",
        "labels.toml",
        "projects.toml",
        "protection.toml",
        "links/keep.toml",
    )
    files = {path: files[path] for path in kept if path in files}
    protection = files["protection.toml"].decode()
    for level in ("mtls+e2e", "mtls", "tls"):
        protection = protection.replace(f'"{level}"', '"none"')
    files["protection.toml"] = protection.encode()
    allowed = ["keep", *care]
    for id_, address in care.items():
        files[f"recipients/{id_}.toml"] = RECIPIENT.format(id=id_, address=address).encode()
        files[f"links/{id_}.toml"] = LINK.format(id=id_).encode()
    if research is not None:
        address, key = research
        rendered = starter.files({"research-registry": address}, {"research-registry": key})
        files["recipients/research-registry.toml"] = rendered["recipients/research-registry.toml"]
        link = rendered["links/research-registry.toml"].replace(
            b'min_assurance = "vouched"', b'min_assurance = "address"'
        )
        link = link.replace(
            b'format = "fhir" # whatever came in\n', b""
        )  # what came in is what these tests look for
        files["links/research-registry.toml"] = link
        allowed.append("research-registry")
    files["policies/links.cedar"] = "".join(ALLOW.format(id=id_) for id_ in allowed).encode()
    return files | (extra or {})


@dataclass
class Site:
    """One data folder and its processes."""

    folder: Path
    process: subprocess.Popen[bytes] | forked.Served | None = None
    parts: dict = field(default_factory=dict)
    log: Path | None = None

    def __post_init__(self) -> None:
        self.log = self.log or self.folder / "serve.log"

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        mllp: str = "",
        fhir: str | None = None,
        courier: str = "",
        more: str = "",
        tls: bool = False,
        console: bool = False,
    ) -> Site:
        """Create the folder with its keys. ``fhir``: more of that section; without it there is no such door.

        Args:
            console: whether staff's pages are served; to make them is a sixth of what a start costs.
        """
        folder.mkdir(parents=True, exist_ok=True)
        ports = {
            "tls_port": 0 if tls else -1,
            "fhir_port": -1 if fhir is None else 0,
            "console_port": 0 if console else -1,
        }
        text = SETTINGS.format(**ports, mllp=mllp, fhir=fhir or "", courier=courier, more=more)
        (folder / "oathward.toml").write_text(text)
        create(load(folder))
        return cls(folder)

    @property
    def settings(self):
        return load(self.folder)

    @contextmanager
    def admin(self):
        """The site as a command has it."""
        site = build(self.settings, "admin")
        try:
            yield site
        finally:
            site.keeper.close()
            site.engine.dispose()

    def activate(self, files: dict[str, bytes]) -> str:
        with self.admin() as site:
            active = activation.activate(
                site.engine,
                site.site,
                site.keeper,
                activation.check(files),
                [admin_proof("test")],
                micros(site.clock.now()),
            )
            return active.label

    def add(self, *devices: Device) -> None:
        with self.admin() as site:
            with read(site.engine) as db:
                planned = inventory.plan(db, site.site, devices)
            signed = site.keeper.sign_many(
                [(d.kind, d.id, d.version, d.body) for d in planned], [admin_proof("test")]
            )
            with write(site.engine) as db:
                inventory.store(
                    db, site.site, signed, kind="device.added", by="test", now_us=micros(site.clock.now())
                )

    def start(self, *, executed: bool = False, **environment: str) -> Site:
        """Start `oathward serve` and wait until it says it is ready.

        Args:
            executed: whether as everybody does; else it is forked where that comes to the same.
            environment: more of it than is here.
        """
        arguments = ["--data", str(self.folder), "--json"]
        with self.log.open("ab") as log:
            if executed or PYTHON.intersection(environment):
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "oathward.cli", "serve", *arguments],
                    stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | environment,
                )  # fmt: skip
            else:
                self.process = forked.served(arguments, log, environment)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.log.read_text()[-3000:])
        self.parts = json.loads(line)["parts"]
        return self

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        if self.process is not None:
            self.process.stdout.close()
        self.process = None

    def kill(self, role: str) -> None:
        """kill -9 one process; the supervisor starts another."""
        os.kill(self.status(role)["pid"], signal.SIGKILL)

    def status(self, role: str) -> dict:
        return json.loads((self.folder / "run" / f"{role}.json").read_bytes())

    def port(self, name: str = "mllp") -> int:
        """The gateway's port now (a restarted gateway with port 0 has another one)."""
        return self.status("gateway")["ports"][name]

    def cli(self, *arguments: str, check: bool = True):
        """Run a command with --json and give what it prints."""
        done = forked.run([*arguments, "--data", str(self.folder), "--json"])
        if check and done.returncode:
            raise AssertionError((done.returncode, done.stdout[-2000:], done.stderr[-2000:]))
        return json.loads(done.stdout) if done.stdout.strip() else None

    def rows(self, sql: str) -> list[tuple]:
        """Look into the database, as its administrator would."""
        engine = connect(self.settings.database_url)
        with read(engine) as db:
            found = [tuple(row) for row in db.exec_driver_sql(sql)]
        engine.dispose()
        return found

    def records(self, kind: str) -> list[dict]:
        """Bodies of all records of a kind, in order."""
        found = self.rows(f"SELECT body FROM ledger_record WHERE kind = '{kind}' ORDER BY idx")
        return [json.loads(body) for (body,) in found]

    def wait(self, what, patience_s: float = 15.0):
        """Wait until something is true; fails with the log's end."""
        until = time.monotonic() + patience_s
        while not (value := what()):
            if time.monotonic() > until:
                raise AssertionError(("waited in vain", self.log.read_text()[-2000:]))
            time.sleep(0.03)
        return value


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
