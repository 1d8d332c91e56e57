//! A channel's page: how far it is, live; its syncs; what could not be read; what is shipped.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Map;

use super::{class, found, schedule};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::channels::access::Scope;
use crate::channels::model::{Channel, ChannelProcess, ChannelState, SyncRun};
use crate::channels::progress::{self, ChannelProgress, EndpointUse};
use crate::channels::queries::{self, PROCESSES, RUNS};
use crate::channels::shipments::queries::{self as shipments, SHIPMENTS};
use crate::desk::format;
use crate::pages::Frame;
use crate::platform::extract::PathId;
use crate::platform::page::{ListRequest, Resource};
use crate::platform::problem::Problem;

/// Rows of each of the page's tables.
const ROWS_MAX: u32 = 10;
/// Characters of a provider's words that are shown.
const RAW_CHARS_MAX: usize = 4_000;

#[derive(Template)]
#[template(path = "channels/templates/channel.html")]
struct ChannelPage<'a> {
    nonce: &'a str,
    channel: Channel,
    provider: &'static str,
    class: &'static str,
    schedule: String,
    /// What its state means, and what to do.
    advice: String,
    progress: Shown,
    runs: Vec<RunRow>,
    spoiled: Vec<Spoiled>,
    processes: Vec<ProcessRow>,
    may_change: bool,
    may_delete: bool,
    done: Option<&'static str>,
}

/// The progress in words.
struct Shown {
    what: String,
    facts: Vec<(&'static str, String)>,
    endpoints: Vec<EndpointRow>,
    unknown: Vec<String>,
    running: bool,
}

struct EndpointRow {
    name: &'static str,
    used: String,
    next: String,
}

struct RunRow {
    id: i64,
    kind: &'static str,
    state: &'static str,
    began: String,
    ended: String,
    counts: [String; 8],
}

struct Spoiled {
    id: i64,
    remote_id: String,
    problem: String,
    raw: String,
}

struct ProcessRow {
    id: i64,
    order_id: String,
    state: &'static str,
    words: String,
    updated: String,
}

fn minute(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, format::minute)
}

/// `2 min 5 s`
fn lasting(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

fn per(period_ms: i64) -> String {
    match period_ms {
        60_000 => "a minute".to_owned(),
        1_000 => "a second".to_owned(),
        ms if ms % 1_000 == 0 => format!("in {} s", ms / 1_000),
        ms => format!("in {ms} ms"),
    }
}

impl From<&EndpointUse> for EndpointRow {
    fn from(one: &EndpointUse) -> Self {
        let next = one.next_call_at.map(|at| at.strftime("%H:%M:%S").to_string());
        Self {
            name: match one.endpoint {
                "list" => "List of shipments",
                "detail" => "Details of shipments",
                "ship" => "Shipping",
                _ => "How far a shipping is",
            },
            used: format!("{} of {} {}", one.used, one.limit, per(one.period_ms)),
            next: next.unwrap_or_else(|| "after the one under way".to_owned()),
        }
    }
}

impl From<&ChannelProgress> for Shown {
    fn from(progress: &ChannelProgress) -> Self {
        let mut facts = Vec::new();
        if let Some(run) = &progress.run {
            facts.push(("Pages read", format::count(run.pages)));
            facts.push(("Details done", format::count(run.details)));
        }
        let left = format::up_to(progress.details_left, progress::COUNTED_MAX);
        let more = if progress.more_pages { ", and what further pages bring" } else { "" };
        facts.push(("Details left", left + more));
        if let Some(seconds) = progress.seconds_left {
            facts.push(("Time to finish", format!("about {}", lasting(seconds))));
        }
        if let Some(at) = progress.next_sync_at.filter(|_| !progress.running) {
            facts.push(("Next sync", format::minute(at)));
        }
        facts.push(("Could not be read", format::count(progress.quarantined)));
        if let Some(problem) = &progress.problem {
            let since = minute(progress.failing_since);
            facts.push(("Calls fail", format!("{problem} (since {since})")));
        }
        let what = match (progress.running, progress.asked.as_deref()) {
            (true, Some("cancel")) => "The sync is being canceled.",
            (true, _) => "A sync goes on.",
            (false, Some(_)) => "A sync was asked for, and begins at once.",
            (false, None) => "Nothing goes on.",
        };
        Self {
            what: what.to_owned(),
            facts,
            endpoints: progress.endpoints.iter().map(EndpointRow::from).collect(),
            unknown: progress.unknown_fields.clone(),
            running: progress.running,
        }
    }
}

impl From<SyncRun> for RunRow {
    fn from(run: SyncRun) -> Self {
        let counts = [
            run.pages,
            run.found,
            run.details,
            run.quarantined,
            run.calls,
            run.refused,
            run.failed,
            run.tokens,
        ];
        Self {
            id: run.id,
            kind: run.kind.as_str(),
            state: run.state.as_str(),
            began: format::minute(run.began_at),
            ended: minute(run.ended_at),
            counts: counts.map(format::count),
        }
    }
}

impl From<ChannelProcess> for ProcessRow {
    fn from(process: ChannelProcess) -> Self {
        let shipment = process.shipment_id.map(|id| format!("shipment {id}"));
        Self {
            id: process.id,
            order_id: process.order_id.unwrap_or_default(),
            state: process.state.as_str(),
            words: process.error.or(shipment).unwrap_or_default(),
            updated: format::minute(process.updated_at),
        }
    }
}

/// What a state means, and what to do.
fn advice(channel: &Channel) -> String {
    let provider = channel.provider.title();
    let reason = channel.state_reason.as_deref().unwrap_or("it gives no reason");
    let reason = reason.trim_end_matches('.');
    match channel.state {
        ChannelState::Active => String::new(),
        ChannelState::Unverified => {
            format!("Its credentials were not tried yet ({reason}): the next sync does.")
        }
        ChannelState::Paused => "It is paused. Resume it, and it goes on where it was.".to_owned(),
        ChannelState::Refused => format!(
            "{provider} refuses it: {reason}. Change its credentials; if they should work again, \
             resume it."
        ),
    }
}

/// What a form that led here has done.
fn done(given: &[(String, String)]) -> Option<&'static str> {
    let (_, what) = given.iter().find(|(name, _)| name == "done")?;
    Some(match what.as_str() {
        "made" => "It is there now. Its first sync begins at once, if it has a schedule.",
        "changed" => "It was changed.",
        "sync" | "full" => "A sync was asked for.",
        "pause" => "It rests now.",
        "resume" => "It goes on.",
        "cancel" => "The sync ends; what it has stored stays.",
        "ship" => "It will be shipped; below it is said how far that is.",
        _ => return None,
    })
}

