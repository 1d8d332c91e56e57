//! What staff send: new destinations, patches of them, new secrets.
//!
//! None of these can be printed: their addresses may have passwords.

use garde::{Path, Report, Validate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::address::Address;
use super::model::{DestinationKind, ResourceMapping, Resources, Settings, SigningKind};
use crate::catalog::input::{or_null, value};
use crate::delivery::topics;

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 100;
/// Topics that one destination may name.
pub const EVENTS_MAX: usize = 100;
/// Kinds of things that can be mirrored.
pub const MIRRORED: [&str; 4] = ["comment", "event", "post", "product"];
/// Characters of a collection's path.
const PATH_CHARS_MAX: usize = 200;
/// Fields of one kind of thing that have another name there.
const FIELDS_MAX: usize = 50;
/// Characters of a field's name.
const FIELD_CHARS_MAX: usize = 64;
/// Characters of an exchange's name; the protocol allows 255 bytes.
const EXCHANGE_CHARS_MAX: usize = 127;
/// Where nothing else is said.
pub const EXCHANGE_DEFAULT: &str = "runout";
/// For how long an old secret signs beside the new one, unless somebody says otherwise: a day.
pub const OVERLAP_S_DEFAULT: i64 = 86_400;
/// For how long at most: 30 days.
pub const OVERLAP_S_MAX: i64 = 30 * 86_400;

/// How the messages of a new webhook are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    #[default]
    Hmac,
    Ed25519,
    Both,
}

impl Signing {
    pub const WORDS: &'static [&'static str] = &["hmac", "ed25519", "both"];

    pub fn kinds(self) -> &'static [SigningKind] {
        match self {
            Self::Hmac => &[SigningKind::Hmac],
            Self::Ed25519 => &[SigningKind::Ed25519],
            Self::Both => &[SigningKind::Hmac, SigningKind::Ed25519],
        }
    }
}

/// A destination to add.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewDestination {
    /// Unique.
    #[schema(required = true, min_length = 1, max_length = 100, example = "warehouse")]
    pub name: String,
    #[schema(required = true, value_type = DestinationKind)]
    pub kind: Option<DestinationKind>,
    /// Of `rest`: where its collections lie. Of `amqp`: `amqp://user:password@host/vhost`; the
    /// password is never shown again.
    #[schema(
        required = true,
        min_length = 1,
        max_length = 2000,
        example = "https://warehouse.example/hooks"
    )]
    pub url: String,
    /// Topics, or beginnings of topics such as `order.*`; all, if absent.
    #[schema(min_items = 1, max_items = 100, example = json!(["order.*", "stock.changed"]))]
    pub events: Option<Vec<String>>,
    /// What is mirrored, and how: `comment`, `event`, `post` and `product`. Of `rest` only, which
    /// needs it.
    #[schema(
        value_type = Option<BTreeMap<String, ResourceMapping>>,
        example = json!({"post": {"path": "/posts", "fields": {"user_id": "userId"}}})
    )]
    pub resources: Option<Resources>,
    /// The topic exchange, of `amqp` only; `runout`, if absent.
    #[schema(min_length = 1, max_length = 127, pattern = "^[A-Za-z0-9_.:-]+$")]
    pub exchange: Option<String>,
    /// Whether it may be in a private network, or on this machine; and at any port.
    #[schema(default = false)]
    pub allow_private: bool,
    /// How messages are signed, of `webhook` only; `hmac`, if absent.
    pub signing: Option<Signing>,
}

/// Changes of a destination. Absent fields stay, a value replaces; `null` for `events`: all.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DestinationPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    pub url: Option<String>,
    #[serde(deserialize_with = "or_null", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 100)]
    pub events: Option<Option<Vec<String>>>,
    /// Replaces all of them.
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<BTreeMap<String, ResourceMapping>>)]
    pub resources: Option<Resources>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allow_private: Option<bool>,
}

/// A secret that takes over.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewSecret {
    /// As the newest one, if absent. One of the other kind takes over from none: both sign.
    #[garde(skip)]
    pub kind: Option<SigningKind>,
    /// For how many seconds the one before still signs; 86400, a day, if absent.
    #[garde(range(min = 0, max = OVERLAP_S_MAX))]
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    pub overlap_s: Option<i64>,
}

/// A place in what was sent, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub place: Vec<String>,
    pub reason: String,
}

