//! Letting people in with a ticket, once; and taking that back when the wrong one was scanned.

use std::collections::BTreeSet;

use jiff::Timestamp;
use runout_core::admission::{self, Line, Refused};
use runout_core::order::Status;
use runout_store::{Error, Result, Row, Rows, Statement, Value, statements};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Doorway;
use super::code::Ticket;
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};

statements! {
    /// Its product must not become another while somebody is let in.
    EVENT = {
        sqlite: "select id, title, venue, starts_at, ends_at, time_zone, cancelled_at is not null,
                product_id
            from event where id = $1",
        postgres: "select id, title, venue, starts_at, ends_at, time_zone, cancelled_at is not null,
                product_id
            from event where id = $1 for share",
    };
    /// With this lock no other door lets in with a ticket of the order, and no refund, cancellation
    /// or return of it is decided.
    ORDER = {
        sqlite: "select o.status,
                coalesce(nullif(c.name, ''), c.username, o.address->>'name', o.email, '')
            from orders o left join account c on c.id = o.account_id where o.id = $1",
        postgres: "select o.status,
                coalesce(nullif(c.name, ''), c.username, o.address->>'name', o.email, '')
            from orders o left join account c on c.id = o.account_id where o.id = $1
            for no key update of o",
    };
    LINE = "select l.quantity, v.product_id, l.title, l.variant_title,
            (select cast(coalesce(sum(a.returned), 0) as bigint) from allocation a
                where a.order_id = l.order_id and a.line_no = l.line_no),
            e.id, e.title
        from order_line l join variant v on v.id = l.variant_id
        left join event e on e.product_id = v.product_id
        where l.order_id = $1 and l.line_no = $2";
    ADMITTED = "select a.number, a.admitted_at, coalesce(c.username, '')
        from admission a left join account c on c.id = a.admitted_by
        where a.order_id = $1 and a.line_no = $2";
    ADMIT = "insert into admission (order_id, line_no, number, event_id, admitted_at, admitted_by)
        values ($1, $2, $3, $4, $5, $6)";
    TAKE_BACK = "delete from admission where order_id = $1 and line_no = $2 and number = $3";
}

/// Somebody was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Admitted {
    #[schema(minimum = 1)]
    pub order_id: i64,
    pub line_no: i64,
    /// Which of the line's tickets it is, counted from 1.
    pub number: i64,
    /// Tickets of the line, used or not.
    pub quantity: i64,
    /// Those with which somebody was let in by now.
    pub admitted: i64,
    /// Who bought it.
    pub buyer: String,
    /// What it was sold as.
    pub title: String,
    /// Such as "Standing".
    pub variant: String,
    #[schema(value_type = String, format = DateTime)]
    pub admitted_at: Timestamp,
}

/// Why nobody was let in, or why that was not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmissionRefused {
    NoSuchEvent,
    /// The event sells no tickets.
    NotTicketed,
    /// The shop has made no such code.
    UnknownCode,
    /// The ticket is for another event, or for none any more.
    OtherEvent {
        event: Option<(i64, String)>,
    },
    EventCancelled,
    /// Somebody was let in with it before.
    AlreadyAdmitted {
        at: Timestamp,
        by: String,
        buyer: String,
    },
    /// Nobody was let in with it: there is nothing to take back.
    NotAdmitted,
    NotPaid,
    OrderCancelled,
    OrderRefunded,
    /// The unit has come back.
    Returned,
    /// The event is on another day: the caller may insist.
    NotToday {
        opens_at: Timestamp,
        closes_at: Timestamp,
    },
}

/// Lets somebody in at an event's door. `any_day`: also on another day than the event's.
///
/// # Errors
/// The database's.
pub async fn admit(
    app: &App,
    caller: Caller,
    event_id: i64,
    typed: &str,
    any_day: bool,
) -> Result<Outcome<Admitted, AdmissionRefused>> {
    let Some(ticket) = app.tickets.signer(&app.db, &app.sealer).await?.ticket(typed) else {
        return Ok(Outcome::Refused(AdmissionRefused::UnknownCode));
    };
    let by = caller.account_id.expect("staff at the door have accounts");
    app.run(caller, Admit { event_id, ticket, any_day, by }).await
}

