"""Score the recognisers of free text on the half nobody looked at: ``python -m bench.bench_deid_text [--peer]``.

Rules:
- The texts lie beside the checkout (``bench.textcorpora``); where there are none it says so and stops.
- Nothing is known of a text but its language: what the structured part knows comes on top of this.
- A mark is found where every word of it is covered; over-redaction is the share of words that nobody marked and that went.
- A model of the site's own may read texts too: spaCy's small English one, confined beside it as `oathward deid` does, says what that adds (``--peer``).
- Stock Presidio reads the same English texts and is scored in the same way (``--peer``; its environment comes from ``make peers``).
- What use is left: drugs, doses and courses that stand in a text stand in what is cleaned of it too (``bench.textuse``).
- Speed is CPU time of this one process: the patterns alone, and everything, on the texts one after the other, warm.

Goals: ids, contacts, dates at least 0.98; names at least 0.90 and above Presidio with intervals apart; under 5 % of clean words.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench import numbers
from bench.peers import setup
from bench.textcorpora import HOME, SETS, Case, cases, notes
from bench.textscore import Score, lines, wilson
from bench.textuse import KINDS, TOLERANCE, left
from oathward.deid.action import Seeds
from oathward.deid.text.budget import BUDGET, Meter
from oathward.deid.text.clean import clean
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Ask, Context
from oathward.deid.text.scan import scanner
from oathward.deidentifying.local_model import Command, LocalModel
from oathward.protocols.shaping import REMOVE, Ruling

ORDER = ("id", "contact", "date", "name", "address", "place", "organisation")
GOALS = {"id": 0.98, "contact": 0.98, "date": 0.98, "name": 0.90}
OVER = 0.05
ROUNDS = 5
MODEL_BYTES = 8 << 30


def main() -> int:
    """Print the tables; keep them in ``bench/out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", action="store_true", help="stock Presidio beside it")
    options = parser.parse_args()
    if not HOME.is_dir():
        print(f"no texts: {HOME.name} is not beside the checkout")
        return 0
    about = numbers.about()
    numbers.say_about(about)
    read = {name: list(cases("report", (name,))) for name in SETS}
    kept: dict[str, Any] = {"about": about}
    for name, texts in read.items():
        kept[name] = {"oathward": _table(name, "oathward", _ours(texts))}
    english = [case for texts in read.values() for case in texts if case.language == "en"]
    kept["en"] = {"oathward": _table("all English", "oathward", _ours(english))}
    if options.peer:
        with _presidio() as ask:
            for name in ("asq-phi", "presidio-research"):
                kept[name]["presidio"] = _table(name, "stock presidio", _theirs(read[name], ask))
            kept["en"]["presidio"] = _table("all English", "stock presidio", _theirs(english, ask))
        with _model() as ask_model:
            score = _ours(english, ask_model)
            kept["en"]["with a model"] = _table("all English", "oathward and spaCy's small model", score)
        ours, theirs = (_row(kept["en"][who], "name") for who in ("oathward", "presidio"))
        print(f"\nnames: intervals {'apart' if ours[3] > theirs[4] else 'NOT apart'}")
    written = [Case(f"notes:{number}", "en", text, ()) for number, text in enumerate(notes())]
    kept["use"] = {name: _use(name, texts) for name, texts in (*read.items(), ("notes of FHIR", written))}
    kept["speed"] = _speed(english, written)
    numbers.keep("bench_deid_text", kept)
    return 0


def _nothing_stays(_cls: str, _part: str) -> Ruling:
    return REMOVE


def _ours(texts: Sequence[Case], ask: Ask | None = None) -> Score:
    score = Score()
    for case in texts:
        spans = find(case.text, Context(NOTHING, _nothing_stays, case.language, ask=ask))
        score.add(case, [(span.start, span.end) for span in spans])
    return score


def _theirs(texts: Sequence[Case], ask: Callable[[str], dict[str, Any]]) -> Score:
    score, seconds, letters = Score(), 0.0, 0
    for case in texts:
        answer = ask(case.text)
        seconds += answer["seconds"]
        letters += len(case.text.encode())
        score.add(case, [(start, end) for start, end in answer["spans"]])
    print(f"\n{letters / 1e6 / seconds:.3f} MB/s (CPU)")
    return score


