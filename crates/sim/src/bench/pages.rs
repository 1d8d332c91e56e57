//! What pages cost: lists of a large shop against those of a small one, and pages against a request
//! that does nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use runout_shop::platform::cursor::{Cursor, Key};

use super::report::{Asked, Line};
use super::scenarios::{Bench, Server};
use super::seed::{CUSTOMER_SESSION, OWNER_SESSION, VARIANTS, order_placed_at_micros, token};
use super::visit::{FirstByte, Visitor, first_byte};
use super::wrk::{self, Load};

/// People who look at once: two cores are shared with the one who measures.
const VIEWERS: usize = 4;
/// First byte's p99 in the large shop may be so many times that in the small one.
const GROWTH_MAX: f64 = 2.0;
/// Pages per second against requests that do nothing.
const PAGES_MIN: f64 = 0.3;
/// Pause between sales while pages are looked at.
const SALE_EVERY: Duration = Duration::from_millis(20);

/// A shop in a database, by its size.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub orders: i64,
    pub products: i64,
}

/// A page that is compared.
struct Target {
    what: &'static str,
    session: Option<&'static str>,
    path: fn(Size) -> String,
}

const fn target(
    what: &'static str,
    session: Option<&'static str>,
    path: fn(Size) -> String,
) -> Target {
    Target { what, session, path }
}

const OWNER: Option<&str> = Some(OWNER_SESSION);

/// Pages show as many rows in both shops, except where it is said.
const TARGETS: &[Target] = &[
    target("/admin/orders/", OWNER, |_| "/admin/orders/".to_owned()),
    target("/admin/orders/, the middle of all", OWNER, |size| {
        let id = size.orders / 2;
        let key = Key::Int(order_placed_at_micros(id));
        let cursor = Cursor { key, id }.encode("admin_orders", "-placed_at");
        format!("/admin/orders/?cursor={cursor}")
    }),
    target("/admin/orders/ of one state", OWNER, |_| "/admin/orders/?status=placed".to_owned()),
    target("/admin/orders/ of a state that none is in", OWNER, |_| {
        "/admin/orders/?status=refunded".to_owned()
    }),
    target("/admin/orders/, search by number", OWNER, |_| "/admin/orders/?q=500".to_owned()),
    target("/admin/products/", OWNER, |_| "/admin/products/".to_owned()),
    target("/admin/products/, the middle of all", OWNER, |size| {
        let id = (VARIANTS + size.products) / 2;
        let cursor = Cursor { key: Key::Int(id), id }.encode("admin_products", "-id");
        format!("/admin/products/?cursor={cursor}")
    }),
    target("/admin/products/ of one artist", OWNER, |_| "/admin/products/?artist=Bench".to_owned()),
    target("/admin/products/, search", OWNER, |_| "/admin/products/?q=bench+500".to_owned()),
    target("/catalogue", None, |_| "/catalogue".to_owned()),
    target("/catalogue, the middle of all", None, |size| {
        let id = (VARIANTS + size.products) / 2;
        let cursor = Cursor { key: Key::Int(id), id }.encode("products", "-id");
        format!("/catalogue?cursor={cursor}")
    }),
    target("/catalogue of one artist", None, |_| "/catalogue?artist=Bench".to_owned()),
    target("/catalogue, search", None, |_| "/catalogue?q=bench+500".to_owned()),
    target("/orders of a customer", Some(CUSTOMER_SESSION), |_| "/orders".to_owned()),
];

/// First byte of every list in a large shop against a small one.
pub(super) fn lists(
    bench: &Bench<'_>,
    (small, small_size): (&str, Size),
    (large, large_size): (&str, Size),
    lines: &mut Vec<Line>,
) -> Result<()> {
    let small = Server::start(bench.folder, small, &[])?;
    let large = Server::start(bench.folder, large, &[])?;
    for target in TARGETS {
        let paths = [(target.path)(small_size), (target.path)(large_size)];
        let [at_small, at_large] = measure(bench, target, [&small, &large], &paths)?;
        let ratio = at_large.p99.as_secs_f64() / at_small.p99.as_secs_f64();
        lines.push(Line {
            what: format!(
                "{}: {}, first byte's p99 with {} orders and {} products / with 1,000",
                bench.name,
                target.what,
                large_size.orders,
                large_size.products + VARIANTS
            ),
            measured: format!("{} against {}", told(at_large), told(at_small)),
            ratio: Some(ratio),
            asked: Some(Asked::AtMost(GROWTH_MAX)),
        });
    }
    Ok(())
}

