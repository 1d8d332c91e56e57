//! Reading tickets: those of an order, those of a door.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use runout_core::admission::{Line, has_come_back, has_tickets};
use runout_core::order::Status;
use runout_store::{Db, Error, Result, Row, Statement, statements};
use serde::Serialize;
use utoipa::ToSchema;

use super::Doorway;
use super::code::{Code, Signer, Ticket};
use super::commands::{read_doorway, read_status};
use crate::App;
use crate::platform::seal::{Place, Sealer};

statements! {
    SECRET = "select secret from signing_secret where name = 'tickets'";
    DOORWAY = "select id, title, venue, starts_at, ends_at, time_zone, cancelled_at is not null,
            product_id
        from event where id = $1";
    STATUS = "select status from orders where id = $1";
    /// The lines of an order whose units are tickets of an event.
    LINES = "select e.id, e.title, e.venue, e.starts_at, e.ends_at, e.time_zone,
            e.cancelled_at is not null, e.product_id, l.line_no, l.quantity, l.sku, l.variant_title,
            (select cast(coalesce(sum(a.returned), 0) as bigint) from allocation a
                where a.order_id = l.order_id and a.line_no = l.line_no)
        from order_line l join variant v on v.id = l.variant_id
        join event e on e.product_id = v.product_id
        where l.order_id = $1 order by l.line_no";
    /// How many tickets an order has, whatever its state.
    TICKETS = "select cast(coalesce(sum(l.quantity), 0) as bigint)
        from order_line l join variant v on v.id = l.variant_id
        join event e on e.product_id = v.product_id where l.order_id = $1";
    /// An admission with what whoever is at the door wants to know of it.
    ADMISSION = "select l.variant_title, l.title, l.quantity,
            coalesce(nullif(c.name, ''), c.username, o.address->>'name', o.email, ''),
            a.admitted_at, coalesce(s.username, '')
        from admission a
        join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
        join orders o on o.id = a.order_id
        left join account c on c.id = o.account_id
        left join account s on s.id = a.admitted_by
        where a.event_id = $1 and a.order_id = $2 and a.line_no = $3 and a.number = $4";
    ADMISSIONS = "select line_no, number, admitted_at from admission where order_id = $1";
    /// What was sold of the variants of a product, by orders that are paid, less what came back.
    /// The ledgers of their levels know which orders had some: lines have no index by variant,
    /// which every sale would pay for.
    SOLD = "with touched as (
            select distinct m.order_id from variant v
            join stock_level s on s.variant_id = v.id
            join stock_movement m on m.level_id = s.id
            where v.product_id = $1 and m.order_id is not null)
        select l.variant_id, cast(sum(l.quantity) as bigint),
            cast(sum((select coalesce(sum(a.returned), 0) from allocation a
                where a.order_id = l.order_id and a.line_no = l.line_no)) as bigint)
        from touched t join orders o on o.id = t.order_id
        join order_line l on l.order_id = o.id
        join variant v on v.id = l.variant_id
        where v.product_id = $1 and o.status in ('paid', 'fulfilled', 'closed')
        group by l.variant_id";
    LET_IN = "select l.variant_id, count(*)
        from admission a join order_line l on l.order_id = a.order_id and l.line_no = a.line_no
        where a.event_id = $1 group by l.variant_id";
    VARIANTS = "select id, sku, title from variant
        where product_id = $1 and deleted_at is null order by id";
}

/// Tickets that are listed at a time.
pub const TICKETS_SHOWN_MAX: usize = 100;

/// What signs this database's tickets.
pub(super) async fn signer(db: &Db, sealer: &Sealer) -> Result<Signer> {
    let sealed = db.read_one(Statement::new(&SECRET, Vec::new()), |row| row.get::<String>(0));
    let sealed = sealed.await?.expect("the migration made a secret");
    let place = Place::new("signing_secret", "secret", "tickets");
    Ok(Signer::new(sealer.open(&place, &sealed)?.expose()))
}

/// An event as its door sees it.
///
/// # Errors
/// The database's.
pub async fn doorway(db: &Db, event_id: i64) -> Result<Option<Doorway>> {
    db.read_one(Statement::new(&DOORWAY, vec![event_id.into()]), read_doorway).await
}

