"""A paper is kept as it is, by its SHA-256, and given back only as it was."""

import hashlib

import pytest

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.governance import files


def test_a_file_is_kept_by_its_digest_once(tmp_path):
    digest = files.keep(tmp_path, b"a paper")
    assert digest == hashlib.sha256(b"a paper").hexdigest()
    assert files.keep(tmp_path, b"a paper") == digest
    assert files.kept(tmp_path, digest) == b"a paper"
    assert [one.name for one in (tmp_path / "governance").iterdir()] == [digest]


def test_a_file_that_was_changed_is_not_given(tmp_path):
    digest = files.keep(tmp_path, b"a paper")
    (tmp_path / "governance" / digest).write_bytes(b"another")
    with pytest.raises(InputError) as caught:
        files.kept(tmp_path, digest)
    assert caught.value.reason is Reason.CONFLICT


@pytest.mark.parametrize("digest", ["0" * 64, "../oathward.db", "", "0" * 63 + "/"])
def test_what_is_no_kept_file_is_not_found(tmp_path, digest):
    with pytest.raises(InputError) as caught:
        files.kept(tmp_path, digest)
    assert caught.value.reason is Reason.NOT_FOUND


def test_nothing_and_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SIZE_BYTES_MAX", 4)
    for content in (b"", b"12345"):
        with pytest.raises(InputError):
            files.keep(tmp_path, content)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b/dua.pdf", "dua.pdf"),
        ("a\x00b", ""),
        ("x" * 121, ""),
        ("a\nb", ""),
        ("Vereinbarung ü.pdf", "Vereinbarung ü.pdf"),
    ],
)
def test_a_name_is_one_that_can_be_shown(path, name):
    assert files.name_of(path) == name
