//! Finding orders: by number, buyer or payment, and the newest ones, by state.
//!
//! States have no index: a page of one state looks at no more than [`WINDOW`] orders, newest first,
//! and the next page goes on after the last one that was looked at.

use jiff::Timestamp;
use runout_store::{Composer, Db, Result, Statement, statements};

/// Orders of a page.
pub(in crate::desk) const PAGE: usize = 50;
/// Orders that are looked at for a page.
pub(in crate::desk) const WINDOW: i64 = 5_000;

statements! {
    BY_NUMBER = "select id from orders where id = $1";
    BY_PAYMENT = "select order_id from payment where provider_id = $1";
    ACCOUNT_NAMED = "select id from account where username_key = $1 or email_key = $1";
    ROWS = {
        sqlite: "select o.id, o.status, o.currency, o.total_minor, o.paid_minor, o.refunded_minor,
                o.placed_at, o.email, a.username, a.name
            from orders o left join account a on a.id = o.account_id
            where o.id in (select value from json_each($1))
            order by o.placed_at desc, o.id desc",
        postgres: "select o.id, o.status, o.currency, o.total_minor, o.paid_minor, o.refunded_minor,
                o.placed_at, o.email, a.username, a.name
            from orders o left join account a on a.id = o.account_id
            where o.id = any($1)
            order by o.placed_at desc, o.id desc",
    };
    /// Where the units of an order lie: one row per line and location.
    PLACES = "select a.line_no, l.code, l.name, a.quantity, a.shipped, a.returned
        from allocation a join stock_level v on v.id = a.level_id
        join location l on l.id = v.location_id
        where a.order_id = $1 order by a.line_no, l.priority, l.id";
    BUYER = "select username, name, email, phone from account where id = $1";
    /// What happened to an order after it was placed.
    STEPS = "select a.at, a.action, a.changes, w.username
        from audit a left join account w on w.id = a.actor_id
        where a.entity = 'order' and a.entity_id = $1 order by a.id desc limit $2";
}

/// Whose orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::desk) enum Of<'a> {
    Everybody,
    Account(i64),
    /// A guest's, by lower-cased address.
    Email(&'a str),
}

/// The place of an order in the list: newest first.
pub(in crate::desk) type Place = (Timestamp, i64);

/// The next orders of a list: those that fit, and after which one the list goes on.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::desk) struct Found {
    pub(in crate::desk) ids: Vec<i64>,
    pub(in crate::desk) next: Option<Place>,
    /// How many were looked at.
    pub(in crate::desk) looked_at: usize,
}

/// Orders after a place, of one state or of all.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn list(
    db: &Db,
    of: Of<'_>,
    status: Option<&str>,
    after: Option<Place>,
) -> Result<Found> {
    let rows_max = match status {
        None => i64::try_from(PAGE).expect("a page is small") + 1,
        Some(_) => WINDOW + 1,
    };
    let mut sql = Composer::new("select o.id, o.status, o.placed_at from orders o where ");
    match of {
        Of::Everybody => sql.push_each("1 = 1", "true"),
        Of::Account(account) => sql.push("o.account_id = ").bind(account),
        Of::Email(email) => sql.push("o.email_key = ").bind(email),
    };
    if let Some((moment, id)) = after {
        sql.push(" and (o.placed_at, o.id) < (").bind(moment).push(", ").bind(id).push(")");
    }
    sql.push(" order by o.placed_at desc, o.id desc limit ").bind(rows_max);
    let rows: Vec<(i64, String, Timestamp)> =
        db.read(sql.finish(), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).await?;
    Ok(chosen(&rows, status, usize::try_from(rows_max).expect("a small number")))
}

/// Of the rows, the first [`PAGE`] of the state; `rows_max` were asked for.
fn chosen(rows: &[(i64, String, Timestamp)], status: Option<&str>, rows_max: usize) -> Found {
    let mut ids = Vec::new();
    // The last row only tells that there are more.
    let window = &rows[..rows.len().min(rows_max - 1)];
    for (index, (id, state, moment)) in window.iter().enumerate() {
        if status.is_none_or(|wanted| wanted == state) {
            ids.push(*id);
        }
        if ids.len() == PAGE {
            let more = index + 1 < rows.len();
            return Found { ids, next: more.then_some((*moment, *id)), looked_at: index + 1 };
        }
    }
    let cut = rows.len() == rows_max;
    let next = window.last().filter(|_| cut).map(|(id, _, moment)| (*moment, *id));
    Found { ids, next, looked_at: window.len() }
}

/// A row of the list.
#[derive(Debug)]
pub(in crate::desk) struct OrderRow {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) status: String,
    pub(in crate::desk) currency: String,
    pub(in crate::desk) total_minor: i64,
    pub(in crate::desk) paid_minor: i64,
    pub(in crate::desk) refunded_minor: i64,
    pub(in crate::desk) placed_at: Timestamp,
    pub(in crate::desk) buyer: String,
}

