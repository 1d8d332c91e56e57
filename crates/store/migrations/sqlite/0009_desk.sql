-- The owner's desk: refusals per hour, runs of imports and of the proof.
insert into id_sequence (name, next) values ('import_run', 1), ('verify_run', 1);

-- Sales that did not come about, counted in process and added now and then.
create table refusal_hour (
    hour integer not null,
    reason text not null,
    count integer not null constraint refusal_hour_count_check check (count >= 1),
    primary key (hour, reason)
) strict, without rowid;

create table import_run (
    id integer primary key,
    status text not null constraint import_run_status_check check (status in
        ('uploaded', 'running', 'done', 'failed', 'interrupted')),
    file_name text not null,
    bytes integer not null,
    -- As chosen; none: recognised.
    encoding text,
    actor_id integer not null references account (id),
    uploaded_at integer not null,
    started_at integer,
    -- When the process that runs it last said so.
    seen_at integer,
    finished_at integer,
    bytes_done integer not null default 0,
    created integer not null default 0,
    updated integer not null default 0,
    unchanged integer not null default 0,
    failed integer not null default 0,
    -- Faults of rows: line, column, reason, value.
    errors text not null default '[]',
    failure text
) strict;
-- One at a time, on all nodes together.
create unique index import_run_running on import_run (status) where status = 'running';

create table verify_run (
    id integer primary key,
    status text not null constraint verify_run_status_check check (status in
        ('running', 'done', 'failed', 'interrupted')),
    actor_id integer not null references account (id),
    started_at integer not null,
    seen_at integer not null,
    finished_at integer,
    -- What was found so far: name, rows examined, violations.
    checks text not null default '[]',
    failure text
) strict;
create unique index verify_run_running on verify_run (status) where status = 'running';

