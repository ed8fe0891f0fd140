"""Where devices of the site draw text: a file of it is checked first, and makes images at risk."""

import shutil

import numpy as np
import pytest
from pydicom import dcmread
from tests import forked
from tests.e2e.test_deid import TERMS, deid, site, written  # noqa: F401  the fixture
from tests.pixels import CT, file_of, image


@pytest.fixture
def named(site):  # noqa: F811  the fixture
    """A site whose settings name a file of boxes."""
    settings = site.folder / "oathward.toml"
    settings.write_text(settings.read_text() + '\n[deid]\npixel_boxes_file = "boxes.tsv"\n')
    return site


@pytest.fixture
def folder(tmp_path):
    """One CT slice with something in every pixel, of which no header says that it is at risk."""
    root = tmp_path / "in"
    root.mkdir()
    pixels = np.tile(np.arange(16, dtype=np.uint16), 256).reshape(64, 64)
    made = image(
        pixels, sop_class=CT, Manufacturer="ACME", ManufacturerModelName="Scope", BitsStored=12, HighBit=11
    )
    made.Modality, made.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    (root / "image.dcm").write_bytes(file_of(made))
    return root


@pytest.mark.parametrize(
    ("text", "where"), [(None, "[deid] pixel_boxes_file"), ("ACME\tScope\n", "boxes.tsv:1")]
)
def test_boxes_that_cannot_be_read_are_refused_before_anything_is_written(
    named, folder, tmp_path, text, where
):
    if text is not None:
        (named.folder / "boxes.tsv").write_text(text)
    arguments = ["deid", str(folder), "--out", str(tmp_path / "out"), *TERMS, "--data", str(named.folder)]
    done = forked.run(arguments)
    assert done.returncode not in (0, 1)
    assert where.encode() in done.stderr
    assert b"ACME" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_image_of_such_a_device_is_blanked_there_and_held_where_nobody_reads(named, folder, tmp_path):
    (named.folder / "boxes.tsv").write_text("Acme\tScope\t*\t64x64\t0,0,64,8\tseen on site\n")
    _, told = deid(named, folder, tmp_path / "out")
    if shutil.which("tesseract") is None:
        assert told["reasons"] == {"deid.pixels-held": 1}
        return
    (name,) = written(tmp_path / "out")
    made, before = dcmread(tmp_path / "out" / name), dcmread(folder / "image.dcm")
    assert made.BurnedInAnnotation == "NO"
    assert np.ptp(made.pixel_array[:8]) == 0
    assert np.array_equal(made.pixel_array[8:], before.pixel_array[8:])
