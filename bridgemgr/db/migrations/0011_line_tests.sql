-- Line tests: campaigns before a conference in which each bridge's line is tried and signed off.

-- A conference's own moments, in minutes before its start, the earliest first; without any those of the settings.
CREATE TABLE line_test_plans (
    conference_id bigint PRIMARY KEY REFERENCES conferences ON DELETE CASCADE,
    before_min    integer[],   -- null: taken away again
    version       bigint NOT NULL DEFAULT 1
);

-- The campaigns that were opened. A planned one has no row: it moves with the start.
CREATE TABLE line_test_campaigns (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conference_id bigint NOT NULL REFERENCES conferences ON DELETE CASCADE,
    before_min    integer NOT NULL CHECK (before_min BETWEEN 1 AND 43200),
    round         smallint NOT NULL DEFAULT 1,   -- a start that was put off far enough opens it once more
    starts_at     timestamptz NOT NULL,          -- the start that it was made for
    due_at        timestamptz NOT NULL,
    from_at       timestamptz NOT NULL,          -- what was observed from here on belongs to it
    opened_at     timestamptz NOT NULL,          -- later than due_at where no process ran
    closed_at     timestamptz,                   -- until when what was observed belongs to it
    lines_at      timestamptz,                   -- when its lines were last written down
    UNIQUE (conference_id, before_min, round)
);
CREATE INDEX line_test_campaigns_open ON line_test_campaigns (conference_id) WHERE closed_at IS NULL;

-- What the probes said of the lines, as last written down while the campaign was open.
CREATE TABLE line_test_lines (
    campaign_id bigint NOT NULL REFERENCES line_test_campaigns ON DELETE CASCADE,
    bridge_id   bigint NOT NULL REFERENCES bridges ON DELETE CASCADE,
    endpoints   jsonb NOT NULL,   -- target, state, reason, round_trip, probed_at of each
    PRIMARY KEY (campaign_id, bridge_id)
);
CREATE INDEX ON line_test_lines (bridge_id);

-- Never deleted and never overwritten: an invalid one keeps why, one taken back keeps by whom. What was signed for
-- cannot be deleted either.
CREATE TABLE line_test_sign_offs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id  bigint NOT NULL REFERENCES line_test_campaigns,
    bridge_id    bigint NOT NULL REFERENCES bridges,
    role         text NOT NULL CHECK (role IN ('it', 'cipher')),
    at           timestamptz NOT NULL,
    author       text NOT NULL,
    note         text NOT NULL DEFAULT '',
    despite      text,                -- why, although the line was down or a test had failed
    endpoints    text[] NOT NULL,     -- what was signed for: compared with what the site has now
    known_group  bigint NOT NULL,     -- the last commit group of check-ins whose tests the signer could know
    invalid_at   timestamptz,
    invalid_code text CHECK (invalid_code IN ('endpoints', 'picture', 'sound', 'backup')),
    invalid_text text NOT NULL DEFAULT '',
    taken_back_at timestamptz,
    taken_back_by text,
    CHECK ((invalid_at IS NULL) = (invalid_code IS NULL)),
    CHECK ((taken_back_at IS NULL) = (taken_back_by IS NULL))
);
-- Of two who sign at once the second is told of the first.
CREATE UNIQUE INDEX line_test_sign_offs_one ON line_test_sign_offs (campaign_id, bridge_id, role)
    WHERE invalid_at IS NULL AND taken_back_at IS NULL;
CREATE INDEX ON line_test_sign_offs (campaign_id, bridge_id);
CREATE INDEX ON line_test_sign_offs (bridge_id);

-- Whether the site has a second line; null: it has one if one of its tests ever spoke of it.
ALTER TABLE bridges ADD COLUMN backup_line boolean;

-- Tests and what takes them back, few beside the arrivals of the same bridges.
CREATE INDEX check_ins_tests ON check_ins (bridge_id) WHERE kind IN ('test', 'void', 'admit');
