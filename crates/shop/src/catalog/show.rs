//! Records as pages show them: a tile among others, a page of its own.

use jiff::Timestamp;
use runout_core::stock::QUANTITY_MAX;

use super::browse::Browse;
use super::model::{Kind, Product, Variant};
use crate::pages::words::{count, day, price};
use crate::pages::{About, Ready};

/// So many units or fewer are a reason to hurry, and are told.
pub(super) const LOW_MAX: i64 = 5;
/// Units that a form offers at once.
const FORM_QUANTITY_MAX: i64 = 10;
/// Characters of what search engines and messengers show of a page.
const SUMMARY_CHARS_MAX: usize = 160;

/// A record among others.
#[derive(Debug)]
pub(super) struct Tile {
    pub address: String,
    pub cover: String,
    pub alt: String,
    pub title: String,
    pub artist: String,
    pub year: Option<i64>,
    /// Such as `from €12.50`.
    pub price: Option<String>,
    pub note: Option<Note>,
}

/// A word about availability, with the class of its colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub words: String,
    pub class: &'static str,
}

impl Note {
    fn new(words: impl Into<String>, class: &'static str) -> Self {
        Self { words: words.into(), class }
    }
}

/// Where a product is shown.
pub(super) fn address(id: i64) -> String {
    format!("/products/{id}")
}

/// The picture of a product of this version.
pub(super) fn cover_address(id: i64, version: i64) -> String {
    format!("/products/{id}/cover.svg?v={version}")
}

/// What a picture shows, for those who do not see it.
pub(super) fn alt(title: &str, artist: &str) -> String {
    if artist.is_empty() {
        format!("Cover: {title}")
    } else {
        format!("Cover: {title} by {artist}")
    }
}

fn artist_address(artist: &str) -> String {
    Browse { artist: artist.to_owned(), ..Browse::default() }.address()
}

/// Its release, if that is still to come.
fn coming(product: &Product, now: Timestamp) -> Option<Timestamp> {
    product.fields.release_at.filter(|at| *at > now)
}

impl Tile {
    pub(super) fn new(product: &Product, now: Timestamp) -> Self {
        let fields = &product.fields;
        Self {
            address: address(product.id),
            cover: cover_address(product.id, product.version),
            alt: alt(&fields.title, &fields.artist),
            title: fields.title.clone(),
            artist: fields.artist.clone(),
            year: fields.release_year,
            price: price_words(product),
            note: note(product, now),
        }
    }
}

fn price_words(product: &Product) -> Option<String> {
    let prices = product.variants.iter().filter_map(|variant| variant.price);
    let prices: Vec<_> = prices.map(|tag| tag.money()).collect();
    let least = prices.iter().min_by_key(|money| money.minor)?;
    let words = price(least.minor, least.currency);
    let differ = prices.iter().any(|money| money.minor != least.minor);
    Some(if differ { format!("from {words}") } else { words })
}

fn note(product: &Product, now: Timestamp) -> Option<Note> {
    if let Some(at) = coming(product, now) {
        return Some(Note::new(format!("Out {}", day(at)), "warn"));
    }
    let left: i64 = product.variants.iter().map(|variant| variant.available).sum();
    match left {
        ..=0 => Some(Note::new("Sold out", "bad")),
        1..=LOW_MAX => Some(Note::new(format!("{left} left"), "warn")),
        _ => None,
    }
}

/// A variant on its product's page.
#[derive(Debug)]
pub(super) struct Offer {
    pub variant_id: i64,
    pub title: String,
    pub price: Option<String>,
    pub note: Note,
    /// Greatest quantity of the form; none: it cannot be bought now.
    pub quantity_max: Option<i64>,
    pub limit: Option<String>,
}

impl Offer {
    fn new(product: &Product, variant: &Variant, now: Timestamp) -> Self {
        let coming = coming(product, now);
        let price = variant.price.map(|tag| price(tag.money().minor, tag.money().currency));
        let note = match (coming, variant.available) {
            (Some(at), _) => Note::new(format!("Out on {}", day(at)), "warn"),
            (None, ..=0) => Note::new("Sold out", "bad"),
            (None, left @ 1..=LOW_MAX) => {
                Note::new(format!("Only {} left", count(left, "copy", "copies")), "warn")
            }
            (None, _) => Note::new("In stock", "good"),
        };
        let can_be_bought = coming.is_none() && variant.available > 0 && price.is_some();
        let limits = [variant.fields.limit_per_order, variant.fields.limit_per_customer];
        let limit = limits.into_iter().flatten().min();
        let most = variant.available.min(limit.unwrap_or(QUANTITY_MAX)).min(FORM_QUANTITY_MAX);
        Self {
            variant_id: variant.id,
            title: if variant.fields.title.is_empty() {
                product.fields.title.clone()
            } else {
                variant.fields.title.clone()
            },
            price,
            note,
            quantity_max: can_be_bought.then_some(most.max(1)),
            limit: limit.map(|limit| format!("At most {limit} each")),
        }
    }
}

