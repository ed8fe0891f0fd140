"""Ways one patient's data can hide in outgoing JSON: name of the disguise -> a member and its value, as JSON text.

The patient is that of ``disguises``. Its disguises are texts; here are those that only JSON and FHIR have.
"""

import gzip
import html
import json
import urllib.parse
import zlib

from tests.unit.gateway.disguises import BARE, ID, NOTE, b64, deflated, hl7_hex, pdf, zipped


def escaped(text):
    return '"' + "".join(f"\\u{ord(c):04x}" for c in text) + '"'


def member(name, value):
    return f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"


def note(text):
    return member("note", [{"text": text}])


def attached(data, **other):
    return member("presentedForm", [{"contentType": "text/plain", "data": b64(data), **other}])


def narrative(div):
    return member(
        "text", {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{div}</div>'}
    )


def extension(**value):
    return member("extension", [{"url": "http://example.org/x", **value}])


FRAGMENT = {"family": "Doe", "given": ["John"]}
PATIENT = {"resourceType": "Patient", "name": [{"family": "Doe", "given": ["John"]}]}

NAMES = {
    "HumanName": member("name", [FRAGMENT]),
    "HumanName, given first": member("name", [{"given": ["John"], "family": "Doe"}]),
    "HumanName, use between": member("name", [{"family": "Doe", "use": "official", "given": ["John"]}]),
    "HumanName, an object between": '"name":[{"family":"Doe","period":{"start":"2020"},"given":["John"]}]',
    "HumanName, an extension between": (
        '"name":[{"family":"Doe","_family":{"extension":[{"url":"http://x.example/own","valueString":"x"}]},'
        '"given":["John"]}]'
    ),
    "HumanName, text": member("name", [{"text": "Mr John Doe"}]),
    "HumanName, in lower case": member("name", [{"family": "doe", "given": ["john"]}]),
    "HumanName, letters of an array": member("name", [{"given": list("JohnDoe")}]),
    "HumanName, halves": member("name", [{"given": ["Jo", "hn"], "family": "Doe"}]),
    "HumanName, escaped": '"name":[{"family":' + escaped("Doe") + ',"given":[' + escaped("John") + "]}]",
    "HumanName, names of members escaped": '"n\\u0061me":[{"f\\u0061mily":"Doe","given":["John"]}]',
    "HumanName, spaced out": '"name" : [ {\n "family" :\t"Doe" ,\n "given" : [ "John" ] } ]',
    "HumanName of Quentin": member("name", [{"family": "Doe", "given": ["J.", "John"]}]),
    "display": member("subject", {"display": "John Doe"}),
    "display beside a reference": member("subject", {"reference": "Patient/x", "display": "DOE, JOHN"}),
    "two displays": member("performer", [{"display": "John"}, {"display": "x"}, {"display": "John Doe"}]),
    "contained patient": member("contained", [PATIENT]),
    "contained deep": member("contained", [{"resourceType": "Parameters", "parameter": [{"resource": PATIENT}]}]),
    "bundle in a bundle": member("entry", [{"resource": {"resourceType": "Bundle", "entry": [{"resource": PATIENT}]}}]),
    "unknown member": member("remark", "John Doe"),
    "name of a member": member("John Doe", 1),
    "name of a member, joined": member("johnDoe", True),
    "name of a member, escaped": escaped("John Doe") + ":1",
    "member that comes twice, first": '"comment":"John Doe","comment":"all well"',
    "member that comes twice, second": '"comment":"all well","comment":"John Doe"',
    "members that come twice, object": '"subject":{"display":"John Doe"},"subject":{"reference":"Patient/x"}',
    "array in an array": member("note", [[["John Doe"]]]),
    "array of texts": member("note", ["x", "John Doe"]),
    "note": note(NOTE),
    "note, escaped": '"note":[{"text":' + escaped(NOTE) + "}]",
    "note, half escaped": '"note":[{"text":"J\\u006fhn D\\u006fe"}]',
    "note, escaped slashes": '"note":[{"text":"John\\/Doe"}]',
    "note, line feeds": note("John\nDoe"),
    "note, carriage returns": note("John\rDoe"),
    "note, tabs": note("John\t\tDoe"),
    "note, mathematical letters escaped": '"note":[{"text":"\\ud835\\udc09\\ud835\\udc28\\ud835\\udc21\\ud835\\udc27 \\ud835\\udc03\\ud835\\udc28\\ud835\\udc1e"}]',
    "note, zero-width escaped": '"note":[{"text":"Jo\\u200bhn D\\u200boe"}]',
    "note, braces inside": note("Jo{hn Do}e"),
    "note, a lone surrogate": '"note":[{"text":"John \\ud800 Doe"}]',
    "note, NUL between": '"note":[{"text":"John\\u0000Doe"}]',
    "note, markdown": note("**John** _Doe_"),
    "note, HL7 segment": note(f"PID|1||{ID}||DOE^JOHN"),
    "note, HL7 escapes": note(hl7_hex("John Doe")),
    "JSON in a text": note(json.dumps(PATIENT)),
    "JSON in a text, all escaped": note(json.dumps({"n": "x"})[:-1] + ',"f":' + escaped("John Doe") + "}"),
    "JSON in JSON in a text": note(json.dumps({"text": json.dumps(PATIENT)})),
    "JSON in a text in base64": attached(json.dumps(PATIENT)),
    "JSON with short words in between": note(json.dumps({"family": "Doe", "use": "x", "a": "y", "given": ["John"]})),
    "XML": note('<HumanName><family value="Doe"/><given value="John"/></HumanName>'),
    "narrative": narrative("<p>John Doe</p>"),
    "narrative, tags inside": narrative("J<b>oh</b>n D<i>oe</i>"),
    "narrative, a table": narrative("<table><tr><td>Doe</td><td>John</td></tr></table>"),
    "narrative, numeric entities": narrative("".join(f"&#{ord(c)};" for c in "John Doe")),
    "narrative, hexadecimal entities": narrative("".join(f"&#x{ord(c):X};" for c in "John Doe")),
    "narrative, entities without end": narrative("".join(f"&#{ord(c)}" + " " * 0 + ";" for c in "John&Doe")),
    "narrative, named entities": narrative("J&ouml;hn&nbsp;D&ouml;e"),
    "narrative, entities in entities": narrative(html.escape("".join(f"&#{ord(c)};" for c in "John Doe"))),
    "narrative, an attribute": narrative('<img alt="John Doe" src="x"/>'),
    "narrative, a comment": narrative("<!-- John Doe -->"),
    "narrative, a link": narrative('<a href="http://x.example/?n=John%20Doe">x</a>'),
    "narrative, CDATA": narrative("<![CDATA[John Doe]]>"),
    "attachment": attached(NOTE),
    "attachment, title": attached("x" * 12, title="Letter for John Doe"),
    "attachment, gzip": attached(gzip.compress(NOTE.encode(), mtime=0)),
    "attachment, zlib": attached(zlib.compress(NOTE.encode())),
    "attachment, deflate": attached(deflated(NOTE.encode())),
    "attachment, zip": attached(zipped(NOTE)),
    "attachment, PDF": attached(pdf(b"BT (John Doe) Tj ET")),
    "attachment, UTF-16": attached(NOTE.encode("utf-16")),
    "attachment, picture with a caption": attached(bytes(range(128, 256)) + b"Exif\0John Doe\0" + bytes(range(256))),
    "attachment, HL7": attached(f"PID|1||{ID}^^^H^MR||DOE^JOHN\r"),
    "attachment, base64 in lines": member("data", "\n".join(b64(NOTE * 3)[i : i + 76] for i in range(0, 240, 76))),
    "attachment, base64 in CR LF lines": member("data", "\r\n".join(b64(NOTE * 3)[i : i + 76] for i in range(0, 240, 76))),
    "attachment, base64 escaped": '"data":' + escaped(b64(NOTE)),
    "attachment, base64 twice": attached(b64(NOTE)),
    "Binary": member("contained", [{"resourceType": "Binary", "contentType": "text/plain", "data": b64(NOTE)}]),
    "data URL": member("url", f"data:text/plain;base64,{b64(NOTE)}"),
    "data URL, percent": member("url", "data:," + urllib.parse.quote(NOTE)),
    "URL": member("url", "https://ehr.example/people/john-doe"),
    "URL, query": member("url", "https://ehr.example/p?family=Doe&given=John"),
    "URL, percent": member("url", "https://ehr.example/" + "".join(f"%{ord(c):02X}" for c in "John Doe")),
    "URL, percent twice": member(
        "url", "https://ehr.example/" + urllib.parse.quote("".join(f"%{ord(c):02X}" for c in "John Doe"))
    ),
    "URL, base64": member("url", "https://ehr.example/" + b64("John Doe")),
    "URL, base64, later": member("url", "https://ehr.example/a/bc/" + b64(f"no {ID}") + "/d"),
    "search reference": member("subject", {"reference": "Patient?family=Doe&given=John"}),
    "extension": extension(valueString="John Doe"),
    "extension, name": extension(valueHumanName=FRAGMENT),
    "extension, deep": extension(extension=[{"url": "y", "extension": [{"url": "z", "valueString": "John Doe"}]}]),
    "extension, its url": member("extension", [{"url": "http://example.org/JohnDoe"}]),
    "coding": member("code", {"coding": [{"system": "urn:x", "code": "doe-john"}]}),
    "coding, display": member("code", {"coding": [{"system": "urn:x", "code": "1", "display": "Doe, John"}]}),
    "concept, text": member("code", {"text": "Doe, John"}),
    "unit": member("valueQuantity", {"value": 1, "unit": "John Doe"}),
    "tag": member("meta", {"tag": [{"code": "john.doe"}]}),
    "sampled data": member("valueSampledData", {"data": "J O H N  D O E"}),
    "mother": extension(valueString="Ada Rosenqvist"),
    "relative": member("contact", [{"name": {"family": "Vandermeulen", "given": ["Berta"]}}]),
}  # fmt: skip

NUMBERS = {
    "identifier": member("identifier", [{"system": "urn:oid:1.2.3", "value": ID}]),
    "identifier without zeros": member("identifier", [{"value": BARE}]),
    "identifier as a number": '"x":4711223',
    "identifier as a fraction": '"x":4711223.0',
    "identifier as a fraction of nothing": '"x":0.004711223',
    "identifier with an exponent": '"x":4711223e0',
    "identifier with a long fraction": '"x":1.0000000000000000004711223',
    "identifier, negative": '"x":-4711223',
    "identifier as a quantity": member("valueQuantity", {"value": 4711223}),
    "identifier, escaped": '"x":' + escaped(ID),
    "identifier, one digit escaped": '"x":"00471122\\u0033"',
    "identifier, with spaces": member("x", "004 711 223"),
    "identifier, with letters": member("x", f"MRN{ID}"),
    "identifier, name of a member": member(ID, "x"),
    "identifier, member that comes twice": f'"x":"{ID}","x":"y"',
    "identifier, logical": member("id", ID),
    "identifier, reference": member("subject", {"reference": f"Patient/{ID}"}),
    "identifier, absolute reference": member("subject", {"reference": f"https://ehr.example/fhir/Patient/{ID}/_history/1"}),
    "identifier, search reference": member("subject", {"reference": f"Patient?identifier=urn:x|{ID}"}),
    "identifier, search reference, percent": member("subject", {"reference": f"Patient?identifier=urn%3Ax%7C{ID}"}),
    "identifier of a reference": member("subject", {"identifier": {"value": ID}}),
    "identifier, full URL": member("fullUrl", f"https://ehr.example/fhir/Patient/{ID}"),
    "identifier, uri": member("system", f"urn:x:{ID}"),
    "identifier, version": member("meta", {"versionId": ID}),
    "identifier, source": member("meta", {"source": f"#{ID}"}),
    "identifier, conditional": member("request", {"ifNoneExist": f"identifier=urn:x%7C{ID}"}),
    "identifier in a narrative": narrative(f"<td>{ID}</td>"),
    "identifier in a narrative, entities": narrative("".join(f"&#{ord(c)};" for c in ID)),
    "identifier in a narrative, tags inside": narrative("<b>0047</b><b>11223</b>"),
    "identifier in an attachment": attached(f"see {ID}."),
    "identifier in an attachment's URL": member("content", [{"attachment": {"url": f"http://d.example/{ID}.pdf"}}]),
    "identifier in an extension": extension(valueInteger=4711223),
    "identifier in sampled data": member("valueSampledData", {"data": "1 2 3 4711223 4"}),
    "identifier of an account": member("account", [{"identifier": {"value": "ACC-88-1234-X"}}]),
    "logical id": member("subject", {"reference": "Patient/pat-88x21z"}),
    "logical id, upper case": member("x", "PAT-88X21Z"),
    "logical id in base64": attached("GET Patient/pat-88x21z"),
    "logical id, UUID": member("subject", {"reference": "urn:uuid:6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e11"}),
    "social security number": member("identifier", [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6780"}]),
    "telephone": member("telecom", [{"system": "phone", "value": "(555) 314-1592"}]),
    "telephone, URL": member("telecom", [{"value": "tel:+1-555-314-1592"}]),
    "telephone as a number": '"x":5553141592',
    "e-mail": member("telecom", [{"system": "email", "value": "John.Doe77@example.org"}]),
    "e-mail, percent": member("url", "mailto:john.doe77%40example.org"),
    "e-mail, escaped": '"x":' + escaped("john.doe77@example.org"),
    "street": member("address", [{"line": ["12 Rosebud Lane"], "city": "Springwell"}]),
    "street, two lines": member("address", [{"line": ["12 Rosebud", "Lane"]}]),
    "address, text": member("address", [{"text": "12 Rosebud Lane, Springwell"}]),
    "birth date": member("birthDate", "1970-01-31"),
    "birth time": member("x", "1970-01-31T08:30:00.000+01:00"),
    "birth date, escaped": '"x":' + escaped("1970-01-31"),
    "birth date as a number": '"x":19700131',
    "birth date, HL7": member("x", "19700131"),
    "birth date, words": note("born on 31 January 1970"),
    "birth date, narrative": narrative("born <b>01/31/1970</b>"),
    "birth date in an extension": extension(valueDateTime="1970-01-31"),
    "birth date, array": member("x", ["1970", "01", "31"]),
    "relative's identifier": member("x", "99-00-5512-7"),
    "relative's telephone": member("x", "555 271 8281"),
    "policy number": member("x", "POL55512345"),
}  # fmt: skip

ALL = NAMES | NUMBERS

SAFE = {
    "all well": note("all well"),
    "another number": '"x":14711223',
    "another date": member("x", "1971-01-31"),
    "the year": member("birthDate", "1970"),
    "the first name": note("John"),
    "the family's name in a sentence": note("then Doe slept"),
    "a document of nobody": attached("nobody in particular"),
    "a picture": attached(bytes(range(256))),
    "a hash": member("hash", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
    "a URL": member("url", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
    "an OID": member("system", "urn:oid:2.16.840.1.113883.6.1"),
    "a table": narrative("<table><tr><td>x</td></tr></table>"),
    "quotation marks": note('he said "well"'),
    "nothing": member("x", None),
    "empty": member("x", [{}, [], ""]),
}
