//! What is shipped from here for an order that came from a channel.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most items of one parcel, by the provider's rule.
pub const ITEMS_MAX: usize = 100;
/// Longest reference, in characters, by the provider's rule.
pub const REFERENCE_CHARS_MAX: usize = 90;

/// An item of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParcelItem {
    /// The provider's number of the ordered item.
    #[schema(min_length = 1, max_length = 100, example = "2012345678")]
    pub order_item_id: String,
    /// Null: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 999)]
    pub quantity: Option<u32>,
}

/// How a parcel goes: with a label bought from the provider, or by a transporter of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carriage {
    Label(String),
    Transporter { code: String, track_and_trace: Option<String> },
}

/// What the provider is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    pub items: Vec<ParcelItem>,
    pub reference: Option<String>,
    pub carriage: Carriage,
}
