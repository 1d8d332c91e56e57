//! The audit trail, newest first.
//!
//! Rows of one entity, one thing or one person are found by an index; what else is asked for is
//! looked for among at most [`WINDOW`] rows, and the next page goes on after the last that was
//! looked at.

use jiff::Timestamp;
use runout_store::{Composer, Db, Result, Statement, statements};
use serde_json::Value;

/// Rows of a page.
pub(in crate::desk) const PAGE: usize = 50;
/// Rows that are looked at for a page.
pub(in crate::desk) const WINDOW: i64 = 5_000;

statements! {
    ACTOR = "select id from account where username_key = $1";
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::desk) struct Wanted {
    pub(in crate::desk) entity: Option<String>,
    pub(in crate::desk) entity_id: Option<i64>,
    pub(in crate::desk) actor: Option<i64>,
    /// The beginning of the action's name.
    pub(in crate::desk) action: Option<String>,
    pub(in crate::desk) from: Option<Timestamp>,
    pub(in crate::desk) to: Option<Timestamp>,
    /// Before this row.
    pub(in crate::desk) before: Option<i64>,
}

/// Who did what to what.
#[derive(Debug, Clone)]
pub(in crate::desk) struct TrailRow {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) at: Timestamp,
    pub(in crate::desk) who: Option<String>,
    pub(in crate::desk) action: String,
    pub(in crate::desk) entity: String,
    pub(in crate::desk) entity_id: i64,
    pub(in crate::desk) changes: Value,
}

/// The next rows, and the row after which the list goes on.
#[derive(Debug)]
pub(in crate::desk) struct Found {
    pub(in crate::desk) rows: Vec<TrailRow>,
    pub(in crate::desk) next: Option<i64>,
}

impl Wanted {
    fn fits(&self, row: &TrailRow) -> bool {
        self.action.as_ref().is_none_or(|action| row.action.starts_with(action.as_str()))
            && self.from.is_none_or(|from| row.at >= from)
            && self.to.is_none_or(|to| row.at < to)
    }

    /// True if an index finds no more than what is wanted.
    fn is_indexed(&self) -> bool {
        self.action.is_none() && self.from.is_none() && self.to.is_none()
    }
}

/// The account of a username, lower-cased.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn actor(db: &Db, key: &str) -> Result<Option<i64>> {
    db.read_one(Statement::new(&ACTOR, vec![key.into()]), |row| row.get(0)).await
}

/// The next rows of the trail.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn trail(db: &Db, wanted: &Wanted) -> Result<Found> {
    let page = i64::try_from(PAGE).expect("a page is small");
    let rows_max = if wanted.is_indexed() { page + 1 } else { WINDOW + 1 };
    let mut sql = Composer::new(
        "select a.id, a.at, w.username, a.action, a.entity, a.entity_id, a.changes
        from audit a left join account w on w.id = a.actor_id where ",
    );
    sql.push_each("1 = 1", "true");
    if let Some(entity) = &wanted.entity {
        sql.push(" and a.entity = ").bind(entity.as_str());
    }
    if let Some(id) = wanted.entity_id {
        sql.push(" and a.entity_id = ").bind(id);
    }
    if let Some(actor) = wanted.actor {
        sql.push(" and a.actor_id = ").bind(actor);
    }
    if let Some(before) = wanted.before {
        sql.push(" and a.id < ").bind(before);
    }
    sql.push(" order by a.id desc limit ").bind(rows_max);
    let rows = db
        .read(sql.finish(), |row| {
            Ok(TrailRow {
                id: row.get(0)?,
                at: row.get(1)?,
                who: row.get(2)?,
                action: row.get(3)?,
                entity: row.get(4)?,
                entity_id: row.get(5)?,
                changes: row.get(6)?,
            })
        })
        .await?;
    Ok(chosen(rows, wanted, usize::try_from(rows_max).expect("a small number")))
}

/// Of the rows, the first [`PAGE`] that fit; `rows_max` were asked for.
fn chosen(mut rows: Vec<TrailRow>, wanted: &Wanted, rows_max: usize) -> Found {
    let cut = rows.len() == rows_max;
    rows.truncate(rows_max - 1);
    let last = rows.last().map(|row| row.id).filter(|_| cut);
    let mut fitting = rows.into_iter().filter(|row| wanted.fits(row));
    let page: Vec<TrailRow> = fitting.by_ref().take(PAGE).collect();
    let more = page.len() == PAGE && (fitting.next().is_some() || cut);
    let next = if more { page.last().map(|row| row.id) } else { last };
    Found { rows: page, next }
}
