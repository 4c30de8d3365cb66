-- The stand-in for Kafka where none is configured: the same topics, partitions, keys and offsets, in a table.
CREATE TABLE ledger.meta (
    name text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO ledger.meta VALUES ('embedded_log_cluster', 'embedded:' || gen_random_uuid());

CREATE TABLE ledger.embedded_log (
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    value bytea,  -- cipher text
    headers bytea,  -- cipher text
    appended_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX embedded_log_appended_at_idx ON ledger.embedded_log (appended_at);

-- Where the next record goes; its row lock keeps offsets gapless, and it survives the records' purge.
CREATE TABLE ledger.embedded_log_ends (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

GRANT SELECT ON ledger.meta TO daybook_app;
GRANT SELECT, INSERT, DELETE ON ledger.embedded_log TO daybook_app;
GRANT SELECT, INSERT, UPDATE ON ledger.embedded_log_ends TO daybook_app;
