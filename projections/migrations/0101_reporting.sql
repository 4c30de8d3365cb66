-- What analysts query (role daybook_reader, read only). Columns are documented in docs/reporting.md and held by a test.
CREATE SCHEMA reporting;

CREATE VIEW reporting.charges AS
SELECT client_id, item_key, due_on, stays, currency, rated_minor, adjusted_minor, posted_minor, due_minor, explanation,
    source_event_ids
FROM books.charges;

CREATE VIEW reporting.invoicing_queue AS
WITH lines AS (
    SELECT d.* FROM books.due_lines d
    WHERE d.due_on <= (SELECT day FROM books.business_day)
      AND NOT EXISTS (SELECT FROM books.holds h WHERE h.client_id = d.client_id AND h.item_key = d.item_key)
),
kinds AS (SELECT client_id, currency, kind, bool_or(unit = 'hour') AS hourly FROM lines GROUP BY 1, 2, 3),
types AS (
    SELECT client_id, currency, array_agg(kind ORDER BY hourly DESC, kind COLLATE "C") AS types FROM kinds GROUP BY 1, 2
),
sums AS (
    SELECT client_id, currency, coalesce(sum(quantity) FILTER (WHERE unit = 'hour'), 0) AS hours,
        sum(net_minor)::bigint AS net_minor, count(*) AS lines
    FROM lines GROUP BY 1, 2
),
unapproved AS (
    SELECT client_id, currency, sum(minutes)::bigint AS minutes FROM books.waiting
    WHERE reason IN ('awaiting_approval', 'amended_after_invoicing') AND currency IS NOT NULL
      AND served_on <= (SELECT day FROM books.business_day)
    GROUP BY 1, 2
)
SELECT client_id, coalesce(c.name, client_id) AS client_name, currency, coalesce(t.types, '{}') AS types,
    coalesce(s.hours, 0) AS hours, coalesce(s.net_minor, 0) AS net_minor, coalesce(s.lines, 0) AS lines,
    coalesce(u.minutes, 0) AS unapproved_minutes
FROM sums s FULL JOIN unapproved u USING (client_id, currency)
    LEFT JOIN types t USING (client_id, currency) LEFT JOIN (SELECT client_id, name FROM books.clients) c USING (client_id);

CREATE VIEW reporting.invoices AS
SELECT client_id, number, kind, invoice_id, currency, issued_on, due_on, net_minor, tax_minor, total_minor
FROM books.invoices;

CREATE VIEW reporting.invoice_lines AS
SELECT client_id, number, line_no, item_key, description, charge_type, service_from, service_to, quantity, unit, unit_price,
    currency, net_minor, tax_code, tax_percent, tax_minor, account, corrects_number, corrects_line_no, rule, arithmetic,
    source_count, source_sha256, source_event_ids
FROM books.invoice_lines;

CREATE VIEW reporting.time_entries AS
SELECT client_id, time_entry_id, revision, status, ticket_id, project_id, contract_id, agent_id, approver_id, charge_type,
    worked_on, started_at, ended_at, worked_minutes, deducted_minutes, billable_minutes
FROM books.time_entries;

CREATE VIEW reporting.waiting AS
SELECT client_id, what, id, reason, since, minutes, currency, served_on FROM books.waiting;

CREATE VIEW reporting.holds AS
SELECT client_id, item_key, held_by, held_at FROM books.holds;

CREATE VIEW reporting.dead_letters AS
SELECT topic, partition, "offset", reason, error, schema_id, first_seen, batch_id FROM ledger.dead_letters;

CREATE VIEW reporting.ledger_batches AS
SELECT batch_id, first_id AS first_position, last_id AS last_position, n AS events, recorded_at, dead_letters, tzdata,
    encode(hash, 'hex') AS hash
FROM ledger.batches;

GRANT USAGE ON SCHEMA reporting TO daybook_app, daybook_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO daybook_app, daybook_reader;
ALTER ROLE daybook_reader SET default_transaction_read_only = on;
ALTER ROLE daybook_reader SET search_path = reporting;
