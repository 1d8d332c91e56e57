//! The dashboard's parts as HTML, each with a name under which a browser finds its place.

use askama::Template;
use runout_core::money::Currency;
use runout_store::Result;

use super::chart::{Chart, Column, Part, bar, columns};
use super::figures::{COUNTED_MAX, Figures, Health, HourFigures, NEWEST_ORDERS};
use super::format;
use crate::App;
use crate::jobs::JobState;
use crate::platform::problem::Problem;
use crate::stock::Reason;

/// A job that did not run for so long is said to stand still, in seconds.
const JOB_QUIET_S: i64 = 60;
/// The database is slow when an answer takes longer, in milliseconds.
const SLOW_MS: u128 = 50;

/// The parts of the dashboard, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Board {
    /// Name and HTML.
    pub(super) parts: Vec<(&'static str, String)>,
}

/// What each reason is called, and its class in charts.
fn words(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::OutOfStock => ("Out of stock", "c1"),
        Reason::NotForSale => ("Not for sale", "c2"),
        Reason::OverLimit => ("Over a limit", "c3"),
        Reason::Price => ("Price or discount", "c4"),
        Reason::Overloaded => ("Too many at once", "c5"),
        Reason::Other => ("Other", "c6"),
    }
}

struct Tile {
    label: &'static str,
    value: String,
    note: String,
    link: &'static str,
}

#[derive(Template)]
#[template(path = "desk/templates/board_day.html")]
struct Day {
    tiles: Vec<Tile>,
}

struct HourRow {
    hour: String,
    orders: String,
    revenue: String,
    refused: Vec<String>,
}

#[derive(Template)]
#[template(path = "desk/templates/board_sales.html")]
struct Sales {
    currency: String,
    orders: String,
    revenue: String,
    rows: Vec<HourRow>,
    /// Hours that are not counted yet.
    missing: usize,
}

#[derive(Template)]
#[template(path = "desk/templates/board_refusals.html")]
struct Refusals {
    chart: String,
    /// Words and class.
    legend: Vec<(&'static str, &'static str)>,
    rows: Vec<HourRow>,
    total: String,
}

struct SellerRow {
    product_id: i64,
    name: String,
    sku: String,
    units: String,
    bar: String,
}

struct EndingRow {
    product_id: i64,
    name: String,
    sku: String,
    available: String,
    sold: String,
    lasts: String,
    is_out: bool,
}

#[derive(Template)]
#[template(path = "desk/templates/board_goods.html")]
struct Goods {
    best: Vec<SellerRow>,
    ending: Vec<EndingRow>,
}

struct HealthRow {
    what: String,
    state: &'static str,
    class: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "desk/templates/board_health.html")]
struct HealthPart {
    rows: Vec<HealthRow>,
}

impl Board {
    /// Reads the numbers anew and draws them.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn read(app: &App) -> Result<Self, Problem> {
        let figures = Figures::read(app).await?;
        let rendered = |template: askama::Result<String>| template.map_err(Problem::internal);
        Ok(Self {
            parts: vec![
                ("day", rendered(day(&figures, app.currency).render())?),
                ("sales", rendered(sales(&figures, app.currency).render())?),
                ("refusals", rendered(refusals(&figures).render())?),
                ("goods", rendered(goods(&figures).render())?),
                ("health", rendered(health(app, &figures.health).render())?),
            ],
        })
    }
}

/// How many were refused in an hour.
fn refused(hour: &HourFigures) -> i64 {
    hour.refused.values().sum()
}

/// All totals of a day: the shop's own currency first.
fn totals(figures: &Figures, currency: Currency) -> (String, String) {
    let own = figures.day.totals.get(currency.code()).copied().unwrap_or(0);
    let others = figures.day.totals.iter().filter(|(code, _)| *code != currency.code());
    let others: Vec<String> = others.map(|(code, minor)| format::money(*minor, code)).collect();
    (format::money(own, currency.code()), others.join(", "))
}

