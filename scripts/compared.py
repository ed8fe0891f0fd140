"""Write ``tests/conformance/v2fhir-compared.tsv`` again: what we give of real messages beside what other converters give.

Rules:
- Counts are counted anew by the test that compares them. The reason of a row is a person's: it stays, as long as the
  row has a difference to explain; a row that differs and has none is named, and the test stays red until it has one.

Run: ``.venv/bin/python scripts/compared.py`` at the root of a checkout that has ``../shared/corpus`` beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "tests" / "conformance" / "v2fhir-compared.tsv"

Key = tuple[str, str]


def rewritten(text: str, found: Mapping[Key, Sequence[int]]) -> tuple[str, list[Key]]:
    """Give the table with these counts, and the rows that lack a reason.

    Args:
        text: the table as it is.
        found: (converter, element) -> values both give, only we, only the converter.
    """
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("#")]
    reasons = {(row[0], row[1]): row[5] for row in _rows(lines)}
    body, missing = [], []
    for key in sorted(found):
        counts = found[key]
        differs = any(counts[1:])
        reason = reasons.get(key, "") if differs else ""
        if differs and not reason:
            missing.append(key)
        body.append("\t".join([*key, *map(str, counts), reason]))
    return "\n".join([*head, *body]) + "\n", missing


def _rows(lines: Iterable[str]) -> Iterable[list[str]]:
    return ([*line.split("\t"), ""][:6] for line in lines if line and not line.startswith("#"))


def main() -> int:
    """Write the table; 1 where a row lacks its reason, 2 where there is no corpus."""
    sys.path.insert(0, str(ROOT))
    test = import_module("tests.conformance.test_v2fhir_corpus")
    if not test.MESSAGES:
        print("no corpus beside this checkout: nothing to compare with", file=sys.stderr)
        return 2
    text, missing = rewritten(TABLE.read_text("utf-8"), test.compared())
    TABLE.write_text(text, "utf-8")
    for converter, element in missing:
        print(f"{converter}\t{element}: differs; write why in the last column")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
