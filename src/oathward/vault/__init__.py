"""Keys: seal, open through the keeper, sign, erase. The only importer of ``cryptography``.

``sign`` Ed25519 and key files · ``bodies`` sealed bodies on disk · ``seal`` and ``envelope`` what is sealed ·
``kept`` and ``intake`` the tables of sealed originals and keys on their way · ``authority`` signed
documents · ``keeper`` the process that alone can open.
"""
