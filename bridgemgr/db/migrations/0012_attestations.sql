-- What somebody found out by other means about a site whose line nothing can probe. At most one statement of a site
-- is in force; the others are kept as its history.
CREATE TABLE attestations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id    bigint NOT NULL REFERENCES sites ON DELETE CASCADE,
    works      boolean NOT NULL,
    note       text NOT NULL,          -- how it was found out
    author     text NOT NULL,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,   -- from here on it says nothing any more
    ended_at   timestamptz,            -- taken back, or another took its place
    ended_by   text,
    CHECK (made_at < expires_at),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
-- Of two people at once, the second takes the place of the first.
CREATE UNIQUE INDEX attestations_of_site ON attestations (site_id) WHERE ended_at IS NULL;
CREATE INDEX ON attestations (site_id, id);
