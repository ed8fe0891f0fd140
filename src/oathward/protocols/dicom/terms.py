"""Codes (CS) of which the standard lists all: what else stands there was put there by somebody.

Deliberately absent: lists that devices go beyond for good reasons: body parts, scan options, views.

Source: DICOM PS3.3 2024b, §C.7.3.1.1.1 (modalities, retired ones too), §C.7.3.1.1.2 (patient position), §C.7.6.1.1.1 (patient
orientation), and the modules of the attributes; PS3.2 §D.6.2 (character sets).
"""

from __future__ import annotations

import re

_MODALITIES = """
ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DMS DG DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS MG
MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD
RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST TH VF
"""
_PHOTOMETRIC = """
MONOCHROME1 MONOCHROME2 RGB HSV ARGB CMYK XYB
PALETTE~COLOR YBR_FULL YBR_FULL_422 YBR_PARTIAL_422 YBR_PARTIAL_420 YBR_ICT YBR_RCT
"""
_LISTED = {
    0x00080060: _MODALITIES,
    0x00080061: _MODALITIES,
    0x00080064: "DV DI DF WSD SD SI DRW SYN",
    0x00080068: "FOR~PRESENTATION FOR~PROCESSING",
    0x00180023: "1D 2D 3D",
    0x00185100: "HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL AFP AFS PFDR PFDL PFP PFS SITTING",
    0x00200060: "R L",
    0x00200062: "R L U B",
    0x00209072: "R L U B",
    0x00280004: _PHOTOMETRIC,
    0x00280301: "YES NO",
    0x00280302: "YES NO",
    0x00281040: "LIN LOG DISP",
    0x00281041: "-1 1",
    0x00281056: "LINEAR LINEAR_EXACT SIGMOID",
    0x00282110: "00 01",
    0x20500020: "INVERSE IDENTITY",
}
"""Tag -> its terms; ``~`` stands for a space."""

_PATTERNS = {
    # Of who stands upright and of others: directions, the first first.
    0x00200020: rb"[APRLHF]{1,3}|(?:LE|RT|D|V|CR|CD|R|L|M|PR|DI|PA|PL){1,3}",
    # With what devices write in the place of the standard's terms.
    0x00080005: rb"(?:ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?[0-9]{1,3}|GB18030|GBK|UTF-?8|ISO[ _-]?8859-?[0-9]{1,2})",
    **{
        tag: "|".join(re.escape(term.replace("~", " ")) for term in terms.split()).encode()
        for tag, terms in _LISTED.items()
    },
}
TERMS = {tag: re.compile(rb" *(?:%b)? *" % pattern) for tag, pattern in _PATTERNS.items()}
"""Tag -> what one value of it looks like."""

ALL = {tag: re.compile(rb"(?:%b(?:\\%b)*)?[ \0]*" % (one.pattern, one.pattern)) for tag, one in TERMS.items()}
"""Tag -> what all of its values look like, padded."""

_UNITS = rb"(?:HU|OD|US|MGML|Z_EFF|ED|EDW|HU_MOD|PCT|IVUS|SUV|CNTS|BQML|PROPCNTS|UNSPECIFIED|normalized|Optical Density)? *"
_MEDIA = rb"[a-z]{4,12}/[a-z0-9.+-]{2,24} *"
TEXTS = {
    0x00281054: re.compile(_UNITS, re.IGNORECASE),
    0x00283004: re.compile(_UNITS, re.IGNORECASE),
    0x00180085: re.compile(rb"(?:[0-9]{1,3}[A-Z][A-Za-z]?)? *"),
    0x00420012: re.compile(_MEDIA),
    0x00420014: re.compile(rb"%b(?:\\%b)*" % (_MEDIA, _MEDIA)),
}
"""Tag of a text of which the standard lists all terms, or says the form -> what it looks like, all of it and padded.

Source: DICOM PS3.3 §C.11.1.1.2 (rescale type), §C.8.3.1 (nucleus), RFC 6838 (media types).
"""
