//! One's own addresses.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;

use super::form::{FormPage, FormView, Input, Wrong};
use crate::App;
use crate::accounts::{Session, SignedIn};
use crate::addresses::commands::{self, AddressRefused};
use crate::addresses::queries::{self, StoredAddress};
use crate::addresses::{ADDRESSES_PER_ACCOUNT_MAX, Address};
use crate::pages::{Frame, see_other};
use crate::platform::command::{Caller, Outcome};
use crate::platform::etag::IfMatch;
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::problem::Problem;

const PLACE: &str = "/account/addresses";

#[derive(Template)]
#[template(path = "accounts/templates/addresses.html")]
struct AddressesPage {
    addresses: Vec<StoredAddress>,
}

pub(super) async fn list(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
) -> Result<Response, Problem> {
    let addresses = queries::of_account(&app, session.identity.account_id).await?;
    Ok(frame.page("My addresses", &AddressesPage { addresses }))
}

/// An address as it was typed.
#[derive(Deserialize, Default)]
pub(super) struct AddressFields {
    name: String,
    line1: String,
    #[serde(default)]
    line2: String,
    #[serde(default)]
    postal_code: String,
    city: String,
    #[serde(default)]
    region: String,
    country: String,
    /// The version that was looked at; of one that is new, none.
    #[serde(default)]
    version: i64,
}

impl From<StoredAddress> for AddressFields {
    fn from(stored: StoredAddress) -> Self {
        let Address { name, line1, line2, postal_code, city, region, country } = stored.address;
        let version = stored.version;
        Self { name, line1, line2, postal_code, city, region, country, version }
    }
}

impl AddressFields {
    fn check(&self) -> Result<Address, Wrong> {
        let trimmed = |text: &str| text.trim().to_owned();
        let address = Address {
            name: trimmed(&self.name),
            line1: trimmed(&self.line1),
            line2: trimmed(&self.line2),
            postal_code: trimmed(&self.postal_code),
            city: trimmed(&self.city),
            region: trimmed(&self.region),
            country: self.country.trim().to_uppercase(),
        };
        let Err(report) = address.validate() else { return Ok(address) };
        let mut wrong = Wrong::default();
        for (path, error) in report.iter() {
            let path = path.to_string();
            let named = FIELDS.iter().find(|(name, _)| *name == path);
            let (name, label) = named.copied().unwrap_or(("", "The address"));
            wrong.add(name, format!("{label}: {error}"));
        }
        Err(wrong)
    }
}

/// The names of the fields, and what they are called.
const FIELDS: [(&str, &str); 7] = [
    ("name", "Name"),
    ("line1", "Street and number"),
    ("line2", "Flat or company"),
    ("postal_code", "Postal code"),
    ("city", "City"),
    ("region", "Region"),
    ("country", "Country"),
];

fn page(frame: &Frame, id: Option<i64>, fields: &AddressFields, wrong: &Wrong) -> Response {
    let country = Input::text("country", "Country", "country", &fields.country);
    let inputs = vec![
        Input::text("name", "Name", "name", &fields.name),
        Input::text("line1", "Street and number", "address-line1", &fields.line1),
        Input::text("line2", "Flat or company", "address-line2", &fields.line2).optional(),
        Input::text("postal_code", "Postal code", "postal-code", &fields.postal_code).optional(),
        Input::text("city", "City", "address-level2", &fields.city),
        Input::text("region", "Region", "address-level1", &fields.region).optional(),
        country.hint("Two letters, such as DE, FR or GB."),
    ];
    let place = id.map_or_else(|| format!("{PLACE}/new"), |id| format!("{PLACE}/{id}"));
    let form = FormView::new(&place, inputs, wrong, "Save the address");
    let page = FormPage {
        title: if id.is_some() { "Change an address" } else { "A new address" },
        lead: "",
        own: "addresses",
        form: form.hidden("version", fields.version.to_string()),
        link: Some((PLACE.to_owned(), "Back to my addresses")),
    };
    page.answer(frame)
}

pub(super) async fn new(frame: Frame, _: SignedIn) -> Response {
    page(&frame, None, &AddressFields::default(), &Wrong::default())
}

fn caller(session: &Session) -> Caller {
    Caller { account_id: Some(session.identity.account_id), key: None }
}

pub(super) async fn add(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    Form(fields): Form<AddressFields>,
) -> Result<Response, Problem> {
    let address = match fields.check() {
        Ok(address) => address,
        Err(wrong) => return Ok(page(&frame, None, &fields, &wrong)),
    };
    let account = session.identity.account_id;
    match commands::add(&app, account, caller(&session), address).await? {
        Outcome::Refused(refused) => Ok(page(&frame, None, &fields, &about(refused)?)),
        _ => Ok(see_other(PLACE)),
    }
}

/// What a refusal says about the form.
fn about(refused: AddressRefused) -> Result<Wrong, Problem> {
    match refused {
        AddressRefused::NotFound => Err(refused.into()),
        AddressRefused::Changed => {
            Ok(Wrong::one("", "This address was changed elsewhere meanwhile. Open it again."))
        }
        AddressRefused::TooMany => {
            let text = format!("An account has at most {ADDRESSES_PER_ACCOUNT_MAX} addresses.");
            Ok(Wrong::one("", text))
        }
    }
}

pub(super) async fn edit(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    let found = queries::find(&app, session.identity.account_id, id).await?;
    let stored = found.ok_or_else(|| Problem::not_found("address"))?;
    Ok(page(&frame, Some(id), &stored.into(), &Wrong::default()))
}

pub(super) async fn save(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Form(fields): Form<AddressFields>,
) -> Result<Response, Problem> {
    let address = match fields.check() {
        Ok(address) => address,
        Err(wrong) => return Ok(page(&frame, Some(id), &fields, &wrong)),
    };
    let (account, seen) = (session.identity.account_id, IfMatch::OneOf(vec![fields.version]));
    match commands::replace(&app, account, caller(&session), (id, address), seen).await? {
        Outcome::Refused(refused) => Ok(page(&frame, Some(id), &fields, &about(refused)?)),
        _ => Ok(see_other(PLACE)),
    }
}

#[derive(Deserialize)]
pub(super) struct DeleteFields {
    version: i64,
}

pub(super) async fn delete(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathId(id): PathId,
    Form(fields): Form<DeleteFields>,
) -> Result<Response, Problem> {
    let (account, seen) = (session.identity.account_id, IfMatch::OneOf(vec![fields.version]));
    match commands::delete(&app, account, caller(&session), id, seen).await? {
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Ok(see_other(PLACE)),
    }
}
