"""Read each kind of file of a bundle into its dataclass.

One function a file kind; each reads every key it knows, notes mistakes with their lines, and gives
a value even so (``checks`` then looks at the whole). Nothing here compares two files.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Iterable
from typing import Literal, cast, get_args

from oathward.core.ids import is_id
from oathward.core.labels import (
    CARE_PURPOSES,
    CLASSES,
    UNGRANTED,
    Assurance,
    Confidentiality,
    Purpose,
    Role,
    expand,
)
from oathward.policy.house import HOUSE
from oathward.policy.labels import SENSITIVITIES, LabelRule, LabelTable
from oathward.policy.model import (
    ANY,
    KEEP,
    PROTECTION,
    Link,
    Mentioned,
    Project,
    Recipient,
    RecipientKind,
    Sources,
    Tls,
    Wire,
)
from oathward.policy.protection import ANY_WORD, CROSSINGS, EXPOSURES, Protection, Rule
from oathward.policy.reading import ID_FORM, Section, near

BUNDLE_SCHEMA = 1
_KEY_BYTES = 32
_ACTOR = re.compile(
    r"(?:https?://[^\s|]+/)?[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}|[^\s|]+\|[^\s|](?:[^|\r\n]*[^\s|])?"
)
"""A reference without its version, or an identifier with its system: what a Consent's actor can be named by."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MESSAGE_TYPE = re.compile(r"\*|[A-Z][A-Z0-9]{2}\^(\*|[A-Z0-9]{3})|FHIR\^(\*|[A-Z][A-Za-z]{2,63})")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")
_PORT_MAX = 65_535
_ROLES = sorted(role.value for role in Role if role not in UNGRANTED)
_MISSPELT = 0.8
"""So like a role that it is one, misspelt: ids of persons are not."""
_BASE = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")
_ADDRESS_FORMS = '"mllps://host:port", "https://host:port/base", "mllp://host:port" or "file:folder"'


def about(section: Section) -> tuple[str, str]:
    """Read ``bundle.toml``: name and description; the schema version must be ours."""
    name = section.name("name", example="our-hospital")
    description = section.text("description", "")
    schema = section.whole("schema", None, least=0)
    if section.has("schema") and schema != BUNDLE_SCHEMA:
        section.note("schema", f"this Oathward reads schema {BUNDLE_SCHEMA}; write schema = {BUNDLE_SCHEMA}")
    section.done()
    return name, description


def recipient(section: Section) -> Recipient:
    """Read one file of ``recipients/``."""
    name = section.name("id", example="ehr")
    if name == KEEP:
        section.note("id", f"`{KEEP}` is Oathward itself and needs no recipient file; choose another id")
    if name == HOUSE:
        section.note("id", f"`{HOUSE}` is how consents name the people who work here; choose another id")
    kind, address = _address(section)
    tls = _tls(section)
    if kind in _OVER_TLS and tls is None:
        scheme = _OVER_TLS[kind]
        section.note(
            "address", f'{scheme} needs a table [tls] with ca = "site-ca.pem" (and certificate, key)'
        )
    if kind not in _OVER_TLS and tls is not None:
        section.note("tls", "only mllps and https use TLS; write mllps:// in `address` or remove [tls]")
    found = Recipient(
        id=name,
        name=section.text("name", example="Electronic health record"),
        kind=kind,
        zone=section.text("zone", example="clinical"),
        address=address,
        party=section.text("party", example="Example Hospital"),
        external=section.flag("external", default=False),
        public_key=_public_key(section),
        tls=tls,
        actors=_actors(section),
        withdrawal_notice=section.flag("withdrawal_notice", default=False),
    )
    section.done()
    return found


def _actors(section: Section) -> frozenset[str]:
    words = section.words("actors", ())
    for word in words:
        if not _ACTOR.fullmatch(word):
            section.note(
                "actors",
                f'`{word}` is no actor; write as consents do: "Organization/54" or "system|value"',
                word,
            )
    return frozenset(words)


_OVER_TLS = {"mllps": "mllps", "fhir": "https"}


def _address(section: Section) -> tuple[RecipientKind, str]:
    value = section.text("address", example="mllps://ehr.example:2576")
    scheme, _, rest = value.partition(":")
    if scheme in ("mllp", "mllps") and rest.startswith("//"):
        found = _HOST_PORT.fullmatch(rest[2:])
        if not found or not 0 < int(found["port"]) <= _PORT_MAX:
            section.note("address", f'write host and port: address = "{scheme}://ehr.example:2576"')
        return cast("RecipientKind", scheme), rest[2:]
    if scheme == "https" and rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        found = _HOST_PORT.fullmatch(host if ":" in host else f"{host}:443")
        if not found or not 0 < int(found["port"]) <= _PORT_MAX or not _BASE.fullmatch(slash + path):
            section.note(
                "address", 'write the base of the FHIR server: address = "https://ehr.example:8443/fhir"'
            )
        return "fhir", value.rstrip("/")
    if scheme == "file":
        if not rest or ".." in rest.split("/") or "\\" in rest:
            section.note("address", 'write a folder without `..`: address = "file:drop/registry"')
        return "file", rest
    if value:
        section.note("address", f"unknown form; write {_ADDRESS_FORMS}")
    return "mllp", ""