fn day(figures: &Figures, currency: Currency) -> Day {
    let work = &figures.work;
    let state = |name: &str| work.states.get(name).copied().unwrap_or(0);
    let open: i64 = state("placed") + state("paid");
    let counted: i64 = work.states.values().sum();
    let of = match counted >= NEWEST_ORDERS {
        true => format!(" of the newest {}", format::count(NEWEST_ORDERS)),
        false => String::new(),
    };
    let payment = |name: &str| work.payments.get(name).copied().unwrap_or(0);
    let waiting = payment("pending") + payment("authorised") + payment("failed");
    let (revenue, others) = totals(figures, currency);
    let refused: i64 = figures.hours.iter().map(refused).sum();
    let tile = |label, value, note, link| Tile { label, value, note, link };
    let units: i64 = figures.day.units.values().sum();
    Day {
        tiles: vec![
            tile(
                "Orders placed",
                format::count(figures.day.orders),
                format!("{} units in 24 hours", format::count(units)),
                "/admin/desk/orders",
            ),
            tile("Their value", revenue, others, "/admin/desk/orders"),
            tile("Refused", format::count(refused), "in 24 hours".to_owned(), ""),
            tile(
                "Open orders",
                format::count(open),
                format!("{} to pack{of}", format::count(state("paid"))),
                "/admin/desk/orders?status=paid",
            ),
            tile(
                "Payments waiting",
                format::up_to(waiting, COUNTED_MAX),
                format!(
                    "{} set aside, {} orders unpaid, {} refunds on their way",
                    format::count(payment("authorised")),
                    format::up_to(work.unpaid, COUNTED_MAX),
                    format::up_to(work.refunds, COUNTED_MAX)
                ),
                "/admin/desk/orders?status=placed",
            ),
        ],
    }
}

fn hour_row(hour: &HourFigures, currency: Currency) -> HourRow {
    let tally = hour.tally.tally.as_ref();
    let uncounted = || "not counted yet".to_owned();
    let revenue = |minor: Option<&i64>| format::money(minor.copied().unwrap_or(0), currency.code());
    HourRow {
        hour: format::minute(hour.tally.hour),
        orders: tally.map_or_else(uncounted, |tally| format::count(tally.orders)),
        revenue: tally.map_or_else(uncounted, |t| revenue(t.totals.get(currency.code()))),
        refused: Reason::ALL
            .iter()
            .map(|reason| format::count(hour.refused.get(reason).copied().unwrap_or(0)))
            .collect(),
    }
}

fn sales(figures: &Figures, currency: Currency) -> Sales {
    let code = currency.code();
    let rows: Vec<HourRow> = figures.hours.iter().map(|hour| hour_row(hour, currency)).collect();
    let column = |hour: &HourFigures, row: &HourRow, value: i64, told: &str| Column {
        label: format::hour(hour.tally.hour),
        told: format!("{}: {told}", row.hour),
        parts: vec![Part { class: "c0", value }],
    };
    let hours = || figures.hours.iter().zip(&rows);
    let orders: Vec<Column> = hours()
        .map(|(hour, row)| {
            let value = hour.tally.tally.as_ref().map_or(0, |tally| tally.orders);
            column(hour, row, value, &format!("{} orders", row.orders))
        })
        .collect();
    let revenue: Vec<Column> = hours()
        .map(|(hour, row)| {
            let tally = hour.tally.tally.as_ref();
            let value = tally.and_then(|tally| tally.totals.get(code)).copied().unwrap_or(0);
            column(hour, row, value, &row.revenue)
        })
        .collect();
    let (total, _) = totals(figures, currency);
    let told = format!("{} orders in the last 24 hours.", format::count(figures.day.orders));
    let orders =
        Chart { id: "orders", title: "Orders per hour", description: &told, columns: &orders };
    let told = format!("{total} in the last 24 hours.");
    let revenue = Chart {
        id: "revenue",
        title: "Value of orders per hour",
        description: &told,
        columns: &revenue,
    };
    let whole = |minor: i64| {
        let text = format::money(minor, code);
        text.split([' ', '.']).next().unwrap_or_default().to_owned()
    };
    Sales {
        currency: code.to_owned(),
        orders: columns(&orders, format::count),
        revenue: columns(&revenue, whole),
        missing: figures.hours.iter().filter(|hour| hour.tally.tally.is_none()).count(),
        rows,
    }
}