/// How a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// It admits.
    Valid,
    /// Somebody was let in with it.
    Admitted,
    /// It was given back.
    Returned,
}

/// A ticket of an order, ready to be shown.
#[derive(Debug, Clone)]
pub struct Shown {
    pub ticket: Ticket,
    pub code: Code,
    pub doorway: Arc<Doorway>,
    pub sku: String,
    /// Such as "Standing"; empty if the event has one kind of tickets.
    pub variant: String,
    /// Tickets of the line.
    pub quantity: i64,
    pub state: TicketState,
    pub admitted_at: Option<Timestamp>,
}

impl Shown {
    /// Which ticket it is, for people: "Standing, ticket 2 of 4".
    pub fn kind(&self) -> String {
        let count = format!("{} of {}", self.ticket.number, self.quantity);
        match self.variant.as_str() {
            "" => format!("Ticket {count}"),
            variant => format!("{variant}, ticket {count}"),
        }
    }

    /// What has to be said of it before it is taken to a door.
    pub fn word(&self) -> Option<&'static str> {
        match self.state {
            _ if self.doorway.cancelled => Some("The event was cancelled"),
            TicketState::Valid => None,
            TicketState::Admitted => Some("Used"),
            TicketState::Returned => Some("Given back"),
        }
    }
}

/// Tickets of an order, after those left out.
#[derive(Debug, Clone)]
pub struct Tickets {
    pub status: Status,
    /// At most [`TICKETS_SHOWN_MAX`]; none while the order is not paid.
    pub items: Vec<Shown>,
    /// How many tickets the order has in all, paid or not.
    pub count: usize,
    /// How many to leave out to see those that follow.
    pub next: Option<usize>,
}

struct SoldLine {
    doorway: Arc<Doorway>,
    line_no: i64,
    sku: String,
    variant: String,
    line: Line,
}

fn read_line(row: &Row<'_>, status: Status) -> Result<SoldLine> {
    Ok(SoldLine {
        doorway: Arc::new(read_doorway(row)?),
        line_no: row.get(8)?,
        sku: row.get(10)?,
        variant: row.get(11)?,
        line: Line {
            status,
            of_event: true,
            quantity: row.get(9)?,
            returned: row.get(12)?,
            admitted: BTreeSet::new(),
        },
    })
}

/// The tickets of an order, without the first `skip`. Who may see them is asked before.
///
/// # Errors
/// The database's.
pub async fn of_order(app: &App, order_id: i64, skip: usize) -> Result<Option<Tickets>> {
    let of = |sql| Statement::new(sql, vec![order_id.into()]);
    let loaded = app.db.snapshot(vec![of(&STATUS), of(&LINES), of(&ADMISSIONS)]).await?;
    let [status, lines, admissions] = &loaded[..] else {
        unreachable!("every statement has an answer")
    };
    let Some(status) = status.map(|row| read_status(&row, 0))?.pop() else { return Ok(None) };
    let mut admitted: BTreeMap<(i64, i64), Timestamp> = BTreeMap::new();
    for row in admissions.iter() {
        admitted.insert((row.get(0)?, row.get(1)?), row.get(2)?);
    }
    let mut lines = lines.map(|row| read_line(&row, status))?;
    for line in &mut lines {
        let of_line = admitted.range((line.line_no, i64::MIN)..=(line.line_no, i64::MAX));
        line.line.admitted = of_line.map(|((_, number), _)| *number).collect();
    }
    let count: i64 = lines.iter().map(|line| line.line.quantity).sum();
    let count = usize::try_from(count).expect("orders have few tickets");
    let mut items = Vec::new();
    if has_tickets(status) {
        let signer = app.tickets.signer(&app.db, &app.sealer).await?;
        let units = lines.iter().flat_map(|line| (1..=line.line.quantity).map(move |n| (line, n)));
        for (line, number) in units.skip(skip).take(TICKETS_SHOWN_MAX) {
            let ticket = Ticket { order_id, line_no: line.line_no, number };
            let at = admitted.get(&(line.line_no, number)).copied();
            items.push(shown(line, ticket, signer.code(ticket), at));
        }
    }
    let end = skip.saturating_add(items.len());
    let next = (!items.is_empty() && end < count).then_some(end);
    Ok(Some(Tickets { status, items, count, next }))
}