def _tls(section: Section) -> Tls | None:
    table = section.section("tls")
    if table is None:
        return None
    names = {
        "ca": table.text("ca", example="site-ca.pem"),
        "certificate": table.text("certificate", ""),
        "key": table.text("key", ""),
    }
    for key, name in names.items():
        if name and not _FILE_NAME.fullmatch(name):
            table.note(
                key, f'write the name of a file in `recipients` of the data folder, as in {key} = "{key}.pem"'
            )
    if bool(names["certificate"]) is not bool(names["key"]):
        table.note("", "`certificate` and `key` go together; write both, or neither")
    tls = Tls(**names, server_name=table.text("server_name", ""))
    table.done()
    return tls


def _public_key(section: Section) -> bytes | None:
    value = section.text("public_key", "")
    if not section.has("public_key"):
        return None
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES or not any(key):
        section.note(
            "public_key",
            "not an X25519 public key; paste the recipient's: 32 bytes in base64 (44 characters)",
        )
        return None
    return key


def link(section: Section) -> Link:
    """Read one file of ``links/``."""
    name = section.name("id", example="ehr")
    purpose = section.member("purpose", Purpose)
    uncatalogued = section.choice("uncatalogued", ("remove", "pass", "hold"), "remove")
    if uncatalogued != "remove" and purpose not in CARE_PURPOSES:
        section.note("uncatalogued", 'only care links may do that; write uncatalogued = "remove"')
        uncatalogued = "remove"
    protection = section.choice("min_protection", PROTECTION, "mtls")
    found = Link(
        id=name,
        recipient=section.text("recipient", example="ehr"),
        purpose=purpose,
        legal_basis=section.text("legal_basis", example="HIPAA 45 CFR 164.506(c)"),
        classes=_link_classes(section, keeps_uncatalogued=uncatalogued != "remove"),
        profile=section.text("profile", example="safe-harbor"),
        sources=_sources(section),
        without_consent=section.flag("without_consent", default=False),
        objection=cast(
            "Literal['honoured', 'overruled']",
            section.choice("objection", ("honoured", "overruled"), "honoured"),
        ),
        project=section.text("project", ""),
        min_assurance=section.member("min_assurance", Assurance, Assurance.CERTIFICATE),
        min_protection=protection,
        agreement=section.text("agreement", ""),
        indeterminate=cast(
            "Literal['hold', 'care-team']", section.choice("indeterminate", ("hold", "care-team"), "hold")
        ),
        retention_days=section.whole("retention_days", 0),
        format=cast("Wire | None", section.choice("format", ("", *get_args(Wire)), "") or None),
        mentioned=cast("Mentioned", section.choice("mentioned", get_args(Mentioned), "create")),
        provenance=section.flag("provenance", default=True),
        shared_ids=frozenset(section.words("shared_ids", ())),
        on_exhausted=cast(
            "Literal['block', 'skip']", section.choice("on_exhausted", ("block", "skip"), "block")
        ),
        carries_identity=section.flag("carries_identity", default=False),
        uncatalogued=cast("Literal['remove', 'pass', 'hold']", uncatalogued),
        confidentiality_max=section.member("confidentiality_max", Confidentiality, Confidentiality.N),
        sensitivity_denied=_sensitivity(section),
        labels_travel=section.flag("labels_travel", default=True),
        notify=section.words("notify", ()),
        valid_from_us=section.moment("valid_from"),
        valid_until_us=section.moment("valid_until"),
    )
    section.done()
    return found


def _link_classes(section: Section, *, keeps_uncatalogued: bool) -> frozenset[str]:
    words = section.words("classes")
    if section.has("classes") and not words:
        section.note("classes", 'nothing is listed; write classes = ["observation.*", "structure"]')
    found = classes(section, "classes", words)
    if not keeps_uncatalogued:
        if "uncatalogued" in words:
            section.note(
                "classes", "only care links with uncatalogued = pass or hold may list it", "uncatalogued"
            )
        found -= {"uncatalogued"}
    return found


def classes(section: Section, key: str, words: Iterable[str]) -> frozenset[str]:
    """Turn class words with ``*`` into classes, noting each word that names none."""
    found: frozenset[str] = frozenset()
    for word in words:
        try:
            found |= expand([word])
        except KeyError:
            section.note(key, f"`{word}` names no element class; {near(word, CLASSES)}", word)
    return found


