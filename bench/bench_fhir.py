"""FHIR: CPU time of the path for an Observation and for a bundle of them, and what the door takes.

In this process, with keeper and database, as ``bench_stages`` does for HL7 v2:
- one Observation a request, each stage by itself and the whole path with its commit;
- bundles of 100 Observations of one patient.
Then a site that is served: clients with certificates post readings over HTTPS, the gateway has a core of its own.
Beside it in the same run: ``fhir.resources``, which only reads a resource into its models and writes it again.

Goals: 4,000 Observations/s a core through the whole path, 60 bundles of 100 a second.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.fhir_wire import certificate, device
from tests.site import LINK, RECIPIENT, Site, bundle

from bench import numbers
from bench.bench_stages import GC_THRESHOLD, run_stages, whole
from bench.peers.setup import ready
from bench.site import cores, cpu_s, gate_of, move, pinned, shaped, without_keep
from oathward.gateway.gate import Gate
from oathward.gateway.wires import FHIR
from oathward.inventory.model import Device, Peer
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.message import Request, Resource
from oathward.protocols.fhir.reader import request_bytes

PATIENTS = 256
BUNDLE = 100
GOAL_PER_S, GOAL_BUNDLES_PER_S = 4_000, 60
CERTIFICATE = b"\x01" * 32
HUB = Peer("127.0.0.1", CERTIFICATE, ())
_TLS = '\n[tls]\nca = "ca.pem"\ncertificate = "c.pem"\nkey = "c.key"\nserver_name = "localhost"\n'


def main() -> int:
    """Measure, print, keep; 1 when a goal was missed."""
    options = _options()
    about = numbers.about()
    numbers.say_about(about)
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    table: dict[str, dict[str, list[float]]] = {}
    for links in (("ehr",), ("ehr", "registry", "maker")):
        with gate_of(lambda folder, links=links: _at_rest(folder, links)) as gate:
            table[f"{len(links)} links"] = _measured(gate, options)
    served = _served(options)
    peer = _peer(options)
    missed = _say(table, peer)
    print(f"served over HTTPS with {options.connections} connections, one care link: {_line(served)}")
    kept = {name: {stage: numbers.triple(v) for stage, v in rows.items()} for name, rows in table.items()}
    numbers.keep("fhir", {"about": about, "stages": kept, "served": served, "fhir.resources": peer})
    return missed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2_048)
    parser.add_argument("--bundles", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8.0, help="of the served site")
    return parser.parse_args()


class Kind(NamedTuple):
    """A kind of reading: its codes in MDC and LOINC, its unit, and what values it takes."""

    mdc: str
    name: str
    loinc: str
    unit: str
    ucum: str
    least: int
    steps: int
    decimals: int = 0


KINDS = (
    Kind("150456", "MDC_PULS_OXIM_SAT_O2", "59408-5", "%", "%", 90, 11),
    Kind("147842", "MDC_ECG_HEART_RATE", "8867-4", "beats/min", "/min", 55, 90),
    Kind("151562", "MDC_RESP_RATE", "9279-1", "breaths/min", "/min", 8, 20),
    Kind("150364", "MDC_TEMP_BODY", "8310-5", "Cel", "Cel", 355, 40, 1),
    Kind("188736", "MDC_MASS_BODY_ACTUAL", "29463-7", "kg", "kg", 5_020, 5_000, 2),
    Kind("160184", "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "15074-8", "mmol/L", "mmol/L", 35, 180, 1),
    Kind("150020", "MDC_PRESS_BLD_NONINV", "85354-9", "mmHg", "mm[Hg]", 95, 60),
    Kind("8455148", "MDC_HF_STEPS", "55423-8", "steps", "{steps}", 12, 9_000),
)
"""What wearables and hubs send all day; the seventh has two parts. A number of other lengths is another shape."""


def observation(number: int, patient: int) -> Resource:
    """A wearable's reading, about 1 KB: another kind, time, value and id each; its device is the patient's own."""
    kind = KINDS[number % len(KINDS)]
    second, minute = number % 60, number // 60 % 60
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    made: Resource = {
        "resourceType": "Observation",
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/vitalsigns"]},
        "identifier": [{"system": "urn:oid:1.2.826.0.1.3680043.10.2", "value": name}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                        "display": "Vital Signs",
                    }
                ]
            }
        ],
        "code": {
            "coding": [
                {"system": "urn:iso:std:iso:11073:10101", "code": kind.mdc, "display": kind.name},
                {"system": "http://loinc.org", "code": kind.loinc},
            ]
        },
        "subject": {
            "reference": f"Patient/p{patient:05d}",
            "identifier": {
                "type": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]
                },
                "system": "urn:oid:1.2.826.0.1.3680043.10.1",
                "value": f"70001{patient:05d}",
            },
        },
        "effectiveDateTime": f"2026-03-01T08:{minute:02d}:{second:02d}.{number % 1000:03d}+00:00",
        "device": {
            "identifier": {
                "system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680",
                "value": f"0011223344{patient:06X}",
            }
        },
    }
    if kind.loinc != "85354-9":
        return made | {"valueQuantity": _quantity(kind, number)}
    parts = (("8480-6", number), ("8462-4", number + 20))
    return made | {
        "component": [
            {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": _quantity(kind, at)}
            for code, at in parts
        ]
    }  # fmt: skip


def _quantity(kind: Kind, number: int) -> Resource:
    value = kind.least + number // len(KINDS) % kind.steps
    return {
        "value": value / 10**kind.decimals if kind.decimals else value,
        "unit": kind.unit,
        "system": "http://unitsofmeasure.org",
        "code": kind.ucum,
    }


def _singles(count: int, start: int = 0) -> list[bytes]:
    post = Request("POST", "Observation")
    return [request_bytes(post, dumps(observation(n, n % PATIENTS))) for n in range(start, start + count)]


def _bundles(count: int, start: int) -> list[bytes]:
    """Transactions of 100 readings of one patient."""
    return [_bundle(n, start + n * BUNDLE) for n in range(count)]


def _bundle(patient: int, start: int) -> bytes:
    entries = [
        {"resource": observation(n, patient % PATIENTS), "request": {"method": "POST", "url": "Observation"}}
        for n in range(start, start + BUNDLE)
    ]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return request_bytes(Request("POST", ""), dumps(body))


def _at_rest(folder: Path, links: tuple[str, ...]) -> Site:
    made = Site.make(folder / "data", console=True)
    made.add(Device(id="hub", kind="hub", certificates=frozenset({CERTIFICATE.hex()})))
    made.activate(_policy(links))
    return made


def _policy(links: tuple[str, ...]) -> dict[str, bytes]:
    files = without_keep(bundle(dict.fromkeys(links, "mllp://127.0.0.1:1")))
    for name in links:
        files[f"recipients/{name}.toml"] = (
            RECIPIENT.format(id=name, address="https://localhost:1/fhir") + _TLS
        ).encode()
        files[f"links/{name}.toml"] = shaped(LINK.format(id=name), name).encode()
    return files


def _measured(gate: Gate, options: argparse.Namespace) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    at = 0
    for count in (PATIENTS, options.messages):  # each patient once, then everything warm
        whole(gate, _singles(count, at), HUB, 256, FHIR)
        at += count
    whole(gate, _bundles(4, at), HUB, 4, FHIR)
    at += 4 * BUNDLE
    for _ in range(options.runs):
        run_stages(gate, _singles(options.messages, at), HUB, found, FHIR)
        at += options.messages
        gate.refresh()
        path_us, commit_us = whole(gate, _singles(options.messages, at), HUB, 64, FHIR)
        at += options.messages
        found["whole path"].append(path_us)
        found["whole commit at 64"].append(commit_us)
        path_us, commit_us = whole(gate, _bundles(options.bundles, at), HUB, 8, FHIR)
        at += options.bundles * BUNDLE
        found["bundle of 100, path"].append(path_us)
        found["bundle of 100, commit at 8"].append(commit_us)
    return dict(found)


def _served(options: argparse.Namespace) -> dict[str, float]:
    """Load a served site; its gateway's CPU time is that of all it does: TLS, HTTP, the path, the commit."""
    server, other = cores()
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        made = Site.make(folder / "data", fhir=_LIMITS, console=True)
        made.add(device("hub"))
        made.activate(_policy(("ehr",)))
        cert, key = certificate(made, "hub")
        try:
            with pinned(other):
                made.start()
            gateway = made.status("gateway")["pid"]
            if server is not None:
                move(gateway, server)
            return _loaded(made, gateway, other, options, ("--cert", str(cert), "--key", str(key)))
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _loaded(
    made: Site, gateway: int, core: int | None, options: argparse.Namespace, files: tuple[str, ...]
) -> dict[str, float]:
    ca = str(made.folder / "trust" / "device-ca.pem")
    command = [
        *(sys.executable, "-m", "bench.fhirload", "--ca", ca, *files, "--port", str(made.port("fhir"))),
        *("--connections", str(options.connections), "--seconds", str(options.seconds)),
        *("--messages", str(int(10_000 * (options.seconds + 5)))),
    ]
    with pinned(core), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = cpu_s(gateway)
        found: dict[str, float] = json.loads(process.stdout.readline())
        spent_s = cpu_s(gateway) - before
    assert not found["refused"], found
    return found | {"per_s": found["stored"] / found["seconds"], "cpu_us": spent_s / found["stored"] * 1e6}


