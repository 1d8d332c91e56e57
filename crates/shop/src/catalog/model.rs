//! Products and variants, as they are stored and as they are answered.

use std::str::FromStr;

use jiff::Timestamp;
use runout_core::money::Currency;
use runout_store::{Error, Result, Row};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::pricing::PriceTag;

/// What a product is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProductKind)]
pub enum Kind {
    #[default]
    Disc,
    Ticket,
    Merch,
    Other,
}

impl Kind {
    /// Its name in the database and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Disc => "disc",
            Kind::Ticket => "ticket",
            Kind::Merch => "merch",
            Kind::Other => "other",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Kind::Disc, Kind::Ticket, Kind::Merch, Kind::Other]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("{name:?} is no kind of product"))
    }
}

/// A JSON object of whatever a shop wants to note on a product.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Attributes(Box<RawValue>);

impl Attributes {
    pub fn new(map: &Map<String, Value>) -> Self {
        Self(serde_json::value::to_raw_value(map).expect("a map of JSON values is JSON"))
    }

    /// The object as JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    fn read(text: String) -> Result<Self> {
        let broken =
            |error: serde_json::Error| Error::Decode { column: 9, reason: error.to_string() };
        RawValue::from_string(text).map(Self).map_err(broken)
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::new(&Map::new())
    }
}

/// What staff say about a product.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ProductFields {
    pub kind: Kind,
    #[schema(min_length = 1, max_length = 300)]
    pub title: String,
    #[schema(max_length = 300)]
    pub artist: String,
    #[schema(required = true, minimum = 1860, maximum = 2100)]
    pub release_year: Option<i64>,
    #[schema(max_length = 300)]
    pub style: String,
    #[schema(max_length = 300)]
    pub label: String,
    #[schema(max_length = 300)]
    pub catalogue_number: String,
    #[schema(max_length = 20_000)]
    pub description: String,
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// Only staff see a product that is not enabled, and nobody can buy it.
    pub enabled: bool,
    /// Orders before this moment are refused.
    #[schema(required = true)]
    pub release_at: Option<Timestamp>,
    /// Which tax rates apply, with the buyer's country.
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_-]+$")]
    pub tax_class: String,
}

impl ProductFields {
    /// The words that a search finds the product by.
    pub fn search_text(&self) -> String {
        super::search::fold(&[&self.title, &self.artist, &self.style, &self.label])
    }
}

/// A product with its variants: the answer that clients get.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Product {
    pub id: i64,
    #[serde(flatten)]
    pub fields: ProductFields,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Only on deleted products, which only staff see.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub deleted_at: Option<Timestamp>,
    /// The default variant comes first.
    pub variants: Vec<Variant>,
    /// Grows with every change of the product or of its variants; the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// What staff say about a variant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct VariantFields {
    #[schema(min_length = 1, max_length = 64)]
    pub sku: String,
    /// Empty for the default variant of a simple product.
    #[schema(max_length = 300)]
    pub title: String,
    /// Units that one order may take.
    #[schema(required = true, minimum = 1, maximum = 10_000)]
    pub limit_per_order: Option<i64>,
    /// Units that one customer may take, over all orders.
    #[schema(required = true, minimum = 1, maximum = 10_000)]
    pub limit_per_customer: Option<i64>,
    /// How long a basket holds it; null: as long as the shop says.
    #[schema(required = true, minimum = 1, maximum = 86_400)]
    pub hold_seconds: Option<i64>,
}

/// A variant: a product in one form, with a price and stock of its own.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Variant {
    pub id: i64,
    #[serde(flatten)]
    pub fields: VariantFields,
    /// The price that counts now, in the asked currency; null if there is none.
    #[schema(required = true)]
    pub price: Option<PriceTag>,
    /// Units that can be sold now, over all active locations.
    #[schema(minimum = 0)]
    pub available: i64,
    #[serde(skip)]
    pub is_default: bool,
    #[serde(skip)]
    pub version: i64,
}

impl Product {
    /// A product that is being made, without variants.
    pub fn new(id: i64, fields: ProductFields, now: Timestamp) -> Self {
        Self {
            id,
            fields,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            variants: Vec::new(),
            version: 1,
        }
    }

