-- Where systems disagree on how many seats a client has: the days, what each had counted, which of them bills.
CREATE AGGREGATE books.told_last (jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');

-- A zone that nobody knows is read as UTC, as rating does meanwhile.
CREATE FUNCTION books.local_day(at timestamptz, zone text) RETURNS date LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (at AT TIME ZONE zone)::date;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN (at AT TIME ZONE 'UTC')::date;
END
$$;

CREATE VIEW reporting.seat_variance AS
WITH told AS (  -- what a system had counted at the end of each day on which it reported
    SELECT DISTINCT ON (c.client_id, c.product, c.system, day.day)
        c.client_id, c.product, c.system, day.day, c.quantity
    FROM books.seat_counts AS c
    LEFT JOIN books.clients AS k USING (client_id)
    CROSS JOIN LATERAL (SELECT books.local_day(c.as_of, coalesce(k.time_zone, 'UTC')) AS day) AS day
    WHERE c.quantity BETWEEN 0 AND 10000000 AND c.as_of >= '1970-01-01Z' AND c.as_of < '2200-01-01Z'
    ORDER BY c.client_id, c.product, c.system, day.day, c.as_of DESC, c.revision DESC, c.occurred_at DESC, c.event_id DESC
),
daily AS (  -- what all of them had counted by then
    SELECT DISTINCT client_id, product, day,
        books.told_last(jsonb_build_object(system, quantity)) OVER (PARTITION BY client_id, product ORDER BY day) AS counts
    FROM told
),
changes AS (
    SELECT *, counts IS DISTINCT FROM lag(counts) OVER (PARTITION BY client_id, product ORDER BY day) AS is_change FROM daily
),
runs AS (
    SELECT client_id, product, day AS since, lead(day) OVER (PARTITION BY client_id, product ORDER BY day) AS until, counts
    FROM changes WHERE is_change
),
disagreed AS (
    SELECT r.*, s.low, s.high
    FROM runs AS r
    CROSS JOIN LATERAL (SELECT min(value::bigint) AS low, max(value::bigint) AS high FROM jsonb_each_text(r.counts)) AS s
    WHERE s.low <> s.high
),
preferred AS (
    SELECT d.*, (
        SELECT line -> 'systems'
        FROM books.terms AS t
        CROSS JOIN LATERAL (SELECT convert_from(t.state, 'UTF8')::jsonb AS contract) AS said
        CROSS JOIN LATERAL jsonb_array_elements(contract -> 'lines') AS line
        WHERE t.subject = d.client_id AND t.topic = 'contract.defined.v1' AND line ->> 'type' = 'SeatLine'
            AND line ->> 'product' = d.product AND (contract ->> 'effective_from')::date <= d.since
        ORDER BY contract ->> 'effective_from' DESC, (contract ->> 'revision')::bigint DESC,
            (contract ->> 'occurred_at')::timestamptz DESC, t.event_id DESC
        LIMIT 1
    ) AS systems
    FROM disagreed AS d
)
SELECT client_id, product, since, until, counts, high - low AS difference,
    (
        SELECT system FROM jsonb_array_elements_text(systems) WITH ORDINALITY AS s (system, place)
        WHERE counts ? system ORDER BY place LIMIT 1
    ) AS used_system,
    coalesce(until, (SELECT day + 1 FROM books.business_day), current_date + 1) - since AS days
FROM preferred;

GRANT EXECUTE ON FUNCTION books.local_day(timestamptz, text), books.told_last(jsonb) TO daybook_app, daybook_reader;
GRANT SELECT ON reporting.seat_variance TO daybook_app, daybook_reader;
