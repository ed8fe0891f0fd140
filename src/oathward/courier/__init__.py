"""Deliver what the outbox holds: in order per (link, sender), at least once, with a fixed outgoing id.

Rules:
- A delivery is recorded and taken from the outbox in one transaction, after the recipient's answer.
- What changed since the decision (bundle, consent, end of validity) is decided again before sending.
- Only the courier and the keeper's followers retry; every retry is bounded and counted.

Deliberately absent: shaping and sealing (the gateway did both), and reading originals.
"""