    /// Its first row, without the variant that stands in it too; columns as
    /// [`select`](super::queries::select) has them.
    fn read(row: &Row<'_>) -> Result<Self> {
        let kind = row.get::<String>(1)?;
        let fields = ProductFields {
            kind: kind.parse().map_err(|reason| Error::Decode { column: 1, reason })?,
            title: row.get(2)?,
            artist: row.get(3)?,
            release_year: row.get(4)?,
            style: row.get(5)?,
            label: row.get(6)?,
            catalogue_number: row.get(7)?,
            description: String::new(),
            attributes: Attributes::default(),
            enabled: row.get(10)?,
            release_at: row.get(11)?,
            tax_class: row.get(25)?,
        };
        let mut product = Self {
            id: row.get(0)?,
            fields,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
            deleted_at: row.get(14)?,
            version: row.get(15)?,
            variants: Vec::with_capacity(1),
        };
        product.read_long_texts(row)?;
        Ok(product)
    }

    /// Reads the texts that come with the default variant's row only.
    fn read_long_texts(&mut self, row: &Row<'_>) -> Result<()> {
        if let Some(description) = row.get(8)? {
            self.fields.description = description;
        }
        if let Some(text) = row.get(9)? {
            self.fields.attributes = Attributes::read(text)?;
        }
        Ok(())
    }
}

impl Variant {
    fn read(row: &Row<'_>, currency: Currency) -> Result<Option<Self>> {
        let Some(id) = row.get(16)? else { return Ok(None) };
        let price = row.get::<Option<i64>>(23)?;
        Ok(Some(Self {
            id,
            fields: VariantFields {
                sku: row.get(17)?,
                title: row.get(18)?,
                limit_per_order: row.get(19)?,
                limit_per_customer: row.get(20)?,
                hold_seconds: row.get(26)?,
            },
            is_default: row.get(21)?,
            version: row.get(22)?,
            price: price.map(|minor| PriceTag::new(minor, currency)),
            available: row.get(24)?,
        }))
    }
}

/// Puts products together from rows of one variant each, whatever their order.
#[derive(Debug)]
pub struct Assembler {
    currency: Currency,
    products: Vec<Product>,
}

impl Assembler {
    pub fn new(currency: Currency, capacity: usize) -> Self {
        Self { currency, products: Vec::with_capacity(capacity) }
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// When the row is broken.
    pub fn row(&mut self, row: &Row<'_>) -> Result<()> {
        let id: i64 = row.get(0)?;
        // Rows of one product mostly stand together, and a page has few: no map is needed.
        let known = self.products.iter().rposition(|product| product.id == id);
        let index = known.unwrap_or(self.products.len());
        if known.is_none() {
            self.products.push(Product::read(row)?);
        }
        let Some(variant) = Variant::read(row, self.currency)? else { return Ok(()) };
        let product = &mut self.products[index];
        if known.is_some() && variant.is_default {
            // Its row brings the long texts.
            product.read_long_texts(row)?;
        }
        product.variants.push(variant);
        Ok(())
    }

    /// The products as their first rows came; of each, the default variant first.
    pub fn finish(mut self) -> Vec<Product> {
        for product in &mut self.products {
            product.variants.sort_unstable_by_key(|variant| (!variant.is_default, variant.id));
        }
        self.products
    }
}

/// What differs between two states of a thing, field by field: `{"title": ["old", "new"]}`.
pub fn changed<T: Serialize>(before: &T, after: &T) -> Map<String, Value> {
    let (before, after) = (object(before), object(after));
    after
        .into_iter()
        .filter_map(|(name, after)| {
            let before = before.get(&name).cloned().unwrap_or(Value::Null);
            (before != after).then(|| (name, Value::Array(vec![before, after])))
        })
        .collect()
}

/// The fields of a new thing as changes from nothing.
pub fn all_new<T: Serialize>(after: &T) -> Map<String, Value> {
    let pair = |(name, after)| (name, Value::Array(vec![Value::Null, after]));
    object(after).into_iter().map(pair).collect()
}

/// A plain struct as a JSON object.
pub fn object<T: Serialize>(thing: &T) -> Map<String, Value> {
    match serde_json::to_value(thing) {
        Ok(Value::Object(map)) => map,
        _ => unreachable!("structs of plain fields are JSON objects"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_named_field_by_field() {
        let attributes = |text: &str| Attributes::read(text.to_owned()).expect("JSON");
        let before = ProductFields {
            title: "One".to_owned(),
            attributes: attributes(r#"{"a": 1, "b": 2}"#),
            ..ProductFields::default()
        };
        let same = ProductFields { attributes: attributes(r#"{"b":2,"a":1}"#), ..before.clone() };
        assert!(changed(&before, &same).is_empty(), "the order of keys does not count");
        let after = ProductFields { release_year: Some(1980), ..same };
        let expected = json!({"release_year": [null, 1980]});
        assert_eq!(Value::Object(changed(&before, &after)), expected);
        assert_eq!(all_new(&after)["title"], json!([null, "One"]));
    }
}
