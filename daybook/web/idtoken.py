"""Whether an ID token is what the provider says of somebody, for us, now, in answer to us (OpenID Connect Core 3.1.3.7)."""

import base64
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

FAMILIES: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("EdDSA", "Ed25519"), "OKP"),
}
"""The signatures that count, with the kind of key each needs: public keys only.

`none` proves nothing; with HS256 whoever knows the provider's public key could sign.
"""
LEEWAY_S: Final = 60
"""How far the provider's clock may be from ours, in seconds."""
LAST_INSTANT: Final = 253_402_300_800
"""The year 10000, in seconds since 1970."""
MOST_KEYS: Final = 50
LONGEST_HEADER: Final = 8_192


class Untrue(Exception):
    """The token proves nothing; the message says why, in words that name no person."""


def claims_of(token: str, keys: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now: float) -> dict[str, Any]:
    """What the token says, once all of it holds; `now` in seconds since 1970. Raises Untrue."""
    claims = _signed(token, _header(token), keys)
    if claims.get("iss") != issuer:
        raise Untrue("it is another issuer's")
    audience = claims.get("aud")
    audience = audience if isinstance(audience, list) else [audience]
    if client_id not in audience:
        raise Untrue("it is for another client than DAYBOOK_OIDC_CLIENT_ID (audience)")
    if claims.get("azp", client_id) != client_id or (len(audience) > 1 and "azp" not in claims):
        raise Untrue("it was given to another client than DAYBOOK_OIDC_CLIENT_ID (authorized party)")
    if _instant(claims, "exp") <= now - LEEWAY_S:
        raise Untrue("it is expired; or the clocks differ by more than a minute")
    if _instant(claims, "iat") > now + LEEWAY_S or ("nbf" in claims and _instant(claims, "nbf") > now + LEEWAY_S):
        raise Untrue("it is from the future; the clocks differ by more than a minute")
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise Untrue("it does not answer this sign-in (nonce)")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise Untrue("it names nobody (subject)")
    return claims


def _signed(token: str, header: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """The claims, if one of the provider's keys signed them."""
    registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    registry.max_header_length = LONGEST_HEADER
    for key in _keys(keys, header):
        try:
            return dict(jwt.decode(token, JWKRegistry.import_key(key), registry=registry).claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            continue  # another's key, or one of a kind that we cannot read; what remains unproven is refused below
    raise Untrue("none of the provider's keys signed it")


def _keys(keys: Mapping[str, Any], header: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The keys that may have signed: of the right kind, meant for signing, with the token's key id if both have one."""
    listed = keys.get("keys")
    for key in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if (
            isinstance(key, dict)
            and key.get("kty") == FAMILIES[header["alg"]]
            and key.get("use", "sig") == "sig"
            and key.get("alg", header["alg"]) == header["alg"]
            and (header.get("kid") is None or key.get("kid", header["kid"]) == header["kid"])
        ):
            yield key


def _header(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    try:
        header = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise Untrue("it cannot be read") from None
    if not isinstance(header, dict) or token.count(".") != 2:
        raise Untrue("it is no signed token")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in FAMILIES:
        raise Untrue("it is signed in a way that does not count (algorithm)")
    return header


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LAST_INSTANT:
        raise Untrue(f"it lacks a time ({name})")
    return float(value)
