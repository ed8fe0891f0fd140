"""Settings: one TOML file into frozen dataclasses, one a section.

Rules:
- An unknown section or key is an error that names the nearest known one.
- Every setting has a default; an empty file is a working site on one machine.
- A number out of range, two doors on one port, a first pause longer than the longest: errors that name the place.
- Whether a user exists is asked of the machine that serves (``core.users``), not while reading.
- Secrets are never settings: a setting may name the file that holds one.
- ``docs/reference/settings.md`` is generated from this module (``scripts/reference.py``).
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path

from oathward.core.errors import SettingsError
from oathward.core.settings_breakglass import Breakglass
from oathward.core.settings_check import PORT_MAX, check
from oathward.core.settings_consent import Consent
from oathward.core.settings_deid import Deid
from oathward.core.settings_emergency import Emergency
from oathward.core.settings_findings import Findings
from oathward.core.settings_governance import Governance
from oathward.core.settings_network import Network
from oathward.core.settings_portal import Mail, Portal
from oathward.core.settings_processes import Users, Watchdog
from oathward.core.settings_read import check_known, section
from oathward.core.settings_reidentify import Reidentify


@dataclass(frozen=True, slots=True)
class Site:
    """Who we are."""

    name: str = "demo"  # stands in every table row as `site`


@dataclass(frozen=True, slots=True)
class Database:
    """Where truth lives."""

    url: str = ""  # empty: sqlite in the data folder; else postgresql+psycopg://…


@dataclass(frozen=True, slots=True)
class Mllp:
    """The HL7 v2 doors: plain and TLS."""

    host: str = "127.0.0.1"
    port: int = 2575  # plain; 0 = a free port, -1 = off
    tls_port: int = 2576  # client certificate required; 0 = a free port, -1 = off
    message_size_bytes_max: int = 1_048_576
    message_time_s_max: float = 30.0  # from first byte to end of frame
    idle_s_max: float = 600.0
    connections_max: int = 2_000
    connections_per_peer_max: int = 300
    messages_per_s_per_peer_max: int = 20_000
    stranger_bytes_per_hour_max: int = 268_435_456  # kept for senders nobody knows; more is not acknowledged
    handshake_time_s_max: float = 5.0  # from the connection to the end of the TLS handshake
    handshakes_max: int = 512  # unfinished ones in all; beyond it the oldest is dropped
    handshakes_per_peer_max: int = 64  # unfinished ones of one address
    handshakes_per_s_per_peer_max: int = 100  # begun by one address; it may save up three seconds of them
    waiting_messages_max: int = 64  # per connection, accepted but not yet answered
    waiting_bytes_max: int = (
        268_435_456  # received and not yet answered, of all; the largest senders go first
    )
    beside_bytes_min: int = (
        32_768  # heavier ones (marks and patients count as bytes) have a process of their own
    )
    beside_time_s_max: float = 60.0  # what takes it longer is tried once more, then held
    undecodable_reply: str = (
        "AR"  # AA, AE or AR: what a sender of undecodable bytes hears once they are stored
    )


@dataclass(frozen=True, slots=True)
class Fhir:
    """The FHIR door: HTTPS, with a client certificate or a token got with a registered key.

    What heavy requests and unfinished handshakes may take is said under `[mllp]`, for both doors.
    """

    host: str = "127.0.0.1"
    port: int = 2578  # 0 = a free port, -1 = off
    url: str = ""  # how devices reach it, `https://gateway.example:2578/fhir`; empty: localhost and its port
    header_bytes_max: int = 16_384  # request line and headers of one request
    body_bytes_max: int = 4_194_304  # as sent, and again once decompressed
    expands_max: int = 100  # how many times longer a compressed body may become
    header_time_s_max: float = 10.0  # from a request's first byte to the end of its headers
    body_time_s_max: float = 30.0  # from there to the end of its body
    idle_s_max: float = 300.0  # a connection on which nothing is asked
    connections_max: int = 2_000
    connections_per_peer_max: int = 300
    messages_per_s_per_peer_max: int = 10_000  # requests, and entries of batches
    waiting_messages_max: int = 64  # per connection, asked and not yet answered
    waiting_bytes_max: int = 268_435_456  # received and not yet answered, of all
    beside_bytes_min: int = 65_536  # longer bodies have a process of their own
    token_time_s: int = 300  # how long an access token lives
    tokens_per_s_per_peer_max: int = 5  # asked for by one address


@dataclass(frozen=True, slots=True)
class Gateway:
    """The data path."""

    group_messages_max: int = 256
    group_delay_ms: float = 10.0  # groups follow each other at this distance; one message alone never waits
    duplicate_window_days: int = 7
    message_rows_days: int = 400  # how long metadata of received messages is kept; the ledger keeps its own
    seal_epoch_s: int = 3_600
    keeper_timeout_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Patients:
    """Who is who."""

    authorities: dict[str, list[str]] = field(
        default_factory=dict,  # the site's name of an assigning authority -> its other names, each as in CX-4:
        # `{ HOSP = ["HOSPITAL", "1.2.3"] }`; a namespace and a universal id not declared so are two authorities
    )
    merges_max: int = 60  # of one source within `merges_minutes`; each further one is done, and is a finding
    merges_minutes: float = 1.0


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivery."""

    batch_rows: int = 256
    connect_timeout_s: float = 5.0
    reply_timeout_s: float = 30.0
    attempts_max: int = 12
    retry_first_s: float = 0.5
    retry_longest_s: float = 60.0
    retry_after_longest_s: float = 300.0  # how long a recipient may ask to be left alone
    lanes: int = 4  # connections to each recipient; a sender stays on one of them
    window_messages: int = 1  # outstanding on one connection; more only where the recipient can take it
    waiting_rows_max: int = 2_048  # in memory per link; the rest waits in the outbox
    send_buffer_bytes: int = 131_072  # what the kernel may hold of what a recipient does not read
    poll_s: float = 0.02  # how often new rows are looked for, for all links at once
    group_delay_ms: float = 40.0  # outcomes are recorded at most this often; one alone is at once


