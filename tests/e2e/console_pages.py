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
    "health": "/health",
    "ledger": "/ledger",
    "ledger-kind": "/ledger?kind=message.quarantined",
    "ledger-none": "/ledger?kind=no.such",
    "record": "/ledger/3",
    "links": "/links",
    "link-sample": "/links/research-registry?said=yes",
    "link-sample-denied": "/links/research-registry?said=yes&label=psychiatric-ward",
    "link-sample-fhir": "/links/keep?wire=fhir",
}
"""Name -> address; ``{accepted}`` and ``{held}`` are ids of such messages of ``console_site``."""


def addresses(site) -> dict[str, str]:
    """Fill the addresses in for a site."""
    [(accepted,)] = site.rows("SELECT id FROM message WHERE state = 'accepted' ORDER BY id LIMIT 1")
    [(held,)] = site.rows("SELECT id FROM message WHERE state = 'held' ORDER BY id LIMIT 1")
    return {name: path.format(accepted=accepted, held=held) for name, path in PAGES.items()}
