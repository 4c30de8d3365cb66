-- Whether a publisher stands still until a person acts (a problem that passes by itself is tried again), and what people
-- have decided: never changed, so that it can be told later why readers were told something twice or not at all.
ALTER TABLE ledger.published ADD COLUMN stopped boolean NOT NULL DEFAULT false;

CREATE TABLE ledger.published_decisions (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    publisher text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published bigint NOT NULL,  -- where it was, as the ledger knew it
    resumed_at bigint NOT NULL,  -- everything up to here counts as published since
    problem text NOT NULL,  -- why it stood still
    reason text NOT NULL,
    decided_by text NOT NULL
);

GRANT SELECT, INSERT ON ledger.published_decisions TO daybook_app;
