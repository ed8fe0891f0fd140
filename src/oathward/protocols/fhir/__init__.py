"""FHIR R4 (4.0.1) in JSON: requests, resources, the catalogue of their elements, what may leave of them.

Deliberately absent: sockets, HTTP headers of a connection, storage; XML.
"""
