-- An endpoint that is behind another: the codec behind the router. What a site hangs under is its parent site.
ALTER TABLE endpoints ADD COLUMN depends_on bigint REFERENCES endpoints ON DELETE SET NULL
    CHECK (depends_on IS DISTINCT FROM id);
CREATE INDEX ON endpoints (depends_on) WHERE depends_on IS NOT NULL;

ALTER TABLE endpoint_health
    ADD COLUMN flapping boolean NOT NULL DEFAULT false,
    ADD COLUMN fallen boolean NOT NULL DEFAULT false;   -- down when last known: "unknown" in between changes nothing
UPDATE endpoint_health SET fallen = true WHERE state = 'down';

-- How the last probe that failed went; it stays after recovery.
CREATE TABLE endpoint_failures (
    endpoint_id bigint PRIMARY KEY REFERENCES endpoints ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL,
    log         text NOT NULL
);

ALTER TABLE incidents
    ADD COLUMN adopted_by      bigint REFERENCES incidents ON DELETE SET NULL,   -- the root's, which tells it now
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text,
    ADD CHECK (adopted_by IS NULL OR closed_at IS NOT NULL),
    ADD CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL));
CREATE INDEX ON incidents (adopted_by) WHERE adopted_by IS NOT NULL;

-- What fell behind the endpoint of an incident, and therefore has none of its own.
CREATE TABLE incident_members (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incidents ON DELETE CASCADE,
    endpoint_id bigint NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    joined_at   timestamptz NOT NULL,
    left_at     timestamptz,
    failures    integer,   -- in a row, when the root was back: what comes after them is trouble of its own
    CHECK (left_at >= joined_at)
);
-- Trouble hangs under one root, also when two processes find one.
CREATE UNIQUE INDEX incident_members_now ON incident_members (endpoint_id) WHERE left_at IS NULL;
CREATE INDEX ON incident_members (incident_id);

CREATE TABLE incident_notes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incidents ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    author      text NOT NULL,
    text        text NOT NULL
);
CREATE INDEX ON incident_notes (incident_id);

CREATE TABLE maintenance (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint REFERENCES endpoints ON DELETE CASCADE,
    site_id     bigint REFERENCES sites ON DELETE CASCADE,
    area_id     bigint REFERENCES areas ON DELETE CASCADE,   -- and those below it
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    reason      text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    CHECK (starts_at <= ends_at),   -- equal where it was ended as it began
    CHECK (num_nonnulls(endpoint_id, site_id, area_id) = 1)
);
CREATE INDEX ON maintenance (ends_at);
CREATE INDEX ON maintenance (endpoint_id);
CREATE INDEX ON maintenance (site_id);

-- The window that an endpoint is in, the one that lasts longest where there are several; null outside of any.
CREATE FUNCTION maintenance_of(endpoint bigint, moment timestamptz) RETURNS bigint STABLE LANGUAGE sql AS $$
    SELECT m.id FROM maintenance m
    JOIN endpoints e ON e.id = endpoint
    LEFT JOIN sites s ON s.id = e.site_id
    LEFT JOIN areas a ON a.id = s.area_id
    LEFT JOIN areas w ON w.id = m.area_id
    WHERE m.starts_at <= moment AND moment < m.ends_at
        AND (m.endpoint_id = e.id OR m.site_id = e.site_id OR a.id = w.id OR starts_with(a.path, w.path || '/'))
    ORDER BY m.ends_at DESC, m.id LIMIT 1
$$;

-- What endpoints are behind that fell: over what they depend on, and over their site's uplinks. The latter cut
-- a site off only where nothing of them is up; an uplink that has no endpoints is passed on to its own.
CREATE FUNCTION fallen_above(endpoint_ids bigint[]) RETURNS TABLE (endpoint_id bigint, above_id bigint)
STABLE LANGUAGE sql AS $$
    WITH RECURSIVE above (endpoint_id, above_id, site_id) AS (
        SELECT e.id, e.id, e.site_id FROM endpoints e WHERE e.id = ANY(endpoint_ids)
        UNION
        SELECT a.endpoint_id, n.id, n.site_id FROM above a CROSS JOIN LATERAL (
            SELECT d.id, d.site_id FROM endpoints x
            JOIN endpoints d ON d.id = x.depends_on
            JOIN endpoint_health h ON h.endpoint_id = d.id AND h.fallen
            WHERE x.id = a.above_id
            UNION ALL
            SELECT p.id, s.parent_id FROM sites s
            LEFT JOIN endpoints p ON p.site_id = s.parent_id
            WHERE s.id = a.site_id AND s.parent_id IS NOT NULL
                AND NOT EXISTS (
                    SELECT FROM endpoints q LEFT JOIN endpoint_health h ON h.endpoint_id = q.id
                    WHERE q.site_id = s.parent_id AND h.fallen IS NOT TRUE)
        ) n
    )
    SELECT DISTINCT above.endpoint_id, above.above_id FROM above
    WHERE above.above_id IS NOT NULL AND above.above_id <> above.endpoint_id
$$;