impl Wrong {
    fn new(place: &[&str], reason: impl Into<String>) -> Self {
        let place = place.iter().map(|&part| part.to_owned()).collect();
        Self { place, reason: reason.into() }
    }

    /// The JSON pointer.
    pub fn pointer(&self) -> String {
        let escaped = self.place.iter().map(|part| part.replace('~', "~0").replace('/', "~1"));
        escaped.fold(String::new(), |pointer, part| pointer + "/" + &part)
    }
}

fn report_all(wrong: Vec<Wrong>, parent: &mut dyn FnMut() -> Path, report: &mut Report) {
    for Wrong { place, reason } in wrong {
        let path = place.into_iter().fold(parent(), |path, part| path.join(part));
        report.append(path, garde::Error::new(reason));
    }
}

fn check_name(name: &str) -> Option<Wrong> {
    let plain = !name.trim().is_empty() && name.trim() == name;
    let fits = name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
    let words = format!(
        "must have 1 to {NAME_CHARS_MAX} characters, without spaces at its ends and line breaks"
    );
    (!plain || !fits).then(|| Wrong::new(&["name"], words))
}

fn check_events(events: &[String]) -> Vec<Wrong> {
    if !(1..=EVENTS_MAX).contains(&events.len()) {
        let words = format!("must name 1 to {EVENTS_MAX} topics; leave it out for all topics");
        return vec![Wrong::new(&["events"], words)];
    }
    let unknown = |(index, topic): (usize, &String)| {
        let words = "is no topic of this shop: write one such as order.placed, order.* for all of \
                     a kind, or * for all";
        let index = index.to_string();
        (!topics::is_known(topic)).then(|| Wrong::new(&["events", index.as_str()], words))
    };
    events.iter().enumerate().filter_map(unknown).collect()
}

/// What is wrong with what is to be mirrored.
fn check_resources(resources: &Resources) -> Vec<Wrong> {
    if resources.is_empty() {
        let words = format!("must name at least one of {}", MIRRORED.join(", "));
        return vec![Wrong::new(&["resources"], words)];
    }
    resources.iter().flat_map(|(entity, mapping)| check_resource(entity, mapping)).collect()
}

fn check_resource(entity: &str, mapping: &ResourceMapping) -> Vec<Wrong> {
    if !MIRRORED.contains(&entity) {
        let words = format!("cannot be mirrored: use {}", MIRRORED.join(", "));
        return vec![Wrong::new(&["resources", entity], words)];
    }
    let mut wrong = Vec::new();
    if !is_path(&mapping.path) {
        let words = "must be a path such as /posts: a slash, then letters, digits, . _ ~ - and \
                     slashes, none at the end";
        wrong.push(Wrong::new(&["resources", entity, "path"], words));
    }
    let place = &["resources", entity, "fields"];
    let named = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$');
        (1..=FIELD_CHARS_MAX).contains(&name.len()) && name.chars().all(plain)
    };
    if mapping.fields.len() > FIELDS_MAX {
        wrong.push(Wrong::new(place, format!("must rename at most {FIELDS_MAX} fields")));
    }
    if !mapping.fields.iter().all(|(ours, theirs)| named(ours) && named(theirs)) {
        let words = format!("must be names of 1 to {FIELD_CHARS_MAX} letters, digits, _ - . and $");
        wrong.push(Wrong::new(place, words));
    }
    let mut theirs: Vec<&String> = mapping.fields.values().collect();
    theirs.sort_unstable();
    theirs.dedup();
    if theirs.len() < mapping.fields.len() {
        wrong.push(Wrong::new(place, "must give every field a name of its own"));
    }
    wrong
}

fn is_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-' | '/');
    let mut segments = path.split('/').skip(1);
    path.starts_with('/')
        && path.len() <= PATH_CHARS_MAX
        && path.chars().all(plain)
        && segments.all(|segment| !matches!(segment, "" | "." | ".."))
}

fn check_exchange(exchange: &str) -> Option<Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let fits = (1..=EXCHANGE_CHARS_MAX).contains(&exchange.len()) && exchange.chars().all(plain);
    let words = format!(
        "must have 1 to {EXCHANGE_CHARS_MAX} letters, digits, . _ : and -, and not begin with amq."
    );
    (!fits || exchange.starts_with("amq.")).then(|| Wrong::new(&["exchange"], words))
}

