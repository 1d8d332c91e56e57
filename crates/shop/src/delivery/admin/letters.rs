//! Dead letters in the back office: read, edited, replayed, discarded.

use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Input, InputKind, Offer, OfferKind, Path, Planned, Show,
    Table, Work, Writes, settled,
};
use crate::delivery::letters::commands::{self, Discarding, LetterPatch};
use crate::delivery::letters::model::{DeadLetter, LetterReason, LetterState};
use crate::delivery::letters::queries;
use crate::delivery::letters::replay::commands as replaying;
use crate::platform::etag::IfMatch;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::Problem;

pub(super) static DEAD_LETTERS: Table = Table {
    slug: "dead-letters",
    title: "Dead letters",
    one: "dead letter",
    about: "What could not be delivered.",
    capability: Capability::Delivery,
    base: "dead_letter",
    alias: "l",
    list: Resource {
        name: "admin_dead_letters",
        fields: &[
            Field::new("id", "l.id", Kind::Id),
            Field::new("destination_id", "l.destination_id", Kind::Id),
            Field::new("state", "l.state", Kind::Choice(LetterState::WORDS)),
            Field::new("reason", "l.reason", Kind::Choice(LetterReason::WORDS)),
            Field::new("topic", "l.topic", Kind::Text),
            Field::new("entity", "l.entity", Kind::Text),
            Field::new("entity_id", "l.entity_id", Kind::Int),
            Field::new("died_at", "l.died_at", Kind::Time),
        ],
        id_sql: "l.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "l.id"),
        Column::new(
            "destination",
            "Destination",
            Show::Link("destinations"),
            "(select d.name from destination d where d.id = l.destination_id)",
        )
        .also("l.destination_id"),
        Column::new("state", "State", Show::Badge, "l.state"),
        Column::new("topic", "Topic", Show::Text, "l.topic"),
        Column::new("entity_id", "Thing", Show::Int, "l.entity_id"),
        Column::new("reason", "Reason", Show::Text, "l.reason"),
        Column::new("status", "Last status", Show::Int, "l.status"),
        Column::new("attempts", "Attempts", Show::Int, "l.attempts"),
        Column::new("died_at", "Given up", Show::Time, "l.died_at"),
    ],
    details: &[
        Column::new("entity", "Kind of thing", Show::Text, "l.entity"),
        Column::new("at", "Happened", Show::Time, "l.at"),
        Column::new("outbox_id", "Event", Show::Int, "l.outbox_id"),
        Column::new("payload", "Payload", Show::Json, "l.payload"),
        Column::new("request", "Last request", Show::Long, "l.request"),
        Column::new("response", "Last answer", Show::Long, "l.response"),
        Column::new("note", "Note", Show::Long, "l.note"),
    ],
    filters: &[
        Offer { field: "destination_id", label: "Destination", kind: OfferKind::Value },
        Offer { field: "state", label: "State", kind: OfferKind::Choice(LetterState::WORDS) },
        Offer { field: "reason", label: "Reason", kind: OfferKind::Choice(LetterReason::WORDS) },
        Offer { field: "topic", label: "Topic", kind: OfferKind::Value },
        Offer { field: "entity_id", label: "Thing's number", kind: OfferKind::Value },
        Offer { field: "died_at", label: "Given up", kind: OfferKind::Period },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["destination_id", "state"], sort: "-id", few: false },
        Path { fields: &["destination_id"], sort: "-id", few: false },
        Path { fields: &["state"], sort: "-id", few: false },
    ],
    entity: Some("dead_letter"),
    version: Some("l.version"),
    inputs: &[Input::new("payload", "Payload", InputKind::Json, "l.payload")
        .edit_only()
        .hint("What is told when it is replayed: an object.")],
    writes: Writes { create: None, change: Some(edit), delete: None },
    actions: &[
        Action {
            name: "replay",
            label: "Replay",
            verb: Verb::Change,
            inputs: &[],
            work: Work::Own { plan: plan_replay, apply: replay },
        },
        Action {
            name: "discard",
            label: "Discard",
            verb: Verb::Change,
            inputs: &[
                Input::new("note", "Why they need not arrive", InputKind::Line, "").required()
            ],
            work: Work::Own { plan: plan_discard, apply: discard },
        },
    ],
    ..Table::BLANK
};

fn edit(clerk: Clerk, id: i64, if_match: IfMatch, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let patch: LetterPatch = valid(fields)?;
        let outcome = commands::edit(&clerk.app, clerk.caller(), id, patch, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn planned(letter: &DeadLetter, to: LetterState) -> Planned {
    let from = letter.state;
    let refused = match from {
        LetterState::Dead => None,
        LetterState::Replaying => Some("It is on its way again already."),
        LetterState::Delivered => Some("It has been delivered meanwhile."),
        LetterState::Discarded => Some("It was discarded."),
    };
    Planned {
        id: letter.id,
        label: format!("{} {}", letter.topic, letter.entity_id),
        from: from.as_str().to_owned(),
        to: to.as_str().to_owned(),
        version: Some(letter.version),
        refused: refused.map(str::to_owned),
    }
}

/// In the order of their events, in which they are then replayed.
async fn plan(clerk: Clerk, ids: Vec<i64>, to: LetterState) -> Result<Vec<Planned>, Problem> {
    let mut found = queries::by_ids(&clerk.app, ids.clone()).await?;
    found.sort_by_key(|letter| (letter.outbox_id, letter.id));
    let is_there = |id: &i64| found.iter().any(|letter| letter.id == *id);
    let gone = ids.into_iter().filter(|id| !is_there(id)).map(Planned::gone);
    Ok(found.iter().map(|letter| planned(letter, to)).chain(gone).collect())
}

fn plan_replay(clerk: Clerk, ids: Vec<i64>, _: Fields) -> Doing<Vec<Planned>> {
    Box::pin(plan(clerk, ids, LetterState::Replaying))
}

fn plan_discard(clerk: Clerk, ids: Vec<i64>, fields: Fields) -> Doing<Vec<Planned>> {
    Box::pin(async move {
        let _checked: Discarding = valid(fields)?;
        plan(clerk, ids, LetterState::Discarded).await
    })
}

/// The destination of a letter.
async fn destination_of(clerk: &Clerk, id: i64) -> Result<i64, Problem> {
    let found = queries::by_ids(&clerk.app, vec![id]).await?;
    let letter = found.first().ok_or_else(|| Problem::not_found("dead letter"))?;
    Ok(letter.destination_id)
}

fn replay(clerk: Clerk, planned: Planned, _: Fields) -> Doing<()> {
    Box::pin(async move {
        let (id, if_match) = (planned.id, planned.if_match());
        let destination = destination_of(&clerk, id).await?;
        let (app, caller) = (&clerk.app, clerk.caller());
        let outcome = replaying::replay(app, caller, destination, id, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}

fn discard(clerk: Clerk, planned: Planned, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let (id, if_match) = (planned.id, planned.if_match());
        let said: Discarding = valid(fields)?;
        let destination = destination_of(&clerk, id).await?;
        let (app, caller) = (&clerk.app, clerk.caller());
        let outcome = commands::discard(app, caller, destination, id, said, if_match).await?;
        settled(outcome, Problem::from).map(drop)
    })
}
