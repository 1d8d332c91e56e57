//! What is another's: nobody is told that it is there, and nothing of it changes.

use axum::http::Method;
use runout_shop::accounts::Role;

use crate::on_both_engines;

on_both_engines! {
    async fn anothers_things_are_not_there(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        let mut eve = shop.visitor_as("eve", Role::Customer).await;
        let (order, address) = (house.things.open_order, house.things.address);
        let session = "select max(s.id) from session s join account a on a.id = s.account_id
            where a.username = 'ana'";
        let session = shop.number(session).await;
        let token = "select max(t.id) from token t join account a on a.id = t.account_id
            where a.username = 'ana'";
        let token = shop.number(token).await;
        let state = "select (select count(*) from orders) * 1000 + (select count(*) from address)
            * 100 + (select count(*) from orders where status = 'placed')";
        let before = shop.number(state).await;
        for (method, path) in [
            ("GET", format!("/orders/{order}")),
            ("POST", format!("/orders/{order}/cancel")),
            ("POST", format!("/orders/{order}/pay")),
            ("GET", format!("/account/addresses/{address}")),
            ("POST", format!("/account/addresses/{address}")),
            ("POST", format!("/account/addresses/{address}/delete")),
            ("POST", format!("/account/sessions/{session}/end")),
            ("POST", format!("/account/tokens/{token}/revoke")),
        ] {
            let form = [
                ("name", "Eve"), ("line1", "1"), ("city", "X"), ("postal_code", "1"),
                ("country", "DE"), ("pay", "card-1"), ("version", "1"),
            ];
            let form = (method == "POST").then_some(form.as_slice());
            let method: Method = method.parse().expect("a method");
            let site = [("sec-fetch-site", "same-origin")];
            let answer = eve.send(method.clone(), &path, form, &site).await;
            // What ends somebody's session may lead back to the list, and does nothing.
            let nothing = answer.status == 404 || answer.status == 303;
            assert!(nothing, "{method} {path}: {} {}", answer.status, answer.html());
            assert!(!answer.html().contains("Ana"), "{method} {path}");
        }
        assert_eq!(shop.number(state).await, before);
        // Ana's session and her address are as they were.
        let mut ana = house.customer.clone();
        assert!(crate::security::is_known(&mut ana).await);
        let page = ana.get(&format!("/account/addresses/{address}")).await;
        assert!(page.html().contains("Rillengasse 33"));
        let revoked = "select count(*) from token where revoked_at is not null";
        assert_eq!(shop.number(revoked).await, 0);
    }

    async fn anothers_basket_cannot_be_bought(shop: TestShop) {
        let house = crate::security::House::of(&shop, "").await;
        let basket = shop.number("select max(id) from basket where status = 'open'").await;
        let before = shop.number("select count(*) from orders").await;
        for mut stranger in [shop.visitor_as("eve", Role::Customer).await, shop.visitor()] {
            let id = basket.to_string();
            let fields = [
                ("basket", id.as_str()), ("email", "eve@example.com"), ("address", "new"),
                ("name", "Eve"), ("line1", "1"), ("city", "X"), ("postal_code", "1"),
                ("country", "DE"), ("pay", "manual"), ("confirm", "1990"), ("key", "a-key"),
            ];
            let answer = stranger.post("/checkout", &fields).await;
            assert!(answer.status.as_u16() < 500, "{}", answer.html());
            let page = stranger.open("/basket").await.html();
            assert!(!page.contains("Night Shift"), "{page}");
        }
        assert_eq!(shop.number("select count(*) from orders").await, before);
        let mut ana = house.customer.clone();
        assert!(ana.get("/basket").await.html().contains("Night Shift"));
    }
}
