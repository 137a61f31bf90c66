-- What a queue of version 4 has not.
alter table job add column traceparent text;