/// Takes back that somebody was let in, for a reason.
///
/// # Errors
/// The database's.
pub async fn take_back(
    app: &App,
    caller: Caller,
    event_id: i64,
    typed: &str,
    reason: String,
) -> Result<Outcome<(), AdmissionRefused>> {
    let Some(ticket) = app.tickets.signer(&app.db, &app.sealer).await?.ticket(typed) else {
        return Ok(Outcome::Refused(AdmissionRefused::UnknownCode));
    };
    app.run(caller, TakeBack { event_id, ticket, reason }).await
}

struct Admit {
    event_id: i64,
    ticket: Ticket,
    any_day: bool,
    by: i64,
}

struct TakeBack {
    event_id: i64,
    ticket: Ticket,
    reason: String,
}

/// What both commands load, in the order of the locks.
fn load(event_id: i64, ticket: Ticket) -> Vec<Statement> {
    let line = || vec![ticket.order_id.into(), ticket.line_no.into()];
    vec![
        Statement::new(&EVENT, vec![event_id.into()]),
        Statement::new(&ORDER, vec![ticket.order_id.into()]),
        Statement::new(&LINE, line()),
        Statement::new(&ADMITTED, line()),
    ]
}

/// The rows of [`load`].
struct Loaded {
    doorway: Doorway,
    buyer: String,
    title: String,
    variant: String,
    /// The event that the line's tickets are for.
    event: Option<(i64, String)>,
    line: Line,
    admissions: Vec<Admission>,
}

struct Admission {
    number: i64,
    at: Timestamp,
    by: String,
}

pub(super) fn read_doorway(row: &Row<'_>) -> Result<Doorway> {
    Ok(Doorway {
        id: row.get(0)?,
        title: row.get(1)?,
        venue: row.get(2)?,
        starts_at: row.get(3)?,
        ends_at: row.get(4)?,
        time_zone: row.get(5)?,
        cancelled: row.get(6)?,
        product_id: row.get(7)?,
    })
}

pub(super) fn read_status(row: &Row<'_>, column: usize) -> Result<Status> {
    let name: String = row.get(column)?;
    let broken = || Error::Decode { column, reason: format!("status {name:?}") };
    Status::from_name(&name).ok_or_else(broken)
}

impl Loaded {
    fn read(loaded: &[Rows]) -> Result<std::result::Result<Self, AdmissionRefused>> {
        let [events, orders, lines, admissions] = loaded else {
            unreachable!("every load has an answer")
        };
        let Some(event) = events.first() else { return Ok(Err(AdmissionRefused::NoSuchEvent)) };
        let doorway = read_doorway(&event)?;
        let Some(product_id) = doorway.product_id else {
            return Ok(Err(AdmissionRefused::NotTicketed));
        };
        // Of an order that is not there the shop has made no code, but an older copy of it may
        // have.
        let (Some(order), Some(line)) = (orders.first(), lines.first()) else {
            return Ok(Err(AdmissionRefused::UnknownCode));
        };
        let admissions = admissions
            .map(|row| Ok(Admission { number: row.get(0)?, at: row.get(1)?, by: row.get(2)? }))?;
        let admitted: BTreeSet<i64> = admissions.iter().map(|known| known.number).collect();
        let event_id: Option<i64> = line.get(5)?;
        let event = event_id.map(|id| Ok::<_, Error>((id, line.get(6)?))).transpose()?;
        Ok(Ok(Self {
            buyer: order.get(1)?,
            title: line.get(2)?,
            variant: line.get(3)?,
            event,
            line: Line {
                status: read_status(&order, 0)?,
                of_event: line.get::<i64>(1)? == product_id,
                quantity: line.get(0)?,
                returned: line.get(4)?,
                admitted,
            },
            doorway,
            admissions,
        }))
    }

    fn admission(&self, number: i64) -> Option<&Admission> {
        self.admissions.iter().find(|known| known.number == number)
    }

