//! One order: everything about it on one page, with forms for what can be done to it.

use std::fmt::Write;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use runout_core::ids::OrderId;
use serde::Deserialize;
use serde_json::Value;

use super::deeds::{Deed, FormOf, NotDone, TEXT_CHARS_MAX, Typed, perform};
use super::format;
use super::queries::orders::{self as queries, Buyer, PlaceOfLine, StepRow};
use crate::App;
use crate::accounts::{Capability, Session, StaffSession, Verb};
use crate::orders::queries::{Viewer, one};
use crate::orders::{OrderOut, Status};
use crate::pages::{Frame, see_other};
use crate::platform::extract::PathId;
use crate::platform::form::{Form, Pairs};
use crate::platform::problem::Problem;

/// Steps of an order's life that are shown.
const STEPS_MAX: i64 = 200;
/// Random bytes of a form's key.
const KEY_BYTES: usize = 16;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/desk/orders/{id}", get(page))
        .route("/admin/desk/orders/{id}/{form}", post(submit))
}

struct Line<'a> {
    line: &'a crate::orders::OrderLineOut,
    /// With their currency.
    unit: String,
    discount: String,
    tax: String,
    total: String,
    places: String,
    /// Units that have not left, and that left and did not come back.
    to_ship: i64,
    out: i64,
}

struct Money {
    what: String,
    state: String,
    amount: String,
    detail: String,
}

struct Step {
    at: Timestamp,
    when: String,
    action: String,
    who: String,
    detail: String,
}

/// Which forms make sense; what is asked for is decided anew when it is posted.
#[derive(Default)]
struct Can {
    cancel: bool,
    pay: bool,
    /// Payments whose money is set aside: id and amount.
    capture: Vec<(i64, String)>,
    refund: bool,
    fulfil: bool,
    take_back: bool,
    close: bool,
}

#[derive(Template)]
#[template(path = "desk/templates/order.html")]
struct OrderPage<'a> {
    order: &'a OrderOut,
    status: &'static str,
    facts: Vec<(&'static str, String)>,
    address: Vec<String>,
    lines: Vec<Line<'a>>,
    sums: Vec<(&'static str, String)>,
    money: Vec<Money>,
    steps: Vec<Step>,
    can: Can,
    key: String,
    typed: &'a Typed,
    /// What was refused, in words, and by which form.
    refused: Option<(&'static str, &'a str)>,
    done: Option<&'static str>,
    left: String,
}

impl OrderPage<'_> {
    /// What was typed into a field of the refused form, else what stands there at first.
    fn kept(&self, form: &str, field: &str, first: &str) -> String {
        match self.refused {
            Some((name, _)) if name == form => self.typed.get(field).to_owned(),
            _ => first.to_owned(),
        }
    }

    fn kept_units(&self, form: &str, line_no: &i64, first: &i64) -> String {
        self.kept(form, &format!("line-{line_no}"), &first.to_string())
    }

    /// True unless the refused form came without it.
    fn restocks(&self) -> bool {
        self.refused.is_none_or(|(name, _)| name != "return" || self.typed.has("restock"))
    }

    /// A form keeps its key when it was refused, so that it is never done twice.
    fn key_of(&self, form: &str) -> String {
        self.kept(form, "key", &format!("{}-{form}", self.key))
    }

    fn can_nothing(&self) -> bool {
        let Can { cancel, pay, capture, refund, fulfil, take_back, close } = &self.can;
        !(*cancel || *pay || *refund || *fulfil || *take_back || *close) && capture.is_empty()
    }

    fn text_max(&self) -> usize {
        TEXT_CHARS_MAX
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    done: String,
}

async fn page(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
    Query(told): Query<Told>,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::View)?;
    let order = find(&app, id).await?;
    let done = FormOf::from_name(&told.done).map(FormOf::done);
    show(&app, &session, &frame, &order, Outcome { done, ..Outcome::default() }).await
}

pub(super) async fn find(app: &App, id: i64) -> Result<OrderOut, Problem> {
    let order = one(&app.db, OrderId(id), Viewer::All).await?;
    order.ok_or_else(|| Problem::not_found("order"))
}

