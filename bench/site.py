"""Whole sites for the speed tests, with recipients, devices and TLS, on top of the one the tests use.

Two shapes:
- ``one``: plain TCP in, one care recipient by plain TCP, nothing kept back; devices pinned to 127.0.0.1 by MSH-3.
- ``three``: client certificates in and out; care (``treatment``), research (``safe-harbor``), maker
  (``device-telemetry``); the guard sees every message for the latter two.

Rules:
- Real processes, as ``oathward serve`` starts them, on free ports of 127.0.0.1, in a new temporary folder.
- Device certificates come from the site's own CA by ``oathward device cert``; recipients have a CA of their own.
- CPU and memory of a process are what the kernel says of all its threads (``/proc``), in steps of 10 ms.

- ``prime`` before measuring: each device has 16 patients, and a patient's first message costs some milliseconds.

Deliberately absent: the ``keep`` link. A site that keeps originals for release seals one more body a message;
``bench_stages`` says what that costs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.site import LINK, RECIPIENT, Site, bundle

from oathward.app import build
from oathward.gateway.gate import Gate
from oathward.inventory.model import Device
from oathward_sim.pki import Authority

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
PATIENTS_EACH = 16
PRIME_S_MAX = 180.0
PARTS = ("gateway", "courier", "keeper", "app")
PROFILES = {"ehr": "treatment", "registry": "safe-harbor", "maker": "device-telemetry"}
TLS = '\n[tls]\nca = "recipients-ca.pem"\ncertificate = "courier.pem"\nkey = "courier.key"\nserver_name = "localhost"\n'
LIMITS = (
    "messages_per_s_per_peer_max = 1000000\nconnections_per_peer_max = 2000\n"
    "handshakes_max = 2000\nhandshakes_per_peer_max = 2000\nhandshakes_per_s_per_peer_max = 2000\n"
)


def cores() -> tuple[int | None, int | None]:
    """One core for servers, another for what loads them; none where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Start what is started inside on one core."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(pid: int, core: int) -> None:
    """Let a process that runs, all threads of it, run on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for the two ends: the sink's, and the generator's with ``{}`` for a sender's name."""

    sink: tuple[str, ...] = ()
    load: tuple[str, ...] = ()


