//! The back office's pages of channels and shipments.

use runout_shop::accounts::Role;

use crate::channels_api::Desk;
use crate::on_both_engines;
use crate::support::actors::PASSWORD;

on_both_engines! {
    async fn a_channel_is_connected_synced_and_deleted_by_pages(shop: TestShop) {
        let desk = Desk::new(shop, 1, 30).await;
        let staff = desk.at(&desk.shop.staff().await);
        desk.shop.account("root", Role::Superuser).await;
        let mut root = desk.shop.visitor().at(desk.router.clone());
        root.log_in("root", PASSWORD).await;
        let page = root.open("/admin/channels/").await.expect(200);
        assert!(page.contains("There are no channels yet"), "{page}");
        let (client_id, client_secret) = desk.sim.credentials(0);
        let mut fields = vec![
            ("name", "plaatboef"),
            ("shop", "Plaatboef"),
            ("client_id", client_id.as_str()),
            ("client_secret", "wrong-marker"),
            ("sync_minutes", "many"),
            ("keep_days", ""),
        ];
        let page = root.submit("/admin/channels/new", &fields).await.expect(422);
        assert!(page.contains("sync_minutes-error"), "{page}");
        fields[4].1 = "30";
        let page = root.submit("/admin/channels/new", &fields).await.expect(422);
        assert!(page.contains("bol.com refuses these credentials"), "{page}");
        assert!(!page.contains("wrong-marker"), "{page}");
        fields[3].1 = &client_secret;
        let page = root.submit("/admin/channels/new", &fields).await.expect(200);
        assert!(page.contains("It is there now") && page.contains("every 30 minutes"), "{page}");
        assert!(!page.contains(&client_secret));

        let crawling = desk.crawl();
        desk.until_synced(&staff, 1).await;
        crawling.stop().await;
        let page = root.open("/admin/channels/1/").await.expect(200);
        assert!(page.contains("<dt>Details done</dt><dd>30</dd>"), "{page}");
        assert!(page.contains("Details of shipments") && page.contains("a minute"), "{page}");
        let page = root.open("/admin/shipments/?channel_id=1&state=stored&order_id=").await;
        let page = page.expect(200);
        assert!(page.contains("/admin/shipments/30/"), "{page}");
        assert!(page.contains("Older shipments"), "{page}");
        let page = root.open("/admin/shipments/1/").await.expect(200);
        assert!(page.contains("Goes to") && page.contains("What lies in it"), "{page}");
    }

    async fn a_channel_is_paused_changed_and_deleted_by_pages(shop: TestShop) {
        let desk = Desk::new(shop, 1, 5).await;
        let staff = desk.at(&desk.shop.staff().await);
        staff.post("/api/v1/channels", desk.new_channel(0, "plaatboef")).await.expect(201);
        let (client_id, client_secret) = desk.sim.credentials(0);
        desk.shop.account("root", Role::Superuser).await;
        let mut root = desk.shop.visitor().at(desk.router.clone());
        root.log_in("root", PASSWORD).await;
        let page = root.submit("/admin/channels/1/pause", &[]).await.expect(200);
        assert!(page.contains("It is paused. Resume it"), "{page}");
        root.submit("/admin/channels/1/sync", &[]).await.expect(409);
        root.submit("/admin/channels/1/resume", &[]).await.expect(200);
        let page = root.submit("/admin/channels/1/sync", &[]).await.expect(200);
        assert!(page.contains("A sync was asked for"), "{page}");
        let page = root.open("/admin/channels/1/edit").await.expect(200);
        assert!(page.contains("value=\"plaatboef\"") && !page.contains(&client_secret), "{page}");
        let fields = [
            ("name", "plaatboef"),
            ("shop", "Boef"),
            ("client_id", client_id.as_str()),
            ("client_secret", ""),
            ("sync_minutes", ""),
            ("keep_days", "7"),
        ];
        let page = root.submit("/admin/channels/1/edit", &fields).await.expect(200);
        assert!(page.contains("Boef") && page.contains("only when asked"), "{page}");
        assert!(page.contains("erased 7 days after"), "{page}");
        assert_eq!(desk.shop.number("select credentials from channel").await, 1);

        let ship = [("order_id", "A1"), ("items", "1:2 3"), ("transporter_code", "TNT")];
        let page = root.submit("/admin/channels/1/ship", &ship).await.expect(200);
        assert!(page.contains("It will be shipped") && page.contains("queued"), "{page}");
        let page = root.submit("/admin/channels/1/ship", &ship[..1]).await.expect(422);
        assert!(page.contains("shipping_label_id-error"), "{page}");
        root.open("/admin/channels/1/delete").await.expect(200);
        let page = root.submit("/admin/channels/1/delete", &[]).await.expect(200);
        assert!(page.contains("There are no channels yet"), "{page}");
        root.open("/admin/channels/1/").await.expect(404);
    }
}
