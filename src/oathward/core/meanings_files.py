"""What reasons mean where a file of a folder was held: nobody sent it, and nothing waits to be released.

Rules:
- A reason that means the same of a file as of a message has no row here; ``of_file`` gives that one.
- No remedy speaks of senders, links or releases: what is held of a folder stays there until somebody mends it and runs again.

Deliberately absent: values and names of files.
"""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.meanings import MEANINGS
from oathward.core.reasons import BY_CODE, Reason

_MEND = "have it exported again, or mend it, and run again; else leave it out"
_ELEMENT = "mend the place named, or its export, and run again; else leave it out"

FILES: dict[Reason, Meaning] = {
    Reason.NOTHING_LEFT: Meaning(
        "the profile leaves nothing of it: no class of what stands in it may leave, as text alone under `safe-harbor`",
        "nothing, if that is meant; `oathward profile` says which profile leaves more",
    ),
    Reason.MESSAGE_EMPTY: Meaning("a file with nothing in it", "nothing, or have it exported again"),
    Reason.MESSAGE_UNDECODABLE: Meaning("the bytes are not of the format that it begins as", _MEND),
    Reason.SEPARATORS_INVALID: Meaning("MSH-1 or MSH-2 cannot separate anything", _ELEMENT),
    Reason.HEADER_MISSING: Meaning("a message in it does not begin with MSH", _ELEMENT),
    Reason.HEADER_INCOMPLETE: Meaning("MSH-9 of a message in it names no message code", _ELEMENT),
    Reason.CHARSET_UNSUPPORTED: Meaning(
        "it names a character set that is not known, or FHIR is in another than UTF-8",
        "mend the name, or save the file as UTF-8, and run again",
    ),
    Reason.CHARSET_BROKEN: Meaning(
        "bytes that its character set does not have, or control characters in a text",
        "save it as UTF-8, without control characters, and run again",
    ),
    Reason.BATCH_BROKEN: Meaning("headers and trailers of its batch (FHS, BHS) do not pair", _MEND),
    Reason.LIMIT_EXCEEDED: Meaning(
        "larger, deeper or of more parts than one file may be; `memory`: reading it took too much",
        "split it; `memory_bytes_max` under `[deid]` in the settings allows more memory",
    ),
    Reason.VALUE_INVALID: Meaning("a value without the form that its element has", _ELEMENT),
    Reason.FORMAT_UNSUPPORTED: Meaning(
        "a DICOM directory, DICOM of a transfer syntax of nobody's, or no FHIR as JSON",
        "leave directories out, they are made anew; else have it exported in another form",
    ),
    Reason.TRUNCATED: Meaning("it ends before what it announced", _MEND),
    Reason.JSON_INVALID: Meaning(
        "it begins as FHIR and is not JSON to its end: cut off, or changed by hand", _MEND
    ),
    Reason.DUPLICATE_KEY: Meaning(
        "a JSON object with the same key twice: two readers could read two things", _ELEMENT
    ),
    Reason.NUMBER_UNBOUNDED: Meaning("a number longer or larger than any reading", _ELEMENT),
    Reason.REQUEST_INVALID: Meaning("entries of its bundle that do not go together", _ELEMENT),
    Reason.TYPE_UNKNOWN: Meaning("a resource type that FHIR R4 does not have", _ELEMENT),
    Reason.ELEMENT_UNKNOWN: Meaning("an element that FHIR R4 does not have there", _ELEMENT),
    Reason.EDITION_OTHER: Meaning("a resource of FHIR R5, where R4 is read", "have it exported as R4"),
    Reason.ELEMENT_MISSING: Meaning("an element that its standard requires is not there", _ELEMENT),
    Reason.ELEMENT_REPEATED: Meaning("two values where FHIR R4 has one", _ELEMENT),
    Reason.ELEMENT_TYPE: Meaning("an element of another type than its standard says", _ELEMENT),
    Reason.CODE_NOT_ALLOWED: Meaning("a code that is not in the value set FHIR R4 requires", _ELEMENT),
    Reason.TARGET_NOT_ALLOWED: Meaning(
        "a reference to a type of resource that it may not point to", _ELEMENT
    ),
    Reason.RULE_BROKEN: Meaning("elements that do not go together, by a rule of FHIR R4", _ELEMENT),
    Reason.PATIENTS_SEVERAL: Meaning(
        "one message, resource or image of it is about several patients", "split it by patient, and run again"
    ),
    Reason.PATIENT_AMBIGUOUS: Meaning(
        "its numbers lead to two patients that are known here",
        "settle who it is: `oathward patient` shows and links subjects; then run again",
    ),
    Reason.DEID_FAILED: Meaning(
        "it could not be shaped as the profile asks", "see the place; mend the file or the profile"
    ),
    Reason.DEID_TEXT_TIMEOUT: Meaning(
        "a free text in it costs more to read than its budget",
        "split the text, or take a profile that drops texts",
    ),
    Reason.DEID_TEXT_HELD: Meaning(
        "a text in it is in a language of which too little is found, by measurement, for the profile",
        "let the profile drop such texts, or say the language: `[deid] language` in the settings",
    ),
    Reason.DEID_ATTACHMENT_HELD: Meaning(
        "a document inside it is no text, or larger than may be read: nobody can say what it shows",
        "let the profile drop attachments, or take the document out, and run again",
    ),
    Reason.DEID_FORMAT: Meaning(
        "no HL7 v2, FHIR, DICOM or text; the place says what it looks like by its first bytes",
        "unpack archives, save documents as `.txt`, export FHIR as JSON; tables and the rest do not leave by this way",
    ),
    Reason.PIXELS_HELD: Meaning(
        "an image that may show text, and could not be read, cleaned or shown to be clean",
        "`pip install 'oathward[pixels]'`, `apt install tesseract-ocr`, run again; else look at it yourself",
    ),
    Reason.NOT_FOUND: Meaning(
        "it was there when the folder was listed, and could not be opened",
        "see that it may be read by who runs this, and run again",
    ),
}


def of_file(code: str) -> Meaning:
    """Say what a reason code means of a file, and what to do about it; empty for a word that is none."""
    known = BY_CODE.get(code)
    return (FILES.get(known) or MEANINGS[known]) if known else Meaning("")
