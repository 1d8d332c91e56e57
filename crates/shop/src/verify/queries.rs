//! The statements of `runout verify`. Each finds the violations of one invariant, at most `$1` of
//! them: column 0 says what differs, column 1 how many there are in all.
//!
//! Where rows have an index to their parent, the parent looks them up one by one; where they have
//! none, both sides are added up in one pass over a union. Both take little memory.

use runout_store::statements;

statements! {
    /// How many rows there are to look at.
    EXAMINED = "select (select count(*) from stock_level), (select count(*) from stock_movement),
        (select count(*) from orders), (select count(*) from order_line),
        (select count(*) from allocation), (select count(*) from idempotency),
        (select count(*) from product), (select count(*) from id_sequence),
        (select count(*) from hold), (select count(*) from basket),
        (select count(*) from discount), (select count(*) from event),
        (select count(*) from attendance), (select count(*) from admission),
        (select count(*) from delivery), (select count(*) from delivery_retry),
        (select count(*) from dead_letter)";

    LEDGERS = "select 'level ' || id
            || case when on_hand <> hand then ': on_hand ' || on_hand || ', ledger says ' || hand
                else '' end
            || case when reserved <> held
                then ': reserved ' || reserved || ', ledger says ' || held else '' end,
            count(*) over ()
        from (
            select l.id, l.on_hand, l.reserved,
                (select cast(coalesce(sum(m.on_hand_delta), 0) as bigint)
                    from stock_movement m where m.level_id = l.id) as hand,
                (select cast(coalesce(sum(m.reserved_delta), 0) as bigint)
                    from stock_movement m where m.level_id = l.id) as held
            from stock_level l) as level
        where on_hand <> hand or reserved <> held
        order by id limit $1";

    /// The primary key keeps numbers apart; so they have no gap if they go from 1 to their count.
    NUMBERS = "select 'level ' || id || ': ' || movements || ' movements, ledger has ' || found
                || ' numbered ' || first || ' to ' || last,
            count(*) over ()
        from (
            select l.id, l.movements, count(m.number) as found,
                coalesce(min(m.number), 1) as first, coalesce(max(m.number), 0) as last
            from stock_level l left join stock_movement m on m.level_id = l.id
            group by l.id, l.movements) as level
        where movements <> found or first <> 1 or last <> found
        order by id limit $1";

    BOUNDS = "select 'level ' || id || ': on_hand ' || on_hand || ', reserved ' || reserved,
            count(*) over ()
        from stock_level
        where reserved < 0 or reserved > on_hand
        order by id limit $1";

    PROMISES = "select 'level ' || id || ': reserved ' || reserved || ', orders and baskets hold '
                || held,
            count(*) over ()
        from (
            select l.id, l.reserved, cast(coalesce(o.held, 0) + coalesce(b.held, 0) as bigint) as held
            from stock_level l left join (
                select a.level_id, cast(sum(a.quantity - a.shipped) as bigint) as held
                from allocation a join orders o on o.id = a.order_id
                    and o.status not in ('cancelled', 'refunded')
                group by a.level_id) as o on o.level_id = l.id
            left join (
                select h.level_id, cast(sum(h.quantity) as bigint) as held
                from hold h group by h.level_id) as b on b.level_id = l.id) as level
        where reserved <> held
        order by id limit $1";

    MOVEMENT_REFERENCES = "select 'movement ' || m.number || ' of level ' || m.level_id
            || case when l.id is null then ': no such level' else '' end
            || case when m.order_id is not null and o.id is null
                then ': no order ' || m.order_id else '' end
            || case when m.actor_id is not null and a.id is null
                then ': no account ' || m.actor_id else '' end,
            count(*) over ()
        from stock_movement m
        left join stock_level l on l.id = m.level_id
        left join orders o on o.id = m.order_id
        left join account a on a.id = m.actor_id
        where l.id is null or (m.order_id is not null and o.id is null)
            or (m.actor_id is not null and a.id is null)
        order by m.level_id, m.number limit $1";

    ORDER_REFERENCES = "select 'order ' || o.id
            || case when o.account_id is not null and a.id is null
                then ': no account ' || o.account_id else '' end
            || case when o.basket_id is not null and b.id is null
                then ': no basket ' || o.basket_id else '' end,
            count(*) over ()
        from orders o left join account a on a.id = o.account_id
        left join basket b on b.id = o.basket_id
        where (o.account_id is not null and a.id is null)
            or (o.basket_id is not null and b.id is null)
        order by o.id limit $1";

    LINE_REFERENCES = "select 'line ' || l.line_no || ' of order ' || l.order_id
            || case when o.id is null then ': no such order' else '' end
            || case when v.id is null then ': no variant ' || l.variant_id else '' end,
            count(*) over ()
        from order_line l
        left join orders o on o.id = l.order_id
        left join variant v on v.id = l.variant_id
        where o.id is null or v.id is null
        order by l.order_id, l.line_no limit $1";

    /// The level must also be one of the line's own variant.
    ALLOCATION_REFERENCES = "select 'allocation of line ' || a.line_no || ' of order ' || a.order_id
            || case when o.line_no is null then ': no such line' else '' end
            || case when l.id is null then ': no level ' || a.level_id
                when l.variant_id <> o.variant_id then ': level ' || l.id || ' is of variant '
                    || l.variant_id || ', not ' || o.variant_id
                else '' end,
            count(*) over ()
        from allocation a
        left join order_line o on o.order_id = a.order_id and o.line_no = a.line_no
        left join stock_level l on l.id = a.level_id
        where o.line_no is null or l.id is null or l.variant_id <> o.variant_id
        order by a.order_id, a.line_no, a.level_id limit $1";

    LINES = "select 'order ' || id || ': ' || found || ' lines, the last is number ' || last,
            count(*) over ()
        from (
            select o.id,
                (select count(*) from order_line l where l.order_id = o.id) as found,
                (select coalesce(max(l.line_no), 0) from order_line l where l.order_id = o.id) as last
            from orders o) as placed
        where found = 0 or last <> found
        order by id limit $1";

    TOTALS = "select 'order ' || id || ': total ' || total_minor || ', lines add up to ' || lines
            || '; tax ' || tax_minor || ', lines say ' || taxes
            || '; discount ' || discount_minor || ', lines say ' || discounts,
            count(*) over ()
        from (
            select o.id, o.total_minor, o.tax_minor, o.discount_minor,
                (select cast(coalesce(sum(l.quantity * l.unit_price_minor - l.discount_minor), 0)
                    as bigint) from order_line l where l.order_id = o.id) as lines,
                (select cast(coalesce(sum(l.tax_minor), 0) as bigint)
                    from order_line l where l.order_id = o.id) as taxes,
                (select cast(coalesce(sum(l.discount_minor), 0) as bigint)
                    from order_line l where l.order_id = o.id) as discounts
            from orders o) as placed
        where total_minor <> lines or tax_minor <> taxes or discount_minor <> discounts
        order by id limit $1";

    /// Also of cancelled orders: their allocations stay.
    ALLOCATED = "select 'line ' || line_no || ' of order ' || order_id || ': quantity ' || quantity
                || ', allocated ' || allocated,
            count(*) over ()
        from (
            select l.order_id, l.line_no, l.quantity,
                (select cast(coalesce(sum(a.quantity), 0) as bigint) from allocation a
                    where a.order_id = l.order_id and a.line_no = l.line_no) as allocated
            from order_line l) as line
        where quantity <> allocated
        order by order_id, line_no limit $1";

    /// What the ledger says of an order at a level is what its allocations say: promised and not
    /// yet left, left, and come back. An order's end leaves nothing promised.
    ORDER_STOCK = "select 'order ' || order_id || ' at level ' || level_id || ': holds ' || holding
                || ', movements say ' || held || '; ' || shipped || ' left, movements say ' || gone
                || '; at most ' || returned || ' came back, movements say ' || back,
            count(*) over ()
        from (
            select order_id, level_id, cast(sum(holding) as bigint) as holding,
                cast(sum(held) as bigint) as held, cast(sum(shipped) as bigint) as shipped,
                cast(sum(gone) as bigint) as gone, cast(sum(returned) as bigint) as returned,
                cast(sum(back) as bigint) as back
            from (
                select a.order_id, a.level_id,
                    case when o.status in ('cancelled', 'refunded') then 0
                        else a.quantity - a.shipped end as holding,
                    0 as held, a.shipped, 0 as gone, a.returned, 0 as back
                from allocation a join orders o on o.id = a.order_id
                union all
                select coalesce(order_id, 0), level_id, 0, reserved_delta, 0,
                    case when cause = 'fulfilment' then -on_hand_delta else 0 end, 0,
                    case when cause = 'return' then on_hand_delta else 0 end
                from stock_movement where cause in ('order', 'cancel', 'fulfilment', 'return'))
                    as both_sides
            group by order_id, level_id) as pair
        where holding <> held or shipped <> gone or back < 0 or back > returned
        order by order_id, level_id limit $1";

    /// Holds begin and end in the ledger; what has begun and not ended is a row.
    HOLDS = "select 'basket ' || basket_id || ' at level ' || level_id || ': holds ' || holding
                || ', movements say ' || held,
            count(*) over ()
        from (
            select basket_id, level_id, cast(sum(holding) as bigint) as holding,
                cast(sum(held) as bigint) as held
            from (
                select basket_id, level_id, quantity as holding, 0 as held from hold
                union all
                select coalesce(basket_id, 0), level_id, 0, reserved_delta
                from stock_movement where cause in ('hold', 'release', 'expire', 'checkout'))
                    as both_sides
            group by basket_id, level_id) as pair
        where holding <> held
        order by basket_id, level_id limit $1";

    /// A line of an open basket holds all of its units or none; a closed basket holds nothing.
    HOLD_LINES = "select 'basket ' || basket_id || ' (' || status || '), variant ' || variant_id
                || ': wants ' || wanted || ', holds ' || held,
            count(*) over ()
        from (
            select h.basket_id, h.variant_id, b.status, coalesce(l.quantity, 0) as wanted,
                cast(sum(h.quantity) as bigint) as held
            from hold h join basket b on b.id = h.basket_id
            left join basket_line l on l.basket_id = h.basket_id and l.variant_id = h.variant_id
            group by h.basket_id, h.variant_id, b.status, l.quantity) as line
        where status <> 'open' or wanted <> held
        order by basket_id, variant_id limit $1";

    /// What has come and gone by an order's payments and refunds. What arrived in another amount or
    /// currency than was asked for never counts.
    MONEY = "select 'order ' || id || ': paid ' || paid_minor || ', payments say ' || paid
                || '; refunded ' || refunded_minor || ', refunds say ' || refunded,
            count(*) over ()
        from (
            select o.id, o.paid_minor, o.refunded_minor,
                (select cast(coalesce(sum(p.received_minor), 0) as bigint) from payment p
                    where p.order_id = o.id and p.status = 'succeeded') as paid,
                (select cast(coalesce(sum(r.amount_minor), 0) as bigint) from refund r
                    where r.order_id = o.id and r.status <> 'failed' and r.reason <> 'mismatch')
                    as refunded
            from orders o) as money
        where paid_minor <> paid or refunded_minor <> refunded
        order by id limit $1";

    USES = "select 'discount ' || id || ': ' || uses || ' uses, orders say ' || found
                || case when uses_max is null then '' else ', at most ' || uses_max end,
            count(*) over ()
        from (
            select d.id, d.uses, d.uses_max, (select count(*) from discount_use u
                where u.discount_id = d.id) as found
            from discount d) as discount
        where uses <> found
        order by id limit $1";

    CANCELLED_AT = "select 'order ' || id || ': ' || status || case when cancelled_at is null
                then ' without a time of cancellation' else ' with a time of cancellation' end,
            count(*) over ()
        from orders
        where (status = 'cancelled') <> (cancelled_at is not null)
        order by id limit $1";

    /// One `order.placed` in the outbox for each order, and an `order.cancelled` if it was, or had
    /// been before it was reinstated.
    ANNOUNCED = "select 'order ' || id || ': placed ' || placed || ' times, announced ' || told
                || '; cancelled ' || cancelled || ' times, announced ' || told_cancelled,
            count(*) over ()
        from (
            select id, cast(sum(placed) as bigint) as placed, cast(sum(told) as bigint) as told,
                cast(sum(cancelled) as bigint) as cancelled,
                cast(sum(reinstated) as bigint) as reinstated,
                cast(sum(told_cancelled) as bigint) as told_cancelled
            from (
                select id, 1 as placed, 0 as told,
                    case when status = 'cancelled' then 1 else 0 end as cancelled,
                    case when reinstated_at is null then 0 else 1 end as reinstated,
                    0 as told_cancelled
                from orders
                union all
                select entity_id, 0, case when topic = 'order.placed' then 1 else 0 end, 0, 0,
                    case when topic = 'order.cancelled' then 1 else 0 end
                from outbox where topic in ('order.placed', 'order.cancelled')) as both_sides
            group by id) as placed
        where placed <> told or (cancelled > told_cancelled)
            or (reinstated = 0 and told_cancelled <> cancelled)
        order by id limit $1";

    /// A key that placed an order (201) is its buyer's: an account's, or (below 0) a basket's.
    KEYS = "select 'key ' || i.key || ' of owner ' || i.account_id
            || case when a.id is null and b.id is null then ': no such account or basket'
                else '' end
            || case when i.order_id is null then ''
                when o.id is null then ': no order ' || i.order_id
                when i.status = 201 and i.account_id > 0 and o.account_id <> i.account_id
                    then ': order ' || o.id || ' is of account ' || o.account_id
                when i.status = 201 and i.account_id < 0 and o.basket_id <> -i.account_id
                    then ': order ' || o.id || ' was basket ' || o.basket_id
                else '' end,
            count(*) over ()
        from idempotency i
        left join account a on a.id = i.account_id
        left join basket b on b.id = -i.account_id
        left join orders o on o.id = i.order_id
        where (a.id is null and b.id is null) or (i.order_id is not null and (o.id is null
            or (i.status = 201 and i.account_id > 0 and coalesce(o.account_id, 0) <> i.account_id)
            or (i.status = 201 and i.account_id < 0 and coalesce(o.basket_id, 0) <> -i.account_id)))
        order by i.account_id, i.key limit $1";

    DEFAULTS = "select 'product ' || id || ': ' || found || ' default variants', count(*) over ()
        from (
            select p.id, count(v.id) as found
            from product p left join variant v on v.product_id = p.id and v.is_default
            group by p.id) as product
        where found <> 1
        order by id limit $1";

    SEARCHABLE = "select 'product ' || id || ': search_text is empty', count(*) over ()
        from product
        where trim(search_text) = ''
        order by id limit $1";

    SEQUENCES = "select 'sequence ' || name || ': next is ' || next || ', but id ' || newest
                || ' is taken',
            count(*) over ()
        from (
            select t.name, coalesce(s.next, 0) as next, t.newest
            from (
                select 'account' as name, max(id) as newest from account
                union all select 'token', max(id) from token
                union all select 'product', max(id) from product
                union all select 'variant', max(id) from variant
                union all select 'price', max(id) from price
                union all select 'location', max(id) from location
                union all select 'stock_level', max(id) from stock_level
                union all select 'orders', max(id) from orders
                union all select 'basket', max(id) from basket
                union all select 'payment', max(id) from payment
                union all select 'refund', max(id) from refund
                union all select 'fulfilment', max(id) from fulfilment
                union all select 'discount', max(id) from discount
                union all select 'address', max(id) from address
                union all select 'event', max(id) from event
                union all select 'post', max(id) from post
                union all select 'comment', max(id) from comment
                union all select 'destination', max(id) from destination
                union all select 'dead_letter', max(id) from dead_letter
                union all select 'payment_method', max(id) from payment_method
                union all select 'audit', max(id) from audit) as t
            left join id_sequence s on s.name = t.name) as sequence
        where newest >= next
        order by name limit $1";

    SIGN_UPS = "select 'event ' || id || ': attending ' || attending || ', waiting ' || waiting
            || ', sign-ups say ' || come || ' and ' || wait,
            count(*) over ()
        from (
            select e.id, e.attending, e.waiting,
                (select count(*) from attendance a
                    where a.event_id = e.id and a.state = 'attending') as come,
                (select count(*) from attendance a
                    where a.event_id = e.id and a.state = 'waiting') as wait
            from event e) as event
        where attending <> come or waiting <> wait
        order by id limit $1";

    ROOM = "select 'event ' || id || ': attending ' || attending || ', waiting ' || waiting
            || case when capacity is null then ', room for everybody'
                else ', room for ' || capacity end,
            count(*) over ()
        from event
        where attending > capacity
            or (waiting > 0 and (capacity is null or attending < capacity))
        order by id limit $1";

    /// An index keeps places of one state apart, so what is left is one place in both. A foreign
    /// key keeps organisers; attendances are written in bulk and have none.
    PLACES = "select 'place ' || a.place || ' of event ' || a.event_id
            || case when e.id is null then ': no such event'
                when a.place < 1 or a.place > e.places then ': the last one given is ' || e.places
                else '' end
            || case when p.id is null then ': no account ' || a.account_id else '' end
            || case when o.place is not null then ': somebody else has it too' else '' end,
            count(*) over ()
        from attendance a
        left join event e on e.id = a.event_id
        left join account p on p.id = a.account_id
        left join attendance o on a.state = 'waiting' and o.event_id = a.event_id
            and o.state = 'attending' and o.place = a.place
        where e.id is null or p.id is null or a.place < 1 or a.place > e.places
            or o.place is not null
        order by a.event_id, a.place limit $1";

    /// Somebody came in with a unit of a line of a paid order that was a ticket of that event. The
    /// order's money may have gone back later; its having been paid stays.
    ADMISSIONS = "select 'ticket ' || a.order_id || '/' || a.line_no || '/' || a.number
            || case when e.id is null then ': no event ' || a.event_id
                when o.id is null then ': no such order'
                when l.line_no is null then ': no such line'
                when a.number < 1 or a.number > l.quantity then ': the line has ' || l.quantity
                when e.product_id is null or v.id is null or v.product_id <> e.product_id
                    then ': is not for event ' || a.event_id
                when o.paid_at is null then ': the order was never paid'
                else ': no account ' || a.admitted_by end,
            count(*) over ()
        from admission a
        left join event e on e.id = a.event_id
        left join orders o on o.id = a.order_id
        left join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
        left join variant v on v.id = l.variant_id
        left join account c on c.id = a.admitted_by
        where e.id is null or o.id is null or l.line_no is null or v.id is null or c.id is null
            or a.number < 1 or a.number > l.quantity
            or e.product_id is null or v.product_id <> e.product_id
            or o.paid_at is null
        order by a.order_id, a.line_no, a.number limit $1";

    /// Deliveries and letters are written in bulk, without foreign keys.
    DELIVERIES = "select 'delivery ' || w.id || ' of destination ' || w.destination_id
            || case when d.id is null then ': no such destination' else '' end
            || case when o.id is null then ': no event ' || w.outbox_id else '' end
            || case when w.id >= n.next_delivery
                then ': the next one is ' || n.next_delivery else '' end,
            count(*) over ()
        from delivery w
        cross join dispatch n
        left join destination d on d.id = w.destination_id
        left join outbox o on o.id = w.outbox_id
        where d.id is null or o.id is null or w.id >= n.next_delivery
        order by w.destination_id, w.id limit $1";

    RETRIES = "select 'retry of ' || r.entity || ' ' || r.entity_id || ' at destination '
                || r.destination_id || ': no delivery ' || r.delivery_id,
            count(*) over ()
        from delivery_retry r
        left join delivery w on w.destination_id = r.destination_id and w.id = r.delivery_id
            and w.entity = r.entity and w.entity_id = r.entity_id
        where w.id is null
        order by r.destination_id, r.entity, r.entity_id limit $1";

    LETTERS = "select 'dead letter ' || id
            || case when known is null then ': no destination ' || destination_id
                else ': ' || state || ', ' || found || ' deliveries' end,
            count(*) over ()
        from (
            select l.id, l.destination_id, l.state, d.id as known,
                (select count(*) from delivery w where w.destination_id = l.destination_id
                    and w.entity = l.entity and w.entity_id = l.entity_id
                    and w.letter_id = l.id) as found
            from dead_letter l left join destination d on d.id = l.destination_id) as letter
        where known is null or (state = 'replaying' and found <> 1)
            or (state <> 'replaying' and found <> 0)
        order by id limit $1";
}
