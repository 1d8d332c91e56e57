//! Adding and changing discounts, and what the stock writer's batches store of their uses.

use runout_core::discount::Kind;
use runout_store::{Result, Rows, Statement, Value, statements};
use serde_json::json;

use super::input::{DiscountPatch, is_window};
use super::model::{Discount, Terms, code_key};
use crate::App;
use crate::catalog::model::{all_new, changed};
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::etag::IfMatch;

statements! {
    CODE_TAKEN = "select id from discount where code_key = $1";
    LOCK = {
        sqlite: "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at,
                uses_max, uses_per_customer_max, uses, code, version, created_at, updated_at
            from discount where id = $1",
        postgres: "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at,
                uses_max, uses_per_customer_max, uses, code, version, created_at, updated_at
            from discount where id = $1 for update",
    };
    INSERT = "insert into discount (id, code, code_key, percent_bp, amount_minor, currency, active,
            starts_at, ends_at, uses_max, uses_per_customer_max, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
    UPDATE = "update discount set code = $2, code_key = $3, percent_bp = $4, amount_minor = $5,
            currency = $6, active = $7, starts_at = $8, ends_at = $9, uses_max = $10,
            uses_per_customer_max = $11, updated_at = $12, version = version + 1
        where id = $1";

    /// For the stock writer's batches: the discounts `$1` as [`read_rule`](super::model::read_rule)
    /// reads them; on PostgreSQL locked, in the order of their ids.
    DISCOUNTS = {
        sqlite: "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at,
                uses_max, uses_per_customer_max, uses
            from discount where id in (select value from json_each($1))",
        postgres: "select id, percent_bp, amount_minor, currency, active, starts_at, ends_at,
                uses_max, uses_per_customer_max, uses
            from discount where id = any($1) order by id for update",
    };
    /// For the stock writer's batches, after [`DISCOUNTS`], whose locks keep the counts: how often
    /// a discount was used by a customer, for the pairs of the lists `$1` and `$2`. Pairs without a
    /// use have no row.
    USES_OF = {
        sqlite: "with c as materialized (select key, value from json_each($2)),
            asked as materialized (select distinct d.value as discount_id, c.value as customer
                from json_each($1) d cross join c on c.key = d.key)
            select u.discount_id, u.customer, count(*)
            from asked cross join discount_use u
                on u.discount_id = asked.discount_id and u.customer = asked.customer
            group by u.discount_id, u.customer",
        postgres: "select u.discount_id, u.customer, count(*)
            from (select distinct d as discount_id, c as customer
                from unnest($1::bigint[], $2::text[]) as pairs (d, c)) asked
            join discount_use u
                on u.discount_id = asked.discount_id and u.customer = asked.customer
            group by u.discount_id, u.customer",
    };
    /// For the stock writer's batches, in bulk, once per discount: adds `$2`, which may be
    /// negative, to the uses of `$1`.
    ADD_USES = {
        sqlite: "update discount set uses = uses + $2 where id = $1",
        postgres: "update discount d set uses = d.uses + n.delta
            from unnest($1::bigint[], $2::bigint[]) as n (id, delta) where d.id = n.id",
    };
    /// For the stock writer's batches, in bulk: a customer's order uses a discount.
    INSERT_USES = {
        sqlite: "insert into discount_use (discount_id, customer, order_id) values ($1, $2, $3)",
        postgres: "insert into discount_use (discount_id, customer, order_id)
            select * from unnest($1::bigint[], $2::text[], $3::bigint[])",
    };
    /// For the stock writer's batches, in bulk: a customer's order uses a discount no more.
    DELETE_USES = {
        sqlite: "delete from discount_use
            where discount_id = $1 and customer = $2 and order_id = $3",
        postgres: "delete from discount_use u
            using unnest($1::bigint[], $2::text[], $3::bigint[]) as n (discount_id, customer, id)
            where u.discount_id = n.discount_id and u.customer = n.customer and u.order_id = n.id",
    };
}

/// Keeps a code from being given twice.
const ONE_PER_CODE: &str = "discount_code_key_key";

/// Why a discount was not added or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscountRefused {
    NotFound,
    /// It has another version than the caller expects.
    Changed,
    /// Another discount has this code, in whatever case.
    CodeTaken,
    /// The window would end before it begins.
    Window,
}

type Changed = Result<Outcome<Discount, DiscountRefused>>;

/// Another node was faster.
fn taken_elsewhere(result: Changed) -> Changed {
    match result {
        Err(error) if error.is_constraint(ONE_PER_CODE) => {
            Ok(Outcome::Refused(DiscountRefused::CodeTaken))
        }
        other => other,
    }
}

/// The columns of [`INSERT`] and [`UPDATE`] after the id, up to the moment.
fn column_values(terms: &Terms) -> [Value; 10] {
    let (percent_bp, amount_minor, currency) = match terms.kind {
        Kind::PercentBp(share) => (Some(share), None, None),
        Kind::Amount { minor, currency } => (None, Some(minor), Some(currency.code())),
    };
    [
        terms.code.as_str().into(),
        code_key(&terms.code).into(),
        percent_bp.into(),
        amount_minor.into(),
        currency.into(),
        terms.active.into(),
        terms.starts_at.into(),
        terms.ends_at.into(),
        terms.uses_max.into(),
        terms.uses_per_customer_max.into(),
    ]
}

