//! Who may open and do what: every row of [`super::pages`], as everybody.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use axum::http::Method;
use axum::response::Response;
use runout_shop::accounts::{Capability, Permission, Role, Verb};
use runout_shop::admin::{Table, tables};
use runout_shop::app::bare_router;
use runout_shop::platform::config::Config;

use super::pages::{Kind, Page, Who, pages, rows};
use super::routes;
use crate::on_both_engines;
use crate::support::TestShop;
use crate::support::visitor::Visitor;

const LOGIN: &[u8] = b"/accounts/login/?next=";

/// Somebody who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Guest,
    Customer,
    /// Staff who may do this and nothing else.
    Only(Permission),
    /// Staff who may do everything but this.
    AllBut(Permission),
    Superuser,
}

/// How a page receives somebody.
#[derive(Debug, PartialEq, Eq)]
enum Reception {
    /// Sent to the login.
    ToLogin,
    Forbidden,
    /// Let in, whatever became of it.
    LetIn,
}

impl Caller {
    fn expected(self, who: Who) -> Reception {
        let allowed = match (self, who) {
            (_, Who::Public) | (Caller::Superuser, _) => true,
            (Caller::Guest, _) => return Reception::ToLogin,
            (_, Who::SignedIn) => true,
            (Caller::Customer, _) => false,
            (Caller::Only(only), Who::Staff(part, verb)) => only == Permission(part, verb),
            (Caller::AllBut(but), Who::Staff(part, verb)) => but != Permission(part, verb),
            (Caller::Only(_), Who::StaffBoth(..)) => false,
            (Caller::AllBut(but), Who::StaffBoth(part, one, other)) => {
                but != Permission(part, one) && but != Permission(part, other)
            }
            (_, Who::AnyStaff) => true,
            (_, Who::Superuser) => false,
            (_, Who::OfTable(_)) => unreachable!("tables have their own capability"),
        };
        if allowed { Reception::LetIn } else { Reception::Forbidden }
    }

    /// Logs in.
    async fn visit(self, shop: &TestShop) -> Visitor {
        match self {
            Caller::Guest => shop.visitor(),
            Caller::Customer => shop.visitor_as("ana", Role::Customer).await,
            Caller::Superuser => shop.visitor_as("root", Role::Superuser).await,
            Caller::Only(only) => {
                let name = format!("only.{only}");
                shop.clerk(&name, &[only]).await
            }
            Caller::AllBut(but) => {
                let name = format!("all.but.{but}");
                let others: Vec<_> = Permission::all().filter(|other| *other != but).collect();
                shop.clerk(&name, &others).await
            }
        }
    }
}

impl TestShop {
    /// A member of staff who may do just this.
    async fn clerk(&self, name: &str, permissions: &[Permission]) -> Visitor {
        let id = self.account(name, Role::Staff).await.account_id;
        let mut sql = format!(
            "update account set restricted = true where id = {id};
            delete from staff_permission where account_id = {id};"
        );
        for Permission(part, verb) in permissions {
            let (part, verb) = (part.as_str(), verb.as_str());
            sql += &format!("insert into staff_permission values ({id}, '{part}', '{verb}');");
        }
        self.app.db.script(&sql).await.expect("a list of permissions");
        self.visitor_as(name, Role::Staff).await
    }
}

fn reception(page: &Page, response: &Response) -> Reception {
    let status = response.status().as_u16();
    let odd = status >= 500 || [401, 429].contains(&status);
    assert!(!odd, "{} {}: {status}", page.method, page.route);
    let place = response.headers().get("location").map(|place| place.as_bytes());
    match status {
        403 => Reception::Forbidden,
        303 if place.is_some_and(|place| place.starts_with(LOGIN)) => Reception::ToLogin,
        _ => Reception::LetIn,
    }
}

async fn come(visitor: &mut Visitor, page: &Page) -> Reception {
    let method: Method = page.method.parse().expect("a method");
    let upload = page.kind == Kind::Upload;
    // Complete enough for those that read the form before they know whose the thing is.
    let form = (method != Method::GET && !upload).then_some([("pay", "card-1")].as_slice());
    let mut headers = vec![("sec-fetch-site", "same-origin")];
    if upload {
        headers.push(("content-type", "multipart/form-data; boundary=x"));
    }
    let response = visitor.respond(method, &page.nowhere(), form, &headers).await;
    reception(page, &response)
}

/// Comes to every page; gives where the caller was not received as the table says.
async fn try_all(shop: &TestShop, caller: Caller) -> Vec<String> {
    let mut visitor = caller.visit(shop).await;
    let mut wrong = Vec::new();
    for page in pages() {
        let met = come(&mut visitor, &page).await;
        let expected = caller.expected(page.who);
        if met != expected {
            wrong.push(format!("{} {} as {caller:?}: {met:?}", page.method, page.route));
        }
        // The page before may have been the logout.
        if caller != Caller::Guest && visitor.cookie("__Host-session").is_none() {
            visitor = caller.visit(shop).await;
        }
    }
    wrong
}

on_both_engines! {
    async fn every_page_has_a_row_and_every_row_a_page(shop: TestShop) {
        let routes = routes::pages(&bare_router(shop.app.clone()));
        let all: Vec<_> =
            rows().map(|(method, route)| (method.to_owned(), route.to_owned())).collect();
        let rows: BTreeSet<(String, String)> = all.iter().cloned().collect();
        assert_eq!(rows.len(), all.len(), "a row stands here twice");
        let undecided: Vec<_> = routes.difference(&rows).collect();
        let gone: Vec<_> = rows.difference(&routes).collect();
        assert!(undecided.is_empty(), "pages without a row: {undecided:#?}");
        assert!(gone.is_empty(), "rows without a page: {gone:#?}");
    }

    async fn everybody_gets_where_the_table_says(shop: TestShop) {
        let mut wrong = Vec::new();
        for caller in [Caller::Guest, Caller::Customer, Caller::Superuser] {
            wrong.extend(try_all(&shop, caller).await);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn staff_get_where_their_permissions_let_them(shop: TestShop) {
        let mut wrong = Vec::new();
        let mut config = Config::default();
        config.rate_limit.burst = NonZeroU32::MAX;
        let shop = shop.with_config(&config).await;
        for permission in Permission::all() {
            wrong.extend(try_all(&shop, Caller::Only(permission)).await);
            wrong.extend(try_all(&shop, Caller::AllBut(permission)).await);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    async fn bulk_actions_need_their_own_verb(shop: TestShop) {
        let mut wrong = Vec::new();
        for part in Capability::ALL {
            let view = Permission(part, Verb::View);
            let mut clerk = Caller::Only(view).visit(&shop).await;
            let own = tables().iter().filter(|table| table.capability == part);
            let actions = |table: &'static Table| table.actions.iter().map(move |one| (table, one));
            for (table, action) in own.copied().flat_map(actions) {
                assert_ne!(action.verb, Verb::View, "{} only looks", action.name);
                for path in ["bulk", "bulk/confirm"] {
                    let path = format!("/admin/{}/{path}", table.slug);
                    let fields = [("action", action.name), ("id", "1")];
                    let status = clerk.post(&path, &fields).await.status;
                    if status != 403 {
                        wrong.push(format!("{path} {}: {status}", action.name));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
