//! What staff send: new products and variants, and patches of them.
//!
//! In a patch an absent field stays, `null` empties a field that can be empty, a value replaces.

use std::collections::HashSet;

use garde::Validate;
use jiff::Timestamp;
use runout_core::tax::{CLASS_DEFAULT, is_class};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::VARIANTS_MAX;
use super::model::{Attributes, Kind, ProductFields, VariantFields};
use crate::pricing::{NewPrice, PriceSpec, sane_time, to_micros};

/// Bytes of a product's attributes, as JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;
/// Arrays and objects inside each other in a product's attributes.
pub const ATTRIBUTES_DEPTH_MAX: usize = 8;
/// Longest time that a basket may hold a variant: a day.
pub const HOLD_SECONDS_MAX: i64 = 86_400;
/// Prices that one new variant may bring.
pub const PRICES_MAX: usize = 20;

/// A product to add. A simple product gives `sku` and `price` itself; one in several forms gives
/// `variants`, of which the first becomes the default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[garde(custom(one_way_of_variants))]
pub struct NewProduct {
    #[garde(skip)]
    pub kind: Kind,
    #[garde(length(chars, max = 300), custom(not_blank))]
    #[schema(required = true, min_length = 1, max_length = 300)]
    pub title: String,
    #[garde(length(chars, max = 300))]
    #[schema(max_length = 300)]
    pub artist: String,
    #[garde(range(min = 1860, max = 2100))]
    #[schema(minimum = 1860, maximum = 2100)]
    pub release_year: Option<i64>,
    #[garde(length(chars, max = 300))]
    #[schema(max_length = 300)]
    pub style: String,
    #[garde(length(chars, max = 300))]
    #[schema(max_length = 300)]
    pub label: String,
    #[garde(length(chars, max = 300))]
    #[schema(max_length = 300)]
    pub catalogue_number: String,
    #[garde(length(chars, max = 20_000))]
    #[schema(max_length = 20_000)]
    pub description: String,
    /// An object of at most 16 KiB, at most 8 levels deep.
    #[garde(custom(bounded_attributes))]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// True if absent.
    #[garde(skip)]
    #[schema(default = true)]
    pub enabled: Option<bool>,
    #[garde(inner(custom(sane_time)))]
    pub release_at: Option<Timestamp>,
    /// `standard` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(plain_class)))]
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_-]+$")]
    pub tax_class: Option<String>,
    /// Made from the product's id if absent.
    #[garde(inner(length(chars, max = 64), custom(sku_characters)))]
    #[schema(min_length = 1, max_length = 64, pattern = r"^\S(.*\S)?$")]
    pub sku: Option<String>,
    #[garde(dive)]
    pub price: Option<NewPrice>,
    #[garde(length(max = VARIANTS_MAX), dive, custom(different_skus))]
    #[schema(max_items = 100)]
    pub variants: Vec<NewVariant>,
}

/// A variant to add.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewVariant {
    /// Made from the ids of product and variant if absent.
    #[garde(inner(length(chars, max = 64), custom(sku_characters)))]
    #[schema(min_length = 1, max_length = 64, pattern = r"^\S(.*\S)?$")]
    pub sku: Option<String>,
    #[garde(length(chars, max = 300))]
    #[schema(max_length = 300)]
    pub title: String,
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit_per_order: Option<i64>,
    #[garde(range(min = 1, max = 10_000))]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit_per_customer: Option<i64>,
    /// How long a basket holds it; as long as the shop says, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 1, max = HOLD_SECONDS_MAX))]
    #[schema(minimum = 1, maximum = 86_400)]
    pub hold_seconds: Option<i64>,
    #[garde(length(max = PRICES_MAX), dive, custom(different_moments))]
    #[schema(max_items = 20)]
    pub prices: Vec<NewPrice>,
}

/// A variant that was found valid, with its prices.
#[derive(Debug, Clone, Default)]
pub struct VariantSpec {
    /// `None`: to be made from the ids.
    pub sku: Option<String>,
    pub title: String,
    pub limit_per_order: Option<i64>,
    pub limit_per_customer: Option<i64>,
    pub hold_seconds: Option<i64>,
    pub prices: Vec<PriceSpec>,
}

