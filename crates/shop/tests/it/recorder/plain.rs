//! The control: what many would write. A list is kept in Redis under its query; whoever writes
//! deletes it after the commit; whoever does not find it reads the database and stores it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::QUERIES;
use crate::support::Client;

/// As a shop would choose it, on a busy machine.
const BUDGET: Duration = Duration::from_millis(50);
const EXPIRY_S: u64 = 600;

/// One node's cache.
pub struct Plain {
    client: redis::Client,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Always answers as the database stands.
    database: Client,
}

impl Plain {
    pub fn new(url: &str, database: Client) -> Self {
        let client = redis::Client::open(url).expect("a well-formed address");
        Self { client, connection: Mutex::new(None), database }
    }

    pub async fn list(&self, path: &str) -> Value {
        let kept: Option<Option<Vec<u8>>> = self.ask(redis::cmd("GET").arg(path)).await;
        if let Some(list) = kept.flatten().and_then(|list| serde_json::from_slice(&list).ok()) {
            return list;
        }
        let list = self.database.get(path).await.expect(200);
        let _unless_redis_fails: Option<()> = self
            .ask(redis::cmd("SET").arg(path).arg(list.to_string()).arg("EX").arg(EXPIRY_S))
            .await;
        list
    }

    /// To be called after every commit.
    pub async fn forget(&self) {
        let paths: Vec<String> = QUERIES.map(super::path).to_vec();
        let _unless_redis_fails: Option<()> = self.ask(redis::cmd("DEL").arg(paths)).await;
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &mut redis::Cmd) -> Option<T> {
        let mut made = {
            let mut kept = self.connection.lock().await;
            match &*kept {
                Some(connection) => connection.clone(),
                None => {
                    let connection = self.client.get_multiplexed_async_connection();
                    let made = timeout(BUDGET, connection).await.ok()?.ok()?;
                    kept.insert(made).clone()
                }
            }
        };
        match timeout(BUDGET, command.query_async(&mut made)).await {
            Ok(Ok(value)) => Some(value),
            _ => {
                *self.connection.lock().await = None;
                None
            }
        }
    }
}
