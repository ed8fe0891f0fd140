"""Promises of the console's door at the keeper: links once, sessions end, orders are people's, nothing else is signed."""

import pytest
from tests.unit.vault.keeper.test_opening import change, kept, records, refused  # noqa: F401  kept is a fixture
from tests.unit.vault.sites import ME, OTHER, asking

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.orders import ORDERS_MAX, TAKEN_S_MAX, WAIT_S_MAX, Orders
from oathward.vault.keeper.proof import admin_proof, console_proof
from oathward.vault.keeper.sign_in.sessions import LINKS_MAX, Sessions


class Now:
    """Seconds that a test turns."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def app(site, admin):
    with asking(site, "app") as client:
        yield client


@pytest.fixture
def gate(site, admin):
    with asking(site, "gateway") as client:
        yield client


def enter(admin, app, *, person="ada", acts=True):
    secret, visit = app.session_begin(admin.session_invite(admin_proof(person), acts=acts))
    return console_proof(secret), visit


def test_a_link_makes_one_session_of_the_named_person(site, admin, app):
    key = admin.session_invite(ME, acts=True)
    secret, visit = app.session_begin(key)
    assert (visit.person, visit.acts) == ("ada", True)
    assert app.session_check(console_proof(secret), used=True).person == "ada"
    assert refused(lambda: app.session_begin(key)) is Reason.NOT_PERMITTED, "used up"
    begun, refusal = records(site, "session.begun"), records(site, "session.refused")
    assert begun[0]["body"]["person"] == "ada"
    assert begun[0]["body"]["by"].startswith("uid ")
    assert len(refusal) == 1
    told = str(records(site, "session.invited", "session.begun", "session.refused"))
    assert key not in told
    assert secret not in told


def test_signing_out_ends_it_at_once(site, admin, app):
    proof, visit = enter(admin, app)
    app.session_end(proof)
    assert refused(lambda: app.session_check(proof, used=False)) is Reason.NOT_PERMITTED
    assert records(site, "session.ended")[0]["body"] == {"person": "ada", "session": visit.id}


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"kind": "console"},
        {"kind": "console", "session": "x" * 43},
        {"kind": "admin", "person": "ada"},
        {"kind": "console", "person": "ada"},
    ],
)
def test_without_a_sessions_secret_the_console_may_nothing(admin, app, proof):
    enter(admin, app)
    for act in (
        lambda: app.session_check(proof, used=True),
        lambda: app.release_order(["m"], "why", proof),
        lambda: app.release_ordered("o", proof),
        lambda: app.sign_devices([("device", "d1", 0, b"{}")], proof),
        lambda: app.session_end(proof),
    ):
        assert refused(act) is Reason.NOT_PERMITTED


def test_a_sessions_secret_is_worth_nothing_at_another_door(site, admin, app, kept):  # noqa: F811  the fixture
    proof, _ = enter(admin, app)
    one = kept.keep("s1", b"MSH|one", purpose="quarantine")
    for act in (
        lambda: admin.open("s1", [one], "TREAT", proof),
        lambda: admin.export_open([one], "HOPERAT", "why", proof, sealed_for="quarantine"),
        lambda: admin.sign_many([("bundle", "active", 0, b"{}")], [proof]),
        lambda: admin.erase("s1", "art-17", proof),
    ):
        assert refused(act) is Reason.NOT_PERMITTED


def test_an_order_is_taken_once_by_the_gateway_with_its_originals(site, admin, app, gate, kept):  # noqa: F811  the fixture
    one = kept.keep("s1", b"MSH|one", purpose="quarantine")
    proof, visit = enter(admin, app)
    assert gate.releases_waiting() == 0
    order = app.release_order([one, one], "the device was adopted", proof)
    assert (order.state, order.messages) == ("waiting", (one,))
    assert gate.releases_waiting() == 1
    taken = gate.release_take()
    assert (taken.person, taken.reason) == ("ada", "the device was adopted")
    assert [(o.message, o.data.reveal()) for o in taken.originals] == [(one, b"MSH|one")]
    assert gate.release_take() is None
    gate.release_settle(taken.id, [(one, "")])
    done = app.release_ordered(order.id, proof)
    assert (done.state, done.outcome) == ("done", {one: ""})
    ordered, opened = records(site, "release.ordered")[0]["body"], records(site, "keeper.opened")[0]["body"]
    assert (ordered["person"], ordered["session"], ordered["messages"]) == ("ada", visit.id, [one])
    assert (opened["person"], opened["reason"]) == ("ada", "the device was adopted")
    assert opened["process"].startswith("gateway")


def test_what_was_not_sealed_for_quarantine_is_not_released(site, admin, app, gate, kept):  # noqa: F811  the fixture
    secret = kept.keep("s1", b"MSH|kept for care", purpose="keep")
    proof, _ = enter(admin, app)
    order = app.release_order([secret], "why", proof)
    assert gate.release_take() is None
    done = app.release_ordered(order.id, proof)
    assert (done.state, done.why) == ("refused", Reason.NOT_FOUND.code)
    assert records(site, "keeper.refused")


def test_an_order_is_shown_to_who_gave_it_alone(admin, app):
    mine, _ = enter(admin, app)
    other, _ = enter(admin, app, person="ben")
    order = app.release_order(["m1"], "why", mine)
    assert refused(lambda: app.release_ordered(order.id, other)) is Reason.NOT_FOUND
    assert app.release_ordered(order.id, mine).state == "waiting"


def test_a_session_to_look_only_orders_and_signs_nothing(site, admin, app):
    proof, visit = enter(admin, app, acts=False)
    assert not visit.acts
    assert app.session_check(proof, used=True).person == "ada"
    for act in (
        lambda: app.release_order(["m1"], "why", proof),
        lambda: app.sign_devices([("device", "d1", 0, b"{}")], proof),
    ):
        assert refused(act) is Reason.NOT_PERMITTED
    assert records(site, "release.ordered", "authority.signed") == []


def test_the_console_signs_devices_and_nothing_else(site, admin, app):
    proof, _ = enter(admin, app)
    [document] = app.sign_devices([("device", "d1", 0, b"{}")], proof)
    assert (document.kind, document.id, document.version) == ("device", "d1", 1)
    assert records(site, "authority.signed")[0]["body"]["approvals"] == ["ada"]
    for kind in ("bundle", "consent", "role", "devices", "key.intake"):
        wanted = [("device", "d2", 0, b"{}"), (kind, "x", 0, b"{}")]
        assert refused(lambda wanted=wanted: app.sign_devices(wanted, proof)) is Reason.NOT_PERMITTED
    assert len(records(site, "authority.signed")) == 1, "all or none"


def test_opening_for_orders_counts_towards_the_persons_limit(site, admin, app, gate, kept):  # noqa: F811  the fixture
    one = kept.keep("s1", b"MSH|one", purpose="quarantine")
    proof, _ = enter(admin, app)
    most = site.keeper.openings_per_person_per_hour_max
    for _ in range(most):
        admin.open("s1", [one], "TREAT", ME)
    order = app.release_order([one], "why", proof)
    assert gate.release_take() is None
    assert app.release_ordered(order.id, proof).why == Reason.RATE_OF_OPENING.code
    other, _ = enter(admin, app, person="ben")
    app.release_order([one], "why", other)
    assert gate.release_take().person == "ben"
    assert OTHER["person"] == "ben"


def test_links_and_sessions_end_by_time():
    now = Now()
    sessions = Sessions(600, 1_800, 28_800, monotonic=now)
    old = sessions.invite("ada", "uid 1", acts=True)
    now.s += 601
    with pytest.raises(KeeperError):
        sessions.begin(old)
    secret, session = sessions.begin(sessions.invite("ada", "uid 1", acts=True))
    now.s += 1_700
    sessions.find(secret)
    now.s += 1_700
    assert sessions.find(secret, used=False) is session, "it was used in between"
    now.s += 200
    with pytest.raises(KeeperError):  # looking by itself was no use
        sessions.find(secret)
    secret, session = sessions.begin(sessions.invite("ada", "uid 1", acts=True))
    for _ in range(16):
        now.s += 1_750
        sessions.find(secret)
    assert sessions.left_s(session) < 1_750
    now.s += 1_750
    with pytest.raises(KeeperError):  # used all the time, and over all the same
        sessions.find(secret)


def test_links_are_bounded_and_kept_hashed():
    sessions = Sessions(600, 60, 60, monotonic=Now())
    keys = [sessions.invite("ada", "uid 1", acts=True) for _ in range(LINKS_MAX)]
    with pytest.raises(KeeperError) as caught:
        sessions.invite("ada", "uid 1", acts=True)
    assert caught.value.reason is Reason.LIMIT_EXCEEDED
    secret, _ = sessions.begin(keys[0])
    kept_here = repr(vars(sessions))
    assert all(key not in kept_here for key in keys)
    assert secret not in kept_here
    assert len(set(keys)) == LINKS_MAX
    assert min(map(len, keys)) >= 43, "32 random bytes"


def test_an_order_that_is_not_on_record_is_not_carried_out(site, admin, app, gate, kept):  # noqa: F811  the fixture
    one = kept.keep("s1", b"MSH|one", purpose="quarantine")
    proof, _ = enter(admin, app)
    change(site, "ALTER TABLE ledger_record RENAME TO away")
    assert refused(lambda: app.release_order([one], "why", proof)) is Reason.STORAGE_FAILED
    change(site, "ALTER TABLE away RENAME TO ledger_record")
    assert gate.releases_waiting() == 0
    assert gate.release_take() is None


def placed(orders, message="m1"):
    order = orders.put("ada", "s", [message], "why")
    orders.ready(order)
    return order


def test_orders_nobody_takes_or_finishes_are_void():
    now = Now()
    orders = Orders(monotonic=now)
    waits = placed(orders)
    now.s += WAIT_S_MAX + 1
    assert orders.take() is None
    assert (orders.of(waits.id, "ada").state, waits.why) == ("refused", Reason.KEEPER_UNAVAILABLE.code)
    taken = placed(orders)
    assert orders.take() is taken
    with pytest.raises(KeeperError):
        orders.settle(taken.id, [("another", "")])
    now.s += TAKEN_S_MAX + 1
    assert orders.of(taken.id, "ada").why == Reason.INTERNAL.code
    with pytest.raises(KeeperError):
        orders.settle(taken.id, [("m1", "")])


def test_orders_are_bounded():
    orders = Orders(monotonic=Now())
    for n in range(ORDERS_MAX):
        placed(orders, f"m{n}")
    with pytest.raises(KeeperError):
        orders.put("ada", "s", ["more"], "why")
    first = orders.take()
    orders.settle(first.id, [("m0", "")])
    orders.put("ada", "s", ["more"], "why")
    with pytest.raises(KeeperError):  # what was settled long ago made room
        orders.of(first.id, "ada")
