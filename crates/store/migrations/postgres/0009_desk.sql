-- The owner's desk: refusals per hour, runs of imports and of the proof.
insert into id_sequence (name, next) values ('import_run', 1), ('verify_run', 1);

-- Sales that did not come about, counted in process and added now and then.
create table refusal_hour (
    hour timestamptz not null,
    reason text not null,
    count bigint not null constraint refusal_hour_count_check check (count >= 1),
    primary key (hour, reason)
);

create table import_run (
    id bigint primary key,
    status text not null constraint import_run_status_check check (status in
        ('uploaded', 'running', 'done', 'failed', 'interrupted')),
    file_name text not null,
    bytes bigint not null,
    -- As chosen; none: recognised.
    encoding text,
    actor_id bigint not null references account (id),
    uploaded_at timestamptz not null,
    started_at timestamptz,
    -- When the process that runs it last said so.
    seen_at timestamptz,
    finished_at timestamptz,
    bytes_done bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    failed bigint not null default 0,
    -- Faults of rows: line, column, reason, value.
    errors jsonb not null default '[]',
    failure text
);
-- One at a time, on all nodes together.
create unique index import_run_running on import_run (status) where status = 'running';

create table verify_run (
    id bigint primary key,
    status text not null constraint verify_run_status_check check (status in
        ('running', 'done', 'failed', 'interrupted')),
    actor_id bigint not null references account (id),
    started_at timestamptz not null,
    seen_at timestamptz not null,
    finished_at timestamptz,
    -- What was found so far: name, rows examined, violations.
    checks jsonb not null default '[]',
    failure text
);
create unique index verify_run_running on verify_run (status) where status = 'running';

