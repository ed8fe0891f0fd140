"""Signing in by a provider: with npm's oidc-provider for what is right, and one of our own for each thing that is wrong.

The browser is Starlette's client, the keeper is in this process, and both know the time of the machine: the provider does.
"""

import base64
import hmac
import json
import re
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey
from tests.provider import ACCOUNTS, CLIENT, Hostile, running, signed_in_there
from tests.unit.vault.keeper.people import Phone
from tests.unit.web.people import BASE, COOKIE, console, copied, token_in

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.web.pages.sign_in_provider import BACK

HERE = BASE + BACK
KEY = RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"})
FOREIGN = RSAKey.generate_key(2048, {"kid": "k-1"})
ELLIPTIC = ECKey.generate_key("P-256", {"kid": "k-2"})


def toml(settings, acr: str = "") -> str:
    return f"""
[oidc]
issuer = "{settings.issuer}"
client_id = "{CLIENT}"
client_secret_file = "{settings.client_secret_file}"
ca_file = "{settings.ca_file}"
name = "the hospital"
timeout_s = 3.0
acr = "{acr}"
"""


def there(browser, after: str = "/") -> str:
    """Press the provider's button; gives the address the browser is sent to."""
    shown = browser.post("/sign-in", "/sign-in/provider", next=after)
    assert shown.status_code == 200, shown.text
    return refreshed(shown.text)


def refreshed(text: str) -> str:
    return re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', text)[1].replace("&amp;", "&")


def back(browser, address: str):
    """Come back from the provider: a page of ours, and from there with our cookies."""
    first = browser.get(address.removeprefix(BASE))
    assert first.status_code == 200
    return browser.get(refreshed(first.text))


