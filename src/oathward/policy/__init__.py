"""Policy: a bundle of TOML and Cedar in, decisions out.

``bundle.load(files)`` checks a whole bundle and compiles it; ``decide.decide(bundle, link, facts, now_us)``
answers Permit, Deny or Indeterminate; ``cases.run(bundle)`` runs the bundle's own tests.

Deliberately absent: I/O of any kind (commands read folders, ``activation`` stores), and the meaning of
de-identification profiles (``deid`` owns it; policy carries their text).
"""
