"""Reasons an opening may have: one file, one ``REASON``. First that explains wins by ``order``; all that apply are listed."""
