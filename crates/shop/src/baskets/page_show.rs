//! Baskets as the pages show them.

use std::collections::HashMap;

use jiff::Timestamp;
use runout_store::Result;

use super::show::{BasketLineOut, BasketOut};
use crate::App;
use crate::catalog::{Pictured, pictured};
use crate::pages::words::{clock, count, price_in};

/// Units that a form of the basket offers.
const FORM_QUANTITY_MAX: i64 = 99;

/// The end of a hold.
#[derive(Debug)]
pub(super) struct Hold {
    /// For programs.
    pub until: String,
    /// The hour and minute in UTC.
    pub until_words: String,
    pub left: String,
}

/// A line of a basket.
#[derive(Debug)]
pub(super) struct LineShown {
    pub variant_id: i64,
    pub title: String,
    pub variant_title: String,
    pub picture: Option<Pictured>,
    pub quantity: i64,
    pub quantity_max: i64,
    pub unit_price: String,
    pub total: String,
    pub hold: Option<Hold>,
    /// What is wrong with it.
    pub trouble: Option<String>,
    pub new_price: Option<String>,
}

impl LineShown {
    fn new(line: BasketLineOut, currency: &str, picture: Option<Pictured>) -> Self {
        let hold = line.expires_at.map(|at| Hold {
            until: at.to_string(),
            until_words: at.strftime("%H:%M").to_string(),
            left: clock(line.seconds_left.unwrap_or(0)),
        });
        let new_price = line.price_now_minor.filter(|_| line.price_changed);
        Self {
            variant_id: line.variant_id,
            trouble: trouble(&line),
            quantity: line.quantity,
            quantity_max: line.available.clamp(line.quantity, FORM_QUANTITY_MAX.max(line.quantity)),
            unit_price: price_in(line.unit_price_minor, currency),
            total: price_in(line.total_minor, currency),
            new_price: new_price.map(|minor| price_in(minor, currency)),
            title: line.title,
            variant_title: line.variant_title,
            picture,
            hold,
        }
    }
}

fn trouble(line: &BasketLineOut) -> Option<String> {
    if line.price_now_minor.is_none() {
        return Some("This cannot be bought now. Remove it to go on.".to_owned());
    }
    if line.held >= line.quantity {
        return None;
    }
    Some(match (line.short, line.available) {
        (true, ..=0) => "Gone: your time ran out, and somebody else has it.".to_owned(),
        (true, left) => {
            let left = count(left, "copy is", "copies are");
            format!("Your time ran out, and only {left} left.")
        }
        (false, _) => "Your time ran out. It is still here: hold it again.".to_owned(),
    })
}

/// A basket with something in it.
#[derive(Debug)]
pub(super) struct BasketShown {
    pub id: i64,
    pub lines: Vec<LineShown>,
    pub goods: String,
    pub discount_code: Option<String>,
    /// What the code takes off; none: nothing.
    pub discount: Option<String>,
    pub total: String,
    /// The server's clock, for programs.
    pub now: String,
    pub has_trouble: bool,
    /// Some lines could be kept with fewer units, or without them.
    pub can_be_trimmed: bool,
}

impl BasketShown {
    /// None: there is nothing in it.
    pub(super) async fn new(app: &App, basket: BasketOut, now: Timestamp) -> Result<Option<Self>> {
        if basket.lines.is_empty() {
            return Ok(None);
        }
        let variants = basket.lines.iter().map(|line| line.variant_id).collect();
        let mut pictures: HashMap<i64, Pictured> = pictured(&app.db, variants).await?;
        let currency = basket.currency;
        let can_be_trimmed = basket.lines.iter().any(|line| line.short);
        let lines: Vec<LineShown> = basket
            .lines
            .into_iter()
            .map(|line| {
                let picture = pictures.remove(&line.variant_id);
                LineShown::new(line, &currency, picture)
            })
            .collect();
        let minor = basket.discount_minor;
        Ok(Some(Self {
            id: basket.id,
            goods: price_in(basket.goods_minor, &currency),
            discount_code: basket.discount_code,
            discount: (minor > 0).then(|| price_in(minor, &currency)),
            total: price_in(basket.total_minor, &currency),
            now: now.to_string(),
            has_trouble: lines.iter().any(|line| line.trouble.is_some()),
            can_be_trimmed,
            lines,
        }))
    }
}
