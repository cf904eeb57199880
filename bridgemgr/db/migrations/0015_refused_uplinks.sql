-- As before, but what may not be probed, and is therefore never found down, does not speak for its uplink.
CREATE OR REPLACE FUNCTION fallen_above(endpoint_ids bigint[]) RETURNS TABLE (endpoint_id bigint, above_id bigint)
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
                    WHERE q.site_id = s.parent_id AND h.fallen IS NOT TRUE
                        AND h.reason IS DISTINCT FROM 'not_allowed')
        ) n
    )
    SELECT DISTINCT above.endpoint_id, above.above_id FROM above
    WHERE above.above_id IS NOT NULL AND above.above_id <> above.endpoint_id
$$;