/// The newest rows of a list.
fn newest(resource: &'static Resource, filters: &[(&str, &str)]) -> Result<ListRequest, Problem> {
    let pairs: Vec<(String, String)> =
        filters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(ListRequest::from_pairs(resource, &pairs, &Map::new())?.with_limit(ROWS_MAX))
}

/// What could not be read, with the provider's words.
async fn spoiled(app: &App, id: i64) -> Result<Vec<Spoiled>, Problem> {
    let channel_id = id.to_string();
    let filters = [("channel_id", channel_id.as_str()), ("state", "quarantined")];
    let page = shipments::page(app, Scope::Every, &newest(&SHIPMENTS, &filters)?).await?;
    let mut spoiled = Vec::new();
    for summary in page.items {
        let found = shipments::find(app, Scope::Every, summary.id, true).await?;
        let raw = found.and_then(|shipment| shipment.raw);
        let raw = raw.map(|raw| format!("{raw:#}")).unwrap_or_default();
        spoiled.push(Spoiled {
            id: summary.id,
            remote_id: summary.remote_id,
            problem: summary.problem.unwrap_or_default(),
            raw: raw.chars().take(RAW_CHARS_MAX).collect(),
        });
    }
    Ok(spoiled)
}

pub(super) async fn show(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
    Query(given): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::View)?;
    let channel = found(&app, id).await?;
    let progress = progress::progress(&app, &channel).await?;
    let progress = progress.ok_or_else(|| Problem::not_found("channel"))?;
    let runs = queries::runs(&app, id, &newest(&RUNS, &[])?).await?;
    let processes = queries::processes(&app, id, &newest(&PROCESSES, &[])?).await?;
    let title = format!("{} · Channels", channel.name);
    let page = ChannelPage {
        nonce: &frame.nonce,
        provider: channel.provider.title(),
        class: class(channel.state),
        schedule: schedule(&channel),
        advice: advice(&channel),
        progress: Shown::from(&progress),
        runs: runs.items.into_iter().map(RunRow::from).collect(),
        spoiled: spoiled(&app, id).await?,
        processes: processes.items.into_iter().map(ProcessRow::from).collect(),
        may_change: session.may(Capability::Channels, Verb::Change),
        may_delete: session.may(Capability::Channels, Verb::Delete),
        done: done(&given),
        channel,
    };
    Ok(frame.page(&title, &page))
}
