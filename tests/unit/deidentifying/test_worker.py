"""A worker that a bug ends says where, and nothing of what it read."""

import base64
import sys

from tests.dicom import ct, encoded

from oathward.core.words import WordHasher
from oathward.deid.profile import builtin_profiles, builtin_texts
from oathward.deid.text.model import Known
from oathward.deidentifying import worker
from oathward.deidentifying.residue import words_of

BEGUN = {
    "profile": "research",
    "profile_text": builtin_texts()["research"],
    "authorities": {},
    "folder": "files",
    "authority": "",
    "language": "",
    "pixel_boxes": "",
    "word_key": base64.b64encode(bytes(32)).decode(),
    "program": "test",
    "project": "p",
    "recorded": "2026-01-02T03:04:05Z",
}


def test_a_bug_is_told_by_place_and_kind_alone(capsys):
    try:
        int("Doe^John")
    except ValueError:
        worker._ended(*sys.exc_info())
    told = capsys.readouterr().err
    assert "ValueError at test_worker.py:31" in told
    assert "Doe" not in told


def test_what_a_worker_searches_of_a_dicom_file_are_its_texts_by_their_character_set(tmp_path):
    known = Known((("patient.name", "", "Müller"), ("patient.name", "", "Jörgen")))
    words = words_of(known, builtin_profiles()["research"], WordHasher(bytes(32)))
    path = tmp_path / "written"
    path.write_bytes(encoded(ct(StationName="JÖRGEN MÜLLER")))
    with path.open("rb") as file:
        own = {word.hex(): cls for word, cls in words.items()}
        found = worker.Worker(BEGUN, None).search("dicom", own, file.fileno())
    assert found == {"found": {"patient.name": 1}, "named": ""}
