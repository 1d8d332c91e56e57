//! How destinations fare, as the live page shows it.

use askama::Template;

use super::destinations::model::{DestinationState, DestinationStatus};
use super::destinations::queries;
use crate::App;
use crate::desk::chart::bar;
use crate::desk::format;
use crate::desk::live::Parts;
use crate::platform::problem::Problem;

/// Rows that are counted for the page.
const COUNTED_MAX: i64 = 1_000;
/// Things per destination that wait for another attempt and are named.
const RETRYING_MAX: i64 = 5;

/// One destination, ready to be shown.
pub(super) struct Row {
    pub id: i64,
    pub name: String,
    pub kind: &'static str,
    pub state: &'static str,
    /// Its class.
    pub class: &'static str,
    /// Why it was disabled.
    pub reason: String,
    /// For how long the oldest delivery has waited.
    pub lag: String,
    pub pending: String,
    pub in_flight: String,
    pub delivered: String,
    pub success: String,
    /// The same as a picture.
    pub bar: String,
    pub dead: String,
    pub retrying: String,
}

/// A thing that waits for another attempt.
pub(super) struct Waiting {
    pub destination_id: i64,
    pub destination: String,
    pub thing: String,
    pub attempts: String,
    pub due: String,
    pub due_at: String,
    pub error: String,
}

#[derive(Template)]
#[template(path = "delivery/templates/board_destinations.html")]
struct Destinations {
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "delivery/templates/board_waiting.html")]
struct WaitingPart {
    rows: Vec<Waiting>,
}

impl Row {
    pub(super) fn new(status: &DestinationStatus) -> Self {
        let destination = &status.destination;
        let (delivered, failed) = (status.delivered, status.failed_attempts);
        let tried = delivered.saturating_add(failed);
        Self {
            id: destination.id,
            name: destination.settings.name.clone(),
            kind: destination.kind.as_str(),
            state: destination.state.as_str(),
            class: match destination.state {
                DestinationState::Active => "good",
                DestinationState::Paused => "warn",
                DestinationState::Disabled => "bad",
            },
            reason: destination.state_reason.clone().unwrap_or_default(),
            lag: status.oldest_pending_s.map_or_else(|| "none".to_owned(), waited),
            pending: format::up_to(status.pending, COUNTED_MAX),
            in_flight: format::count(status.in_flight),
            delivered: format::count(delivered),
            success: success(delivered, tried),
            bar: bar(delivered, tried),
            dead: format::up_to(status.dead, COUNTED_MAX),
            retrying: format::up_to(status.retrying, COUNTED_MAX),
        }
    }
}

/// `45 s`, `12 min`, `5 h`, `3 days`.
fn waited(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The share of attempts that delivered, `99.8 %`, never rounded up to all of them.
fn success(delivered: i64, tried: i64) -> String {
    if tried <= 0 {
        return "nothing yet".to_owned();
    }
    let permille = i128::from(delivered) * 1_000 / i128::from(tried);
    format!("{}.{} %", permille / 10, permille % 10)
}

/// The things of a destination that wait for another attempt, the next one first.
///
/// # Errors
/// The database's.
pub(super) async fn waiting(
    app: &App,
    id: i64,
    name: &str,
    limit: i64,
) -> Result<Vec<Waiting>, Problem> {
    let retrying = queries::retrying(app, id, limit).await?;
    let shown = retrying.into_iter().map(|one| Waiting {
        destination_id: id,
        destination: name.to_owned(),
        thing: format!("{} {}", one.entity, one.entity_id),
        attempts: format::count(one.attempts),
        due: format::minute(one.due_at),
        due_at: one.due_at.to_string(),
        error: match one.status {
            Some(status) => format!("{status}: {}", one.error),
            None => one.error,
        },
    });
    Ok(shown.collect())
}

/// Every destination, ready to be shown.
///
/// # Errors
/// The database's.
pub(super) async fn statuses(app: &App) -> Result<Vec<DestinationStatus>, Problem> {
    Ok(queries::statuses(app, COUNTED_MAX).await?)
}

/// Reads the numbers anew and draws them.
///
/// # Errors
/// The database's.
pub(crate) async fn read(app: &App) -> Result<Parts, Problem> {
    let statuses = statuses(app).await?;
    let mut rows = Vec::new();
    for status in statuses.iter().filter(|status| status.retrying > 0) {
        let destination = &status.destination;
        let name = &destination.settings.name;
        rows.extend(waiting(app, destination.id, name, RETRYING_MAX).await?);
    }
    let destinations = Destinations { rows: statuses.iter().map(Row::new).collect() };
    let rendered = |template: askama::Result<String>| template.map_err(Problem::internal);
    Ok(vec![
        ("destinations", rendered(destinations.render())?),
        ("waiting", rendered(WaitingPart { rows }.render())?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_and_shares_are_words() {
        for (seconds, words) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")]
        {
            assert_eq!(waited(seconds), words);
        }
        for (delivered, tried, words) in [
            (0, 0, "nothing yet"),
            (0, 5, "0.0 %"),
            (2, 3, "66.6 %"),
            (99_999, 100_000, "99.9 %"),
            (7, 7, "100.0 %"),
        ] {
            assert_eq!(success(delivered, tried), words);
        }
    }
}
