"""PS3.15 table E.1-1: what happens to each attribute under the basic profile and each of its options.

Rules:
- Where the table offers a choice, that is taken which keeps every IOD valid whatever the attribute's type there: ``D``
  before ``Z`` before ``X``; ``U`` where references need it. So nobody has to know the IOD of a file.
- Of several options that say something of one attribute, cleaning (``C``) is stricter than keeping (``K``) and wins.
- What the basic profile says holds where no chosen option says anything.

Deliberately absent: attributes that the table does not name (``catalogue``), and the classes of a profile.

Source: DICOM PS3.15 2024b, table E.1-1 (actions: D dummy, Z empty or dummy, X removed, K kept, C cleaned, U UID replaced).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import cache
from typing import Literal, NamedTuple

EDITION = "PS3.15 2024b"
ROW_COUNT = 621

Action = Literal["D", "Z", "X", "K", "C", "U"]

BASIC = 113100
CLEAN_PIXEL_DATA = 113101
CLEAN_RECOGNIZABLE_VISUAL_FEATURES = 113102
CLEAN_GRAPHICS = 113103
CLEAN_STRUCTURED_CONTENT = 113104
CLEAN_DESCRIPTORS = 113105
RETAIN_LONGITUDINAL_FULL_DATES = 113106
RETAIN_LONGITUDINAL_MODIFIED_DATES = 113107
RETAIN_PATIENT_CHARACTERISTICS = 113108
RETAIN_DEVICE_IDENTITY = 113109
RETAIN_UIDS = 113110
RETAIN_SAFE_PRIVATE = 113111
RETAIN_INSTITUTION_IDENTITY = 113112

MEANINGS: dict[int, str] = {
    BASIC: "Basic Application Confidentiality Profile",
    CLEAN_PIXEL_DATA: "Clean Pixel Data Option",
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES: "Clean Recognizable Visual Features Option",
    CLEAN_GRAPHICS: "Clean Graphics Option",
    CLEAN_STRUCTURED_CONTENT: "Clean Structured Content Option",
    CLEAN_DESCRIPTORS: "Clean Descriptors Option",
    RETAIN_LONGITUDINAL_FULL_DATES: "Retain Longitudinal Temporal Information Full Dates Option",
    RETAIN_LONGITUDINAL_MODIFIED_DATES: "Retain Longitudinal Temporal Information Modified Dates Option",
    RETAIN_PATIENT_CHARACTERISTICS: "Retain Patient Characteristics Option",
    RETAIN_DEVICE_IDENTITY: "Retain Device Identity Option",
    RETAIN_UIDS: "Retain UIDs Option",
    RETAIN_SAFE_PRIVATE: "Retain Safe Private Option",
    RETAIN_INSTITUTION_IDENTITY: "Retain Institution Identity Option",
}
"""Codes of the coding scheme DCM and what they mean. Source: DICOM PS3.16, CID 7050."""


class Row(NamedTuple):
    """One row: what the basic profile says, and what options say instead (code, action)."""

    basic: str
    options: tuple[tuple[int, Action], ...]


_CHOSEN: dict[str, Action] = {
    "D": "D",
    "Z": "Z",
    "X": "X",
    "U": "U",
    "Z/D": "D",
    "X/D": "D",
    "X/Z/D": "D",
    "X/Z": "Z",
    "X/Z/U*": "U",
}
"""A choice of the table -> what is taken of it."""

# Basic action; options as the last three digits of their code and what they say; tags of the rows that say so.
_ROWS: tuple[tuple[str, str, str], ...] = (
    (
        "D",
        "",
        (
            "00120010 00120020 00120040 00120042 00340001 00340002 00340005 00400512 00400551 00401101 "
            "0040A027 0040A073 0040A075 0040A123 00420011 00720065 0072006A 0072006D 00720071 04000115"
        ),
    ),
    ("D", "103C", "00700001"),
    ("D", "104C", "0040A730"),
    (
        "D",
        "105C",
        (
            "001811BB 006A0005 00720066 00720068 0072006C 0072006E 00720070 04000565 30060002 300A0002 "
            "300A0608 300A0619 300A0623 300A062A 300A067C 300A0734 300A0742 300A0783 30100033 30100034 "
            "30100035 30100038 30100054"
        ),
    ),
    (
        "D",
        "106K 107C",
        (
            "00080106 00080107 00189074 00189151 00189369 0018936A 00189623 00189701 00189804 00340007 "
            "003A0314 0040A030 0040A120 0040A121 0040A122 0040A13A 00440104 00686226 00686270 0072000A "
            "00720061 00720063 0072006B 04000105 04000562 30080024 30080025 30080162 30080164 30080166 "
            "30080168 300A022C 300A022E 300A0736 300A073A 300A0741 300A0760"
        ),
    ),
    ("D", "106K 107C 109K", "300C0127"),
    ("D", "108K", "0072005F"),
    ("D", "109C", "0072005E 21000140"),
    ("D", "109K", "00189367 00189371 04000563 3010002D"),
    ("D", "110K", "006A0003"),
    ("D", "112K", "00120081"),
    ("U", "", "0040A124 04000100"),
    ("U", "109K 110K", "00181002 0018100B"),
    (
        "U",
        "110K",
        (
            "00001001 00020003 00041511 00080014 00080017 00080018 00080019 00080058 00081155 00081195 "
            "00083010 00182042 0020000D 0020000E 00200052 00200200 00209161 00209164 00281199 00281214 "
            "003A0310 00400554 00404023 0040A171 0040A172 0040A402 0040DB0C 0040DB0D 00620021 00640003 "
            "0070031A 00701101 00701102 00880140 30060024 300600C2 300A0013 300A0083 300A0609 300A0650 "
            "300A0700 300A0785 30100006 3010000B 30100013 30100015 30100031 3010003B 3010006E 3010006F"
        ),
    ),
    (
        "X",
        "",
        (
            "00080092 00080094 00080096 0008009D 00081048 00081049 00081050 00081052 00081060 00081062 "
            "00100021 00100032 00100050 00100101 00100102 00101000 00101001 00101002 00101005 00101040 "
            "00101050 00101060 00101080 00101081 00101090 00101100 00102150 00102152 00102154 00102155 "
            "001021F0 00102297 00102299 00120022 00120023 00120032 00120041 00120043 00120055 00120071 "
            "00120073 00120082 0016004D 00160070 00160071 00160072 00160073 00160074 00160075 00160076 "
            "00160077 00160078 00160079 0016007A 0016007B 0016007C 0016007D 0016007E 0016007F 00160080 "
            "00160081 00160082 00160083 00160084 00160085 00160086 00160087 00160088 00160089 0016008A "
            "0016008B 0016008C 0016008E 00203406 00284000 00320012 00321032 00321033 00380004 00380010 "
            "00380011 00380014 0038001E 00380060 00380061 00380064 00380300 00380400 00400006 00400009 "
            "0040000B 00400243 00400253 0040050A 004006FA 00401001 00401004 00401005 00401010 00401011 "
            "00401102 00401103 00401104 00402008 00402009 00402010 00402011 00403001 00404034 00404035 "
            "00404036 00404037 0040A078 0040A07A 0040A07C 0040A307 0040A352 0040A353 0040A354 0040A358 "
            "0050001B 00700086 00880200 00880904 00880906 00880910 00880912 04000402 04000403 04000404 "
            "04000550 04000551 04000552 04000561 04000600 20300020 3006004D 3006004E 40000010 40004000 "
            "40080040 40080042 40080102 4008010A 4008010C 40080111 40080114 40080118 40080119 4008011A "
            "40080200 40080202 FFFAFFFA FFFCFFFC"
        ),
    ),
    (
        "X",
        "105C",
        (
            "00081030 0008103E 00081080 00081084 00081088 00082111 00084000 00102000 00102180 001021B0 "
            "00104000 00120051 00120072 0016002B 0016004B 00184000 00189185 0018937B 0018937F 00189424 "
            "00189937 0018A003 00200027 00204000 00209158 00321030 00321066 00321067 00321070 00324000 "
            "00380040 00380062 00384000 003A0329 003A032B 00400007 00400254 00400275 00400280 00400310 "
            "0040051A 00400600 00400602 00401002 0040100A 00401400 00402001 00402400 00500021 006A0006 "
            "30020121 30020123 30060004 30060006 30060028 30060038 30060085 30060088 300A0003 300A0004 "
            "300A000B 300A000E 300A0016 300A0072 300A00C3 300A00DD 300A0196 300A01A6 300A01B2 300A02EB "
            "300A0676 300A078E 300A0792 300A0794 300A079A 300C0113 30100036 30100037 30100061 4008010B "
            "40080115 40080300 40084000"
        ),
    ),
    ("X", "105C 108C", "00102110 00380500"),
    (
        "X",
        "106K 107C",
        (
            "00080015 00080024 00080025 00080034 00080035 00080201 001021D0 00120086 00120087 0016008D "
            "00180027 00180035 00181012 00181014 00181042 00181043 00181072 00181073 00181078 00181079 "
            "0018A002 00203403 00203405 00320032 00320033 00320034 00320035 00321000 00321001 00321010 "
            "00321011 00321040 00321041 00321050 00321051 0038001A 0038001B 0038001C 0038001D 00380020 "
            "00380021 00380030 00380032 00400002 00400003 00400004 00400005 00400244 00400245 00400250 "
            "00400251 00402004 00402005 00404005 00404008 00404010 00404011 00404050 00404051 00404052 "
            "0040A023 0040A024 0040A033 0040A110 0040A112 0040A192 0040A193 0040DB06 0040DB07 0040E004 "
            "00440004 0044000B 00440010 00440105 00700082 00700083 01000420 04000310 21000040 21000050 "
            "3006002D 3006002E 30100085 40080100 40080101 40080108 40080109 40080112 40080113"
        ),
    ),
    ("X", "106K 107C 109K", "0014407C 0014407E 00181200 00181201 00181202 00181204 00181205"),
    ("X", "108C", "00380050 00400012"),
    ("X", "108K", "00101010 00101020 00101030 00102160 001021A0 001021C0"),
    (
        "X",
        "109C",
        "00080054 00080055 00081000 00321021 00400001 00400241 00741234 00741236 21000070",
    ),
    (
        "X",
        "109K",
        (
            "0016004E 0016004F 00160050 00160051 00181004 00181005 00181007 00181008 00181009 0018100A "
            "00185011 00189373 00203401 00321020 00400010 00400011 00400242 00404025 00404027 00404028 "
            "00404030 00500020 300A0216"
        ),
    ),
    ("X", "110K", "00001000 00081120"),
    ("X", "112K", "00080081 00081040 00081041"),
    ("X/D", "", "00081072"),
    ("X/D", "105C", "00181030 00181400 30100056 30100077"),
    (
        "X/D",
        "106K 107C",
        (
            "00080012 00080021 00080031 00189516 00189517 0040A032 30080054 30080056 30080250 30080251 "
            "300A0006 300A0007 3010004C 3010004D"
        ),
    ),
    ("X/D", "106K 107C 109K", "0018700C 0018700E"),
    ("X/D", "109K", "0018700A"),
    ("X/Z", "", "22000005 300E0008"),
    ("X/Z", "104C", "00400555"),
    ("X/Z", "105C", "00321060 22000002"),
    ("X/Z", "106K 107C", "00080022 00080032"),
    ("X/Z", "108K", "00102203"),
    ("X/Z", "109K", "30080105 300A00B2"),
    ("X/Z", "110K", "00081110"),
    ("X/Z/D", "", "00081070"),
    ("X/Z/D", "106K 107C", "00080013 0008002A"),
    ("X/Z/D", "109K", "00081010 00181000"),
    ("X/Z/D", "110K", "00081111"),
    ("X/Z/D", "112K", "00080080 00080082"),
    ("X/Z/U*", "110K", "00081140 00082112"),
    (
        "Z",
        "",
        (
            "00080050 00080090 0008009C 00100010 00100030 00120021 00120050 00200010 00400513 00400562 "
            "00402016 00402017 0040A088 300600A6 300A0611 300A0615 3010001B"
        ),
    ),
    ("Z", "104C", "00400610"),
    (
        "Z",
        "105C",
        "30060026 300A067D 3010000F 30100017 3010005A 3010005C 3010007A 3010007B 3010007F 30100081",
    ),
    ("Z", "106K 107C", "00080020 00080030 0040A082 30060008 30060009 300E0004 300E0005"),
    ("Z", "106K 107C 109K", "00181203"),
    ("Z", "108K", "00100040"),
    ("Z", "109K", "30100043"),
    ("Z", "112K", "00120030 00120031 00120060 04000564"),
    ("Z/D", "", "00100020 00700084"),
    ("Z/D", "105C", "00180010"),
    ("Z/D", "106K 107C", "00080023 00080033 00189919"),
)

CURVES = Row("X", ((CLEAN_GRAPHICS, "C"),))
"""(50xx,xxxx), all of these groups."""

OVERLAYS = Row("X", ((CLEAN_GRAPHICS, "C"),))
"""(60xx,3000) and (60xx,4000)."""

PRIVATE = Row("X", ((RETAIN_SAFE_PRIVATE, "C"),))
"""All attributes of odd groups."""

NEVER_EMPTY = frozenset((0x00081110,))
"""Sequences (``X/Z``) that may be absent and never without an item: of these ``X`` is taken."""

_OVERLAY_ELEMENTS = frozenset((0x3000, 0x4000))


@cache
def rows() -> dict[int, Row]:
    """Give the rows that name one attribute: tag as a number -> row."""
    found: dict[int, Row] = {}
    for basic, options, tags in _ROWS:
        said = tuple(_said(word) for word in options.split())
        found |= dict.fromkeys((int(tag, 16) for tag in tags.split()), Row(basic, said))
    return found


def _said(word: str) -> tuple[int, Action]:
    return 113000 + int(word[:3]), "K" if word[3:] == "K" else "C"


def row_of(tag: int) -> Row | None:
    """Give the row of an attribute; None where the table does not name it."""
    group = tag >> 16
    if group & 1:
        return PRIVATE
    if group >> 8 == 0x50:
        return CURVES
    if group >> 8 == 0x60 and tag & 0xFFFF in _OVERLAY_ELEMENTS:
        return OVERLAYS
    return rows().get(tag)


def basic(row: Row) -> Action:
    """Give what is taken of what the basic profile says."""
    return _CHOSEN[row.basic]


def action_of(row: Row, options: AbstractSet[int]) -> Action:
    """Give what happens to the attributes of a row under the chosen options."""
    said = {action for code, action in row.options if code in options}
    if said:
        return "C" if "C" in said else "K"
    return basic(row)
