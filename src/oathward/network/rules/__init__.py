"""Rules of firewalls and switches in force: read, decided as the device itself would, and compared with the flows that were seen.

Rules:
- One model (``model.Rule``) whatever they came as: nftables as text or JSON (``nft_text``, ``nft``), lists of access rules as CSV (``acl``).
- What is not understood is said at its rule, and makes what hangs on it Indeterminate; it is never passed over.
- Nothing is changed on a device, and nothing is proposed as an act: a narrower rule is a text that somebody reads.

Deliberately absent: any connection to a firewall; the database.
"""