@dataclass(frozen=True, slots=True)
class Keeper:
    """The process that alone can open."""

    folder: str = ""  # empty: `keeper` in the data folder; its own file system and user where it may
    openings_per_person_per_hour_max: int = 200
    openings_per_hour_max: int = 5_000
    intake_key_days: int = 1
    outbox_key_days: int = 1
    checkpoint_every_s: float = 1.0
    checkpoint_every_records: int = 1_000


@dataclass(frozen=True, slots=True)
class Witness:
    """Where the outside witness listens; empty means there is none, and pages say so."""

    address: str = ""  # host:port or a path of a Unix socket
    public_key_file: str = ""  # the witness's `witness.pub`; a relative path is one in the data folder


@dataclass(frozen=True, slots=True)
class Metrics:
    """The Prometheus endpoint."""

    host: str = "127.0.0.1"
    port: int = 9464  # 0 = a free port, -1 = off


@dataclass(frozen=True, slots=True)
class Telemetry:
    """OpenTelemetry: the numbers of the Prometheus endpoint, sent to a collector; needs `oathward[otel]`."""

    endpoint: str = (
        ""  # OTLP/HTTP, `https://collector.example:4318`; empty: nothing is sent, nothing is loaded
    )
    ca_file: str = ""  # PEM, who vouches for the collector; empty: whom this machine trusts
    every_s: float = 30.0  # how often numbers are sent
    reply_timeout_s: float = 10.0
    traces_per_thousand: int = 0  # of a thousand messages so many become a trace; 0 = none


@dataclass(frozen=True, slots=True)
class Console:
    """The staff console and its JSON API."""

    host: str = "127.0.0.1"  # without a certificate a loopback address, and nothing else
    port: int = 2579  # 0 = a free port, -1 = off
    certificate: str = ""  # PEM, for HTTPS; a relative path is one in the data folder
    key: str = ""  # its private key, PEM
    url: str = (
        ""  # how people reach it, `https://oathward.hospital.example`; empty: this machine's own address
    )
    link_minutes_max: float = 10.0  # how long a one-time link of `oathward console` waits to be used
    idle_minutes_max: float = 30.0  # a session nobody uses ends
    session_hours_max: float = 8.0  # and every session ends after so long


