"""Who looked and why, and the proof of it: reasons from records, words for each, and a file that a stranger can check."""

import html
import re
import subprocess
import sys

import pytest
from tests.unit.web.portal.conftest import seat
from tests.unit.web.portal.test_notices import AT, glass, happens, looking, place

from oathward.accesses import sql as reviews
from oathward.accesses.explaining import reasons
from oathward.accesses.model import Outcome, ReviewRow
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose
from oathward.vault.keeper import checkpoints
from oathward.vault.keeper.checkpoints import sign_next
from oathward.web.portal import looks, texts

__all__ = ["looking", "place"]
HOUR_US = 3_600_000_000


def opened(looking, *, at_us=AT, kind="keeper.opened", person="p-nurse", purpose="TREAT", **more):
    body = {"basis": "", "unit": "", "person": person, "purpose": purpose, "opened": 3} | more
    return happens(looking, kind, body, at_us=at_us)


def lines(page):
    """Who and what, why, and the records of its times; each line of each day."""
    found = re.findall(r"<li(?: class=\"(waits)\")?><p>(.*?)</p>\s*<p>(.*?)</p>(.*?)</li>", page, re.DOTALL)
    return [
        (
            html.unescape(re.sub("<.*?>", "", who)),
            why,
            [int(one) for one in re.findall(r'href="/proof/(\d+)"', times)],
            bool(waits),
        )
        for waits, who, why, times in found
    ]


def test_an_opening_that_nothing_explains_is_said_to_be_looked_into(looking):
    index = opened(looking)
    ((who, why, times, waits),) = lines(looking.get("/looked").text)
    assert who == "Beatrix Okon<w>o (care staff) opened this data to give care."
    assert (why, times, waits) == ("We cannot yet say why. Someone is looking into it.", [index], True)


def test_a_broken_glass_is_the_reason_while_it_lasted_and_not_after(looking):
    glass(looking, minutes=10)
    opened(looking, at_us=AT + HOUR_US // 12, purpose="ETREAT")
    opened(looking, at_us=AT + HOUR_US, purpose="ETREAT")
    after, during = lines(looking.get("/looked").text)
    assert "in an emergency" in during[1]
    assert after[1].startswith("We cannot yet say why")


def test_ones_own_openings_stand_there_and_those_of_who_acts_for_them(looking):
    opened(looking, person="h-1", purpose="PATRQT", access="a-1")
    opened(looking, person="h-2", purpose="PATRQT", access="a-2", at_us=AT + 1)
    found = lines(looking.get("/looked").text)
    assert [one[1] for one in found] == [
        "It was the patient, or someone who acts for them.",
        "You signed in to these pages.",
    ]
    assert [one[0].split(" opened")[0] for one in found] == ["Someone", "You"]
    assert not any(one[3] for one in found)


def test_times_of_one_reason_and_day_stand_together_and_days_apart(looking):
    some = [opened(looking, at_us=AT + number) for number in range(3)]
    later = opened(looking, at_us=AT + 24 * HOUR_US)
    page = looking.get("/looked").text
    assert [one[2] for one in lines(page)] == [[later], some[::-1]]
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["May 29, 2026", "May 28, 2026"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_a_review_came_to_is_said_and_its_words_are_not(looking, outcome):
    index = opened(looking)
    row = ReviewRow(
        index, "p-nurse", AT, AT, by="p-privacy", outcome=outcome, sealed=b"PLANTED", reviewed_us=AT
    )
    with write(looking.site.engine) as db:
        reviews.put(db, looking.site.site, [row])
    page = looking.get("/looked").text
    assert "It was checked" in lines(page)[0][1]
    assert "PLANTED" not in page


def test_what_was_tried_in_vain_is_shown_and_a_search_too(looking):
    opened(looking, kind="keeper.refused", why="access.no-relationship")
    happens(looking, "patient.sought", {"person": "p-nurse", "purpose": "TREAT", "told": False})
    sought, tried = lines(looking.get("/looked").text)
    assert "tried to open this data, and was stopped, to give care." in tried[0]
    assert tried[1] == "They were stopped, and saw nothing."
    assert "searched for this person by number" in sought[0]


def test_nothing_of_another_patient_and_none_without_sight(looking):
    happens(looking, "keeper.opened", {"person": "p-nurse", "purpose": "TREAT"}, subject=uuid7())
    page = looking.get("/looked").text
    assert lines(page) == []
    assert "No one has opened this data yet." in page
    looking.desk.seats = (seat(scope=("request",)),)
    assert looking.get("/looked").status_code == 404


def test_page_by_page_none_is_lost(looking):
    some = [opened(looking, at_us=AT + number) for number in range(150)]
    shown, path = [], "/looked"
    while path:
        page = looking.get(path).text
        shown += [index for one in lines(page) for index in one[2]]
        older = re.search(r'href="(/looked\?before=\d+)"', page)
        path = older[1] if older else ""
    assert shown == some[::-1]


def test_every_reason_outcome_and_purpose_has_words_in_every_language():
    said = {one.text for one in reasons()} | set(looks.OUTCOMES.values()) | set(looks.PURPOSES.values())
    assert looks.OUTCOMES.keys() == set(Outcome)
    assert looks.PURPOSES.keys() == set(Purpose)
    for language in texts.load().values():
        assert said <= language.sentences.keys()


# --- proof


def test_only_what_pages_of_this_patient_name_can_be_proved(looking):
    other = happens(looking, "keeper.opened", {"person": "p-nurse"}, subject=uuid7())
    accepted = happens(looking, "message.accepted", {"device": "mon-1"})
    reviewed = happens(looking, "breakglass.reviewed", {"person": "p", "reason": "PLANTED"})
    for index in (other, accepted, reviewed, 0, 10**9, "x", "-1", "9" * 30, "%C2%B2"):
        for path in (f"/proof/{index}", f"/proof/{index}/file"):
            answer = looking.get(path)
            assert (answer.status_code, "PLANTED" in answer.text) == (404, False), path


def test_what_is_not_signed_yet_says_so(looking, monkeypatch):
    monkeypatch.setattr(
        checkpoints, "sign_next", lambda _keeper: None
    )  # the keeper would, at its next second
    index = opened(looking)
    assert "not ready yet" in looking.get(f"/proof/{index}").text
    assert looking.get(f"/proof/{index}/file").status_code == 404


def test_a_stranger_checks_the_file_with_the_program_the_page_gives(looking, place, tmp_path):
    index = opened(looking)
    sign_next(place.keeper)
    page = looking.get(f"/proof/{index}").text
    key = html.unescape(re.search(r"<pre[^>]*>(.*?)</pre>", page)[1])
    file, program = looking.get(f"/proof/{index}/file"), looking.get(f"/proof/{index}/stranger.py")
    assert "attachment" in file.headers["content-disposition"]
    (tmp_path / "stranger.py").write_bytes(program.content)
    (tmp_path / "proof").write_bytes(file.content)

    def check():
        command = [sys.executable, "-I", "stranger.py", "proof", key]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = check()
    assert done.returncode == 0, done.stdout
    assert looking.subject in done.stdout
    assert '"kind": "keeper.opened"' in done.stdout
    changed = bytearray(file.content)
    changed[file.content.index(b"index")] ^= 1
    (tmp_path / "proof").write_bytes(changed)
    assert check().returncode == 1
