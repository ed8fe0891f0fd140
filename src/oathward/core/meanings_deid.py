"""What each reason of de-identification means; part of ``meanings``."""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.reasons import Reason

DEID: dict[Reason, Meaning] = {
    Reason.DEID_FAILED: Meaning(
        "it could not be shaped as the profile asks", "see the place; mend the sender or the profile"
    ),
    Reason.DOCUMENT_HELD: Meaning(
        "a DICOM file that encapsulates a document of another format (PDF, CDA), which may say anything",
        "de-identify the document itself, or leave it out",
    ),
    Reason.DEID_TEXT_TIMEOUT: Meaning(
        "a free text costs more to read than its budget",
        "look at the text's length; raise the budget or drop the text",
    ),
    Reason.DEID_TEXT_MODEL: Meaning(
        "the site's own model of language did not start, or did not answer as it must",
        "start its program by hand and give it a line; see `[deid] text_model` in the settings",
    ),
    Reason.DEID_FORMAT: Meaning(
        "a file of a folder that no format recognises: an archive, a picture, a table, or no file at all",
        "unpack archives first; what is no HL7 v2, FHIR, DICOM or text does not leave by this way",
    ),
    Reason.DEID_RESIDUE: Meaning(
        "what is known of a patient of the job stood in a file that had been written; the file was taken back",
        "see the classes in the report; mend the profile, or leave the file out",
    ),
    Reason.CONFINEMENT_MISSING: Meaning(
        "this system cannot keep a process that reads foreign files from the network and from other files",
        "use Linux 5.13 or newer with Landlock and seccomp",
    ),
    Reason.WORKER_LOST: Meaning(
        "the process that read a file was killed: it took too long, too much memory, or broke",
        "see whether the file is what it says; `[deid]` of the settings allows more",
    ),
    Reason.FILE_CHANGED: Meaning(
        "the file changed while it was read, or what was written of it was replaced before it had been searched",
        "let it be written to its end, let nobody else write into the output, and run the job again on it",
    ),
    Reason.NOT_IN_FILE: Meaning(
        "the process that read a file named a patient of whom no number stands in it",
        "take the file for an attack until somebody looked at it; tell who makes Oathward if it is none",
    ),
    Reason.DEID_TEXT_HELD: Meaning(
        "a free text is in a language of which too little is found, by measurement, for its profile",
        "release it after reading, or let the profile drop such texts",
    ),
    Reason.DEID_ATTACHMENT_HELD: Meaning(
        "an attachment is no text, or larger than may be read: nobody can say what it shows",
        "release it after looking at it, or let the profile drop attachments",
    ),
    Reason.PIXELS_HELD: Meaning(
        "an image that may have text burned in could not be read, cleaned or shown to be clean",
        "install `oathward[pixels]` and Tesseract; else look at the image, and send it by hand or not at all",
    ),
}
