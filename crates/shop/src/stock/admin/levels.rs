//! Levels and their ledger in the back office, receiving and counting stock.

use runout_core::ids::{AccountId, LocationId, VariantId};
use runout_core::stock::{Adjust, Asked, Change, Command, MoveOutcome, Outcome, Receive};
use runout_store::{Composer, Engine};

use crate::accounts::{Capability, Verb};
use crate::admin::Clerk;
use crate::admin::table::{
    Action, Column, Doing, EXTRAS, Fields, Found, Inline, Input, InputKind, Of, Offer, OfferKind,
    Path, Planned, Search, Show, Table, Work, Writes,
};
use crate::orders::undecided;
use crate::platform::extract::valid;
use crate::platform::lookups::{Field, Kind};
use crate::platform::page::Resource;
use crate::platform::problem::{FieldError, Problem};
use crate::stock::api::{NewReceipt, location_or_default, refused};
use crate::stock::queries::{self, CAUSES, LevelNow};

pub(super) static LEVELS: Table = Table {
    slug: "levels",
    title: "Stock levels",
    one: "stock level",
    about: "What lies where, and how much of it is promised.",
    capability: Capability::Stock,
    base: "stock_level",
    alias: "l",
    list: Resource {
        name: "admin_levels",
        fields: &[
            Field::new("id", "l.id", Kind::Id),
            Field::new("variant_id", "l.variant_id", Kind::Id),
            Field::new("location_id", "l.location_id", Kind::Id),
            Field::new("on_hand", "l.on_hand", Kind::Int),
            Field::new("reserved", "l.reserved", Kind::Int),
            Field::new("free", "(l.on_hand - l.reserved)", Kind::Int),
        ],
        id_sql: "l.id",
        default_sort: "-id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("id", "Number", Show::Int, "l.id"),
        Column::new(
            "variant",
            "Variant",
            Show::Link("variants"),
            "(select x.sku from variant x where x.id = l.variant_id)",
        )
        .also("l.variant_id"),
        Column::new("product", "Product", Show::Link("products"), PRODUCT).also(PRODUCT_ID),
        Column::new("location", "Location", Show::Link("locations"), LOCATION)
            .also("l.location_id"),
        Column::new("on_hand", "On hand", Show::Int, "l.on_hand"),
        Column::new("reserved", "Reserved", Show::Int, "l.reserved"),
        Column::new("free", "Free", Show::Int, "(l.on_hand - l.reserved)"),
    ],
    filters: &[
        Offer { field: "variant_id", label: "Variant's number", kind: OfferKind::Value },
        Offer { field: "location_id", label: "Location's number", kind: OfferKind::Value },
        Offer { field: "free__lte", label: "Free at most", kind: OfferKind::Value },
    ],
    paths: &[
        Path { fields: &["id"], sort: "-id", few: true },
        Path { fields: &["variant_id"], sort: "-id", few: true },
        Path { fields: &["location_id"], sort: "-id", few: false },
    ],
    search: Some(Search { hint: "A SKU.", find: sku }),
    inputs: &[
        Input::new("variant_id", "Variant", InputKind::Reference("variants"), "")
            .new_only()
            .required(),
        Input::new("location_id", "Location", InputKind::Reference("locations"), "")
            .new_only()
            .hint("Where sales take from first, if empty."),
        Input::new("quantity", "Units that have arrived", InputKind::Int, "").new_only().required(),
        Input::new("reason", "Reason", InputKind::Line, "").new_only().hint("Kept in the ledger."),
    ],
    writes: Writes { create: Some(receive), change: None, delete: None },
    inlines: &[Inline {
        title: "Movements",
        table: "movements",
        of: Of::Field("level_id"),
        editable: false,
    }],
    actions: &[RECEIVE, COUNT],
    ..Table::BLANK
};

