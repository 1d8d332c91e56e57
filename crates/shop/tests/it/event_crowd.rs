//! A crowd at an event: 3,000 people sign up and withdraw at once, on two nodes where a
//! shop may have two, by the writer and
//! over HTTP, and there are 500 places.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::Method;
use futures::future::join_all;
use runout_core::event::{Command, Outcome, Wish};
use runout_core::ids::{AccountId, EventId};
use runout_shop::accounts;
use runout_shop::events::edit;
use runout_shop::events::input::NewEvent;
use runout_shop::platform::batches::Undecided;
use runout_shop::platform::command::{self, Caller};
use runout_shop::{App, events::queries};
use runout_store::{Composer, Engine};

use crate::on_both_engines;
use crate::support::Client;
use crate::support::stage::stage;

const CAPACITY: i64 = 500;
const CROWD: i64 = 3_000;
/// Each of so many comes over HTTP.
const OVER_HTTP: i64 = 10;

/// What a look at the event shows, in one statement.
#[derive(Debug)]
struct Look {
    attending: i64,
    waiting: i64,
    come: i64,
    last_who_comes: Option<i64>,
    first_who_waits: Option<i64>,
}

impl Look {
    async fn at(app: &App, event: i64) -> Self {
        let mut sql = Composer::new(
            "select e.attending, e.waiting, \
             (select count(*) from attendance a where a.event_id = e.id and a.state = 'attending'), \
             (select max(a.place) from attendance a where a.event_id = e.id \
             and a.state = 'attending'), \
             (select min(a.place) from attendance a where a.event_id = e.id \
             and a.state = 'waiting') from event e where e.id = ",
        );
        sql.bind(event);
        let read = app.db.read_one(sql.finish(), |row| {
            Ok(Self {
                attending: row.get(0)?,
                waiting: row.get(1)?,
                come: row.get(2)?,
                last_who_comes: row.get(3)?,
                first_who_waits: row.get(4)?,
            })
        });
        read.await.expect("reads").expect("an event")
    }

    /// What holds at every moment.
    fn check(&self) {
        assert!(self.come <= CAPACITY, "too many come: {self:?}");
        assert_eq!(self.come, self.attending, "{self:?}");
        assert!(self.waiting == 0 || self.come == CAPACITY, "some wait for nothing: {self:?}");
        if let Some((comes, waits)) = self.last_who_comes.zip(self.first_who_waits) {
            assert!(comes < waits, "somebody jumped the queue: {self:?}");
        }
    }
}

