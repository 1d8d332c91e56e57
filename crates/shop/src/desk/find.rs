//! The order desk: finding an order.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use runout_core::ids::OrderId;
use serde::Deserialize;

use super::format;
use super::queries::orders::{self as queries, Found, Of, OrderRow, Place};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::orders::{Status, number};
use crate::pages::{Frame, see_other};
use crate::platform::problem::Problem;

/// Longest text that is looked for.
const ASKED_CHARS_MAX: usize = 254;

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/desk/orders", get(page))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    after: String,
}

struct Row {
    id: i64,
    number: String,
    placed_at: Timestamp,
    placed: String,
    buyer: String,
    status: String,
    total: String,
    paid: String,
}

#[derive(Template)]
#[template(path = "desk/templates/orders.html")]
struct OrdersPage<'a> {
    asked: &'a Asked,
    /// Each state with whether it is the chosen one.
    states: Vec<(&'static str, bool)>,
    rows: Vec<Row>,
    next: Option<String>,
    looked_at: String,
    /// Nobody and nothing of this name.
    unknown: bool,
}

/// What somebody's words lead to.
enum Lead<'a> {
    Order(i64),
    Orders(Of<'a>),
    Nothing,
}

async fn page(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    session.require(Capability::Orders, Verb::View)?;
    let given = asked.q.trim();
    let words = given.to_lowercase();
    let status = Status::ALL.iter().copied().find(|status| *status == asked.status);
    let of = match lead(&app, given, &words).await? {
        Lead::Order(id) => return Ok(see_other(&format!("/admin/desk/orders/{id}"))),
        Lead::Orders(of) => Some(of),
        Lead::Nothing => None,
    };
    let found = match of {
        Some(of) => queries::list(&app.db, of, status, place(&asked.after)).await?,
        None => Found { ids: Vec::new(), next: None, looked_at: 0 },
    };
    let looked_at = format::count(i64::try_from(found.looked_at).unwrap_or(i64::MAX));
    let rows = queries::rows(&app.db, found.ids).await?;
    let page = OrdersPage {
        next: found.next.map(|place| next_page(&asked, place)),
        states: Status::ALL.iter().map(|name| (*name, Some(*name) == status)).collect(),
        rows: rows.into_iter().map(row).collect(),
        looked_at,
        unknown: of.is_none(),
        asked: &asked,
    };
    Ok(frame.page("Orders", &page))
}

/// An order's number, a payment's name, a buyer's username or address: `words` are what was
/// `given`, lower-cased.
async fn lead<'a>(app: &App, given: &str, words: &'a str) -> Result<Lead<'a>, Problem> {
    if words.is_empty() {
        return Ok(Lead::Orders(Of::Everybody));
    }
    if words.chars().count() > ASKED_CHARS_MAX || words.contains('\0') {
        return Ok(Lead::Nothing);
    }
    if let Some(id) = order_number(words)
        && let Some(id) = queries::by_number(&app.db, id).await?
    {
        return Ok(Lead::Order(id));
    }
    if let Some(account) = queries::account_named(&app.db, words).await? {
        return Ok(Lead::Orders(Of::Account(account)));
    }
    if words.contains('@') {
        return Ok(Lead::Orders(Of::Email(words)));
    }
    // A provider's names are case sensitive.
    Ok(queries::by_payment(&app.db, given).await?.map_or(Lead::Nothing, Lead::Order))
}

/// `R00000042`, `r42` and `42`.
fn order_number(words: &str) -> Option<i64> {
    let digits = words.strip_prefix('r').unwrap_or(words);
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all { digits.parse().ok() } else { None }
}

/// `MICROSECONDS-ID`, as [`next_page`] writes it; anything else is the beginning.
fn place(after: &str) -> Option<Place> {
    let (micros, id) = after.split_once('-')?;
    Some((Timestamp::from_microsecond(micros.parse().ok()?).ok()?, id.parse().ok()?))
}

fn next_page(asked: &Asked, (moment, id): Place) -> String {
    let after = format!("{}-{id}", moment.as_microsecond());
    let fields = [("q", asked.q.as_str()), ("status", asked.status.as_str()), ("after", &after)];
    let given = fields.iter().filter(|(_, value)| !value.is_empty());
    let query = serde_urlencoded::to_string(given.collect::<Vec<_>>());
    format!("/admin/desk/orders?{}", query.expect("text can be encoded"))
}

fn row(order: OrderRow) -> Row {
    let paid = match (order.paid_minor, order.refunded_minor) {
        (0, _) => "nothing yet".to_owned(),
        (paid, 0) => format::money(paid, &order.currency),
        (paid, back) => format!(
            "{}, {} back",
            format::money(paid, &order.currency),
            format::money(back, &order.currency)
        ),
    };
    Row {
        id: order.id,
        number: number(OrderId(order.id)),
        placed_at: order.placed_at,
        placed: format::minute(order.placed_at),
        buyer: order.buyer,
        total: format::money(order.total_minor, &order.currency),
        status: order.status,
        paid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (words, id) in [
            ("r00000042", Some(42)),
            ("r42", Some(42)),
            ("42", Some(42)),
            ("r", None),
            ("", None),
            ("42x", None),
            ("-42", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(order_number(words), id, "{words}");
        }
    }

    #[test]
    fn places_survive_the_address() {
        let asked = Asked { q: "a b&c".to_owned(), ..Asked::default() };
        let moment = Timestamp::from_microsecond(1_763_000_000_123_456).expect("a moment");
        let next = next_page(&asked, (moment, 7));
        assert_eq!(next, "/admin/desk/orders?q=a+b%26c&after=1763000000123456-7");
        assert_eq!(place("1763000000123456-7"), Some((moment, 7)));
        for nonsense in ["", "7", "-", "x-1", "1-x", "99999999999999999999-1"] {
            assert_eq!(place(nonsense), None, "{nonsense}");
        }
    }
}
