-- What each publisher has told the outside, as the ledger knows it: beside the cursor that Kafka keeps, so that the loss
-- of either is noticed. A row is made when its publisher first starts, so that no two ledgers have one identity.
CREATE TABLE ledger.published (
    publisher text PRIMARY KEY,  -- invoices, dead-letters
    identity text NOT NULL UNIQUE,  -- its transactional id in Kafka, and the key of its cursor
    owner uuid NOT NULL,  -- who started last: a publisher that finds another one here stops
    published bigint NOT NULL DEFAULT 0,  -- position of the last one known to be committed in Kafka
    attempted bigint NOT NULL DEFAULT 0,  -- position of the last one sent: written before, so that the cursor is one of the two
    topic_id text,  -- Kafka's own ids of the topics it went to: a topic made anew has another
    cursors_id text,
    published_at timestamptz,
    problem text  -- why nothing is published, and what to do; shown by /readyz
);

GRANT SELECT, INSERT, UPDATE ON ledger.published TO daybook_app;
