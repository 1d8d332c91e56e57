//! Importing lists of discs: what is stored, what a second import does, what a bad row does.

use std::sync::Mutex;

use runout_shop::catalog::import::{Intake, Options, Report, Rows, StockIntake, Survey, discs};
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::TestShop;

/// The real list, its quirks included.
const ALBUMS: &[u8] = include_bytes!("../data/albums-500.csv");

/// Receives goods into a list; knows no location but `main`.
#[derive(Default)]
struct Shelf(Mutex<Vec<Intake>>);

impl StockIntake for Shelf {
    async fn receive(&self, intake: Intake) -> Result<(), String> {
        if intake.location_code.as_deref().is_some_and(|code| code != "main") {
            return Err("there is no such location".to_owned());
        }
        self.0.lock().expect("no panic").push(intake);
        Ok(())
    }
}

async fn import(shop: &TestShop, shelf: &Shelf, file: &[u8]) -> Report {
    let survey = Survey::of(file, None).expect("readable");
    let options = Options { encoding: None, default_currency: shop.app.currency };
    let rows = Rows::new(file, &survey, &options).expect("a good header");
    let mut position = 0;
    let report = discs(&shop.app, rows, shelf, |progress| {
        assert!(progress.position >= position, "it goes forward");
        position = progress.position;
    });
    let report = report.await.expect("the database works");
    assert_eq!(position, survey.bytes);
    report
}

fn counts(report: &Report) -> (u64, u64, u64, u64) {
    (report.created, report.updated, report.unchanged, report.failed)
}

/// Every table's rows that an import could write.
async fn rows_written(shop: &TestShop) -> Vec<i64> {
    let sql = "select count(*) from product \
        union all select cast(sum(version) as bigint) from product \
        union all select count(*) from variant union all select count(*) from price \
        union all select count(*) from outbox union all select count(*) from audit";
    let statement = runout_store::Composer::new(sql).finish();
    shop.app.db.read(statement, |row| row.get(0)).await.expect("reads")
}

async fn product(shop: &TestShop, query: &str) -> Value {
    let staff = shop.staff().await;
    staff.get(&format!("/api/v1/products?{query}")).await.expect(200)["items"][0].clone()
}

