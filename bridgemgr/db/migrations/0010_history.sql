-- For how long the last answer of an endpoint counts; after that nobody knows until somebody looks again.
ALTER TABLE endpoint_health ADD COLUMN good_for double precision NOT NULL DEFAULT 660;   -- seconds after probed_at

-- The state of an endpoint from `at` on, until its next row. Before the first nothing is known.
CREATE TABLE endpoint_states (
    endpoint_id bigint NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    state       text NOT NULL CHECK (state IN ('unknown', 'up', 'down')),
    PRIMARY KEY (endpoint_id, at) INCLUDE (state)
);
CREATE INDEX ON endpoint_states USING brin (at);   -- for what is too old: rows come nearly in the order of time
INSERT INTO endpoint_states (endpoint_id, at, state) SELECT endpoint_id, since, state FROM endpoint_health;

-- What the probes of a minute or an hour saw; times in seconds, losses 0 to 1. By time first, so that all endpoints'
-- rows of the running hour lie together: by endpoint first, each minute would write to as many pages as there are
-- endpoints. Without a foreign key: what is left of an endpoint that is gone goes with its partition.
CREATE TABLE endpoint_hours (
    at             timestamptz NOT NULL,   -- its beginning
    endpoint_id    bigint NOT NULL,
    round_trip_sum real NOT NULL,
    jitter_sum     real NOT NULL,
    loss_sum       real NOT NULL,
    round_trip_min real,
    round_trip_max real,
    reachable      smallint NOT NULL,      -- probes, as the two below
    unreachable    smallint NOT NULL,
    unknown        smallint NOT NULL,
    round_trips    smallint NOT NULL,      -- measured ones, as the two below
    jitters        smallint NOT NULL,
    losses         smallint NOT NULL,
    PRIMARY KEY (at, endpoint_id)
) PARTITION BY RANGE (at);

-- Only while a conference is near or live. Partitions of both are made by the program.
CREATE TABLE endpoint_minutes (LIKE endpoint_hours INCLUDING ALL) PARTITION BY RANGE (at);

-- The last batch of figures of each process that probes: one that comes again after a lost COMMIT adds nothing.
CREATE TABLE history_writers (
    id      uuid PRIMARY KEY,
    batch   bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

CREATE FUNCTION seconds_of(spans tstzmultirange) RETURNS numeric IMMUTABLE STRICT LANGUAGE sql AS $$
    SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0) FROM unnest(spans) AS span
$$;
