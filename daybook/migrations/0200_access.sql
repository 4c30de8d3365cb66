-- Who may use the web pages and the API, and how they prove it: no password, every secret only as its SHA-256.
CREATE SCHEMA access;

CREATE TABLE access.people (
    name text PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('viewer', 'biller', 'admin')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz
);
CREATE TABLE access.login_links (
    secret_sha256 bytea PRIMARY KEY,
    person text NOT NULL REFERENCES access.people,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX login_links_expires_at_idx ON access.login_links (expires_at);
CREATE TABLE access.sessions (
    secret_sha256 bytea PRIMARY KEY,
    person text NOT NULL REFERENCES access.people,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),   -- at most a minute behind
    expires_at timestamptz NOT NULL,                          -- however much it is used
    revoked_at timestamptz
);
CREATE INDEX sessions_person_idx ON access.sessions (person);
CREATE INDEX sessions_expires_at_idx ON access.sessions (expires_at);
CREATE TABLE access.tokens (
    name text PRIMARY KEY,
    secret_sha256 bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('viewer', 'biller', 'admin')),   -- its scope
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- A write of the API that carried an Idempotency-Key, with its answer; kept for a week.
CREATE TABLE access.idempotency (
    person text NOT NULL,
    key text NOT NULL,
    request_sha256 bytea NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status int,                             -- null while it runs
    answer json,                            -- as it was sent, in its order
    PRIMARY KEY (person, key)
);
CREATE INDEX idempotency_started_at_idx ON access.idempotency (started_at);

-- One row a process that keeps something going: when it was last seen alive.
CREATE TABLE access.heartbeats (
    part text PRIMARY KEY,
    beat_at timestamptz NOT NULL,
    detail jsonb NOT NULL
);

GRANT USAGE ON SCHEMA access TO daybook_app;
GRANT SELECT, INSERT, UPDATE ON access.people TO daybook_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON access.login_links, access.sessions, access.tokens, access.idempotency,
    access.heartbeats TO daybook_app;
