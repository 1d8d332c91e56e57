//! Reading dead letters.

use runout_store::{Composer, Result, Statement, statements};

use super::model::{DeadLetter, Details, LetterReason, LetterState};
use crate::App;
use crate::platform::cursor::Key;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::{ListRequest, Page, Resource};

statements! {
    SHOW = "select id, destination_id, outbox_id, lane, topic, entity, entity_id, at, died_at,
            reason, attempts, status, state, note, version, payload, request, response
        from dead_letter where id = $1";
    BY_IDS = {
        sqlite: "select id, destination_id, outbox_id, lane, topic, entity, entity_id, at, died_at,
                reason, attempts, status, state, note, version
            from dead_letter where id in (select value from json_each($1))",
        postgres: "select id, destination_id, outbox_id, lane, topic, entity, entity_id, at,
                died_at, reason, attempts, status, state, note, version
            from dead_letter where id = any($1)",
    };
}

/// What the dead letters of a destination can be filtered by.
pub static DEAD_LETTERS: Resource = Resource {
    name: "dead_letters",
    fields: &[
        Field::new("id", "l.id", Kind::Id),
        Field::new("topic", "l.topic", Kind::Text),
        Field::new("entity", "l.entity", Kind::Text),
        Field::new("entity_id", "l.entity_id", Kind::Int),
        Field::new("reason", "l.reason", Kind::Choice(LetterReason::WORDS)),
        Field::new("state", "l.state", Kind::Choice(LetterState::WORDS)),
        Field::new("died_at", "l.died_at", Kind::Time),
        Field::new("at", "l.at", Kind::Time),
        Field::new("status", "l.status", Kind::Int).nullable(),
    ],
    id_sql: "l.id",
    default_sort: "-id",
    extras: &[],
};

/// A page of a destination's dead letters.
///
/// # Errors
/// The database's.
pub async fn page(
    app: &App,
    destination_id: i64,
    request: &ListRequest,
) -> Result<Page<DeadLetter>> {
    let mut sql = Composer::new(
        "select l.id, l.destination_id, l.outbox_id, l.lane, l.topic, l.entity, l.entity_id, l.at, \
         l.died_at, l.reason, l.attempts, l.status, l.state, l.note, l.version \
         from dead_letter l where l.destination_id = ",
    );
    sql.bind(destination_id);
    request.compose(&mut sql);
    let rows = app.db.read(sql.finish(), DeadLetter::read).await?;
    Ok(request.page(rows, |letter, _| (letter.id, Key::Null)))
}

/// One dead letter with all that is known of it.
///
/// # Errors
/// The database's.
pub async fn find(app: &App, id: i64) -> Result<Option<Details>> {
    app.db.read_one(Statement::new(&SHOW, vec![id.into()]), Details::read).await
}

/// Those of these letters that are there.
///
/// # Errors
/// The database's.
pub async fn by_ids(app: &App, ids: Vec<i64>) -> Result<Vec<DeadLetter>> {
    app.db.read(Statement::new(&BY_IDS, vec![ids.into()]), DeadLetter::read).await
}
