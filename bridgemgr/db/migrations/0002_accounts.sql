CREATE TABLE offices (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code       text NOT NULL,
    name       text NOT NULL,
    name_sort  bytea NOT NULL,   -- Vietnamese order, computed by the program
    time_zone  text NOT NULL,
    version    bigint NOT NULL DEFAULT 1
);
-- Codes keep their spelling, but two that differ only in case would be read as one over the telephone.
CREATE UNIQUE INDEX offices_code ON offices (lower(code));

CREATE TABLE users (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    display_name text NOT NULL,
    created_at   timestamptz NOT NULL,
    disabled_at  timestamptz
);
CREATE UNIQUE INDEX users_name ON users (lower(name));

CREATE TABLE user_grants (
    user_id   bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    role      text NOT NULL CHECK (role IN ('admin', 'operator', 'viewer', 'cipher')),
    office_id bigint REFERENCES offices ON DELETE CASCADE,   -- null: every office
    UNIQUE NULLS NOT DISTINCT (user_id, role, office_id)
);

-- Secrets are kept as HMAC-SHA-256 under a key that is outside the database.
CREATE TABLE tokens (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    secret_hmac bytea NOT NULL,
    role        text NOT NULL CHECK (role IN ('admin', 'operator', 'viewer', 'cipher')),
    office_id   bigint REFERENCES offices ON DELETE CASCADE,
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    revoked_at  timestamptz
);
CREATE UNIQUE INDEX tokens_name ON tokens (lower(name)) WHERE revoked_at IS NULL;

CREATE TABLE sign_in_links (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hmac bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);

CREATE TABLE sessions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hmac bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
