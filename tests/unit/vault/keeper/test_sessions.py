"""Links and sessions by themselves, with a clock of the test's own."""

from oathward.vault.keeper.sign_in.sessions import Sessions


class Clock:
    """A clock that is moved by hand."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_who_tries_links_on_and_on_is_noted_each_second():
    """Counted from the last try and not from the last note, somebody who never pauses would be noted once."""
    clock = Clock()
    sessions = Sessions(60, 60, 600, monotonic=clock)
    noted = 0
    for _ in range(50):
        noted += sessions.worth_noting()
        clock.now_s += 0.1
    assert noted == 5