    /// What the decision's word means for whoever is at the door.
    fn refusal(&self, ticket: Ticket, refused: Refused) -> AdmissionRefused {
        match refused {
            Refused::NoSuchTicket => AdmissionRefused::UnknownCode,
            Refused::OtherEvent => AdmissionRefused::OtherEvent { event: self.event.clone() },
            Refused::EventCancelled => AdmissionRefused::EventCancelled,
            Refused::AlreadyAdmitted => {
                let known = self.admission(ticket.number).expect("the decision has seen it");
                AdmissionRefused::AlreadyAdmitted {
                    at: known.at,
                    by: known.by.clone(),
                    buyer: self.buyer.clone(),
                }
            }
            Refused::NotPaid => AdmissionRefused::NotPaid,
            Refused::OrderCancelled => AdmissionRefused::OrderCancelled,
            Refused::OrderRefunded => AdmissionRefused::OrderRefunded,
            Refused::Returned => AdmissionRefused::Returned,
            Refused::NotToday => {
                let door = self.doorway.door();
                AdmissionRefused::NotToday { opens_at: door.opens_at, closes_at: door.closes_at }
            }
        }
    }
}

fn key(ticket: Ticket) -> Vec<Value> {
    vec![ticket.order_id.into(), ticket.line_no.into(), ticket.number.into()]
}

/// Tells and records what became of a ticket.
fn record(
    changes: &mut Changes,
    topic: &'static str,
    (event_id, ticket): (i64, Ticket),
    reason: Option<&str>,
) {
    let Ticket { order_id, line_no, number } = ticket;
    let mut payload = json!({"order_id": order_id, "line_no": line_no, "number": number});
    if let Some(reason) = reason {
        payload["reason"] = reason.into();
    }
    changes.event(topic, "event", event_id, payload);
    let mut fields = json!({"ticket": [null, format!("{order_id}/{line_no}/{number}")]});
    if let Some(reason) = reason {
        fields = json!({"ticket": [format!("{order_id}/{line_no}/{number}"), null],
            "reason": [null, reason]});
    }
    changes.audit(topic, "event", event_id, fields);
}

impl Command for Admit {
    type Accepted = Admitted;
    type Refused = AdmissionRefused;
    const NAME: &'static str = "admit";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        load(self.event_id, self.ticket)
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Admitted, AdmissionRefused>> {
        let known = match Loaded::read(loaded)? {
            Ok(known) => known,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        let (ticket, door) = (self.ticket, known.doorway.door());
        let decided =
            admission::admit(&door, &known.line, ticket.number, changes.now, self.any_day);
        if let Err(refused) = decided {
            return Ok(Decision::Refuse(known.refusal(ticket, refused)));
        }
        let mut row = key(ticket);
        row.extend([self.event_id.into(), changes.now.into(), self.by.into()]);
        changes.store(Statement::new(&ADMIT, row));
        record(changes, "ticket.admitted", (self.event_id, ticket), None);
        Ok(Decision::Accept(Admitted {
            order_id: ticket.order_id,
            line_no: ticket.line_no,
            number: ticket.number,
            quantity: known.line.quantity,
            admitted: known.line.admitted.len() as i64 + 1,
            buyer: known.buyer,
            title: known.title,
            variant: known.variant,
            admitted_at: changes.now,
        }))
    }

    fn records_max(&self) -> i64 {
        1
    }
}

impl Command for TakeBack {
    type Accepted = ();
    type Refused = AdmissionRefused;
    const NAME: &'static str = "take_admission_back";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        load(self.event_id, self.ticket)
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), AdmissionRefused>> {
        let known = match Loaded::read(loaded)? {
            Ok(known) => known,
            Err(refused) => return Ok(Decision::Refuse(refused)),
        };
        if !known.line.of_event {
            let refused = known.refusal(self.ticket, Refused::OtherEvent);
            return Ok(Decision::Refuse(refused));
        }
        if known.admission(self.ticket.number).is_none() {
            return Ok(Decision::Refuse(AdmissionRefused::NotAdmitted));
        }
        changes.store(Statement::new(&TAKE_BACK, key(self.ticket)));
        record(changes, "ticket.taken_back", (self.event_id, self.ticket), Some(&self.reason));
        Ok(Decision::Accept(()))
    }

    fn records_max(&self) -> i64 {
        1
    }
}
