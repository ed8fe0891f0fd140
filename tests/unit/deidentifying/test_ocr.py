"""Reading with Tesseract: what it says, and what bounds it. Skips where Tesseract is absent."""

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from tests.pixels import anatomy, file_of, image, write

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.pixels.clean import clean
from oathward.deid.pixels.model import Cleaned, Picture, Untouched
from oathward.deid.pixels.picture import picture_of, resized
from oathward.deidentifying import ocr
from oathward.deidentifying.ocr import Tesseract, reader, words_of

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="no tesseract here")
HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
PAGE = Picture(40, 20, bytes(800))


def program(folder, script: str) -> Tesseract:
    path = folder / "tesseract"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)
    return Tesseract(str(path), seconds_max=2)


def test_the_table_of_words():
    rows = [
        "1\t1\t0\t0\t0\t0\t0\t0\t40\t20\t-1\t",
        "5\t1\t1\t1\t1\t1\t3\t4\t10\t6\t91.5\tANNA",
        "5\t1\t1\t1\t1\t2\t20\t4\t5\t6\t95\t ",
    ]
    assert words_of("\n".join((HEADER, *rows)).encode()) == [("ANNA", 3, 4, 13, 10, 0.915)]


@pytest.mark.parametrize(
    "script", ["exit 3", "cat >/dev/null; echo nothing of a table", "sleep 30", "kill -9 $$", "true"]
)
def test_a_reading_that_fails_is_an_error_and_never_no_words(tmp_path, script: str):
    with pytest.raises(DeidentificationError) as caught:
        program(tmp_path, script).read(PAGE)
    assert caught.value.reason is Reason.PIXELS_HELD


def test_a_program_that_went_away_is_an_error(tmp_path):
    with pytest.raises(DeidentificationError):
        Tesseract(str(tmp_path / "gone")).read(PAGE)


