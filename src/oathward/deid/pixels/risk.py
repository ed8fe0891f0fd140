"""Which images may have text burned in, by their header alone.

Rules:
- Three kinds of SOP class: *measured* (what a scanner reconstructed: at risk only where a sign says so), *declared*
  (projection X-ray: at risk unless (0028,0301) says NO and nothing else speaks), and all others, which are at risk.
- A sign is never outweighed by (0028,0301) NO: screens are captured by software that writes NO into everything.
- A class, or a sign, that is not known here means at risk.

Deliberately absent: looking at pixels. A site that trusts no header has every image read (``clean``, ``every``).

Source: DICOM PS3.3 C.7.6.1.1.2 (Image Type), C.7.6.3 (Image Pixel), C.8.5.5 (US Region Calibration), C.8.6.1 (SC Equipment);
PS3.4 B.5 (Standard SOP Classes); PS3.15 E.3.1 (Clean Pixel Data).
"""

from __future__ import annotations

from dataclasses import dataclass

_STORAGE = "1.2.840.10008.5.1.4.1.1."
SLICES = frozenset(_STORAGE + end for end in ("2", "2.1", "2.2", "4", "4.1", "4.4", "128", "128.1", "130"))
"""CT, MR and PET, enhanced and legacy converted."""

MEASURED = SLICES | {_STORAGE + end for end in ("20", "30", "66.4", "66.7", "481.2")}
"""And nuclear medicine, parametric maps, segmentations, RT dose."""

DECLARED = frozenset(
    _STORAGE + end
    for end in (
        "1",
        "1.1",
        "1.1.1",
        "1.2",
        "1.2.1",
        "1.3",
        "1.3.1",
        "12.1",
        "12.1.1",
        "12.2",
        "12.2.1",
        "13.1.1",
    )
) | {_STORAGE + end for end in ("13.1.2", "13.1.3", "13.1.4", "13.1.5", "481.1")}
"""CR, DX, mammography, intra-oral, XA, RF, tomosynthesis, RT image."""

IMAGE_TYPE_SIGNS = (
    "SECONDARY",
    "LOCALIZER",
    "SCOUT",
    "SCREEN",
    "SAVE",
    "CAPTURE",
    "REPORT",
    "DOSE",
    "SUMMARY",
)
"""Within a value of (0008,0008). Localizers: technicians write on them."""

SCREEN_BITS = 8
COLOURLESS = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class Header:
    """What the decision looks at; empty or 0 where the attribute is absent.

    ``regions``: how many items (0018,6011) has. ``overlay_bits``: a (60xx,0102) other than 0: an overlay within the pixels.
    """

    sop_class: str = ""
    modality: str = ""
    image_type: tuple[str, ...] = ()
    burned_in: str = ""
    conversion_type: str = ""
    photometric: str = ""
    bits_stored: int = 0
    regions: int = 0
    overlay_bits: bool = False


SCREENS = frozenset(
    {"US", "IVUS", "ES", "SC", "OT", "XC", "GM", "SM", "OP", "ECG", "HD", "DOC", "KER", "SR", "BDUS"}
)
"""Modalities whose images are captured from a screen, or of a page. Source: PS3.3 C.7.3.1.1.1."""


def signs_of(header: Header) -> tuple[str, ...]:
    """Give the signs that text may be burned in, in words for a report; none: it is not at risk."""
    signs = [name for name, shows in _signs(header).items() if shows]
    if header.sop_class in MEASURED:
        return tuple(signs)
    if header.sop_class in DECLARED:
        return tuple(signs) if signs or header.burned_in == "NO" else ("burned-in annotation not denied",)
    return (*signs, "SOP class")


def _signs(header: Header) -> dict[str, bool]:
    return {
        "burned-in annotation": header.burned_in not in {"", "NO"},
        "image type": any(sign in value.upper() for value in header.image_type for sign in IMAGE_TYPE_SIGNS),
        "modality": header.modality in SCREENS,
        "conversion type": bool(header.conversion_type),
        "ultrasound regions": header.regions > 0,
        "colour": bool(header.photometric) and header.photometric not in COLOURLESS,
        "eight bits": header.sop_class in SLICES and 0 < header.bits_stored <= SCREEN_BITS,
        "overlay within the pixels": header.overlay_bits,
    }