/// A name and a value of a record, perhaps with a way to more like it.
#[derive(Debug)]
pub(super) struct Detail {
    pub name: &'static str,
    pub value: String,
    pub link: Option<String>,
}

/// The middle of a product's page.
#[derive(Debug, askama::Template)]
#[template(path = "catalog/templates/product.html")]
pub(super) struct ProductPage {
    title: String,
    artist: String,
    artist_address: String,
    cover: String,
    alt: String,
    description: String,
    offers: Vec<Offer>,
    details: Vec<Detail>,
    json_ld: String,
}

impl ProductPage {
    pub(super) fn new(product: &Product, now: Timestamp) -> Self {
        let fields = &product.fields;
        let offers = product.variants.iter().map(|variant| Offer::new(product, variant, now));
        Self {
            title: fields.title.clone(),
            artist: fields.artist.clone(),
            artist_address: artist_address(&fields.artist),
            cover: cover_address(product.id, product.version),
            alt: alt(&fields.title, &fields.artist),
            description: fields.description.clone(),
            offers: offers.collect(),
            details: details(product),
            json_ld: json_ld(product, now),
        }
    }

    /// What stands around the middle.
    pub(super) fn about(product: &Product) -> About {
        let fields = &product.fields;
        let title = match fields.artist.as_str() {
            "" => fields.title.clone(),
            artist => format!("{} by {artist}", fields.title),
        };
        let described = fields.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = if described.is_empty() {
            let year = fields.release_year.map(|year| format!(" ({year})")).unwrap_or_default();
            format!("{title}{year}: price, stock and ordering.")
        } else {
            described
        };
        let description = words.chars().take(SUMMARY_CHARS_MAX).collect();
        About { title, description, canonical: address(product.id) }
    }

    pub(super) fn ready(product: &Product, now: Timestamp) -> Result<Ready, askama::Error> {
        Ready::new(Self::about(product), &Self::new(product, now))
    }
}

fn details(product: &Product) -> Vec<Detail> {
    let fields = &product.fields;
    let mut details = Vec::new();
    let mut add = |name, value: String, filter: Option<Browse>| {
        if !value.is_empty() {
            details.push(Detail { name, value, link: filter.map(|filter| filter.address()) });
        }
    };
    let year = fields.release_year;
    let style = Browse { style: fields.style.clone(), ..Browse::default() };
    let decade = Browse { decade: year.map(|year| year / 10 * 10), ..Browse::default() };
    add("Style", fields.style.clone(), Some(style));
    add("Year", year.map(|year| year.to_string()).unwrap_or_default(), Some(decade));
    add("Label", fields.label.clone(), None);
    add("Catalogue number", fields.catalogue_number.clone(), None);
    if let Ok(serde_json::Value::Object(map)) = serde_json::from_str(fields.attributes.text()) {
        for (name, value) in map {
            // Only what a person reads as it stands; names are staff's own words.
            if let (Some(name), Some(value)) = (attribute_name(&name), value.as_str()) {
                add(name, value.to_owned(), None);
            }
        }
    }
    details
}

/// Attributes that imports know.
fn attribute_name(name: &str) -> Option<&'static str> {
    match name {
        "subgenre" | "subgenres" => Some("More styles"),
        "format" => Some("Format"),
        "condition" => Some("Condition"),
        "country" => Some("Country"),
        _ => None,
    }
}

/// What search engines read (schema.org); no character of it can end the script's element.
fn json_ld(product: &Product, now: Timestamp) -> String {
    let fields = &product.fields;
    let offers: Vec<serde_json::Value> = product
        .variants
        .iter()
        .filter_map(|variant| {
            let money = variant.price?.money();
            let available = match (coming(product, now), variant.available) {
                (Some(_), _) => "PreOrder",
                (None, ..=0) => "SoldOut",
                (None, 1..=LOW_MAX) => "LimitedAvailability",
                (None, _) => "InStock",
            };
            Some(serde_json::json!({
                "@type": "Offer",
                "sku": variant.fields.sku,
                "price": money.to_string(),
                "priceCurrency": money.currency.code(),
                "availability": format!("https://schema.org/{available}"),
            }))
        })
        .collect();
    let mut about = serde_json::json!({
        "@context": "https://schema.org",
        "@type": "Product",
        "name": fields.title,
        "url": address(product.id),
        "image": cover_address(product.id, product.version),
        "offers": offers,
    });
    if fields.kind == Kind::Disc && !fields.artist.is_empty() {
        about["brand"] = serde_json::json!({"@type": "Brand", "name": fields.artist});
    }
    let text = about.to_string();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