def _sources(section: Section) -> Sources:
    table = section.section("sources")
    if table is None:
        section.note(
            "", '`[sources]` is missing; write [sources] with kinds = ["…"] and message_types = ["…"]'
        )
        return Sources()
    sources = Sources(
        devices=frozenset(table.words("devices", ())),
        kinds=frozenset(table.words("kinds", ())),
        tags=frozenset(table.words("tags", ())),
        message_types=frozenset(table.words("message_types")),
    )
    if not (sources.devices or sources.kinds or sources.tags):
        table.note("", f'no device can match; write devices, kinds or tags, or devices = ["{ANY}"] for any')
    for word in sorted(sources.message_types):
        if not _MESSAGE_TYPE.fullmatch(word):
            table.note(
                "message_types",
                f'`{word}` is no message type; write "ORU^R01", "FHIR^Observation", "ADT^*" or "*"',
                word,
            )
    table.done()
    return sources


def _sensitivity(section: Section) -> dict[str, frozenset[str]]:
    table = section.section("sensitivity_denied")
    if table is None:
        return {}
    denied: dict[str, frozenset[str]] = {}
    for code in table.keys():  # noqa: SIM118  Section.keys() also counts them as known
        denied[code] = classes(table, code, table.words(code))
        if code not in SENSITIVITIES and code != ANY:
            table.note(code, f"`{code}` is no sensitivity code; {near(code, SENSITIVITIES)}")
    return denied


def protection(section: Section) -> Protection:
    """Read ``protection.toml``."""
    here = section.text("here", example="clinical")
    zones: dict[str, str] = {}
    table = section.section("zones")
    if table is None:
        section.note("", '`[zones]` is missing; write [zones] with clinical = "internal"')
    else:
        for zone in table.keys():  # noqa: SIM118  Section.keys() also counts them as known
            zones[zone] = table.choice(zone, EXPOSURES)
        if here and here not in zones:
            section.note("here", f"`{here}` is not under [zones]; {near(here, zones)}")
    rules = []
    for row in section.sections("rules"):
        rules.append(
            Rule(
                classes=classes(row, "classes", row.words("classes")),
                crossing=row.choice("crossing", (*CROSSINGS, ANY_WORD), ANY_WORD),
                exposure=row.choice("exposure", (*EXPOSURES, ANY_WORD), ANY_WORD),
                minimum=row.choice("minimum", PROTECTION),
                where=row.document.at(row.path),
            )
        )
        row.done()
    section.done()
    return Protection(here, zones, tuple(rules))


def labels(section: Section) -> LabelTable:
    """Read ``labels.toml``."""
    default = section.member("default", Confidentiality, Confidentiality.N)
    rules: list[LabelRule] = []
    for row in section.sections("rules"):
        rule = LabelRule(
            id=row.name("id", example="psychiatry"),
            codes=frozenset(row.words("codes", ())),
            location=frozenset(row.words("location", ())),
            unit=frozenset(row.words("unit", ())),
            device_kind=frozenset(row.words("device_kind", ())),
            sender=frozenset(row.words("sender", ())),
            confidentiality=row.member("confidentiality", Confidentiality, Confidentiality.U),
            sensitivity=frozenset(row.words("sensitivity", ())),
        )
        row.done()
        for word in sorted(rule.sensitivity - SENSITIVITIES):
            row.note("sensitivity", f"`{word}` is no sensitivity code; {near(word, SENSITIVITIES)}", word)
        if not (rule.codes or rule.location or rule.unit or rule.device_kind or rule.sender):
            row.note("", "states no condition; write codes, location, unit, device_kind or sender")
        if rule.confidentiality is Confidentiality.U and not rule.sensitivity:
            row.note("", 'raises nothing; write confidentiality = "R" or sensitivity = ["PSY"]')
        if rule.id in {known.id for known in rules}:
            row.note("id", f"`{rule.id}` is used twice; give each rule its own id")
        rules.append(rule)
    section.done()
    return LabelTable(default, tuple(rules))


def projects(section: Section) -> dict[str, Project]:
    """Read ``projects.toml``: one table a project."""
    found: dict[str, Project] = {}
    for name in section.keys():  # noqa: SIM118  Section.keys() also counts them as known
        if not ID_FORM.fullmatch(name):
            section.note(name, "use lower-case letters, digits and hyphens, as in [registry-study]")
        table = section.section(name)
        if table is not None:
            found[name] = Project(
                name,
                table.text("title", ""),
                date_shift=table.flag("date_shift", default=False),
                merges=cast(
                    "Literal['apart', 'together']", table.choice("merges", ("apart", "together"), "apart")
                ),
                released_by=_released_by(table),
            )
            table.done()
    return found


def _released_by(table: Section) -> frozenset[str]:
    """Read who may run jobs into a project: ids of persons and roles. Who is here is not known to a bundle."""
    named = table.words("released_by", ())
    if table.has("released_by") and not named:
        table.note(
            "released_by", "names nobody; leave it out where whoever may run a job may release into it"
        )
    for word in named:
        meant = difflib.get_close_matches(word, _ROLES, 1, _MISSPELT)
        if not is_id(word):
            table.note("released_by", "must list ids of persons and roles, as in `privacy-officer`", word)
        elif meant and word != meant[0]:
            table.note("released_by", f"`{word}` is no role; did you mean `{meant[0]}`?", word)
    return frozenset(named)
