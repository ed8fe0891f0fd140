"""Whoever wonders why a file was held is told what it looks like, in words of ours alone."""

import io
import zipfile

import pytest

from oathward.deidentifying.format import HEAD_BYTES
from oathward.deidentifying.looks import looks_like


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "Quixley")
    return file.getvalue()


SEEN = [
    (b"%PDF-1.7\n", ".pdf", "looks like a PDF document"),
    (zipped("[Content_Types].xml", "word/document.xml"), ".docx", "looks like a Word document"),
    (zipped("[Content_Types].xml", "xl/workbook.xml"), ".xlsx", "looks like an Excel workbook"),
    (zipped("[Content_Types].xml"), ".docx", "looks like a Word, Excel or PowerPoint file"),
    (zipped("a.hl7"), ".zip", "looks like a ZIP archive"),
    (b"\x89PNG\r\n\x1a\n" + bytes(9), ".png", "looks like a PNG image"),
    (b"\xff\xd8\xff\xe0" + bytes(9), ".jpg", "looks like a JPEG image"),
    (b"\x1f\x8b\x08" + bytes(9), ".gz", "looks like a gzip archive"),
    (bytes(257) + b"ustar", ".tar", "looks like a tar archive"),
    (b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">', ".xml", "looks like a CDA document"),
    (b'<Patient xmlns="http://hl7.org/fhir">', ".xml", "looks like FHIR as XML"),
    (b"<!DOCTYPE html><p>Quixley", ".html", "looks like an HTML page"),
    (b"<note>Quixley</note>", ".xml", "looks like an XML document"),
    (b'{"name":"Quixley"}', ".json", "looks like JSON, and no FHIR resource"),
    (b"name,number\nQuixley,1\n", ".csv", "looks like a table"),
    (b"Quixley was seen", ".log", "looks like text, with no suffix of texts (.txt, .text, .md)"),
    (b"\x00\x01\x02Quixley", ".bin", "file"),
]


@pytest.mark.parametrize(("data", "name", "said"), SEEN, ids=lambda one: one if isinstance(one, str) else "")
def test_it_is_told_by_its_first_bytes(data, name, said):
    assert looks_like(data[:HEAD_BYTES], name) == said
