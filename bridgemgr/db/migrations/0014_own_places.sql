-- Where processes of this service listen, so that none of them probes another.
CREATE TABLE own_places (
    host    text NOT NULL,      -- as it listens: an address, a name, or all addresses of its machine
    port    integer NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (host, port)
);
