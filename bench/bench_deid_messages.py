"""FHIR and HL7 v2: how many MB a second one process de-identifies, by profile: ``python -m bench.bench_deid_messages [--short]``.

Rules:
- What a worker of ``oathward deid`` does with a file: read it, cut it by patient, shape each part, put it together. CPU time, warm;
  cycles are collected as rarely as there.
- Bundles of real form from the corpus where it lies beside the checkout; else, and besides, generated ones.
- ``research`` cleans texts; ``research, no texts`` is the same profile that removes them.
- ``fhir.resources`` reads and writes the same Observations and de-identifies nothing: no de-identifier of FHIR or HL7 v2 that the
  project could install in a Python environment was found to stand here.

Goal: FHIR without texts at 20 MB a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.corpus import CORPUS

from bench import numbers
from bench.fhirload import observation
from bench.message import template
from bench.peers.setup import ready
from oathward.core.errors import OathwardError
from oathward.deid.action import Seeds, days_of
from oathward.deid.profile import Profile, builtin_profiles, builtin_texts, parse
from oathward.deid.text.model import NOTHING, Context
from oathward.deidentifying.format import Content, Folder, Format, Terms, formats
from oathward.deidentifying.worker import collect_rarely
from oathward.protocols.shaping import REMOVE

GOAL_MB_PER_S = 20.0
OBSERVATIONS = 1_000
MESSAGES = 200
_SEED = bytes(range(32))
_SUITES: dict[str, tuple[str, str, str]] = {
    "FHIR bundles (corpus)": ("fhir", "fhir/synthea-r4-bundles", "*.json"),
    "HL7 v2 (corpus)": ("hl7v2", "hl7v2/fhir-converter-input", "*.hl7"),
}


def main() -> int:
    """Measure, print, keep; 1 when the goal was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="one round over a part of the files")
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    collect_rarely()
    table: dict[str, dict[str, tuple[float, float, float]]] = {}
    held: dict[str, int] = {}
    for suite, (kind, files) in _given(short=options.short).items():
        table[suite] = {}
        for name, profile in _profiles().items():
            work = _Work(formats()[kind], Terms(profile, Folder("files"), language="en"), files)
            work.run()  # warm: plans are compiled, shapes learned
            rates = [work.run() for _ in range(1 if options.short else 3)]
            table[suite][name] = numbers.triple(rates)
            held[f"{suite}, {name}"] = work.held
    table["FHIR Observations (generated)"]["fhir.resources, reads only"] = _peer()
    _say(table, held)
    numbers.keep("deid_messages", {"about": about, "mb_per_s": table, "held": held})
    bundles = table.get("FHIR bundles (corpus)", table["FHIR Observations (generated)"])
    met = bundles["safe-harbor"][0] >= GOAL_MB_PER_S
    print(f"\ngoal {GOAL_MB_PER_S:.0f} MB/s without texts: {'met' if met else 'MISSED'}")
    return 0


def _profiles() -> dict[str, Profile]:
    found = {name: builtin_profiles()[name] for name in ("safe-harbor", "gdpr-pseudonymised", "research")}
    lines = builtin_texts()["research"].splitlines()
    bare = "\n".join(line for line in lines if not line.startswith(('"note.text"', '"attachment"')))
    return {**found, "research, no texts": parse("research", bare)}


def _given(*, short: bool) -> dict[str, tuple[str, list[bytes]]]:
    found: dict[str, tuple[str, list[bytes]]] = {}
    for suite, (kind, folder, pattern) in _SUITES.items():
        paths = sorted((CORPUS / folder).glob(pattern))
        if paths:
            found[suite] = kind, [path.read_bytes() for path in paths[:: 4 if short else 1]]
    found["FHIR Observations (generated)"] = "fhir", [_observations()]
    found["FHIR bundle of 1,000 (generated)"] = "fhir", [_bundle()]
    form = template("LOAD-001", MESSAGES, 0)
    found["HL7 v2 (generated)"] = "hl7v2", [form.message(n, n) for n in range(MESSAGES)]
    return found


def _observations() -> bytes:
    return "\n".join(json.dumps(observation(n, n % 20)) for n in range(OBSERVATIONS)).encode()


def _bundle() -> bytes:
    entries = [{"resource": observation(n, 1)} for n in range(OBSERVATIONS)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


class _Work:
    """The files of one suite under one profile."""

    def __init__(self, kind: Format, terms: Terms, files: Sequence[bytes]) -> None:
        self._kind, self._terms, self._files = kind, terms, files
        self._plan: Any = kind.compile(terms)
        self.held = 0

    def run(self) -> float:
        """Give MB a second of CPU time; what is held counts as read."""
        self.held, size = 0, 0
        begin = time.process_time()
        for data in self._files:
            size += len(data)
            try:
                content = self._kind.read(data, self._terms)
            except OathwardError:
                self.held += 1
                continue
            content.put_together(list(self._parts(content)))
        return size / 1e6 / (time.process_time() - begin)

    def _parts(self, content: Content) -> Iterator[Any]:
        for number, unit in enumerate(content.units):
            try:
                yield unit.shape(self._plan, _seeds(number, self._terms.language))
            except OathwardError:
                self.held += 1
                yield None


def _seeds(number: int, language: str) -> Seeds:
    text = Context(NOTHING, lambda _cls, _part: REMOVE, language)
    return Seeds(_SEED, _SEED, f"o{number}", 2026, "files", identity=False, days=days_of(_SEED), text=text)


def _peer() -> tuple[float, float, float]:
    """MB of Observations a CPU second that ``fhir.resources`` reads and writes again."""
    home: Path = ready("fhir-resources")
    command = [str(home / "venv" / "bin" / "python"), str(home / "inout.py")]
    lines = _observations()
    rates = []
    for _ in range(3):
        done = subprocess.run(command, input=lines, capture_output=True, check=True)
        rates.append(float(done.stdout) * len(lines) / OBSERVATIONS / 1e6)
    return numbers.triple(rates)


def _say(table: dict[str, dict[str, tuple[float, float, float]]], held: dict[str, int]) -> None:
    print("\nMB/s of CPU time, one process: middle [lowest .. highest]")
    for suite, rows in table.items():
        print(f"\n{suite}")
        for name, (middle, low, high) in rows.items():
            lost = held.get(f"{suite}, {name}", 0)
            print(
                f"  {name:<28} {middle:7.2f} [{low:.2f} .. {high:.2f}]" + (f"   {lost} held" if lost else "")
            )


if __name__ == "__main__":
    sys.exit(main())
