"""What a decision about a person costs: ``python -m bench.bench_access`` (or ``make bench ARGS=access``).

Goals: repeated under 1 µs; for the first time under 60 µs with 20 policies that can reach the action, and flat (within a
fifth) from 20 to 500 in the bundle.

How:
- Ours: the shipped rules and as many of a site's own as make 20 that reach the action; the others are about other actions.
- For the first time: nothing of the answer is remembered. Repeated: the same question again.
- Beside it, in the same run and by turns: pycasbin and regopy (a Rego interpreter), asked the same of as many rules. Neither
  remembers answers, neither says why.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from typing import Any

from bench import numbers
from bench.peers.setup import ready
from oathward.core.labels import Role
from oathward.policy import access
from oathward.policy.access import Actor, Around, Permitted, Rules, Thing, decide
from oathward.policy.actions import ACTIONS

RELEVANT = 20
COUNTS = (20, 100, 500)
FIRST_US, REPEATED_US, FLAT = 60.0, 1.0, 0.2
ACTION = "devices.see"
ACTOR = Actor("person", "p-1", frozenset({Role.CLINICAL_ENGINEER}))
AROUND = Around(strong=True)


def main() -> int:
    """Measure; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    ours = {count: rules(count) for count in COUNTS}
    first: dict[int, list[float]] = {count: [] for count in COUNTS}
    again: dict[int, list[float]] = {count: [] for count in COUNTS}
    theirs: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        for count in COUNTS:
            first[count].append(first_us(ours[count]))
            again[count].append(repeated_us(ours[count]))
        theirs.append(peers())
    print(f"\n{'policies':>9} {'first, µs':>22} {'repeated, µs':>22}")
    for count in COUNTS:
        print(f"{count:>9} {_said(first[count]):>22} {_said(again[count]):>22}")
    print(f"\n{'rules':>9} {'pycasbin, µs':>22} {'regopy, µs':>22}   {theirs[0]['versions']}")
    for count in (20, 500):
        row = [[one[name][str(count)]["median_us"] for one in theirs] for name in ("pycasbin", "regopy")]
        print(f"{count:>9} {_said(row[0]):>22} {_said(row[1]):>22}")
    middle = {count: numbers.triple(first[count])[0] for count in COUNTS}
    missed = []
    if max(numbers.triple(again[count])[0] for count in COUNTS) > REPEATED_US:
        missed.append("repeated")
    if middle[RELEVANT] > FIRST_US:
        missed.append("first time")
    if middle[500] > middle[RELEVANT] * (1 + FLAT):
        missed.append("flat")
    print(f"\ngoals missed: {', '.join(missed) or 'none'}")
    figures = {"about": about, "first_us": first, "repeated_us": again, "peers": theirs}
    (numbers.OUT / "access.json").write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if missed else 0


def rules(count: int) -> Rules:
    """Compile shipped rules with a site's own: ``RELEVANT`` reach the action, whatever the count."""
    there = len(Rules.builtin().cuts[ACTION].policies)
    others = [name for name in ACTIONS if name != ACTION]
    lines = [
        f'@id("own-{n}") permit(principal, action == Action::"{ACTION}", resource) '
        f'when {{ context.make == "make-{n}" && context.roles.contains("vendor-user") }};'
        for n in range(RELEVANT - there)
    ]
    lines += [
        f'@id("other-{n}") permit(principal, action == Action::"{others[n % len(others)]}", resource) '
        f'when {{ context.make == "make-{n}" }};'
        for n in range(count - RELEVANT)
    ]
    errors: list[Any] = []
    found = access.read_people({"people/site.cedar": "\n".join(lines).encode()}, errors)
    assert not errors, errors
    made = Rules.with_more(found)
    assert len(made.cuts[ACTION].policies) == RELEVANT
    return made


def first_us(made: Rules, questions: int = 2_000) -> float:
    """Ask about ever other devices, so that nothing is remembered; microseconds each."""
    things = [Thing("device", f"d-{n}", f"Acme {n}|M1") for n in range(questions)]
    fresh = Rules(made.statements, made.cuts)
    begin = time.perf_counter_ns()
    for thing in things:
        answer = decide(fresh, ACTOR, ACTION, thing, AROUND)
    spent = time.perf_counter_ns() - begin
    assert isinstance(answer, Permitted)
    assert len(fresh.answers) == questions, "each was new"
    return spent / questions / 1e3


def repeated_us(made: Rules, questions: int = 100_000) -> float:
    """Ask the same again and again; microseconds each."""
    thing = Thing("device", "d-1", "Acme|M1")
    decide(made, ACTOR, ACTION, thing, AROUND)
    begin = time.perf_counter_ns()
    for _ in range(questions):
        decide(made, ACTOR, ACTION, thing, AROUND)
    return (time.perf_counter_ns() - begin) / questions / 1e3


def peers() -> dict[str, Any]:
    """Ask the peers, in their own environment."""
    home = ready("policy-engines")
    said = subprocess.run(
        [str(home / "venv" / "bin" / "python"), str(home / "decide.py"), "300", "20", "500"],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout
    found: dict[str, Any] = json.loads(said)
    return found


def _said(values: list[float]) -> str:
    middle, least, most = numbers.triple(values)
    return f"{middle:,.2f} ({least:,.2f}-{most:,.2f})"


if __name__ == "__main__":
    raise SystemExit(main())