impl NewDestination {
    /// What is wrong, field by field.
    fn wrong(&self) -> Vec<Wrong> {
        let mut wrong: Vec<Wrong> = check_name(&self.name).into_iter().collect();
        wrong.extend(self.events.as_deref().map(check_events).unwrap_or_default());
        wrong.extend(self.resources.as_ref().map(check_resources).unwrap_or_default());
        wrong.extend(self.exchange.as_deref().and_then(check_exchange));
        let Some(kind) = self.kind else {
            let words = format!("is missing: use {}", DestinationKind::WORDS.join(", "));
            wrong.push(Wrong::new(&["kind"], words));
            return wrong;
        };
        if let Err(reason) = Address::check(kind, &self.url, self.allow_private) {
            wrong.push(Wrong::new(&["url"], reason));
        }
        let is_rest = kind == DestinationKind::Rest;
        if is_rest && self.resources.is_none() {
            let words = "is missing: say what is mirrored where, such as {\"post\": {\"path\": \
                         \"/posts\"}}";
            wrong.push(Wrong::new(&["resources"], words));
        }
        if !is_rest && self.resources.is_some() {
            wrong.push(Wrong::new(&["resources"], "belongs to rest only: leave it out"));
        }
        if kind != DestinationKind::Amqp && self.exchange.is_some() {
            wrong.push(Wrong::new(&["exchange"], "belongs to amqp only: leave it out"));
        }
        if kind != DestinationKind::Webhook && self.signing.is_some() {
            wrong.push(Wrong::new(&["signing"], "belongs to webhook only: leave it out"));
        }
        wrong
    }

    /// What was found valid, ready to be stored.
    ///
    /// # Panics
    /// When it was not validated.
    pub fn settled(&self) -> Settled {
        let kind = self.kind.expect("the kind was validated");
        let address = Address::check(kind, &self.url, self.allow_private);
        let address = address.expect("the address was validated");
        let exchange = self.exchange.as_deref().unwrap_or(EXCHANGE_DEFAULT);
        Settled {
            kind,
            settings: Settings {
                name: self.name.clone(),
                url: address.shown.clone(),
                events: self.events.clone(),
                resources: self.resources.clone(),
                allow_private: self.allow_private,
            },
            address,
            exchange: (kind == DestinationKind::Amqp).then(|| exchange.to_owned()),
            signing: match kind {
                DestinationKind::Webhook => self.signing.unwrap_or_default().kinds(),
                DestinationKind::Rest | DestinationKind::Amqp => &[],
            },
        }
    }
}

/// A destination that was found valid.
#[derive(Clone)]
pub struct Settled {
    pub kind: DestinationKind,
    pub settings: Settings,
    pub address: Address,
    pub exchange: Option<String>,
    /// The kinds of secrets that it begins with.
    pub signing: &'static [SigningKind],
}

impl Validate for NewDestination {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        report_all(self.wrong(), parent, report);
    }
}

impl DestinationPatch {
    /// The settings and the address after the patch, of a destination of this kind at `url`.
    ///
    /// # Errors
    /// What is wrong, field by field, with a destination of this kind.
    pub fn apply(
        &self,
        kind: DestinationKind,
        before: &Settings,
        url: &str,
    ) -> Result<(Settings, Address), Vec<Wrong>> {
        let mut wrong = Vec::new();
        if kind != DestinationKind::Rest && self.resources.is_some() {
            wrong.push(Wrong::new(&["resources"], "belongs to rest only: leave it out"));
        }
        let allow_private = self.allow_private.unwrap_or(before.allow_private);
        let wanted = self.url.as_deref().unwrap_or(url);
        let address = Address::check(kind, wanted, allow_private).map_err(|reason| {
            let field = if self.url.is_some() { "url" } else { "allow_private" };
            wrong.push(Wrong::new(&[field], reason));
        });
        let Ok(address) = address else { return Err(wrong) };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let resources = self.resources.clone().or_else(|| before.resources.clone());
        let settings = Settings {
            name: self.name.as_ref().unwrap_or(&before.name).clone(),
            url: address.shown.clone(),
            events: self.events.as_ref().unwrap_or(&before.events).clone(),
            resources,
            allow_private,
        };
        Ok((settings, address))
    }
}

impl Validate for DestinationPatch {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let mut wrong: Vec<Wrong> = self.name.as_deref().and_then(check_name).into_iter().collect();
        let events = self.events.as_ref().and_then(Option::as_deref);
        wrong.extend(events.map(check_events).unwrap_or_default());
        wrong.extend(self.resources.as_ref().map(check_resources).unwrap_or_default());
        report_all(wrong, parent, report);
    }
}
