-- Signing in at an OpenID provider: sign-ins under way, and which account there is whose here.

-- One row a sign-in that was begun; it can be finished once, by the browser that began it. Both secrets only as SHA-256:
-- PKCE's verifier and the nonce are worked out from the browser's, so that this table helps nobody who reads it.
CREATE TABLE access.oidc_attempts (
    state_sha256 bytea PRIMARY KEY,
    browser_sha256 bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX oidc_attempts_expires_at_idx ON access.oidc_attempts (expires_at);

-- The provider's own, never re-used name of an account (`sub`), bound at its first sign-in: whoever is given a leaver's
-- e-mail address there later is not the leaver here.
CREATE TABLE access.identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    person text NOT NULL REFERENCES access.people,
    bound_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject),
    UNIQUE (issuer, person)
);
CREATE INDEX identities_person_idx ON access.identities (person);

GRANT SELECT, INSERT, UPDATE, DELETE ON access.oidc_attempts TO daybook_app;
GRANT SELECT, INSERT, DELETE ON access.identities TO daybook_app;
