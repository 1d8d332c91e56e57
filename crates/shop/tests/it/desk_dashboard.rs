//! The dashboard: its numbers are what was done, and changes show by themselves.

use std::time::Duration;

use runout_shop::accounts::Role;
use runout_shop::jobs;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::on_both_engines;
use crate::orders::{on_sale, order};
use crate::support::server::{Server, finish, program};

const DASHBOARD: &str = "/admin/dashboard";
/// In the server's file: pings must come often enough for its own guard against stalled
/// connections, and no stream may keep it from ending for so long.
const SETTINGS: &str = "[http]\nheader_read_timeout_ms = 2500\nshutdown_grace_ms = 50000\n";
/// Longer than that guard would let a connection stand still.
const STILL: Duration = Duration::from_secs(6);
/// A server whose streams end at once is gone long before this, which is half of the grace.
const DRAINED_MAX: Duration = Duration::from_secs(25);
/// An event comes within two seconds; a busy machine takes longer.
const EVENT_MAX: Duration = Duration::from_secs(60);

/// The row of a table of the page that begins with this heading, without its tags.
#[track_caller]
pub fn row(page: &str, heading: &str) -> String {
    let rows = page.split("<tr>").skip(1).map(|row| row.split("</tr>").next().unwrap_or_default());
    let bare = |row: &str| {
        let mut text = String::new();
        let mut inside = false;
        for c in row.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    text.push(' ');
                }
                c if !inside => text.push(c),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let found = rows.map(bare).find(|row| row.starts_with(heading));
    found.unwrap_or_else(|| panic!("no row {heading:?} in {page}"))
}

on_both_engines! {
    async fn its_numbers_are_what_was_done(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "19.90", 7).await;
        let two = on_sale(&staff, "Two", "5", 2).await;
        order(&ana, &[(one, 1)]).await.expect(201);
        // An hour later: two orders, and refusals of three kinds.
        shop.clock.advance(Duration::from_secs(3_600));
        order(&ana, &[(one, 3), (two, 2)]).await.expect(201);
        order(&ana, &[(one, 1)]).await.expect(201);
        order(&ana, &[(two, 1)]).await.expect_problem(409, "out_of_stock");
        order(&ana, &[(one, 50)]).await.expect_problem(409, "out_of_stock");
        order(&ana, &[(999_999, 1)]).await.expect_problem(409, "not_for_sale");
        let guest = shop.guest().await;
        guest.set(two, 1).await.expect_problem(409, "out_of_stock");

        let mut root = shop.visitor_as("root", Role::Superuser).await;
        let page = root.open(DASHBOARD).await.expect(200);
        assert_eq!(row(&page, "2026-11-21 12:00 1 19.90"), "2026-11-21 12:00 1 19.90 EUR");
        assert_eq!(row(&page, "2026-11-21 13:00 2 "), "2026-11-21 13:00 2 89.60 EUR");
        let refused = "2026-11-21 13:00 3 1 0 0 0 0";
        assert_eq!(row(&page, "2026-11-21 13:00 3"), refused);
        assert!(row(&page, "One ONE").starts_with("One ONE 5"), "five units of One");
        // 2 are left of 7, 5 sold in a day: nine hours.
        assert!(page.contains("9 hours") && page.contains("sold out"), "{page}");
        assert!(page.contains("109.50 EUR"), "both hours together");

        // Kept by the job, they are counted once, also after a restart.
        jobs::desk_once(&shop.app).await;
        let page = root.open(DASHBOARD).await.expect(200);
        assert_eq!(row(&page, "2026-11-21 13:00 3"), refused);
        let kept = shop.number("select cast(sum(count) as bigint) from refusal_hour").await;
        assert_eq!(kept, 4);
        let node = shop.second_node().await;
        let other = shop.router_of(node);
        let page = root.at(other).open(DASHBOARD).await.expect(200);
        assert_eq!(row(&page, "2026-11-21 13:00 3"), refused);
        assert_eq!(row(&page, "2026-11-21 13:00 2 "), "2026-11-21 13:00 2 89.60 EUR");
    }

    async fn what_is_over_is_not_read_again_and_nothing_is_missed(shop: TestShop) {
        let (ana, staff) = (shop.customer("ana").await, shop.staff().await);
        let one = on_sale(&staff, "One", "10", 1_000).await;
        let mut root = shop.visitor_as("root", Role::Superuser).await;
        // Looked at between any two orders, over several hours and the ends of minutes.
        for seconds in [0, 30, 45, 59, 61, 119, 121, 600, 1_800, 3_599] {
            shop.clock.advance(Duration::from_secs(seconds));
            order(&ana, &[(one, 1)]).await.expect(201);
            root.open(DASHBOARD).await.expect(200);
        }
        root.log_in("root", crate::support::actors::PASSWORD).await;
        let page = root.open(DASHBOARD).await.expect(200);
        let hours = [row(&page, "2026-11-21 12:00 9 "), row(&page, "2026-11-21 13:00 1 ")];
        assert_eq!(hours, ["2026-11-21 12:00 9 90.00 EUR", "2026-11-21 13:00 1 10.00 EUR"]);
        assert!(page.contains("10 units in 24 hours"), "{page}");
    }

    async fn the_desk_is_not_for_customers(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        for path in [
            DASHBOARD,
            "/admin/dashboard/events",
            "/admin/desk/orders",
            "/admin/desk/orders/1",
            "/admin/desk/orders/1/invoice.pdf",
            "/admin/desk/orders/1/packing-slip.pdf",
            "/admin/import",
            "/admin/import/1",
            "/admin/import/1/errors.csv",
            "/admin/audit",
            "/admin/verify",
            "/admin/verify/1",
        ] {
            assert_eq!(ana.get(path).await.status, 403, "{path}");
            let answer = shop.visitor().get(path).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(answer.location().starts_with("/accounts/login/"), "{path}");
        }
        for path in [
            "/admin/desk/orders/1/cancel",
            "/admin/desk/orders/1/refund",
            "/admin/import/1/start",
            "/admin/verify",
        ] {
            assert_eq!(ana.post(path, &[]).await.status, 403, "{path}");
        }
    }

    async fn a_sale_shows_by_itself(shop: TestShop) {
        let url = shop.database_url();
        let folder = tempfile::tempdir().expect("a folder");
        let made = ["createsuperuser", "--username", "root", "--email", "root@example.com",
            "--password-stdin"];
        let made = finish(program(&folder, &url, &made), "a password for tests\n");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let file = folder.path().join("runout.toml");
        std::fs::write(&file, SETTINGS).expect("written");
        let server =
            Server::start(&url, &["--config", file.to_str().expect("text")]).await;
        let mut api = server.connect().await;
        let login = json!({"username": "root", "password": "a password for tests"});
        let login = api.send("POST", "/api/v1/tokens", "", "", &login).await.expect("an answer");
        let token = login.body["token"].as_str().expect("a token").to_owned();
        let body = json!({"title": "One", "price": {"currency": "EUR", "amount": "19.90"}});
        let made = api.send("POST", "/api/v1/products", &token, "", &body).await.expect("made");
        let variant = made.body["variants"][0]["id"].as_i64().expect("an id");
        let body = json!({"variant_id": variant, "quantity": 5});
        api.send("POST", "/api/v1/stock/receipts", &token, "", &body).await.expect("received");

        let cookie = log_in(&server).await;
        let mut stream = Stream::open(&server, &cookie).await;
        stream.until("event: sales").await;
        tokio::time::sleep(STILL).await;
        // The guard has closed the other connection, which did stand still.
        let mut api = server.connect().await;
        let body = json!({"lines": [{"variant_id": variant, "quantity": 2}]});
        let sold = api.send("POST", "/api/v1/orders", &token, "", &body).await.expect("sold");
        assert_eq!(sold.status, 201, "{}", sold.body);
        stream.read.clear();
        stream.until("39.80 EUR").await;
        assert!(!stream.read.contains("event: refusals"), "only what has changed comes");

        // It ends with its session, and does not keep the server from ending.
        let mut other = Stream::open(&server, &log_in(&server).await).await;
        other.until("event: health").await;
        log_out(&server, &cookie).await;
        stream.ended().await;
        let since = Instant::now();
        server.stop().await;
        assert!(since.elapsed() < DRAINED_MAX, "the drain waited for a stream");
        other.ended().await;
    }
}

