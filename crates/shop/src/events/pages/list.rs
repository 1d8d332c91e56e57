//! The list of events. What everybody sees of it is kept ready; what the viewer can do about each
//! event is one small question to the database.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use crate::App;
use crate::accounts::SignedIn;
use crate::events::api::ready_list;
use crate::events::edit::Editor;
use crate::events::list::EventsRequest;
use crate::events::model::Summary;
use crate::events::queries::{self, ATTENDED, AttendanceState};
use crate::pages::Frame;
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

/// What the viewer can do about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is over, or cancelled: nothing.
    Closed,
    /// It sells tickets.
    Tickets,
    LogIn,
    Join,
    JoinWaitingList,
    Withdraw,
    LeaveWaitingList,
}

/// An event with what the viewer can do about it.
pub(super) struct Row {
    pub(super) event: Summary,
    pub(super) way: Way,
    /// The viewer may edit it.
    pub(super) own: bool,
    pub(super) over: bool,
}

/// Whoever looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    pub(super) editor: Option<Editor>,
    pub(super) now: Timestamp,
}

impl Viewer {
    pub(super) fn new(app: &App, frame: &Frame) -> Self {
        let editor = frame.session.as_ref().map(|session| Editor::from(&session.identity));
        Self { editor, now: app.clock.now() }
    }

    pub(super) fn row(&self, event: Summary, state: Option<AttendanceState>) -> Row {
        let over = event.is_over(self.now);
        let way = match (self.editor, state) {
            _ if over || event.cancelled_at.is_some() => Way::Closed,
            (_, Some(AttendanceState::Attending)) => Way::Withdraw,
            (_, Some(AttendanceState::Waiting)) => Way::LeaveWaitingList,
            _ if event.product_id.is_some() => Way::Tickets,
            (None, None) => Way::LogIn,
            (Some(_), None) if event.is_full() => Way::JoinWaitingList,
            (Some(_), None) => Way::Join,
        };
        let own = self.editor.is_some_and(|editor| editor.may(event.organiser.id));
        Row { event, way, own, over }
    }

    async fn rows(&self, app: &App, events: Vec<Summary>) -> Result<Vec<Row>, Problem> {
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        let states = match self.editor {
            Some(editor) => queries::own_states(app, editor.account_id, &ids).await?,
            None => Default::default(),
        };
        Ok(events
            .into_iter()
            .map(|event| {
                let state = states.get(&event.id).copied();
                self.row(event, state)
            })
            .collect())
    }
}

/// A list that was kept ready.
#[derive(Deserialize)]
struct Ready {
    items: Vec<Summary>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "events/templates/list.html")]
struct ListPage<'a> {
    query: &'a str,
    upcoming: Vec<Row>,
    past: Vec<Row>,
    /// Not the first page.
    goes_on: bool,
    /// The query of the next page.
    next: Option<String>,
}

/// Every event, and what the viewer can do about it.
pub(super) async fn all(
    State(app): State<App>,
    frame: Frame,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = EventsRequest::from_uri(&uri)?;
    let ready = ready_list(&app, &uri).await?;
    let Ready { items, next } = serde_json::from_slice(&ready).map_err(Problem::internal)?;
    let rows = Viewer::new(&app, &frame).rows(&app, items).await?;
    let (past, upcoming) = rows.into_iter().partition(|row| row.over);
    let next = next.map(|cursor| next_query(&uri, &cursor));
    let (query, goes_on) = (request.query(), request.goes_on());
    Ok(frame.page("Events", &ListPage { query, upcoming, past, goes_on, next }))
}

/// The query of this page with another cursor.
fn next_query(uri: &Uri, cursor: &str) -> String {
    let query = uri.query().unwrap_or_default();
    let mut pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).expect("it was read before");
    pairs.retain(|(name, _)| name != "cursor");
    pairs.push(("cursor".to_owned(), cursor.to_owned()));
    serde_urlencoded::to_string(pairs).expect("text can be encoded")
}

#[derive(Template)]
#[template(path = "events/templates/mine.html")]
struct MinePage {
    rows: Vec<Row>,
    next: Option<String>,
}

/// The events that the viewer has signed up for.
pub(super) async fn mine(
    State(app): State<App>,
    frame: Frame,
    SignedIn(session): SignedIn,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&ATTENDED, &uri)?;
    let page = queries::attended(&app, session.identity.account_id, &request).await?;
    let viewer = Viewer::new(&app, &frame);
    let next = page.next.map(|cursor| next_query(&uri, &cursor));
    let rows = page.items.into_iter().map(|one| viewer.row(one.event, Some(one.state)));
    Ok(frame.page("My events", &MinePage { rows: rows.collect(), next }))
}
