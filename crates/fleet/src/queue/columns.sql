-- What a queue of version 0 has not.
alter table job add column priority integer not null default 0;
alter table job add column timeout_seconds integer;
alter table job add column crashes integer not null default 0;
alter table job add column request_key text;
alter table job add column request_hash text;
