"""Make a PDF of a page: in a process of its own, under limits, that reads the page on its input and fetches nothing.

Rules:
- The page comes whole on standard input and the PDF leaves on standard output: no file is written, nothing is remembered.
- Every address in the page is refused, whatever it names: the maker is given a fetcher that fetches nothing.
- Memory, time and a core file are bounded by the operating system; a process that passes them ends, and the page says so.
- Tagged for screen readers (PDF/UA-1), as far as the maker goes.

Deliberately absent: script (the maker has none), fonts of our own.

Source: ISO 14289-1 (PDF/UA-1). Needs the extra ``pdf`` (WeasyPrint) and Pango from the system.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

SECONDS_MAX = 60
MEMORY_BYTES_MAX = 2 << 30
STYLE = Path(__file__).with_name("paper.css")


def here() -> bool:
    """Say whether the maker is installed; whether Pango is, the first PDF shows."""
    return importlib.util.find_spec("weasyprint") is not None


def pdf_of(page: str) -> bytes:
    """Make the PDF of a page.

    Raises:
        InputError: ``pdf.not-here``: it cannot be made on this system.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG", "LC_ALL", "FONTCONFIG_FILE"}
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "oathward.web.portal.copying.paper"],
            input=page.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=SECONDS_MAX * 2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError("pdf", reason=Reason.PDF_NOT_HERE) from error
    if done.returncode or not done.stdout.startswith(b"%PDF-"):
        raise InputError("pdf", reason=Reason.PDF_NOT_HERE)
    return done.stdout


def main() -> int:
    """Read a page, write its PDF."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    try:
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError):  # the extra, or Pango
        return 1

    class Nothing(URLFetcher):  # type: ignore[misc]  # the maker has no types
        """Fetches nothing."""

        def fetch(self, url: str, headers: object = None) -> NoReturn:  # noqa: ARG002  the names it is called by
            """Refuse; the maker leaves out what it was for."""
            raise ValueError("a copy names no address")

    page = HTML(string=sys.stdin.buffer.read().decode(), url_fetcher=Nothing())
    style = CSS(string=STYLE.read_text(encoding="utf-8"), url_fetcher=Nothing())
    sys.stdout.buffer.write(page.write_pdf(stylesheets=[style], pdf_variant="pdf/ua-1"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
