-- Which process probes what. Endpoints fall into shards by a hash of their id; a process holds a shard for as long
-- as it renews it. Times are of this database's clock alone.

-- The processes that probe; each counts for its share until it expires.
CREATE TABLE probers (
    id         uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

-- Rows are made by the processes: how many shards there are is a matter of the program.
CREATE TABLE probe_shards (
    shard      smallint PRIMARY KEY,
    holder     uuid,
    term       bigint NOT NULL DEFAULT 0,   -- another number each time that the holder is another
    expires_at timestamptz,
    CHECK ((holder IS NULL) = (expires_at IS NULL))
);
