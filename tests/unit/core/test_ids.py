"""Ids sort by time, and no random bytes come twice."""

import os
import threading
import uuid

from oathward.core.ids import random16, uuid7


def test_ids_are_version_7_and_sort_by_time():
    ids = [uuid7(ms) for ms in (0, 1, 1_700_000_000_000, 2**48 - 1)]
    assert ids == sorted(ids)
    assert {(uuid.UUID(i).version, uuid.UUID(i).variant) for i in ids} == {(7, uuid.RFC_4122)}


def test_threads_never_get_the_same_bytes():
    drawn: list[list[bytes]] = [[] for _ in range(4)]

    def draw(mine):
        mine.extend(random16() for _ in range(20_000))

    threads = [threading.Thread(target=draw, args=(mine,)) for mine in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = [one for mine in drawn for one in mine]
    assert len(set(together)) == len(together) == 80_000
    assert {len(one) for one in together} == {16}


def test_a_forked_child_has_bytes_of_its_own():
    random16()  # the parent has some left
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"".join(random16() for _ in range(600)))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        theirs = file.read()
    os.waitpid(child, 0)
    ours = {random16() for _ in range(600)}
    assert not ours & {theirs[at : at + 16] for at in range(0, len(theirs), 16)}