@dataclass
class Sink:
    """The recipients: a process that acknowledges and counts."""

    process: subprocess.Popen[str]
    ports: list[int] = field(default_factory=list)

    @classmethod
    def start(cls, ports: int, core: int | None, tls: Sequence[str] = ()) -> Sink:
        with pinned(core):
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.sink", "--ports", *["0"] * ports, *tls],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        sink = cls(process)
        sink.ports = sink._read()["ports"]
        return sink

    def stats(self) -> dict[str, Any]:
        """Messages got so far, in all and by port."""
        return self._say("stats")

    def stop(self) -> None:
        self._say("quit")
        self.process.wait(10)

    def _say(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@dataclass
class Bench:
    """One site under test with its recipients."""

    site: Site
    sink: Sink
    tls: Tls
    senders: int
    recipients: int

    @property
    def port(self) -> int:
        """Where devices connect."""
        return self.site.port("mllp_tls" if self.tls.load else "mllp")

    def processes(self) -> dict[str, int]:
        """Names and ids of the site's processes; the supervisor too."""
        assert self.site.process is not None
        return {name: self.site.status(name)["pid"] for name in PARTS} | {"supervisor": self.site.process.pid}

    def prime(self, core: int | None) -> None:
        """Let every device speak of each of its patients once: what is new is not measured."""
        messages = 4 * self.senders * PATIENTS_EACH
        options = ("--connections", self.senders, "--senders", self.senders, "--patients", self.patients)
        generator = Generator.start(
            self.port, core, *options, *self.tls.load,
            "--count", messages, "--warm-up", 0, "--seconds", PRIME_S_MAX,
        )  # fmt: skip
        while "acked" not in generator.line():
            pass
        generator.end()
        self.drain(PRIME_S_MAX)

    @property
    def patients(self) -> int:
        """How many patients there are: the same few at each device."""
        return self.senders * PATIENTS_EACH

    def outbox(self) -> int:
        """Deliveries that are not recorded as made."""
        return self.site.rows("SELECT count(*) FROM outbox")[0][0]

    def held(self) -> int:
        """Messages in quarantine: none, unless the site is set up wrongly."""
        return self.site.rows("SELECT count(*) FROM quarantine")[0][0]

    def drain(self, patience_s: float) -> int:
        """Wait until everything is delivered; gives what is still not."""
        until = time.monotonic() + patience_s
        while (left := self.outbox()) and time.monotonic() < until:
            time.sleep(0.1)
        return left


@contextmanager
def running(
    shape: str, *, senders: int = 64, server: int | None = None, load: int | None = None, courier: str = ""
) -> Iterator[Bench]:
    """Set up and serve a site of a shape; everything is gone afterwards.

    Args:
        senders: how many devices, ``LOAD-000`` and on.
        server: the gateway's core, its other processes on ``load`` then; none lets the kernel choose for all of them.
        load: the core of the recipients.
        courier: settings of the courier, TOML lines.
    """
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        bench = _set_up(shape, folder, senders, load, courier)
        try:
            with pinned(load if server is not None else None):
                bench.site.start()
            if server is not None:
                move(bench.processes()["gateway"], server)
            yield bench
        finally:
            bench.site.stop()
            bench.sink.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def gate_of(make: Callable[[Path], Site]) -> Iterator[Gate]:
    """Open a gateway in this process, with the keeper in it too; everything is gone afterwards.

    Args:
        make: sets up a site that nobody serves in a new folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        opened = build(make(folder).settings, "gateway")
        gate = Gate(opened)
        yield gate
        gate.close()
        opened.engine.dispose()
        opened.keeper.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def at_rest(shape: str, folder: Path, senders: int) -> Site:
    """Set up a site that nobody serves and whose recipients nobody is: for measuring in one process.

    Its devices are known by their address whatever the shape, since no TLS is spoken.
    """
    site = Site.make(folder / "data", mllp=LIMITS, console=True)
    site.add(*(device(f"LOAD-{n:03d}", HERE) for n in range(senders)))
    ports = [1, 1, 1] if shape == "three" else [1]
    site.activate(_three(ports, secure=False) if shape == "three" else _one(ports))
    return site


def tls_files(folder: Path, senders: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Certificates for a server that is not a site: its options, and those of the generator."""
    authority = Authority(folder, "bench")
    for n in range(senders):
        authority.issue(f"LOAD-{n:03d}")
    server, ca = authority.issue("server"), str(authority.file)
    return (
        ("--cert", str(server.cert), "--key", str(server.key), "--ca", ca),
        ("--ca", ca, "--cert", f"{folder}/{{}}.pem", "--key", f"{folder}/{{}}.key"),
    )


def _set_up(shape: str, folder: Path, senders: int, load: int | None, courier: str) -> Bench:
    names = [f"LOAD-{n:03d}" for n in range(senders)]
    secure = shape == "three"
    site = Site.make(folder / "data", mllp=LIMITS, courier=courier, tls=secure, console=True)
    addresses = frozenset() if secure else HERE
    site.add(*(device(name, addresses) for name in names))
    tls = _certificates(site, folder, names) if secure else Tls()
    sink = Sink.start(3 if secure else 1, load, tls.sink)
    try:
        site.activate(_three(sink.ports, secure=True) if secure else _one(sink.ports))
    except BaseException:
        sink.stop()
        raise
    return Bench(site, sink, tls, senders, len(sink.ports))


def device(name: str, addresses: frozenset[str]) -> Device:
    return Device(
        id=name, kind="monitor", senders=frozenset({name}), addresses=addresses, default_authority="HOSP"
    )


def _certificates(site: Site, folder: Path, names: Sequence[str]) -> Tls:
    devices = folder / "devices"
    site.cli("device", "cert", *names, "--out", str(devices))
    authority = Authority(folder / "pki", "recipients")
    server, client = authority.issue("sink"), authority.issue("courier")
    trusted = site.settings.data / "recipients"
    trusted.mkdir()
    for file in (authority.file, client.cert, client.key):
        shutil.copyfile(file, trusted / file.name)
    ca = str(authority.file)
    return Tls(
        ("--cert", str(server.cert), "--key", str(server.key), "--ca", ca),
        (
            "--ca",
            str(devices / "device-ca.pem"),
            "--cert",
            f"{devices}/{{}}.pem",
            "--key",
            f"{devices}/{{}}.key",
        ),
    )


def _plain(port: int) -> str:
    return f"mllp://127.0.0.1:{port}"


def without_keep(files: dict[str, bytes]) -> dict[str, bytes]:
    """Take the link that keeps originals out of a bundle."""
    policies = files["policies/links.cedar"].decode().splitlines(keepends=True)
    files["policies/links.cedar"] = "".join(line for line in policies if '"keep"' not in line).encode()
    return {path: content for path, content in files.items() if path != "links/keep.toml"}


def shaped(link: str, name: str) -> str:
    """Let a link of ``PROFILES`` shape what it passes; that of care stays as it is."""
    if name not in _PROJECT:
        return link
    return (
        link.replace('"TREAT"', f'"{_PURPOSE[name]}"')
        .replace('profile = "treatment"', f'profile = "{PROFILES[name]}"\nproject = "{_PROJECT[name]}"')
        .replace("carries_identity = true\n", "")
        .replace('uncatalogued = "pass"\n', "")
        .replace('indeterminate = "care-team"\n', "")
        .replace('"block"', '"skip"')
        .replace('confidentiality_max = "V"', 'confidentiality_max = "N"')
    )


def _one(ports: Sequence[int]) -> dict[str, bytes]:
    return without_keep(bundle({"ehr": _plain(ports[0])}))


def _three(ports: Sequence[int], *, secure: bool) -> dict[str, bytes]:
    files = without_keep(bundle(dict.fromkeys(PROFILES, _plain(1))))
    for name, port in zip(PROFILES, ports, strict=True):
        link = LINK.format(id=name)
        if secure:
            recipient = RECIPIENT.format(id=name, address=f"mllps://localhost:{port}") + TLS
            files[f"recipients/{name}.toml"] = recipient.encode()
            link = link.replace('min_assurance = "address"', 'min_assurance = "certificate"')
            link = link.replace('min_protection = "none"', 'min_protection = "mtls"')
        files[f"links/{name}.toml"] = shaped(link, name).encode()
    return files


HERE = frozenset({"127.0.0.1"})
_PROJECT = {"registry": "registry", "maker": "telemetry"}
_PURPOSE = {"registry": "HRESCH", "maker": "HOPERAT"}


def cpu_s(pid: int) -> float:
    """CPU time of a process, all threads, user and system; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE_BYTES / 1e6
    except OSError:
        return 0.0


@dataclass
class Generator:
    """The load generator's process; ``window`` gives what was true at the begin and the end of measuring."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, port: int, core: int | None, *options: object, stderr: IO[str] | None = None) -> Generator:
        command = [sys.executable, "-m", "bench.loadgen", f"127.0.0.1:{port}", "--marks", *map(str, options)]
        with pinned(core):
            return cls(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True))

    def line(self) -> dict[str, Any]:
        """Wait for its next line: a mark, or the result."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"the load generator ended with {self.process.wait(10)}")
        return json.loads(text)

    def end(self) -> None:
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
