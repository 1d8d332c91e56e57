//! The ninth shape in which other shops break: two server processes, as they come out of the box.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::on_both_engines;
use crate::support::address;
use crate::support::server::{Connection, Server, give_tokens, token, verify_command};
use crate::support::stage::{ask, receive, stage};

const UNITS: usize = 20;
const GUESTS: usize = 60;
/// Until forgotten baskets are on sale again; longer than all guests need to fill theirs.
const HOLD_SECONDS: u64 = 8;

/// A guest at one of the servers.
struct Guest {
    connection: Connection,
    token: String,
    basket: i64,
}

impl Guest {
    async fn arrive(server: &Server) -> Self {
        let mut connection = server.connect().await;
        let body = json!({"currency": "EUR"});
        let made = connection.send("POST", "/api/v1/baskets", "", "", &body).await.expect("made");
        assert_eq!(made.status, 201, "{}", made.body);
        let token = made.body["token"].as_str().expect("a token").to_owned();
        Self { connection, token, basket: made.body["id"].as_i64().expect("an id") }
    }

    async fn send(&mut self, method: &str, what: &str, key: &str, body: &Value) -> (u16, Value) {
        let path = format!("/api/v1/baskets/{}/{what}", self.basket);
        let reply = self.connection.send(method, &path, &self.token, key, body).await;
        let reply = reply.expect("answered");
        (reply.status, reply.body)
    }

    async fn takes_one(&mut self) -> bool {
        let body = json!({"variant_id": 1, "quantity": 1});
        let (status, body) = self.send("PUT", "lines", "", &body).await;
        assert!(status == 200 || (status == 409 && body["code"] == "out_of_stock"), "{body}");
        status == 200
    }

    async fn buys(&mut self) -> i64 {
        let body = json!({"email": "g@example.org", "address": address()});
        let (status, placed) = self.send("POST", "checkout", "k", &body).await;
        assert_eq!(status, 201, "{placed}");
        placed["id"].as_i64().expect("an id")
    }
}

on_both_engines! {
    async fn shape_9_two_processes_sell_one_stock(shop: TestShop) {
        stage(&shop.app.db, 2, 1).await;
        give_tokens(&shop, 2).await;
        ask(&shop.app, receive(1, 1, UNITS as i64)).await;
        let hold = HOLD_SECONDS.to_string();
        let (url, args) = (shop.database_url(), ["--hold-seconds", hold.as_str()]);
        let servers = [Server::start(&url, &args).await, Server::start(&url, &args).await];
        let mut guests = Vec::new();
        for n in 0..GUESTS {
            guests.push(Guest::arrive(&servers[n % 2]).await);
        }
        let took = join_all(guests.iter_mut().map(Guest::takes_one)).await;
        assert_eq!(took.iter().filter(|took| **took).count(), UNITS);
        let (mut holders, mut others): (Vec<_>, Vec<_>) =
            guests.into_iter().zip(took).partition(|(_, took)| *took);

        // Half of them buy, the others forget their basket.
        let buyers = holders.iter_mut().take(UNITS / 2).map(|(guest, _)| guest.buys());
        let orders = join_all(buyers).await;
        tokio::time::sleep(Duration::from_secs(HOLD_SECONDS)).await;
        let took = join_all(others.iter_mut().map(|(guest, _)| guest.takes_one())).await;
        assert_eq!(took.iter().filter(|took| **took).count(), UNITS - UNITS / 2);
        // The forgotten holds do not come back, at whichever server they are asked for.
        for (guest, _) in &mut holders[UNITS / 2..] {
            let (status, basket) = guest.send("POST", "extend", "", &Value::Null).await;
            assert_eq!((status, &basket["lines"][0]["held"]), (200, &json!(0)), "{basket}");
        }
        // What was sold at one server is seen, paid and cancelled at the other.
        let mut staff = [servers[0].connect().await, servers[1].connect().await];
        for (n, order) in orders.iter().enumerate() {
            let (server, path) = (&mut staff[n % 2], format!("/api/v1/orders/{order}/payments"));
            let body = json!({"gateway": "manual"});
            let paid = server.send("POST", &path, &token(1), "", &body).await.expect("answered");
            assert_eq!(paid.status, 201, "{}", paid.body);
        }
        for server in servers {
            server.stop().await;
        }
        verify_command(&url);
        assert_eq!(shop.number("select count(*) from orders where status = 'paid'").await, 10);
        shop.verify().await;
    }
}
