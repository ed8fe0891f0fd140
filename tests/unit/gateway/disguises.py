"""Ways one patient's data can hide in outgoing text: name of the disguise -> what stands in OBX-5.

The patient is DOE^JOHN^QUENTIN, MRN 004711223, born 1970-01-31, of 12 Rosebud Lane, made up.
"""

import base64
import codecs
import gzip
import html
import io
import quopri
import urllib.parse
import zipfile
import zlib

ID = "004711223"
BARE = "4711223"


def b64(data, *, cut=False):
    text = base64.b64encode(data.encode() if isinstance(data, str) else data).decode()
    return text.rstrip("=") if cut else text


def hl7_hex(text):
    return f"\\X{text.encode().hex().upper()}\\"


def zipped(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("note.txt", data)
    return out.getvalue()


def deflated(data):
    opener = zlib.compressobj(9, zlib.DEFLATED, -15)
    return opener.compress(data) + opener.flush()


def pdf(data):
    return (
        b"%PDF-1.4\n1 0 obj <</Filter/FlateDecode>>\nstream\n" + zlib.compress(data) + b"\nendstream\nendobj"
    )


NOTE = "The patient John Doe, hospital number 004711223, slept well."

NAMES = {
    "HL7 components": "DOE^JOHN",
    "family comma given": "DOE, JOHN",
    "given family": "John Doe",
    "upper case": "JOHN DOE",
    "lower case": "john doe",
    "mixed case": "jOhN dOe",
    "with a middle name": "John Quentin Doe",
    "with a middle initial": "John Q. Doe",
    "with a title": "Mr. Doe, Dr. John",
    "in a sentence": NOTE,
    "joined": "JohnDoe",
    "joined with more": "pt-DoeJohn2",
    "camel and underscore": "john_doe",
    "dots": "john.doe",
    "plus signs": "John+Doe",
    "spelled out": "J O H N  D O E",
    "hyphenated letters": "J-O-H-N D-O-E",
    "line feed between": "John\\.br\\Doe",
    "tab between": "John\\X09\\Doe",
    "accents": "Jöhn Döé",
    "decomposed accents": "Jo\u0308hn Doe\u0301",
    "full width": "ＪＯＨＮ　ＤＯＥ",
    "no-break space": "John\u00a0Doe",
    "zero-width space inside": "Jo\u200bhn D\u200boe",
    "soft hyphen inside": "Jo\u00adhn Do\u00ade",
    "mathematical letters": "𝐉𝐨𝐡𝐧 𝐃𝐨𝐞",
    "backwards": "eoD nhoJ",
    "backwards joined": "eoDnhoJ",
    "HL7 escaped separator": "DOE\\S\\JOHN",
    "HL7 hexadecimal": hl7_hex("John Doe"),
    "HL7 hexadecimal, a letter at a time": "".join(hl7_hex(c) for c in "John Doe"),
    "HL7 highlighting inside": "J\\H\\oh\\N\\n Doe",
    "JSON": '{"family":"Doe","given":["John"]}',
    "JSON escapes": "".join(f"\\u{ord(c):04x}" for c in "John Doe"),
    "C escapes": "".join(f"\\x{ord(c):02x}" for c in "John Doe"),
    "XML": "<family>Doe</family><given>John</given>",
    "tags inside": "J<b>oh</b>n D<i>oe</i>",
    "numeric entities": "".join(f"&#{ord(c)};" for c in "John Doe"),
    "hexadecimal entities": "".join(f"&#x{ord(c):x};" for c in "John Doe"),
    "named entities": html.escape("J&ouml;hn D&ouml;e").replace("&amp;", "&"),
    "percent": "".join(f"%{ord(c):02X}" for c in "John Doe"),
    "percent twice": urllib.parse.quote("".join(f"%{ord(c):02X}" for c in "John Doe")),
    "query": "?name=John+Doe&x=1",
    "quoted-printable": quopri.encodestring(b"J\xc3\xb6hn=Doe").decode(),
    "quoted-printable, all": "".join(f"={ord(c):02X}" for c in "John Doe"),
    "base64": b64("John Doe"),
    "base64 without padding": b64("John Doe", cut=True),
    "base64 url-safe": base64.urlsafe_b64encode("Jöhn Döe >>>???".encode()).decode(),
    "base64 twice": b64(b64("John Doe")),
    "base64 of a note": b64(NOTE),
    "base64 glued to letters": f"x{b64('patient John Doe here')}",
    "base64 in lines": "\\X0D0A\\".join(b64(NOTE * 3)[i : i + 76] for i in range(0, len(b64(NOTE * 3)), 76)),
    "base64 of UTF-16": b64("John Doe".encode("utf-16-le")),
    "base64 of UTF-16 with mark": b64("John Doe".encode("utf-16")),
    "base64 of UTF-16 big-endian": b64("John Doe".encode("utf-16-be")),
    "base64 of gzip": b64(gzip.compress(NOTE.encode(), mtime=0)),
    "base64 of zlib": b64(zlib.compress(NOTE.encode())),
    "base64 of deflate": b64(deflated(NOTE.encode())),
    "base64 of zip": b64(zipped(NOTE)),
    "base64 of PDF": b64(pdf(b"BT (John Doe) Tj ET")),
    "base64 of a picture with a caption": b64(
        bytes(range(128, 256)) + b"Exif\0John Doe\0" + bytes(range(256))
    ),
    "hexadecimal": b"John Doe".hex(),
    "hexadecimal, upper case": b"John Doe".hex().upper(),
    "hexadecimal with spaces": b"John Doe".hex(" "),
    "hexadecimal with colons": b"John Doe".hex(":"),
    "hexadecimal with 0x": ", ".join(f"0x{c:02x}" for c in b"John Doe"),
    "hexadecimal of UTF-16": "John Doe".encode("utf-16-le").hex(),
    "gzip in base64 in percent": "".join(
        f"%{c:02x}" for c in b64(gzip.compress(b"John Doe", mtime=0)).encode()
    ),
    "mother and alias": "Rosenqvist, Ada",
}

NUMBERS = {
    "identifier": ID,
    "identifier without zeros": BARE,
    "identifier with more zeros": f"000000{BARE}",
    "identifier with spaces": "004 711 223",
    "identifier with dashes": "004-711-223",
    "identifier with dots": "004.711.223",
    "identifier, digits apart": "4 7 1 1 2 2 3",
    "identifier behind letters": f"MRN{ID}",
    "identifier in a sentence": f"see chart {ID}, page 2",
    "identifier in a URL": f"https://ehr.example/p/{ID}/chart",
    "identifier in full-width digits": "００４７１１２２３",
    "identifier in Arabic digits": "٠٠٤٧١١٢٢٣",
    "identifier with zero-width spaces": "004\u200b711\u200b223",
    "identifier with no-break spaces": "004\u00a0711\u00a0223",
    "identifier in base64": b64(ID),
    "identifier in base64, cut": b64(f"{ID}x", cut=True),
    "identifier in hexadecimal": ID.encode().hex(),
    "identifier in hexadecimal twice": ID.encode().hex().encode().hex(),
    "identifier in HL7 hexadecimal": hl7_hex(ID),
    "identifier in percent": "".join(f"%{ord(c):02X}" for c in ID),
    "identifier in entities": "".join(f"&#{ord(c)};" for c in ID),
    "identifier split by tags": "<b>0047</b><b>11223</b>",
    "account number": "ACC-88-1234-X",
    "account number, plain": "acc881234x",
    "social security number": "123-45-6780",
    "social security number, plain": "123456780",
    "telephone": "(555) 314-1592",
    "telephone, plain": "5553141592",
    "telephone, international": "+1 555 314 1592",
    "telephone, dots": "1.555.314.1592",
    "e-mail": "JOHN.DOE77@Example.org",
    "e-mail in mailto": "mailto:john.doe77%40example.org",
    "e-mail spelled": "john.doe77 at example dot org",
    "street": "12 Rosebud Lane",
    "street, in capitals": "12 ROSEBUD LANE",
    "birth date": "19700131",
    "birth date and time": "197001310830",
    "birth date, ISO": "1970-01-31",
    "birth date, ISO time": "1970-01-31T08:30:00Z",
    "birth date, day first": "31/01/1970",
    "birth date, month first": "01/31/1970",
    "birth date, dots": "31.01.1970",
    "birth date, slashes, year first": "1970/01/31",
    "birth date, one digit": "31/1/1970",
    "birth date, together, day first": "31011970",
    "birth date, words": "Jan 31 1970",
    "birth date, long words": "31 January 1970",
    "birth date, American": "January 31st, 1970",
    "birth date, short year": "31-JAN-70",
    "birth date, short year in numbers": "31/01/70",
    "birth date, German": "31. Januar 1970",
    "birth date, Spanish": "31 de enero de 1970",
    "birth date in base64": b64("born 31/01/1970"),
    "relative's identifier": "99-00-5512-7",
    "relative's name": "Berta Vandermeulen",
    "relative's telephone": "555 271 8281",
    "guarantor's name": "Ottokar Weissmann",
    "policy number": "POL55512345",
    "merged identifier": "MRG 777 111 9",
}

ALL = NAMES | NUMBERS

# Not searched for, and said so in the module: ciphers, phonetic spellings, pictures, a name in pieces.
NOT_CAUGHT = {
    "a cipher": codecs.encode("John Doe", "rot13"),
    "a sound": "Jon Dough",
    "first name alone": "John",
}
