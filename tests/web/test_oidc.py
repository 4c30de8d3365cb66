"""Signing in at an OpenID provider: who gets in, as whom, and what the others are told."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daybook.settings import Settings, SettingsError, load
from daybook.web import identities, people
from daybook.web.limits import Limits
from runs.errors import NothingThere
from tests.conftest import ROOT
from tests.web.conftest import BASE, Web
from tests.web.sso import Sso, sent, sso

ASK = "/api/v1/waiting"


@pytest.fixture
def one(web: Web) -> Iterator[Sso]:
    """A Daybook with a provider of the test's own."""
    with sso(web) as made:
        yield made


def test_somebody_goes_there_and_comes_back_signed_in(one: Sso) -> None:
    name, client = one.somebody("viewer"), one.web.anonymous()
    page = client.get("/sign-in")
    assert f'<a class="button" href="{BASE}/sign-in/oidc">Sign in with 127.0.0.1</a>' in page.text
    assert "daybook login-link NAME" in page.text
    done = one.signs_in(name, client)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert client.get(ASK).status_code == 200
    assert client.post("/api/v1/items/hold", json={}, headers={"sec-fetch-site": "same-origin"}).status_code == 403
    assert [cookie for cookie in client.cookies if cookie.startswith("daybook-oidc")] == []


