"""The FHIR door, over ``http``.

``listener`` and ``tokens`` (who asks), ``request`` (what for), ``exchange`` and ``work`` (a request through the path),
``answers`` and ``metadata`` (what is said back).
"""
