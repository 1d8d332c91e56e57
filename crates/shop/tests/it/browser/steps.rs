//! Pages that only somebody in the midst of something sees, which the sweep of the table therefore
//! leaves out: the second factor after the password, an import and a proof, and forms that are
//! shown again because something in them was wrong.

use runout_shop::admin::tables;
use runout_shop::platform::clock::Clock;

use super::inspection::file_name;
use super::sweep::STATUS;
use super::window::Window;
use super::{CUSTOMER, OWNER, PASSWORD, Stage, journey, log_in};
use crate::second_factor::Device;
use crate::support::furnish::furnish;
use crate::support::{Engine, TestShop};

/// A good row, and one with two faults.
const CSV: &str = "title,artist,year,price,quantity\n\
    We are Reactive,Hohpe,1967,19.90,3\n\
    Bad Year,Somebody,soon,x,1\n";

/// Sends the form that a field belongs to, or the page's first one, past the browser's own checks.
const SEND: &str = "
    const field = document.querySelector(`main [name='${arguments[0]}']`);
    const form = field ? field.form : document.querySelector('main form');
    form.noValidate = true;
    form.requestSubmit();";

/// What is wrong with a page, besides that the browser's console tells its status.
async fn inspect(window: &Window, name: &str) -> Vec<String> {
    let mut wrong = window.inspect(name).await;
    wrong.retain(|line| !line.contains("status of 422"));
    wrong
}