@dataclass(frozen=True, slots=True)
class People:
    """Signing in, and what people may open."""

    password_length_min: int = (
        15  # of a local account, in characters; known bad ones are refused at any length
    )
    leaked_file: str = ""  # SHA-1 of leaked passwords in hexadecimal, one a line, in order; empty: words, rows and names alone are refused
    wrong_per_hour_max: int = 10  # wrong credentials for one account; then it waits, and says so to nobody
    clocks_may_differ: bool = False  # a code of the app counts in the half minute before and after its own too: it lives 90 s, not 30
    rotate_minutes: float = 15.0  # a session's secret is renewed after so long in use
    step_up_minutes: float = 10.0  # what needs a fresh proof takes one no older than this
    enrolment_hours_max: float = 72.0  # how long an invitation to enrol waits to be used
    links_sign_in: bool = (
        False  # for trials only: a one-time link made on this machine signs a person in without a factor
    )
    assess_hours_max: float = 24.0  # an emergency change of policy is assessed within so long
    unused_days: int = 90  # a grant or link nobody used for so long is a finding
    access_review_hours: float = 72.0  # an opening that nothing explains is reviewed within so long
    care_silence_days: float = (
        30.0  # a stay of which no message said a word for so long gives no care relationship
    )
    care_ended_days: float = (
        30.0  # an ended stay is forgotten so long after the last word of it; the ledger keeps that it was
    )
    care_stays_per_patient_max: int = (
        64  # open ones; beyond it the one longest unheard of ends, with a finding
    )
    care_stays_max: int = 500_000  # of all patients, ended ones too; beyond it ended ones are forgotten early, then none begins, with a finding


