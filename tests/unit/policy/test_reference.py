"""The reference page names every key, every fact and every attribute that can be written."""

from dataclasses import fields
from pathlib import Path

from oathward.policy import cedar
from oathward.policy.cases import Case
from oathward.policy.model import PROTECTION, Link, Project, Recipient, Sources, Tls

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "policy.md").read_text()
OTHER_NAMES = {
    "kind": "`address`", "valid_from_us": "`valid_from`", "valid_until_us": "`valid_until`", "now_us": "`now`",
    "where": "", "facts": "", "id": "`id`", "sources": "`[sources]`", "tls": "`[tls]`", "sensitivity_denied": "`[sensitivity_denied]`",
    "name": "name", "link": "link =", "expect": "expect =", "reasons": "reasons =",
}  # fmt: skip


def test_every_key_is_on_the_page():
    names = {f.name for kind in (Recipient, Link, Tls, Sources, Project, Case) for f in fields(kind)}
    assert [name for name in sorted(names) if OTHER_NAMES.get(name, f"`{name}`") not in PAGE] == []


def test_every_attribute_and_level_is_on_the_page():
    words = {
        *cedar._WRITE,
        *PROTECTION,
        *(word for words in cedar.vocabulary().words.values() for word in words),
    }
    later = {"approvals", "clinical_owner", "messages", "own", "opened_by", "patients", "proof_age_s", "roles", "site", "name"}  # fmt: skip
    assert [word for word in sorted(words - later) if f"`{word}`" not in PAGE] == []
