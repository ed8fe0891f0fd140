"""Read print in pictures with Tesseract, as a program beside: under limits, without network, knowing nothing of the file.

Rules:
- What it is given is a picture that we rendered, through a pipe; it writes no file. Its answer is words with places.
- Memory, processor time and a core file are bounded before it gets its input, and so is the time we wait. A reading that
  fails, or of which nothing comes, is an error: an image nobody could read is not a clean one.
- It gets its search path and nothing else of our environment; where the system lets us, it has no network either
  (``unshare``). Elsewhere it has what the worker has, which is none.

Deliberately absent: other languages' data. What goes is found by being text, not by being understood.

Source: Tesseract 5, ``tesseract(1)``: page segmentation mode 11 (sparse text), TSV output; netpbm, PGM (raw).
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.pixels.model import Picture, Read, Word

SECONDS_MAX = 60
MEMORY_BYTES_MAX = 2 << 30
FILES_BYTES_MAX = 0
OPTIONS = ("--psm", "11", "--dpi", "150", "-l", "eng", "tsv")
WORD_LEVEL = "5"
COLUMNS = 12
ENVIRONMENT = frozenset({"PATH", "TESSDATA_PREFIX"})


def reader() -> Read | None:
    """Give the reader of this machine; None where Tesseract or the extra ``pixels`` is lacking."""
    program = shutil.which("tesseract")
    return None if program is None or find_spec("numpy") is None else Tesseract(program).read


@dataclass(frozen=True, slots=True)
class Tesseract:
    """One installed Tesseract."""

    program: str
    seconds_max: int = SECONDS_MAX
    memory_bytes_max: int = MEMORY_BYTES_MAX

    def read(self, picture: Picture) -> Sequence[Word]:
        """Read the words of a picture.

        Raises:
            DeidentificationError: ``deid.pixels-held``: it did not end well, or not in time.
        """
        image = b"P5 %d %d 255\n" % (picture.columns, picture.rows) + picture.grey
        command = [*_apart(), self.program, "stdin", "stdout", *OPTIONS]
        try:
            with subprocess.Popen(  # noqa: S603  a program of this system, a list of fixed words
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(ENVIRONMENT) | {"OMP_THREAD_LIMIT": "1"},
            ) as running:
                try:
                    self._limit(running.pid)
                    answer, _ = running.communicate(image, timeout=self.seconds_max)
                finally:
                    running.kill()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeidentificationError("ocr", "it reads in time", reason=Reason.PIXELS_HELD) from error
        if running.returncode:
            raise DeidentificationError("ocr", "it ends well", reason=Reason.PIXELS_HELD)
        return words_of(answer)

    def _limit(self, pid: int) -> None:
        """Bound a process that has had no input yet."""
        for what, most in (
            (resource.RLIMIT_AS, self.memory_bytes_max),
            (resource.RLIMIT_CPU, self.seconds_max),
            (resource.RLIMIT_FSIZE, FILES_BYTES_MAX),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.prlimit(pid, what, (most, most))


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


@cache
def _apart() -> tuple[str, ...]:
    """Give what starts a program without network, where the system lets us."""
    program = shutil.which("unshare")
    if program is None:
        return ()
    command = (program, "--user", "--net", "--")
    done = subprocess.run([*command, "true"], check=False, capture_output=True)  # noqa: S603  as above
    return command if done.returncode == 0 else ()