/// Has a wish decided, however often two nodes meet.
async fn decided(app: &App, event: i64, account: i64, wish: Wish) -> Outcome {
    loop {
        let command = Command { event: EventId(event), account: AccountId(account), wish };
        match app.attendance.ask(command).await {
            Ok(outcome) => return outcome,
            Err(Undecided::Store(error)) if error.is_retryable() => {}
            // The queue was longer than a busy machine can decide in time.
            Err(Undecided::DeadlinePassed) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The wishes of one of the crowd: everybody signs up, each third withdraws, each sixth comes back.
fn wishes(account: i64) -> Vec<Wish> {
    let mut wishes = vec![Wish::SignUp];
    if account % 3 == 0 {
        wishes.push(Wish::Withdraw);
    }
    if account % 6 == 0 {
        wishes.push(Wish::SignUp);
    }
    wishes
}

async fn over_http(client: &Client, event: i64, wish: Wish) {
    let path = format!("/api/v1/events/{event}/attendance");
    let (method, done) = match wish {
        Wish::SignUp => (Method::POST, 200),
        Wish::Withdraw => (Method::DELETE, 204),
    };
    loop {
        let answer = client.send(method.clone(), &path, None, &[]).await;
        if answer.status.as_u16() != 503 {
            answer.expect(done);
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn one_of_the_crowd(app: &App, client: Option<Client>, event: i64, account: i64) {
    for wish in wishes(account) {
        if let Some(client) = &client {
            over_http(client, event, wish).await;
            continue;
        }
        match (wish, decided(app, event, account, wish).await) {
            (Wish::SignUp, Outcome::SignedUp { already: false, .. })
            | (Wish::Withdraw, Outcome::Withdrawn) => {}
            (wish, outcome) => panic!("account {account}: {wish:?} ended in {outcome:?}"),
        }
    }
}

/// An event with [`CAPACITY`] places, made by account 1.
async fn event(app: &App) -> i64 {
    let new = NewEvent {
        title: "Hohpe live".to_owned(),
        description: String::new(),
        venue: String::new(),
        starts_at: "2026-11-22T20:00:00Z".parse().expect("a moment"),
        ends_at: None,
        time_zone: None,
        capacity: Some(CAPACITY),
    };
    let made =
        edit::create(app, Caller::default(), 1, new.details()).await.expect("the database works");
    let command::Outcome::Accepted(event) = made else { panic!("the event cannot be made") };
    event.summary.id
}

on_both_engines! {
    async fn five_hundred_places_for_three_thousand_people(shop: TestShop) {
        stage(&shop.app.db, CROWD, 1).await;
        let sequence = "update id_sequence set next = 10000 where name = 'account'";
        shop.app.db.script(sequence).await.expect("a sequence");
        let event = event(&shop.app).await;
        // Of SQLite a shop has one node.
        let nodes = match shop.app.db.engine() {
            Engine::Sqlite => vec![shop.app.clone()],
            Engine::Postgres => vec![shop.app.clone(), shop.second_node().await],
        };
        let mut clients = Vec::new();
        for account in (OVER_HTTP..=CROWD).step_by(OVER_HTTP as usize) {
            let login = accounts::issue_token(&shop.app, account, "test").await;
            let token = login.expect("a token").token;
            clients.push(shop.anonymous().logged_in(account, &token));
        }

        let began = Instant::now();
        let (done, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let watch = {
            let (app, done, looks) = (shop.app.clone(), Arc::clone(&done), Arc::clone(&looks));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    Look::at(&app, event).await.check();
                    looks.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        };
        let crowd = (1..=CROWD).map(|account| {
            let app = nodes[account as usize % nodes.len()].clone();
            let client = (account % OVER_HTTP == 0)
                .then(|| clients[(account / OVER_HTTP - 1) as usize].clone());
            tokio::spawn(async move { one_of_the_crowd(&app, client, event, account).await })
        });
        for one in join_all(crowd).await {
            one.expect("nobody was treated wrongly");
        }
        done.store(true, Ordering::SeqCst);
        watch.await.expect("nothing wrong was ever seen");
        let looks = looks.load(Ordering::SeqCst);
        println!("{CROWD} people, {looks} looks at them: {:?}", began.elapsed());
        assert!(looks > 5, "the crowd was watched");

        let look = Look::at(&shop.app, event).await;
        look.check();
        let stay = CROWD - CROWD / 3 + CROWD / 6;
        assert_eq!((look.attending, look.waiting), (CAPACITY, stay - CAPACITY));
        shop.verify().await;
        the_list_is_served_in_order(&shop.app, event).await;
        shop.verify().await;
        if let Some(other) = nodes.get(1) {
            other.stop().await;
        }
    }
}

/// Whoever comes leaves, one after the other: the waiting list follows in its order, to the last.
async fn the_list_is_served_in_order(app: &App, event: i64) {
    let accounts = |state: &'static str| {
        let mut sql = Composer::new("select account_id from attendance where event_id = ");
        sql.bind(event).push(" and state = ").bind(state).push(" order by place");
        sql.finish()
    };
    let read = async |state| -> Vec<i64> {
        app.db.read(accounts(state), |row| row.get(0)).await.expect("reads")
    };
    let (come, wait) = (read("attending").await, read("waiting").await);
    for position in [1, wait.len()] {
        let own = queries::attendance(app, event, wait[position - 1]).await.expect("reads");
        assert_eq!(own.and_then(|own| own.position), Some(position as i64));
    }
    join_all(come.iter().map(|account| decided(app, event, *account, Wish::Withdraw))).await;
    assert_eq!(read("attending").await, wait[..CAPACITY as usize]);
    assert_eq!(read("waiting").await, wait[CAPACITY as usize..]);
}