/// The rows of these orders, newest first.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn rows(db: &Db, ids: Vec<i64>) -> Result<Vec<OrderRow>> {
    db.read(Statement::new(&ROWS, vec![ids.into()]), |row| {
        let (email, username): (Option<String>, Option<String>) = (row.get(7)?, row.get(8)?);
        let name: Option<String> = row.get(9)?;
        let name = name.filter(|name| !name.is_empty());
        let buyer = match (name, username) {
            (Some(name), Some(username)) => format!("{name} ({username})"),
            (_, Some(username)) => username,
            _ => email.unwrap_or_default(),
        };
        Ok(OrderRow {
            id: row.get(0)?,
            status: row.get(1)?,
            currency: row.get(2)?,
            total_minor: row.get(3)?,
            paid_minor: row.get(4)?,
            refunded_minor: row.get(5)?,
            placed_at: row.get(6)?,
            buyer,
        })
    })
    .await
}

/// The order of this number, if there is one.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn by_number(db: &Db, id: i64) -> Result<Option<i64>> {
    db.read_one(Statement::new(&BY_NUMBER, vec![id.into()]), |row| row.get(0)).await
}

/// The order of the payment with this name at its provider.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn by_payment(db: &Db, provider_id: &str) -> Result<Option<i64>> {
    db.read_one(Statement::new(&BY_PAYMENT, vec![provider_id.into()]), |row| row.get(0)).await
}

/// The account of this username or e-mail address, lower-cased.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn account_named(db: &Db, key: &str) -> Result<Option<i64>> {
    db.read_one(Statement::new(&ACCOUNT_NAMED, vec![key.into()]), |row| row.get(0)).await
}

/// Units of a line at a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::desk) struct PlaceOfLine {
    pub(in crate::desk) line_no: i64,
    pub(in crate::desk) code: String,
    pub(in crate::desk) name: String,
    pub(in crate::desk) quantity: i64,
    pub(in crate::desk) shipped: i64,
    pub(in crate::desk) returned: i64,
}

/// Where the units of an order lie or lay.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn places(db: &Db, order: i64) -> Result<Vec<PlaceOfLine>> {
    db.read(Statement::new(&PLACES, vec![order.into()]), |row| {
        Ok(PlaceOfLine {
            line_no: row.get(0)?,
            code: row.get(1)?,
            name: row.get(2)?,
            quantity: row.get(3)?,
            shipped: row.get(4)?,
            returned: row.get(5)?,
        })
    })
    .await
}

/// Who has an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::desk) struct Buyer {
    pub(in crate::desk) username: String,
    pub(in crate::desk) name: String,
    pub(in crate::desk) email: String,
    pub(in crate::desk) phone: String,
}

/// The account's names.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn buyer(db: &Db, account: i64) -> Result<Option<Buyer>> {
    db.read_one(Statement::new(&BUYER, vec![account.into()]), |row| {
        Ok(Buyer {
            username: row.get(0)?,
            name: row.get(1)?,
            email: row.get(2)?,
            phone: row.get(3)?,
        })
    })
    .await
}

/// A step of an order's life.
#[derive(Debug)]
pub(in crate::desk) struct StepRow {
    pub(in crate::desk) at: Timestamp,
    pub(in crate::desk) action: String,
    pub(in crate::desk) changes: serde_json::Value,
    /// `None`: the shop itself, or a guest.
    pub(in crate::desk) who: Option<String>,
}

/// What happened to an order, the newest step first.
///
/// # Errors
/// The database's.
pub(in crate::desk) async fn steps(db: &Db, order: i64, at_most: i64) -> Result<Vec<StepRow>> {
    db.read(Statement::new(&STEPS, vec![order.into(), at_most.into()]), |row| {
        Ok(StepRow { at: row.get(0)?, action: row.get(1)?, changes: row.get(2)?, who: row.get(3)? })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, status: &str) -> (i64, String, Timestamp) {
        (id, status.to_owned(), Timestamp::from_second(id).expect("a moment"))
    }

    #[test]
    fn a_page_goes_on_after_what_was_looked_at() {
        let rows: Vec<_> =
            (0..8).rev().map(|id| row(id, ["paid", "placed"][id as usize % 2])).collect();
        // Nine could have come: all were seen.
        let found = chosen(&rows, Some("paid"), 9);
        assert_eq!((found.ids, found.next, found.looked_at), (vec![6, 4, 2, 0], None, 8));
        // The eighth only tells that there are more.
        let found = chosen(&rows, Some("paid"), 8);
        let place = (Timestamp::from_second(1).expect("a moment"), 1);
        assert_eq!((found.ids, found.next, found.looked_at), (vec![6, 4, 2], Some(place), 7));
        assert_eq!(chosen(&[], None, 9), Found { ids: vec![], next: None, looked_at: 0 });
    }

    #[test]
    fn a_full_page_ends_early() {
        let rows: Vec<_> = (0..60).rev().map(|id| row(id, "paid")).collect();
        let found = chosen(&rows, None, 100);
        assert_eq!((found.ids.len(), found.next.map(|(_, id)| id)), (PAGE, Some(10)));
        let exact: Vec<_> = (0..50).rev().map(|id| row(id, "paid")).collect();
        assert_eq!(chosen(&exact, None, 51).next, None);
    }
}
