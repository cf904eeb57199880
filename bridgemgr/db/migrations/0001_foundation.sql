-- What this database is: one row, so that the demo is never played over somebody's own data.
CREATE TABLE instance (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    demo       boolean NOT NULL DEFAULT false,
    keys_name  text,   -- of the key under which credentials are hashed
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO instance DEFAULT VALUES;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TABLE audit_events (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text NOT NULL,   -- user:an, token:grafana, device:17, cli:root, system
    action  text NOT NULL,   -- site.create, conference.start, …
    subject text NOT NULL,   -- the code or id of what was changed
    office  text,            -- the office whose people may read this
    detail  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON audit_events (subject, id);
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
