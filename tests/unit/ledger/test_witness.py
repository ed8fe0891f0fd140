"""The witness cosigns only what continues, once, durably; and keeps proof of forks."""

import json
import os
import threading

import pytest
from tests.unit.ledger import sample
from tests.unit.ledger.sample import LOG, SITE, WITNESS

from oathward.core.db import connect, read, write
from oathward.core.errors import AuthorityError, InputError, LedgerError, StorageError
from oathward.ledger import append, consistency_proof, head, merkle, note, prepare, witness
from oathward.ledger.checkpoint import Checkpoint, parse
from oathward.ledger.witness import Witness, format_submission, origin_hash
from oathward.vault.sign import Signer, Verifier

NOW_S = 1_800_000_000


class Log:
    """A log that can be cut back or forked, and what it would submit."""

    def __init__(self, engine):
        self.engine = engine

    def grow(self, count, salt=""):
        with write(self.engine) as db:
            append(db, SITE, [prepare(sample.record(n, salt=salt)) for n in range(count)])

    def signed(self, key=LOG):
        with read(self.engine) as db:
            found = head(db, SITE)
        return note.sign(Checkpoint(key.name, found.size, found.root).text, key)

    def submission(self, old, key=LOG):
        with read(self.engine) as db:
            proof = consistency_proof(db, SITE, old, head(db, SITE).size)
        return format_submission(old, proof, self.signed(key))


def open_witness(folder):
    return Witness(folder, WITNESS, Verifier, lambda: NOW_S)


@pytest.fixture
def log(empty):
    found = Log(empty)
    found.grow(10)
    return found


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "witness"
    witness.trust(folder, note.encode_key(LOG))
    return folder


@pytest.fixture
def watch(home):
    found = open_witness(home)
    yield found
    found.close()


def held_size(folder):
    notes = witness.held(folder)
    return parse(note.split(notes[0])[0]).size if notes else 0


def test_it_cosigns_what_continues(watch, home, log):
    old = 0
    for more in (0, 1, 300, 0):
        log.grow(more)
        answer = watch.add_checkpoint(log.submission(old))
        assert answer.status == 200, answer
        text, _ = note.split(log.signed())
        assert note.check_cosignature(text, note.parse_lines(answer.body), WITNESS) == NOW_S
        old = parse(text).size
    assert held_size(home) == 311


def test_what_it_holds_carries_both_signatures(watch, home, log):
    watch.add_checkpoint(log.submission(0))
    answer = watch.checkpoint(origin_hash(LOG.name))
    text = note.check(answer.body, [LOG])
    assert note.check_cosignature(text, note.split(answer.body)[1], WITNESS) == NOW_S
    assert watch.checkpoint(origin_hash("other")).status == 404
    assert watch.checkpoint("../../logs").status == 404


def test_a_rollback_is_refused_with_the_size_it_holds(watch, home, log, tmp_path):
    before = log.submission(0)
    log.grow(5)
    assert watch.add_checkpoint(log.submission(0)).status == 200
    for cut_back in (before, log.submission(3)):
        answer = watch.add_checkpoint(cut_back)
        assert (answer.status, answer.body, answer.content_type) == (409, "15\n", "text/x.tlog.size")
    assert held_size(home) == 15
    assert witness.evidence(home) == []


@pytest.fixture
def fork(tmp_path, log):
    """The same first 10 records, then others."""
    log.engine.dispose()
    (tmp_path / "fork.db").write_bytes((tmp_path / "empty.db").read_bytes())
    engine = connect(f"sqlite:///{tmp_path / 'fork.db'}")
    yield Log(engine)
    engine.dispose()