on_both_engines! {
    async fn the_real_list_comes_in_and_again_changes_nothing(shop: TestShop) {
        let shelf = Shelf::default();
        let first = import(&shop, &shelf, ALBUMS).await;
        assert_eq!((first.updated, first.unchanged), (0, 0));
        assert_eq!(first.created + first.failed, 500);
        assert_eq!(first.failed as usize, first.errors.len());
        assert!(first.created >= 495, "{:?}", first.errors);
        let pepper = product(&shop, "q=sgt+pepper").await;
        assert_eq!(
            (&pepper["artist"], &pepper["release_year"]),
            (&json!("The Beatles"), &json!(1967))
        );
        assert_eq!(pepper["variants"][0]["sku"], format!("R-{}", pepper["id"]));
        let before = rows_written(&shop).await;
        let second = import(&shop, &shelf, ALBUMS).await;
        assert_eq!(counts(&second), (0, 0, first.created, first.failed));
        assert_eq!(second.errors, first.errors);
        assert_eq!(rows_written(&shop).await, before);
    }

    async fn prices_and_stock_come_once(shop: TestShop) {
        let shelf = Shelf::default();
        let file = b"title,artist,price,quantity,sku,location\n\
            One,A,10.00,5,S1,main\nTwo,A,,,S2,\nThree,A,9.50,0,S3,\nFour,A,1,2,S4,attic\n";
        let report = import(&shop, &shelf, file).await;
        assert_eq!(counts(&report), (4, 0, 0, 0));
        assert_eq!(report.errors.len(), 1);
        assert_eq!(report.errors[0].line, 5);
        let one = product(&shop, "sku=S1").await;
        assert_eq!(one["variants"][0]["price"]["amount"], "10.00");
        assert_eq!(product(&shop, "sku=S2").await["variants"][0]["price"], Value::Null);
        let received = std::mem::take(&mut *shelf.0.lock().expect("no panic"));
        let variant_id = one["variants"][0]["id"].as_i64().expect("an id");
        let location_code = Some("main".to_owned());
        let expected =
            Intake { variant_id, location_code, quantity: 5, import_key: "sku:S1".to_owned() };
        assert_eq!(received, std::slice::from_ref(&expected));

        // Broken off before the goods were on the shelf: the next import makes up for it.
        assert_eq!(counts(&import(&shop, &shelf, file).await), (0, 0, 4, 0));
        assert_eq!(std::mem::take(&mut *shelf.0.lock().expect("no panic")), [expected]);
        shop.app
            .db
            .script(&format!(
            "insert into stock_level (id, variant_id, location_id, on_hand, reserved, movements)
             values (1, {variant_id}, 1, 0, 0, 1)"
        ))
            .await
            .expect("stock");
        assert_eq!(counts(&import(&shop, &shelf, file).await), (0, 0, 4, 0));
        assert!(shelf.0.lock().expect("no panic").is_empty(), "sold out stays sold out");

        let dearer = b"title,artist,price,sku\nOne,A,12.00,S1\nTwo,A,7,S2\nThree,A,9.50,S3\n";
        assert_eq!(counts(&import(&shop, &shelf, dearer).await), (0, 2, 1, 0));
        shop.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(product(&shop, "sku=S1").await["variants"][0]["price"]["amount"], "12.00");
        assert_eq!(product(&shop, "sku=S2").await["variants"][0]["price"]["amount"], "7.00");
        assert_eq!(counts(&import(&shop, &shelf, dearer).await), (0, 0, 3, 0));
    }

    async fn what_differs_is_changed_and_nothing_else(shop: TestShop) {
        let (staff, shelf) = (shop.staff().await, Shelf::default());
        let file =
            b"title,artist,year,genre,sku\nOne,A,1990,Rock,S1\nTwo,B,1991,Pop,S2\nThree,C,,,S3\n";
        assert_eq!(counts(&import(&shop, &shelf, file).await), (3, 0, 0, 0));
        let path = |product: &Value| format!("/api/v1/products/{}", product["id"]);
        let (one, two, three) = (
            product(&shop, "sku=S1").await,
            product(&shop, "sku=S2").await,
            product(&shop, "sku=S3").await,
        );
        let body =
            json!({"description": "Staff's words", "enabled": false, "attributes": {"n": 1}});
        staff.patch(&path(&one), body).await.expect(200);
        staff.delete(&path(&two)).await.expect(204);
        staff
            .patch(&path(&three), json!({"release_year": 1980, "style": "Jazz"}))
            .await
            .expect(200);
        assert_eq!(counts(&import(&shop, &shelf, file).await), (0, 0, 3, 0));
        let newer = b"title,artist,year,genre,sku,notes\nOne!,A,1990,Rock,S1,x\n\
            Two!,B,1991,Pop,S2,\nThree,C,,,S3,\n";
        let report = import(&shop, &shelf, newer).await;
        assert_eq!(counts(&report), (0, 1, 2, 0));
        let now = product(&shop, "sku=S1").await;
        assert_eq!((&now["title"], &now["enabled"]), (&json!("One!"), &json!(false)));
        assert_eq!(now["attributes"]["n"], 1);
        let three = staff.get(&path(&three)).await.expect(200);
        assert_eq!((&three["release_year"], &three["style"]), (&json!(1980), &json!("Jazz")));
        staff.get(&path(&two)).await.expect(404);
    }

    async fn a_bad_row_harms_no_other(shop: TestShop) {
        let (staff, shelf) = (shop.staff().await, Shelf::default());
        staff
            .post("/api/v1/products", json!({"title": "By hand", "sku": "TAKEN"}))
            .await
            .expect(201);
        let mut file = b"title,artist,year,sku\nGood,A,1990,S1\nBad year,A,19755,S2\n,A,1990,S3\n\
            Taken,A,1990,TAKEN\n"
            .to_vec();
        for n in 0..450 {
            file.extend(format!("T{n},A,1990,N{n}\n").bytes());
        }
        let report = import(&shop, &shelf, &file).await;
        assert_eq!(counts(&report), (451, 0, 0, 3));
        let lines: Vec<u64> = report.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [3, 4, 5]);
        assert!(report.errors[2].reason.contains("TAKEN"), "{:?}", report.errors);
        assert_eq!(counts(&import(&shop, &shelf, &file).await), (0, 0, 451, 3));
    }
}