impl NewProduct {
    pub fn fields(&self) -> ProductFields {
        ProductFields {
            kind: self.kind,
            title: self.title.clone(),
            artist: self.artist.clone(),
            release_year: self.release_year,
            style: self.style.clone(),
            label: self.label.clone(),
            catalogue_number: self.catalogue_number.clone(),
            description: self.description.clone(),
            attributes: Attributes::new(&self.attributes),
            enabled: self.enabled.unwrap_or(true),
            release_at: self.release_at.map(to_micros),
            tax_class: self.tax_class.clone().unwrap_or_else(|| CLASS_DEFAULT.to_owned()),
        }
    }

    /// At least one; the first is the default.
    ///
    /// # Panics
    /// When a price was not validated.
    pub fn variants(&self) -> Vec<VariantSpec> {
        if self.variants.is_empty() {
            let prices = self.price.iter().map(NewPrice::spec).collect();
            return vec![VariantSpec { sku: self.sku.clone(), prices, ..VariantSpec::default() }];
        }
        self.variants.iter().map(NewVariant::spec).collect()
    }
}

impl NewVariant {
    /// # Panics
    /// When a price was not validated.
    pub fn spec(&self) -> VariantSpec {
        VariantSpec {
            sku: self.sku.clone(),
            title: self.title.clone(),
            limit_per_order: self.limit_per_order,
            limit_per_customer: self.limit_per_customer,
            hold_seconds: self.hold_seconds,
            prices: self.prices.iter().map(NewPrice::spec).collect(),
        }
    }
}

/// Changes of a product. Absent fields stay; `null` empties those that can be empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProductPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    #[schema(nullable = false)]
    pub kind: Option<Kind>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, max = 300), custom(not_blank)))]
    #[schema(nullable = false, min_length = 1, max_length = 300)]
    pub title: Option<String>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(length(chars, max = 300))))]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub artist: Option<Option<String>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(range(min = 1860, max = 2100))))]
    #[schema(value_type = Option<i64>, minimum = 1860, maximum = 2100)]
    pub release_year: Option<Option<i64>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(length(chars, max = 300))))]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub style: Option<Option<String>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(length(chars, max = 300))))]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub label: Option<Option<String>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(length(chars, max = 300))))]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub catalogue_number: Option<Option<String>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(length(chars, max = 20_000))))]
    #[schema(value_type = Option<String>, max_length = 20_000)]
    pub description: Option<Option<String>>,
    /// Replaces the whole object.
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(custom(bounded_attributes))))]
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<Option<Map<String, Value>>>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(custom(sane_time))))]
    #[schema(value_type = Option<Timestamp>)]
    pub release_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(plain_class)))]
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = "^[a-z0-9_-]+$")]
    pub tax_class: Option<String>,
}

impl ProductPatch {
    /// The fields after the patch.
    pub fn apply(&self, before: &ProductFields) -> ProductFields {
        let mut after = before.clone();
        let set = |field: &mut String, patch: &Option<Option<String>>| {
            if let Some(value) = patch {
                *field = value.clone().unwrap_or_default();
            }
        };
        set(&mut after.artist, &self.artist);
        set(&mut after.style, &self.style);
        set(&mut after.label, &self.label);
        set(&mut after.catalogue_number, &self.catalogue_number);
        set(&mut after.description, &self.description);
        if let Some(kind) = self.kind {
            after.kind = kind;
        }
        if let Some(title) = &self.title {
            after.title.clone_from(title);
        }
        if let Some(release_year) = self.release_year {
            after.release_year = release_year;
        }
        if let Some(attributes) = &self.attributes {
            after.attributes = attributes.as_ref().map(Attributes::new).unwrap_or_default();
        }
        if let Some(enabled) = self.enabled {
            after.enabled = enabled;
        }
        if let Some(release_at) = self.release_at {
            after.release_at = release_at.map(to_micros);
        }
        if let Some(tax_class) = &self.tax_class {
            after.tax_class.clone_from(tax_class);
        }
        after
    }
}