fn row(id: i64, terms: &Terms, changes: &Changes) -> Vec<Value> {
    let mut values = vec![Value::from(id)];
    values.extend(column_values(terms));
    values.push(changes.now.into());
    values
}

/// Adds a discount.
///
/// # Errors
/// The database's.
pub async fn add(app: &App, caller: Caller, terms: Terms) -> Changed {
    taken_elsewhere(app.run(caller, AddDiscount { terms }).await)
}

struct AddDiscount {
    terms: Terms,
}

impl Command for AddDiscount {
    type Accepted = Discount;
    type Refused = DiscountRefused;
    const NAME: &'static str = "add_discount";
    const STATUS: u16 = 201;

    fn load(&self) -> Vec<Statement> {
        let key = code_key(&self.terms.code);
        vec![Statement::new(&CODE_TAKEN, vec![key.into()]), next_ids("discount", 1)]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Discount, DiscountRefused>> {
        if !loaded[0].is_empty() {
            return Ok(Decision::Refuse(DiscountRefused::CodeTaken));
        }
        let id: i64 = loaded[1].first().expect("the sequence is in the schema").get(0)?;
        let terms = self.terms.clone();
        changes.store(Statement::new(&INSERT, row(id, &terms, changes)));
        let now = changes.now;
        let discount =
            Discount { id, terms, uses: 0, created_at: now, updated_at: now, version: 1 };
        changes.event("discount.created", "discount", id, json!(discount));
        let fields = all_new(&discount.terms);
        changes.audit("discount.create", "discount", id, fields.into());
        Ok(Decision::Accept(discount))
    }
}

/// Changes a discount. What is the same already stays untouched, its version too.
///
/// # Errors
/// The database's.
pub async fn change(
    app: &App,
    caller: Caller,
    id: i64,
    patch: DiscountPatch,
    if_match: IfMatch,
) -> Changed {
    taken_elsewhere(app.run(caller, ChangeDiscount { id, patch, if_match }).await)
}

struct ChangeDiscount {
    id: i64,
    patch: DiscountPatch,
    if_match: IfMatch,
}

impl ChangeDiscount {
    /// Why the terms cannot become these, if so. `namesakes` has the discount that has the code.
    fn refusal(&self, after: &Terms, namesakes: Option<&Rows>) -> Result<Option<DiscountRefused>> {
        if !is_window(after.starts_at, after.ends_at) {
            return Ok(Some(DiscountRefused::Window));
        }
        let namesake = namesakes.and_then(Rows::first).map(|row| row.get::<i64>(0)).transpose()?;
        let taken = namesake.is_some_and(|namesake| namesake != self.id);
        Ok(taken.then_some(DiscountRefused::CodeTaken))
    }
}

impl Command for ChangeDiscount {
    type Accepted = Discount;
    type Refused = DiscountRefused;
    const NAME: &'static str = "change_discount";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let namesake = |code: &String| Statement::new(&CODE_TAKEN, vec![code_key(code).into()]);
        let mut statements = vec![Statement::new(&LOCK, vec![self.id.into()])];
        statements.extend(self.patch.code.as_ref().map(namesake));
        statements
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Discount, DiscountRefused>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(DiscountRefused::NotFound));
        };
        let mut discount = Discount::read(&row)?;
        if !self.if_match.allows(discount.version) {
            return Ok(Decision::Refuse(DiscountRefused::Changed));
        }
        let after = self.patch.apply(&discount.terms);
        if let Some(refusal) = self.refusal(&after, loaded.get(1))? {
            return Ok(Decision::Refuse(refusal));
        }
        store_change(changes, &mut discount, after);
        Ok(Decision::Accept(discount))
    }
}

/// Stores new terms with their event and audit row, if they differ.
fn store_change(changes: &mut Changes, discount: &mut Discount, after: Terms) {
    let diff = changed(&discount.terms, &after);
    if diff.is_empty() {
        return;
    }
    let id = discount.id;
    changes.store(Statement::new(&UPDATE, row(id, &after, changes)));
    discount.terms = after;
    discount.version += 1;
    discount.updated_at = changes.now;
    changes.event("discount.updated", "discount", id, json!(discount));
    changes.audit("discount.update", "discount", id, diff.into());
}

/// Switches a discount off. Orders that used it keep it.
///
/// # Errors
/// The database's.
pub async fn deactivate(
    app: &App,
    caller: Caller,
    id: i64,
    if_match: IfMatch,
) -> Result<Outcome<(), DiscountRefused>> {
    app.run(caller, Deactivate { id, if_match }).await
}

struct Deactivate {
    id: i64,
    if_match: IfMatch,
}

impl Command for Deactivate {
    type Accepted = ();
    type Refused = DiscountRefused;
    const NAME: &'static str = "deactivate_discount";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK, vec![self.id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<(), DiscountRefused>> {
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(DiscountRefused::NotFound));
        };
        let mut discount = Discount::read(&row)?;
        if !self.if_match.allows(discount.version) {
            return Ok(Decision::Refuse(DiscountRefused::Changed));
        }
        let after = Terms { active: false, ..discount.terms.clone() };
        store_change(changes, &mut discount, after);
        Ok(Decision::Accept(()))
    }
}