async fn submit(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    Path((id, form)): Path<(String, String)>,
    Form(pairs): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::Change)?;
    let form = FormOf::from_name(&form).ok_or_else(|| Problem::not_found("form"))?;
    let id = id.parse().map_err(|_| Problem::not_found("order"))?;
    let order = find(&app, id).await?;
    let typed = Typed(pairs);
    let refused = match Deed::read(form, &typed, &order) {
        Err(words) => (StatusCode::UNPROCESSABLE_ENTITY, words),
        Ok(deed) => match perform(&app, &session, (&order, form), deed, &typed).await {
            Ok(()) => {
                let done = form.name();
                return Ok(see_other(&format!("/admin/desk/orders/{id}?done={done}")));
            }
            Err(NotDone { problem, words }) if problem.status() != StatusCode::NOT_FOUND => {
                (problem.status(), words)
            }
            Err(NotDone { problem, .. }) => return Err(problem),
        },
    };
    let (status, words) = refused;
    // It may have changed meanwhile: that may be why.
    let order = find(&app, id).await?;
    let outcome = Outcome { status, typed, refused: Some((form.name(), &words)), done: None };
    show(&app, &session, &frame, &order, outcome).await
}

/// What came of a form that was posted, or nothing.
#[derive(Default)]
struct Outcome<'a> {
    status: StatusCode,
    typed: Typed,
    refused: Option<(&'static str, &'a str)>,
    done: Option<&'static str>,
}

async fn show(
    app: &App,
    session: &Session,
    frame: &Frame,
    order: &OrderOut,
    outcome: Outcome<'_>,
) -> Result<Response, Problem> {
    let places = queries::places(&app.db, order.id).await?;
    let buyer = match order.account_id {
        Some(account) => queries::buyer(&app.db, account).await?,
        None => None,
    };
    let steps = queries::steps(&app.db, order.id, STEPS_MAX).await?;
    let may_change = session.may(Capability::Orders, Verb::Change);
    let page = OrderPage {
        order,
        status: name_of(order.status),
        facts: facts(order, buyer.as_ref()),
        address: order.address.as_ref().map(address_lines).unwrap_or_default(),
        lines: lines(order, &places),
        sums: sums(order),
        money: money(order),
        steps: steps.into_iter().map(step).collect(),
        can: if may_change { can(order) } else { Can::default() },
        key: new_key()?,
        typed: &outcome.typed,
        refused: outcome.refused,
        done: outcome.done,
        left: format::money(order.paid_minor - order.refunded_minor, &order.currency),
    };
    Ok(frame.page_with(outcome.status, &format!("Order {}", order.number), &page))
}

/// A word that nobody else uses.
pub(super) fn new_key() -> Result<String, Problem> {
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random).map_err(|error| Problem::internal(error.to_string()))?;
    let mut key = String::with_capacity(2 * KEY_BYTES);
    for byte in random {
        let _infallible = write!(key, "{byte:02x}");
    }
    Ok(key)
}

fn name_of(status: Status) -> &'static str {
    Status::ALL[status as usize]
}

fn facts(order: &OrderOut, buyer: Option<&Buyer>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Placed", format::minute(order.placed_at))];
    if let Some(buyer) = buyer {
        let Buyer { username, name, email, phone } = buyer;
        facts.push(("Account", username.clone()));
        let given = [("Name", name), ("E-mail", email), ("Phone", phone)];
        facts.extend(given.into_iter().filter(|f| !f.1.is_empty()).map(|(n, v)| (n, v.clone())));
    } else {
        facts.push(("Guest", order.email.clone().unwrap_or_default()));
    }
    let moments = [
        ("Paid", order.paid_at),
        ("Payment due", order.payment_due_at.filter(|_| order.paid_at.is_none())),
        ("Cancelled", order.cancelled_at),
    ];
    facts.extend(moments.into_iter().filter_map(|(n, at)| Some((n, format::minute(at?)))));
    facts.extend(order.cancel_reason.clone().map(|reason| ("Cancelled by", reason)));
    facts
}