def test_it_runs_bounded_before_it_has_its_input_and_knows_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("OATHWARD_SECRET", "value")
    row = "5\\t1\\t1\\t1\\t1\\t1\\t0\\t0\\t9\\t9\\t90\\t%s\\n"
    told = '"$(ulimit -v)" "$(ulimit -t)" "$(ulimit -c)" "$(ulimit -f)" "${OATHWARD_SECRET-none}"'
    fake = program(tmp_path, f"head -c 1 >/dev/null; printf '{HEADER}\\n'; printf '{row}' {told}")
    words = Tesseract(fake.program, memory_bytes_max=1 << 30).read(PAGE)
    assert [word.text for word in words] == [str((1 << 30) // 1024), str(ocr.SECONDS_MAX), "0", "0", "none"]


def shell(folder, monkeypatch, statement: str, *, confined: bool) -> str:
    """Give what a statement says of itself, done by a program in Tesseract's place."""
    row = "5\\t1\\t1\\t1\\t1\\t1\\t0\\t0\\t9\\t9\\t90\\t%s\\n"
    script = f"said=refused\nif {statement}; then said=done; fi\nprintf '{HEADER}\\n'; printf '{row}' $said\n"
    (folder / "stdin").write_text(script)
    monkeypatch.chdir(folder)
    program = Path(shutil.which("bash")).resolve()
    words = Tesseract(str(program), readable=(folder,) if confined else None).read(PAGE)
    return words[0].text


TRIES = {
    "a file of the system": "read x </etc/passwd",
    "a file of the site": f"read x <{__file__}",
    "a file of the interpreter": f"read x <{os.__file__}",
    "the network": "exec 3<>/dev/udp/127.0.0.1/9",
    "a signal": "kill -0 $PPID",
}


@pytest.mark.parametrize("what", TRIES)
@pytest.mark.parametrize("confined", [True, False])
def test_beside_a_worker_it_reaches_nothing_but_its_own(tmp_path, monkeypatch, what, confined):
    assert shell(tmp_path, monkeypatch, TRIES[what], confined=confined) == ("refused" if confined else "done")


@pytest.mark.parametrize("confined", [True, False])
def test_beside_a_worker_it_starts_no_other_program(tmp_path, monkeypatch, confined):
    (tmp_path / "stdin").write_text(f"printf '{HEADER}\\n'; exec /bin/true\n")
    monkeypatch.chdir(tmp_path)
    program = Tesseract(str(Path(shutil.which("bash")).resolve()), readable=(tmp_path,) if confined else None)
    if confined:
        with pytest.raises(DeidentificationError):
            program.read(PAGE)
    else:
        assert program.read(PAGE) == []


def test_without_the_program_there_is_no_reader(monkeypatch):
    monkeypatch.setattr(ocr.shutil, "which", lambda _: None)
    assert reader() is None


def test_without_the_extra_there_is_no_reader(monkeypatch):
    monkeypatch.setattr(ocr.shutil, "which", lambda _: "/bin/true")
    assert reader() is not None
    monkeypatch.setattr(ocr, "find_spec", lambda _: None)
    assert reader() is None


@needs_tesseract
def test_a_picture_larger_than_its_memory_is_an_error():
    small = Tesseract(shutil.which("tesseract"), memory_bytes_max=64 << 20)
    with pytest.raises(DeidentificationError):
        small.read(PAGE)


@needs_tesseract
@pytest.mark.turns(2, "ground")  # light on dark and faint
@pytest.mark.parametrize(
    ("ground", "value", "size"), [(0, 255, 18), (255, 0, 18), (60, 120, 16), (10, 230, 11)]
)
def test_light_on_dark_dark_on_light_faint_and_small(ground: int, value: int, size: int):
    pixels = np.full((90, 300), ground, dtype=np.uint8)
    planted = write(pixels, "FERNANDEZ 4711", 30, 30, size, value)
    outcome = clean(file_of(image(pixels)), reader())
    assert isinstance(outcome, Cleaned)
    assert any(
        b.x0 <= x < b.x1 and b.y0 <= y < b.y1 for b in outcome.boxes for y, x in [np.argwhere(planted.ink)[0]]
    )
    after = np.frombuffer(outcome.file[-pixels.size :], dtype=np.uint8).reshape(pixels.shape)
    assert np.ptp(after[planted.ink]) == 0
    assert "FERN" not in " ".join(w.text for w in reader()(picture_of(resized(after, 2))))


@needs_tesseract
def test_text_in_colour_that_is_as_bright_as_its_ground():
    pixels = np.full((90, 300, 3), (120, 60, 60), dtype=np.uint8)
    planted = write(pixels, "KOWALSKI 4711", 30, 30, 18, (20, 110, 60))
    outcome = clean(file_of(image(pixels, photometric="RGB")), reader())
    assert isinstance(outcome, Cleaned)
    after = np.frombuffer(outcome.file[-pixels.size :], dtype=np.uint8).reshape(pixels.shape)
    assert np.ptp(after[planted.ink].astype(int), axis=0).max() == 0


@needs_tesseract
def test_a_marker_stays_where_a_name_goes():
    pixels = anatomy(160, 320, 3) // 2
    pixels[:50] = pixels[110:] = 5
    name = write(pixels, "Marchetti, Anna", 10, 12, 18, 240)
    marker = write(pixels, "SUPINE", 220, 125, 18, 240)
    outcome = clean(file_of(image(pixels)), reader())
    assert isinstance(outcome, Cleaned)
    after = np.frombuffer(outcome.file[-pixels.size :], dtype=np.uint8).reshape(pixels.shape)
    assert np.ptp(after[name.ink]) == 0
    assert np.array_equal(after[marker.ink], pixels[marker.ink])


@needs_tesseract
def test_an_image_without_text_is_untouched():
    assert clean(file_of(image(anatomy(160, 240, 7))), reader()) == Untouched(looked=True)


def runs_up():
    pixels = np.full((300, 90), 10, dtype=np.uint8)
    planted = write(across := np.full((90, 300), 10, dtype=np.uint8), "FERNANDEZ 4711", 30, 30, 18, 230)
    pixels[...] = np.rot90(across)
    return pixels, np.rot90(planted.ink), {}


def runs_down():
    pixels, ink, _more = runs_up()
    return np.rot90(pixels, 2), np.rot90(ink, 2), {}


def faint_over_anatomy():
    pixels = anatomy(240, 320, 3) // 2
    lighter = np.clip(pixels.astype(int) + 40, 0, 255)
    return pixels, write(pixels, "FERNANDEZ 4711", 60, 110, 18, lighter).ink, {}


def one_pixel_far_from_all_others():
    pixels = (anatomy(240, 320, 3) // 2).astype(np.uint16) * 4
    ink = write(pixels, "FERNANDEZ 4711", 60, 8, 18, 1_100).ink
    pixels[0, 0] = 65_535
    return pixels, ink, {}


def few_of_many_greys():
    pixels = np.full((240, 320), 1_000, dtype=np.uint16)
    pixels[120:] += np.linspace(0, 3_000, 320).astype(np.uint16)
    return pixels, write(pixels, "FERNANDEZ 4711", 60, 8, 18, 1_030).ink, {"BitsStored": 12, "HighBit": 11}


@needs_tesseract
@pytest.mark.turns(2, "drawn")  # one that runs up, one faint, one of few greys
@pytest.mark.parametrize(
    "drawn", [runs_up, runs_down, faint_over_anatomy, one_pixel_far_from_all_others, few_of_many_greys]
)
def test_what_an_eye_reads_is_found(drawn):
    pixels, ink, more = drawn()
    outcome = clean(file_of(image(np.ascontiguousarray(pixels), **more)), reader())
    assert isinstance(outcome, Cleaned)
    covered = np.zeros(pixels.shape, dtype=bool)
    for box in outcome.boxes:
        covered[box.y0 : box.y1, box.x0 : box.x1] = True
    assert (covered & ink).sum() > 0.95 * ink.sum()