async fn request(server: &Server, request: String) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = Vec::new();
    let read = timeout(EVENT_MAX, stream.read_to_end(&mut answer)).await;
    read.expect("in time").expect("reads");
    String::from_utf8_lossy(&answer).into_owned()
}

fn posted(path: &str, cookie: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n\
         cookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// Logs root in; gives the cookie.
async fn log_in(server: &Server) -> String {
    let form = "username=root&password=a+password+for+tests";
    let answer = request(server, posted("/accounts/login/", "a=b", form)).await;
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {answer}"));
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn log_out(server: &Server, cookie: &str) {
    let answer = request(server, posted("/accounts/logout/", cookie, "")).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
}

/// A browser's stream of events.
struct Stream {
    stream: TcpStream,
    read: String,
}

impl Stream {
    async fn open(server: &Server, cookie: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.expect("connects");
        let request = format!(
            "GET /admin/dashboard/events HTTP/1.1\r\nhost: localhost\r\n\
             accept: text/event-stream\r\ncookie: {cookie}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut open = Self { stream, read: String::new() };
        open.until("\r\n\r\n").await;
        assert!(open.read.starts_with("HTTP/1.1 200"), "{}", open.read);
        assert!(open.read.contains("text/event-stream"), "{}", open.read);
        open
    }

    async fn more(&mut self) -> usize {
        let mut chunk = vec![0; 64 * 1024];
        let read = timeout(EVENT_MAX, self.stream.read(&mut chunk)).await;
        // A reset is an end as well.
        let read = read.unwrap_or_else(|_| panic!("nothing comes: {}", self.read)).unwrap_or(0);
        self.read.push_str(&String::from_utf8_lossy(&chunk[..read]));
        read
    }

    /// Reads until this text has come.
    async fn until(&mut self, text: &str) {
        let since = Instant::now();
        while !self.read.contains(text) {
            assert!(since.elapsed() < EVENT_MAX, "{text:?} does not come: {}", self.read);
            assert!(self.more().await > 0, "the stream has ended: {}", self.read);
        }
    }

    /// Reads to the end.
    async fn ended(mut self) {
        let since = Instant::now();
        while self.more().await > 0 {
            assert!(since.elapsed() < EVENT_MAX, "the stream goes on");
        }
    }
}
