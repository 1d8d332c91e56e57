//! A client that calls the router in-process.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

/// Longest answer that a test reads.
const BODY_MAX: usize = 32 << 20;

/// An actor: anonymous, or with a token.
#[derive(Clone)]
pub struct Client {
    router: axum::Router,
    pub token: Option<String>,
    /// The account's id; 0 for nobody.
    pub account_id: i64,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when empty.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Checks the status and gives the JSON.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self.json()
    }

    /// Checks status and problem code, and gives the problem.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        let kind = self.headers.get(header::CONTENT_TYPE).cloned();
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(kind.expect("a content type"), "application/problem+json");
        problem
    }
}

impl Client {
    pub fn new(router: axum::Router, token: Option<String>) -> Self {
        Self { router, token, account_id: 0 }
    }

    /// The same shop, with this token.
    pub fn with_token(&self, token: &str) -> Self {
        self.logged_in(0, token)
    }

    /// The same shop, as this account.
    pub fn logged_in(&self, account_id: i64, token: &str) -> Self {
        Self { router: self.router.clone(), token: Some(token.to_owned()), account_id }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    /// A request with extra headers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self
            .router
            .clone()
            .oneshot(request.body(body).expect("a well-formed request"))
            .await
            .expect("the router never fails");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, BODY_MAX).await.expect("a body that ends");
        Answer { status: parts.status, headers: parts.headers, body: body.to_vec() }
    }
}