def _line(served: dict[str, float]) -> str:
    return f"{served['per_s']:.0f} stored/s, p99 {served['p99_ms']:.0f} ms, {served['cpu_us']:.0f} µs of the gateway each"


_LIMITS = "messages_per_s_per_peer_max = 1000000\nconnections_per_peer_max = 2000\n"


def _peer(options: argparse.Namespace) -> float:
    """Observations a second that ``fhir.resources`` reads and writes again, on one core."""
    home = ready("fhir-resources")
    lines = "\n".join(json.dumps(observation(n, n % PATIENTS)) for n in range(options.messages))
    done = subprocess.run(
        [str(home / "venv" / "bin" / "python"), str(home / "inout.py")],
        input=lines, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def _say(table: dict[str, dict[str, list[float]]], peer: float) -> int:
    missed = 0
    for kind, rows in table.items():
        print(f"\n{kind}: CPU µs a request\n\n| stage | µs |\n|---|---|")
        for name, values in rows.items():
            if not name.startswith("("):
                print(f"| {name} | {numbers.spread(values, 1)} |")
        one = numbers.triple(rows["whole path"])[0] + numbers.triple(rows["whole commit at 64"])[0]
        many = (
            numbers.triple(rows["bundle of 100, path"])[0]
            + numbers.triple(rows["bundle of 100, commit at 8"])[0]
        )
        per_s, bundles = 1e6 / one, 1e6 / many
        print(f"| **Observations a second and core** | {per_s:.0f}, goal {GOAL_PER_S} |")
        print(f"| **bundles of 100 a second and core** | {bundles:.0f}, goal {GOAL_BUNDLES_PER_S} |")
        if kind == "1 links":
            missed += (per_s < GOAL_PER_S) + (bundles < GOAL_BUNDLES_PER_S)
    print(f"\nfhir.resources, in and out only: {peer:.0f} Observations a second and core")
    return 1 if missed else 0


if __name__ == "__main__":
    begin = time.monotonic()
    code = main()
    print(f"{time.monotonic() - begin:.0f} s")
    raise SystemExit(code)