/// The ledger is kept, and so listed, level by level, newest first: an index by time would cost
/// every sale more than it is worth.
pub(super) static MOVEMENTS: Table = Table {
    slug: "movements",
    title: "Movements",
    one: "movement",
    about: "The ledger of every level; nothing in it ever changes.",
    capability: Capability::Stock,
    base: "stock_movement",
    alias: "m",
    has_page: false,
    list: Resource {
        name: "admin_movements",
        fields: &[
            Field::new("level_id", "m.level_id", Kind::Id).sortable(),
            Field::new("cause", "m.cause", Kind::Choice(CAUSES)),
            Field::new("at", "m.at", Kind::Time),
            Field::new("order_id", "m.order_id", Kind::Id),
            Field::new("actor_id", "m.actor_id", Kind::Id),
        ],
        id_sql: "m.number",
        default_sort: "-level_id",
        extras: EXTRAS,
    },
    columns: &[
        Column::new("level", "Level", Show::Link("levels"), LEVEL).also("m.level_id"),
        Column::new("number", "Number", Show::Int, "m.number"),
        Column::new("at", "At", Show::Time, "m.at"),
        Column::new("cause", "Cause", Show::Badge, "m.cause"),
        Column::new("on_hand_delta", "On hand", Show::Int, "m.on_hand_delta"),
        Column::new("reserved_delta", "Reserved", Show::Int, "m.reserved_delta"),
        Column::new("order", "Order", Show::Link("orders"), "cast(m.order_id as text)")
            .also("m.order_id"),
        Column::new(
            "actor",
            "By",
            Show::Link("accounts"),
            "(select x.username from account x where x.id = m.actor_id)",
        )
        .also("m.actor_id"),
        Column::new("reason", "Reason", Show::Text, "m.reason"),
    ],
    filters: &[
        Offer { field: "level_id", label: "Level's number", kind: OfferKind::Value },
        Offer { field: "cause", label: "Cause", kind: OfferKind::Choice(CAUSES) },
        Offer { field: "order_id", label: "Order", kind: OfferKind::Value },
        Offer { field: "at", label: "At", kind: OfferKind::Period },
    ],
    paths: &[Path { fields: &["level_id"], sort: "-level_id", few: false }],
    ..Table::BLANK
};

const PRODUCT: &str = "(select y.title from variant x join product y on y.id = x.product_id \
    where x.id = l.variant_id)";
const PRODUCT_ID: &str = "(select x.product_id from variant x where x.id = l.variant_id)";
const LOCATION: &str = "(select x.name from location x where x.id = l.location_id)";
const LEVEL: &str = "(select y.sku from stock_level x join variant y on y.id = x.variant_id \
    where x.id = m.level_id)";

fn sku(text: &str) -> Found {
    let compose = |sql: &mut Composer, _: Engine, text: &str| {
        sql.push(" and l.variant_id = (select s.id from variant s where s.sku = ").bind(text);
        sql.push(")");
    };
    Found { compose, text: text.to_owned(), sort: None, few: true }
}

fn receive(clerk: Clerk, fields: Fields) -> Doing<i64> {
    Box::pin(async move {
        let new: NewReceipt = valid(fields)?;
        let command = Command::Receive(Receive {
            variant: VariantId(new.variant_id),
            location: location_or_default(&clerk.app, new.location_id).await?,
            quantity: new.quantity,
            actor: Some(AccountId(clerk.account_id())),
            reason: new.reason,
        });
        moved(&clerk, command).await
    })
}

/// Moves stock, and gives the level's id.
async fn moved(clerk: &Clerk, command: Command) -> Result<i64, Problem> {
    let answer = clerk.app.stock.ask(Asked { command, key: None }).await.map_err(undecided)?;
    match answer.outcome {
        Outcome::Move(MoveOutcome::Moved(levels)) => {
            levels.first().map(|level| level.id.0).ok_or_else(|| Problem::internal("no level"))
        }
        Outcome::Move(MoveOutcome::Refused(refusal)) => Err(refused(&refusal)),
        _ => Err(Problem::internal("a form has no idempotency key")),
    }
}

const QUANTITY: &str = "quantity";
const REASON: &str = "reason";