fn refusals(figures: &Figures) -> Refusals {
    let of = |hour: &HourFigures, reason| hour.refused.get(&reason).copied().unwrap_or(0);
    let drawn: Vec<Column> = figures
        .hours
        .iter()
        .map(|hour| {
            let parts = Reason::ALL
                .map(|reason| Part { class: words(reason).1, value: of(hour, reason) })
                .to_vec();
            let told = format!("{}: {}", format::minute(hour.tally.hour), refused(hour));
            Column { label: format::hour(hour.tally.hour), told, parts }
        })
        .collect();
    let total: i64 = figures.hours.iter().map(refused).sum();
    let told = format!("{} refusals in the last 24 hours, by reason.", format::count(total));
    let chart =
        Chart { id: "refused", title: "Refusals per hour", description: &told, columns: &drawn };
    Refusals {
        chart: columns(&chart, format::count),
        legend: Reason::ALL.map(words).to_vec(),
        rows: figures
            .hours
            .iter()
            .map(|hour| HourRow {
                hour: format::minute(hour.tally.hour),
                orders: String::new(),
                revenue: String::new(),
                refused: Reason::ALL.iter().map(|r| format::count(of(hour, *r))).collect(),
            })
            .collect(),
        total: format::count(total),
    }
}

fn goods(figures: &Figures) -> Goods {
    let largest = figures.best.first().map_or(0, |seller| seller.units);
    let best = figures.best.iter().map(|seller| SellerRow {
        product_id: seller.name.product_id,
        name: seller.name.text.clone(),
        sku: seller.name.sku.clone(),
        units: format::count(seller.units),
        bar: bar(seller.units, largest),
    });
    let ending = figures.running_out.iter().map(|ending| EndingRow {
        product_id: ending.name.product_id,
        name: ending.name.text.clone(),
        sku: ending.name.sku.clone(),
        available: format::count(ending.available),
        sold: format::count(ending.sold),
        lasts: format::lasting(ending.hours_left),
        is_out: ending.available == 0,
    });
    Goods { best: best.collect(), ending: ending.collect() }
}

fn health(app: &App, health: &Health) -> HealthPart {
    let row = |what: &str, (state, class), detail: String| HealthRow {
        what: what.to_owned(),
        state,
        class,
        detail,
    };
    let (good, warn, bad) = (("Good", "good"), ("Slow", "warn"), ("Down", "bad"));
    let database = match health.database {
        Some(took) if took.as_millis() < SLOW_MS => (good, "answers at once".to_owned()),
        Some(_) => (warn, format!("takes more than {SLOW_MS} ms to answer")),
        None => (bad, "does not answer".to_owned()),
    };
    let queue = match health.waiting * 2 >= health.waiting_max {
        false => good,
        true => ("Busy", "warn"),
    };
    let count = |number: usize| format::count(i64::try_from(number).unwrap_or(i64::MAX));
    let kept = i64::try_from(health.cache_answers).unwrap_or(i64::MAX);
    let mut rows = vec![
        row("Database", database.0, database.1),
        row(
            "Answers kept ready",
            good,
            format!("{} answers, {} KiB", format::count(kept), health.cache_bytes / 1024),
        ),
        row(
            "Stock writer's queue",
            queue,
            format!(
                "{} of {} places taken; the newest batch had {}",
                count(health.waiting),
                count(health.waiting_max),
                count(health.last_batch)
            ),
        ),
    ];
    let now = app.clock.now();
    for (name, state) in &health.jobs {
        rows.push(job(name, state, now.duration_since(state.last_run).as_secs() > JOB_QUIET_S));
    }
    HealthPart { rows }
}

fn job(name: &str, state: &JobState, quiet: bool) -> HealthRow {
    let (state_word, class) = match (quiet, state.works) {
        (true, _) => ("Stands still", "bad"),
        (false, false) => ("Fails", "bad"),
        (false, true) => ("Good", "good"),
    };
    let last = match quiet {
        true => format!("last run {}", format::minute(state.last_run)),
        false => "ran within a minute".to_owned(),
    };
    let failures = match state.last_failure {
        Some(at) => format!("; {} failures, the last {}", state.failures, format::minute(at)),
        None => String::new(),
    };
    HealthRow {
        what: format!("Job: {name}"),
        state: state_word,
        class,
        detail: format!("{last}{failures}"),
    }
}
