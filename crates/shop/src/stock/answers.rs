//! JSON shapes of stock.

use runout_core::stock::Level;
use serde::Serialize;
use utoipa::ToSchema;

/// The stock of one variant at one location.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelOut {
    pub id: i64,
    pub variant_id: i64,
    pub location_id: i64,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of these that are promised to orders.
    pub reserved: i64,
    /// Units that can be sold: on hand less reserved.
    pub available: i64,
}

impl From<&Level> for LevelOut {
    fn from(level: &Level) -> Self {
        Self {
            id: level.id.0,
            variant_id: level.variant.0,
            location_id: level.location.0,
            on_hand: level.on_hand,
            reserved: level.reserved,
            available: level.available(),
        }
    }
}

/// The levels that a receipt, adjustment or transfer has changed, as they stand after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Moved {
    pub levels: Vec<LevelOut>,
}

impl From<&[Level]> for Moved {
    fn from(levels: &[Level]) -> Self {
        Self { levels: levels.iter().map(LevelOut::from).collect() }
    }
}
