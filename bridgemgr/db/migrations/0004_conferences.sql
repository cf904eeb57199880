CREATE TABLE conferences (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code                text NOT NULL,
    office_id           bigint NOT NULL REFERENCES offices,
    title               text NOT NULL,
    kind                text NOT NULL DEFAULT 'meeting',
    level               text NOT NULL DEFAULT '',
    confidentiality     text NOT NULL DEFAULT 'open' CHECK (confidentiality IN ('open', 'confidential')),
    host                text NOT NULL DEFAULT '',   -- another body whose conference we only join
    status              text NOT NULL DEFAULT 'scheduled'
        CHECK (status IN ('draft', 'scheduled', 'live', 'ended', 'archived', 'cancelled')),
    rehearsal           boolean NOT NULL DEFAULT false,   -- no figure counts it
    starts_at           timestamptz NOT NULL,
    ends_at             timestamptz NOT NULL,
    started_at          timestamptz,   -- when it really went live
    ended_at            timestamptz,   -- when it really ended
    main_site_id        bigint REFERENCES sites,
    quorum_ratio        double precision CHECK (quorum_ratio BETWEEN 0 AND 1),
    bridge_quorum_ratio double precision CHECK (bridge_quorum_ratio BETWEEN 0 AND 1),
    version             bigint NOT NULL DEFAULT 1,
    CHECK (starts_at < ends_at)
);
CREATE UNIQUE INDEX conferences_code ON conferences (lower(code));
CREATE INDEX ON conferences (starts_at);
CREATE INDEX ON conferences (status) WHERE status IN ('scheduled', 'live');

CREATE TABLE conference_co_offices (
    conference_id bigint NOT NULL REFERENCES conferences ON DELETE CASCADE,
    office_id     bigint NOT NULL REFERENCES offices,
    PRIMARY KEY (conference_id, office_id)
);

CREATE TABLE bridges (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conference_id      bigint NOT NULL REFERENCES conferences ON DELETE CASCADE,
    site_id            bigint NOT NULL REFERENCES sites,
    expected_delegates integer NOT NULL CHECK (expected_delegates BETWEEN 0 AND 100000),
    required           boolean NOT NULL DEFAULT true,
    importance         text NOT NULL DEFAULT 'normal' CHECK (importance IN ('low', 'normal', 'high')),
    version            bigint NOT NULL DEFAULT 1,
    UNIQUE (conference_id, site_id)
);
CREATE INDEX ON bridges (site_id);
