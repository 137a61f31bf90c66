-- What a queue of version 3 has not.
alter table job add column cache integer not null default 1;
alter table job add column spec text;
alter table job add column cached_from text;
