-- Up to which of the engine's events all is taken.
create table if not exists cursor (
    only     integer primary key check (only = 1),
    sequence integer not null
) strict;

-- Jobs that have not ended, and who wants to know of them.
create table if not exists watched (
    job     text primary key,
    webhook text not null
) strict, without rowid;

create table if not exists delivery (
    id       text primary key,
    url      text not null,
    tenant   text,
    body     text not null,
    attempts integer not null default 0,
    -- Milliseconds since 1970.
    due_at   integer not null,
    done     integer not null default 0,
    -- The place in a trace of the request that asked for the job.
    traceparent text
) strict, without rowid;

create index if not exists delivery_by_time on delivery (done, due_at);
