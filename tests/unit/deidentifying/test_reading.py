"""Reading for a confined process: the same words, from a process beside it that sees pictures alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.pixels import write

from oathward.core.errors import DeidentificationError
from oathward.deid.pixels.model import Picture
from oathward.deid.pixels.picture import picture_of
from oathward.deidentifying import reading
from oathward.deidentifying.ocr import installed

pytestmark = pytest.mark.skipif(shutil.which("tesseract") is None, reason="no tesseract here")


def picture() -> Picture:
    pixels = np.zeros((60, 240), dtype=np.uint8)
    write(pixels, "FERNANDEZ 4711", 20, 15, 22, 230)
    return picture_of(pixels)


@pytest.fixture
def read():
    beside = reading.beside()
    yield beside.read
    beside.end()


def test_it_reads_what_the_program_reads_and_again(read):
    assert (
        [word.text for word in read(picture())]
        == [word.text for word in read(picture())]
        == ["FERNANDEZ", "4711"]
    )


def test_who_reads_is_confined():
    beside = reading.beside()
    try:
        assert beside.read(picture())
        told = Path(f"/proc/{beside._process.pid}/status").read_text("ascii")
    finally:
        beside.end()
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    program = reading.confined(installed())
    assert program.readable
    assert all((folder / "eng.traineddata").exists() for folder in program.readable)


@pytest.mark.parametrize("wrong", [Picture(0, 5, b""), Picture(100_000, 100_000, b"x")])
def test_a_picture_that_is_none_is_held(read, wrong: Picture):
    with pytest.raises(DeidentificationError):
        read(wrong)


def test_without_the_program_nobody_reads(monkeypatch):
    monkeypatch.setattr(reading, "reader", lambda: None)
    assert reading.beside() is None


CONFINED = """
import sys
import numpy as np
from oathward.deid.pixels.clean import clean
from oathward.deidentifying.reading import beside
from oathward.core.sandbox import SandboxError, confine
data = sys.stdin.buffer.read()
reading = beside()
try:
    confine(4 << 30)
except SandboxError:
    print("no sandbox")
    sys.exit(0)
print(type(clean(data, reading.read)).__name__)
"""


def test_a_confined_process_cleans_an_image():
    from tests.pixels import file_of, image, jpeg

    pixels = np.full((60, 240), 10, dtype=np.uint8)
    write(pixels, "FERNANDEZ 4711", 20, 15, 22, 230)
    file = file_of(jpeg(image(pixels), [pixels]))
    done = subprocess.run(
        [sys.executable, "-c", CONFINED],
        input=file,
        capture_output=True,
        check=True,
        env=os.environ,
        timeout=100,
    )
    said = done.stdout.decode().split("\n")[0]
    if said == "no sandbox":
        pytest.skip("this system confines nobody")
    assert said == "Cleaned"
