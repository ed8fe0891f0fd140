"""What each reason about people means: signing in, who may do what, changes that take two; part of ``meanings``."""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.reasons import Reason

PEOPLE: dict[Reason, Meaning] = {
    Reason.SIGN_IN_REFUSED: Meaning(
        "name, password, code or passkey do not fit; which of them is not told",
        "try again in a while; somebody who may invite can reset the account",
    ),
    Reason.SIGN_IN_TOO_MANY: Meaning(
        "too many wrong sign-ins came from one address", "wait some minutes; nothing is locked"
    ),
    Reason.SIGN_IN_LINKS_OFF: Meaning(
        "one-time links sign nobody in here: this site has people",
        "sign in with a password or passkey; for trials `[people] links_sign_in = true`",
    ),
    Reason.SESSION_REUSED: Meaning(
        "a session's secret was used again after it had been renewed: somebody may have copied it",
        "sign in again; every copy has ended",
    ),
    Reason.INVITATION_ENDED: Meaning(
        "the invitation was used, is too old, was replaced by a newer one, or never was",
        "sign in, if it was you who used it; else ask for a new one (People and access, `oathward people invite`)",
    ),
    Reason.PASSWORD_REFUSED: Meaning(
        "the new password is too short, well known, or made of what everybody knows about you",
        "choose a longer one; several words do well",
    ),
    Reason.CODE_REFUSED: Meaning(
        "the code does not fit the secret that was shown",
        "look at the clock of the phone, and type the newest code",
    ),
    Reason.PASSKEY_REFUSED: Meaning(
        "what the browser sent is no passkey made for this address",
        "try again at the address of `[console] url`",
    ),
    Reason.FACTOR_MISSING: Meaning(
        "the account has no second factor of the kind asked for", "enrol one on the page of your account"
    ),
    Reason.FACTOR_LAST: Meaning(
        "without this factor nobody could sign in to the account", "enrol another one first"
    ),
    Reason.PROVIDER_STATE: Meaning(
        "the provider's answer belongs to no sign-in that this browser began",
        "begin again at the sign-in page",
    ),
    Reason.PROVIDER_TOKEN: Meaning(
        "the provider's ID token is not well formed, or its signature does not fit",
        "begin again; if it stays, ask who runs the provider",
    ),
    Reason.PROVIDER_ALGORITHM: Meaning(
        "the ID token is signed in a way that is not taken",
        "the provider must sign with RS256, PS256, ES256 or EdDSA",
    ),
    Reason.PROVIDER_KEY: Meaning(
        "no key of the provider signed the ID token", "look at `[oidc] keys_file`, where it is set"
    ),
    Reason.PROVIDER_AUDIENCE: Meaning(
        "the ID token is of another issuer, or meant for another client",
        "look at `[oidc] issuer` and `client_id`",
    ),
    Reason.PROVIDER_EXPIRED: Meaning(
        "the ID token is too old, or of a time to come", "compare both clocks, and begin again"
    ),
    Reason.PROVIDER_NONCE: Meaning("the ID token answers another sign-in", "begin again at the sign-in page"),
    Reason.PERSON_UNKNOWN: Meaning(
        "the provider knows the person; no active person record here names that sign-in",
        "add the sign-in to the person's record, by import",
    ),
    Reason.PERSON_TWICE: Meaning(
        "a number, an address, a staff number or a sign-in that is another person's",
        "mend the list: one person is one record; who came back keeps their number",
    ),
    Reason.ROLES_APART: Meaning(
        "roles that nobody may hold together, or that no person is granted",
        "take the one away first, or grant it to somebody else",
    ),
    Reason.REIDENTIFY_UNSEEN: Meaning(
        "a second person agrees to a pseudonym they have not seen",
        "read it first: `oathward reidentify look ID`, and compare it with the letter",
    ),
    Reason.PROVIDER_UNAVAILABLE: Meaning(
        "the sign-in provider does not answer",
        "try again in a minute, or sign in with a password or passkey of Oathward",
    ),
    Reason.PROVIDER_ANSWER: Meaning(
        "the sign-in provider answers in a way that cannot be used",
        "have `[oidc]` in the settings compared with what the provider says of itself",
    ),
    Reason.PROVIDER_MIXED_UP: Meaning(
        "an answer that is not of the provider in the settings",
        "begin to sign in again here; if it stays, tell who runs Oathward",
    ),
    Reason.PROVIDER_REFUSED: Meaning(
        "the sign-in provider did not vouch for anybody", "sign in there again, or in another way"
    ),
    Reason.ACCESS_SIGN_IN: Meaning(
        "a name is not enough: this site has people who sign in", "run oathward sign-in, then do it again"
    ),
    Reason.GIVEN_TO: Meaning(
        "whom it was to be given to has no role that lets them see it",
        "give it to somebody who has one, or have them granted one",
    ),
    Reason.ACCESS_ROLE: Meaning(
        "none of this person's roles permits it, or one of them forbids it",
        "ask somebody whose work it is; People and access shows who has which role",
    ),
    Reason.ACCESS_OWN: Meaning(
        "it is this person's own, or about them: somebody else must decide it",
        "ask another person who may",
    ),
    Reason.ACCESS_PROJECT: Meaning(
        "the project names who runs jobs of de-identification into it, and this person is none of them",
        "ask one of them, or propose a policy whose `released_by` names this person too",
    ),
    Reason.ACCESS_FACTOR: Meaning("it takes two factors", "set a second factor up under My account"),
    Reason.ACCESS_STEP_UP: Meaning(
        "it takes a proof of this moment", "prove again who you are, then do it again"
    ),
    Reason.ACCESS_PROVE_BOTH: Meaning(
        "how you sign in, and where you are, changes after a proof of this moment with two factors",
        "prove it again with password and code, with a passkey, or sign in anew; then do it again",
    ),
    Reason.ACCESS_RELATION: Meaning(
        "for treatment one opens the patients one cares for, and this is none of them now",
        "have the admission, transfer or shift plan corrected",
    ),
    Reason.WITHHELD: Meaning(
        "something of it is withheld: what the patient said, or its labels, keep it shut",
        "in an emergency break the glass on the patient's page; it is recorded and reviewed",
    ),
    Reason.PDF_NOT_HERE: Meaning(
        "this system makes no PDF; the page to print and the FHIR Bundle hold the same",
        "install `oathward[pdf]` where Oathward is, and Pango: on Debian `apt-get install libpangoft2-1.0-0`",
    ),
    Reason.CARE_LIMIT: Meaning(
        "a patient, or all together, have more stays than there may be, or one message says too much of them",
        "look at what the source of that message sends; or raise `[people] care_stays_*_max`",
    ),
    Reason.CARE_PRIOR: Meaning(
        "a visit or account was moved away from a patient nobody knows here: under that number nobody is in care",
        "look at MRG-1 of that message: its number, and whether its authority is declared",
    ),
    Reason.PROPOSAL_NEEDED: Meaning(
        "on a site with people another policy is proposed by one and approved by another",
        "`oathward policy propose DIR --why …`; in an emergency `oathward policy emergency DIR --why …`",
    ),
    Reason.PROPOSAL_STALE: Meaning(
        "another version came into force since it was proposed, so what was seen of it holds no longer",
        "`oathward policy propose --rebase PROPOSAL`: it is checked and tried again on the version in force",
    ),
    Reason.PROPOSAL_INCOMPLETE: Meaning(
        "something that this kind of change requires is missing",
        "`oathward policy show PROPOSAL` lists what; enter it under Governance, then propose again",
    ),
    Reason.PROPOSAL_ALTERED: Meaning(
        "a stored file of a proposal is not the one that was proposed",
        "look who changes the database; propose it again from the folder",
    ),
}
