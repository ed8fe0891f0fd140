"""De-identification of folders: files in, what may leave of them out, a report of what was done.

``walk`` what there is · ``formats`` what a file is, one a file · ``worker`` parses and shapes it, ``sandbox`` without keys or network ·
``pool`` the workers · ``whom`` whose it is · ``job`` chunks, ``files`` one file through a worker, ``journal`` what of them is done · ``output`` the folder that they are written into · ``searching`` and ``residue`` the search of it · ``provenance`` how it was made · ``report`` · ``ocr`` print in pictures, read by a program beside, and ``reading``, which asks it for those who may not.

Rules:
- What nobody recognises, cannot read, or may not pass as it is, is held: counted, named to the site, never copied.
- Foreign bytes are parsed by workers alone. The parent hands them open files and seeds; of a foreign file it looks for one word in the first bytes, and no more.
- What is written has names of its own: those of a folder name patients.
- The same profiles, actions and rewriters as on live links.

Deliberately absent: tables and waveforms; permission (the command asks).
"""
