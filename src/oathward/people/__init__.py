"""The people of a site: their records, the roles they were granted, services, and the review of all that."""
