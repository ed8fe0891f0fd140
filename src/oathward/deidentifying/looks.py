"""What a file looks like that no format recognises, by its first bytes: told to whoever wonders why it was held.

Rules:
- It is a hint for people. Nothing is decided by it, and nothing is parsed.
- Words are of these tables; none is of the file.

Source: the signatures that the formats' own specifications give.
"""

from __future__ import annotations

import re

UNKNOWN = "file"

_ZIP = b"PK\x03\x04"
_INSIDE_ZIP = (
    (b"word/", "a Word document"),
    (b"xl/", "an Excel workbook"),
    (b"ppt/", "a PowerPoint presentation"),
    (b"opendocument", "an OpenDocument file"),
    (b"[Content_Types].xml", "a Word, Excel or PowerPoint file"),
    (b"", "a ZIP archive"),
)
_SIGNATURES = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Word, Excel or Outlook file of before 2007"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (4, b"ftyp", "a video, or a HEIF image"),
    (8, b"AVI ", "a video"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
    (8, b"WAVE", "sound"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
)
_MARKED_UP = (
    (b"<clinicaldocument", "a CDA document"),
    (b"http://hl7.org/fhir", "FHIR as XML"),
    (b"<html", "an HTML page"),
    (b"<!doctype html", "an HTML page"),
    (b"", "an XML document"),
)
_TABLES = (".csv", ".tsv")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def looks_like(head: bytes, name: str) -> str:
    """Say what a file looks like: ``looks like a PDF document``; ``file`` where nothing tells.

    Args:
        head: its first bytes. name: its suffix, in lower case.
    """
    found = _found(head, name)
    return f"looks like {found}" if found else UNKNOWN


def _found(head: bytes, name: str) -> str:
    if head.startswith(_ZIP):
        return next(said for mark, said in _INSIDE_ZIP if mark in head)
    for at, mark, said in _SIGNATURES:
        if head.startswith(mark, at):
            return said
    if _BINARY.search(head):
        return ""
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith(b"<"):
        return next(said for mark, said in _MARKED_UP if mark in text)
    if text.startswith((b"{", b"[")):
        return "JSON, and no FHIR resource"
    return "a table" if name.endswith(_TABLES) else "text, with no suffix of texts (.txt, .text, .md)"