/// Changes of a variant. Absent fields stay; `null` lifts a limit or empties the title.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VariantPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(chars, max = 64), custom(sku_characters)))]
    #[schema(nullable = false, min_length = 1, max_length = 64, pattern = r"^\S(.*\S)?$")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(length(chars, max = 300))))]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub title: Option<Option<String>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(range(min = 1, max = 10_000))))]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 10_000)]
    pub limit_per_order: Option<Option<i64>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(range(min = 1, max = 10_000))))]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 10_000)]
    pub limit_per_customer: Option<Option<i64>>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[garde(inner(inner(range(min = 1, max = HOLD_SECONDS_MAX))))]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 86_400)]
    pub hold_seconds: Option<Option<i64>>,
}

impl VariantPatch {
    /// The fields after the patch.
    pub fn apply(&self, before: &VariantFields) -> VariantFields {
        let mut after = before.clone();
        if let Some(sku) = &self.sku {
            after.sku.clone_from(sku);
        }
        if let Some(title) = &self.title {
            after.title = title.clone().unwrap_or_default();
        }
        if let Some(limit) = self.limit_per_order {
            after.limit_per_order = limit;
        }
        if let Some(limit) = self.limit_per_customer {
            after.limit_per_customer = limit;
        }
        if let Some(hold_seconds) = self.hold_seconds {
            after.hold_seconds = hold_seconds;
        }
        after
    }
}

/// A field that may be absent but not null.
pub(crate) fn value<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A field that may be absent (`None`), null (`Some(None)`) or a value.
pub(crate) fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A garde rule: something can be seen.
fn not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() {
        return Err(garde::Error::new("must not be empty"));
    }
    Ok(())
}

/// A garde rule: a SKU can be printed, and has no spaces at its ends.
fn sku_characters(sku: &str, (): &()) -> garde::Result {
    if sku.is_empty() || sku.trim() != sku || sku.chars().any(char::is_control) {
        return Err(garde::Error::new(
            "must not be empty, begin or end with a space or have control characters",
        ));
    }
    Ok(())
}

/// A garde rule: the name of a tax class.
fn plain_class(name: &str, (): &()) -> garde::Result {
    if is_class(name) {
        return Ok(());
    }
    Err(garde::Error::new("must be 1 to 64 lower-case letters, digits, - and _"))
}

/// A garde rule: the bounds of a product's attributes.
fn bounded_attributes(map: &Map<String, Value>, (): &()) -> garde::Result {
    if map.values().any(|value| depth(value) >= ATTRIBUTES_DEPTH_MAX) {
        let wrong = format!("are more than {ATTRIBUTES_DEPTH_MAX} levels deep");
        return Err(garde::Error::new(wrong));
    }
    if Attributes::new(map).text().len() > ATTRIBUTES_BYTES_MAX {
        let wrong = format!("are more than {ATTRIBUTES_BYTES_MAX} bytes of JSON");
        return Err(garde::Error::new(wrong));
    }
    Ok(())
}

/// Levels of arrays and objects. Recursion is safe: the JSON parser refuses more than 128 levels.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A garde rule: `sku` and `price` stand for the only variant, so not beside `variants`.
fn one_way_of_variants(product: &NewProduct, (): &()) -> garde::Result {
    if !product.variants.is_empty() && (product.sku.is_some() || product.price.is_some()) {
        return Err(garde::Error::new("sku and price belong into variants, if there are any"));
    }
    Ok(())
}

fn different_skus(variants: &[NewVariant], (): &()) -> garde::Result {
    let mut seen = HashSet::new();
    match variants.iter().filter_map(|v| v.sku.as_deref()).find(|sku| !seen.insert(*sku)) {
        Some(sku) => Err(garde::Error::new(format!("the SKU {sku} stands twice"))),
        None => Ok(()),
    }
}

fn different_moments(prices: &[NewPrice], (): &()) -> garde::Result {
    let mut seen = HashSet::new();
    let key = |price: &NewPrice| (price.currency.clone(), price.effective_from.map(to_micros));
    match prices.iter().find(|price| !seen.insert(key(price))) {
        Some(price) => {
            let wrong =
                format!("there are two prices in {} from the same moment on", price.currency);
            Err(garde::Error::new(wrong))
        }
        None => Ok(()),
    }
}
