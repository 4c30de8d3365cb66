"""An OpenID provider of the tests' own, over real HTTP: strict about what it is sent, and able to misbehave on demand.

It keeps what it gave out, as a real one does: a code works once, for the client, the redirect address and the PKCE
challenge it was made for. A proper provider refuses to make a bad token, so the bad ones are made here.
"""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry, serialize_compact

Claims = dict[str, Any]


@dataclass
class Granted:
    """What a code was given for."""

    subject: str
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str


@dataclass
class Issuer:
    """The provider's state, and the knobs that make it misbehave."""

    address: str
    client_id: str = "daybook-client"
    client_secret: str | None = "s%cret: /+~"  # to be encoded before it goes into a header
    redirect_uris: tuple[str, ...] = ()
    auth_methods: tuple[str, ...] | None = ("client_secret_basic",)
    accounts: dict[str, Claims] = field(default_factory=dict)
    codes: dict[str, Granted] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    about: Claims = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)
    says_iss: bool = True
    userinfo_only: bool = False
    answer: Callable[["Asked"], bool] | None = None  # answers instead, if it says so
    token: Callable[[Claims], str] | None = None  # signs instead
    asked: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def rotate(self, kid: str) -> None:
        """A new key; the old one is withdrawn."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})

    def description(self) -> Claims:
        """The discovery document."""
        made: Claims = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize?tenant=1",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "userinfo_endpoint": f"{self.address}/userinfo",
            "authorization_response_iss_parameter_supported": self.says_iss,
        }
        if self.auth_methods is not None:
            made["token_endpoint_auth_methods_supported"] = list(self.auth_methods)
        return made | self.about

    def public_keys(self) -> Claims:
        """The key set: among the good one, keys that nobody can use here."""
        strange = [{"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq"}, {"kty": "RSA", "kid": self.key.kid, "n": "!", "e": "AQAB"}, 7]
        return {"keys": [*strange, self.key.as_dict(private=False)]}

    def id_token(self, subject: str, nonce: str) -> str:
        """What it says of somebody, signed; `claims` replaces, and with None takes away."""
        now = int(time.time())
        said: Claims = {"iss": self.address, "aud": self.client_id, "sub": subject, "nonce": nonce, "iat": now, "exp": now + 300}
        if not self.userinfo_only:
            said |= self.accounts[subject]
        said |= self.claims
        said = {name: value for name, value in said.items() if value is not None}
        if self.token is not None:
            return self.token(said)
        return signed(self.key, {"alg": "RS256", "kid": self.key.kid}, said)


def signed(key: Any, header: Claims, claims: Claims) -> str:
    """A token, whatever it says."""
    registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return serialize_compact(header, json.dumps(claims), key, registry=registry)


class Asked(BaseHTTPRequestHandler):
    """One request to the provider."""

    issuer: Issuer

    def do_GET(self) -> None:
        """Every page and document."""
        self._serve()

    def do_POST(self) -> None:
        """The form of the sign-in page, and the exchange of a code."""
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        self.form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.issuer.asked.append(parts.path)
        if self.issuer.answer is not None and self.issuer.answer(self):
            return
        match self.command, parts.path:
            case "GET", "/.well-known/openid-configuration":
                self.json(200, self.issuer.description())
            case "GET", "/keys":
                self.json(200, self.issuer.public_keys())
            case (("GET" | "POST"), "/authorize"):
                self._authorize()
            case "POST", "/token":
                self._token()
            case "GET", "/userinfo":
                self._userinfo()
            case _:
                self.json(404, {"error": "not_found"})

    def _authorize(self) -> None:
        asked, known = self.query, self.issuer
        wanted = {"response_type": "code", "client_id": known.client_id, "code_challenge_method": "S256", "tenant": "1"}
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if len(asked.get(name, "")) != 43]
        if "openid" not in asked.get("scope", "").split():
            wrong.append("scope")
        if asked.get("redirect_uri") not in known.redirect_uris or wrong:
            self.answer(400, "text/plain", f"refused: {wrong or 'redirect_uri'}".encode())
        elif self.command == "GET":
            who = "".join(f'<option value="{html.escape(sub)}">{html.escape(sub)}</option>' for sub in known.accounts)
            page = f"<!doctype html><title>Provider</title><link rel=icon href='data:,'><form method=post><select name=sub>{who}"
            self.answer(200, "text/html", f"{page}</select><button>Continue</button></form>".encode())
        else:
            back: Claims = {"state": asked["state"]} | ({"iss": known.address} if known.says_iss else {})
            if self.form.get("sub") in known.accounts:
                code = back["code"] = secrets.token_urlsafe(16)
                known.codes[code] = Granted(
                    self.form["sub"], asked["redirect_uri"], asked["code_challenge"], asked["nonce"], asked["scope"]
                )
            else:
                back["error"] = self.form.get("error", "access_denied")
            self.answer(302, "text/plain", b"", location=f"{asked['redirect_uri']}?{urlencode(back)}")

    def _token(self) -> None:
        known = self.issuer
        if not self._is_our_client():
            self.json(401, {"error": "invalid_client", "error_description": "who is that?"})
            return
        granted = known.codes.pop(self.form.get("code", ""), None)  # gone, whatever comes of it
        verifier = hashlib.sha256(self.form.get("code_verifier", "").encode()).digest()
        if (
            granted is None
            or self.form.get("grant_type") != "authorization_code"
            or self.form.get("redirect_uri") != granted.redirect_uri
            or base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != granted.challenge
        ):
            self.json(400, {"error": "invalid_grant"})
            return
        access = secrets.token_urlsafe(16)
        known.tokens[access] = granted.subject
        token = known.id_token(granted.subject, granted.nonce)
        self.json(200, {"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def _is_our_client(self) -> bool:
        known = self.issuer
        basic, post = self.headers.get("authorization"), self.form.get("client_secret")
        if known.client_secret is None:
            return basic is None and post is None and self.form.get("client_id") == known.client_id
        if known.auth_methods == ("client_secret_post",):
            return basic is None and (self.form.get("client_id"), post) == (known.client_id, known.client_secret)
        if basic is None or post is not None or not basic.startswith("Basic "):
            return False
        given = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":")
        return [unquote(part) for part in given] == [known.client_id, known.client_secret]

    def _userinfo(self) -> None:
        subject = self.issuer.tokens.get(self.headers.get("authorization", "").removeprefix("Bearer "))
        if subject is None:
            self.json(401, {"error": "invalid_token"})
        else:
            self.json(200, {"sub": subject} | self.issuer.accounts[subject])

    def json(self, status: int, body: Any) -> None:
        """A JSON document."""
        self.answer(status, "application/json", json.dumps(body).encode())

    def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        """Any answer."""
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def issuing() -> Iterator[Issuer]:
    """A provider on a port of its own."""
    handler = type("Handler", (Asked,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.issuer = Issuer(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield handler.issuer  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
