//! The pages of delivery: how destinations fare, live; one of them; a form for a new one.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value as Json};

use super::board::{self, Row, Waiting};
use super::destinations::input::{NewDestination, NewSecret, Signing};
use super::destinations::model::{Destination, DestinationKind, DestinationState};
use super::destinations::secrets::{self, ShownSecret, queries::KnownSecret};
use super::destinations::state::commands as state;
use super::destinations::{commands, queries};
use super::letters::replay::{Range, commands as replay};
use crate::App;
use crate::accounts::{Capability, Session, StaffSession, Verb};
use crate::admin::table::settled;
use crate::desk::format;
use crate::desk::live::{self, Scene};
use crate::pages::{Frame, see_other};
use crate::platform::command::Caller;
use crate::platform::etag::IfMatch;
use crate::platform::extract::{PathId, parse_id, valid};
use crate::platform::form::{Form, Pairs};
use crate::platform::problem::Problem;

/// Things that wait for another attempt and are named on a destination's page.
const WAITING_MAX: i64 = 50;

/// The capability's pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/admin/delivery/", get(overview))
        .route("/admin/delivery/events", get(events))
        .route("/admin/delivery/new", get(new).post(create))
        .route("/admin/delivery/{id}/", get(show))
        .route("/admin/delivery/{id}/{deed}", post(act))
}

/// What can be done with a destination by a button.
struct Do {
    id: i64,
    name: String,
    active: bool,
    /// It can be sent a test.
    tests: bool,
    /// It has dead letters.
    dead: bool,
}

impl Do {
    fn new(destination: &Destination, dead: bool) -> Self {
        let active = destination.state == DestinationState::Active;
        Self {
            id: destination.id,
            name: destination.settings.name.clone(),
            active,
            tests: active && destination.kind != DestinationKind::Rest,
            dead,
        }
    }
}

#[derive(Template)]
#[template(path = "delivery/templates/overview.html")]
struct Overview<'a> {
    nonce: &'a str,
    parts: &'a [(&'static str, String)],
    /// Nothing, if whoever looks may not change anything.
    todo: Vec<Do>,
    may_create: bool,
}

#[derive(Template)]
#[template(path = "delivery/templates/destination.html")]
struct DestinationPage {
    row: Row,
    url: String,
    last_success: Option<String>,
    last_failure: Option<String>,
    last_error: Option<String>,
    todo: Option<Do>,
    waiting: Vec<Waiting>,
    signs: bool,
    secrets: Vec<SecretRow>,
    done: Option<&'static str>,
}

struct SecretRow {
    number: i64,
    kind: &'static str,
    public_key: String,
    created: String,
    ends: String,
}

impl From<KnownSecret> for SecretRow {
    fn from(known: KnownSecret) -> Self {
        Self {
            number: known.number,
            kind: known.kind.as_str(),
            public_key: known.public_key.unwrap_or_default(),
            created: format::minute(known.created_at),
            ends: known.ends_at.map_or_else(|| "never".to_owned(), format::minute),
        }
    }
}

#[derive(Template)]
#[template(path = "delivery/templates/secret.html")]
struct SecretPage {
    id: i64,
    name: String,
    secrets: Vec<ShownSecret>,
}

/// The numbers of every destination, live.
async fn overview(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
) -> Result<Response, Problem> {
    session.require(Capability::Delivery, Verb::View)?;
    let parts = board::read(&app).await?;
    let todo = match session.may(Capability::Delivery, Verb::Change) {
        true => {
            let statuses = board::statuses(&app).await?;
            statuses.iter().map(|one| Do::new(&one.destination, one.dead > 0)).collect()
        }
        false => Vec::new(),
    };
    let may_create = session.may(Capability::Delivery, Verb::Create);
    let page = Overview { nonce: &frame.nonce, parts: &parts, todo, may_create };
    Ok(frame.page("Delivery", &page))
}

/// Changes of the overview, as they come.
async fn events(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    session.require(Capability::Delivery, Verb::View)?;
    Ok(live::stream(&app, Scene::Delivery, headers)?.into_response())
}

