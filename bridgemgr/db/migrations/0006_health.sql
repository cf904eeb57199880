-- What is known of an endpoint now.
CREATE TABLE endpoint_health (
    endpoint_id   bigint PRIMARY KEY REFERENCES endpoints ON DELETE CASCADE,
    state         text NOT NULL CHECK (state IN ('unknown', 'up', 'down')),
    ready         boolean,
    since         timestamptz NOT NULL,
    failures      integer NOT NULL DEFAULT 0,   -- consecutive
    successes     integer NOT NULL DEFAULT 0,   -- consecutive
    probed_at     timestamptz NOT NULL,
    round_trip    double precision,   -- seconds
    jitter        double precision,   -- seconds
    loss          double precision,   -- 0 to 1
    reason        text NOT NULL,
    detail        text NOT NULL,
    tls_version   text,
    tls_cipher    text,
    certificate_not_after timestamptz
);

CREATE TABLE incidents (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    severity    text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    opened_at   timestamptz NOT NULL,
    closed_at   timestamptz,
    reason      text NOT NULL,
    detail      text NOT NULL
);
-- At most one open incident an endpoint, also when two processes see it fall.
CREATE UNIQUE INDEX incidents_open ON incidents (endpoint_id) WHERE closed_at IS NULL;
CREATE INDEX ON incidents (opened_at);