const RECEIVE: Action = Action {
    name: "receive",
    label: "Receive stock",
    verb: Verb::Change,
    inputs: &[
        Input::new(QUANTITY, "Units that have arrived, each", InputKind::Int, "").required(),
        Input::new(REASON, "Reason", InputKind::Line, "").hint("Kept in the ledger."),
    ],
    work: Work::Own { plan: plan_receive, apply: apply_receive },
};

const COUNT: Action = Action {
    name: "count",
    label: "Set what was counted",
    verb: Verb::Change,
    inputs: &[
        Input::new(QUANTITY, "Units on the shelf, each", InputKind::Int, "").required(),
        Input::new(REASON, "Reason", InputKind::Line, "").required().hint("Kept in the ledger."),
    ],
    work: Work::Own { plan: plan_count, apply: apply_count },
};

fn quantity(fields: &Fields, least: i64) -> Result<i64, Problem> {
    let given = fields.get(QUANTITY).and_then(serde_json::Value::as_i64);
    given.filter(|quantity| *quantity >= least).ok_or_else(|| {
        let wrong = format!("must be a whole number from {least}");
        Problem::validation(vec![FieldError::new("/quantity", "invalid", wrong)])
    })
}

fn reason(fields: &Fields) -> Option<String> {
    let text = fields.get(REASON).and_then(serde_json::Value::as_str)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A line per level; `becomes` gives what would be on hand.
async fn plan(
    clerk: Clerk,
    ids: Vec<i64>,
    becomes: impl Fn(&LevelNow) -> i64,
) -> Result<Vec<Planned>, Problem> {
    let levels = queries::levels_now(&clerk.app.db, ids.clone()).await?;
    let planned = |id: i64| match levels.iter().find(|level| level.id == id) {
        None => Planned::gone(id),
        Some(level) => Planned {
            id,
            label: format!("{} at {}", level.sku, level.location),
            from: level.on_hand.to_string(),
            to: becomes(level).to_string(),
            version: None,
            refused: None,
        },
    };
    Ok(ids.into_iter().map(planned).collect())
}

fn plan_receive(clerk: Clerk, ids: Vec<i64>, fields: Fields) -> Doing<Vec<Planned>> {
    Box::pin(async move {
        let quantity = quantity(&fields, 1)?;
        plan(clerk, ids, |level| level.on_hand.saturating_add(quantity)).await
    })
}

fn plan_count(clerk: Clerk, ids: Vec<i64>, fields: Fields) -> Doing<Vec<Planned>> {
    Box::pin(async move {
        let quantity = quantity(&fields, 0)?;
        if reason(&fields).is_none() {
            let error = FieldError::new("/reason", "missing", "say why it is another number");
            return Err(Problem::validation(vec![error]));
        }
        plan(clerk, ids, |_| quantity).await
    })
}

async fn level(clerk: &Clerk, id: i64) -> Result<LevelNow, Problem> {
    let mut found = queries::levels_now(&clerk.app.db, vec![id]).await?;
    found.pop().ok_or_else(|| Problem::not_found("stock level"))
}

fn apply_receive(clerk: Clerk, planned: Planned, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let level = level(&clerk, planned.id).await?;
        let command = Command::Receive(Receive {
            variant: VariantId(level.variant_id),
            location: LocationId(level.location_id),
            quantity: quantity(&fields, 1)?,
            actor: Some(AccountId(clerk.account_id())),
            reason: reason(&fields),
        });
        moved(&clerk, command).await.map(drop)
    })
}

fn apply_count(clerk: Clerk, planned: Planned, fields: Fields) -> Doing<()> {
    Box::pin(async move {
        let level = level(&clerk, planned.id).await?;
        let command = Command::Adjust(Adjust {
            variant: VariantId(level.variant_id),
            location: LocationId(level.location_id),
            change: Change::OnHand(quantity(&fields, 0)?),
            actor: AccountId(clerk.account_id()),
            reason: reason(&fields).unwrap_or_default(),
        });
        moved(&clerk, command).await.map(drop)
    })
}