def test_what_is_sent_there_is_the_code_flow_with_pkce_and_nothing_of_use_is_kept(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    address = one.goes(client)
    asked = sent(address)
    assert asked.pop("code_challenge") != asked["nonce"] != asked["state"]
    state, nonce = asked.pop("state"), asked.pop("nonce")
    assert asked == {
        "tenant": "1", "response_type": "code", "client_id": "daybook-client", "redirect_uri": f"{BASE}/sign-in/oidc/callback",
        "scope": "openid email", "code_challenge_method": "S256",
    }  # fmt: skip
    [cookie] = [value for known, value in client.cookies.items() if known.startswith("daybook-oidc")]
    assert client.get(one.returns(address, f"sub-{name}")).status_code == 303
    kept = str(one.web.rows("SELECT row_to_json(t)::text FROM access.oidc_attempts t"))
    for secret in (state, nonce, cookie):
        assert secret not in kept
        assert secret.encode().hex() not in kept


@pytest.mark.parametrize(
    ("secret", "ways"),
    [
        ("", ("none",)),
        ("s%cret: /+~", ("client_secret_basic",)), ("s%cret: /+~", ("client_secret_post", "client_secret_basic")),
        ("s%cret: /+~", None), ("s%cret: /+~", ("client_secret_post",)), (None, ("none",)),
    ],
)  # fmt: skip
def test_client_proves_itself_the_way_the_provider_wants(web: Web, secret: str | None, ways: tuple[str, ...] | None) -> None:
    with sso(web, oidc_client_secret=secret) as one:
        one.issuer.client_secret, one.issuer.auth_methods = secret or None, ways
        assert one.signs_in(one.somebody()).headers["location"] == "/"


def test_wrong_client_secret_is_named_to_whoever_runs_it(one: Sso) -> None:
    name = one.somebody()
    one.issuer.client_secret = "changed there"
    done = one.signs_in(name)
    assert done.status_code == 502
    assert "invalid_client" in done.text
    assert "DAYBOOK_OIDC_CLIENT_ID and _SECRET" in done.text


def test_cookies_are_of_this_host_and_secure_behind_https(web: Web) -> None:
    with sso(web, "https://books.example", secure=True) as one:
        name, client = one.somebody(), one.web.anonymous(host="books.example")
        begun = client.get("/sign-in/oidc")
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-daybook-oidc-")
        assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure", "Max-Age=600"} <= set(cookie.split("; "))
        back = one.returns(begun.headers["location"], f"sub-{name}")
        assert client.get(back).status_code == 400  # over http a browser keeps such a cookie back
        done = client.get(back, headers={"cookie": cookie.split(";")[0]})
        assert done.status_code == 303
        assert any(one.startswith("__Host-daybook=") for one in done.headers.get_list("set-cookie"))


def test_who_signs_in_again_loses_the_old_session(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    one.signs_in(name, client)
    old = client.cookies["daybook"]
    one.signs_in(name, client)
    assert client.cookies["daybook"] != old
    assert people.person_of_session(one.web.app, old) is None


def test_two_clicks_do_not_spoil_one_another(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    first, second = one.goes(client), one.goes(client)
    assert client.get(one.returns(first, f"sub-{name}")).status_code == 303
    assert one.signs_in(name, client).status_code == 303
    assert sent(first)["state"] != sent(second)["state"]


def test_who_signs_out_is_told_of_the_other_session_and_led_to_its_end(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous(**{"sec-fetch-site": "same-origin"})
    one.signs_in(name, client)
    to = client.post("/sign-out").headers["location"]
    assert client.get(ASK).status_code == 401
    assert '<a class="button" href="/sign-in/oidc/leave">Sign out of 127.0.0.1 too</a>' in client.get(to).text
    assert client.get("/sign-in/oidc/leave").status_code == 502  # it has no such place
    one.issuer.about = {"end_session_endpoint": f"{one.issuer.address}/end?x=1"}
    assert client.get("/sign-in/oidc/leave").headers["location"] == f"{one.issuer.address}/end?x=1&client_id=daybook-client"
    one.issuer.about = {"end_session_endpoint": "https://["}
    assert client.get("/sign-in/oidc/leave").status_code == 502


# ---- who is who


def test_stranger_is_told_what_to_ask_for_and_nothing_is_made(one: Sso) -> None:
    one.account("s1", email="new.one@example.com", email_verified=True)
    before = one.everybody()
    done = one.signs_in("", subject="s1")
    assert (done.status_code, "daybook=" in done.headers.get("set-cookie", "")) == (403, False)
    assert "<code>daybook user add new.one@example.com --role viewer</code>" in done.text
    assert one.everybody() == before
    people.add_person(one.web.app, "new.one@example.com", "viewer")
    assert one.signs_in("", subject="s1").status_code == 303


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "a b; rm -rf /", "é@example.com", "$(id)", "x" * 65])
def test_name_that_cannot_be_one_is_shown_and_never_put_into_a_command(one: Sso, said: str) -> None:
    one.account("s2", email=said, email_verified=True)
    done = one.signs_in("", subject="s2")
    assert done.status_code == 403
    assert "cannot be a name here" in done.text
    assert "<code>" not in done.text
    assert "<script" not in done.text


@pytest.mark.parametrize("said", [None, "", 7, ["a@b.c"], "\ud800", "a\x00b", "y" * 5000, {"a": 1}])
def test_claim_that_is_no_name_at_all_is_a_page(one: Sso, said: Any) -> None:
    one.account("s3", email=said, email_verified=True)
    done = one.signs_in("", subject="s3")
    assert done.status_code == 403
    assert "does not say what Daybook knows people by (email)" in done.text


@pytest.mark.parametrize("verified", [False, None, "true", "false", 1, 0])
def test_address_that_is_not_verified_proves_nothing(one: Sso, verified: Any) -> None:
    name = one.somebody()
    one.account(f"sub-{name}", email=name, **({} if verified is None else {"email_verified": verified}))
    done = one.signs_in(name)
    assert done.status_code == 403
    assert "not verified" in done.text
    assert one.sessions(name) == 0


def test_another_claim_may_name_people(web: Web) -> None:
    with sso(web, oidc_claim="preferred_username") as one:
        name = one.somebody()
        one.account(f"sub-{name}", preferred_username=name, email="other@example.com")
        address = one.goes(client := one.web.anonymous())
        assert sent(address)["scope"] == "openid profile"
        assert client.get(one.returns(address, f"sub-{name}")).status_code == 303


def test_provider_may_say_who_it_is_only_when_asked_again(one: Sso) -> None:
    name = one.somebody()
    one.issuer.userinfo_only = True
    assert one.signs_in(name).status_code == 303
    assert "/userinfo" in one.issuer.asked
    other = one.somebody()
    said = {"sub": f"sub-{other}", "email": other, "email_verified": True}  # true, and about somebody else
    one.issuer.answer = lambda asked: asked.path == "/userinfo" and (asked.json(200, said), True)[1]
    one.account("sub-x")
    assert one.signs_in(other, subject="sub-x").status_code == 403


def test_address_given_to_somebody_else_does_not_open_the_old_account(one: Sso) -> None:
    name = one.somebody("admin")
    assert one.signs_in(name).status_code == 303
    one.account("newcomer", email=name, email_verified=True)
    done = one.signs_in(name, subject="newcomer")
    assert (done.status_code, one.sessions(name)) == (403, 1)
    assert f"<code>daybook user unlink {name}</code>" in done.text
    assert one.signs_in(name).status_code == 303


def test_unlinked_person_is_signed_out_and_bound_to_the_next_account(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    one.signs_in(name, client)
    one.account("made-anew", email=name, email_verified=True)
    assert identities.unlink(one.web.app, name) == 1
    assert client.get(ASK).status_code == 401
    assert one.signs_in(name, subject="made-anew").status_code == 303
    assert one.signs_in(name).status_code == 403
    with pytest.raises(NothingThere):
        identities.unlink(one.web.app, "nobody@example.com")


def test_person_stays_the_same_when_the_address_changes_there(one: Sso) -> None:
    name, other = one.somebody(), one.somebody()
    one.signs_in(name)
    one.account(f"sub-{name}", email=other, email_verified=False)
    assert one.signs_in(name).status_code == 303
    assert (one.sessions(name), one.sessions(other)) == (2, 0)


def test_of_two_accounts_that_claim_a_name_at_once_one_is_bound(one: Sso) -> None:
    name = one.somebody()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: identities.welcome(one.web.app, one.issuer.address, f"race-{n}", name), range(8)))
    assert sum(isinstance(outcome, identities.Welcome) for outcome in found) == 1
    assert one.sessions(name) == 1


def test_closed_person_stays_out_and_so_does_their_account_when_the_name_is_given_again(one: Sso) -> None:
    name = one.somebody()
    client = one.web.anonymous()
    one.signs_in(name, client)
    people.remove_person(one.web.app, name)
    assert client.get(ASK).status_code == 401
    assert one.signs_in(name).status_code == 403
    people.add_person(one.web.app, name, "viewer")
    one.account(f"sub-{name}", email="left@example.com", email_verified=True)
    assert one.signs_in(name).status_code == 403  # was this person, and is not any more
    one.account("successor", email=name, email_verified=True)
    assert one.signs_in(name, subject="successor").status_code == 303


def test_somebody_closed_between_going_and_coming_back_stays_out(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    one.signs_in(name, client)
    back = one.returns(one.goes(client), f"sub-{name}")
    one.web.rows("UPDATE access.people SET removed_at = clock_timestamp() WHERE name = %s", name)
    assert client.get(back).status_code == 403


def daybook(one: Sso, *words: str, **settings: str) -> tuple[int, str]:
    """A command, in a process of its own; gives its exit code and what it said."""
    known = one.web.app.settings
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    own = {"DAYBOOK_DATABASE_URL": str(known.database_url), "DAYBOOK_HOME": str(known.home), **settings}
    command = [sys.executable, "-m", "daybook.cli", *words]
    done = subprocess.run(command, cwd=ROOT, env=kept | own, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_command_unlinks(one: Sso) -> None:
    name, client = one.somebody(), one.web.anonymous()
    one.signs_in(name, client)
    assert daybook(one, "user", "unlink", name) == (0, f"{name} is bound to no account (was: 1); their sessions are ended\n")
    assert client.get(ASK).status_code == 401
    code, said = daybook(one, "user", "unlink", "nobody@example.com")
    assert (code, said.startswith("daybook: nobody is called 'nobody@example.com'")) == (2, True)
    code, said = daybook(one, "user", "list", DAYBOOK_OIDC_ISSUER="https://id.example", DAYBOOK_OIDC_CLIENT_ID="x")
    assert (code, said.startswith("daybook: setting DAYBOOK_PUBLIC_URL ")) == (2, True)


# ---- set up, or not


def test_without_a_provider_nothing_of_it_is_there(web: Web) -> None:
    client = web.anonymous()
    assert "Sign in with" not in client.get("/sign-in").text
    for path in ("/sign-in/oidc", "/sign-in/oidc/callback?state=x&code=y", "/sign-in/oidc/leave"):
        assert client.get(path).status_code == 404


WHOLE = {"oidc_issuer": "https://id.example", "oidc_client_id": "daybook", "public_url": "https://books.example"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"public_url": None}, "DAYBOOK_PUBLIC_URL"), ({"public_url": "http://books.example"}, "DAYBOOK_PUBLIC_URL"),
        ({"oidc_client_id": None}, "DAYBOOK_OIDC_CLIENT_ID"), ({"oidc_issuer": None}, "DAYBOOK_OIDC_CLIENT_ID"),
        ({"oidc_issuer": None, "oidc_client_id": None, "oidc_client_secret": "x"}, "DAYBOOK_OIDC_CLIENT_SECRET"),
        ({"oidc_issuer": "http://id.example"}, "DAYBOOK_OIDC_ISSUER"), ({"oidc_issuer": "id.example"}, "DAYBOOK_OIDC_ISSUER"),
        ({"oidc_issuer": "https://id.example/?x"}, "DAYBOOK_OIDC_ISSUER"), ({"oidc_issuer": "https://["}, "DAYBOOK_OIDC_ISSUER"),
        ({"oidc_issuer": "https://a:b@id.example"}, "DAYBOOK_OIDC_ISSUER"), ({"oidc_claim": "a b"}, "DAYBOOK_OIDC_CLAIM"),
    ],
)  # fmt: skip
def test_half_a_provider_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, str | None], names: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (WHOLE | change).items():
        if value is not None:
            monkeypatch.setenv(f"DAYBOOK_{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"^setting {names} "):
        load()


def test_whole_provider_is_taken_and_its_secret_is_not_shown() -> None:
    given = Settings(home=Path("/nowhere"), oidc_client_secret="hush", **WHOLE)  # type: ignore[arg-type]
    assert "hush" not in repr(given)


def test_going_there_is_limited_like_any_sign_in(one: Sso) -> None:
    client = Web(one.web.app, limits=Limits()).anonymous()
    answers = [client.get("/sign-in/oidc").status_code for _ in range(25)]
    assert answers == [303] * 20 + [429] * 5
    assert client.get("/sign-in/oidc/callback?state=x").status_code == 429


def test_log_says_what_came_of_it_and_nothing_else(one: Sso, capsys: pytest.CaptureFixture[str]) -> None:
    name, client = one.somebody(), one.web.anonymous()
    address = one.goes(client)
    back = one.returns(address, f"sub-{name}")
    client.get(back)
    one.issuer.client_secret = "changed"
    one.signs_in(name)
    said = "".join(capsys.readouterr())
    assert "Welcome" in said
    assert "invalid_client" in said
    told = sent(back) | sent(address)
    for secret in (told["state"], told["code"], told["nonce"], told["code_challenge"], name, "cret", client.cookies["daybook"]):
        assert secret not in said


def test_attempts_do_not_pile_up(one: Sso) -> None:
    one.goes(one.web.anonymous())
    one.web.rows("UPDATE access.oidc_attempts SET expires_at = expires_at - interval '2 days'")
    one.goes(one.web.anonymous())
    assert one.web.rows("SELECT count(*) FROM access.oidc_attempts") == [(1,)]


def test_provider_is_not_written_where_it_is_shown(one: Sso) -> None:
    provider = one.web.asgi.state.oidc
    assert "cret" not in repr(provider)
    assert replace(provider, issuer="https://login.example/tenant/v2.0").host == "login.example"