@dataclass(frozen=True, slots=True)
class Oidc:
    """Sign-in by an OpenID Connect provider; without an issuer there is none."""

    issuer: str = ""  # `https://id.hospital.example`, as its metadata say
    client_id: str = ""
    client_secret_file: str = (
        ""  # empty: a public client, with PKCE alone; a relative path is one in the data folder
    )
    name: str = "your hospital's sign-in"  # what the button says
    ca_file: str = ""  # PEM, who vouches for the provider; empty: whom this machine trusts
    keys_file: str = ""  # JWKS: trust these keys alone; empty: those the provider shows
    acr: str = ""  # authentication context (or an `amr`) that counts as two factors; empty: a factor of ours is asked for
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. ``data`` is the data folder, resolved."""

    data: Path
    site: Site = field(default_factory=Site)
    database: Database = field(default_factory=Database)
    mllp: Mllp = field(default_factory=Mllp)
    fhir: Fhir = field(default_factory=Fhir)
    gateway: Gateway = field(default_factory=Gateway)
    patients: Patients = field(default_factory=Patients)
    courier: Courier = field(default_factory=Courier)
    consent: Consent = field(default_factory=Consent)
    keeper: Keeper = field(default_factory=Keeper)
    witness: Witness = field(default_factory=Witness)
    metrics: Metrics = field(default_factory=Metrics)
    telemetry: Telemetry = field(default_factory=Telemetry)
    console: Console = field(default_factory=Console)
    people: People = field(default_factory=People)
    breakglass: Breakglass = field(default_factory=Breakglass)
    reidentify: Reidentify = field(default_factory=Reidentify)
    portal: Portal = field(default_factory=Portal)
    mail: Mail = field(default_factory=Mail)
    oidc: Oidc = field(default_factory=Oidc)
    governance: Governance = field(default_factory=Governance)
    findings: Findings = field(default_factory=Findings)
    deid: Deid = field(default_factory=Deid)
    emergency: Emergency = field(default_factory=Emergency)
    network: Network = field(default_factory=Network)
    watchdog: Watchdog = field(default_factory=Watchdog)
    users: Users = field(default_factory=Users)

    @property
    def database_url(self) -> str:
        """The URL in force."""
        apart = self.data / "db"  # made where processes have users of their own (``core.users``)
        folder = apart if not self.database.url and apart.is_dir() else self.data
        return self.database.url or f"sqlite:///{folder / 'oathward.db'}"

    @property
    def keeper_folder(self) -> Path:
        """Where the keeper alone may look."""
        return Path(self.keeper.folder) if self.keeper.folder else self.data / "keeper"

    @property
    def run_folder(self) -> Path:
        """Sockets, process ids and status of running parts."""
        return self.data / "run"

    def run_folder_of(self, role: str) -> Path:
        """Where one part has its status and sockets: a folder of its own where it has a user of its own."""
        own = self.run_folder / role
        return own if own.is_dir() else self.run_folder

    def own_folder_of(self, role: str) -> Path:
        """Where one part keeps what it remembers for itself."""
        own = self.data / "own" / role
        return own if own.is_dir() else self.data


def load(
    data: str | Path | None = None, *, file: Path | None = None, port_base: int | None = None
) -> Settings:
    """Read the settings of a data folder.

    Args:
        data: the folder; else ``OATHWARD_DATA``, else ``./oathward-data``.
        file: the TOML file; else ``oathward.toml`` in the folder, which may be absent.
        port_base: moves every port: see ``moved``.

    Raises:
        SettingsError: unknown section or key, a value of another type or out of range; names the place.
    """
    folder = Path(data or os.environ.get("OATHWARD_DATA") or "oathward-data").resolve()
    source = file or folder / "oathward.toml"
    table: dict[str, object] = {}
    try:
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if file is not None:
            raise SettingsError(source.name, "no such file") from error
    except OSError as error:
        raise SettingsError(str(source), f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # of TOML or of UTF-8
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise SettingsError(source.name, why) from error
    sections = {f.name: f for f in dataclasses.fields(Settings) if f.name != "data"}
    check_known(table, sections, source.name)
    hints = typing.get_type_hints(Settings)
    parts = {name: section(hints[name], table.get(name, {}), f"{source.name} [{name}]") for name in sections}
    settings = Settings(data=folder, **parts)
    check(settings, doors(settings), source.name)
    return settings if port_base is None else moved(settings, port_base)


def moved(settings: Settings, port_base: int) -> Settings:
    """Move every port: MLLP to the base, MLLP/TLS one above it, metrics two, FHIR three, the console four, the portal five.

    Raises:
        SettingsError: one of them would be no port.
    """
    if not 1 <= port_base <= PORT_MAX - 5:
        raise SettingsError("--port-base", f"must be 1 to {PORT_MAX - 5}: five more ports follow it")
    return dataclasses.replace(
        settings,
        mllp=dataclasses.replace(settings.mllp, port=port_base, tls_port=port_base + 1),
        metrics=dataclasses.replace(settings.metrics, port=port_base + 2),
        fhir=dataclasses.replace(settings.fhir, port=port_base + 3),
        console=dataclasses.replace(settings.console, port=port_base + 4),
        portal=dataclasses.replace(settings.portal, port=_if_on(settings.portal.port, port_base + 5)),
    )


def _if_on(port: int, moved_to: int) -> int:
    """Move a port that is off by itself only where it is on."""
    return moved_to if port >= 0 else port


def doors(settings: Settings) -> dict[str, tuple[str, int]]:
    """Name every port that is on: place in the settings -> host and port; 0 is any free port."""
    found = {
        "[mllp] port": (settings.mllp.host, settings.mllp.port),
        "[mllp] tls_port": (settings.mllp.host, settings.mllp.tls_port),
        "[metrics] port": (settings.metrics.host, settings.metrics.port),
        "[fhir] port": (settings.fhir.host, settings.fhir.port),
        "[console] port": (settings.console.host, settings.console.port),
        "[portal] port": (settings.portal.host, settings.portal.port),
    }
    return {place: door for place, door in found.items() if door[1] >= 0}
