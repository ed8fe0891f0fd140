"""The output folder, where somebody else puts links, pipes and folders: nothing outside is read, written or removed."""

import os

import pytest

from oathward.core.errors import DeidentificationError, InputError
from oathward.core.reasons import Reason
from oathward.deidentifying.journal import Entry
from oathward.deidentifying.output import Output

AT_US = 1_800_000_000_000_000
ONE = Entry("ABCD", "text", ".txt")


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "ABCD.txt").write_bytes(b"theirs")
    (folder / "more").write_bytes(b"theirs")
    return folder


def written(output, data=b"ours"):
    fd = os.open(ONE.name, os.O_WRONLY | os.O_CREAT, dir_fd=output.partial())
    os.write(fd, data)
    os.close(fd)


def test_what_was_written_is_found_in_its_place_and_taken_back(target):
    with Output(target, AT_US) as output:
        written(output)
        output.settle([ONE])
        fd = output.opened(ONE)
        assert os.read(fd, 9) == b"ours"
        os.close(fd)
        output.remove(ONE)
        assert output.opened(ONE) is None
    assert [path.name for path in target.iterdir()] == ["AB"]


@pytest.mark.parametrize("what", ["sweep", "settle", "opened", "remove"])
def test_a_folder_that_became_a_link_stops_the_job(target, outside, what):
    (target / "AB").symlink_to(outside)
    with Output(target, AT_US) as output:
        written(output)
        argument = ONE if what in {"opened", "remove"} else [ONE]
        with pytest.raises(InputError) as caught:
            getattr(output, what)(argument)
    assert (caught.value.reason, caught.value.where) == (Reason.CONFLICT, "--out")
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {
        "ABCD.txt": b"theirs",
        "more": b"theirs",
    }


def test_the_folder_itself_is_no_link(target, tmp_path):
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InputError):
        Output(tmp_path / "link", AT_US)


@pytest.mark.parametrize("how", ["link", "pipe", "socket", "folder"])
def test_what_is_no_plain_file_is_not_what_was_written_and_nobody_waits_for_it(target, outside, how):
    (target / "AB").mkdir()
    place = target / "AB" / "ABCD.txt"
    if how == "link":
        place.symlink_to(outside / "ABCD.txt")
    elif how == "pipe":
        os.mkfifo(place)
    elif how == "socket":
        os.mknod(place, 0o140600)
    else:
        place.mkdir()
    with Output(target, AT_US) as output, pytest.raises(DeidentificationError) as caught:
        output.opened(ONE)
    assert caught.value.reason is Reason.FILE_CHANGED


def test_what_is_swept_are_names_in_the_folder_alone(target, outside):
    (target / "AB").mkdir()
    (target / "AB" / "link").symlink_to(outside / "more")
    os.mkfifo(target / "AB" / "pipe")
    (target / "AB" / "ABCD.txt").write_bytes(b"noted")
    with Output(target, AT_US) as output:
        output.sweep([ONE])
    assert [path.name for path in (target / "AB").iterdir()] == ["ABCD.txt"]
    assert (outside / "more").read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["report", ".partial"])
def test_nothing_is_written_through_a_link(target, outside, name):
    (target / name).symlink_to(outside / "more")
    with Output(target, AT_US) as output:
        output.partial()
        output.put("report", b"ours")
    assert (outside / "more").read_bytes() == b"theirs"
    assert (target / "report").read_bytes() == b"ours"
    assert not (target / ".partial").exists()
