"""Who approves a change reads what it is: no character in a bundle moves the cursor, turns the writing, or has no width."""

import pytest
from tests.site import bundle

from oathward import activation
from oathward.bundles import changes_between
from oathward.policy.errors import PolicyErrors

BASE = bundle({"ehr": "mllp://127.0.0.1:9"})
TURNS = chr(0x202E)
HIDES = {
    "a name that wipes a line": ("recipients/ehr.toml", b'name = "', b'name = "\\u001b[2K\\u001b[1A'),
    "a name that turns the writing": ("recipients/ehr.toml", b'name = "', b'name = "\\u202E'),
    "a name of two lines": ("recipients/ehr.toml", b'name = "', b'name = "a\\n= Nothing changes.'),
    "a party without width": ("recipients/ehr.toml", b'party = "', b'party = "\\u200B'),
    "a device among several": ("links/ehr.toml", b'devices = ["', b'devices = ["x", "\\u2067y", "'),
    "a legal basis as it is": ("links/ehr.toml", b'legal_basis = "', f'legal_basis = "{TURNS}'.encode()),
    "a remark": ("links/ehr.toml", b'legal_basis = "', f'# {TURNS} safe\nlegal_basis = "'.encode()),
    "a file for people": ("README.md", b"", f"# What it is\n{TURNS}".encode()),
    "a policy's remark": ("policies/links.cedar", b"permit", f"// {TURNS}\npermit".encode()),
    "why a policy is": ("policies/links.cedar", b"permit", b'@why("safe\\u{1b}[2K")\npermit'),
    "why a policy is, on two lines": ("policies/links.cedar", b"permit", b'@why("safe\\n= Nothing changes.")\npermit'),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDES)
def test_what_nobody_sees_is_refused_with_its_place(name):
    path, old, new = HIDES[name]
    content = BASE.get(path, b"")
    with pytest.raises(PolicyErrors) as error:
        activation.check(BASE | {path: content.replace(old, new, 1) if old else new})
    assert error.value.errors[0].where.partition(":")[0] == path
    assert "not seen" in error.value.errors[0].why
    assert str(error.value).isprintable()


def test_reverse_other_scripts_and_spaces_are_names():
    name = "Clínica São João – Ørsted, 東京, مركز, Müller\u00a0GmbH"
    recipient = BASE["recipients/ehr.toml"].replace(b'name = "', f'name = "{name} '.encode(), 1)
    after = activation.check(BASE | {"recipients/ehr.toml": recipient, "README.md": b"\tTwo\n\nlines\n"})
    words = [change.words for change in changes_between(activation.check(BASE), after)]
    assert any(name in one for one in words)
