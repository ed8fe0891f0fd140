"""The site of a demo: a data folder, set up with the commands anyone would use, and its processes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from oathward.cli.demo.people import AGREEMENTS, people_csv, register_csv
from oathward.cli.demo.withheld import Withheld
from oathward.core.errors import OathwardError
from oathward.core.reasons import BY_CODE, Reason

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from oathward_sim.hospital import Hospital
    from oathward_sim.judge import Judge
    from oathward_sim.senders import Door, TlsFiles

_START_S_MAX = 40.0
_STOP_S_MAX = 20.0
_PEOPLE = "\n[people]\nlinks_sign_in = true # this is a trial: nobody here has a password\n"
_FREE_PORTS = (
    "[mllp]\nport = 0\ntls_port = 0\n\n[metrics]\nport = 0\n\n[fhir]\nport = 0\n\n[console]\nport = 0\n"
)
_LETTERS = '\n[mail]\nsender = "file"\nsent_from = "patients@hospital.example"\n'
_PORTAL_ABOVE_BASE = 5


@dataclass(slots=True)
class DemoSite:
    """One site in a folder.

    Args:
        folder: new and empty.
        port_base: None takes free ports.
    """

    folder: Path
    port_base: int | None = None
    ports: dict[str, int] = field(default_factory=dict)
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    first_policy: str = ""
    _engine: Engine | None = None
    _withheld: Withheld | None = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def witness(self) -> Path:
        """The witness's own folder."""
        return self.folder / "witness"

    @property
    def letters(self) -> Path:
        """Where letters to patients are put, one a file."""
        return self.data / "letters"

    @property
    def portal(self) -> str:
        """Where the patient portal is."""
        return f"http://127.0.0.1:{self.ports['portal']}"

    @property
    def log(self) -> Path:
        """What the processes said."""
        return self.folder / "serve.log"

    def command(self, *arguments: str, to: Path | None = None, fine: tuple[int, ...] = (0, 1)) -> Any:
        """Run one ``oathward`` command and give what it says in JSON.

        Args:
            to: the folder it works on; the site's data folder by default.
            fine: exit codes that say something and are no failure.

        Raises:
            OathwardError: it ended with another code.
        """
        from oathward.cli.main import run

        raw = io.BytesIO()
        out, errors = io.TextIOWrapper(raw), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = run([*arguments, "--data", str(to or self.data), "--json"])
        out.flush()
        said = orjson.loads(raw.getvalue()) if raw.getvalue() else None
        if code not in fine:
            what = f"oathward {' '.join(arguments[:2])}"
            why = f"ended with code {code}: {errors.getvalue().strip() or said}"
            raise OathwardError(what, why, reason=Reason.INTERNAL)
        return said

    def verify(self) -> Any:
        """Verify the ledger, the witness included."""
        return self.command("ledger", "verify", fine=(0, 1, 3))

    def adopted(self) -> frozenset[str]:
        """Name the simulator's senders that somebody adopted meanwhile: only an unknown one can be, never one that lies."""
        from oathward.core.db import read
        from oathward.core.settings import load
        from oathward.inventory.views import unknown
        from oathward_sim.strangers import UNKNOWN

        settings = load(self.data)
        with read(self._database()) as db:
            found = unknown(db, settings.site.name, state="adopted")
        return frozenset("unknown" for one in found if one.application.partition("^")[0] == UNKNOWN.name)

    def tell(self, judge: Judge, late_s: float = 0.0) -> None:
        """Tell the judge what policies kept back that people put in force during the demo, and what they permitted again.

        Args:
            late_s: as of ``Judge.missing``.
        """
        from oathward.core.settings import load
        from oathward.vault.authority import trust_anchor

        if self._withheld is None:
            settings = load(self.data)
            anchor = trust_anchor(settings)
            self._withheld = Withheld(self._database(), settings.site.name, self.first_policy, anchor)
        self._withheld.notice()
        for recipient, message in self._withheld.of(judge.missing(late_s)):
            judge.withhold(recipient, message)
        for recipient, message in self._withheld.permitted_again(judge.returned()):
            judge.allow(recipient, message)

    def held(self) -> dict[str, int]:
        """Count what is held, by reason."""
        from oathward.core.db import read
        from oathward.messages import sql

        with read(self._database()) as db:
            return sql.held_counts(db)

    def chosen(self, subject: str) -> list[tuple[str, str, float]]:
        """List what was chosen for a patient at the portal, oldest first: recipient, answer, and when it was recorded."""
        from oathward import ledger
        from oathward.core.db import read
        from oathward.core.settings import load

        query = ledger.Query(kind="portal.chose", subject=subject)
        with read(self._database()) as db:
            found = ledger.search(db, load(self.data).site.name, query)
        said = [(str(one.body["recipient"]), str(one.body["answer"]), one.at_us / 1e6) for one in found]
        return said[::-1]

    def _database(self) -> Engine:
        from oathward.core.db import connect
        from oathward.core.settings import load

        if self._engine is None:
            self._engine = connect(load(self.data).database_url)
        return self._engine

    async def set_up(self, hospital: Hospital, addresses: Mapping[str, str], registry_key: bytes) -> None:
        """Make keys, start a witness, and bring in policy, devices with certificates, and consents.

        Args:
            addresses: recipient id -> address as a bundle writes it.
        """
        from oathward_sim.fhir import SYSTEM
        from oathward_sim.hospital import AUTHORITY
        from oathward_sim.sheets import authority_csv, consent_csv, device_csv

        self.data.mkdir(parents=True, exist_ok=True)
        settings = self.data / "oathward.toml"
        text = (
            _FREE_PORTS
            + _PEOPLE
            + self._portal_settings()
            + f'\n[patients.authorities]\n{AUTHORITY} = ["{SYSTEM.removeprefix("urn:oid:")}"]\n'
        )
        settings.write_text(text)
        self.command("init")
        settings.write_text(text + await self._start_witness())
        self._write_policy(addresses, registry_key)
        self.first_policy = self.command("policy", "activate", str(self.folder / "policy"))["active"]
        self._import("device", "devices.csv", device_csv(hospital))
        certificates = str(self.folder / "devices")
        self.command("device", "cert", *(d.name for d in hospital.devices), "--out", certificates)
        self._import("device", "authority.csv", authority_csv(hospital))
        self._import("consent", "consents.csv", consent_csv(hospital))
        people = self.folder / "people.csv"
        people.write_text(people_csv(hospital))
        self.command("people", "found", str(people))

    def _portal_settings(self) -> str:
        """Give the settings of the patient portal: letters name its address, so its port is chosen before it starts."""
        port = self.port_base + _PORTAL_ABOVE_BASE if self.port_base is not None else _free_port()
        return f'\n[portal]\nport = {port}\nurl = "http://127.0.0.1:{port}"\n{_LETTERS}'

    def govern(self) -> None:
        """Give every link and recipient an owner, and write the agreements that links name; whoever is signed in does."""
        ids = {one["name"]: one["id"] for one in self.command("people", "list", fine=(0,))["people"]}
        register = self.folder / "register.csv"
        register.write_text(register_csv(ids))
        self.command("governance", "import", str(register), fine=(0,))
        for agreement in AGREEMENTS:
            self.command("governance", "agreement", "add", *agreement, fine=(0,))

    def _write_policy(self, addresses: Mapping[str, str], registry_key: bytes) -> None:
        from oathward.policy import starter

        names = dict.fromkeys(
            (n for n, a in addresses.items() if a.startswith(("mllps", "https"))), "localhost"
        )
        for path, content in starter.files(addresses, {"research-registry": registry_key}, names).items():
            file = self.folder / "policy" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    async def _start_witness(self) -> str:
        """Start the outside witness, let it trust the site's two logs, and give the settings that name it."""
        said = await self._spawn("witness", "--data", str(self.witness), "--listen", "127.0.0.1:0", "--json")
        for log in ("ledger", "tombstones"):
            self.command("witness", "trust", str(self.data / "trust" / f"{log}.pub"), to=self.witness)
        (self.data / "trust" / "witness.pub").write_text(said["key"] + "\n")
        address = said["address"]
        return f'\n[witness]\naddress = "{address}"\npublic_key_file = "{self.data}/trust/witness.pub"\n'

    def _import(self, what: str, name: str, content: str) -> None:
        file = self.folder / name
        file.write_text(content)
        self.command(what, "import", str(file))

    def console(self, name: str) -> str:
        """Ask for a link that signs a person in at the console once; empty where there is no console."""
        if "console" not in self.ports:
            return ""
        return str(self.command("console", "--as", name, fine=(0,))["link"])

    def trust_recipients(self, files: Mapping[str, Path]) -> None:
        """Put the files that recipients gave us where the courier looks: name -> file."""
        folder = self.data / "recipients"
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            shutil.copyfile(file, folder / name)
            (folder / name).chmod(0o600)

    def device_tls(self, hospital: Hospital) -> dict[str, TlsFiles]:
        """Name the TLS files of every device."""
        from oathward_sim.senders import TlsFiles

        folder = self.folder / "devices"
        ca = folder / "device-ca.pem"
        return {
            d.name: TlsFiles(ca, folder / f"{d.name}.pem", folder / f"{d.name}.key") for d in hospital.devices
        }

    def doors(self) -> tuple[Door, Door, Door]:
        """Give the plain door, the one with TLS and the FHIR door."""
        from oathward_sim.senders import Door

        plain, secure, fhir = (Door("127.0.0.1", self.ports[name]) for name in ("mllp", "mllp_tls", "fhir"))
        return plain, secure, fhir

    async def start(self) -> None:
        """Start ``oathward serve`` and learn its ports.

        Raises:
            OathwardError: it did not become ready; its log says why.
        """
        base = () if self.port_base is None else ("--port-base", str(self.port_base))
        said = await self._spawn("serve", "--data", str(self.data), "--json", *base)
        for part in said["parts"].values():
            self.ports |= part.get("ports") or {}

    async def _spawn(self, *arguments: str) -> Any:
        """Start a process that says in one JSON document that it is ready; give that."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "oathward.cli.demo.child", *arguments, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        assert process.stdout is not None
        text = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S_MAX):
                while line := await process.stdout.readline():
                    text += line
                    with contextlib.suppress(orjson.JSONDecodeError):
                        return orjson.loads(text)
        last = self.log.read_text(errors="replace").splitlines()[-1:]
        with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            said = orjson.loads(last[0])
            raise OathwardError(said["where"], said["why"], reason=BY_CODE[said["error"]])
        tail = " / ".join(self.log.read_text(errors="replace").splitlines()[-3:])
        raise OathwardError(f"oathward {arguments[0]}", f"did not start: {tail}", reason=Reason.INTERNAL)

    async def stop(self) -> None:
        """Stop the processes, the witness last, and wait for them."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        while self._processes:
            process = self._processes.pop()
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _STOP_S_MAX)
            except TimeoutError:
                process.kill()
                await process.wait()

    @property
    def running(self) -> bool:
        """Whether every process still runs."""
        return all(process.returncode is None for process in self._processes)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
