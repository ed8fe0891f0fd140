"""Read print in pictures with Tesseract, as a program beside: under limits, without network, knowing nothing of the file.

Rules:
- What it is given is a picture that we rendered, through a pipe; it writes no file. Its answer is words with places.
- Memory, processor time, files and a core file are bounded before it starts, and so is the time we wait. A reading that
  fails, or of which nothing comes, is an error: an image nobody could read is not a clean one.
- It gets its search path and nothing else of our environment. Beside a worker (``reading``) it is confined: no network, no
  other program or process, no file but the system's libraries and its own data of a language.

Deliberately absent: other languages' data. What goes is found by being text, not by being understood.

Source: Tesseract 5, ``tesseract(1)``: page segmentation mode 11 (sparse text), TSV output; netpbm, PGM (raw).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.core.sandbox import bound, confine_program
from oathward.deid.pixels.model import Picture, Read, Word

SECONDS_MAX = 60
MEMORY_BYTES_MAX = 2 << 30
OPTIONS = ("--psm", "11", "--dpi", "150", "-l", "eng", "tsv")
_FOLDER = re.compile(rb'"([^"\n]+)"').search
WORD_LEVEL = "5"
COLUMNS = 12
ENVIRONMENT = frozenset({"PATH", "TESSDATA_PREFIX"})


def reader() -> Read | None:
    """Give the reader of this machine; None where Tesseract or the extra ``pixels`` is lacking."""
    found = installed()
    return None if found is None else found.read


def lacking() -> list[str]:
    """Name what is not there to read print in images, and how to install it."""
    found = []
    if shutil.which("tesseract") is None:
        found.append("Tesseract (`apt install tesseract-ocr`)")
    if find_spec("numpy") is None or find_spec("gdcm") is None:
        found.append("the extra `pixels` (`pip install 'oathward[pixels]'`)")
    return found


def installed() -> Tesseract | None:
    """Give this machine's Tesseract; None where it or the extra ``pixels`` is lacking."""
    program = shutil.which("tesseract")
    return None if program is None or find_spec("numpy") is None else Tesseract(program)


@dataclass(frozen=True, slots=True)
class Tesseract:
    """One installed Tesseract.

    ``errors``: where its warnings go. ``readable``: folders that it may read, its data of languages; None: it is not confined.
    """

    program: str
    seconds_max: int = SECONDS_MAX
    memory_bytes_max: int = MEMORY_BYTES_MAX
    errors: int = subprocess.DEVNULL
    readable: tuple[Path, ...] | None = None

    def read(self, picture: Picture) -> Sequence[Word]:
        """Read the words of a picture.

        Raises:
            DeidentificationError: ``deid.pixels-held``: it did not end well, or not in time.
        """
        image = b"P5 %d %d 255\n" % (picture.columns, picture.rows) + picture.grey
        try:
            with subprocess.Popen(  # noqa: S603  a program of this system, a list of fixed words
                [self.program, "stdin", "stdout", *OPTIONS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                env=environment(ENVIRONMENT) | {"OMP_THREAD_LIMIT": "1"},
                preexec_fn=self._begin,  # noqa: PLW1509  whoever asks has one thread, and no lock is taken
            ) as running:
                try:
                    answer, _ = running.communicate(image, timeout=self.seconds_max)
                finally:
                    running.kill()
        except (OSError, subprocess.SubprocessError) as error:
            raise DeidentificationError("ocr", "it reads in time", reason=Reason.PIXELS_HELD) from error
        if running.returncode:
            raise DeidentificationError("ocr", "it ends well", reason=Reason.PIXELS_HELD)
        return words_of(answer)

    def folders(self) -> tuple[Path, ...]:
        """Ask it where its data of languages are."""
        told = subprocess.run(  # noqa: S603  as above
            [self.program, "--list-langs"],
            check=False,
            capture_output=True,
            env=environment(ENVIRONMENT),
            timeout=self.seconds_max,
        )
        found = _FOLDER(told.stdout + told.stderr)
        return (Path(os.fsdecode(found[1])),) if found else ()

    def _begin(self) -> None:
        """Bound the process that becomes it."""
        if self.readable is None:
            bound(self.memory_bytes_max, self.seconds_max)
        else:
            confine_program(Path(self.program), self.readable, self.memory_bytes_max, self.seconds_max)


def environment(names: AbstractSet[str]) -> dict[str, str]:
    """Give what a program beside may know of our environment."""
    return {name: value for name, value in os.environ.items() if name in names}


def words_of(answer: bytes) -> list[Word]:
    """Read Tesseract's table.

    Raises:
        DeidentificationError: ``deid.pixels-held``: it is not that table.
    """
    lines = answer.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].startswith("level\t"):
        raise DeidentificationError("ocr", "a table of words", reason=Reason.PIXELS_HELD)
    words: list[Word] = []
    for line in lines[1:]:
        fields = line.split("\t", COLUMNS - 1)
        if len(fields) < COLUMNS or fields[0] != WORD_LEVEL or not fields[-1].strip():
            continue
        x, y, width, height = (int(field) for field in fields[6:10])
        words.append(Word(fields[-1].strip(), x, y, x + width, y + height, float(fields[10]) / 100))
    return words
