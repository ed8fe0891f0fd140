"""What a profile makes of a made-up message: before and after, one file a format.

Rules:
- Nobody in an example exists (``story``); a site's own devices and authorities are named in it, nothing else of the site.
- It is read, shaped and put together by the formats of ``deidentifying``, which files of a job go through; its seeds are of no site.
- Every value that came stands in a row, and so does every value that leaves: tests compare the rows with both documents.

Deliberately absent: real messages, and storing anything.
"""
