-- The event library's own tables for the application `daybook` (tests/ledger/test_library_tables.py compares them with
-- the library's statements after every upgrade), and beside them what makes them a book.
-- The library's function es_insert_events_uuid is left out on purpose: it takes no lock and drops positions.
CREATE TABLE ledger.daybook_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial,
    -- ours
    batch_id bigint NOT NULL,
    client_id text NOT NULL,
    event_id uuid NOT NULL,
    body_hash bytea,
    source_topic text,
    source_partition int,
    source_offset bigint,
    digest bytea NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_enabled = true,
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
);
CREATE UNIQUE INDEX daybook_events_notification_id_idx ON ledger.daybook_events (notification_id ASC);
CREATE UNIQUE INDEX daybook_events_event_id_idx ON ledger.daybook_events (event_id);
CREATE INDEX daybook_events_client_idx ON ledger.daybook_events (client_id, notification_id);

CREATE TYPE ledger.stored_event_uuid AS (
    originator_id uuid,
    originator_version bigint,
    topic text,
    state bytea
);

CREATE TABLE ledger.daybook_tracking (
    application_name text,
    notification_id bigint,
    PRIMARY KEY (application_name)
) WITH (
    autovacuum_enabled = true,
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
);
-- Says to the library that its table holds one row a name.
INSERT INTO ledger.daybook_tracking VALUES ('__migration__', 1);

-- One row a transaction: what was written together, when, from which positions, and the chain that proves it unedited.
CREATE TABLE ledger.batches (
    batch_id bigint PRIMARY KEY,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,  -- first_id - 1 where the batch has no events
    n int NOT NULL CHECK (n = last_id - first_id + 1 AND n >= 0),
    recorded_at timestamptz NOT NULL,
    positions jsonb NOT NULL,  -- {"kafka:<cluster>:<topic>:<partition>": [first offset, last offset]}
    dead_letters int NOT NULL,
    dead_letters_digest bytea,  -- outlives the dead letters, which are kept for a set time
    tzdata text NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX batches_recorded_at_idx ON ledger.batches (recorded_at, batch_id);

CREATE TABLE ledger.dead_letters (
    batch_id bigint NOT NULL,
    number int NOT NULL,  -- within the batch, from 1
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,  -- cipher text, as is the value
    value bytea,
    reason text NOT NULL,
    error text NOT NULL,
    schema_id bigint,
    first_seen timestamptz NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (batch_id, number)
);
CREATE INDEX dead_letters_first_seen_idx ON ledger.dead_letters (first_seen);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is only ever added to: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Correct by adding an event, with a reason.';
END
$$;
CREATE TRIGGER daybook_events_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.daybook_events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER batches_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.batches
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- MAINTAIN lets the application lock the table for the length of an append without a right to change a row.
GRANT SELECT, INSERT, MAINTAIN ON ledger.daybook_events TO daybook_app;
GRANT USAGE, SELECT ON SEQUENCE ledger.daybook_events_notification_id_seq TO daybook_app;
GRANT SELECT, INSERT ON ledger.batches TO daybook_app;
GRANT SELECT, INSERT, UPDATE ON ledger.daybook_tracking TO daybook_app;
GRANT SELECT, INSERT, DELETE ON ledger.dead_letters TO daybook_app;
