CREATE TABLE delegates (
    bridge_id bigint NOT NULL,
    number    integer NOT NULL CHECK (number BETWEEN 1 AND 100000),
    name      text NOT NULL,
    title     text NOT NULL DEFAULT '',
    PRIMARY KEY (bridge_id, number)
);

-- What a foreign key to bridges would keep, kept a statement at a time: checked row by row, it took two
-- thirds of the time of importing 420,000 delegates.
CREATE FUNCTION delegates_need_bridges() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing bigint;
BEGIN
    PERFORM FROM bridges WHERE id IN (SELECT bridge_id FROM added) ORDER BY id FOR KEY SHARE;
    SELECT a.bridge_id INTO missing FROM (SELECT DISTINCT bridge_id FROM added) a
        WHERE NOT EXISTS (SELECT FROM bridges b WHERE b.id = a.bridge_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no bridge %', missing USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER delegates_need_bridges AFTER INSERT ON delegates REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION delegates_need_bridges();
CREATE FUNCTION bridges_take_delegates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM delegates d USING gone WHERE d.bridge_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER bridges_take_delegates AFTER DELETE ON bridges REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION bridges_take_delegates();
CREATE FUNCTION delegates_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a delegate stays with its bridge' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER delegates_stay BEFORE UPDATE OF bridge_id ON delegates FOR EACH ROW
    WHEN (NEW.bridge_id IS DISTINCT FROM OLD.bridge_id) EXECUTE FUNCTION delegates_stay();

-- A group of check-ins committed together: one signature over the Merkle root of their receipts.
CREATE TABLE receipt_groups (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    size        integer NOT NULL,
    root        bytea NOT NULL,
    kid         text NOT NULL,
    signature   bytea NOT NULL
);

-- The ledger: one immutable row an event, kept for ever, because event_id must stay unique.
CREATE TABLE check_ins (
    event_id      uuid PRIMARY KEY,
    conference    text NOT NULL,   -- as sent: an unknown conference is held, not lost
    site          text NOT NULL,
    bridge_id     bigint REFERENCES bridges,   -- null: held, or refused before a bridge was found
    kind          text NOT NULL CHECK (kind IN
        ('ready', 'test', 'headcount', 'arrive', 'leave', 'absent', 'end', 'correct', 'void')),
    observed_at   timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    headcount     integer,
    delegate      integer,
    mode          text CHECK (mode IN ('in_person', 'online')),
    reason        text,
    corrects      uuid,
    note          text,
    seq           bigint,
    source        text NOT NULL CHECK (source IN ('operator', 'page', 'agent', 'paper')),
    device_id     bigint REFERENCES devices,
    author        text NOT NULL,
    verdict       text NOT NULL CHECK (verdict IN ('accepted', 'refused', 'held')),
    verdict_note  text,
    content_hash  bytea NOT NULL,
    group_id      bigint NOT NULL REFERENCES receipt_groups,
    group_index   integer NOT NULL,
    receipt_path  bytea NOT NULL,   -- 32 bytes a level, from the leaf upwards
    resends       integer NOT NULL DEFAULT 0
);
CREATE INDEX ON check_ins (bridge_id) WHERE bridge_id IS NOT NULL;
CREATE INDEX ON check_ins (lower(conference), received_at) WHERE verdict <> 'accepted';

CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Counting a resend is the one write that a stored event sees: it makes the duplicate's answer
    -- wait for the same replication as the first one's did.
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'resends' = to_jsonb(OLD) - 'resends' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'check_ins is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER check_ins_append_only BEFORE UPDATE OR DELETE ON check_ins
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();

-- What follows from the events of a bridge: written only beside them, in the same transaction.
CREATE TABLE attendance (
    bridge_id     bigint PRIMARY KEY REFERENCES bridges,
    ready_at      timestamptz,
    tested_at     timestamptz,
    checked_in_at timestamptz,
    ended_at      timestamptz,
    absent_at     timestamptz,
    headcount     integer,
    named_present integer NOT NULL DEFAULT 0,
    present       integer,
    contradiction text,
    events        integer NOT NULL DEFAULT 0,
    updated_at    timestamptz NOT NULL
);
