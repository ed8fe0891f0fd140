"""What each reason means and what a person may do about it: one line each, for the reference page and the CLI.

Rules:
- Every reason of ``core.reasons`` has a row, and no other; a test compares them.
- Said to someone who looks at it for the first time, at night: what happened, then the next step, as a command
  where there is one.

Deliberately absent: values of messages, and anything about how the code does it.
"""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.meanings_deid import DEID
from oathward.core.meanings_discovery import DISCOVERY
from oathward.core.meanings_emergency import EMERGENCY
from oathward.core.meanings_people import PEOPLE
from oathward.core.reasons import Reason

__all__ = ["MEANINGS", "Meaning"]


_SENDER = "mend the sender; `oathward doctor` counts such connections"
_HELD = "settle what is named, then `oathward quarantine release MESSAGE`"
_DECIDED = "nothing, if the policy is meant so; `oathward policy test` tries a message against it"
_RETRIED = "nothing at first: it is tried again; look at the disk and `oathward doctor` if it stays"
_LEDGER = (
    "keep the data folder as it is, stop writing, and compare with the witness: `oathward ledger verify`"
)

MEANINGS: dict[Reason, Meaning] = (
    {
        **EMERGENCY,
        **DISCOVERY,
        Reason.FRAME_JUNK: Meaning("bytes between messages that belong to no frame", _SENDER),
        Reason.FRAME_TOO_LARGE: Meaning(
            "a frame longer than allowed", "raise `[mllp] message_size_bytes_max` if it is real"
        ),
        Reason.FRAME_NESTED: Meaning("a message began before the one before it had ended", _SENDER),
        Reason.FRAME_UNTERMINATED: Meaning(
            "the connection ended within a message", "the sender tries again by itself"
        ),
        Reason.FRAME_TIMEOUT: Meaning("a message did not come to its end in time", _SENDER),
        Reason.MESSAGE_EMPTY: Meaning("a frame or a body with nothing in it", _SENDER),
        Reason.MESSAGE_UNDECODABLE: Meaning(
            "the bytes are no message of their protocol; they lie sealed in quarantine", "mend the sender"
        ),
        Reason.SEPARATORS_INVALID: Meaning("MSH-1 or MSH-2 cannot separate anything", "mend the sender"),
        Reason.HEADER_MISSING: Meaning("the message does not begin with MSH", "mend the sender"),
        Reason.HEADER_INCOMPLETE: Meaning("MSH-9 names no message code", "mend the sender"),
        Reason.CHARSET_UNSUPPORTED: Meaning(
            "MSH-18 names a character set that is not known, or FHIR came in another than UTF-8",
            "mend MSH-18 at the sender; FHIR is UTF-8 without a byte order mark",
        ),
        Reason.CHARSET_BROKEN: Meaning(
            "bytes that MSH-18's character set, or UTF-8 in FHIR, does not have", "mend the sender"
        ),
        Reason.BATCH_BROKEN: Meaning("a batch whose headers and trailers do not pair", "mend the sender"),
        Reason.LIMIT_EXCEEDED: Meaning(
            "more segments, fields, elements, parts or bytes than one message may have",
            "mend the sender, or the limit named",
        ),
        Reason.VALUE_INVALID: Meaning(
            "a value without the form that its element has, or a byte that no message may hold (NUL, VT, FS)",
            "mend the sender",
        ),
        Reason.FORMAT_UNSUPPORTED: Meaning(
            "a body that is not FHIR's JSON, a DICOM directory, or a DICOM file of a transfer syntax of nobody's",
            "send `application/fhir+json`; leave directories out, they are made anew",
        ),
        Reason.TRUNCATED: Meaning("a file ends before what it announced", "send it again, whole"),
        Reason.JSON_INVALID: Meaning("the body is not JSON", "mend the sender"),
        Reason.DUPLICATE_KEY: Meaning(
            "a JSON object with the same key twice: two readers could read two things", "mend the sender"
        ),
        Reason.NUMBER_UNBOUNDED: Meaning("a number longer or larger than any reading", "mend the sender"),
        Reason.REQUEST_INVALID: Meaning(
            "address, conditions and body of a request do not go together",
            "mend the sender; `where` says which part",
        ),
        Reason.TYPE_UNKNOWN: Meaning("a resource type that FHIR R4 does not have", "mend the sender"),
        Reason.ELEMENT_UNKNOWN: Meaning(
            "an element that FHIR R4 does not have there", "mend the sender, or use an extension"
        ),
        Reason.EDITION_OTHER: Meaning(
            "a Consent of FHIR R5, where R4 is read",
            "send it as R4, or import it as a file: `oathward consent import --fhir`",
        ),
        Reason.ELEMENT_MISSING: Meaning("an element that FHIR R4 requires is not there", "mend the sender"),
        Reason.ELEMENT_REPEATED: Meaning("two values where FHIR R4 has one", "mend the sender"),
        Reason.ELEMENT_TYPE: Meaning("an element of another type than its standard says", "mend the sender"),
        Reason.CODE_NOT_ALLOWED: Meaning(
            "a code that is not in the value set FHIR R4 requires", "mend the sender"
        ),
        Reason.TARGET_NOT_ALLOWED: Meaning(
            "a reference to a type of resource that it may not point to", "mend the sender"
        ),
        Reason.RULE_BROKEN: Meaning(
            "elements that do not go together, by a rule of FHIR R4",
            "mend the sender; the answer names the rule",
        ),
        Reason.CONTROL_ID_REUSED: Meaning(
            "the same MSH-10 again with other bytes: taken as a new message", "mend the sender's numbering"
        ),
        Reason.DUPLICATE: Meaning("the same message again: answered as the first time, delivered once"),
        Reason.CONNECTION_LIMIT: Meaning(
            "too many connections, in all or of one address", "close idle ones, or `[mllp] connections_*_max`"
        ),
        Reason.RATE_LIMIT: Meaning(
            "more messages a second, or bytes of strangers an hour, than allowed",
            "`[mllp] *_max`, if it is real traffic",
        ),
        Reason.MEMORY_LIMIT: Meaning(
            "too many bytes wait for their answers", "slow the sender, or more memory"
        ),
        Reason.HANDSHAKE_LIMIT: Meaning(
            "too many unfinished TLS handshakes", "look who opens them: `oathward doctor`"
        ),
        Reason.HANDSHAKE_TIMEOUT: Meaning("a TLS handshake did not end in time", _SENDER),
        Reason.HANDSHAKE_FAILED: Meaning(
            "no certificate, or one of another authority", "give the device one: `oathward device cert`"
        ),
        Reason.CERTIFICATE_REVOKED: Meaning(
            "the device behind this certificate was revoked",
            "`oathward device cert` after it was adopted again",
        ),
        Reason.HTTP_MALFORMED: Meaning(
            "bytes that are no HTTP/1.1 request, or one that two readers would cut in different places",
            _SENDER,
        ),
        Reason.HTTP_VERSION: Meaning("another version of HTTP than 1.0 or 1.1", _SENDER),
        Reason.HTTP_TIMEOUT: Meaning(
            "headers or a body that did not come to their end in time",
            "`[fhir] header_time_s_max`, `body_time_s_max`",
        ),
        Reason.HTTP_LENGTH_MISSING: Meaning("a request without a body, or without its length", _SENDER),
        Reason.HTTP_HEADERS_TOO_LARGE: Meaning("more headers than allowed", "`[fhir] header_bytes_max`"),
        Reason.HTTP_BODY_TOO_LARGE: Meaning(
            "a body longer than allowed", "raise `[fhir] body_bytes_max` if it is real"
        ),
        Reason.HTTP_BODY_EXPANDS: Meaning(
            "a compressed body that grows too much", "raise `[fhir] expands_max` if it is real"
        ),
        Reason.HTTP_ENCODING_BROKEN: Meaning("a compressed body that cannot be read to its end", _SENDER),
        Reason.HTTP_ENCODING_UNSUPPORTED: Meaning(
            "a Content-Encoding that is neither gzip nor deflate", "mend the sender"
        ),
        Reason.HTTP_MEDIA_TYPE: Meaning(
            "a body that is not FHIR R4 in JSON and UTF-8 by its Content-Type", "mend the sender"
        ),
        Reason.HTTP_NOT_ACCEPTABLE: Meaning(
            "an answer in another form than JSON was asked for", "mend the sender"
        ),
        Reason.HTTP_EXPECTATION: Meaning("an Expect header that nobody here can meet", "mend the sender"),
        Reason.INTERACTION_UNSUPPORTED: Meaning(
            "something other than create, update, batch or transaction",
            "`GET [base]/metadata` says what there is",
        ),
        Reason.CONDITION_UNSUPPORTED: Meaning(
            "a condition on anything but one identifier or one version", "mend the sender"
        ),
        Reason.CONDITION_SEVERAL: Meaning(
            "a conditional create by an identifier that several were created under already",
            "mend the sender: each thing has an identifier of its own",
        ),
        Reason.VERSION_MISMATCH: Meaning(
            "an update of another version than the one that was taken last", "the sender must look again"
        ),
        Reason.CREDENTIALS_MISSING: Meaning(
            "neither a client certificate nor an access token",
            "`oathward device cert` or `oathward device key`",
        ),
        Reason.TOKEN_INVALID: Meaning("an access token that is not in force", "the sender asks for another"),
        Reason.TOKEN_SCOPE: Meaning(
            "what was asked for is outside the token's scopes", "the sender asks for more"
        ),
        Reason.TOKEN_REQUEST: Meaning(
            "a request for a token that is not in the form of SMART", "mend the sender"
        ),
        Reason.ASSERTION_INVALID: Meaning(
            "a client assertion that no key of a device in the inventory signed",
            "`oathward device show` lists keys",
        ),
        Reason.ASSERTION_ALGORITHM: Meaning(
            "a client assertion signed in another way than RS384 or ES384", "mend the sender"
        ),
        Reason.ASSERTION_AUDIENCE: Meaning(
            "a client assertion made for somebody else", "`[fhir] url` must be the address that senders use"
        ),
        Reason.ASSERTION_EXPIRED: Meaning(
            "a client assertion that is over, or would live for more than five minutes",
            "set the sender's clock",
        ),
        Reason.ASSERTION_REPLAYED: Meaning("a client assertion that was used before", _SENDER),
        Reason.PEOPLE_MANY_LEAVE: Meaning(
            "a list of everyone would make more than a fifth leave",
            "look whether the list is whole; `oathward people import --everyone --many-leave` if it is",
        ),
        Reason.DEVICE_UNKNOWN: Meaning(
            "nobody has declared this sender",
            "see `oathward device held`; adopt the device, then release; or `oathward quarantine discard`",
        ),
        Reason.DEVICE_REVOKED: Meaning(
            "the device was revoked", "if it should speak again, adopt it, then release"
        ),
        Reason.DEVICE_MISMATCH: Meaning(
            "its certificate or address is of another device than MSH-3/4 says",
            "mend the device or its entry",
        ),
        Reason.DEVICE_NOT_ENTITLED: Meaning(
            "its inventory entry does not list this message type", "add the type to the device, then release"
        ),
        Reason.DEVICE_ASSURANCE: Meaning(
            "it proved less of who it is than the link asks for",
            "give it a certificate, or lower `min_assurance`",
        ),
        Reason.PATIENTS_SEVERAL: Meaning("one message, or one resource, is about several patients", _HELD),
        Reason.PATIENT_AMBIGUOUS: Meaning(
            "the patient could not be told", "settle the identity (ADT), then release"
        ),
        Reason.SOURCE_NOT_AUTHORITATIVE: Meaning(
            "a merge or move from a device that may not say so",
            "mark the ADT feed `authoritative_adt`, if it is one",
        ),
        Reason.MERGE_REFUSED: Meaning(
            "a merge or move that cannot be done as said", "look at the ADT message, mend it there"
        ),
        Reason.NO_LINK: Meaning("no link takes such messages of such devices", _DECIDED),
        Reason.NO_CONSENT: Meaning(
            "nobody consented, and the link needs it", "`oathward consent import`, or nothing"
        ),
        Reason.CONSENT_DENIES: Meaning("the patient said no", "nothing: it works as it should"),
        Reason.CONSENT_WAITING: Meaning(
            "a Consent came that may say no, and nobody has looked at it",
            "`oathward consent arrived`, then `oathward consent import --message MESSAGE`; then release what is held",
        ),
        Reason.CONSENT_NOT_IN_FHIR: Meaning(
            "a statement that no FHIR Consent of this edition says exactly",
            "the other edition, or record it in purposes and classes that FHIR has; `oathward consent list` shows it",
        ),
        Reason.CONSENT_UNREADABLE: Meaning(
            "what patients say could not be read for a second; links that are not for care stand still",
            "see why the database cannot be read; links go on by themselves, then release what is held",
        ),
        Reason.LABEL_DENIES: Meaning("more confidential than the link may carry", _DECIDED),
        Reason.POLICY_DENIES: Meaning("no Cedar policy permits it, or one forbids it", _DECIDED),
        Reason.POLICY_ERROR: Meaning(
            "a Cedar policy failed on this message", "`oathward policy check` and `policy test`"
        ),
        Reason.FACT_MISSING: Meaning("the decision hangs on something that is not known", _HELD),
        Reason.NOTHING_LEFT: Meaning("what was permitted leaves nothing to send", _DECIDED),
        Reason.BUNDLE_MISSING: Meaning(
            "no policy is active", "activate one: `oathward policy activate DIR`, then release"
        ),
        Reason.CLOCK_UNSURE: Meaning(
            "the clock went back or cannot be trusted, and the permit depends on time",
            "mend the time source, then release",
        ),
        Reason.PERMIT_EXPIRED: Meaning("the permit ended before the message could be delivered", _DECIDED),
        Reason.PERMIT_NARROWED: Meaning(
            "policy or consent allows less now than when the message was prepared",
            "nothing: it is not sent any more",
        ),
        Reason.NOT_PERMITTED: Meaning(
            "this may not be done by whom, or as, it was asked", "ask somebody who may"
        ),
        Reason.EMERGENCY_TOO_WIDE: Meaning(
            "an emergency narrows links, widens only care inside this site, and changes no policy about people",
            "take that out, or propose it",
        ),
        Reason.LOCKS_OUT: Meaning(
            "under its policies about people nobody could propose, approve, put in force or go back any more",
            "leave that to somebody (`oathward people list`): mend `people/*.cedar` and propose it again",
        ),
        Reason.GOVERNANCE_OWNER_MISSING: Meaning(
            "an entry of the governance register has no owner or steward who is an active person",
            "`oathward governance set KIND/ID --owner PERSON --steward PERSON`; `oathward people list` has their ids",
        ),
        Reason.GOVERNANCE_TRANSITION: Meaning(
            "an entry of the governance register cannot go from where it stands to where it was asked to",
            "`oathward governance list` says where it stands; what is retired stays so",
        ),
        Reason.UNCATALOGUED: Meaning(
            "an element that nobody catalogued, on a link that holds such messages",
            "see the place; review the catalogue",
        ),
        Reason.MAPPING_UNSUPPORTED: Meaning(
            "a link asks for FHIR, and this message type has no mapping to it",
            "name the types that have one in the link (`docs/reference/v2-to-fhir.md`), or send it as HL7 v2",
        ),
        Reason.GUARD_STOPPED: Meaning(
            "identifying text would have left", "mend the link's profile or the sender, then release"
        ),
        Reason.KEY_UNAVAILABLE: Meaning(
            "a key that is needed cannot be had now", "see `oathward doctor` and `oathward keys status`"
        ),
        Reason.KEY_DESTROYED: Meaning("erased for good: nobody can open it", "nothing"),
        Reason.SEAL_BROKEN: Meaning(
            "a sealed body is not what was sealed, or not where it belongs",
            "keep the data folder as it is; restore from a backup",
        ),
        Reason.SIGNATURE_INVALID: Meaning(
            "a signed document was changed", "see which with `oathward doctor`; put back the signed one"
        ),
        Reason.AUTHORITY_STALE: Meaning(
            "a signed document is gone, or an older one was put back",
            "see which with `oathward doctor`; put back the newest",
        ),
        Reason.KEEPER_REFUSED: Meaning(
            "the keeper does not do that for this process", "see the keeper's log"
        ),
        Reason.KEEPER_UNAVAILABLE: Meaning(
            "the keeper did not answer", "release once `oathward doctor` is content"
        ),
        Reason.RATE_OF_OPENING: Meaning(
            "more originals opened in a day than one person may", "wait, or ask who may raise it"
        ),
        Reason.LEDGER_BROKEN: Meaning("a record, tile or checkpoint is not what was written", _LEDGER),
        Reason.LEDGER_ROLLED_BACK: Meaning(
            "the ledger is shorter than what was signed or witnessed", _LEDGER
        ),
        Reason.LEDGER_FORKED: Meaning("two ledgers were signed for one history", _LEDGER),
        Reason.WITNESS_UNAVAILABLE: Meaning(
            "the witness did not answer", "start it, or see `[witness]` in the settings"
        ),
        Reason.RECIPIENT_UNREACHABLE: Meaning(
            "the recipient cannot be reached", "nothing is lost: mend the way, it is tried again"
        ),
        Reason.RECIPIENT_REFUSED: Meaning(
            "the recipient said no", "see why there; `oathward outbox retry` or `discard`"
        ),
        Reason.RECIPIENT_NO_ANSWER: Meaning(
            "the recipient took it and did not answer in time", "it is sent again with the same id"
        ),
        Reason.RECIPIENT_UNAVAILABLE: Meaning(
            "the recipient answers that it cannot take anything now", "nothing is lost: it is tried again"
        ),
        Reason.LINK_UNUSABLE: Meaning(
            "what its recipient's `[tls]` names cannot be read",
            "put the file into `recipients` of the data folder; it is looked for again by itself, nothing is lost",
        ),
        Reason.RECIPIENT_UNTRUSTED: Meaning(
            "the recipient's certificate is not the one its name and authority ask for",
            "nothing was sent: see its certificate, then `ca` and `server_name` of the recipient in the bundle",
        ),
        Reason.RECIPIENT_DISTRUSTS: Meaning(
            "the recipient does not accept who we are", "nothing is lost: have our certificate accepted there"
        ),
        Reason.RECIPIENT_UNCLEAR: Meaning(
            "the recipient's answer does not say whether it took it",
            "see why there; it is sent again with the same id",
        ),
        Reason.CONSENT_WITHDRAWN_IN_FLIGHT: Meaning(
            "it was on the wire when it was no longer permitted, and broken off: it may have been received",
            "nothing: it is never sent again; whether the recipient has it, only the recipient can say",
        ),
        Reason.DELIVERY_FORM: Meaning(
            "what waits is not in the form that this recipient takes",
            "was the link's `format` or the recipient's address changed? `oathward outbox discard`, then release it again",
        ),
        Reason.PORT_TAKEN: Meaning(
            "another program listens there", "`--port-base`, or another port in the settings"
        ),
        Reason.ALREADY_RUNNING: Meaning("another Oathward serves this data folder", "stop it first"),
        Reason.SETTINGS_INVALID: Meaning("the settings say something that cannot be", "mend the line named"),
        Reason.BUNDLE_INVALID: Meaning(
            "the policy folder has an error", "`oathward policy check DIR` names file and line"
        ),
        Reason.INPUT_CONTROL: Meaning(
            "an address, form or call has a control character in it",
            "type it again without what does not print",
        ),
        Reason.INPUT_INVALID: Meaning(
            "what was given is not of the form asked for", "see the message; `--help` shows the form"
        ),
        Reason.NOT_FOUND: Meaning("there is no such thing", "list what there is"),
        Reason.CONFLICT: Meaning(
            "somebody else changed it meanwhile, or it exists already", "look again, then decide"
        ),
        Reason.STORAGE_FULL: Meaning(
            "no space is left: nothing is acknowledged until there is", "free space; it goes on by itself"
        ),
        Reason.STORAGE_FAILED: Meaning("disk or database failed", _RETRIED),
        Reason.STORAGE_SCHEMA: Meaning(
            "the database was made by another version of the program: its tables have other columns",
            "run the version that made it, or begin a new data folder; nothing was changed",
        ),
        Reason.INTERNAL: Meaning(
            "a mistake of ours; a message it happened to lies sealed in quarantine, a delivery waits",
            "report it with what you did or with the record, never with a message",
        ),
    }
    | PEOPLE
    | DEID
)