/// An address as it stands on a letter.
pub(super) fn address_lines(address: &Value) -> Vec<String> {
    let text = |name: &str| address.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let city = format!("{} {}", text("postal_code"), text("city"));
    let lines =
        [text("name"), text("line1"), text("line2"), city.trim(), text("region"), text("country")];
    lines.into_iter().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn lines<'a>(order: &'a OrderOut, places: &[PlaceOfLine]) -> Vec<Line<'a>> {
    let money = |minor| format::money(minor, &order.currency);
    let line = |line: &'a crate::orders::OrderLineOut| {
        let own = places.iter().filter(|place| place.line_no == line.line_no);
        let places: Vec<String> =
            own.map(|place| format!("{} × {}", place.quantity, place.name)).collect();
        Line {
            unit: money(line.unit_price_minor),
            discount: money(-line.discount_minor),
            tax: money(line.tax_minor),
            total: money(line.total_minor - line.discount_minor),
            places: places.join(", "),
            to_ship: line.quantity - line.fulfilled,
            out: line.fulfilled - line.returned,
            line,
        }
    };
    order.lines.iter().map(line).collect()
}

fn sums(order: &OrderOut) -> Vec<(&'static str, String)> {
    let money = |minor| format::money(minor, &order.currency);
    let mut sums = Vec::new();
    if order.discount_minor > 0 {
        sums.push(("Discount", money(-order.discount_minor)));
    }
    sums.push(("Total", money(order.total_minor)));
    sums.push(("Tax contained", money(order.tax_minor)));
    sums.push(("Paid", money(order.paid_minor)));
    if order.refunded_minor > 0 {
        sums.push(("Refunded", money(order.refunded_minor)));
    }
    sums
}

fn money(order: &OrderOut) -> Vec<Money> {
    let payments = order.payments.iter().map(|payment| Money {
        what: format!("Payment {} ({})", payment.id, payment.gateway),
        state: payment.status.clone(),
        amount: format::money(payment.amount_minor, &payment.currency),
        detail: [payment.provider_id.clone(), payment.failure.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
    });
    let refunds = order.refunds.iter().map(|refund| Money {
        what: format!("Refund {} of payment {}", refund.id, refund.payment_id),
        state: refund.status.clone(),
        amount: format::money(-refund.amount_minor, &order.currency),
        detail: match &refund.note {
            Some(note) => format!("{}: {note}", refund.reason),
            None => refund.reason.clone(),
        },
    });
    payments.chain(refunds).collect()
}

fn step(row: StepRow) -> Step {
    let StepRow { at, action, changes, who } = row;
    let detail = match &changes {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::Array(pair) if pair.len() == 2 => format!("{name}: {}", bare(&pair[1])),
                value => format!("{name}: {}", bare(value)),
            })
            .collect::<Vec<_>>()
            .join(", "),
        _ => String::new(),
    };
    Step {
        at,
        when: format::minute(at),
        action,
        who: who.unwrap_or_else(|| "the shop".to_owned()),
        detail,
    }
}

/// A JSON value without quotes around text.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn can(order: &OrderOut) -> Can {
    let shipped = order.lines.iter().any(|line| line.fulfilled > 0);
    let to_ship = order.lines.iter().any(|line| line.fulfilled < line.quantity);
    let out = order.lines.iter().any(|line| line.returned < line.fulfilled);
    let aside = order.payments.iter().filter(|payment| payment.status == "authorised");
    Can {
        cancel: matches!(order.status, Status::Placed | Status::Paid) && !shipped,
        pay: order.status == Status::Placed,
        capture: aside
            .map(|payment| (payment.id, format::money(payment.amount_minor, &payment.currency)))
            .collect(),
        refund: order.paid_minor > order.refunded_minor
            && !matches!(order.status, Status::Placed | Status::Cancelled),
        fulfil: order.status == Status::Paid && to_ship,
        take_back: out && !matches!(order.status, Status::Placed | Status::Cancelled),
        close: order.status == Status::Fulfilled,
    }
}