@pytest.mark.parametrize(("mine", "theirs", "certain"), [(5, 5, True), (5, 9, False), (300, 400, False)])
def test_a_forked_tree_leaves_both_notes_and_the_proof(watch, home, log, fork, mine, theirs, certain):
    log.grow(mine)
    fork.grow(theirs, salt="other")
    assert watch.add_checkpoint(log.submission(0)).status == 200
    asked = fork.submission(10 + mine)
    answer = watch.add_checkpoint(asked)
    assert answer.status == 422
    assert answer.body.startswith("ledger.forked")
    (found,) = witness.evidence(home)
    assert (found["certain"], found["at_s"], found["old"]) == (certain, NOW_S, 10 + mine)
    submitted, held = (parse(note.check(found[k], [LOG])) for k in ("submitted", "held"))
    assert (submitted.size, held.size) == (10 + theirs, 10 + mine)
    proof = [bytes.fromhex(h) for h in found["proof"]]
    with pytest.raises(LedgerError):
        merkle.check_consistency(held.size, submitted.size, held.root, submitted.root, proof)
    assert held_size(home) == 10 + mine
    log.grow(1)
    assert watch.add_checkpoint(log.submission(10 + mine)).status == 200  # the honest log goes on


def test_reverse_without_the_consistency_check_a_fork_is_cosigned(watch, log, fork, monkeypatch):
    log.grow(5)
    fork.grow(9, salt="other")
    watch.add_checkpoint(log.submission(0))
    monkeypatch.setattr(merkle, "check_consistency", lambda *_: None)
    assert watch.add_checkpoint(fork.submission(15)).status == 200


def test_a_shorter_fork_is_a_conflict(watch, home, log, fork):
    log.grow(50)
    fork.grow(20, salt="other")
    watch.add_checkpoint(log.submission(0))
    assert watch.add_checkpoint(fork.submission(0)).status == 409
    assert watch.add_checkpoint(fork.submission(30)).status == 409
    assert held_size(home) == 60


def test_evidence_is_kept_once_and_bounded(watch, home, log, fork, monkeypatch):
    monkeypatch.setattr(witness, "EVIDENCE_MAX", 3)
    log.grow(5)
    watch.add_checkpoint(log.submission(0))
    for _ in range(6):
        fork.grow(5, salt="other")
        for _ in range(2):
            assert watch.add_checkpoint(fork.submission(15)).status == 422
    assert len(witness.evidence(home)) == 3


GOOD = b"old 0\n\n" + note.sign(Checkpoint(LOG.name, 1, b"\1" * 32).text, LOG).encode()
HASH = b"A" * 43 + b"="


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff\xfe", 400),
        (GOOD[1:], 400),
        (GOOD.replace(b"old 0", b"old  0"), 400),
        (GOOD.replace(b"old 0", b"old 00"), 400),
        (GOOD.replace(b"old 0", b"old -1"), 400),
        (GOOD.replace(b"old 0", "old ٠".encode()), 400),
        (GOOD.replace(b"old 0", b"old 99999999999999999999"), 400),
        (GOOD.replace(b"\n\n", b"\n", 1), 400),
        (GOOD.replace(b"\n\n", b"\nA\n\n", 1), 400),
        (GOOD.replace(b"\n\n", b"\n" + HASH[:-4] + b"\n\n", 1), 400),
        (GOOD.replace(b"\n\n", b"\n" + b"\n".join([HASH] * 64) + b"\n\n", 1), 400),
        (GOOD.replace(b"old 0", b"old 2"), 400),
        (GOOD[:-1], 400),
        (GOOD.replace("—".encode(), b"-"), 400),
        (GOOD.replace(b"oathward/ward\n1", b"oathward/ward\n-1"), 400),
        (GOOD.replace(b"oathward/ward\n1", b"oathward/other\n1"), 404),
        (GOOD.replace(b"oathward/ward\n1", b"oathward/ward\n2"), 403),
        (b"old 0\n\n" + note.sign(Checkpoint(LOG.name, 1, b"\1" * 32).text, WITNESS).encode(), 403),
        (b"old 0\n\n" + note.sign(Checkpoint(LOG.name, 1, b"\1" * 32).text, Signer(LOG.name, b"\3" * 32)).encode(), 403),
        (GOOD.replace(b"old 0", b"old 1"), 409),
        (GOOD.replace(b"\n\n", b"\n" + HASH + b"\n\n", 1), 422),
        (b"x" * 1_000_000, 400),
    ],
)  # fmt: skip
def test_hostile_requests(watch, home, body, status):
    assert watch.add_checkpoint(body).status == status
    assert held_size(home) == 0


