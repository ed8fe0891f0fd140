"""The OpenID client: what it asks of a provider, and what it does with answers that are wrong, late, huge or another's."""

import base64
import hashlib
import json
import secrets
import time

import pytest
from tests.provider import CLIENT, SECRET, Hostile, oidc, queried, running, signed_in_there

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web.sign_in import provider as module
from oathward.web.sign_in.provider import Provider

BACK = "https://oathward.example/sign-in/provider/answer"
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def begun(provider, **more):
    asked = {"state": "s-1", "nonce": "n-1", "challenge": CHALLENGE, "redirect_uri": BACK, **more}
    return provider.begin(**asked)


def claims(token: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with running(tmp_path_factory.mktemp("provider"), [BACK], acr="urn:two") as provider:
        yield provider


@pytest.fixture
def hostile(tmp_path):
    with Hostile(tmp_path).serving() as found:
        yield found


def ours(hostile, **more) -> Provider:
    return Provider(hostile.settings, hostile.folder, **more)


# --- beside an independent provider


def test_a_code_of_an_independent_provider_becomes_an_id_token(real):
    provider = Provider(real.settings, real.folder)
    back = signed_in_there(real.folder, begun(provider), "ada")
    assert back.startswith(BACK + "?")
    answered = provider.read(queried(back))
    assert answered.state == "s-1"
    token = provider.exchange(code=answered.code, verifier=VERIFIER, redirect_uri=BACK)
    said = claims(token)
    assert {k: said[k] for k in ("iss", "aud", "sub", "nonce", "acr")} == {"iss": real.issuer, "aud": CLIENT, "sub": "u-1001", "nonce": "n-1", "acr": "urn:two"}  # fmt: skip
    kid = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    assert kid in {key["kid"] for key in provider.keys(token)["keys"]}


def test_a_public_client_has_pkce_alone(tmp_path):
    with running(tmp_path, [BACK], secret="") as real:
        provider = Provider(real.settings, real.folder)
        back = signed_in_there(real.folder, begun(provider), "ben")
        code = provider.read(queried(back)).code
        assert claims(provider.exchange(code=code, verifier=VERIFIER, redirect_uri=BACK))["sub"] == "u-1002"


@pytest.mark.parametrize(
    ("verifier", "back", "twice"),
    [
        (secrets.token_urlsafe(32), BACK, False),
        (VERIFIER, BACK + "/elsewhere", False),
        (VERIFIER, BACK, True),
    ],
    ids=["another's verifier", "another address", "a code used before"],
)
def test_it_refuses_codes_as_the_independent_provider_does(real, verifier, back, twice):
    provider = Provider(real.settings, real.folder)
    code = provider.read(queried(signed_in_there(real.folder, begun(provider), "ada"))).code
    if twice:
        provider.exchange(code=code, verifier=VERIFIER, redirect_uri=BACK)
    with pytest.raises(InputError) as no:
        provider.exchange(code=code, verifier=verifier, redirect_uri=back)
    assert no.value.reason is Reason.PROVIDER_REFUSED


def test_an_address_that_was_not_registered_is_refused_there(real):
    provider = Provider(real.settings, real.folder)
    with pytest.raises((AssertionError, KeyError)):
        signed_in_there(real.folder, begun(provider, redirect_uri="https://evil.example/"), "ada")


def test_somebody_the_provider_does_not_know_comes_back_with_a_refusal(real):
    provider = Provider(real.settings, real.folder)
    with pytest.raises(InputError) as no:
        provider.read(queried(signed_in_there(real.folder, begun(provider), "nobody")))
    assert no.value.reason is Reason.PROVIDER_REFUSED
    assert "nobody" not in str(no.value), "its words are not repeated"


# --- one that misbehaves

ANSWERS = {
    "another issuer": ({"iss": "https://evil.example"}, Reason.PROVIDER_MIXED_UP),
    "an issuer with a slash": ({"iss": "{issuer}/"}, Reason.PROVIDER_MIXED_UP),
    "no issuer": ({"iss": None}, Reason.PROVIDER_MIXED_UP),
    "no code": ({"code": None}, Reason.PROVIDER_ANSWER),
    "no state": ({"state": None}, Reason.PROVIDER_ANSWER),
    "an empty state": ({"state": ""}, Reason.PROVIDER_ANSWER),
    "a long code": ({"code": "x" * 3_000}, Reason.PROVIDER_ANSWER),
    "a code that is no ASCII": ({"code": "é"}, Reason.PROVIDER_ANSWER),
    "an error": ({"error": "access_denied", "error_description": "Zebulonova"}, Reason.PROVIDER_REFUSED),
    "an error of another": ({"error": "access_denied", "iss": "https://evil.example"}, Reason.PROVIDER_MIXED_UP),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_in_the_address_that_are_wrong(hostile, name):
    changed, reason = ANSWERS[name]
    query = {"code": "c-1", "state": "s-1", "iss": hostile.issuer, **changed}
    pairs = [(k, v.format(issuer=hostile.issuer)) for k, v in query.items() if v is not None]
    with pytest.raises(InputError) as no:
        ours(hostile).read(pairs)
    assert no.value.reason is reason
    assert "Zebulonova" not in str(no.value)


@pytest.mark.parametrize("name", ["code", "state", "iss", "error"])
def test_what_is_named_twice_is_no_answer(hostile, name):
    query = [("code", "c-1"), ("state", "s-1"), ("iss", hostile.issuer), (name, "again"), (name, "again")]
    with pytest.raises(InputError) as no:
        ours(hostile).read(query)
    assert no.value.reason is Reason.PROVIDER_ANSWER


def test_an_issuer_that_is_named_counts_even_where_none_is_promised(hostile):
    hostile.metadata = hostile.usual(authorization_response_iss_parameter_supported=None)
    assert ours(hostile).read([("code", "c"), ("state", "s")]).code == "c"
    with pytest.raises(InputError):
        ours(hostile).read([("code", "c"), ("state", "s"), ("iss", "https://evil.example")])


METADATA = {
    "of another issuer": ({"issuer": "https://evil.example"}, Reason.PROVIDER_MIXED_UP),
    "of the issuer with a slash": ({"issuer": "{issuer}/"}, Reason.PROVIDER_MIXED_UP),
    "without an issuer": ({"issuer": None}, Reason.PROVIDER_MIXED_UP),
    "with a plain token address": ({"token_endpoint": "http://localhost:1/token"}, Reason.PROVIDER_ANSWER),
    "with a plain sign-in address": ({"authorization_endpoint": "http://id.example/"}, Reason.PROVIDER_ANSWER),
    "with keys in a file": ({"jwks_uri": "file:///etc/passwd"}, Reason.PROVIDER_ANSWER),
    "with a script as address": ({"authorization_endpoint": "javascript:alert(1)//x"}, Reason.PROVIDER_ANSWER),
    "with somebody in the address": ({"jwks_uri": "https://a@evil.example/"}, Reason.PROVIDER_ANSWER),
    "with a broken address": ({"jwks_uri": "https://[::1"}, Reason.PROVIDER_ANSWER),
    "with a number as address": ({"jwks_uri": 7}, Reason.PROVIDER_ANSWER),
    "without keys": ({"jwks_uri": None}, Reason.PROVIDER_ANSWER),
    "with PKCE in plain alone": ({"code_challenge_methods_supported": ["plain"]}, Reason.PROVIDER_ANSWER),
}  # fmt: skip


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_cannot_be_used(hostile, name):
    changed, reason = METADATA[name]
    given = {k: v.format(issuer=hostile.issuer) if isinstance(v, str) else v for k, v in changed.items()}
    hostile.metadata = hostile.usual(**given)
    with pytest.raises(InputError) as no:
        begun(ours(hostile))
    assert no.value.reason is reason


BODIES = {
    "no JSON": (b"<html>", Reason.PROVIDER_ANSWER),
    "a list": ([], Reason.PROVIDER_ANSWER),
    "too much": (b'{"x":"' + b"x" * module.KEYS_BYTES_MAX + b'"}', Reason.PROVIDER_ANSWER),
    "too deep": (b"[" * 60_000, Reason.PROVIDER_ANSWER),
}


@pytest.mark.parametrize("path", ["metadata", "keys", "tokens"])
@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_cannot_be_used(hostile, path, name):
    body, reason = BODIES[name]
    setattr(hostile, path, body)
    with pytest.raises(InputError) as no:
        everything(ours(hostile))
    assert no.value.reason is reason


def everything(provider) -> None:
    provider.exchange(code="c", verifier=VERIFIER, redirect_uri=BACK)
    provider.keys()


@pytest.mark.parametrize(
    "tokens",
    [
        {},
        {"id_token": 7},
        {"id_token": ""},
        {"id_token": "é"},
        {"id_token": "x" * 20_000},
        {"access_token": "a"},
    ],
)
def test_tokens_without_an_id_token(hostile, tokens):
    hostile.tokens = tokens
    with pytest.raises(InputError) as no:
        everything(ours(hostile))
    assert no.value.reason is Reason.PROVIDER_ANSWER


@pytest.mark.parametrize("keys", [{}, {"keys": {}}, {"keys": ["k"]}, {"keys": [{}] * 101}])
def test_keys_that_are_no_keys(hostile, keys):
    hostile.keys = keys
    with pytest.raises(InputError) as no:
        everything(ours(hostile))
    assert no.value.reason is Reason.PROVIDER_ANSWER


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
@pytest.mark.parametrize(
    ("status", "reason"),
    [(302, Reason.PROVIDER_ANSWER), (307, Reason.PROVIDER_ANSWER), (404, Reason.PROVIDER_ANSWER), (503, Reason.PROVIDER_UNAVAILABLE)],
)  # fmt: skip
def test_no_redirect_is_followed_and_an_error_is_none_of_ours(hostile, path, status, reason):
    hostile.status[path], hostile.headers[path] = status, {"location": f"{hostile.issuer}/elsewhere"}
    with pytest.raises(InputError) as no:
        everything(ours(hostile))
    assert no.value.reason is reason
    assert "/elsewhere" not in [path for path, *_ in hostile.asked]


def test_an_answer_that_comes_byte_by_byte_ends_in_time(hostile):
    hostile.slow_s["/token"] = 0.5
    begin = time.monotonic()
    with pytest.raises(InputError) as no:
        everything(ours(hostile))
    assert no.value.reason is Reason.PROVIDER_UNAVAILABLE
    assert time.monotonic() - begin < hostile.settings.timeout_s + 2


def test_compressed_answers_are_not_opened(hostile):
    hostile.headers["/jwks"] = {"content-encoding": "gzip"}
    with pytest.raises(InputError) as no:
        everything(ours(hostile))
    assert no.value.reason is Reason.PROVIDER_ANSWER


def test_a_certificate_of_nobody_we_trust_is_no_provider(tmp_path):
    with Hostile(tmp_path).serving(trusted=False) as hostile, pytest.raises(InputError) as no:
        begun(ours(hostile))
    assert no.value.reason is Reason.PROVIDER_UNAVAILABLE
    assert hostile.asked == [], "nothing was said to it"


def test_one_that_does_not_listen_is_away(tmp_path):
    with Hostile(tmp_path).serving() as hostile:
        provider = ours(hostile)
    with pytest.raises(InputError) as no:
        begun(provider)
    assert no.value.reason is Reason.PROVIDER_UNAVAILABLE


def test_a_plain_provider_is_one_of_this_machine_alone(tmp_path):
    with Hostile(tmp_path).serving(tls=False) as hostile:
        assert begun(ours(hostile)).startswith("http://localhost")
        hostile.metadata = hostile.usual(token_endpoint="http://id.example/token")
        with pytest.raises(InputError):
            begun(ours(hostile))


# --- what is asked, and how often


def test_what_the_browser_is_sent_with(hostile):
    hostile.metadata = hostile.usual(authorization_endpoint=f"{hostile.issuer}/auth?tenant=1")
    asked = dict(queried(begun(ours(hostile))))
    assert asked == {
        "tenant": "1", "response_type": "code", "response_mode": "query", "client_id": CLIENT, "redirect_uri": BACK,
        "scope": "openid", "state": "s-1", "nonce": "n-1", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip


@pytest.mark.parametrize(("ways", "basic"), [(None, True), (["client_secret_post"], False)])
def test_the_secret_goes_the_way_the_provider_takes_it(hostile, ways, basic):
    hostile.metadata = hostile.usual(token_endpoint_auth_methods_supported=ways)
    everything(ours(hostile))
    _, headers, form = next(one for one in hostile.asked if one[0] == "/token")
    said = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    assert (headers.get("authorization") == f"Basic {said}") is basic
    assert (form.get("client_secret") == SECRET) is not basic
    assert (form["code_verifier"], form["redirect_uri"]) == (VERIFIER, BACK)


def test_keys_are_kept_and_an_unknown_one_is_looked_for_but_not_all_the_time(hostile):
    now = [0.0]
    provider = ours(hostile, monotonic=lambda: now[0])
    hostile.keys = {"keys": [{"kid": "k-1"}]}
    signed = {
        n: base64.urlsafe_b64encode(json.dumps({"kid": n}).encode()).decode() + ".b.c" for n in ("k-1", "k-2")
    }

    def asked() -> int:
        return [path for path, *_ in hostile.asked].count("/jwks")

    for _ in range(3):
        provider.keys(signed["k-1"])
    provider.keys(signed["k-2"])
    assert asked() == 1, "not within seconds"
    now[0] += module.KEYS_AGAIN_S_MIN
    hostile.keys = {"keys": [{"kid": "k-2"}]}
    assert provider.keys(signed["k-2"])["keys"] == [{"kid": "k-2"}]
    assert asked() == 2
    provider.keys("not even a token")
    now[0] += module.KEYS_AGE_S_MAX
    provider.keys()
    assert asked() == 3, "after minutes they are asked for anew"


def test_metadata_are_asked_for_again_after_an_hour(hostile):
    now = [0.0]
    provider = ours(hostile, monotonic=lambda: now[0])
    for ahead_s in (0.0, 10.0, module.METADATA_AGE_S_MAX):
        now[0] += ahead_s
        begun(provider)
    assert len(hostile.asked) == 2


def test_a_provider_that_holds_everybody_up_is_left_alone(hostile, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE_MAX", 1)
    provider = ours(hostile)
    assert provider._asking.acquire(timeout=1)
    with pytest.raises(InputError) as no:
        begun(provider)
    assert no.value.reason is Reason.PROVIDER_UNAVAILABLE
    assert hostile.asked == []


def test_files_that_cannot_be_read_are_named_by_their_setting(tmp_path, hostile):
    import dataclasses

    for name, words in (("ca_file", "ca_file"), ("client_secret_file", "client_secret_file")):
        settings = dataclasses.replace(oidc(tmp_path, hostile.issuer), **{name: "absent"})
        with pytest.raises(InputError, match=words) as no:
            everything(Provider(settings, tmp_path))
        assert no.value.reason is Reason.SETTINGS_INVALID


def test_without_the_check_of_the_issuer_another_providers_answer_would_be_taken(hostile, monkeypatch):
    """Reverse: the refusals above come from those comparisons."""
    provider = ours(hostile)
    provider.metadata()

    class Everyone(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

    object.__setattr__(provider._settings, "issuer", Everyone(hostile.issuer))
    assert provider.read([("code", "c"), ("state", "s"), ("iss", "https://evil.example")]).code == "c"
