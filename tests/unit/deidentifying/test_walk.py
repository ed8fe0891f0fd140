"""A folder is read as it is: links lead nowhere, what is no file is named, what changed meanwhile is not opened."""

import os

import pytest

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.deidentifying import walk
from oathward.deidentifying.walk import TOO_DEEP, Item, items, opened


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    (root / "b" / "c").mkdir(parents=True)
    (root / "a.hl7").write_bytes(b"MSH|")
    (root / "b" / "c" / "d.json").write_bytes(b"{}")
    return root


def read(root, item):
    fd = opened(root, item)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def test_files_are_listed_in_order_and_read(folder):
    found = items(folder)
    assert found == [Item("a.hl7", 4), Item("b/c/d.json", 2)]
    assert [read(folder, one) for one in found] == [b"MSH|", b"{}"]


def test_one_file_is_a_list_of_one(folder):
    (one,) = items(folder / "a.hl7")
    assert read(folder / "a.hl7", one) == b"MSH|"


def test_links_and_pipes_are_listed_as_no_file_and_not_opened(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "link").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    odd = {one.path: one for one in items(folder) if one.size < 0}
    assert odd.keys() == {"link", "out", "pipe"}
    for one in odd.values():
        with pytest.raises(InputError):
            read(folder, one)


def test_a_file_that_became_a_link_is_not_followed(folder, tmp_path):
    listed = items(folder)
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "a.hl7").unlink()
    (folder / "a.hl7").symlink_to(secret)
    with pytest.raises(InputError) as refused:
        read(folder, listed[0])
    assert refused.value.reason is Reason.NOT_FOUND


def test_a_folder_that_became_a_link_is_not_followed(folder, tmp_path):
    listed = items(folder)
    (folder / "b" / "c").rename(tmp_path / "elsewhere")
    (folder / "b" / "c").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        read(folder, listed[1])


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(InputError) as refused:
        items(tmp_path / "none")
    assert refused.value.reason is Reason.NOT_FOUND


def test_what_is_deeper_than_anybody_files_is_one_thing_and_held(folder):
    names = [str(n) * 60 for n in range(10)]  # a path of them is longer than a system takes
    at = os.open(folder, os.O_RDONLY)
    for step in [*names * 12, *names[:9]]:
        os.mkdir(step, dir_fd=at)
        below = os.open(step, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    for name in ("deep", "a/b"):
        os.mkdir(name.partition("/")[0], dir_fd=at)
    os.close(os.open("a.txt", os.O_CREAT, dir_fd=at))
    os.close(at)
    found = [item for item in items(folder) if item.path.startswith("0")]
    assert sorted(size for _, size in found) == [TOO_DEEP]


def test_as_deep_as_one_may_go_a_file_is_read(folder, monkeypatch):
    monkeypatch.setattr(walk, "DEPTH_MAX", 2)
    for name in ("a/b/in.txt", "a/b/c/out.txt"):
        (folder / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "top" / name).write_bytes(b"four")
    assert items(folder / "top") == [Item("a/b/c", TOO_DEEP), Item("a/b/in.txt", 4)]
