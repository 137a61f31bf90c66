create table if not exists job (
    -- A UUID of version 7: ids sort by age.
    id         text primary key,
    template   text not null,
    params     text not null,
    output     text not null,
    state      text not null check (state in ('queued', 'running', 'finished', 'failed', 'cancelled')),
    attempt    integer not null default 0,
    progress   real not null default 0,
    message    text,
    worker     text,
    artefact   text,
    problem    text,
    created_at text not null,
    started_at text,
    ended_at   text,
    priority   integer not null default 0,
    timeout_seconds integer,
    pool       text,
    crashes    integer not null default 0,
    -- What a client calls its request, and what it asked for, so that it can ask again.
    request_key text,
    request_hash text,
    tenant     text,
    batch      text,
    webhook    text,
    -- The place in a trace of the request that asked for it.
    traceparent text,
    -- Whether what an earlier job has made of the same is good enough.
    cache      integer not null default 1,
    -- The same for jobs that have made the same, and which job it was that has.
    spec       text,
    cached_from text
) strict, without rowid;

create index if not exists job_by_state on job (state, id);
create unique index if not exists job_by_key on job (request_key);
create index if not exists job_by_tenant on job (tenant, state) where tenant is not null;
create index if not exists job_by_spec on job (spec, id) where spec is not null;
create index if not exists job_by_batch on job (batch, id) where batch is not null;

create table if not exists event (
    sequence integer primary key autoincrement,
    job      text,
    at       text not null,
    event    text not null
) strict;

create index if not exists event_by_job on event (job, sequence);
