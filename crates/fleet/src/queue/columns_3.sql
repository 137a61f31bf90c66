-- What a queue of version 2 has not.
alter table job add column tenant text;
alter table job add column batch text;
alter table job add column webhook text;
