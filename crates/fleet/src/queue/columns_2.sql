-- What a queue of version 1 has not.
alter table job add column pool text;
