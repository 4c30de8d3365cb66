"""What must not let anybody in by way of a provider: other people's answers, forged tokens, a provider gone wrong."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from daybook.web.idtoken import Untrue, claims_of
from tests.web.conftest import Web
from tests.web.issuer import Claims, Issuer, signed
from tests.web.sso import Sso, refused, sent, sso

HOUR = 3600


@pytest.fixture
def one(web: Web) -> Iterator[Sso]:
    """A Daybook with a provider of the test's own."""
    with sso(web) as made:
        yield made


# ---- the way back


@pytest.mark.parametrize("state", ["", "x" * 43, "{good}x", "{swapped}", "'; --", "é" * 43, "x" * 5000])
def test_wrong_state_lets_nobody_in_and_spends_nothing(one: Sso, state: str) -> None:
    name, client = one.somebody(), one.web.anonymous()
    back = one.returns(one.goes(client), f"sub-{name}")
    good = sent(back)["state"]
    wrong = state.format(good=good, swapped=good.swapcase())
    answer = client.get("/sign-in/oidc/callback", params={**sent(back), "state": wrong})
    refused(one, answer, 422 if len(wrong) > 4096 else 400, name)
    assert "/token" not in one.issuer.asked
    assert client.get(back).status_code == 303


def test_state_works_once(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    back = one.returns(one.goes(client), f"sub-{name}")
    kept = dict(client.cookies)
    assert client.get(back).status_code == 303
    asked = one.issuer.asked.count("/token")
    again = one.web.anonymous(cookie="; ".join(f"{known}={value}" for known, value in kept.items()))
    assert again.get(back).status_code == 400
    assert (one.issuer.asked.count("/token"), one.sessions(name)) == (asked, 1)


def test_answer_to_another_browser_is_refused_and_not_spent(one: Sso) -> None:
    """Somebody sends us the end of their own sign-in, so that we work in their name (login CSRF)."""
    name, attacker, victim = one.somebody(), one.web.anonymous(), one.web.anonymous()
    back = one.returns(one.goes(attacker), f"sub-{name}")
    refused(one, victim.get(back), 400, name)
    one.goes(victim)
    refused(one, victim.get(back), 400, name)  # a cookie of one's own begun sign-in does not help
    [(cookie, _)] = [(known, value) for known, value in attacker.cookies.items() if known.startswith("daybook-oidc")]
    refused(one, one.web.anonymous(cookie=f"{cookie}={'A' * 43}").get(back), 400, name)
    assert attacker.get(back).status_code == 303


def test_late_answer_is_refused(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    back = one.returns(one.goes(client), f"sub-{name}")
    one.web.rows("UPDATE access.oidc_attempts SET expires_at = expires_at - interval '10 min'")
    refused(one, client.get(back), 400, name)


def test_code_works_once_and_only_in_the_sign_in_it_was_given_for(one: Sso) -> None:
    name, client, other = one.somebody(), one.web.anonymous(), one.web.anonymous()
    back, others = one.returns(one.goes(client), f"sub-{name}"), sent(one.goes(other))
    stolen = {**sent(back), "state": others["state"]}
    answer = other.get("/sign-in/oidc/callback", params=stolen)  # PKCE: the provider sees another verifier
    refused(one, answer, 502, name)
    assert "invalid_grant" in answer.text
    refused(one, client.get(back), 502, name)


@pytest.mark.parametrize("iss", ["https://evil.example", "{own}/", ""])
def test_answer_in_another_providers_name_is_refused_before_the_code_is_spent(one: Sso, iss: str) -> None:
    name, client = one.somebody(), one.web.anonymous()
    back = sent(one.returns(one.goes(client), f"sub-{name}")) | {"iss": iss.format(own=one.issuer.address)}
    refused(one, client.get("/sign-in/oidc/callback", params=back), 502, name)
    assert "/token" not in one.issuer.asked


def test_provider_that_promises_its_name_must_give_it_and_another_need_not(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    back = sent(one.returns(one.goes(client), f"sub-{name}"))
    del back["iss"]
    refused(one, client.get("/sign-in/oidc/callback", params=back), 502, name)
    one.issuer.says_iss = False
    assert one.signs_in(name).status_code == 303


@pytest.mark.parametrize("more", ["next=https://evil.example", "redirect_uri=https://evil.example", "return_to=//evil.example"])
def test_no_request_says_where_to_go_afterwards(one: Sso, more: str) -> None:
    name, client = one.somebody(), one.web.anonymous()
    address = client.get(f"/sign-in/oidc?{more}").headers["location"]
    assert "evil" not in address
    done = client.get(f"{one.returns(address, f'sub-{name}')}&{more}")
    assert (done.status_code, done.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("access_denied", "You stopped there"),
        ("login_required", "login_required"),
        ("<b>x</b>", "no reason given"),
        ("", "no reason"),
    ],
)
def test_refusal_over_there_is_a_page(one: Sso, error: str, said: str) -> None:
    name, client = one.somebody(), one.web.anonymous()
    state = sent(one.goes(client))["state"]
    answer = client.get("/sign-in/oidc/callback", params={"state": state, "error": error, "error_description": "<b>x</b>"})
    refused(one, answer, 403, name)
    assert said in answer.text
    assert "<b>" not in answer.text


# ---- the token


def forged(change: Callable[[Issuer, Claims], str]) -> Callable[[Issuer], None]:
    """Makes the provider's tokens by a forger's recipe."""

    def apply(issuer: Issuer) -> None:
        issuer.token = lambda said: change(issuer, said)

    return apply


def plain(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def says(**claims: Any) -> Callable[[Issuer], None]:
    """The provider itself says so, well signed."""

    def apply(issuer: Issuer) -> None:
        issuer.claims = claims

    return apply


def keyed(issuer: Issuer, said: Claims) -> str:
    """Signed with what everybody knows, the public key, as if it were a shared secret."""
    head = plain({"alg": "HS256", "kid": "one"}, said).rpartition(".")[0]
    code = hmac.digest(issuer.key.as_pem(private=False), head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"


def tampered(issuer: Issuer, said: Claims) -> str:
    """Somebody else's claims under a good signature."""
    head, _, signature = signed(issuer.key, {"alg": "RS256", "kid": "one"}, said).split(".")
    return ".".join((head, plain({}, {**said, "extra": 1}).split(".")[1], signature))


OTHERS = RSAKey.generate_key(2048, {"kid": "one"})
FORGERIES: dict[str, tuple[Callable[[Issuer], None], str]] = {
    "another nonce": (says(nonce="n" * 43), "nonce"),
    "no nonce": (says(nonce=None), "nonce"),
    "another audience": (says(aud="other-client"), "audience"),
    "no audience": (says(aud=None), "audience"),
    "audience in part": (says(aud="daybook-client-2"), "audience"),
    "audiences and no authorized party": (says(aud=["daybook-client", "other"]), "authorized party"),
    "another authorized party": (says(azp="other"), "authorized party"),
    "another issuer": (says(iss="https://evil.example"), "another issuer"),
    "the issuer but for a slash": (says(iss="http://127.0.0.1/"), "another issuer"),
    "expired": (says(exp=time.time() - 120), "expired"),
    "no expiry": (says(exp=None), "lacks a time (exp)"),
    "expiry in words": (says(exp="tomorrow"), "lacks a time (exp)"),
    "expiry never": (says(exp=float("inf")), "lacks a time (exp)"),
    "expiry beyond numbers": (says(exp=10**400), "lacks a time (exp)"),
    "expiry yes": (says(exp=True), "lacks a time (exp)"),
    "from the future": (says(iat=time.time() + HOUR), "future"),
    "not yet": (says(nbf=time.time() + HOUR), "future"),
    "no subject": (says(sub=None), "subject"),
    "empty subject": (says(sub=""), "subject"),
    "subject with NUL": (says(sub="a\x00"), "subject"),
    "subject too long": (says(sub="a" * 256), "subject"),
    "subject half a character": (says(sub="\ud800"), "subject"),
    "alg none": (forged(lambda i, s: plain({"alg": "none"}, s)), "algorithm"),
    "alg none, signed": (forged(lambda i, s: plain({"alg": "none", "kid": "one"}, s, b"x")), "algorithm"),
    "alg nOnE": (forged(lambda i, s: plain({"alg": "nOnE"}, s)), "algorithm"),
    "no alg": (forged(lambda i, s: plain({}, s)), "algorithm"),
    "alg a list": (forged(lambda i, s: plain({"alg": ["RS256"]}, s)), "algorithm"),
    "HS256 with the public key": (forged(keyed), "algorithm"),
    "HS256 with the public modulus": (
        forged(lambda i, s: signed(OctKey.import_key(i.key.as_dict(private=False)["n"]), {"alg": "HS256"}, s)),  # type: ignore[arg-type]
        "algorithm",
    ),
    "HS256 with the client's secret": (
        forged(lambda i, s: signed(OctKey.import_key(str(i.client_secret) * 3), {"alg": "HS256"}, s)), "algorithm",
    ),
    "another's key": (forged(lambda i, s: signed(OTHERS, {"alg": "RS256", "kid": "one"}, s)), "none of the provider"),
    "another's key, brought along": (
        forged(lambda i, s: signed(OTHERS, {"alg": "RS256", "jwk": OTHERS.as_dict(private=False)}, s)), "none of the provider",
    ),
    "another kid": (forged(lambda i, s: signed(i.key, {"alg": "RS256", "kid": "two"}, s)), "none of the provider"),
    "another kind of key": (
        forged(lambda i, s: signed(ECKey.generate_key("P-256"), {"alg": "ES256", "kid": "one"}, s)), "none of the provider",
    ),
    "changed after signing": (forged(tampered), "none of the provider"),
    "no signature": (forged(lambda i, s: plain({"alg": "RS256", "kid": "one"}, s)), "none of the provider"),
    "must be understood": (
        forged(lambda i, s: plain({"alg": "RS256", "kid": "one", "crit": ["x"], "x": 1}, s, b"s" * 256)), "none of the provider",
    ),
    "claims that are a list": (forged(lambda i, s: signed(i.key, {"alg": "RS256"}, [s])), "none of the provider"),  # type: ignore[arg-type]
    "claims without end": (forged(lambda i, s: plain({"alg": "RS256"}, s).replace(".", "." + "W1tb" * 20_000, 1)), "none of"),
    "no token": (forged(lambda i, s: "hello"), "cannot be read"),
    "empty token": (forged(lambda i, s: ""), "cannot be read"),
    "five parts": (forged(lambda i, s: plain({"alg": "RS256"}, s) + ".a.b"), "no signed token"),
    "header a number": (forged(lambda i, s: plain(7, s)), "no signed token"),  # type: ignore[arg-type]
    "header without end": (forged(lambda i, s: "W1tb" * 20_000 + ".e30.x"), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_token_lets_nobody_in(one: Sso, name: str) -> None:
    person = one.somebody()
    forge, why = FORGERIES[name]
    forge(one.issuer)
    answer = one.signs_in(person)
    refused(one, answer, 502, person)
    assert why in answer.text
    one.issuer.claims, one.issuer.token = {}, None
    assert one.signs_in(person).status_code == 303  # it was the forgery, and nothing else


@pytest.mark.parametrize(
    "header", [{}, {"kid": "one"}, {"kid": "one", "x5t": "a", "unknown": 1}, {"kid": "one", "x5c": ["A" * 2000]}]
)
def test_good_token_counts_with_or_without_a_key_id(one: Sso, header: Claims) -> None:
    one.issuer.token = lambda said: signed(one.issuer.key, {"alg": "RS256", **header}, said)
    assert one.signs_in(one.somebody()).status_code == 303


@pytest.mark.parametrize(("alg", "key"), [("ES256", ECKey.generate_key("P-256", {"kid": "e"})), ("PS384", OTHERS)])
def test_other_signatures_with_public_keys_count(one: Sso, alg: str, key: Any) -> None:
    one.issuer.key = key
    one.issuer.token = lambda said: signed(key, {"alg": alg, "kid": key.kid}, said)
    assert one.signs_in(one.somebody()).status_code == 303


def test_changed_key_counts_at_once_and_the_withdrawn_one_no_more(one: Sso) -> None:
    name, old = one.somebody(), one.issuer.key
    assert one.signs_in(name).status_code == 303
    one.issuer.rotate("two")
    assert one.signs_in(name).status_code == 303
    one.issuer.rotate("two")  # the same id on another key, as careless providers do
    assert one.signs_in(name).status_code == 303
    one.issuer.token = lambda said: signed(old, {"alg": "RS256", "kid": old.kid}, said)
    assert one.signs_in(name).status_code == 502


def test_clock_may_be_a_minute_off_and_no_more() -> None:
    key = RSAKey.generate_key(2048)
    said: Claims = {"iss": "i", "aud": ["c"], "sub": "s", "nonce": "n", "exp": 1000, "iat": 900}
    token = signed(key, {"alg": "RS256"}, said)
    keys: Claims = {"keys": [key.as_dict(private=False)]}
    for now in (840, 1059):
        assert claims_of(token, keys, issuer="i", client_id="c", nonce="n", now=now) == said
    for now in (839, 1060):
        with pytest.raises(Untrue):
            claims_of(token, keys, issuer="i", client_id="c", nonce="n", now=now)
    for useless in ({}, {"keys": {}}, {"keys": None}, {"keys": [{**key.as_dict(private=False), "use": "enc"}]}):
        with pytest.raises(Untrue):
            claims_of(token, useless, issuer="i", client_id="c", nonce="n", now=950)
