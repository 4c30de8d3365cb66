-- What was polled of seats: every count that was heard, those in the book without their content. A poll that only repeats
-- the one before it, of the same system and UTC day, is kept here and not in the book, until a later fact between the two
-- makes it say something (docs/adr/018-polls-that-repeat.md).
CREATE TABLE ledger.seat_polls (
    stream_id        uuid NOT NULL,
    system           text NOT NULL,
    as_of            timestamptz NOT NULL,
    event_id         uuid NOT NULL,
    occurred_at      timestamptz NOT NULL,
    revision         bigint NOT NULL,
    quantity         bigint NOT NULL,
    -- of a repeat only: what it takes to become an event
    state            bytea,
    client_id        text,
    body_hash        bytea,
    source_topic     text,
    source_partition int,
    source_offset    bigint,
    PRIMARY KEY (stream_id, system, as_of, event_id)
);
CREATE INDEX seat_polls_aside_idx ON ledger.seat_polls (event_id) WHERE state IS NOT NULL;

INSERT INTO ledger.seat_polls (stream_id, system, as_of, event_id, occurred_at, revision, quantity)
SELECT originator_id, said ->> 'system', (said ->> 'as_of')::timestamptz, event_id, (said ->> 'occurred_at')::timestamptz,
    (said ->> 'revision')::bigint, (said ->> 'quantity')::bigint
FROM (
    SELECT originator_id, event_id, convert_from(state, 'UTF8')::jsonb AS said
    FROM ledger.daybook_events WHERE topic = 'seat_count.reported.v1'
) AS booked;

GRANT SELECT, INSERT, UPDATE ON ledger.seat_polls TO daybook_app;
