//! Statements of channels' progress, and of the erasure of people's data.

use runout_store::statements;

statements! {
    /// How far the channel `$1` is, with its newest sync.
    HOW_FAR = "select s.cursor, s.limits, s.asked, s.run_id, s.began_at, s.failures,
            s.failing_since, s.problem, s.unknown_fields, r.id, r.channel_id, r.kind,
            r.asked_by, r.state, r.began_at, r.ended_at, r.pages, r.found, r.details,
            r.quarantined, r.gone, r.calls, r.refused, r.unauthorised, r.failed, r.tokens
        from channel_sync s
        left join sync_run r on r.id = coalesce(s.run_id, (select max(l.id) from sync_run l
            where l.channel_id = s.channel_id))
        where s.channel_id = $1";
    /// Details of the channel `$1` that are to be fetched by `$2`, nothing counted beyond `$3`.
    DETAILS_LEFT = "select count(*) from (select 1 from shipment
        where channel_id = $1 and detail_due_at <= $2 limit $3) as counted";
    /// Shipments of the channel `$1` that are in a state `$2`, nothing counted beyond `$3`.
    IN_STATE = "select count(*) from (select 1 from shipment
        where channel_id = $1 and state = $2 limit $3) as counted";
    /// Shipments whose time is over by `$1`, at most `$2`.
    ERASE_DUE = {
        sqlite: "select id, raw from shipment where erase_at <= $1 order by erase_at limit $2",
        postgres: "select id, raw from shipment where erase_at <= $1 order by erase_at limit $2
            for update skip locked",
    };
    ERASE = {
        sqlite: "update shipment set ship_to = null, bill_to = null, raw = $2, erase_at = null,
                erased_at = $3, version = version + 1
            where id = $1",
        postgres: "update shipment s set ship_to = null, bill_to = null, raw = e.raw,
                erase_at = null, erased_at = e.erased_at, version = version + 1
            from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as e (id, raw, erased_at)
            where s.id = e.id",
    };
}