async fn show(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
    Query(given): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    session.require(Capability::Delivery, Verb::View)?;
    let found = queries::status(&app, id).await?;
    let status = found.ok_or_else(|| Problem::not_found("destination"))?;
    let destination = &status.destination;
    let signs = destination.kind == DestinationKind::Webhook;
    let known = if signs { secrets::queries::all(&app, id).await? } else { Vec::new() };
    let name = destination.settings.name.clone();
    let may_change = session.may(Capability::Delivery, Verb::Change);
    let page = DestinationPage {
        row: Row::new(&status),
        url: destination.settings.url.clone(),
        last_success: status.last_success_at.map(format::minute),
        last_failure: status.last_failure_at.map(format::minute),
        last_error: status.last_error.clone(),
        todo: may_change.then(|| Do::new(destination, status.dead > 0)),
        waiting: board::waiting(&app, id, &name, WAITING_MAX).await?,
        signs,
        secrets: known.into_iter().map(SecretRow::from).collect(),
        done: done(&given),
    };
    Ok(frame.page(&format!("{name} · Delivery"), &page))
}

/// What a form that led here has done.
fn done(given: &[(String, String)]) -> Option<&'static str> {
    let (_, what) = given.iter().find(|(name, _)| name == "done")?;
    Some(match what.as_str() {
        "made" => "It is there now, and hears of everything from now on.",
        "pause" => "Nothing is delivered there any more; what it asks for is kept.",
        "resume" => "What waited is delivered now.",
        "test" => "A test is on its way.",
        "replay" => "The dead letters are on their way again.",
        "more" => "The oldest thousand dead letters are on their way; do it again for more.",
        _ => return None,
    })
}

fn caller(session: &Session) -> Caller {
    Caller { account_id: Some(session.identity.account_id), key: None }
}

/// Does what a button says.
async fn act(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    Path((id, deed)): Path<(String, String)>,
    Form(_): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Delivery, Verb::Change)?;
    let id = parse_id(&id).ok_or_else(|| Problem::not_found("destination"))?;
    let caller = caller(&session);
    let done = match deed.as_str() {
        "pause" => {
            settled(state::pause(&app, caller, id, IfMatch::Any).await?, Problem::from)?;
            "pause"
        }
        "resume" => {
            settled(state::resume(&app, caller, id, IfMatch::Any).await?, Problem::from)?;
            "resume"
        }
        "test" => {
            settled(state::test(&app, caller, id).await?, Problem::from)?;
            "test"
        }
        "replay" => {
            let outcome = replay::replay_range(&app, caller, id, Range::default()).await?;
            if settled(outcome, Problem::from)?.more { "more" } else { "replay" }
        }
        "rotate" => return rotate(&app, &frame, caller, id).await,
        _ => return Err(Problem::not_found("thing to do")),
    };
    Ok(see_other(&format!("/admin/delivery/{id}/?done={done}")))
}

/// Makes a new secret and shows it, this once.
async fn rotate(app: &App, frame: &Frame, caller: Caller, id: i64) -> Result<Response, Problem> {
    let (outcome, made) = secrets::commands::rotate(app, caller, id, NewSecret::default()).await?;
    settled(outcome, Problem::from)?;
    let found = queries::find(app, id).await?;
    let name = found.map(|destination| destination.settings.name).unwrap_or_default();
    let secrets = made.iter().map(secrets::Made::shown).collect();
    Ok(frame.page("New secret", &SecretPage { id, name, secrets }))
}

/// A field of the form.
struct Field {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    kind: FieldKind,
    value: String,
    error: Option<String>,
}

/// What a field looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldKind {
    Line,
    Long,
    /// One of these.
    Choice(&'static [&'static str]),
    /// One of these, or none.
    Maybe(&'static [&'static str]),
    Check,
}

impl Field {
    fn words(&self) -> &'static [&'static str] {
        match self.kind {
            FieldKind::Choice(words) | FieldKind::Maybe(words) => words,
            FieldKind::Line | FieldKind::Long | FieldKind::Check => &[],
        }
    }

    fn is_check(&self) -> bool {
        self.kind == FieldKind::Check
    }

    fn is_long(&self) -> bool {
        self.kind == FieldKind::Long
    }

    fn may_be_empty(&self) -> bool {
        matches!(self.kind, FieldKind::Maybe(_))
    }

    fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.is_some().then(|| format!("{}-error", self.name));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

#[derive(Template)]
#[template(path = "delivery/templates/new.html")]
struct NewPage {
    fields: Vec<Field>,
    /// What was wrong with no field of the form.
    errors: Vec<String>,
}

impl NewPage {
    fn is_wrong(&self) -> bool {
        !self.errors.is_empty() || self.fields.iter().any(|field| field.error.is_some())
    }
}