def asked(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


# --- an independent provider


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with running(tmp_path_factory.mktemp("provider"), [HERE], acr="urn:two") as found:
        yield found


@pytest.fixture(params=["", "urn:two"], ids=["one factor", "two factors"])
def with_real(request, prepared, tmp_path, real):
    """A console whose settings name the provider; its acr counts as two factors, or not."""
    site = copied(prepared.settings.data, tmp_path / "site", toml(real.settings, request.param))
    with console(site) as (house, browser):
        house.time.wall_s = time.time()
        house.person("ada", Role.CLINICAL_ENGINEER, name="Ada", sign_ins=frozenset({(real.issuer, ACCOUNTS["ada"]["sub"])}))  # fmt: skip
        yield house, browser, bool(request.param)


def test_who_signs_in_there_is_signed_in_here(with_real, real):
    house, new, strong = with_real
    browser = new()
    assert "Sign in with the hospital" in browser.get("/sign-in").text
    done = back(browser, signed_in_there(real.folder, there(browser, "/devices"), "ada"))
    if not strong:
        assert done.headers["location"] == "/enrol/factor", "one factor there: the second is ours"
        shown = browser.post("/enrol/factor", "/enrol/app").text
        phone = Phone(re.search(r'name="secret" value="(\w+)"', shown)[1], house.time)
        done = browser.send("/enrol/app/code", {"token": token_in(shown), "code": phone.code()})
    assert done.headers["location"] == "/devices"
    assert set(browser.client.cookies) == {COOKIE}
    assert "Ada" in browser.get("/account").text


def test_somebody_whom_no_person_record_names_is_nobody_here(with_real, real):
    browser = with_real[1]()
    done = back(browser, signed_in_there(real.folder, there(browser), "ben"))
    assert done.status_code == 401
    assert Reason.PERSON_UNKNOWN.code in done.text
    assert browser.session == ""


def test_somebody_the_provider_refuses_comes_to_a_page_that_says_so(with_real, real):
    browser = with_real[1]()
    done = back(browser, signed_in_there(real.folder, there(browser), "nobody"))
    assert done.status_code == 403
    assert Reason.PROVIDER_REFUSED.code in done.text


def test_an_answer_is_for_one_use_and_for_one_browser(with_real, real):
    _, new, _ = with_real
    mine, theirs = new(), new()
    address = signed_in_there(real.folder, there(mine), "ada")
    there(theirs)
    assert back(theirs, address).status_code == 401, "another browser's state (login CSRF)"
    assert theirs.session == ""
    assert back(mine, address).status_code in {303, 401}
    again = back(mine, address)
    assert again.status_code == 401
    assert Reason.PROVIDER_STATE.code in again.text


def test_a_proof_is_renewed_at_the_provider(with_real, real):
    house, new, strong = with_real
    if not strong:
        pytest.skip("one factor proves too little")
    browser = new()
    back(browser, signed_in_there(real.folder, there(browser), "ada"))
    house.time.wall_s += 660
    assert browser.post("/account", "/account/app").headers["location"].startswith("/step-up")
    page = browser.get("/step-up?next=/account").text
    assert "Prove it at the hospital" in page
    house.time.wall_s = time.time()  # the provider's clock is the machine's
    sent = browser.send("/step-up/provider", {"token": token_in(page), "next": "/account"})
    address = refreshed(sent.text)
    assert (asked(address)["prompt"], asked(address)["max_age"]) == ("login", "0")
    old = browser.session
    done = back(browser, signed_in_there(real.folder, address, "ada"))
    assert done.status_code == 303, done.text
    assert done.headers["location"] == "/account"
    assert browser.session not in {"", old}
    assert browser.get("/account").status_code == 200


# --- one that misbehaves


@pytest.fixture
def hostile(tmp_path):
    folder = tmp_path / "hostile"
    with Hostile(folder).serving() as found:
        found.keys = {"keys": [KEY.as_dict(private=False), ELLIPTIC.as_dict(private=False)]}
        yield found


@pytest.fixture
def with_hostile(prepared, tmp_path, hostile):
    site = copied(prepared.settings.data, tmp_path / "site", toml(hostile.settings, "two"))
    with console(site) as (house, browser):
        house.person("ada", sign_ins=frozenset({(hostile.issuer, "u-1001")}))
        yield house, browser


def claims(house, hostile, answers: str, **other) -> dict:
    now = int(house.time.wall_s)
    usual = {"iss": hostile.issuer, "aud": CLIENT, "sub": "u-1001", "nonce": answers, "iat": now, "exp": now + 300, "acr": "two"}  # fmt: skip
    return {name: value for name, value in {**usual, **other}.items() if value is not None}


def signed(body: dict, *, key=KEY, algorithm: str = "RS256", **header) -> str:
    return jwt.encode({"alg": algorithm, "kid": "k-1", **header}, body, key, algorithms=[algorithm])


def part(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def with_the_public_key(body: dict) -> str:
    """Algorithm confusion: an HMAC whose secret is what everybody knows."""
    said = f"{part({'alg': 'HS256', 'kid': 'k-1'})}.{part(body)}"
    seal = hmac.digest(KEY.as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def cut(token: str) -> str:
    head, body, seal = token.split(".")
    return f"{head}.{part({**json.loads(base64.urlsafe_b64decode(body + '==')), 'sub': 'u-1'})}.{seal}"


TOKENS = {
    "no signature": (lambda b: f"{part({'alg': 'none'})}.{part(b)}.", Reason.PROVIDER_ALGORITHM),
    "no signature, with a key's name": (lambda b: f"{part({'alg': 'None', 'kid': 'k-1'})}.{part(b)}.", Reason.PROVIDER_ALGORITHM),
    "an HMAC with the public key": (with_the_public_key, Reason.PROVIDER_ALGORITHM),
    "an algorithm nobody asked for": (lambda b: signed(b, algorithm="RS512"), Reason.PROVIDER_ALGORITHM),
    "another's key under our key's name": (lambda b: signed(b, key=FOREIGN), Reason.PROVIDER_TOKEN),
    "a key that is not shown": (lambda b: signed(b, key=FOREIGN, kid="k-9"), Reason.PROVIDER_KEY),
    "a key in its own header": (lambda b: signed(b, key=FOREIGN, kid="k-9", jwk=FOREIGN.as_dict(private=False)), Reason.PROVIDER_TOKEN),
    "a key of another kind": (lambda b: signed(b, kid="k-2"), Reason.PROVIDER_KEY),
    "other words under the signature": (lambda b: cut(signed(b)), Reason.PROVIDER_TOKEN),
    "two parts": (lambda b: "a.b", Reason.PROVIDER_TOKEN),
    "five parts": (lambda b: "a.b.c.d.e", Reason.PROVIDER_TOKEN),
    "no JSON": (lambda b: jws.serialize_compact({"alg": "RS256", "kid": "k-1"}, b"no", KEY), Reason.PROVIDER_TOKEN),
}  # fmt: skip

CLAIMS = {
    "another issuer": ({"iss": "https://evil.example"}, Reason.PROVIDER_AUDIENCE),
    "no issuer": ({"iss": None}, Reason.PROVIDER_AUDIENCE),
    "another client": ({"aud": "another"}, Reason.PROVIDER_AUDIENCE),
    "no client": ({"aud": None}, Reason.PROVIDER_AUDIENCE),
    "two clients and for neither": ({"aud": [CLIENT, "another"]}, Reason.PROVIDER_AUDIENCE),
    "two clients and for the other": (
        {"aud": [CLIENT, "another"], "azp": "another"},
        Reason.PROVIDER_AUDIENCE,
    ),
    "a nonce of another sign-in": ({"nonce": "another"}, Reason.PROVIDER_NONCE),
    "no nonce": ({"nonce": None}, Reason.PROVIDER_NONCE),
    "no end": ({"exp": None}, Reason.PROVIDER_EXPIRED),
    "over": ({"exp": 1_000_000_000}, Reason.PROVIDER_EXPIRED),
    "of a time to come": ({"iat": 4_000_000_000}, Reason.PROVIDER_EXPIRED),
    "of before the sign-in": ({"iat": 1_000_000_000}, Reason.PROVIDER_EXPIRED),
    "nobody": ({"sub": None}, Reason.PERSON_UNKNOWN),
    "a list as person": ({"sub": ["u-1001"]}, Reason.PERSON_UNKNOWN),
    "another person": ({"sub": "u-1002"}, Reason.PERSON_UNKNOWN),
}


def answered(with_hostile, hostile, browser, make, **other):
    """Begin, have the provider answer with such a token, and come back."""
    house = with_hostile[0]
    query = asked(there(browser))
    hostile.tokens = {"token_type": "Bearer", "id_token": make(claims(house, hostile, query["nonce"], **other))}  # fmt: skip
    given = {"code": "c-1", "state": query["state"], "iss": hostile.issuer}
    return back(browser, f"{HERE}?{urlencode(given)}")


def test_what_is_right_signs_in(with_hostile, hostile):
    browser = with_hostile[1]()
    assert answered(with_hostile, hostile, browser, signed).headers["location"] == "/"
    assert browser.session


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_that_cannot_be_believed(with_hostile, hostile, name):
    make, reason = TOKENS[name]
    browser = with_hostile[1]()
    refusal = answered(with_hostile, hostile, browser, make)
    assert refusal.status_code == 401
    assert reason.code in refusal.text
    assert browser.session == ""


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_that_are_not_meant_for_us(with_hostile, hostile, name):
    changed, reason = CLAIMS[name]
    browser = with_hostile[1]()
    refusal = answered(with_hostile, hostile, browser, signed, **changed)
    assert refusal.status_code == 401
    assert reason.code in refusal.text
    assert browser.session == ""


STATES = {
    "another state": ({"state": "x" * 43}, Reason.PROVIDER_STATE, 401),
    "another provider": ({"iss": "https://evil.example"}, Reason.PROVIDER_MIXED_UP, 403),
    "no provider": ({"iss": None}, Reason.PROVIDER_MIXED_UP, 403),
    "an error": ({"error": "access_denied"}, Reason.PROVIDER_REFUSED, 403),
    "no code": ({"code": None}, Reason.PROVIDER_ANSWER, 502),
}


@pytest.mark.parametrize("name", STATES)
def test_answers_that_are_of_no_sign_in_here(with_hostile, hostile, name):
    changed, reason, status = STATES[name]
    browser = with_hostile[1]()
    query = asked(there(browser))
    given = {"code": "c-1", "state": query["state"], "iss": hostile.issuer, **changed}
    pairs = [(k, v) for k, v in given.items() if v is not None]
    refusal = back(browser, f"{HERE}?{urlencode(pairs)}")
    assert refusal.status_code == status
    assert reason.code in refusal.text
    assert "/token" not in [path for path, *_ in hostile.asked], "no code was exchanged"
    assert browser.session == ""


def test_an_answer_nobody_asked_for(with_hostile, hostile):
    browser = with_hostile[1]()
    given = {"code": "c-1", "state": "s-1", "iss": hostile.issuer}
    refusal = back(browser, f"{HERE}?{urlencode(given)}")
    assert refusal.status_code == 401
    assert Reason.PROVIDER_STATE.code in refusal.text


def test_an_answer_that_comes_too_late(with_hostile, hostile):
    house, new = with_hostile
    browser = new()
    query = asked(there(browser))
    house.time.pass_(hours=2)
    given = {"code": "c-1", "state": query["state"], "iss": hostile.issuer}
    assert Reason.PROVIDER_STATE.code in back(browser, f"{HERE}?{urlencode(given)}").text


def test_a_provider_that_is_away_leaves_the_other_ways_in(with_hostile, hostile, monkeypatch):
    browser = with_hostile[1]()
    hostile.status["/.well-known/openid-configuration"] = 503
    shown = browser.post("/sign-in", "/sign-in/provider")
    assert shown.status_code == 503
    assert Reason.PROVIDER_UNAVAILABLE.code in shown.text
    assert "password or passkey of Oathward" in shown.text
    assert browser.get("/sign-in").status_code == 200


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example/", "/\\evil"])
def test_nobody_is_sent_elsewhere_after_the_provider(with_hostile, hostile, where):
    house, new = with_hostile
    browser = new()
    query = asked(there(browser, where))
    hostile.tokens = {"id_token": signed(claims(house, hostile, query["nonce"]))}
    given = {"code": "c-1", "state": query["state"], "iss": hostile.issuer}
    assert back(browser, f"{HERE}?{urlencode(given)}").headers["location"] == "/"


def test_where_to_go_cannot_be_planted_in_the_cookie(with_hostile, hostile):
    house, new = with_hostile
    browser = new()
    query = asked(there(browser, "/devices"))
    name = f"{COOKIE}_provider"
    value = browser.client.cookies[name].strip('"').split(".")[0]
    browser.client.cookies.delete(name)
    browser.plant(name, f"{value}.new.{base64.urlsafe_b64encode(b'//evil.example').decode()}")
    hostile.tokens = {"id_token": signed(claims(house, hostile, query["nonce"]))}
    given = {"code": "c-1", "state": query["state"], "iss": hostile.issuer}
    assert back(browser, f"{HERE}?{urlencode(given)}").headers["location"] == "/"


def test_the_address_to_come_back_to_is_not_the_browsers_to_say(with_hostile, hostile):
    """A foreign Host is refused before; and the provider compares what it is told with what it knows."""
    browser = with_hostile[1]()
    query = asked(there(browser))
    assert query["redirect_uri"] == HERE
    text = browser.get("/sign-in").text
    refused = browser.send("/sign-in/provider", {"token": token_in(text), "redirect_uri": "https://evil.example"})  # fmt: skip
    assert asked(refreshed(refused.text))["redirect_uri"] == HERE
    assert browser.send("/sign-in/provider", {"token": token_in(text)}, host="evil.example").status_code in {403, 421}  # fmt: skip


def test_a_form_of_nobodys_begins_nothing(with_hostile, hostile):
    browser = with_hostile[1]()
    browser.get("/sign-in")
    assert browser.send("/sign-in/provider", {"token": "x" * 64}).status_code == 403
    assert hostile.asked == []


def test_without_a_provider_there_is_no_button_and_no_address(prepared, tmp_path):
    with console(copied(prepared.settings.data, tmp_path / "none")) as (_, new):
        browser = new()
        assert browser.post("/sign-in", "/sign-in/provider").status_code == 404
        assert browser.get(f"{BACK}?code=c&state=s").status_code == 404


def test_a_pinned_key_is_the_only_one(prepared, tmp_path, hostile):
    """What the provider, or a captured console, shows instead counts for nothing."""
    folder = tmp_path / "pinned"
    other = RSAKey.generate_key(2048, {"kid": "k-1"})
    settings = toml(hostile.settings, "two").rstrip() + '\nkeys_file = "provider-keys.json"\n'
    site = copied(prepared.settings.data, folder, settings)
    (folder / "provider-keys.json").write_text(json.dumps({"keys": [other.as_dict(private=False)]}))
    with console(site) as served:
        served[0].person("ada", sign_ins=frozenset({(hostile.issuer, "u-1001")}))
        browser = served[1]()
        assert answered(served, hostile, browser, signed).status_code == 401
        assert answered(served, hostile, browser, lambda b: signed(b, key=other)).status_code == 303


def test_quoting_is_ours_in_the_page_that_leads_there(with_hostile, hostile):
    browser = with_hostile[1]()
    hostile.metadata = hostile.usual(authorization_endpoint=f"{hostile.issuer}/auth\"'><script>alert(1)</script>")  # fmt: skip
    shown = browser.post("/sign-in", "/sign-in/provider")
    assert "<script>alert" not in shown.text
