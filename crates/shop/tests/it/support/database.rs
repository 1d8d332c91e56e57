//! A database for one test, removed afterwards.

use std::sync::atomic::{AtomicU32, Ordering};

use runout_store::DatabaseUrl;
use tempfile::TempDir;

const POSTGRES_URL: &str = "RUNOUT_TEST_POSTGRES_URL";
const ONLY_SQLITE: &str = "RUNOUT_TEST_ONLY_SQLITE";

static NUMBER: AtomicU32 = AtomicU32::new(0);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// True if the person who runs the tests has asked for SQLite alone.
pub fn postgres_is_left_out(test: &str) -> bool {
    let left_out = std::env::var(ONLY_SQLITE).is_ok_and(|value| value == "1");
    if left_out {
        eprintln!("{test}: NOT RUN ON POSTGRESQL, because {ONLY_SQLITE}=1 is set");
    }
    left_out
}

pub enum TestDatabase {
    Sqlite(TempDir),
    Postgres { server: String, name: String },
}

impl TestDatabase {
    pub async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite(tempfile::tempdir().expect("a temporary folder")),
            Engine::Postgres => {
                let server = std::env::var(POSTGRES_URL).unwrap_or_else(|_| {
                    panic!("{POSTGRES_URL} is not set: run `make test`, or set {ONLY_SQLITE}=1")
                });
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("runout_test_{}_{number}", std::process::id());
                admin(&server, &format!("create database {name}")).await;
                Self::Postgres { server, name }
            }
        }
    }

    pub fn url(&self) -> DatabaseUrl {
        match self {
            // The machine will not lose power within a test: no fsync.
            Self::Sqlite(folder) => {
                DatabaseUrl::Sqlite { path: folder.path().join("shop.db"), durable: false }
            }
            Self::Postgres { server, name } => {
                let (base, _) = server.rsplit_once('/').expect("the URL names a database");
                DatabaseUrl::Postgres(format!("{base}/{name}"))
            }
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Self::Postgres { server, name } = self else { return };
        let (server, sql) = (server.clone(), format!("drop database {name} with (force)"));
        // Dropped inside a runtime, which must not block on itself: a thread has its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(admin(&server, &sql));
        });
        dropped.join().expect("the test database can be dropped");
    }
}

async fn admin(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls)
        .await
        .unwrap_or_else(|error| panic!("cannot reach {server}: {error}"));
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    drop(client);
    connection.await.expect("the connection's task").expect("a clean end");
}
