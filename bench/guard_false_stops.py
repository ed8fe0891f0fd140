"""How often the guard stops a message that holds nothing of its patient: ``python -m bench.guard_false_stops``.

Measures, each as stops per million checks:
- synthetic: monitors, laboratories and notes with random numbers and words; the patient's segments are taken out,
  so every stop is a false one. By the length of the hospital number, because short numbers occur by chance.
- FHIR: the same of Observations, alone and in bundles, with ids as gateways and senders give them; and against an index
  of other patients, on links that may carry identity and on those that may not.
- recall: the disguises of the tests, planted in such Observations; all of them must stop.
- corpus: real messages, where there are some (--corpus FOLDER with hl7v2 and fhir), shaped under each profile that carries no identity.
  Not every stop is false: the place says what to look at.
- crossed: what is left of each such message without its persons, against the persons of messages of other sets.
  What stops are values that two authors made up alike, or numbers that meet by chance.

Nothing is printed of a message but places and kinds.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.guard_fhir import planted, traffic
from bench.guard_words import WORDS, name_of
from oathward.core.errors import OathwardError
from oathward.core.labels import CLASSES
from oathward.core.words import WordHasher
from oathward.deid.plan import HL7V2, Route, Seeds, compile_plan, shape
from oathward.deid.profile import builtin_profiles
from oathward.gateway.guard import Guard
from oathward.gateway.guard.of_hl7v2 import PERSON_SEGMENTS
from oathward.gateway.guard.original import of_fhir, of_hl7v2
from oathward.gateway.guard.verdict import Counted, Stop
from oathward.protocols.fhir.message import Message as FhirMessage
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import decode as decode_fhir
from oathward.protocols.fhir.reader import request_bytes
from oathward.protocols.hl7v2.reader import Message, decode, joined

PROFILES = ("safe-harbor", "limited-data-set", "device-telemetry")
NUMBER_LENGTHS = (6, 7, 8, 9, 10)
INDEX_PATIENTS = 200_000
RECALL_ROUNDS = 10

_CODES = (
    "147842^MDC_ECG_HEART_RATE", "150456^MDC_PULS_OXIM_SAT_O2", "151562^MDC_RESP_RATE", "150364^MDC_TEMP_BODY",
    "150037^MDC_PRESS_BLD_ART_ABP_SYS", "2160-0^Creatinine", "2345-7^Glucose", "718-7^Hemoglobin", "LI^Lithium",
)  # fmt: skip
_UNITS = ("264864^MDC_DIM_BEAT_PER_MIN", "mmol/L", "mg/dL", "%", "262688^MDC_DIM_PERCENT", "Cel")


@dataclass(slots=True)
class Tally:
    """What came out of many checks."""

    checks: int = 0
    counted: int = 0
    stops: Counter[str] = field(default_factory=Counter)

    @property
    def per_million(self) -> float:
        """Stops per million checks."""
        return 1e6 * sum(self.stops.values()) / max(1, self.checks)

    def take(self, verdict: object) -> None:
        """Count one verdict."""
        self.checks += 1
        if isinstance(verdict, Stop):
            source = verdict.where.split(" ")[0]
            self.stops[f"{verdict.kind} of {source}"] += 1
        elif isinstance(verdict, Counted):
            self.counted += 1


def synthetic(seed: int, count: int, number_length: int) -> Iterator[tuple[Message, bytes]]:
    """Make messages and what is left of them without their persons: a name, a number, a birth date each."""
    chance = random.Random(f"{seed}/{number_length}")
    for i in range(count):
        at = f"2026{chance.randint(1, 12):02}{chance.randint(1, 28):02}{chance.randint(0, 23):02}"
        header = f"MSH|^~\\&|DEV{chance.randint(1, 99)}|ICU|X|Y|{at}0000||ORU^R01^ORU_R01|{i:020X}|P|2.6"
        pid = (
            f"PID|1||{chance.randrange(10 ** (number_length - 1), 10**number_length)}^^^HOSP^MR||"
            f"{name_of(chance)}^{name_of(chance)}||{chance.randint(1930, 2025)}{chance.randint(1, 12):02}"
            f"{chance.randint(1, 28):02}|F|||{chance.randint(1, 200)} {name_of(chance)} Street^^{name_of(chance)}^^"
            f"{chance.randint(10000, 99999)}||({chance.randint(200, 999)}) {chance.randint(200, 999)}-"
            f"{chance.randint(1000, 9999)}"
        )
        rest = [f"OBR|1|{chance.randrange(10**8)}|{chance.randrange(10**9)}|69965^PANEL|||{at}3000"]
        rest += [_observation(chance, n, at) for n in range(1, chance.randint(8, 30))]
        message = decode(joined(line.encode() for line in (header, pid, *rest)))
        yield message, joined(line.encode() for line in (header, *rest))


def synthetic_rates(seed: int, count: int) -> dict[int, Tally]:
    """Check synthetic messages: length of the hospital number -> tally."""
    rates = {}
    for length in NUMBER_LENGTHS:
        guard, tally = Guard(WordHasher(bytes(32))), Tally()
        for message, outgoing in synthetic(seed, count, length):
            tally.take(guard.check(of_hl7v2(message), outgoing, carries_identity=False))
        rates[length] = tally
    return rates


def fhir_rates(seed: int, count: int) -> dict[int, Tally]:
    """Check made-up FHIR traffic on a link without identity: length of the hospital number -> tally."""
    rates = {}
    for length in NUMBER_LENGTHS:
        guard, tally = Guard(WordHasher(bytes(32))), Tally()
        for message, outgoing in traffic(seed, count, length):
            tally.take(guard.check(of_fhir(message), outgoing, carries_identity=False))
        rates[length] = tally
    return rates


def index_rates(seed: int, count: int, length: int, patients: int) -> dict[str, Tally]:
    """Check made-up FHIR traffic against an index of other patients with numbers of one length: link -> tally."""
    hasher = WordHasher(bytes(32))
    chance = random.Random(f"index/{seed}/{length}")
    index = {hasher.token(str(chance.randrange(10 ** (length - 1), 10**length))) for _ in range(patients)}
    rates = {}
    for name, identity in (("with identity", True), ("without identity", False)):
        guard, tally = Guard(hasher), Tally()
        for message, outgoing in traffic(seed, count, length):
            one = guard.message(of_fhir(message), foreign=lambda tokens: index & set(tokens))
            tally.take(guard.link(one, outgoing, carries_identity=identity))
        rates[name] = tally
    return rates


def recall(seed: int, rounds: int) -> tuple[int, int, list[str]]:
    """Plant the disguises of the tests: how many were stopped, of how many, and the names of those that were not."""
    disguises, guarding = (
        import_module(f"tests.unit.gateway.{name}") for name in ("fhir_disguises", "guarding")
    )
    guard, missed, number = Guard(WordHasher(bytes(32))), [], 0
    for n in range(rounds):
        for name, message, outgoing in planted(
            disguises.ALL, guarding.request(guarding.FHIR_ORIGINAL), seed + n
        ):
            number += 1
            if not isinstance(guard.check(of_fhir(message), outgoing, carries_identity=False), Stop):
                missed.append(name)
    return number - len(missed), number, missed


def corpus(folder: Path) -> list[tuple[str, Message]]:
    """Decode what can be decoded in a folder: its set (the first folder below) and the message."""
    messages = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".hl7", ".txt"}):
        try:
            messages.append((path.relative_to(folder).parts[0], decode(path.read_bytes())))
        except OathwardError:
            continue
    return messages


def fhir_corpus(folder: Path) -> list[tuple[str, FhirMessage]]:
    """Decode what can be decoded as a request of its own: its set and the message."""
    messages = []
    for path in sorted(folder.rglob("*.json")):
        raw = path.read_bytes()
        try:
            body = json.loads(raw)
            kind = body["resourceType"]
            alone = Request("PUT", f"{kind}/{body.get('id', 'x')}")
            request = Request("POST", "") if kind == "Bundle" else alone
            messages.append((path.relative_to(folder).parts[0], decode_fhir(request_bytes(request, raw))))
        except (OathwardError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return messages


def corpus_rates(messages: Sequence[tuple[str, Any]], route: Route = HL7V2) -> dict[str, Tally]:
    """Shape messages under each profile without identity and check them: profile -> tally."""
    rates = {}
    seeds = Seeds(bytes(range(32)), bytes(32), "0ABCDEFABCDEF0123456")
    for name in PROFILES:
        profile = builtin_profiles()[name]
        plan = compile_plan(profile, CLASSES, route)
        clear = frozenset(one for one, action in profile.actions if action == "keep")
        guard, tally = Guard(WordHasher(bytes(32))), Tally()
        for _, message in messages:
            try:
                safe = shape(message, plan, seeds)
            except OathwardError:
                continue
            original = of_hl7v2(message) if route.came == "hl7v2" else of_fhir(message)
            tally.take(guard.check(original, safe.data, carries_identity=False, clear=clear))
        rates[name] = tally
    return rates


def crossed_rate(messages: list[tuple[str, Message]]) -> Tally:
    """Check what is left of each message without its persons against the persons of other sets."""
    guard, tally = Guard(WordHasher(bytes(32))), Tally()
    left = [(name, joined(s for s in m.segments if s[:3] not in PERSON_SEGMENTS)) for name, m in messages]
    for name, message in messages:
        for other, outgoing in left:
            if other != name:
                tally.take(guard.check(of_hl7v2(message), outgoing, carries_identity=False))
    return tally


def _observation(chance: random.Random, n: int, at: str) -> str:
    code = chance.choice(_CODES)
    kind = chance.random()
    if kind < 0.1:
        text = " ".join(chance.choices(WORDS, k=chance.randint(5, 40)))
        return f"OBX|{n}|TX|1^NOTE||{text}||||||F|||{at}{chance.randint(0, 59):02}00"
    if kind < 0.15:
        values = "^".join(str(chance.randint(0, 4095)) for _ in range(chance.randint(10, 120)))
        return f"OBX|{n}|NA|{code}||{values}||||||F|||{at}{chance.randint(0, 59):02}00.{chance.randint(0, 999):03}"
    if kind < 0.18:
        blob = bytes(chance.randrange(256) for _ in range(chance.randint(20, 300))).hex()
        return f"OBX|{n}|ED|{code}||^IMAGE^^HEX^{blob}||||||F"
    value = round(chance.uniform(0, 300), chance.randint(0, 6))
    return (
        f"OBX|{n}|NM|{code}|1.1.{chance.randint(1, 9)}.{n}|{value}|{chance.choice(_UNITS)}|"
        f"{chance.randint(1, 90)}-{chance.randint(91, 300)}||||F|||{at}{chance.randint(0, 59):02}"
        f"{chance.randint(0, 59):02}+0000||{chance.randrange(10**6)}|||{chance.randrange(16**16):016X}^EUI-64"
    )


def main() -> int:
    """Print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=4_000, help="synthetic messages for each number length")
    parser.add_argument("--corpus", type=Path, default=None)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    for length, tally in synthetic_rates(options.seed, options.count).items():
        _print(f"synthetic, hospital numbers of {length} digits", tally)
    for length, tally in fhir_rates(options.seed, options.count).items():
        _print(f"FHIR, hospital numbers of {length} digits", tally)
    for length in (7, 8):
        for name, tally in index_rates(options.seed, options.count, length, INDEX_PATIENTS).items():
            _print(
                f"FHIR, {INDEX_PATIENTS:,} other patients with numbers of {length} digits, link {name}", tally
            )
    stopped, number, missed = recall(options.seed, RECALL_ROUNDS)
    print(
        f"FHIR, recall: {stopped} of {number} planted disguises stopped{': not ' if missed else ''}{', '.join(missed)}"
    )
    if options.corpus is not None:
        _print_corpus(options.corpus)
    return 0


def _print_corpus(folder: Path) -> None:
    messages = corpus(folder / "hl7v2")
    came: list[tuple[Route, Sequence[tuple[str, Any]]]] = [
        (HL7V2, messages), (Route("hl7v2", "fhir"), messages), (Route("fhir", "fhir"), fhir_corpus(folder / "fhir")),
    ]  # fmt: skip
    for route, listed in came:
        for name, tally in corpus_rates(listed, route).items():
            _print(f"corpus, {route.came} to {route.leaves}, {name}", tally)
    _print("corpus, crossed", crossed_rate(messages))


def _print(what: str, tally: Tally) -> None:
    stops = ", ".join(f"{n} {kind}" for kind, n in tally.stops.most_common())
    print(
        f"{what}: {tally.per_million:.0f} stops per million ({sum(tally.stops.values())} of {tally.checks}; "
        f"{tally.counted} counted){': ' + stops if stops else ''}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
