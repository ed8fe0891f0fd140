"""What type a device is, guessed from captures of real ones: ``python -m bench.bench_inventory_types``.

Rules:
- Captures of devices that were set up at home (``iot-sentinel`` of the corpus), read by the observer of captures; labels are words of the vocabulary.
- Two questions, never one figure: *known makers* (learn on all captures but one of each device, guess the one) and *held-out makers* (learn without any
  capture of the device's maker, guess all of it). A held-out device whose type no other maker in the set makes can only be left unanswered.
- Printed apart: answered, right of the answered (top-1), abstained, and the calibration error: how far the stated confidence of all best guesses, answered or
  not, is from how often they were right (expected calibration error, five bins of equal width).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.corpus import CORPUS

from bench import chart, numbers
from oathward.discovery.model import Around, Fact, Mark
from oathward.discovery.observer import HEAD_BYTES, observer_of
from oathward.endpoints.inferring import (
    CONFIDENCE_MIN,
    Example,
    Guess,
    Service,
    best_guess,
    learn,
    tokens_of,
)
from oathward.endpoints.types import TYPES

TYPE_OF = {
    "Aria": "weighing-scale",
    "Withings": "weighing-scale",
    "D-LinkCam": "camera",
    "EdimaxPlug1101W": "smart-plug",
    "TP-LinkPlugHS110": "smart-plug",
    "WeMoSwitch": "smart-plug",
    "HueBridge": "light",
    "SmarterCoffee": "appliance",
}
"""Folder of the set -> our word; each folder is another maker."""
BINS = 5


class Asked(NamedTuple):
    """One guess that was asked for: the right word, whether anybody else makes such, and the guess."""

    maker: str
    type: str
    answerable: bool
    guess: Guess | None


def main() -> int:
    """Learn, guess, print; 0 always: what must hold is in the tests."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    about = numbers.about()
    numbers.say_about(about)
    folder = CORPUS / "network" / "iot-sentinel"
    if not folder.is_dir():
        print(f"no captures: {CORPUS.name} is not beside the checkout")
        return 0
    captures = {
        maker: [
            Example(type_, tokens(path, card(path.parent)), maker)
            for path in sorted((folder / maker).glob("*.pcap"))
        ]
        for maker, type_ in TYPE_OF.items()
    }
    assert set(TYPE_OF.values()) <= TYPES.keys()
    found = {
        name: figures(list(asked))
        for name, asked in (("known makers", known(captures)), ("held-out makers", held_out(captures)))
    }
    say(found)
    numbers.keep("inventory_types", {"about": about, **found})
    draw(found)
    return 0


def card(folder: Path) -> str:
    """Give the network card of the device that a folder is about."""
    return (folder / "_iotdevice-mac.txt").read_text().strip().lower()


def tokens(path: Path, mac: str) -> frozenset[str]:
    """Read a capture; give what the device with a card shows in it."""
    marks, facts, services = list[Mark](), list[Fact](), list[Service]()
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        observer = observer_of(head, path.name)
        assert observer is not None
        for seen in observer[1].read(stream, Around(realm="home", name=path.name)):
            for said in seen.statements:
                if any(value == mac for _, value in said.marks):
                    marks += said.marks
                    facts += said.facts
            if seen.flows is not None:
                for row in seen.flows.iter_rows(named=True):
                    if mac in (row["client_mac"], row["server_mac"]):
                        services.append(
                            Service(
                                row["client_mac"] == mac,
                                row["transport"],
                                row["port"],
                                row["service"],
                                row["server_name"],
                            )
                        )
    return tokens_of(marks, facts, services)


def known(captures: dict[str, list[Example]]) -> Iterator[Asked]:
    """Guess each capture from all captures but that one of each maker."""
    for n in range(min(map(len, captures.values()))):
        learned = learn([one for those in captures.values() for at, one in enumerate(those) if at != n])
        for maker, those in captures.items():
            yield Asked(maker, those[n].type, True, best_guess(learned, those[n].tokens))


def held_out(captures: dict[str, list[Example]]) -> Iterator[Asked]:
    """Guess each maker's captures from those of all others."""
    for maker, those in captures.items():
        rest = [one for other, examples in captures.items() if other != maker for one in examples]
        learned = learn(rest)
        for one in those:
            yield Asked(
                maker, one.type, one.type in {other.type for other in rest}, best_guess(learned, one.tokens)
            )


def figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """Count what was answered, rightly and not, and how far confidence is from that."""
    answered = [one for one in asked if one.guess is not None and one.guess.confidence >= CONFIDENCE_MIN]
    right = [one for one in answered if one.guess is not None and one.guess.type == one.type]
    best = [one for one in asked if one.guess is not None and one.guess.type == one.type]
    wrong = sorted(
        {
            f"{one.maker} for {one.guess.type}"
            for one in answered
            if one.guess is not None and one.guess.type != one.type
        }
    )
    return {
        "asked": len(asked), "answerable": sum(one.answerable for one in asked), "answered": len(answered), "right": len(right),
        "accuracy": len(right) / len(answered) if answered else None, "abstained": 1 - len(answered) / len(asked),
        "best_right": len(best) / len(asked), "calibration_error": calibration_error(asked), "wrong": wrong,
    }  # fmt: skip


def calibration_error(asked: Sequence[Asked]) -> float:
    """Give the expected calibration error of the best guesses, whether they were answered or not."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for one in asked:
        if one.guess is not None:
            at = min(BINS - 1, int(one.guess.confidence * BINS))
            bins[at].append((one.guess.confidence, one.guess.type == one.type))
    total = sum(map(len, bins))
    off = (abs(sum(right for _, right in those) - sum(sure for sure, _ in those)) for those in bins)
    return sum(off) / total if total else 0.0


def say(found: dict[str, Any]) -> None:
    """Print it."""
    print(
        f"\n{'':<18} {'asked':>6} {'answered':>9} {'right':>6} {'top-1 of answered':>18} {'abstained':>10} {'calibration error':>18}"
    )
    for name, one in found.items():
        accuracy = "-" if one["accuracy"] is None else f"{100 * one['accuracy']:.0f} %"
        print(
            f"{name:<18} {one['asked']:>6} {one['answered']:>9} {one['right']:>6} {accuracy:>18} {100 * one['abstained']:>8.0f} % {one['calibration_error']:>18.2f}"
        )
    for name, one in found.items():
        print(
            f"{name}: best guess right, answered or not: {100 * one['best_right']:.0f} %; of a type that the examples have: {one['answerable']} of {one['asked']}; taken for another: {', '.join(one['wrong']) or 'none'}"
        )


def draw(found: dict[str, Any]) -> None:
    """Draw the figures side by side."""
    groups = list(found)
    bars = [
        chart.Series(title, [(v := 100 * (found[name][key] or 0.0), v, v) for name in groups])
        for title, key in (
            ("top-1 of the answered", "accuracy"),
            ("abstained", "abstained"),
            ("calibration error", "calibration_error"),
        )
    ]
    text = chart.grouped_bars(
        "Types of devices guessed from captures", "iot-sentinel: 8 makers, 24 captures", groups, bars, "%"
    )
    (numbers.OUT / "inventory-types.svg").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
