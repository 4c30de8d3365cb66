-- What became of a dead letter: taken in after a fix, or set aside for good by a person. It goes with the dead letter itself.
CREATE TABLE ledger.dead_letters_settled (
    batch_id bigint NOT NULL,
    number int NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('recorded', 'repeat', 'dismissed')),
    settled_by text NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    PRIMARY KEY (batch_id, number),  -- the guarantee that none is taken in twice
    FOREIGN KEY (batch_id, number) REFERENCES ledger.dead_letters ON DELETE CASCADE
);
GRANT SELECT, INSERT ON ledger.dead_letters_settled TO daybook_app;
