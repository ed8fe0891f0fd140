"""Reading for a process that may start no program: a process beside it, started before it was confined, does.

``python -m oathward.deidentifying.reading FD``. It is given pictures and gives words; it ends with who asks it.

Rules:
- It never sees a file: columns, rows and one byte a pixel, of a bounded size. Whoever asks may be in a stranger's hands.
- It is confined before the first picture (``sandbox``): it may start one program and end it. That program is confined once more.
  Where it cannot be, nobody reads.
- What cannot be read is told as that, and is an error there as here (``ocr``).

Deliberately absent: several at a time; each worker has its own.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oathward.core import frames
from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.core.sandbox import confine
from oathward.deid.pixels.model import Picture, Word
from oathward.deidentifying.ocr import (
    ENVIRONMENT,
    MEMORY_BYTES_MAX,
    Tesseract,
    environment,
    installed,
    reader,
)

PIXELS_MAX = 64_000_000
_SIZE = struct.Struct(">II")


class Beside:
    """What reads for this process; start it before this process is confined."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, "-m", "oathward.deidentifying.reading", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment(ENVIRONMENT | {"PYTHONPATH"}),
                cwd="/",
            )

    def read(self, picture: Picture) -> Sequence[Word]:
        """Ask, and wait; it bounds the time itself.

        Raises:
            DeidentificationError: ``deid.pixels-held``: it could not be read, or nobody is there.
        """
        try:
            self._socket.sendall(_SIZE.pack(picture.columns, picture.rows) + picture.grey)
            answer = frames.receive(self._socket)
        except OSError:
            answer = None
        if answer is None or "words" not in answer[0]:
            raise DeidentificationError("ocr", "it reads in time", reason=Reason.PIXELS_HELD)
        return [Word(*word) for word in answer[0]["words"]]

    def end(self) -> None:
        """Let it go; it ends by itself too, when this process does."""
        self._socket.close()
        self._process.wait()


def beside() -> Beside | None:
    """Start what reads for this process; None where nothing here does."""
    return None if reader() is None else Beside()


def main(arguments: list[str]) -> int:
    """Read what is sent until nobody is there."""
    asker, found = socket.socket(fileno=int(arguments[0])), installed()
    read = None
    if found is not None:
        found = confined(found)
        program = Path(found.program)
        confine(MEMORY_BYTES_MAX, (*(found.readable or ()), program), starts=(program,))
        read = found.read
    while (size := _exactly(asker, _SIZE.size)) is not None:
        columns, rows = _SIZE.unpack(size)
        if read is None or not 0 < columns * rows <= PIXELS_MAX:
            return 1
        grey = _exactly(asker, columns * rows)
        if grey is None:
            return 1
        try:
            frames.send(asker, {"words": [list(word) for word in read(Picture(columns, rows, grey))]})
        except DeidentificationError:
            frames.send(asker, {"held": True})
    return 0


def confined(found: Tesseract) -> Tesseract:
    """Give it as it is started beside a worker: told where its warnings go and what it may read."""
    return replace(found, errors=os.open(os.devnull, os.O_WRONLY), readable=found.folders())


def _exactly(source: socket.socket, size: int) -> bytes | None:
    """Receive so many bytes; None where the other end is gone."""
    data = bytearray()
    while len(data) < size:
        more = source.recv(min(size - len(data), 1 << 20))
        if not more:
            return None
        data += more
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
