"""De-identification measured whole: ``make bench-deid``, or ``make bench-deid ARGS=--short``.

Rules:
- Each ``bench_deid_*`` runs in a process of its own, peers in the same run, and leaves its figures in ``bench/out``; what they came to is
  drawn (``deid-*.svg``) and written as a table (``deid.md``), beside them.
- ``--short`` takes few files, one round and no Presidio: it says that everything works, and no figure for a page.
- What could not be run is said, never left out.

Deliberately absent: comparison with another run; the machine's mood changes by half.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.bench import OUT, ROOT

from bench import numbers
from bench.chart import Series, grouped_bars

WHOLE: Mapping[str, tuple[str, ...]] = {
    "bench_deid_messages": (),
    "bench_deid_dicom": ("--files", "400", "--rounds", "3"),
    "bench_deid_text": ("--peer",),
    "bench_deid_pixels": ("--images", "20", "--seconds", "300"),
    "bench_deid_remains": (),
}
SHORT: Mapping[str, tuple[str, ...]] = {
    "bench_deid_messages": ("--short",),
    "bench_deid_dicom": ("--files", "40", "--rounds", "1"),
    "bench_deid_text": (),
    "bench_deid_pixels": ("--images", "2", "--seconds", "20"),
    "bench_deid_remains": ("--short",),
}
KEPT = ("deid_messages", "deid_dicom", "bench_deid_text", "deid_pixels", "deid_remains")
NOT_RUN = (
    "RSNA CTP: it is a Java program, and no Java is set up for the peers",
    "Microsoft's FHIR and DICOM anonymizers: they are .NET programs, and no .NET is set up for the peers",
)
CATEGORIES = ("id", "contact", "date", "name", "over")


def main() -> int:
    """Run, draw, write; 1 where a part failed or missed its goal."""
    parser = argparse.ArgumentParser(
        prog="make bench-deid", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="of: messages dicom text pixels remains")
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    for name in KEPT:  # what an earlier run left is not told with this one
        (OUT / f"{name}.json").unlink(missing_ok=True)
    chosen = SHORT if options.short else WHOLE
    codes = {
        name: _run(name, arguments)
        for name, arguments in chosen.items()
        if not options.only or name.removeprefix("bench_deid_") in options.only
    }
    for what in NOT_RUN:
        print(f"not run: {what}")
    _draw(about)
    (OUT / "deid.md").write_text(_markdown(about, codes, short=options.short))
    missed = [name for name, code in codes.items() if code]
    print(f"\nfigures and table in {OUT.relative_to(ROOT)}: deid.md, deid-*.svg")
    print(f"missed or failed: {', '.join(missed)}" if missed else "all goals met")
    return int(bool(missed))


def _run(name: str, arguments: Sequence[str]) -> int:
    print(f"\n=== {name} {' '.join(arguments)}", flush=True)
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], cwd=ROOT, check=False)
    print(f"=== {name}: {time.monotonic() - begin:.0f} s, exit code {done.returncode}", flush=True)
    return done.returncode


def _draw(about: Mapping[str, Any]) -> None:
    note = f"{about['machine']}; {about['commit']}; load {about['load']}"
    dicom = numbers.recall("deid_dicom")
    if dicom:
        series = [Series(who, [_one(row["files_per_s"])]) for who, row in dicom.items()]
        _figure("dicom", "DICOM headers, 0.5 MB CT, disk to disk", note, ["one core"], series, "files/s")
    messages = numbers.recall("deid_messages")
    if messages:
        table = messages["mb_per_s"]
        names = list(dict.fromkeys(name for rows in table.values() for name in rows))
        series = [Series(name, [_triple(rows.get(name)) for rows in table.values()]) for name in names]
        _figure("messages", "FHIR and HL7 v2, one process", note, _short_names(table), series, "kB/s")
    text = numbers.recall("bench_deid_text")
    if text:
        series = []
        for who, rows in text["en"].items():
            of = {row[0]: row for row in rows}
            series.append(Series(who, [_share(of.get(category)) for category in CATEGORIES]))
        _figure(
            "text",
            "Free text, English, report half: share found (over: clean words removed)",
            note,
            CATEGORIES,
            series,
            "%",
        )
    remains = numbers.recall("deid_remains")
    if remains:
        questions = list(dict.fromkeys(row["question"] for row in remains["questions"]))
        series = []
        for profile in dict.fromkeys(row["profile"] for row in remains["questions"]):
            mine = [row for row in remains["questions"] if row["profile"] == profile]
            series.append(Series(profile, [_answered(mine, question) for question in questions]))
        _figure("remains", "Questions of use answered as before", note, questions, series, "%")


def _figure(
    name: str, title: str, note: str, groups: Sequence[str], series: Sequence[Series], unit: str
) -> None:
    (OUT / f"deid-{name}.svg").write_text(grouped_bars(title, note, groups, series, unit))


def _one(value: float) -> tuple[float, float, float]:
    return value, value, value


def _triple(values: Sequence[float] | None) -> tuple[float, float, float] | None:
    """Give kB: bars carry whole numbers."""
    return None if values is None else (values[0] * 1_000, values[1] * 1_000, values[2] * 1_000)


def _share(row: Sequence[Any] | None) -> tuple[float, float, float] | None:
    if row is None or not row[2]:
        return None
    return 100 * row[1] / row[2], 100 * row[3], 100 * row[4]


def _answered(rows: Sequence[Mapping[str, Any]], question: str) -> tuple[float, float, float] | None:
    mine = [row for row in rows if row["question"] == question]
    asked = sum(row["asked"] for row in mine)
    return _one(100 * sum(row["same"] for row in mine) / asked) if asked else None


def _short_names(table: Mapping[str, Any]) -> list[str]:
    return [name.replace(" (generated)", "*").replace(" (corpus)", "") for name in table]


def _markdown(about: Mapping[str, Any], codes: Mapping[str, int], *, short: bool) -> str:
    lines = [
        f"{about['machine']}; {about['system']}; commit {about['commit']}; load {about['load']} at the start; {about['at']}."
        + (" A short run: no figures for a page." if short else "")
        + ("" if about["quiet"] else " Other work ran beside it: compare within this run only."),
        "",
        "| measured | |",
        "|---|---|",
    ]
    messages = numbers.recall("deid_messages") or {"mb_per_s": {}}
    for suite, rows in messages["mb_per_s"].items():
        told = "; ".join(f"{name} {row[0]:.1f} [{row[1]:.1f} .. {row[2]:.1f}]" for name, row in rows.items())
        lines.append(f"| {suite}, MB/s of CPU time in one process | {told} |")
    for who, row in (numbers.recall("deid_dicom") or {}).items():
        lines.append(
            f"| DICOM headers, {who} | {row['files_per_s']:.0f} files/s; {row['left']} planted values left |"
        )
    text = numbers.recall("bench_deid_text")
    for who, rows in (text["en"] if text else {}).items():
        told = "; ".join(
            f"{row[0]} {row[1] / row[2]:.3f} [{row[3]:.3f} .. {row[4]:.3f}]" for row in rows if row[2]
        )
        lines.append(f"| free text, English, report half, {who} | {told} |")
    for what, row in (text["speed"] if text else {}).items():
        lines.append(f"| free text, {what} | {row[0]:.2f} MB/s [{row[1]:.2f} .. {row[2]:.2f}] |")
    pixels = numbers.recall("deid_pixels")
    if pixels and "all" in pixels:
        lines.append(
            f"| burned-in text | {pixels['all']['covered']} of {pixels['all']['texts']} texts covered |"
        )
    remains = numbers.recall("deid_remains") or {"questions": [], "searched": []}
    for row in remains["questions"]:
        told = (
            f"{row['same']:g} of {row['asked']:g} the same, at least {row['tolerance']:.2f}: {row['verdict']}"
        )
        lines.append(f"| use remains, {row['profile']}, {row['kind']}, {row['question']} | {told} |")
    for one in remains["searched"]:
        left = ", ".join(f"{count} {cls}" for cls, count in one["left"].items()) or "none"
        lines.append(
            f"| left of what the structured part names, {one['profile']}, {one['kind']} | {left}; {one['written']} of {one['files']} files written |"
        )
    lines += [f"| not run | {what} |" for what in NOT_RUN]
    lines += [f"| {name} | exit code {code} |" for name, code in codes.items() if code]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    raise SystemExit(main())
