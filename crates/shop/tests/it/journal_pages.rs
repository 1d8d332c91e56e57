//! The pages of the journal: reading, writing, moderation in the back office.

use runout_shop::accounts::Role;
use serde_json::json;

use crate::journal::{COMMENTS, POSTS, say, write};
use crate::on_both_engines;

on_both_engines! {
    async fn news_are_read_by_everybody(shop: TestShop) {
        let staff = shop.staff().await;
        let mut guest = shop.visitor();
        let empty = guest.open("/journal/").await.expect(200);
        assert!(empty.contains("There is no news yet."), "{empty}");
        let news = write(&staff, "It is here").await;
        let ana = shop.customer("ana").await;
        say(&ana, news, "At last!").await;
        write(&ana, "A review").await;
        let list = guest.open("/journal").await;
        assert_eq!(list.path, "/journal/");
        let html = list.expect(200);
        assert!(html.contains("It is here") && html.contains("1 comment"), "{html}");
        assert!(html.contains("aria-current=\"page\">News</a>"), "{html}");
        assert!(!html.contains("A review"), "it waits");
        let html = guest.open(&format!("/journal/{news}")).await.expect(200);
        assert!(html.contains("At last!") && html.contains("Log in to comment"), "{html}");
        assert!(!html.contains("ana@example.com"), "an address is shown");
        for (query, found) in [("here", true), ("HERE", true), ("gone", false)] {
            let html = guest.open(&format!("/journal/?q={query}")).await.expect(200);
            assert_eq!(html.contains("It is here"), found, "{query}");
        }
        guest.open("/journal/2/").await.expect(404);
        guest.open("/journal/999/").await.expect(404);
    }

    async fn long_news_have_pages(shop: TestShop) {
        let staff = shop.staff().await;
        for n in 0..23 {
            write(&staff, &format!("Post number {n:02}")).await;
        }
        let mut guest = shop.visitor();
        let html = guest.open("/journal/").await.expect(200);
        assert!(
            html.contains("number 22") && html.contains("number 03") && !html.contains("number 02")
        );
        let next =
            html.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let html = guest
            .open(&next.expect("a next page").replace("&amp;", "&").replace("&#38;", "&"))
            .await
            .expect(200);
        assert!(
            html.contains("number 02") && html.contains("Newest") && !html.contains("number 03")
        );
    }

    async fn a_customer_writes_edits_and_deletes(shop: TestShop) {
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let html = ana.open("/journal/new").await.expect(200);
        assert!(html.contains("The shop reads it"), "{html}");
        let wrong =
            ana.submit("/journal/new", &[("title", ""), ("body", "kept")]).await.expect(422);
        assert!(wrong.contains("Title: must not be empty.") && wrong.contains(">kept</textarea>"));
        let fields = [("title", "A review"), ("body", "One.\r\n\r\nTwo.")];
        let shown = ana.submit("/journal/new", &fields).await;
        assert_eq!(shown.path, "/journal/1/");
        assert!(shown.expect(200).contains("Not published"));
        let own = shop.customer("ana").await.get(&format!("{POSTS}/1")).await.expect(200);
        assert_eq!((&own["body"], &own["published"]), (&json!("One.\n\nTwo."), &json!(false)));
        let html = ana.open("/journal/").await.expect(200);
        assert!(html.contains("A review") && html.contains("Not published"));
        let edit = ana.open("/journal/1/edit").await.expect(200);
        assert!(edit.contains("name=\"version\" value=\"1\""), "{edit}");
        let fields = [("title", "My review"), ("body", "One."), ("version", "1")];
        assert_eq!(ana.submit("/journal/1/edit", &fields).await.path, "/journal/1/");
        let stale = ana.submit("/journal/1/edit", &fields).await.expect(422);
        assert!(stale.contains("changed elsewhere"), "{stale}");
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        bia.open("/journal/1/edit").await.expect(404);
        assert!(ana.open("/journal/1/delete").await.expect(200).contains("My review"));
        assert_eq!(ana.submit("/journal/1/delete", &[]).await.path, "/journal/");
        ana.open("/journal/1/").await.expect(404);
    }

    async fn a_customer_says_something(shop: TestShop) {
        let news = write(&shop.staff().await, "It is here").await;
        let mut ana = shop.visitor_as("ana", Role::Customer).await;
        let (place, below) = (format!("/journal/{news}/"), format!("/journal/{news}/comments"));
        let wrong = ana.submit(&below, &[("body", " ")]).await.expect(422);
        assert!(wrong.contains("Text: must not be empty."), "{wrong}");
        let shown = ana.submit(&below, &[("body", "At last!")]).await;
        assert_eq!(shown.path, format!("{place}#comments"));
        let html = shown.expect(200);
        assert!(html.contains("At last!") && html.contains("<h3>ana</h3>"), "{html}");
        let fields = [("body", "At long last!"), ("version", "1")];
        ana.submit("/journal/comments/1/edit", &fields).await.expect(200);
        let mut bia = shop.visitor_as("bia", Role::Customer).await;
        let html = bia.open(&place).await.expect(200);
        assert!(html.contains("At long last!") && !html.contains("comments/1/edit"), "{html}");
        for what in ["edit", "delete"] {
            bia.open(&format!("/journal/comments/1/{what}")).await.expect(403);
        }
        assert!(ana.open("/journal/comments/1/delete").await.expect(200).contains("At long last!"));
        assert_eq!(ana.submit("/journal/comments/1/delete", &[]).await.path, place);
        assert!(bia.open(&place).await.expect(200).contains("No comments yet"));
        let mut guest = shop.visitor();
        assert_eq!(guest.post(&below, &[("body", "Hello")]).await.status, 303);
    }

    async fn staff_publish_and_hide_in_the_back_office(shop: TestShop) {
        let ana = shop.customer("ana").await;
        let own = write(&ana, "A review").await;
        let said = say(&ana, own, "Read it!").await;
        let mut sam = shop.visitor_as("sam", Role::Staff).await;
        let html = sam.open("/admin/posts/?published=false").await.expect(200);
        assert!(html.contains("A review"), "{html}");
        let html = sam.open("/admin/posts/?q=A+rev").await.expect(200);
        assert!(html.contains("A review"), "{html}");
        for (table, row, action, path, field) in [
            ("posts", own, "publish", POSTS, "published"),
            ("comments", said, "hide", COMMENTS, "hidden"),
        ] {
            let row = row.to_string();
            let fields = [("action", action), ("id", row.as_str())];
            let html = sam.submit(&format!("/admin/{table}/bulk"), &fields).await.expect(200);
            let hidden: Vec<(String, String)> = hidden_fields(&html);
            let fields: Vec<(&str, &str)> =
                hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            sam.submit(&format!("/admin/{table}/bulk/confirm"), &fields).await.expect(200);
            let shown = shop.staff().await.get(&format!("{path}/{row}")).await.expect(200);
            assert_eq!(shown[field], true, "{html}");
        }
        let html = shop.visitor().open(&format!("/journal/{own}/")).await.expect(200);
        assert!(html.contains("A review") && !html.contains("Read it!"), "{html}");
        let page = sam.open(&format!("/admin/posts/{own}/")).await.expect(200);
        assert!(page.contains("Read it!"), "comments stand on their post's page: {page}");
    }
}

/// Names and values of the hidden and ticked fields of the page's forms.
fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(rest.split('"').next()?.to_owned())
    };
    html.split("<input")
        .skip(1)
        .map(|tag| tag.split('>').next().unwrap_or_default())
        .filter(|tag| tag.contains("type=\"hidden\""))
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}
