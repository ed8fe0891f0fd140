"""Inbound sockets. They frame, limit and answer; they decide nothing.

One folder a door: ``mllp``, ``fhir`` (which speaks ``http``). What all doors share lies here: ``tls`` and ``handshakes``
(who gets in), ``turns`` and ``beside`` (who is next, and what is too heavy for a turn), ``answers`` (after a commit).
"""
