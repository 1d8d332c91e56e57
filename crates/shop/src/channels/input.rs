//! What people send: new channels, changes of them, parcels.
//!
//! What holds a client secret can neither be printed nor be written as JSON.

use garde::{Path, Report, Validate};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::model::Provider;
use super::parcel::{Carriage, ITEMS_MAX, Parcel, ParcelItem, REFERENCE_CHARS_MAX};
use crate::catalog::input::{or_null, value};
use crate::platform::secret::Secret;

/// Characters of a channel's name, and of its shop's.
pub const NAME_CHARS_MAX: usize = 100;
/// Characters of a client id.
pub const CLIENT_ID_CHARS_MAX: usize = 200;
/// Characters of a client secret.
pub const CLIENT_SECRET_CHARS_MAX: usize = 500;
/// Minutes between two syncs: a year.
pub const SYNC_MINUTES_MAX: i64 = 525_600;
/// Days that people's data are kept: a hundred years.
pub const KEEP_DAYS_MAX: i64 = 36_500;
/// Characters of what the provider calls things.
const REMOTE_CHARS_MAX: usize = 100;
/// Of one item of a parcel.
const QUANTITY_MAX: u32 = 999;

/// A channel to add.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// Unique.
    #[schema(min_length = 1, max_length = 100, example = "plaatboef-bol")]
    pub name: String,
    #[schema(min_length = 1, max_length = 100, example = "Plaatboef Rotterdam")]
    pub shop: String,
    /// `bol`, if absent.
    #[serde(default = "bol")]
    #[schema(required = false)]
    pub provider: Provider,
    #[schema(min_length = 1, max_length = 200)]
    pub client_id: String,
    /// Verified with the provider, stored sealed, and never shown again.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    pub client_secret: Secret,
    /// Minutes between two syncs; the shop's setting, if absent; null: only when asked.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 525_600)]
    pub sync_minutes: Option<Option<i64>>,
    /// People's data are erased so many days after the shipment; the shop's setting, if absent;
    /// null: they are kept.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 36_500)]
    pub keep_days: Option<Option<i64>>,
    /// Whose it is, said by staff; absent: the house's. Other accounts add their own only.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub account_id: Option<i64>,
}

const fn bol() -> Provider {
    Provider::Bol
}

/// Changes of a channel. Absent fields stay, a value replaces.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelPatch {
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub shop: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub client_id: Option<String>,
    #[serde(default, deserialize_with = "value")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 500)]
    pub client_secret: Option<Secret>,
    /// Null: only when asked.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 525_600)]
    pub sync_minutes: Option<Option<i64>>,
    /// Null: they are kept.
    #[serde(default, deserialize_with = "or_null")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 36_500)]
    pub keep_days: Option<Option<i64>>,
}

/// What is to be shipped, for an order that came from the channel.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParcel {
    /// The provider's number of the order.
    #[schema(min_length = 1, max_length = 100, example = "A2K8290LP8")]
    pub order_id: String,
    #[schema(min_items = 1, max_items = 100)]
    pub items: Vec<ParcelItem>,
    /// One's own name of the shipment.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 90)]
    pub reference: Option<String>,
    /// A label that was bought from the provider. Either this or `transport`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub shipping_label_id: Option<String>,
    /// A transporter of one's own.
    #[serde(default)]
    pub transport: Option<NewTransport>,
}

/// Who carries a parcel.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransport {
    #[schema(min_length = 1, max_length = 100, example = "TNT")]
    pub transporter_code: String,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "3SBOL0987654321")]
    pub track_and_trace: Option<String>,
}

