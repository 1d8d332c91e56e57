//! Shipments as they are read from the database and answered.
//!
//! Whom a shipment goes to and who pays for it is told by [`queries::find`] alone, to whoever owns
//! the channel and to staff who may see channels.

pub(super) mod api;
mod model;
pub mod queries;

pub use model::{Shipment, ShipmentItem, ShipmentSummary, TransportEvent};
