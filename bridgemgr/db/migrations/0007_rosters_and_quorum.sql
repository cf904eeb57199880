-- Held check-ins are decided by linked events; a site's words over the telephone are a source of their own;
-- an absence may be excused.
ALTER TABLE check_ins ADD COLUMN excused boolean;
ALTER TABLE check_ins DROP CONSTRAINT check_ins_kind_check;
ALTER TABLE check_ins ADD CONSTRAINT check_ins_kind_check CHECK (kind IN
    ('ready', 'test', 'headcount', 'arrive', 'leave', 'absent', 'end', 'correct', 'void', 'admit', 'dismiss'));
ALTER TABLE check_ins DROP CONSTRAINT check_ins_source_check;
ALTER TABLE check_ins ADD CONSTRAINT check_ins_source_check
    CHECK (source IN ('operator', 'phone', 'page', 'agent', 'paper'));
-- A held event's later verdict is looked for by the event that an admit or dismiss links to.
CREATE INDEX check_ins_decisions ON check_ins (corrects) WHERE kind IN ('admit', 'dismiss');
CREATE INDEX check_ins_held ON check_ins (lower(conference), lower(site)) WHERE verdict = 'held';
-- Gaps in what a device numbered.
CREATE INDEX check_ins_numbered ON check_ins (device_id, seq) WHERE seq IS NOT NULL;

-- Of the named delegates present: how.
ALTER TABLE attendance ADD COLUMN in_person integer NOT NULL DEFAULT 0;
ALTER TABLE attendance ADD COLUMN online integer NOT NULL DEFAULT 0;
-- Named delegates who are absent, and how many of them with leave.
ALTER TABLE attendance ADD COLUMN named_absent integer NOT NULL DEFAULT 0;
ALTER TABLE attendance ADD COLUMN named_excused integer NOT NULL DEFAULT 0;

-- What contradicts itself: a code with its values, so that every reader gets it in the own language.
ALTER TABLE attendance ALTER COLUMN contradiction TYPE json
    USING CASE WHEN contradiction IS NOT NULL THEN json_build_object('code', 'other', 'text', contradiction) END;

-- How a device's check-ins come in: from the page for sites, or from a program.
ALTER TABLE devices ADD COLUMN source text NOT NULL DEFAULT 'agent' CHECK (source IN ('page', 'agent'));

-- The last word of a device about itself and its line to the centre; what it measured, seconds and ratios.
CREATE TABLE heartbeats (
    device_id    bigint PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
    received_at  timestamptz NOT NULL,
    version      text NOT NULL,
    waiting      integer NOT NULL CHECK (waiting >= 0),   -- events in its queue
    oldest_at    timestamptz,                             -- when the first of them was observed
    round_trip   double precision,
    jitter       double precision,
    loss         double precision CHECK (loss BETWEEN 0 AND 1),
    clock_offset double precision                         -- its clock minus ours
);

-- Whom a site calls when it needs help with a conference of this office.
ALTER TABLE offices ADD COLUMN contact text NOT NULL DEFAULT '';
ALTER TABLE offices ADD COLUMN phone text NOT NULL DEFAULT '';

-- Where names may not be kept a bridge has headcounts only. The call code is what a site reads out over the
-- telephone: six digits, the last of which checks the others.
ALTER TABLE bridges ADD COLUMN names_kept boolean NOT NULL DEFAULT true;
ALTER TABLE bridges ADD COLUMN call_code text CHECK (call_code ~ '^[0-9]{6}$');
CREATE UNIQUE INDEX bridges_call_code ON bridges (conference_id, call_code);

-- A delegate whose name was erased keeps the number, and with it what was recorded under it.
ALTER TABLE delegates ADD COLUMN erased_at timestamptz;

-- When a quorum was reached or lost, with the figures it was judged by; written once, never changed.
CREATE TABLE quorum_snapshots (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conference_id bigint NOT NULL REFERENCES conferences ON DELETE CASCADE,
    counted       text NOT NULL CHECK (counted IN ('delegates', 'bridges')),
    reached       boolean NOT NULL,
    at            timestamptz NOT NULL,   -- when the check-in that tipped it was received
    taken_at      timestamptz NOT NULL,
    present       integer NOT NULL,
    expected      integer NOT NULL,
    needed        double precision NOT NULL
);
CREATE INDEX ON quorum_snapshots (conference_id, counted, id);

-- The public halves of every key that ever signed: any process publishes them all, also after the private
-- half was put away.
CREATE TABLE receipt_keys (
    kid        text PRIMARY KEY,
    alg        text NOT NULL,
    public_key bytea NOT NULL,
    since      timestamptz NOT NULL
);
