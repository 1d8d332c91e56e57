//! Tickets: what an event sells, and who was let in with them.
//!
//! Owns the table `admission`. An event that sells tickets has a product; each of its variants
//! (standing, seated) is sold as everything else is, with stock for its capacity. What always
//! holds:
//!
//! - A ticket is a unit of a line of an order, known by a code that only this database can make,
//!   see [`code`]. It has no row of its own until somebody was let in with it.
//! - A ticket admits once: whoever lets in holds the order's lock, and the row's key is the ticket.
//!   So no two doors let in with one ticket, and no refund slips between.
//! - Nobody is let in with a ticket of an order that is not paid, or whose money or goods went
//!   back, see [`runout_core::admission`].
//!
//! Lock order: the event (shared), then the order.

mod api;
pub mod code;
pub mod commands;
mod door_pages;
pub mod link;
mod pages;
mod pdf;
mod qr;
pub mod queries;
mod refusals;
mod sql;

use axum::Router;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use runout_core::admission::Door;
use runout_store::{Db, Error, Sql};
use tokio::sync::OnceCell;

use crate::App;
use crate::platform::seal::Sealer;

pub(crate) use api::router;
use code::Signer;

/// What signs this database's tickets, read once.
#[derive(Debug, Default)]
pub struct TicketSecret(OnceCell<Signer>);

impl TicketSecret {
    /// # Errors
    /// The database's.
    pub async fn signer(&self, db: &Db, sealer: &Sealer) -> Result<&Signer, Error> {
        self.0.get_or_try_init(|| queries::signer(db, sealer)).await
    }
}

/// An event as its door sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorway {
    pub id: i64,
    pub title: String,
    pub venue: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// IANA name.
    pub time_zone: String,
    pub cancelled: bool,
    /// None: it sells no tickets.
    pub product_id: Option<i64>,
}

impl Doorway {
    /// The zone of the venue; UTC if this machine does not know it.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// When it begins, as the clock at the venue shows it.
    pub fn when(&self) -> String {
        let starts = self.starts_at.to_zoned(self.zone());
        format!("{} ({})", starts.strftime("%A %-d %B %Y, %H:%M"), self.time_zone)
    }

    /// From midnight before the start to midnight after the end, where the event takes place.
    pub fn door(&self) -> Door {
        let zone = self.zone();
        let midnight = |moment: Timestamp, days: i64| {
            let date = moment.to_zoned(zone.clone()).date();
            let date = date.checked_add(days.days()).unwrap_or(date);
            date.to_zoned(zone.clone()).map_or(moment, |midnight| midnight.timestamp())
        };
        Door {
            cancelled: self.cancelled,
            opens_at: midnight(self.starts_at, 0),
            closes_at: midnight(self.ends_at, 1),
        }
    }
}

/// The pages of tickets and of doors.
pub(crate) fn pages() -> Router<App> {
    pages::router().merge(door_pages::router())
}

/// Every statement of tickets.
pub(crate) fn statements() -> Vec<&'static Sql> {
    [commands::STATEMENTS, queries::STATEMENTS, sql::STATEMENTS].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_that_of_the_venue() {
        let doorway = |starts_at: &str, ends_at: &str, zone: &str| {
            let moment = |text: &str| text.parse().expect("a moment");
            Doorway {
                id: 1,
                title: String::new(),
                venue: String::new(),
                starts_at: moment(starts_at),
                ends_at: moment(ends_at),
                time_zone: zone.to_owned(),
                cancelled: false,
                product_id: Some(1),
            }
        };
        for (starts_at, ends_at, zone, opens_at, closes_at) in [
            (
                "2026-11-21T19:00:00Z",
                "2026-11-21T21:00:00Z",
                "Europe/Berlin",
                "2026-11-20T23:00:00Z",
                "2026-11-21T23:00:00Z",
            ),
            // Past midnight it is still the event's night; in October a day has 25 hours.
            (
                "2026-10-24T20:00:00Z",
                "2026-10-25T03:00:00Z",
                "Europe/Berlin",
                "2026-10-23T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                "2026-11-21T19:00:00Z",
                "2026-11-21T19:00:00Z",
                "Nowhere/Atlantis",
                "2026-11-21T00:00:00Z",
                "2026-11-22T00:00:00Z",
            ),
        ] {
            let door = doorway(starts_at, ends_at, zone).door();
            assert_eq!(door.opens_at.to_string(), opens_at);
            assert_eq!(door.closes_at.to_string(), closes_at);
        }
    }
}
