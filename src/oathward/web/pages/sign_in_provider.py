"""Signing in, or proving again, by the hospital's provider: the way there and the way back.

Steps: 1 the keeper makes state, nonce and verifier for this browser · 2 the browser goes there · 3 it comes back with a
code, and with the cookie it left with · 4 the keeper gives the verifier out, once · 5 the code is exchanged · 6 the keeper
looks at the ID token and says who that is, or what is asked for next.

Rules:
- Both ways lead through a page of ours: a form must not lead elsewhere (content security policy), and who comes from
  another site's page brings none of our cookies along.
- The address we are reached under is that of the settings; without one, of this machine alone (``security.check_host``).
"""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.vault.keeper.client.people import NOBODY, Proof
from oathward.web.page import BEGIN, Page, Route
from oathward.web.sign_in import before
from oathward.web.sign_in.begins import BEGINS
from oathward.web.sign_in.provider import Provider, provider_of
from oathward.web.view import View

BACK = "/sign-in/provider/answer"
_HERE = "here"
"""Marks an answer that comes from our own page."""


def begin(view: View) -> Response:
    """Send the browser to the provider."""
    before.check(view)
    BEGINS.count(view.origin, str(view.site.settings.data))
    return _there(view, before.local(view.form.get("next", "/")), NOBODY)


def prove(view: View) -> Response:
    """Send somebody who is signed in there, to prove again who they are."""
    return _there(view, before.local(view.form.get("next", "/")), view.proof)


def answer(view: View) -> Response:
    """Take what the browser brings back: first through a page of ours, then with the cookies that it sends from there."""
    provider, query = _provider(view), view.request.query_params.multi_items()
    if _HERE not in view.request.query_params:
        here = f"{BACK}?{urlencode([*query, (_HERE, '1')])}"
        return view.page("going_on.html", address=here, name="", elsewhere=False)
    BEGINS.count(view.origin, str(view.site.settings.data))
    answered = provider.read(query)
    value, after, again = before.from_provider(view)
    if not value:
        why = "was not asked for by this browser, or its cookies are off"
        raise InputError("provider answer", why, reason=Reason.PROVIDER_STATE)
    people, browser = view.site.keeper.people, before.digest(value)
    verifier = people.provider_take(answered.state, browser)
    token = provider.exchange(code=answered.code, verifier=verifier, redirect_uri=_back(view))
    keys = orjson.dumps(provider.keys(token)).decode()
    proof = view.proof if again and view.visit is not None else NOBODY
    step = people.provider_finish(answered.state, browser, token, keys, view.origin, proof)
    done = before.renewed(view, view.go(after), step) if proof else before.go_on(view, step, after)
    return before.forget_provider(view, done)


def _there(view: View, after: str, proof: Proof) -> Response:
    provider = _provider(view)
    value = secrets.token_urlsafe(32)
    begun = view.site.keeper.people.provider_begin(before.digest(value), proof)
    address = provider.begin(
        state=begun.state,
        nonce=begun.nonce,
        challenge=begun.challenge,
        redirect_uri=_back(view),
        anew=bool(proof),
    )
    response = view.page("going_on.html", address=address, name=view.site.settings.oidc.name, elsewhere=True)
    before.to_provider(view, response, value, after, again=bool(proof))
    return response


def _provider(view: View) -> Provider:
    found = provider_of(view.site.settings)
    if found is None:
        why = "has no provider; `[oidc] issuer` in the settings names one"
        raise InputError("sign-in", why, reason=Reason.NOT_FOUND)
    return found


def _back(view: View) -> str:
    here = view.site.settings.console.url or f"{view.request.url.scheme}://{view.request.headers['host']}"
    return here.rstrip("/") + BACK


PAGE = Page(
    "Sign in by a provider",
    (
        Route("/sign-in/provider", begin, "POST", public=True, action=BEGIN),
        Route(BACK, answer, public=True, action=BEGIN),
        Route("/step-up/provider", prove, "POST", action="own.see"),
    ),
)