fn shown(of: &SoldLine, ticket: Ticket, code: Code, admitted_at: Option<Timestamp>) -> Shown {
    let state = match admitted_at {
        Some(_) => TicketState::Admitted,
        None if has_come_back(&of.line, ticket.number) => TicketState::Returned,
        None => TicketState::Valid,
    };
    Shown {
        ticket,
        code,
        doorway: Arc::clone(&of.doorway),
        sku: of.sku.clone(),
        variant: of.variant.clone(),
        quantity: of.line.quantity,
        state,
        admitted_at,
    }
}

/// One kind of tickets at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VariantCount {
    #[schema(minimum = 1)]
    pub variant_id: i64,
    pub sku: String,
    pub title: String,
    /// Tickets of paid orders that were not given back.
    pub sold: i64,
    pub admitted: i64,
}

/// How many people a door has to expect, and how many are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DoorCount {
    #[schema(minimum = 1)]
    pub event_id: i64,
    pub sold: i64,
    pub admitted: i64,
    pub variants: Vec<VariantCount>,
}

/// Counts at the door of an event that sells tickets.
///
/// # Errors
/// The database's.
pub async fn count(db: &Db, doorway: &Doorway) -> Result<DoorCount> {
    let product: runout_store::Value = doorway.product_id.into();
    let loaded = db
        .snapshot(vec![
            Statement::new(&VARIANTS, vec![product.clone()]),
            Statement::new(&SOLD, vec![product]).heavy(),
            Statement::new(&LET_IN, vec![doorway.id.into()]).heavy(),
        ])
        .await?;
    let [variants, sold, let_in] = &loaded[..] else {
        unreachable!("every statement has an answer")
    };
    let sold: BTreeMap<i64, i64> = sold
        .map(|row| Ok((row.get(0)?, row.get::<i64>(1)? - row.get::<i64>(2)?)))?
        .into_iter()
        .collect();
    let let_in: BTreeMap<i64, i64> =
        let_in.map(|row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect();
    let variants = variants.map(|row| {
        let variant_id = row.get(0)?;
        Ok::<_, Error>(VariantCount {
            variant_id,
            sku: row.get(1)?,
            title: row.get(2)?,
            sold: sold.get(&variant_id).copied().unwrap_or(0),
            admitted: let_in.get(&variant_id).copied().unwrap_or(0),
        })
    })?;
    // A variant that is not sold any more has tickets all the same.
    let (sold, admitted) = (sold.values().sum(), let_in.values().sum());
    Ok(DoorCount { event_id: doorway.id, sold, admitted, variants })
}

/// How many tickets an order has, whatever its state.
///
/// # Errors
/// The database's.
pub async fn number_of(db: &Db, order_id: i64) -> Result<i64> {
    let found = db.read_one(Statement::new(&TICKETS, vec![order_id.into()]), |row| row.get(0));
    Ok(found.await?.unwrap_or(0))
}

/// Somebody who is in, as the door shows it.
#[derive(Debug, Clone)]
pub struct Guest {
    pub variant: String,
    pub title: String,
    /// Tickets of the line.
    pub quantity: i64,
    pub buyer: String,
    pub admitted_at: Timestamp,
    /// Who let them in.
    pub admitted_by: String,
}

/// Whoever came in with a ticket of an event.
///
/// # Errors
/// The database's.
pub async fn guest(db: &Db, event_id: i64, ticket: Ticket) -> Result<Option<Guest>> {
    let key = [event_id, ticket.order_id, ticket.line_no, ticket.number];
    let statement = Statement::new(&ADMISSION, key.map(runout_store::Value::from).to_vec());
    db.read_one(statement, |row| {
        Ok(Guest {
            variant: row.get(0)?,
            title: row.get(1)?,
            quantity: row.get(2)?,
            buyer: row.get(3)?,
            admitted_at: row.get(4)?,
            admitted_by: row.get(5)?,
        })
    })
    .await
}