def _table(name: str, who: str, score: Score) -> list[tuple[str, int, int, float, float]]:
    rows = lines(score, ORDER)
    print(f"\n{name}, {who}\n  {'category':<13} {'found':>6} {'of':>6}   share  95 % interval")
    for category, hits, of, low, high in rows:
        share = hits / of if of else 0.0
        goal = GOALS.get(category)
        met = share < OVER if category == "over" else goal is None or share >= goal
        remark = "" if goal is None and category != "over" else "  ok" if met else "  MISSED"
        print(f"  {category:<13} {hits:>6,} {of:>6,}  {share:6.3f}  {low:.3f} .. {high:.3f}{remark}")
    return rows


def _row(
    rows: Sequence[tuple[str, int, int, float, float]], category: str
) -> tuple[str, int, int, float, float]:
    return next(row for row in rows if row[0] == category)


def _use(name: str, texts: Sequence[Case]) -> list[tuple[str, int, int, float, float]]:
    """Drugs, doses and courses: (kind, left, of, low, high); prints which went, by our own words for them."""
    seeds = Seeds(b"s" * 32, b"d" * 32, "1")
    same, asked, went = Counter[str](), Counter[str](), Counter[str]()
    for case in texts:
        cleaned = clean(case.text, Context(NOTHING, _nothing_stays, case.language), seeds).text
        for kind, (stays, of, gone) in left(case.text, cleaned).items():
            same[kind] += stays
            asked[kind] += of
            went.update({f"{kind} {'' if kind == 'dose' else words}".strip(): n for words, n in gone.items()})
    rows = [
        (kind, same[kind], asked[kind], *wilson(same[kind], asked[kind])) for kind in KINDS if asked[kind]
    ]
    print(f"\n{name}, drugs and doses that are left; at least {TOLERANCE:.2f}")
    for kind, hits, of, low, high in rows:
        remark = "ok" if hits >= TOLERANCE * of else "MISSED"
        print(f"  {kind:<13} {hits:>6,} {of:>6,}  {hits / of:6.3f}  {low:.3f} .. {high:.3f}  {remark}")
    print("  went:", ", ".join(f"{words} {n}" for words, n in went.most_common()) or "none")
    return rows


def _speed(texts: Sequence[Case], written: Sequence[Case]) -> dict[str, tuple[float, float, float]]:
    """MB of UTF-8 a CPU second: middle, lowest, highest of the rounds; short texts, all of them as one long one, and notes."""
    context = Context(NOTHING, _nothing_stays, "en")
    found = {}
    short = [case.text for case in texts]
    kinds = (("short texts", short), ("long texts", ["\n".join(short)]), ("notes", [n.text for n in written]))
    for kind, given in kinds:
        if not given:
            continue
        size = sum(len(text.encode()) for text in given) / 1e6
        for what, read in (
            ("patterns", lambda text: list(scanner("en").find(text, Meter(text, BUDGET)))),
            ("everything", lambda text: find(text, context)),
        ):
            rates = []
            for _ in range(ROUNDS + 1):
                begun = time.process_time()
                for text in given:
                    read(text)
                rates.append(size / (time.process_time() - begun))
            found[f"{what}, {kind}"] = numbers.triple(rates[1:])
    print("\nMB/s of CPU time, one process")
    for what, (middle, low, high) in found.items():
        print(f"  {what:<24} {middle:6.2f} [{low:.2f} .. {high:.2f}]")
    return found


@contextmanager
def _presidio() -> Iterator[Callable[[str], dict[str, Any]]]:
    home = setup.ready("presidio")
    command = [str(home / "venv" / "bin" / "python"), str(home / "reader.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        json.loads(peer.stdout.readline())
        stdin, stdout = peer.stdin, peer.stdout

        def ask(text: str) -> dict[str, Any]:
            stdin.write(json.dumps(text) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return answer

        try:
            yield ask
        finally:
            peer.stdin.close()


@contextmanager
def _model() -> Iterator[Ask]:
    home = setup.ready("presidio")
    words = (str(home / "venv" / "bin" / "python"), str(home / "text_model.py"))
    model = LocalModel(Command(words, (str(home), sys.base_prefix), MODEL_BYTES))
    try:
        yield model.find
    finally:
        model.end()


if __name__ == "__main__":
    sys.exit(main())