/// The median of several rounds; the shops take turns, so that drift hits both.
fn measure(
    bench: &Bench<'_>,
    target: &Target,
    servers: [&Server; 2],
    paths: &[String; 2],
) -> Result<[FirstByte; 2]> {
    let time = Duration::from_secs(bench.options.seconds.into());
    let mut runs: [Vec<FirstByte>; 2] = Default::default();
    for turn in 0..=bench.options.rounds {
        for ((server, path), runs) in servers.iter().zip(paths).zip(&mut runs) {
            let time = if turn == 0 { time / 4 } else { time };
            let run = first_byte(server.port, target.session, path, VIEWERS, time)
                .with_context(|| target.what)?;
            // The first round only warms up.
            if turn > 0 {
                runs.push(run);
            }
        }
    }
    Ok(runs.map(|mut runs| {
        runs.sort_by_key(|run| run.p99);
        runs[runs.len() / 2]
    }))
}

fn told(run: FirstByte) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    format!("{:.2} ms (p50 {:.2}, {} bytes)", ms(run.p99), ms(run.p50), run.bytes)
}

/// Pages per second against a request that does nothing, undisturbed and beside sales.
pub(super) fn rates(bench: &Bench<'_>, url: &str, lines: &mut Vec<Line>) -> Result<()> {
    let loads = [Load::Live, Load::ProductPages, Load::CataloguePages, Load::Home];
    let [live, product, catalogue, home] = bench.medians(url, loads)?;
    lines.push(bench.line("GET /health/live", live, None));
    for (what, run) in
        [("product pages", product), ("pages of the catalogue", catalogue), ("the home page", home)]
    {
        let what = format!("{what} / GET /health/live");
        lines.push(bench.line(&what, run, Some((live, Some(Asked::AtLeast(PAGES_MIN))))));
    }
    let server = Server::start(bench.folder, url, &[])?;
    for (what, load) in
        [("product pages", Load::ProductPages), ("pages of the catalogue", Load::CataloguePages)]
    {
        let before = hits_and_misses(server.port)?;
        let done = AtomicBool::new(false);
        let (run, sales) = std::thread::scope(|scope| {
            let sales = scope.spawn(|| sell_until(server.port, &done));
            let run = wrk::run(bench.folder, server.port, load, 1, bench.options.seconds);
            done.store(true, Ordering::Relaxed);
            (run, sales.join().expect("no panic"))
        });
        let (run, sales, after) = (run?, sales?, hits_and_misses(server.port)?);
        let misses = after.1 - before.1;
        let share = misses / (misses + after.0 - before.0).max(1.0);
        let per_second = sales as f64 / f64::from(bench.options.seconds);
        let what = format!(
            "{what} beside {per_second:.0} sales a second ({:.1} % made anew) / GET /health/live",
            share * 100.0
        );
        lines.push(bench.line(&what, run, Some((live, None))));
    }
    Ok(())
}

/// Sells one unit after the other until it is told to stop; gives how many.
fn sell_until(port: u16, done: &AtomicBool) -> Result<u64> {
    let mut buyer = Visitor::open(port, None)?;
    let mut sold = 0;
    while !done.load(Ordering::Relaxed) {
        let body = format!(r#"{{"lines":[{{"variant_id":{},"quantity":1}}]}}"#, sold % 10 + 1);
        let answer = buyer.post("/api/v1/orders", &token(1), &body)?;
        ensure!(answer.status == 201, "a sale: {}", String::from_utf8_lossy(&answer.body));
        sold += 1;
        std::thread::sleep(SALE_EVERY);
    }
    Ok(sold)
}

/// Answers that were found ready, and that were made, since the server began.
fn hits_and_misses(port: u16) -> Result<(f64, f64)> {
    let answer = Visitor::open(port, None)?.get("/metrics")?;
    let text = String::from_utf8(answer.body)?;
    let count = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0.0)
    };
    let (hits, misses) = ("runout_answer_cache_hits_total", "runout_answer_cache_misses_total");
    Ok((count(hits), count(misses)))
}
