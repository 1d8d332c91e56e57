//! The page at an event's door: a code is typed or scanned, and the answer is large.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::Doorway;
use super::api::ticketed;
use super::code::Ticket;
use super::commands::{self, AdmissionRefused};
use super::queries::{self, DoorCount, Guest};
use crate::App;
use crate::accounts::{Capability, Session, StaffSession, Verb};
use crate::pages::words::moment;
use crate::pages::{Frame, see_other};
use crate::platform::command::{Caller, Outcome};
use crate::platform::extract::PathId;
use crate::platform::form::Form;
use crate::platform::problem::Problem;

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 200;
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// This page alone may look through the camera.
const CAMERA: HeaderValue =
    HeaderValue::from_static("camera=(self), microphone=(), geolocation=()");

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin/events/{id}/door", get(door).post(scan))
        .route("/admin/events/{id}/door/undo", post(undo))
}

/// What the door says.
enum Verdict {
    None,
    In { guest: Guest, ticket: Ticket, code: String },
    TakenBack,
    Refused(Refusal),
}

struct Refusal {
    words: String,
    /// More about it, such as when somebody came in.
    more: Option<String>,
    typed: String,
    /// Whoever is at the door may let them in all the same.
    may_insist: bool,
    /// Somebody is in with it: that may have been a mistake.
    may_undo: bool,
}

impl Refusal {
    fn new(refused: &AdmissionRefused, doorway: &Doorway, typed: String) -> Self {
        let more = match refused {
            AdmissionRefused::AlreadyAdmitted { at, .. } => {
                Some(format!("That was at {}.", at_the_venue(doorway, *at)))
            }
            AdmissionRefused::NotToday { .. } => Some(format!("It is on {}.", doorway.when())),
            _ => None,
        };
        Self {
            words: refused.words(),
            more,
            typed,
            may_insist: matches!(refused, AdmissionRefused::NotToday { .. }),
            may_undo: matches!(refused, AdmissionRefused::AlreadyAdmitted { .. }),
        }
    }
}

/// A moment as the clock at the venue shows it.
fn at_the_venue(doorway: &Doorway, at: jiff::Timestamp) -> String {
    at.to_zoned(doorway.zone()).strftime("%H:%M:%S on %-d %B").to_string()
}

#[derive(Template)]
#[template(path = "events/tickets/templates/door.html")]
struct DoorPage<'a> {
    nonce: &'a str,
    doorway: &'a Doorway,
    when: String,
    verdict: Verdict,
    count: DoorCount,
    as_of: String,
    /// What is wrong with the reason for taking back, if anything is.
    wrong_reason: bool,
}

impl DoorPage<'_> {
    fn title(&self) -> String {
        let word = match &self.verdict {
            Verdict::None => return format!("Door: {}", self.doorway.title),
            Verdict::In { .. } => "Welcome",
            Verdict::TakenBack => "Taken back",
            Verdict::Refused(_) => "Not let in",
        };
        format!("{word} · Door: {}", self.doorway.title)
    }

    fn clock(&self, guest: &Guest) -> String {
        at_the_venue(self.doorway, guest.admitted_at)
    }
}

fn may(session: &Session) -> Result<(), Problem> {
    session.require(Capability::Events, Verb::Change)
}

async fn show(
    app: &App,
    frame: &Frame,
    doorway: &Doorway,
    (status, verdict): (StatusCode, Verdict),
    wrong_reason: bool,
) -> Result<Response, Problem> {
    let page = DoorPage {
        nonce: &frame.nonce,
        doorway,
        when: doorway.when(),
        verdict,
        count: queries::count(&app.db, doorway).await?,
        as_of: moment(app.clock.now()),
        wrong_reason,
    };
    let mut response = frame.page_with(status, &page.title(), &page);
    response.headers_mut().insert(PERMISSIONS_POLICY, CAMERA);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What happened before the page was shown, if anything did.
#[derive(Deserialize)]
struct After {
    /// The ticket with which somebody came in: order, line and number.
    r#in: Option<String>,
    back: Option<String>,
}

impl After {
    fn ticket(&self) -> Option<Ticket> {
        let mut parts = self.r#in.as_deref()?.split('-').map(|part| part.parse().ok());
        let mut part = || parts.next().flatten();
        Some(Ticket { order_id: part()?, line_no: part()?, number: part()? })
    }
}

async fn door(
    State(app): State<App>,
    frame: Frame,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
    Query(after): Query<After>,
) -> Result<Response, Problem> {
    may(&session)?;
    let doorway = ticketed(&app, id).await?;
    let guest = match after.ticket() {
        Some(ticket) => queries::guest(&app.db, id, ticket).await?.map(|guest| (guest, ticket)),
        None => None,
    };
    let verdict = match guest {
        Some((guest, ticket)) => {
            let code = app.tickets.signer(&app.db, &app.sealer).await?.code(ticket).compact();
            Verdict::In { guest, ticket, code }
        }
        None if after.back.is_some() => Verdict::TakenBack,
        None => Verdict::None,
    };
    show(&app, &frame, &doorway, (StatusCode::OK, verdict), false).await
}

#[derive(Deserialize)]
struct Scanned {
    #[serde(default)]
    code: String,
    any_day: Option<String>,
}

fn caller(session: &Session) -> Caller {
    Caller { account_id: Some(session.identity.account_id), key: None }
}

async fn scan(
    State(app): State<App>,
    frame: Frame,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
    Form(Scanned { code, any_day }): Form<Scanned>,
) -> Result<Response, Problem> {
    may(&session)?;
    let doorway = ticketed(&app, id).await?;
    match commands::admit(&app, caller(&session), id, &code, any_day.is_some()).await? {
        Outcome::Accepted(done) => {
            let (order, line, number) = (done.order_id, done.line_no, done.number);
            Ok(see_other(&format!("/admin/events/{id}/door?in={order}-{line}-{number}")))
        }
        Outcome::Refused(refused) => {
            let verdict = Verdict::Refused(Refusal::new(&refused, &doorway, code));
            let status = Problem::from(refused).status();
            show(&app, &frame, &doorway, (status, verdict), false).await
        }
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}

#[derive(Deserialize)]
struct Undo {
    #[serde(default)]
    code: String,
    #[serde(default)]
    reason: String,
}

async fn undo(
    State(app): State<App>,
    frame: Frame,
    StaffSession(session): StaffSession,
    PathId(id): PathId,
    Form(Undo { code, reason }): Form<Undo>,
) -> Result<Response, Problem> {
    may(&session)?;
    let doorway = ticketed(&app, id).await?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        let verdict = Verdict::Refused(Refusal {
            words: "Nothing was taken back: say why.".to_owned(),
            more: None,
            typed: code,
            may_insist: false,
            may_undo: true,
        });
        let said = (StatusCode::UNPROCESSABLE_ENTITY, verdict);
        return show(&app, &frame, &doorway, said, true).await;
    }
    let done = commands::take_back(&app, caller(&session), id, &code, reason.to_owned()).await?;
    match done {
        Outcome::Accepted(()) => Ok(see_other(&format!("/admin/events/{id}/door?back=1"))),
        Outcome::Refused(refused) => {
            let verdict = Verdict::Refused(Refusal::new(&refused, &doorway, code));
            let status = Problem::from(refused).status();
            show(&app, &frame, &doorway, (status, verdict), false).await
        }
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
}
