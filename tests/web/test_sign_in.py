"""Getting in with a one-time link or a token, staying in, and being put out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from daybook.web import access, people
from daybook.web.limits import Limits
from runs.errors import NothingThere, Refused
from tests.web.conftest import Web

ASK = "/api/v1/waiting"


def test_link_asks_before_it_signs_in_and_works_once(web: Web) -> None:
    people.add_person(web.app, "ann", "biller")
    secret = people.make_link(web.app, "ann")
    client = web.anonymous()
    for _ in range(3):  # as mail scanners do
        seen = client.get(f"/sign-in/{secret}")
        assert (seen.status_code, "set-cookie" in seen.headers) == (200, False)
        assert f'<form method="post" action="/sign-in/{secret}">' in seen.text
    done = client.post(f"/sign-in/{secret}")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert client.get("/sign-in").status_code == 303
    again = web.anonymous().post(f"/sign-in/{secret}")
    assert (again.status_code, "set-cookie" in again.headers) == (410, False)


def test_of_many_who_use_a_link_at_once_one_gets_in(web: Web) -> None:
    people.add_person(web.app, "race", "viewer")
    secret = people.make_link(web.app, "race")
    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: people.use_link(web.app, secret), range(8)))
    assert sum(session is not None for session in sessions) == 1


def test_link_is_good_for_fifteen_minutes(web: Web) -> None:
    people.add_person(web.app, "late", "viewer")
    secret = people.make_link(web.app, "late")
    web.rows("UPDATE access.login_links SET expires_at = expires_at - interval '14 min 50 s' WHERE person = 'late'")
    assert people.link_is_good(web.app, secret)
    web.rows("UPDATE access.login_links SET expires_at = expires_at - interval '11 s' WHERE person = 'late'")
    assert web.anonymous().get(f"/sign-in/{secret}").status_code == 410
    assert web.anonymous().post(f"/sign-in/{secret}").status_code == 410


def test_cookie_is_for_this_site_only_and_not_for_scripts(web: Web) -> None:
    people.add_person(web.app, "ann", "biller")
    cookie = web.anonymous().post(f"/sign-in/{people.make_link(web.app, 'ann')}").headers["set-cookie"]
    assert cookie.startswith("daybook=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    secure = Web(web.app, secure=True)
    cookie = secure.anonymous().post(f"/sign-in/{people.make_link(web.app, 'ann')}").headers["set-cookie"]
    assert cookie.startswith("__Host-daybook=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_secrets_are_kept_only_as_hashes(web: Web) -> None:
    client = web.browser("viewer", "hashed")
    token, _ = people.add_token(web.app, "hashed", "viewer", timedelta(days=1))
    link = people.make_link(web.app, "hashed")
    kept = "".join(
        str(web.rows(f"SELECT row_to_json(t)::text FROM access.{table} t"))
        for table in ("people", "sessions", "login_links", "tokens")
    )
    for secret in (client.cookies["daybook"], token, token.removeprefix("daybook_"), link):
        assert secret not in kept
        assert secret.encode().hex() not in kept


def test_sign_out_ends_the_session_in_the_database(web: Web) -> None:
    client = web.browser("viewer")
    secret = client.cookies["daybook"]
    assert client.get(ASK).status_code == 200
    assert client.post("/sign-out").headers["location"] == "/sign-in"
    stolen = web.anonymous(cookie=f"daybook={secret}")
    assert stolen.get(ASK).status_code == 401


def test_new_sign_in_ends_the_browsers_old_session(web: Web) -> None:
    client = web.browser("viewer", "twice")
    old = client.cookies["daybook"]
    client.post(f"/sign-in/{people.make_link(web.app, 'twice')}")
    assert client.cookies["daybook"] != old
    assert people.person_of_session(web.app, old) is None


@pytest.mark.parametrize(
    "ends",
    [
        "UPDATE access.sessions SET revoked_at = clock_timestamp() WHERE person = 'ends'",
        "UPDATE access.sessions SET expires_at = clock_timestamp() WHERE person = 'ends'",
        "UPDATE access.sessions SET seen_at = seen_at - interval '12 h' WHERE person = 'ends'",
        "DELETE FROM access.sessions WHERE person = 'ends'",
        "UPDATE access.people SET removed_at = clock_timestamp() WHERE name = 'ends'",
    ],
)
def test_session_ends(web: Web, ends: str) -> None:
    client = web.browser("viewer", "ends")
    assert client.get(ASK).status_code == 200
    web.rows(ends)
    assert client.get(ASK).status_code == 401
    assert client.get("/").headers["location"] == "/sign-in"


def test_use_keeps_a_session_from_idling_but_not_beyond_its_end(web: Web) -> None:
    client = web.browser("viewer", "busy")
    for _ in range(3):
        web.rows("UPDATE access.sessions SET seen_at = seen_at - interval '11 h 59 min' WHERE person = 'busy'")
        assert client.get(ASK).status_code == 200
    [(left,)] = web.rows("SELECT expires_at - created_at <= interval '7 days 1 s' FROM access.sessions WHERE person = 'busy'")
    assert left


def test_changed_role_counts_at_once(web: Web) -> None:
    client = web.browser("biller", "changing")
    body = {"client_id": "x", "item_key": "y", "reason": "z"}
    assert client.post("/api/v1/items/hold", json=body).status_code == 404
    people.add_person(web.app, "changing", "viewer")
    assert client.post("/api/v1/items/hold", json=body).status_code == 403


def test_removed_person_has_no_way_back_in(web: Web) -> None:
    client = web.browser("admin", "gone")
    link = people.make_link(web.app, "gone")
    people.remove_person(web.app, "gone")
    assert client.get(ASK).status_code == 401
    assert web.anonymous().post(f"/sign-in/{link}").status_code == 410
    with pytest.raises(NothingThere):
        people.make_link(web.app, "gone")
    people.add_person(web.app, "gone", "viewer")
    assert client.get(ASK).status_code == 401


def test_tokens_end_when_revoked_and_when_old(web: Web) -> None:
    client = web.program("viewer", "ending")
    assert client.get(ASK).status_code == 200
    with pytest.raises(Refused):
        people.add_token(web.app, "ending", "admin", timedelta(days=1))
    web.rows("UPDATE access.tokens SET expires_at = clock_timestamp() WHERE name = 'ending'")
    assert client.get(ASK).status_code == 401
    client = web.program("viewer", "ending")
    people.revoke_token(web.app, "ending")
    assert client.get(ASK).status_code == 401


def test_bad_token_counts_although_a_session_is_good(web: Web) -> None:
    client = web.browser("admin")
    answer = client.get(ASK, headers={"authorization": "Bearer daybook_nonsense"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="daybook"')


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer \xff", "Bearer " + "x" * 8000, "Bearer '--"])
def test_hostile_authorization_is_refused(web: Web, header: str) -> None:
    assert web.anonymous().get(ASK, headers=[(b"authorization", header.encode("latin-1"))]).status_code == 401


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "a\nb", "<b>", "é"])
def test_names_that_could_hurt_are_refused(web: Web, name: str) -> None:
    with pytest.raises(Refused):
        people.add_person(web.app, name, "viewer")
    with pytest.raises(Refused):
        people.add_person(web.app, "fine", "root")


def test_demo_link_signs_in_as_somebody_who_may_do_everything(web: Web) -> None:
    url = access.demo_link(web.app)
    assert url.startswith("http://127.0.0.1:8000/sign-in/")
    client = web.anonymous()
    assert client.post(url.removeprefix("http://127.0.0.1:8000")).status_code == 303
    assert client.get("/api/v1/dead-letters").status_code == 200


def test_guessing_is_slowed_down(web: Web) -> None:
    client = Web(web.app, limits=Limits()).anonymous()
    answers = [client.get(f"/sign-in/{'x' * 40}").status_code for _ in range(25)]
    assert answers == [410] * 20 + [429] * 5
    assert client.get(ASK, headers={"authorization": "Bearer x"}).status_code == 429
