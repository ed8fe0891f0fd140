"""Promises of sealed bodies on disk and in a table."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from oathward.core.db import connect, create_tables
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.vault import bodies
from oathward.vault.bodies import BodyRef, SegmentReader, SegmentStore, scan, segment_path
from oathward.vault.table_store import TableStore


@pytest.fixture
def store(tmp_path):
    made = SegmentStore(tmp_path / "bodies", "kept", "gateway")
    yield made
    made.close()


def again(store: SegmentStore, **options) -> SegmentStore:
    root = store._root
    store.close()
    return SegmentStore(root, "kept", "gateway", **options)


@pytest.fixture(params=["segments", "table"])
def any_store(request, tmp_path):
    if request.param == "segments":
        made = SegmentStore(tmp_path / "bodies", "kept", "gateway")
    else:
        engine = connect(f"sqlite:///{tmp_path / 't.db'}")
        create_tables(engine)
        made = TableStore(engine, "demo", "kept", "gateway")
    yield made
    made.close()


def test_bodies_come_back_whatever_their_size(any_store):
    sent = [b"", b"a", os.urandom(2_250), bytes(100_000), os.urandom(70_000)]
    refs = any_store.append(sent)
    any_store.flush()
    refs += any_store.append([b"later"])
    any_store.flush()
    assert [any_store.read(ref) for ref in refs] == [*sent, b"later"]
    assert [ref.length for ref in refs] == [len(body) for body in [*sent, b"later"]]
    assert refs[2].sha256 == hashlib.sha256(sent[2]).digest()
    assert len({(ref.id, ref.offset) for ref in refs}) == len(refs)


def test_a_ref_that_is_not_what_was_stored_is_refused(any_store):
    first, second = any_store.append([b"one", b"two"])
    any_store.flush()
    mixed = BodyRef(first.store, first.id, first.offset, first.length, second.sha256)
    longer = BodyRef(first.store, first.id, first.offset, first.length + 1, first.sha256)
    for bad in (mixed, longer):
        with pytest.raises(StorageError) as refused:
            any_store.read(bad)
        assert refused.value.reason is Reason.STORAGE_FAILED
    gone = BodyRef(first.store, first.id + 99, first.offset, first.length, first.sha256)
    with pytest.raises(StorageError) as refused:
        any_store.read(gone)
    assert refused.value.reason is Reason.NOT_FOUND


def test_many_are_read_as_each_alone_in_any_order(any_store):
    sent = [os.urandom(size) for size in (0, 1, 2_250, 2_250, 70_000, 10, 40_000, 30_000, 1, 0)]
    refs = any_store.append(sent)
    any_store.flush()
    order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 3, 2, 8, 0]
    assert any_store.read_many([refs[n] for n in order]) == [sent[n] for n in order]
    assert any_store.read_many(refs[::3]) == sent[::3]
    assert any_store.read_many([]) == []


def test_among_many_each_bad_one_is_refused_alone(any_store):
    sent = [b"one", b"two", b"three", b"four"]
    refs = any_store.append(sent)
    any_store.flush()
    mixed = refs[1]._replace(sha256=refs[2].sha256)
    bad = [
        mixed,
        refs[2]._replace(length=-1),
        refs[3]._replace(length=10_000),
        refs[3]._replace(id=999_999),
        refs[3]._replace(store="kept/../x"),
        refs[0]._replace(offset=-5 if refs[0].offset else 7, sha256=refs[1].sha256),
    ]
    for one in bad:
        got = any_store.read_many([refs[0], one, refs[3]])
        assert (got[0], got[2]) == (b"one", b"four")
        assert isinstance(got[1], StorageError)


def test_a_database_that_cannot_be_asked_says_nothing_of_any_body(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 't.db'}")
    create_tables(engine)
    made = TableStore(engine, "demo", "kept", "gateway")
    refs = made.append([b"one", b"two"])
    made.flush()
    with engine.begin() as db:
        db.exec_driver_sql("ALTER TABLE body RENAME TO away")
    with pytest.raises(StorageError, match="database"):
        made.read_many(refs)


def test_a_changed_byte_among_many_is_found(store):
    refs = store.append([b"one", b"two", b"three"])
    store.flush()
    path = segment_path(store._root, store.store, refs[1].id)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"two")] ^= 1
    path.write_bytes(raw)
    got = store.read_many(refs)
    assert (got[0], got[2]) == (b"one", b"three")
    assert isinstance(got[1], StorageError)


def test_a_changed_byte_on_disk_is_found_on_read_and_by_scan(store):
    ref, other = store.append([b"x" * 100, b"y" * 100])
    store.flush()
    path = segment_path(store._root, ref.store, ref.id)
    raw = bytearray(path.read_bytes())
    raw[ref.offset + 12 + 50] ^= 1
    path.write_bytes(raw)
    with pytest.raises(StorageError):
        store.read(ref)
    assert store.read(other) == b"y" * 100
    assert [good for _, _, good in scan(path)] == [False, True]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "kept/../../x", "kept", "kept/", "/kept/gateway", "kept/GATE", "kept/a/b", "k\0/x"],
)
def test_a_hostile_store_name_in_a_row_opens_no_path(store, name):
    with pytest.raises(StorageError) as refused:
        store.read(BodyRef(name, 1, 0, 1, bytes(32)))
    assert refused.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(("length", "offset"), [(-1, 0), (1, -1), (1 << 40, 0)])
def test_hostile_numbers_in_a_row_are_refused(store, length, offset):
    (ref,) = store.append([b"x"])
    with pytest.raises(StorageError):
        store.read(BodyRef(ref.store, ref.id, offset, length, bytes(32)))


def test_segments_roll_over_and_every_body_stays_readable(tmp_path):
    store = SegmentStore(tmp_path / "b", "kept", "gateway", segment_bytes_max=10_000)
    sent = [os.urandom(3_000) for _ in range(20)]
    refs = []
    for body in sent:
        refs += store.append([body])
        if len(refs) % 3 == 0:
            store.flush()
    store.flush()
    assert len(store.segments()) > 4
    assert [store.read(ref) for ref in refs] == sent
    reader = SegmentReader(tmp_path / "b")
    assert [reader.read(ref) for ref in refs] == sent
    reader.close()
    store.close()


def test_one_writer_a_folder(store):
    with pytest.raises(StorageError) as refused:
        SegmentStore(store._root, "kept", "gateway")
    assert refused.value.reason is Reason.CONFLICT
    SegmentStore(store._root, "kept", "replay").close()
    again(store).close()


def test_a_start_never_writes_over_old_bytes(store):
    (first,) = store.append([b"first"])
    store.flush()
    store = again(store)
    (second,) = store.append([b"second"])
    assert second.id > first.id
    assert store.read(first) == b"first"
    store.close()


def test_an_unreferenced_tail_is_discarded_and_nothing_else(store):
    one, two, three = store.append([b"one", b"two" * 1000, b"three"])
    store.flush()
    store = again(store)
    (four,) = store.append([b"four"])
    store.flush()
    store = again(store)
    assert store.discard_tail(two) > 0
    assert store.read(one) == b"one"
    assert store.read(two) == b"two" * 1000
    for gone in (three, four):
        with pytest.raises(StorageError):
            store.read(gone)
    assert store.discard_tail(two) == 0
    (five,) = store.append([b"five"])
    store.flush()
    assert store.read(five) == b"five"
    with pytest.raises(StorageError, match="too late"):
        store.discard_tail(None)
    store.close()


def test_without_any_row_everything_is_an_unreferenced_tail(store):
    store.append([b"one"])
    store.flush()
    store = again(store)
    assert store.discard_tail(None) > 0
    assert store.segments() == []
    store.close()


def test_a_reader_follows_a_writer_that_counts_from_one_again(store):
    """The courier runs on while a writer starts twice, with nothing waiting: the number is used for another file."""
    reader = SegmentReader(store._root)
    [first] = store.append([b"one"])
    store.flush()
    assert reader.read(first) == b"one"
    store = again(store)
    store.discard_tail(None)
    store = again(store)
    refs = store.append([b"another", b"and one"])
    store.flush()
    assert (refs[0].store, refs[0].id) == (first.store, first.id)
    assert reader.read_many(refs) == [b"another", b"and one"]
    assert reader.read(refs[1]) == b"and one"
    reader.close()
    store.close()


def test_a_dropped_segment_is_gone_and_the_one_being_written_stays(store):
    (old,) = store.append([b"old"])
    store.flush()
    store = again(store)
    (new,) = store.append([b"new"])
    store.flush()
    assert store.read(old) == b"old"
    store.drop(old.id)
    with pytest.raises(StorageError) as refused:
        store.read(old)
    assert refused.value.reason is Reason.NOT_FOUND
    with pytest.raises(StorageError, match="being written"):
        store.drop(new.id)
    store.close()


def test_a_failed_flush_is_fatal_for_the_store(store, monkeypatch):
    store.append([b"one"])
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError(errno.EIO, "io")))
    with pytest.raises(StorageError) as refused:
        store.flush()
    assert refused.value.reason is Reason.STORAGE_FAILED
    monkeypatch.setattr(os, "fdatasync", real)  # a later flush would "succeed": the kernel forgot the pages
    for act in (lambda: store.append([b"two"]), store.flush):
        with pytest.raises(StorageError):
            act()


def test_a_flush_covers_segments_that_were_rolled_and_names_new_files_durably(tmp_path, monkeypatch):
    synced, folders = [], []
    real, real_folder = os.fdatasync, bodies.sync_folder
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: (synced.append(Path(f"/proc/self/fd/{fd}").readlink()), real(fd))
    )
    monkeypatch.setattr(bodies, "sync_folder", lambda folder: (folders.append(folder), real_folder(folder)))
    store = SegmentStore(tmp_path / "b", "kept", "gateway", segment_bytes_max=1)
    folders.clear()
    store.append([b"one"])
    store.append([b"two"])
    assert synced == []
    store.flush()
    assert sorted(name.name for name in synced) == ["000001.seg", "000002.seg"]
    assert folders == [store._folder]
    store.flush()
    assert len(synced) == 2
    store.close()


def full_after(monkeypatch, size: int):
    """Let the disk take so many bytes more, then be full; writes may come short, as kernels do."""
    left, real = [size], os.pwrite

    def pwrite(fd, data, offset):
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "full")
        part = bytes(data)[: left[0]]
        left[0] -= len(part)
        return real(fd, part, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)


@pytest.mark.parametrize("room", [0, 1, 11, 12, 13, 2_000, 5_000])
def test_a_full_disk_keeps_nothing_and_recovers_alone(tmp_path, monkeypatch, room):
    store = SegmentStore(tmp_path / "b", "kept", "gateway")
    (before,) = store.append([b"before"])
    store.flush()
    path = segment_path(store._root, before.store, before.id)
    size = path.stat().st_size
    with monkeypatch.context() as m:
        full_after(m, room)
        for _ in range(2):
            with pytest.raises(StorageError) as refused:
                store.append([os.urandom(3_000), os.urandom(3_000)])
            assert refused.value.reason is Reason.STORAGE_FULL
    assert path.stat().st_size == size
    (after,) = store.append([b"after"])
    store.flush()
    assert store.read(before) == b"before"
    assert store.read(after) == b"after"
    assert [good for _, _, good in scan(path)] == [True, True]
    store.close()


def test_a_disk_too_full_for_a_new_segment_recovers_too(tmp_path, monkeypatch):
    store = SegmentStore(tmp_path / "b", "kept", "gateway")
    with monkeypatch.context() as m:
        full_after(m, 5)
        with pytest.raises(StorageError) as refused:
            store.append([b"x"])
        assert refused.value.reason is Reason.STORAGE_FULL
    assert store.segments() == []
    (ref,) = store.append([b"x"])
    store.flush()
    assert store.read(ref) == b"x"
    store.close()


def test_another_write_error_ends_the_store(store, monkeypatch):
    store.append([b"x"])
    with monkeypatch.context() as m:
        m.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "io")))
        with pytest.raises(StorageError) as refused:
            store.append([b"y"])
        assert refused.value.reason is Reason.STORAGE_FAILED
    with pytest.raises(StorageError):
        store.append([b"z"])


def test_scan_stops_at_a_torn_record_and_refuses_a_foreign_file(store, tmp_path):
    store.append([b"one", b"two"])
    store.flush()
    path = segment_path(store._root, "kept/gateway", 1)
    raw = path.read_bytes()
    for cut in range(1, 15):
        path.write_bytes(raw[:-cut])
        assert len(list(scan(path))) == 1
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"OATHSEG1" + b"\xff" * 100)
    with pytest.raises(StorageError):
        list(scan(foreign))


def test_table_store_discards_its_tail_and_counts_on(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 't.db'}")
    create_tables(engine)
    store = TableStore(engine, "demo", "kept", "gateway")
    one, two = store.append([b"one", b"two"])
    store.flush()
    store = TableStore(engine, "demo", "kept", "gateway")
    assert store.discard_tail(one) == 1
    with pytest.raises(StorageError):
        store.read(two)
    other = TableStore(engine, "elsewhere", "kept", "gateway")
    with pytest.raises(StorageError):
        other.read(one)
    store.drop(one.id)
    with pytest.raises(StorageError):
        store.read(one)


def test_table_store_tries_again_what_was_not_flushed(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 't.db'}")
    create_tables(engine)
    store = TableStore(engine, "demo")
    (ref,) = store.append([b"one"])
    with engine.connect() as db:
        db.exec_driver_sql("ALTER TABLE body RENAME TO away")
        db.commit()
    with pytest.raises(StorageError):
        store.flush()
    with engine.connect() as db:
        db.exec_driver_sql("ALTER TABLE away RENAME TO body")
        db.commit()
    store.flush()
    assert store.read(ref) == b"one"
