//! What an event sells: the product whose variants are its tickets.
//!
//! Lock order: the event. A product is the tickets of one event at most.

use runout_store::{Result, Rows, Statement};
use serde_json::json;

use super::sql::{LINK, ORDERED, PRODUCT};
use crate::App;
use crate::catalog::model::Kind;
use crate::events::commands::LOCK;
use crate::events::model::Event;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};
use crate::platform::etag::IfMatch;

/// Why an event does not sell that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkRefused {
    NoSuchEvent,
    /// It has another version than the caller expects.
    Changed,
    EventCancelled,
    /// They came for nothing, and would not have tickets.
    PeopleSignedUp {
        count: i64,
    },
    NoSuchProduct,
    /// The product is no ticket.
    NoTicket,
    /// The product is another event's tickets.
    Taken {
        event_id: i64,
    },
    /// Tickets of the product that it sells now were ordered.
    TicketsOrdered,
}

/// Has an event sell the variants of a product as its tickets; none: people sign up again.
///
/// # Errors
/// The database's.
pub async fn link(
    app: &App,
    caller: Caller,
    event_id: i64,
    product_id: Option<i64>,
    if_match: IfMatch,
) -> Result<Outcome<Event, LinkRefused>> {
    app.run(caller, Link { event_id, product_id, if_match }).await
}

struct Link {
    event_id: i64,
    product_id: Option<i64>,
    if_match: IfMatch,
}

impl Link {
    /// Whether the event may sell anything else than now.
    fn free(&self, event: &Event, ordered: Option<&Rows>) -> Result<Option<LinkRefused>> {
        let summary = &event.summary;
        let count = summary.attending + summary.waiting;
        Ok(if summary.cancelled_at.is_some() {
            Some(LinkRefused::EventCancelled)
        } else if count > 0 {
            Some(LinkRefused::PeopleSignedUp { count })
        } else if read_bool(ordered)? {
            Some(LinkRefused::TicketsOrdered)
        } else {
            None
        })
    }

    /// Whether the product may be the event's tickets.
    fn fits(&self, product: Option<&Rows>) -> Result<Option<LinkRefused>> {
        let Some(rows) = product else { return Ok(None) };
        let Some(row) = rows.first() else { return Ok(Some(LinkRefused::NoSuchProduct)) };
        let of: Option<i64> = row.get(1)?;
        Ok(if row.get::<String>(0)? != Kind::Ticket.name() {
            Some(LinkRefused::NoTicket)
        } else {
            of.map(|event_id| LinkRefused::Taken { event_id })
        })
    }
}

fn read_bool(rows: Option<&Rows>) -> Result<bool> {
    rows.and_then(Rows::first).map_or(Ok(false), |row| row.get(0))
}

impl Command for Link {
    type Accepted = Event;
    type Refused = LinkRefused;
    const NAME: &'static str = "link_event";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.event_id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Event, LinkRefused>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(LinkRefused::NoSuchEvent));
        };
        let mut event = Event::read(&row)?;
        if !self.if_match.allows(event.version) {
            return Ok(Decision::Refuse(LinkRefused::Changed));
        }
        let before = event.summary.product_id;
        if before == self.product_id {
            return Ok(Decision::Accept(event));
        }
        let rest = &loaded[1..];
        if rest.is_empty() {
            let product = self.product_id.map(|id| Statement::new(&PRODUCT, vec![id.into()]));
            let ordered = before.map(|id| Statement::new(&ORDERED, vec![id.into()]));
            return Ok(Decision::Load(product.into_iter().chain(ordered).collect()));
        }
        let (product, ordered) = match (self.product_id, rest) {
            (Some(_), [product, ordered @ ..]) => (Some(product), ordered.first()),
            (_, others) => (None, others.first()),
        };
        if let Some(refused) = self.free(&event, ordered)? {
            return Ok(Decision::Refuse(refused));
        }
        if let Some(refused) = self.fits(product)? {
            return Ok(Decision::Refuse(refused));
        }
        let row = vec![self.event_id.into(), self.product_id.into(), changes.now.into()];
        changes.store(Statement::new(&LINK, row));
        event.summary.product_id = self.product_id;
        event.version += 1;
        event.updated_at = changes.now;
        changes.event("event.updated", "event", self.event_id, json!(event));
        let fields = json!({"product_id": [before, self.product_id]});
        changes.audit("event.link", "event", self.event_id, fields);
        Ok(Decision::Accept(event))
    }

    fn records_max(&self) -> i64 {
        1
    }
}
