"""Every page of the console, for what must hold on all of them: accessible, quiet, in both themes, without a value of a message."""

PAGES: dict[str, str] = {
    "home": "/",
    "messages": "/messages",
    "messages-held": "/messages?state=held",
    "messages-none": "/messages?device=no-such",
    "message": "/messages/{accepted}",
    "message-held": "/messages/{held}",
    "quarantine": "/quarantine",
    "quarantine-reason": "/quarantine?reason=device.identity-mismatch",
    "quarantine-none": "/quarantine?reason=guard.stopped",
    "deliveries": "/deliveries",
    "deliveries-none": "/deliveries?state=blocked",
    "withdrawals": "/withdrawals",
    "reports-none": "/reports",
    "withdrawals-none": "/withdrawals?state=unheard",
    "accesses": "/accesses",
    "accesses-none": "/accesses?state=overdue",
    "deid": "/deid",
    "deid-none": "/deid?state=stopped",
    "deid-job": "/deid/{job}",
    "uploads": "/uploads",
    "trace": "/trace",
    "wrong-patient": "/wrong-patient",
    "findings": "/findings",
    "findings-none": "/findings?state=cleared",
    "finding": "/findings/{finding}",
    "health": "/health",
    "devices": "/devices",
    "devices-none": "/devices?id=no-such",
    "device": "/devices/mon-1",
    "unknown": "/devices/unknown",
    "adopt": "/devices/unknown/{unknown}",
    "ledger": "/ledger",
    "ledger-kind": "/ledger?kind=message.quarantined",
    "ledger-none": "/ledger?kind=no.such",
    "record": "/ledger/3",
    "inventory": "/inventory",
    "map": "/map",
    "flows": "/flows?device=10.0.0.1",
    "sources": "/sources",
    "rules": "/rules",
    "views": "/views",
    "links": "/links",
    "link-sample": "/links/research-registry?said=yes",
    "link-sample-denied": "/links/research-registry?said=yes&label=psychiatric-ward",
    "link-sample-fhir": "/links/keep?wire=fhir",
    "profiles": "/profiles",
    "profile": "/profiles/research?with=safe-harbor",
    "profile-hl7v2": "/profiles/research/example?format=hl7v2&show=all",
    "profile-fhir": "/profiles/safe-harbor/example?format=fhir",
    "profile-dicom": "/profiles/research/example?format=dicom",
    "profile-text": "/profiles/research/example?format=text",
    "profile-held": "/profiles/safe-harbor/example?format=text",
    "governance": "/governance",
    "governance-none": "/governance?state=retired",
    "governance-entry": "/governance/link/research-registry",
    "governance-new": "/governance/link/next-year?new=yes",
    "governance-findings": "/governance/findings",
    "governance-agreements": "/governance/agreements",
    "governance-assessments": "/governance/assessments",
    "governance-quality": "/governance/quality",
    "governance-processing": "/governance/processing",
    "people": "/people",
    "people-none": "/people?find=no-such",
    "person": "/people/{person}",
    "people-review": "/people-review",
    "people-services": "/people-services",
    "people-waiting": "/people-waiting",
}
"""Name -> address; ``{accepted}``, ``{held}``, ``{unknown}``, ``{person}``, ``{job}``, ``{finding}`` are ids of such messages, devices, people, jobs, findings of ``console_site``."""


def addresses(site) -> dict[str, str]:
    """Fill the addresses in for a site."""
    [(accepted,)] = site.rows("SELECT id FROM message WHERE state = 'accepted' ORDER BY id LIMIT 1")
    [(held,)] = site.rows("SELECT id FROM message WHERE state = 'held' ORDER BY id LIMIT 1")
    [(unknown,)] = site.rows("SELECT id FROM held_device WHERE state = 'held' ORDER BY id LIMIT 1")
    [(person,)] = site.rows("SELECT id FROM person WHERE number = '4712'")
    [(job,)] = site.rows("SELECT id FROM deid_job ORDER BY id LIMIT 1")
    [(finding,)] = site.rows("SELECT id FROM finding ORDER BY rank, due_us, id LIMIT 1")
    ids = {
        "finding": finding,
        "job": job,
        "accepted": accepted,
        "held": held,
        "unknown": unknown,
        "person": person,
    }
    return {name: path.format(**ids) for name, path in PAGES.items()}
