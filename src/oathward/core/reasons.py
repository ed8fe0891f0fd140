"""Every reason Oathward can give, with its answer on each wire.

One table for all doors: HL7 acknowledgement code, HL7 table 0357 error code,
DICOM status, HTTP status, process exit code. A new reason is one new line here.

Source: HL7 v2.6 tables 0008 and 0357; DICOM PS3.7 Annex C; RFC 9110; sysexits where they fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Answer:
    """What each wire is told for one reason.

    ``hl7``: original-mode code; in enhanced mode the accept code has the same second letter.
    ``hl7_error``: HL7 table 0357 code for ERR-3. ``exit_code``: of a command that ends with it.
    """

    hl7: str
    hl7_error: str
    dicom: int
    http: int
    exit_code: int


# A privacy decision is never an error to a device: stored is AA.
_STORED = Answer("AA", "0", 0x0000, 202, 0)
_BAD = Answer("AR", "100", 0xC000, 400, 65)
_DATA = Answer("AE", "102", 0xC000, 422, 65)
_DENIED = Answer("AE", "207", 0x0124, 403, 77)
_BUSY = Answer("AR", "207", 0xA700, 503, 75)
_OURS = Answer("AE", "207", 0x0110, 500, 70)
_CONFIG = Answer("AE", "207", 0x0110, 500, 78)
_MISSING = Answer("AE", "204", 0x0112, 404, 66)


def _http(status: int) -> Answer:
    """Only a wire over HTTP can be wrong in this way; elsewhere it is bad input or no permission."""
    base = _DENIED if status in {401, 403} else _BAD
    return Answer(base.hl7, base.hl7_error, base.dicom, status, base.exit_code)


class Reason(Enum):
    """A reason code as it stands in records, answers and exit codes."""

    # --- message and frame form
    FRAME_JUNK = "frame.junk", _BAD
    FRAME_TOO_LARGE = "frame.too-large", _BAD
    FRAME_NESTED = "frame.nested-start", _BAD
    FRAME_UNTERMINATED = "frame.unterminated", _BAD
    FRAME_TIMEOUT = "frame.timeout", _BAD
    MESSAGE_EMPTY = "message.empty", _BAD
    MESSAGE_UNDECODABLE = "message.undecodable", _BAD
    TRUNCATED = "message.truncated", _BAD
    SEPARATORS_INVALID = "message.separators-invalid", _BAD
    HEADER_MISSING = "message.header-missing", _BAD
    HEADER_INCOMPLETE = "message.header-incomplete", Answer("AR", "101", 0xC000, 400, 65)
    CHARSET_UNSUPPORTED = "message.charset-unsupported", _DATA
    CHARSET_BROKEN = "message.charset-broken", _DATA
    BATCH_BROKEN = "message.batch-broken", _BAD
    LIMIT_EXCEEDED = "message.limit-exceeded", _BAD
    VALUE_INVALID = "message.value-invalid", _DATA
    FORMAT_UNSUPPORTED = "message.format-unsupported", Answer("AR", "100", 0xC000, 415, 65)
    JSON_INVALID = "message.json-invalid", _BAD
    DUPLICATE_KEY = "message.duplicate-key", _BAD
    NUMBER_UNBOUNDED = "message.number-unbounded", _BAD
    REQUEST_INVALID = "message.request-invalid", _BAD
    TYPE_UNKNOWN = "message.type-unknown", Answer("AR", "200", 0xC000, 404, 65)
    ELEMENT_UNKNOWN = "message.element-unknown", _DATA
    EDITION_OTHER = "message.edition-other", _DATA
    ELEMENT_MISSING = "message.element-missing", Answer("AE", "101", 0xC000, 422, 65)
    ELEMENT_REPEATED = "message.element-repeated", _DATA
    ELEMENT_TYPE = "message.element-type", _DATA
    CODE_NOT_ALLOWED = "message.code-not-allowed", Answer("AE", "103", 0xC000, 422, 65)
    TARGET_NOT_ALLOWED = "message.target-not-allowed", _DATA
    RULE_BROKEN = "message.rule-broken", _DATA
    CONTROL_ID_REUSED = "message.control-id-reused", _STORED
    DUPLICATE = "message.duplicate", _STORED
    VERSION_MISMATCH = "message.version-mismatch", Answer("AE", "207", 0xC000, 412, 65)
    CONDITION_UNSUPPORTED = "message.condition-unsupported", Answer("AE", "200", 0xC000, 412, 65)
    CONDITION_SEVERAL = "message.condition-several", Answer("AE", "205", 0xC000, 412, 65)
    # --- connection
    CONNECTION_LIMIT = "connection.limit", _BUSY
    RATE_LIMIT = "connection.rate-limit", _BUSY
    MEMORY_LIMIT = "connection.memory-limit", _BUSY
    HANDSHAKE_LIMIT = "connection.handshake-limit", _BUSY
    HANDSHAKE_TIMEOUT = "connection.handshake-timeout", _BAD
    HANDSHAKE_FAILED = "connection.handshake-failed", _DENIED
    CERTIFICATE_REVOKED = "connection.certificate-revoked", _DENIED
    # --- requests over HTTP
    HTTP_MALFORMED = "http.malformed", _http(400)
    HTTP_VERSION = "http.version", _http(505)
    HTTP_TIMEOUT = "http.timeout", _http(408)
    HTTP_LENGTH_MISSING = "http.length-missing", _http(411)
    HTTP_HEADERS_TOO_LARGE = "http.headers-too-large", _http(431)
    HTTP_BODY_TOO_LARGE = "http.body-too-large", _http(413)
    HTTP_BODY_EXPANDS = "http.body-expands", _http(413)
    HTTP_ENCODING_BROKEN = "http.encoding-broken", _http(400)
    HTTP_ENCODING_UNSUPPORTED = "http.encoding-unsupported", _http(415)
    HTTP_MEDIA_TYPE = "http.media-type", _http(415)
    HTTP_NOT_ACCEPTABLE = "http.not-acceptable", _http(406)
    HTTP_EXPECTATION = "http.expectation", _http(417)
    INTERACTION_UNSUPPORTED = "fhir.interaction-unsupported", _http(501)
    CREDENTIALS_MISSING = "credentials.missing", _http(401)
    TOKEN_INVALID = "token.invalid", _http(401)
    TOKEN_SCOPE = "token.scope", _http(403)
    TOKEN_REQUEST = "token.request-invalid", _http(400)
    ASSERTION_INVALID = "assertion.invalid", _http(401)
    ASSERTION_ALGORITHM = "assertion.algorithm", _http(401)
    ASSERTION_AUDIENCE = "assertion.audience", _http(401)
    ASSERTION_EXPIRED = "assertion.expired", _http(401)
    ASSERTION_REPLAYED = "assertion.replayed", _http(401)
    # --- signing in
    SIGN_IN_REFUSED = "sign-in.refused", _http(401)
    SIGN_IN_TOO_MANY = "sign-in.too-many", _http(429)
    SIGN_IN_LINKS_OFF = "sign-in.links-off", _http(403)
    SESSION_REUSED = "session.reused", _http(401)
    INVITATION_ENDED = "invitation.ended", _http(403)
    PASSWORD_REFUSED = "password.refused", _http(422)
    CODE_REFUSED = "code.refused", _http(422)
    PASSKEY_REFUSED = "passkey.refused", _http(422)
    FACTOR_MISSING = "factor.missing", _http(403)
    FACTOR_LAST = "factor.last", _http(409)
    PROVIDER_STATE = "provider.state", _http(401)
    PROVIDER_TOKEN = "provider.token-invalid", _http(401)
    PROVIDER_ALGORITHM = "provider.algorithm", _http(401)
    PROVIDER_KEY = "provider.key-unknown", _http(401)
    PROVIDER_AUDIENCE = "provider.audience", _http(401)
    PROVIDER_EXPIRED = "provider.expired", _http(401)
    PROVIDER_NONCE = "provider.nonce", _http(401)
    PERSON_UNKNOWN = "person.unknown", _http(401)
    PERSON_TWICE = "person.twice", _http(409)
    PEOPLE_MANY_LEAVE = "people.many-leave", _http(409)
    ROLES_APART = "roles.apart", _http(409)
    REIDENTIFY_UNSEEN = "reidentify.unseen", _http(409)
    PROVIDER_UNAVAILABLE = "provider.unavailable", _BUSY
    PROVIDER_ANSWER = "provider.answer-invalid", _http(502)
    PROVIDER_MIXED_UP = "provider.mixed-up", _http(403)
    PROVIDER_REFUSED = "provider.refused", _http(403)
    # --- who and about whom
    DEVICE_UNKNOWN = "device.unknown", _STORED
    DEVICE_REVOKED = "device.revoked", _STORED
    DEVICE_MISMATCH = "device.identity-mismatch", _STORED
    DEVICE_NOT_ENTITLED = "device.not-entitled", _STORED
    DEVICE_ASSURANCE = "device.assurance-too-low", _STORED
    PATIENTS_SEVERAL = "patient.several", _STORED
    PATIENT_AMBIGUOUS = "patient.ambiguous", _STORED
    SOURCE_NOT_AUTHORITATIVE = "patient.source-not-authoritative", _STORED
    MERGE_REFUSED = "patient.merge-refused", _STORED
    # --- decision
    NO_LINK = "decision.no-link", _STORED
    NO_CONSENT = "decision.no-consent", _STORED
    CONSENT_DENIES = "decision.consent-denies", _STORED
    CONSENT_WAITING = "decision.consent-waiting", _STORED
    CONSENT_NOT_IN_FHIR = "consent.not-in-fhir", _DATA
    PDF_NOT_HERE = "pdf.not-here", _CONFIG
    CONSENT_UNREADABLE = "decision.consent-unreadable", _STORED
    LABEL_DENIES = "decision.label-denies", _STORED
    POLICY_DENIES = "decision.policy-denies", _STORED
    POLICY_ERROR = "decision.policy-error", _STORED
    FACT_MISSING = "decision.fact-missing", _STORED
    NOTHING_LEFT = "decision.nothing-left", _STORED
    BUNDLE_MISSING = "decision.bundle-missing", _STORED
    CLOCK_UNSURE = "decision.clock-unsure", _STORED
    PERMIT_EXPIRED = "decision.permit-expired", _STORED
    PERMIT_NARROWED = "decision.permit-narrowed", _STORED
    NOT_PERMITTED = "decision.not-permitted", _DENIED
    # --- who may do what
    ACCESS_SIGN_IN = "access.sign-in", _DENIED
    ACCESS_ROLE = "access.role", _DENIED
    GIVEN_TO = "access.given-to", Answer("AE", "102", 0xC000, 409, 65)
    ACCESS_OWN = "access.own", _DENIED
    ACCESS_FACTOR = "access.second-factor", _DENIED
    ACCESS_STEP_UP = "access.step-up", _DENIED
    ACCESS_PROVE_BOTH = "access.prove-both", _DENIED
    ACCESS_PROJECT = "access.project", _DENIED
    ACCESS_RELATION = "access.no-relationship", _DENIED
    WITHHELD = "access.withheld", _DENIED
    # --- changes of policy
    PROPOSAL_NEEDED = "proposal.needed", _http(403)
    PROPOSAL_STALE = "proposal.stale", _http(409)
    PROPOSAL_INCOMPLETE = "proposal.incomplete", _http(409)
    PROPOSAL_ALTERED = "proposal.altered", _OURS
    EMERGENCY_TOO_WIDE = "proposal.emergency-too-wide", _http(403)
    LOCKS_OUT = "proposal.locks-out", _http(403)
    # --- the governance register
    GOVERNANCE_OWNER_MISSING = "governance.owner-missing", _http(422)
    GOVERNANCE_TRANSITION = "governance.transition", _http(409)
    # --- protection
    UNCATALOGUED = "deid.uncatalogued", _STORED
    MAPPING_UNSUPPORTED = "mapping.unsupported", _STORED
    DEID_FAILED = "deid.failed", _STORED
    PIXELS_HELD = "deid.pixels-held", _STORED
    DOCUMENT_HELD = "deid.document-held", _STORED
    DEID_TEXT_TIMEOUT = "deid.text-timeout", _STORED
    DEID_TEXT_MODEL = "deid.text-model", _STORED
    DEID_FORMAT = "deid.format-unknown", _STORED
    DEID_RESIDUE = "deid.residue", _STORED
    NOT_IN_FILE = "deid.not-in-file", _STORED
    FILE_CHANGED = "deid.file-changed", _STORED
    WORKER_LOST = "deid.worker-lost", _STORED
    CONFINEMENT_MISSING = "deid.confinement-missing", _CONFIG
    DEID_TEXT_HELD = "deid.text-held", _STORED
    DEID_ATTACHMENT_HELD = "deid.attachment-held", _STORED
    GUARD_STOPPED = "guard.stopped", _STORED
    KEY_UNAVAILABLE = "key.unavailable", _STORED
    KEY_DESTROYED = "key.destroyed", _MISSING
    SEAL_BROKEN = "seal.broken", _OURS
    SIGNATURE_INVALID = "authority.signature-invalid", _OURS
    AUTHORITY_STALE = "authority.stale", _OURS
    KEEPER_REFUSED = "keeper.refused", _DENIED
    KEEPER_UNAVAILABLE = "keeper.unavailable", _BUSY
    RATE_OF_OPENING = "keeper.rate-limit", _DENIED
    CARE_LIMIT = "care.limit", _BUSY
    CARE_PRIOR = "care.prior-unknown", _STORED
    # --- ledger
    LEDGER_BROKEN = "ledger.broken", Answer("AE", "207", 0x0110, 500, 3)
    LEDGER_ROLLED_BACK = "ledger.rolled-back", Answer("AE", "207", 0x0110, 500, 3)
    LEDGER_FORKED = "ledger.forked", Answer("AE", "207", 0x0110, 500, 3)
    WITNESS_UNAVAILABLE = "witness.unavailable", _BUSY
    BREAKGLASS_MISSES = "breakglass.misses", Answer("AE", "207", 0x0110, 403, 3)
    # --- the emergency copy
    EMERGENCY_PASSPHRASE = "emergency.passphrase", _DENIED
    EMERGENCY_COPY_BROKEN = "emergency.copy-broken", Answer("AE", "207", 0x0110, 500, 3)
    EMERGENCY_LOG_BROKEN = "emergency.log-broken", Answer("AE", "207", 0x0110, 500, 3)
    EMERGENCY_NOT_PROVED = "emergency.not-proved", Answer("AE", "207", 0x0110, 500, 3)
    # --- delivery
    RECIPIENT_UNREACHABLE = "delivery.unreachable", _BUSY
    RECIPIENT_REFUSED = "delivery.refused", _BUSY
    RECIPIENT_NO_ANSWER = "delivery.no-answer", _BUSY
    RECIPIENT_UNAVAILABLE = "delivery.unavailable", _BUSY
    RECIPIENT_UNTRUSTED = "delivery.recipient-untrusted", _BUSY
    RECIPIENT_DISTRUSTS = "delivery.not-authorised", _BUSY
    RECIPIENT_UNCLEAR = "delivery.answer-unclear", _BUSY
    CONSENT_WITHDRAWN_IN_FLIGHT = "delivery.withdrawn-in-flight", _OURS
    DELIVERY_FORM = "delivery.form-mismatch", _OURS
    LINK_UNUSABLE = "link.unusable", _CONFIG
    # --- what sensors and lists say
    OBSERVED_TIME = "observation.time", _DATA
    OBSERVED_COLUMNS = "observation.columns", _DATA
    OBSERVED_BROKEN = "observation.broken", _DATA
    OBSERVED_CUT = "observation.cut", _DATA
    OBSERVED_SIZE = "observation.size", _DATA
    OBSERVED_UNKNOWN = "observation.unknown", _DATA
    OBSERVED_TEMPLATE = "observation.template", _DATA
    OBSERVED_FULL = "observation.full", _DATA
    OBSERVED_READER = "observation.reader-lost", _OURS
    OBSERVED_FRAGMENT = "observation.fragment", _DATA
    # --- one probe of one device, on a person's order
    PROBE_OFF = "probe.off", _http(403)
    PROBE_OUTSIDE = "probe.off-network", _http(409)
    PROBE_ADDRESS_UNKNOWN = "probe.address-unknown", _http(409)
    PROBE_ADDRESS_STALE = "probe.address-stale", _http(409)
    PROBE_ADDRESS_SHARED = "probe.address-shared", _http(409)
    PROBE_REALM = "probe.other-realm", _http(409)
    PROBE_AT_RISK = "probe.at-risk", _http(409)
    PROBE_TOO_SOON = "probe.too-soon", _http(429)
    # --- settings, policy and use
    PORT_TAKEN = "port.taken", _CONFIG
    ALREADY_RUNNING = "already-running", _BUSY
    SETTINGS_INVALID = "settings.invalid", _CONFIG
    BUNDLE_INVALID = "bundle.invalid", Answer("AE", "207", 0x0110, 422, 65)
    INPUT_CONTROL = "input.control-character", Answer("AE", "102", 0xC000, 400, 65)
    INPUT_INVALID = "input.invalid", Answer("AE", "102", 0xC000, 400, 65)
    NOT_FOUND = "not-found", _MISSING
    CONFLICT = "conflict", Answer("AE", "205", 0x0111, 409, 65)
    # --- the world and us
    STORAGE_FULL = "storage.full", _BUSY
    STORAGE_FAILED = "storage.failed", _BUSY
    STORAGE_SCHEMA = "storage.schema", _CONFIG
    INTERNAL = "internal", _OURS

    def __init__(self, code: str, answer: Answer) -> None:
        self.code = code
        self.answer = answer

    def __str__(self) -> str:
        return self.code


BY_CODE: dict[str, Reason] = {reason.code: reason for reason in Reason}
