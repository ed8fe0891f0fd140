"""What stays, what goes, and how far what goes reaches."""

import numpy as np
import pytest
from tests.pixels import write

from oathward.deid.pixels.lines import text_boxes
from oathward.deid.pixels.markers import is_marker, is_nothing
from oathward.deid.pixels.model import Word

DARK = np.zeros((200, 400), dtype=np.uint8)


@pytest.mark.parametrize("text", [
    "R", "[L]", "RT", "AP", "PA", "Lat", "SUP", "supine", "ERECT", "120kV", "80 KVP", "200mAs", "12.5cm", "28Hz", "5mm", "-400HU",
    "W:400", "WL40", "MI1.1", "TIS0.4", "10", "1.06", "100%", "(R)", "PORTABLE", "3T", "1500ms",
])  # fmt: skip
def test_clinical_markers_stay(text: str):
    assert is_marker(text)


@pytest.mark.parametrize("text", [
    "FERNANDEZ", "Long", "Head", "May", "4711", "123", "L1234567", "C1234", "03.09.2012", "07/22/1943", "1943", "DOB:", "[M]", "M12L",
    "R.SMITH", "RSMITH", "1943M", "14:56:22", "11-05-25-142825", "A12", "78F78", "é",
])  # fmt: skip
def test_everything_else_is_none(text: str):
    assert not is_marker(text)


def test_punctuation_is_nothing():
    assert [text for text in ("—", "=", "~|", "é", "4") if is_nothing(text)] == ["—", "=", "~|"]


def boxes(*words: Word, grey=DARK):
    return text_boxes(words, grey)


def test_sure_words_go_and_noise_stays():
    assert boxes(Word("FERNANDEZ", 20, 20, 120, 36, 0.9))
    assert not boxes(
        Word("ee", 20, 20, 40, 36, 0.9), Word("aes", 90, 80, 110, 96, 0.4), Word("—", 9, 9, 30, 20, 0.99)
    )


def test_unsure_words_go_where_two_renderings_read_nearly_the_same():
    one, other = Word("Lindqvis", 20, 20, 120, 36, 0.45), Word("Lindqvist", 22, 21, 121, 35, 0.41)
    assert boxes(one, other)
    assert not boxes(one)
    assert not boxes(one, Word("ertyf", 22, 21, 121, 35, 0.41))


def test_a_marker_alone_stays_and_beside_text_goes():
    name, marker = Word("FERNANDEZ", 20, 20, 120, 36, 0.9), Word("R", 130, 20, 140, 36, 0.9)
    assert not boxes(marker)
    assert {box.x0 < 130 < box.x1 or box.x0 < 135 < box.x1 for box in boxes(name, marker)} >= {True}
    far = Word("R", 300, 20, 310, 36, 0.9)
    assert all(box.x1 < 300 for box in boxes(name, far))
    below = Word("R", 20, 60, 30, 76, 0.9)
    assert all(box.y1 < 60 for box in boxes(name, below))


def test_a_word_read_in_part_goes_whole():
    grey = DARK.copy()
    planted = write(grey, "MARCHETTI 4711", 30, 50, 16, 220)
    columns = np.nonzero(planted.ink)[1]
    middle = Word("RCHET", int(columns.min()) + 26, 52, int(columns.min()) + 70, 65, 0.8)
    (box,) = boxes(middle, grey=grey)
    assert box.x0 <= columns.min() < columns.max() < box.x1


def test_ink_does_not_reach_into_anatomy():
    grey = DARK.copy()
    grey[:, 150:] = np.random.default_rng(4).integers(60, 250, (200, 250))
    write(grey, "MARCHETTI", 30, 50, 16, 220)
    (box,) = boxes(Word("MARCHETTI", 30, 52, 118, 66, 0.9), grey=grey)
    assert box.x1 < 170
