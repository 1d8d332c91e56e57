//! Every page of the table, looked at by everybody who may: accessible, as narrow as a phone, and
//! without complaints of the browser. Pages are the same on both engines; they are looked at on
//! one.

use runout_shop::admin::tables;

use super::inspection::file_name;
use super::{CUSTOMER, OWNER, Stage, journey, log_in};
use crate::security::pages::{Kind, Page, Who, looks};
use crate::support::furnish::furnish;
use crate::support::{Engine, TestShop};

/// Looks at all pages for which `wanted` holds, as `who`.
async fn sweep(name: &str, who: Option<&str>, wanted: impl Fn(&Page) -> bool) {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    let mut things = furnish(&stage.as_owner(), &stage.customer(CUSTOMER).await, "").await;
    journey(name, &stage, async |window| {
        if let Some(who) = who {
            log_in(window, who).await;
        }
        if who == Some(OWNER) {
            things.find_rows(&shop.app.db).await;
        }
        let mut wrong = Vec::new();
        let pages = looks().filter(|page| page.kind == Kind::Html);
        for page in pages.filter(|page| wanted(page)) {
            for path in page.looks(&things) {
                window.goto(&path).await;
                let found = window.inspect(&format!("{name}-{}", file_name(&path))).await;
                let status = window.run(STATUS, vec![]).await;
                assert_eq!(status, 200, "{path}: {}", window.source().await);
                wrong.extend(found);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

/// The status of the page's response.
pub const STATUS: &str = "return performance.getEntriesByType('navigation')[0].responseStatus";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_for_guests() {
    sweep("guest", None, |page| page.who == Who::Public && !page.needs_basket()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_for_customers() {
    let own = |page: &Page| {
        // The basket has something in it now.
        page.who == Who::SignedIn || page.needs_basket() || page.route == "/basket"
    };
    sweep("customer", Some(CUSTOMER), own).await;
}

/// The page is one of a table's.
fn is_of_a_table(page: &Page) -> bool {
    tables().iter().any(|table| page.route.starts_with(&format!("/admin/{}/", table.slug)))
}

fn is_of_the_office(page: &Page) -> bool {
    !matches!(page.who, Who::Public | Who::SignedIn)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_back_office() {
    let own = |page: &Page| is_of_the_office(page) && !is_of_a_table(page);
    sweep("office", Some(OWNER), own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_tables_of_the_back_office() {
    sweep("office", Some(OWNER), |page| is_of_the_office(page) && is_of_a_table(page)).await;
}