const FIELDS: [(&str, &str, &str, FieldKind); 8] = [
    ("name", "Name", "", FieldKind::Line),
    (
        "kind",
        "Kind",
        "A webhook gets signed messages; rest mirrors posts, comments, products and \
        events at another system; amqp publishes to RabbitMQ.",
        FieldKind::Choice(&["webhook", "rest", "amqp"]),
    ),
    (
        "url",
        "Address",
        "Such as https://warehouse.example/hooks, or \
        amqp://user:password@host/vhost.",
        FieldKind::Line,
    ),
    (
        "events",
        "Events",
        "One per line, such as order.placed or order.*; empty: all.",
        FieldKind::Long,
    ),
    (
        "resources",
        "Mirrored",
        "Of rest only, such as {\"post\": {\"path\": \"/posts\"}}.",
        FieldKind::Long,
    ),
    ("exchange", "Exchange", "Of amqp only; runout, if empty.", FieldKind::Line),
    (
        "signing",
        "Signature",
        "Of webhooks only; hmac, if nothing is chosen.",
        FieldKind::Maybe(Signing::WORDS),
    ),
    ("allow_private", "It may be in a private network, or on this machine", "", FieldKind::Check),
];

/// The form's fields with what was typed.
fn fields(posted: &[(String, String)]) -> Vec<Field> {
    let typed = |name: &str| posted.iter().rev().find(|(known, _)| known == name);
    let field = |(name, label, hint, kind)| Field {
        name,
        label,
        hint,
        kind,
        value: typed(name).map(|(_, value)| value.replace("\r\n", "\n")).unwrap_or_default(),
        error: None,
    };
    FIELDS.map(field).into()
}

/// The API's input; fields that were left empty are absent.
fn input(fields: &[Field]) -> Map<String, Json> {
    let mut map = Map::new();
    for field in fields {
        let text = field.value.trim();
        let value = match field.name {
            "name" | "kind" | "url" => text.into(),
            "allow_private" => (text == "true").into(),
            _ if text.is_empty() => continue,
            "events" => text.split([' ', ',', '\n']).filter(|word| !word.is_empty()).collect(),
            // What is no JSON stays text, so that the API's input says what it wants there.
            "resources" => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            _ => text.into(),
        };
        map.insert(field.name.to_owned(), value);
    }
    map
}

async fn new(StaffSession(session): StaffSession, frame: Frame) -> Result<Response, Problem> {
    session.require(Capability::Delivery, Verb::Create)?;
    let page = NewPage { fields: fields(&[]), errors: Vec::new() };
    Ok(frame.page("New destination", &page))
}

async fn create(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Delivery, Verb::Create)?;
    let fields = fields(&posted);
    match added(&app, caller(&session), input(&fields)).await {
        Ok((destination, secrets)) if secrets.is_empty() => {
            Ok(see_other(&format!("/admin/delivery/{}/?done=made", destination.id)))
        }
        Ok((destination, secrets)) => {
            let (id, name) = (destination.id, destination.settings.name);
            Ok(frame.page("New destination", &SecretPage { id, name, secrets }))
        }
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => {
            Ok(shown_again(&frame, fields, &problem))
        }
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            Ok(shown_again(&frame, fields, &problem))
        }
        Err(problem) => Err(problem),
    }
}

async fn added(
    app: &App,
    caller: Caller,
    input: Map<String, Json>,
) -> Result<(Destination, Vec<ShownSecret>), Problem> {
    let new: NewDestination = valid(input)?;
    let wanted = new.settled();
    let made = secrets::first(wanted.signing)?;
    let outcome = commands::add(app, caller, wanted, made.clone()).await?;
    let destination = settled(outcome, Problem::from)?;
    Ok((destination, made.iter().map(secrets::Made::shown).collect()))
}

/// The form with what was typed, and what was wrong beside each field.
fn shown_again(frame: &Frame, mut fields: Vec<Field>, problem: &Problem) -> Response {
    let mut errors = Vec::new();
    for wrong in problem.field_errors() {
        let mut place = wrong.pointer.trim_start_matches('/').splitn(2, '/');
        let name = place.next().unwrap_or_default();
        let words = match place.next() {
            Some(rest) => format!("{rest} {}", wrong.detail),
            None => wrong.detail.clone(),
        };
        match fields.iter_mut().find(|field| field.name == name) {
            Some(field) => {
                let before = field.error.take().map(|before| before + "; ").unwrap_or_default();
                field.error = Some(before + &words);
            }
            None => errors.push(words),
        }
    }
    if problem.field_errors().is_empty() {
        errors.push(problem.words().to_owned());
    }
    let page = NewPage { fields, errors };
    frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, "New destination", &page)
}
