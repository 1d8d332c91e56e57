//! Things as they are now, in the words of this shop.

use jiff::Timestamp;
use runout_store::{Db, Result, Row, Sql, Statement, Value as Param};
use serde_json::{Map, Value, json};

use super::super::window::Thing;
use super::sql;

/// What can be mirrored.
pub(crate) const ENTITIES: [&str; 4] = ["post", "comment", "product", "event"];

/// The fields of a kind that are mirrored.
pub(crate) fn field_names(entity: &str) -> &'static [&'static str] {
    match entity {
        "post" => &["user_id", "title", "body"],
        "comment" => &["post_id", "name", "email", "body"],
        "product" => {
            &["title", "artist", "release_year", "style", "label", "description", "enabled"]
        }
        "event" => {
            &["title", "description", "venue", "starts_at", "ends_at", "capacity", "cancelled"]
        }
        _ => &[],
    }
}

/// A thing's state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Local {
    pub id: i64,
    pub fields: Map<String, Value>,
    /// What it belongs to.
    pub parent: Option<Thing>,
    /// The field that says so.
    pub parent_field: Option<&'static str>,
}

/// What belongs to a kind of thing.
pub(super) fn child_of(entity: &str) -> Option<&'static str> {
    (entity == "post").then_some("comment")
}

/// A thing as an event told of it; none if the event does not say how it is.
pub(super) fn from_payload(thing: &Thing, payload: &str) -> Option<Local> {
    let told: Map<String, Value> = serde_json::from_str(payload).ok()?;
    let mut fields = Map::new();
    for name in field_names(&thing.entity) {
        fields.insert((*name).to_owned(), told.get(*name)?.clone());
    }
    let parent_field = (&*thing.entity == "comment").then_some("post_id");
    let parent_id = parent_field.and_then(|field| fields[field].as_i64());
    let parent = parent_id.map(|id| Thing { entity: "post".into(), id });
    Some(Local { id: thing.id, fields, parent, parent_field })
}

/// A thing as it is now; none if it is not here.
///
/// # Errors
/// The database's.
pub(crate) async fn local(db: &Db, thing: &Thing) -> Result<Option<Local>> {
    Ok(many(db, &thing.entity, vec![thing.id]).await?.pop())
}

/// Several things of one kind; those that are not here are left out.
///
/// # Errors
/// The database's.
pub(crate) async fn many(db: &Db, entity: &str, ids: Vec<i64>) -> Result<Vec<Local>> {
    let (statement, read): (&Sql, fn(&Row<'_>) -> Result<Local>) = match entity {
        "post" => (&sql::POSTS, post),
        "comment" => (&sql::COMMENTS, comment),
        "product" => (&sql::PRODUCTS, product),
        "event" => (&sql::EVENTS, event),
        _ => return Ok(Vec::new()),
    };
    let mut read_all = db.read(Statement::new(statement, vec![Param::Ints(ids)]), read).await?;
    read_all.sort_by_key(|local| local.id);
    Ok(read_all)
}

/// The next ids of a kind above one, in their order.
///
/// # Errors
/// The database's.
pub(crate) async fn ids_above(db: &Db, entity: &str, above: i64, limit: i64) -> Result<Vec<i64>> {
    let statement = match entity {
        "post" => &sql::POST_IDS,
        "comment" => &sql::COMMENT_IDS,
        "product" => &sql::PRODUCT_IDS,
        "event" => &sql::EVENT_IDS,
        _ => return Ok(Vec::new()),
    };
    let params = vec![above.into(), limit.into()];
    db.read(Statement::new(statement, params), |row| row.get(0)).await
}

fn made(id: i64, fields: Value) -> Local {
    let Value::Object(fields) = fields else { unreachable!("every reader makes an object") };
    Local { id, fields, parent: None, parent_field: None }
}

fn post(row: &Row<'_>) -> Result<Local> {
    let (user_id, title, body) = (row.get::<i64>(1)?, row.get::<String>(2)?, row.get::<String>(3)?);
    Ok(made(row.get(0)?, json!({"user_id": user_id, "title": title, "body": body})))
}

fn comment(row: &Row<'_>) -> Result<Local> {
    let (post, name, email) = (row.get::<i64>(1)?, row.get::<String>(2)?, row.get::<String>(3)?);
    let body: String = row.get(4)?;
    let fields = json!({"post_id": post, "name": name, "email": email, "body": body});
    let parent = Some(Thing { entity: "post".into(), id: post });
    Ok(Local { parent, parent_field: Some("post_id"), ..made(row.get(0)?, fields) })
}

fn product(row: &Row<'_>) -> Result<Local> {
    let fields = json!({
        "title": row.get::<String>(1)?,
        "artist": row.get::<Option<String>>(2)?,
        "release_year": row.get::<Option<i64>>(3)?,
        "style": row.get::<Option<String>>(4)?,
        "label": row.get::<Option<String>>(5)?,
        "description": row.get::<String>(6)?,
        "enabled": row.get::<bool>(7)?,
    });
    Ok(made(row.get(0)?, fields))
}

fn event(row: &Row<'_>) -> Result<Local> {
    let fields = json!({
        "title": row.get::<String>(1)?,
        "description": row.get::<String>(2)?,
        "venue": row.get::<String>(3)?,
        "starts_at": row.get::<Timestamp>(4)?.to_string(),
        "ends_at": row.get::<Timestamp>(5)?.to_string(),
        "capacity": row.get::<Option<i64>>(6)?,
        "cancelled": row.get::<bool>(7)?,
    });
    Ok(made(row.get(0)?, fields))
}
