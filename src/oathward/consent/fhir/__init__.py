"""A FHIR Consent as statements, and statements as a FHIR Consent."""