def test_an_empty_tree_must_have_the_empty_root(watch):
    good = note.sign(Checkpoint(LOG.name, 0, merkle.EMPTY_ROOT).text, LOG)
    assert watch.add_checkpoint(format_submission(0, [], good)).status == 200
    bad = note.sign(Checkpoint(LOG.name, 0, b"\1" * 32).text, LOG)
    assert watch.add_checkpoint(format_submission(0, [], bad)).status == 400


def test_it_remembers_over_a_restart(watch, home, log):
    watch.add_checkpoint(log.submission(0))
    watch.close()
    again = open_witness(home)
    assert again.add_checkpoint(log.submission(0)).body == "10\n"
    again.close()
    watch._flock = os.open(home / "lock", os.O_RDWR)  # for the fixture to close


def test_nothing_is_cosigned_before_it_is_on_disk(watch, home, log, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    assert watch.add_checkpoint(log.submission(0)).status == 200
    assert len(flushed) == 2  # the file and its folder

    def fail(_fd):
        raise OSError

    monkeypatch.setattr(os, "fsync", fail)
    log.grow(1)
    with pytest.raises(StorageError):
        watch.add_checkpoint(log.submission(10))
    monkeypatch.undo()
    assert held_size(home) == 10


def test_two_submitters_at_once_never_move_it_back(watch, home, log):
    """Every size is offered by two threads at once, from the sizes each last saw; one sequence comes out."""
    watch.add_checkpoint(log.submission(0))
    requests = []
    for _ in range(40):
        log.grow(1)
        with read(log.engine) as db:
            size = head(db, SITE).size
        requests.append((size, log.signed(), {old: log.submission(old) for old in range(10, size)}))
    answers, sizes = [], []

    def submit():
        for size, _signed, by_old in requests:
            for old in range(10, size):
                answer = watch.add_checkpoint(by_old[old])
                answers.append(answer.status)
                if answer.status == 200:
                    sizes.append(size)

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {200, 409}
    assert held_size(home) == 50
    assert len(sizes) == len(set(sizes))
    assert witness.evidence(home) == []


def test_one_process_a_folder(watch, home):
    with pytest.raises(StorageError):
        open_witness(home)


def test_a_changed_state_stops_it(watch, home, log):
    watch.add_checkpoint(log.submission(0))
    path = home / "held" / origin_hash(LOG.name)
    path.write_text(path.read_text().replace("\n10\n", "\n9\n"))
    with pytest.raises(AuthorityError):
        watch.add_checkpoint(log.submission(9))


def test_trust_is_a_file_of_verifier_keys(home, watch, log):
    other = Signer("oathward/other", b"\4" * 32)
    asked = log.submission(0, other)
    assert watch.add_checkpoint(asked).status == 404
    assert witness.trust(home, note.encode_key(other)) == "oathward/other"
    witness.trust(home, note.encode_key(other))
    assert watch.add_checkpoint(asked).status == 200
    assert (home / "logs").read_text().count("oathward/other") == 1
    (home / "logs").write_text("# comment\n\nwitness x\n")
    with pytest.raises(AuthorityError, match="logs:3"):
        watch.add_checkpoint(asked)


def test_submissions_round_trip():
    proof = [bytes([n]) * 32 for n in range(63)]
    parsed = witness.parse_submission(format_submission(7, proof, "text\n\nsig\n"))
    assert parsed == witness.Submission(7, tuple(proof), "text\n\nsig\n")
    with pytest.raises(InputError):
        witness.parse_submission(format_submission(7, [*proof, proof[0]], "text\n\nsig\n"))


def test_evidence_is_plain_json(home, watch, log, fork):
    fork.grow(1, salt="other")
    log.grow(1)
    watch.add_checkpoint(log.submission(0))
    watch.add_checkpoint(fork.submission(11))
    (file,) = (home / "evidence").iterdir()
    assert json.loads(file.read_text())["certain"] is True
