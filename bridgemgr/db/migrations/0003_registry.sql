CREATE TABLE areas (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path      text NOT NULL UNIQUE,   -- hanoi/ba-dinh/x05
    name      text NOT NULL,          -- the name of the last step
    name_sort bytea NOT NULL
);

CREATE TABLE sites (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code         text NOT NULL,
    name         text NOT NULL,
    name_fold    text NOT NULL,    -- case and accents folded, for search and for matching spreadsheets
    name_sort    bytea NOT NULL,
    kind         text NOT NULL DEFAULT 'site',
    area_id      bigint REFERENCES areas,
    parent_id    bigint REFERENCES sites,
    office_id    bigint REFERENCES offices,   -- the office that made it edits it; null: administrators
    time_zone    text,                        -- null: that of the office that holds the conference
    observable   boolean NOT NULL DEFAULT true,
    valid_from   date,
    valid_to     date,
    successor_id bigint REFERENCES sites,
    version      bigint NOT NULL DEFAULT 1,
    CHECK (parent_id IS DISTINCT FROM id),
    CHECK (valid_from IS NULL OR valid_to IS NULL OR valid_from <= valid_to)
);
CREATE UNIQUE INDEX sites_code ON sites (lower(code));
CREATE INDEX ON sites (name_fold);
CREATE INDEX ON sites (area_id);
CREATE INDEX ON sites (parent_id);

CREATE TABLE site_contacts (
    site_id  bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    position smallint NOT NULL,   -- 1 is called first
    name     text NOT NULL DEFAULT '',
    phone    text NOT NULL DEFAULT '',
    email    text NOT NULL DEFAULT '',
    PRIMARY KEY (site_id, position)
);

CREATE TABLE endpoints (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id bigint REFERENCES sites ON DELETE CASCADE,   -- null: of the core
    target  text NOT NULL,
    fall    smallint CHECK (fall BETWEEN 1 AND 100),     -- null: as the settings say
    rise    smallint CHECK (rise BETWEEN 1 AND 100),
    UNIQUE NULLS NOT DISTINCT (site_id, target)
);

-- One credential a device; several may be valid while one is being replaced.
CREATE TABLE devices (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id      bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    name         text NOT NULL,
    secret_hmac  bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX ON devices (site_id);

-- A code that turns into a device's credential once.
CREATE TABLE enrolments (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id     bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    secret_hmac bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
