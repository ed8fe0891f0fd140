"""Write the table of PCF's options into ``docs/reference/consent.md`` again: ``.venv/bin/python scripts/consent_options.py``."""

from __future__ import annotations

from pathlib import Path

from oathward.consent.fhir.options import table

PAGE = Path(__file__).resolve().parent.parent / "docs/reference/consent.md"
BEGIN, END = "<!-- options: begin -->\n", "<!-- options: end -->\n"


def main() -> int:
    """Put the table between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