/// What is wrong, and where.
struct Wrong(&'static str, String);

fn report_all(
    wrong: impl IntoIterator<Item = Wrong>,
    parent: &mut dyn FnMut() -> Path,
    report: &mut Report,
) {
    for Wrong(place, reason) in wrong {
        let path = place.split('/').fold(parent(), |path, part| path.join(part));
        report.append(path, garde::Error::new(reason));
    }
}

fn check_name(field: &'static str, name: &str) -> Option<Wrong> {
    let plain = !name.trim().is_empty() && name.trim() == name;
    let fits = name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
    let words = format!(
        "must have 1 to {NAME_CHARS_MAX} characters, without spaces at its ends and line breaks"
    );
    (!plain || !fits).then_some(Wrong(field, words))
}

/// What goes into a header field: no spaces, nothing beyond ASCII.
fn check_credential(field: &'static str, text: &str, chars_max: usize) -> Option<Wrong> {
    let fits = (1..=chars_max).contains(&text.len());
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    // A colon would end the id where both are sent as one text.
    let whole = field != "client_id" || !text.contains(':');
    let words = format!(
        "must have 1 to {chars_max} letters, digits and signs, as the provider shows it: no spaces"
    );
    (!fits || !plain || !whole).then_some(Wrong(field, words))
}

fn check_span(field: &'static str, span: Option<Option<i64>>, most: i64) -> Option<Wrong> {
    let given = span.flatten()?;
    let words = format!("must be a whole number from 1 to {most}, or null");
    (!(1..=most).contains(&given)).then_some(Wrong(field, words))
}

/// A text of the provider's.
fn check_remote(field: &'static str, text: &str, chars_max: usize) -> Option<Wrong> {
    let fits = !text.trim().is_empty() && text.chars().count() <= chars_max;
    let plain = !text.chars().any(char::is_control);
    let words = format!("must have 1 to {chars_max} characters, without line breaks");
    (!fits || !plain).then_some(Wrong(field, words))
}

impl NewChannel {
    /// The rest, for an idempotency key's fingerprint: that is a fast hash and is stored, which a
    /// secret must never be.
    pub(super) fn without_secret(&self) -> Json {
        json!([
            self.name,
            self.shop,
            self.provider,
            self.client_id,
            self.sync_minutes,
            self.keep_days,
            self.account_id,
        ])
    }
}

impl ChannelPatch {
    /// As [`NewChannel::without_secret`].
    pub(super) fn without_secret(&self) -> Json {
        let Self { name, shop, client_id, client_secret, sync_minutes, keep_days } = self;
        let has_secret = client_secret.is_some();
        // Null is not absent.
        let spans = [sync_minutes.map(|span| json!([span])), keep_days.map(|span| json!([span]))];
        json!([name, shop, client_id, has_secret, spans])
    }

    /// True if the channel calls with other credentials afterwards.
    pub(super) const fn has_credentials(&self) -> bool {
        self.client_id.is_some() || self.client_secret.is_some()
    }
}

impl Validate for NewChannel {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let secret = self.client_secret.expose();
        let wrong = [
            check_name("name", &self.name),
            check_name("shop", &self.shop),
            check_credential("client_id", &self.client_id, CLIENT_ID_CHARS_MAX),
            check_credential("client_secret", secret, CLIENT_SECRET_CHARS_MAX),
            check_span("sync_minutes", self.sync_minutes, SYNC_MINUTES_MAX),
            check_span("keep_days", self.keep_days, KEEP_DAYS_MAX),
        ];
        report_all(wrong.into_iter().flatten(), parent, report);
    }
}

impl Validate for ChannelPatch {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let id = self.client_id.as_deref();
        let secret = self.client_secret.as_ref().map(Secret::expose);
        let wrong = [
            self.name.as_deref().and_then(|name| check_name("name", name)),
            self.shop.as_deref().and_then(|shop| check_name("shop", shop)),
            id.and_then(|id| check_credential("client_id", id, CLIENT_ID_CHARS_MAX)),
            secret
                .and_then(|text| check_credential("client_secret", text, CLIENT_SECRET_CHARS_MAX)),
            check_span("sync_minutes", self.sync_minutes, SYNC_MINUTES_MAX),
            check_span("keep_days", self.keep_days, KEEP_DAYS_MAX),
        ];
        report_all(wrong.into_iter().flatten(), parent, report);
    }
}

impl NewParcel {
    fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        wrong.extend(check_remote("order_id", &self.order_id, REMOTE_CHARS_MAX));
        if !(1..=ITEMS_MAX).contains(&self.items.len()) {
            wrong.push(Wrong("items", format!("must be 1 to {ITEMS_MAX} items")));
        }
        let mut seen = std::collections::BTreeSet::new();
        for item in &self.items {
            wrong.extend(check_remote("items", &item.order_item_id, REMOTE_CHARS_MAX));
            if !seen.insert(&item.order_item_id) {
                wrong.push(Wrong("items", "must each be of another ordered item".to_owned()));
            }
            if item.quantity.is_some_and(|quantity| !(1..=QUANTITY_MAX).contains(&quantity)) {
                let words = format!("have quantities from 1 to {QUANTITY_MAX}");
                wrong.push(Wrong("items", words));
            }
        }
        let reference = self.reference.as_deref();
        wrong.extend(
            reference.and_then(|text| check_remote("reference", text, REFERENCE_CHARS_MAX)),
        );
        let label = self.shipping_label_id.as_deref();
        wrong.extend(
            label.and_then(|text| check_remote("shipping_label_id", text, REMOTE_CHARS_MAX)),
        );
        if let Some(NewTransport { transporter_code, track_and_trace }) = &self.transport {
            let place = "transport/transporter_code";
            wrong.extend(check_remote(place, transporter_code, REMOTE_CHARS_MAX));
            wrong.extend(track_and_trace.as_deref().and_then(|text| {
                check_remote("transport/track_and_trace", text, REMOTE_CHARS_MAX)
            }));
        }
        if self.shipping_label_id.is_some() == self.transport.is_some() {
            let words = "give either this or transport".to_owned();
            wrong.push(Wrong("shipping_label_id", words));
        }
        wrong
    }

    /// What the provider will be told; none if it is not valid.
    pub(super) fn parcel(&self) -> Option<Parcel> {
        let carriage = match (&self.shipping_label_id, &self.transport) {
            (Some(label), None) => Carriage::Label(label.clone()),
            (None, Some(NewTransport { transporter_code, track_and_trace })) => {
                let track_and_trace = track_and_trace.clone();
                Carriage::Transporter { code: transporter_code.clone(), track_and_trace }
            }
            _ => return None,
        };
        let (items, reference) = (self.items.clone(), self.reference.clone());
        Some(Parcel { items, reference, carriage })
    }
}

impl Validate for NewParcel {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        report_all(self.wrong(), parent, report);
    }
}
