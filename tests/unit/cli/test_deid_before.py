"""What a job says before it begins: an authority nobody knows, and images that cannot leave."""

from dataclasses import replace

import pytest
from tests.site import Site, local

from oathward.cli import deid_before
from oathward.cli.asking import opened
from oathward.cli.doctor import CHECKS
from oathward.cli.doctor_deid import images
from oathward.core.errors import InputError
from oathward.deidentifying import ocr

DECLARED = '[patients.authorities]\nHOSP = ["urn:oid:1.2.3.4"]\n'


def ask(folder, text):
    with opened(str(folder)) as site:
        deid_before.check_authority(site, text)


def test_where_the_settings_declare_authorities_a_typo_is_refused(tmp_path, capsys):
    folder = Site.make(tmp_path / "s", more=DECLARED).folder
    with pytest.raises(InputError, match="did you mean `HOSP`") as found:
        ask(folder, "HOPS")
    assert found.value.where == "--authority"
    for known in ("", "HOSP", "hosp", "1.2.3.4", "&1.2.3.4&ISO"):
        ask(folder, known)
    assert capsys.readouterr().err == ""


def test_where_only_devices_name_one_a_typo_is_warned_of(tmp_path, capsys):
    site = Site.make(tmp_path / "s")
    ask(site.folder, "ZZZ")
    assert capsys.readouterr().err == "", "a first job on a fresh site"
    site.add(replace(local("mon-1", "MON1"), default_authority="CLINIC"))
    ask(site.folder, "CLINIC")
    assert capsys.readouterr().err == ""
    ask(site.folder, "CLINC")
    assert "did you mean `CLINIC`" in capsys.readouterr().err


@pytest.fixture
def dicom(tmp_path):
    file = tmp_path / "in" / "IM0001"
    file.parent.mkdir()
    file.write_bytes(bytes(128) + b"DICM" + bytes(32))
    return file


@pytest.mark.parametrize("name", ["IM0001", "a.dcm", "B.DCM"])
def test_images_that_will_be_held_are_told_before(dicom, name, monkeypatch, capsys):
    monkeypatch.setattr(ocr.shutil, "which", lambda _: None)
    file = dicom.rename(dicom.with_name(name))
    for source in (file, file.parent):
        deid_before.tell_of_images(source)
        told = capsys.readouterr()
        assert "held whole" in told.err
        assert "apt install tesseract-ocr" in told.err
        assert not told.out


def test_nothing_is_told_of_images_where_there_are_none_or_they_can_be_read(dicom, monkeypatch, capsys):
    monkeypatch.setattr(ocr, "lacking", list)
    deid_before.tell_of_images(dicom)
    monkeypatch.setattr(ocr, "lacking", lambda: ["Tesseract"])
    dicom.write_bytes(b"MSH|" + bytes(200))
    deid_before.tell_of_images(dicom.parent)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("what", "level"), [([], "ok"), (["Tesseract"], "note")])
def test_doctor_says_whether_images_can_be_read(what, level, monkeypatch):
    monkeypatch.setattr(ocr, "lacking", lambda: what)
    (line,) = images(None)
    assert line.level == level
    assert all(one in line.what for one in what)
    assert images in CHECKS


def test_a_path_at_which_nothing_stands_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder or file `.*mixd`") as found:
        deid_before.check_there("--in", tmp_path / "mixd")
    assert found.value.where == "--in"
    deid_before.check_there("--in", tmp_path)
