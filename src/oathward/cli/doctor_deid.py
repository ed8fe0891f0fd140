"""What ``oathward doctor`` says of de-identification: whether images that may show text can leave."""

from __future__ import annotations

from collections.abc import Iterator

from oathward.cli.comparing import Line
from oathward.core.settings import Settings


def images(_settings: Settings) -> Iterator[Line]:
    """Look at what reads print in images."""
    from oathward.deidentifying.ocr import lacking

    what = lacking()
    if what:
        held = "DICOM images that may show text are held whole by `oathward deid`"
        yield Line(
            "note", "images", f"{held}: {' and '.join(what)} {'are' if len(what) > 1 else 'is'} lacking"
        )
    else:
        yield Line("ok", "images", "what reads print in DICOM images is installed")
