"""What use is left in what was de-identified: ``python -m bench.bench_deid_remains [--short]``.

Rules:
- Files of the corpus go through ``oathward deid`` under three profiles; questions of use are asked before and after (``tests/remaining.py``
  says which, and when an answer is the same). The tolerance of each is printed beside it.
- Where counts are missed, the codes of what went stand below the table.
- Of what was held nothing can be asked: it is counted apart.
- In the same output everything that the structured part of each file names is searched by a searcher of its own (``tests/searched.py``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from tests.conformance.test_structured_corpus import GONE, left_in
from tests.corpus import CORPUS
from tests.released import every, some, written
from tests.remaining import TOLERANCE, compared, gone, verdict
from tests.site import Site

from bench import numbers

KINDS = {".hl7": "HL7 v2", ".json": "FHIR", ".ndjson": "FHIR", ".dcm": "DICOM"}
_PIXELS_MAX = 400_000
"""Larger images are photographs, whose pixels would be read: `bench_deid_pixels` is about those."""


def main() -> int:
    """Measure, print, keep; 1 when a question is missed or something is left."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a few files of each format")
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    if not CORPUS.is_dir():
        print(f"no files: {CORPUS.name} is not beside the checkout")
        return 0
    warnings.simplefilter("ignore")
    files = some() if options.short else [
        path for path in every() if path.suffix != ".dcm" or path.stat().st_size <= _PIXELS_MAX
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    searched: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        site = Site.make(Path(name) / "data")
        for profile in GONE:
            pairs = written(site, files, Path(name) / profile, profile)
            for kind in dict.fromkeys(KINDS.values()):
                given = sum(KINDS[path.suffix] == kind for path in files)
                of_kind = {source: out for source, out in pairs.items() if KINDS[source.suffix] == kind}
                rows += _rows(profile, kind, of_kind)
                left = left_in(of_kind, GONE[profile])
                classes = Counter[str]()
                for counts in left.values():
                    classes.update(counts)
                told = {"files": given, "written": len(of_kind), "left": dict(classes), "left_in": len(left)}
                searched.append({"profile": profile, "kind": kind, **told})
    _say(rows, searched)
    numbers.keep("deid_remains", {"about": about, "questions": rows, "searched": searched})
    return int(any(row["verdict"] == "MISSED" for row in rows) or any(one["left"] for one in searched))


def _rows(profile: str, kind: str, pairs: dict[Path, Path]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "profile": profile,
            "kind": kind,
            "question": question,
            "same": same,
            "asked": asked,
            "tolerance": TOLERANCE[question],
            "verdict": verdict(profile, question, same, asked),
        }
        for question, (same, asked) in compared(pairs).items()
    ]
    for row in rows:
        if row["question"] == "counts" and row["verdict"] != "answered":
            row["gone"] = gone(pairs)
    return rows


def _say(rows: list[dict[str, Any]], searched: list[dict[str, Any]]) -> None:
    print(f"\n{'profile':<20} {'format':<7} {'question':<10} {'same':>7} {'of':>7}  at least  verdict")
    for row in rows:
        share = f"{row['same']:>7g} {row['asked']:>7g}  {row['tolerance']:<8.2f}"
        print(f"{row['profile']:<20} {row['kind']:<7} {row['question']:<10} {share}  {row['verdict']}")
    for row in rows:
        if "gone" in row:
            told = ", ".join(f"{code} {count}" for code, count in row["gone"].items())
            print(f"went, {row['profile']}, {row['kind']}: {told}")
    print(
        f"\n{'profile':<20} {'format':<7} {'files':>6} {'written':>8}  left of what their structured part names"
    )
    for one in searched:
        left = ", ".join(f"{count} {cls}" for cls, count in one["left"].items()) or "none"
        print(f"{one['profile']:<20} {one['kind']:<7} {one['files']:>6} {one['written']:>8}  {left}")


if __name__ == "__main__":
    sys.exit(main())