/// Fills a page's form in, so that it comes back; gives what is wrong with how it comes back.
async fn comes_back(window: &Window, path: &str, fields: &[(&str, &str)]) -> Vec<String> {
    window.goto(path).await;
    for (name, text) in fields {
        window.types(name, text).await;
    }
    let first = fields.first().map_or("", |(name, _)| name);
    window.run(SEND, vec![first.into()]).await;
    let again = async || (window.tries(STATUS).await? == 422).then_some(());
    window.until(&format!("the form of {path} again"), again).await;
    let told = "return document.querySelectorAll('main [role=alert]').length
        + document.querySelectorAll('main [aria-invalid=true]').length";
    let told = window.run(told, vec![]).await;
    let mut wrong = inspect(window, &format!("again-{}", file_name(path))).await;
    if told == 0 {
        wrong.push(format!("{path} does not say what was wrong"));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_factor_is_asked_for() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    stage.customer(CUSTOMER).await;
    journey("second-factor", &stage, async |window| {
        log_in(window, CUSTOMER).await;
        window.goto("/account/second_factor").await;
        window.types("current_password", PASSWORD).await;
        window.presses_in("//main", "Set up").await;
        window.sees_in("main", "Or type the key").await;
        let mut wrong = inspect(window, "factor-key").await;
        let device = Device::reads(&window.source().await);
        window.types("code", &device.code_at(Clock::system().now().as_second())).await;
        window.presses_in("//main", "Switch on").await;
        window.sees_in("h1", "Your recovery codes").await;
        wrong.extend(inspect(window, "factor-codes").await);
        let recovery = window.text_of("ul.codes code").await.expect("a recovery code");
        window.presses_in("//main", "I have kept them").await;
        window.sees_in("main", "10 recovery codes left").await;
        wrong.extend(inspect(window, "factor-on").await);
        window.presses_in("//header", "Log out").await;
        window.sees_in("header", "Log in").await;

        window.goto("/accounts/login/?next=%2Forders").await;
        window.types("username", CUSTOMER).await;
        window.types("password", PASSWORD).await;
        window.presses_in("//main", "Log in").await;
        window.arrives("/accounts/second_factor/?next=").await;
        wrong.extend(inspect(window, "factor-asked").await);
        window.types("code", "000000").await;
        window.presses_in("//main", "Go on").await;
        window.sees_in("[role=alert]", "This code is wrong").await;
        wrong.extend(inspect(window, "factor-wrong").await);
        window.types("code", &recovery).await;
        window.presses_in("//main", "Go on").await;
        window.arrives("/orders").await;
        window.sees_in("header", "Log out").await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_and_a_proof_are_run() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("records.csv");
    std::fs::write(&file, CSV).expect("written");
    journey("runs", &stage, async |window| {
        log_in(window, OWNER).await;
        window.goto("/admin/import").await;
        let field = window.find("main [name='file']").await;
        field.send_keys(file.to_str().expect("a path")).await.expect("a file is chosen");
        window.presses_in("//main", "Upload and look").await;
        window.arrives("/admin/import/").await;
        window.sees_in("main", "We are Reactive").await;
        let mut wrong = inspect(window, "import-seen").await;
        window.presses_in("//main", "Start the import").await;
        window.sees_in("h1", "done").await;
        window.sees_in("main", "Download the list of faults").await;
        wrong.extend(inspect(window, "import-done").await);
        window.goto("/admin/import").await;
        window.sees_in("table", "records.csv").await;
        wrong.extend(inspect(window, "imports").await);

        window.goto("/admin/verify").await;
        window.presses_in("//main", "Start the proof").await;
        window.arrives("/admin/verify/").await;
        window.sees_in("main", "Everything holds.").await;
        wrong.extend(inspect(window, "proof").await);
        window.goto("/admin/verify").await;
        wrong.extend(inspect(window, "proofs").await);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_the_shop_come_back_with_what_was_wrong() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    let things = furnish(&stage.as_owner(), &stage.customer(CUSTOMER).await, "").await;
    let event = format!("/events/{}/", things.event);
    let address = format!("/account/addresses/{}", things.address);
    let stranger: &[(&str, &[(&str, &str)])] = &[
        ("/accounts/login/", &[("username", "nobody"), ("password", "not the password")]),
        (
            "/accounts/sign_up/",
            &[
                ("username", CUSTOMER),
                ("email", "nonsense"),
                ("password", "short"),
                ("password_again", "other"),
            ],
        ),
        ("/checkout", &[("email", "nonsense"), ("name", "")]),
    ];
    let customer: &[(&str, &[(&str, &str)])] = &[
        ("/events/", &[("title", ""), ("time_zone", "Mars"), ("capacity", "0")]),
        (&event, &[("title", ""), ("time_zone", "Mars")]),
        ("/account", &[("phone", "call me")]),
        ("/account/email", &[("email", "nonsense"), ("current_password", "wrong")]),
        (
            "/account/password",
            &[("current_password", "wrong"), ("password", "short"), ("password_again", "other")],
        ),
        ("/account/addresses/new", &[("name", ""), ("country", "Mars")]),
        (&address, &[("name", ""), ("city", "")]),
        ("/account/second_factor", &[("current_password", "wrong")]),
        ("/account/data", &[("current_password", "wrong"), ("confirmation", "nobody")]),
    ];
    journey("forms-again", &stage, async |window| {
        let mut wrong = Vec::new();
        window.goto(&format!("/products/{}", things.product)).await;
        window.presses_in("//main", "Add to basket").await;
        window.arrives("/basket").await;
        for (path, fields) in stranger {
            wrong.extend(comes_back(window, path, fields).await);
        }
        log_in(window, CUSTOMER).await;
        for (path, fields) in customer {
            wrong.extend(comes_back(window, path, fields).await);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_the_back_office_come_back_with_what_was_wrong() {
    let shop = TestShop::new(Engine::Sqlite).await;
    let stage = Stage::set(&shop, &[]).await;
    let things = furnish(&stage.as_owner(), &stage.customer(CUSTOMER).await, "").await;
    let product = format!("/admin/products/{}/", things.product);
    let order = format!("/admin/desk/orders/{}", things.order);
    let door = format!("/admin/events/{}/door", things.gig);
    journey("office-again", &stage, async |window| {
        log_in(window, OWNER).await;
        let mut wrong = Vec::new();
        for table in tables().iter().filter(|table| table.writes.create.is_some()) {
            wrong.extend(comes_back(window, &format!("/admin/{}/new", table.slug), &[]).await);
        }
        wrong.extend(comes_back(window, &product, &[("title", ""), ("release_year", "x")]).await);
        wrong.extend(comes_back(window, &order, &[("amount", "much")]).await);
        wrong.extend(comes_back(window, "/admin/import", &[]).await);
        // The door answers in words, not with a form that is wrong.
        window.goto(&door).await;
        window.types("code", "nonsense").await;
        window.presses_in("//main", "Let in").await;
        window.sees_in("#verdict", "This is not one of our tickets").await;
        let mut at_door = window.inspect("again-door").await;
        at_door.retain(|line| !line.contains("status of 404"));
        wrong.extend(at_door);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}
