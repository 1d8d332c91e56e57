//! Somebody who is told of changes: answers as the test says, and remembers what came.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Came {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
}

impl Came {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The data of an event.
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub after: Duration,
    /// It waits for a permit.
    pub gate: Option<Arc<Semaphore>>,
}

pub fn reply(status: u16) -> Reply {
    Reply { status, ..Reply::default() }
}

type Answering = dyn Fn(&Came, usize) -> Reply + Send + Sync;

/// Listens on a free port of this machine until it is dropped.
pub struct Receiver {
    pub url: String,
    came: Arc<Mutex<Vec<Came>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Answers 204 to everything.
    pub async fn kind() -> Self {
        Self::start(|_, _| reply(204)).await
    }

    /// `answer` is given each request and how many came before it.
    pub async fn start(answer: impl Fn(&Came, usize) -> Reply + Send + Sync + 'static) -> Self {
        let came: Arc<Mutex<Vec<Came>>> = Arc::default();
        let answer: Arc<Answering> = Arc::new(answer);
        let all = Arc::clone(&came);
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let request = Came { method, path, headers, body, at: Instant::now() };
            let before = {
                let mut all = all.lock().expect("no holder panics");
                all.push(request.clone());
                all.len() - 1
            };
            let answer = Arc::clone(&answer);
            async move {
                let reply = answer(&request, before);
                tokio::time::sleep(reply.after).await;
                if let Some(gate) = &reply.gate {
                    gate.acquire().await.expect("it is never closed").forget();
                }
                respond(reply)
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(handler);
        let serving = async move { axum::serve(listener, router).await.expect("serves") };
        Self { url, came, task: tokio::spawn(serving) }
    }

    pub fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no holder panics").clone()
    }

    /// Waits until so many requests have come.
    pub async fn has_come(&self, count: usize) -> Vec<Came> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let came = self.came();
            if came.len() >= count {
                return came;
            }
            assert!(Instant::now() < deadline, "{} of {count} came: {came:#?}", came.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn respond(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).expect("a status");
    let mut response = (status, reply.body).into_response();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}
