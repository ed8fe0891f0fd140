"""Real images: burned-in text goes, what is clean stays byte for byte, what cannot be decoded is held."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.deid.pixels import clean as module
from oathward.deid.pixels.clean import clean
from oathward.deid.pixels.frames import colours, decode, opened
from oathward.deid.pixels.model import Cleaned, Held, Untouched
from oathward.deid.pixels.picture import grey_of, picture_of, resized
from oathward.deidentifying.ocr import reader

pytestmark = [
    pytest.mark.corpus,
    needs_corpus,
    pytest.mark.skipif(shutil.which("tesseract") is None, reason="no tesseract here"),
]
BURNED_IN = CORPUS / "dicom" / "presidio-burned-in"
FILES = CORPUS / "dicom" / "pydicom-test-files" / "test_files"


def gold() -> list[tuple[Path, list[str], list[int]]]:
    """Read the gold answers: file, words that must not stay legible, the box they are in."""
    if not BURNED_IN.is_dir():
        return []
    rows = [line.split("\t") for line in (BURNED_IN / "BURNED-IN-GOLD.tsv").read_text().splitlines()[1:]]
    return [
        (BURNED_IN / re.match(r"\S+\.dcm", row[0])[0], re.findall(r"[\w.]{4,}", row[1]) if row[2] else [], [int(n) for n in row[2:] if n])
        for row in rows
    ]  # fmt: skip


def legible(file: bytes) -> str:
    """Read all frames of a file, in renderings of this test's own."""
    dataset = opened(file)
    frames = decode(dataset)
    greys = [grey_of(colours(frame, frames.photometric, dataset)) for frame in frames.pixels]
    full = [np.clip(grey.astype(int) * 3, 0, 255).astype(np.uint8) for grey in greys]
    pictures = [picture_of(resized(grey, factor)) for grey in (*greys, *full) for factor in (1, 2, 3)]
    return " ".join(word.text for picture in pictures for word in reader()(picture))


# What is drawn where it is known to be, and a clean image by reading alone.
@pytest.mark.turns(2, "by_reading_alone", "path")
@pytest.mark.parametrize("by_reading_alone", [False, True])
@pytest.mark.parametrize(("path", "words", "box"), gold(), ids=lambda value: getattr(value, "stem", None))
def test_the_listed_text_goes_and_the_clean_image_is_untouched(
    path, words, box, by_reading_alone, monkeypatch
):
    if by_reading_alone:
        monkeypatch.setattr(module, "known", lambda *_: ())
    file = path.read_bytes()
    outcome = clean(file, reader())
    if not words:
        assert outcome == Untouched(looked=True)
        return
    assert any(word in legible(file) for word in words)
    assert isinstance(outcome, Cleaned)
    read = legible(outcome.file)
    assert [word for word in words if word in read] == []
    x0, y0, x1, y1 = box
    before, after = opened(file).pixel_array, opened(outcome.file).pixel_array
    mask = np.ones(before.shape, dtype=bool)
    for b in outcome.boxes:
        mask[b.y0 : b.y1, b.x0 : b.x1] = False
    assert np.array_equal(before[mask], after[mask])
    outside = (before != after).copy()
    outside[y0:y1, x0:x1] = False
    assert outside.mean() < 0.01


@pytest.mark.parametrize(
    "name", ["humans/ctbrain1.dcm", pytest.param("dicom-cookies/image1.dcm", marks=pytest.mark.long)]
)
def test_images_without_text_are_untouched(name: str):
    assert clean((CORPUS / "dicom" / "deid-data" / name).read_bytes(), reader()) == Untouched(looked=True)


@pytest.mark.long  # a known region goes above, and an image stays
def test_an_ultrasound_screen_loses_its_texts_and_keeps_its_image():
    file = (FILES / "examples_palette.dcm").read_bytes()
    outcome = clean(file, reader())
    assert isinstance(outcome, Cleaned)
    assert {"region"} <= {box.how for box in outcome.boxes}
    read = legible(outcome.file)
    assert [word for word in ("Philips", "PHILIPS", "2011", "142825", "Healthcare") if word in read] == []
    before, after = opened(file).pixel_array, opened(outcome.file).pixel_array
    assert np.array_equal(before[120:, 300:], after[120:, 300:])


def test_what_no_permitted_decoder_reads_is_held_where_it_is_at_risk():
    file = (CORPUS / "dicom" / "ms-dicom-anonymizer-samples" / "samples" / "I341.dcm").read_bytes()
    assert isinstance(clean(file, reader(), every=True), Held)
    assert clean(file, reader()) == Untouched(looked=False)


@pytest.mark.parametrize(
    "path", sorted(FILES.glob("*.dcm")) if FILES.is_dir() else [], ids=lambda path: path.stem
)
def test_every_file_is_decided_without_a_crash(path: Path):
    """With a reader that finds nothing, so that it is quick; what is damaged is held, never passed as looked at."""
    outcome = clean(path.read_bytes(), lambda _: [], every=True)
    assert isinstance(outcome, Untouched | Held | Cleaned)
