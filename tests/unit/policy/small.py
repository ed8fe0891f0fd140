"""A small bundle for tests: a record, a registry that needs consent, a maker's cloud; and plain facts."""

from dataclasses import replace

from oathward.core.labels import CLASSES, Assurance, Confidentiality
from oathward.policy import starter
from oathward.policy.bundle import Bundle, load
from oathward.policy.model import ConsentFact, Facts

KEY = bytes(range(1, 33))
NOW_US = 1_782_907_200_000_000
DAY_US = 86_400_000_000


def files(**replaced: str) -> dict[str, bytes]:
    """Give the starter bundle with the registry's key in its place."""
    return starter.files(keys={"research-registry": KEY})


def changed(path: str, old: str, new: str) -> dict[str, bytes]:
    """Give the starter bundle with one text replaced; the text must be there."""
    found = files()
    text = found[path].decode()
    assert old in text, f"{path} has no {old!r}"
    return found | {path: text.replace(old, new, 1).encode()}


def bundle(**extra: bytes) -> Bundle:
    return load(files())


def with_policy(text: str) -> Bundle:
    """Load the starter bundle with one more Cedar file."""
    return load(files() | {"policies/extra.cedar": text.encode()})


FACTS = Facts(
    site="test",
    device="d1",
    device_kind="infusion-pump",
    device_tags=frozenset({"icu"}),
    assurance=Assurance.CERTIFICATE,
    subject_kind="known",
    message_type="ORU^R01",
    confidentiality=Confidentiality.N,
    sensitivity=frozenset(),
    classes_present=CLASSES,
    consent_version=1,
    consents=(),
    clock_sure=True,
    bundle_version=1,
)


def facts(**changes: object) -> Facts:
    return replace(FACTS, **changes)


def consent(
    id_: str = "c1",
    *,
    permit: bool = True,
    purposes: str = "HRESCH",
    recipients: str = "research-registry",
    classes: str = "*",
    start_us: int | None = None,
    end_us: int | None = None,
) -> ConsentFact:
    """Write a consent fact by words with spaces between them."""
    return ConsentFact(
        id_,
        permit,
        frozenset(purposes.split()),
        frozenset(recipients.split()),
        frozenset(classes.split()),
        start_us,
        end_us,
    )
