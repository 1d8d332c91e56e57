//! What an attacker meets: every page, by its row in one table.

mod authorisation;
mod fields;
mod forgery;
mod injection;
mod markup;
pub mod pages;
mod redirects;
mod routes;
mod sessions;
mod strangers;

use runout_shop::accounts::Role;

use crate::support::TestShop;
use crate::support::furnish::{Furnished, furnish};
use crate::support::visitor::Visitor;

/// A shop with one of everything, and people who are logged in.
struct House {
    things: Furnished,
    owner: Visitor,
    customer: Visitor,
    guest: Visitor,
}

impl House {
    async fn of(shop: &TestShop, mark: &str) -> Self {
        let (root, ana) = (shop.superuser().await, shop.customer("ana").await);
        let mut things = furnish(&root, &ana, mark).await;
        let owner = shop.visitor_as("root", Role::Superuser).await;
        let customer = shop.visitor_as("ana", Role::Customer).await;
        things.find_rows(&shop.app.db).await;
        Self { things, owner, customer, guest: shop.visitor() }
    }

    /// Whoever may look at a page.
    fn viewer(&self, page: &pages::Page) -> Visitor {
        match page.who {
            pages::Who::Public if !page.needs_basket() => self.guest.clone(),
            pages::Who::Public | pages::Who::SignedIn => self.customer.clone(),
            _ => self.owner.clone(),
        }
    }
}

/// True if the shop knows the visitor: the account's page does not lead to the login.
async fn is_known(visitor: &mut Visitor) -> bool {
    visitor.get("/account").await.status == 200
}
