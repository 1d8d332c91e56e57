//! A person with a browser, in-process: keeps cookies, follows redirects, posts forms.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, header};
use axum::response::Response;
use runout_shop::accounts::Role;
use tower::ServiceExt;

use super::actors::PASSWORD;
use super::{Answer, TestShop};

/// The name that the shop is visited under; not a local one, as in the wild.
pub const HOST: &str = "shop.example";
/// Longest page that a test reads.
const BODY_MAX: usize = 32 << 20;
/// Longer chains of redirects are circles.
const REDIRECTS_MAX: usize = 8;

/// A browser. Every request is one of the shop's own pages', as `Sec-Fetch-Site` tells.
#[derive(Clone)]
pub struct Visitor {
    router: axum::Router,
    /// Names and values of the cookies that the shop has given.
    pub cookies: BTreeMap<String, String>,
}

/// Where redirects led to, and what was shown there.
#[derive(Debug)]
pub struct Shown {
    /// Path and query.
    pub path: String,
    pub answer: Answer,
}

impl Shown {
    /// Checks the status and gives the page.
    #[track_caller]
    pub fn expect(self, status: u16) -> String {
        let html = self.html();
        assert_eq!(self.answer.status.as_u16(), status, "{}: {html}", self.path);
        html
    }

    pub fn html(&self) -> String {
        self.answer.html()
    }
}

impl Answer {
    /// The body as text.
    pub fn html(&self) -> String {
        String::from_utf8(self.body.clone()).expect("pages are UTF-8")
    }

    /// Where a redirect leads to.
    #[track_caller]
    pub fn location(&self) -> &str {
        let html = String::from_utf8_lossy(&self.body);
        let place = self.headers.get(header::LOCATION);
        let place = place.unwrap_or_else(|| panic!("{} is no redirect: {html}", self.status));
        place.to_str().expect("text")
    }
}

impl TestShop {
    /// Somebody who is not logged in.
    pub fn visitor(&self) -> Visitor {
        Visitor { router: self.router(), cookies: BTreeMap::new() }
    }

    /// An account of this role, made at the first call, that has logged in through the page.
    pub async fn visitor_as(&self, username: &str, role: Role) -> Visitor {
        self.account(username, role).await;
        let mut visitor = self.visitor();
        visitor.log_in(username, PASSWORD).await;
        visitor
    }
}

impl Visitor {
    /// The same person at another node.
    pub fn at(&self, router: axum::Router) -> Self {
        Self { router, cookies: self.cookies.clone() }
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Logs in by the form, which must work.
    pub async fn log_in(&mut self, username: &str, password: &str) {
        let fields = [("username", username), ("password", password)];
        let answer = self.post("/accounts/login/", &fields).await;
        assert_eq!(answer.status, 303, "{}", answer.html());
    }

    /// One request; redirects are not followed.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Posts a form; redirects are not followed.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, Some(fields), &[("sec-fetch-site", "same-origin")]).await
    }

    /// Opens a page and goes wherever it leads.
    pub async fn open(&mut self, path: &str) -> Shown {
        let answer = self.get(path).await;
        self.follow(path, answer).await
    }

    /// Posts a form and goes wherever that leads.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let answer = self.post(path, fields).await;
        self.follow(path, answer).await
    }

    async fn follow(&mut self, path: &str, mut answer: Answer) -> Shown {
        let mut path = path.to_owned();
        for _ in 0..REDIRECTS_MAX {
            if !answer.status.is_redirection() {
                return Shown { path, answer };
            }
            path = answer.location().to_owned();
            assert!(path.starts_with('/') && !path.starts_with("//"), "leads away: {path}");
            answer = self.get(&path).await;
        }
        panic!("redirects without end at {path}");
    }

    /// Any request, with the cookies and these header fields, and a form if there is one.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (parts, body) = self.respond(method, path, form, headers).await.into_parts();
        let body = to_bytes(body, BODY_MAX).await.expect("a body that ends");
        Answer { status: parts.status, headers: parts.headers, body: body.to_vec() }
    }

    /// [`Visitor::send`] without reading the body, which may be one without end.
    pub async fn respond(
        &mut self,
        method: Method,
        path: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match form {
            None => Body::empty(),
            Some(fields) => {
                let kind = "application/x-www-form-urlencoded";
                request = request.header(header::CONTENT_TYPE, kind);
                Body::from(serde_urlencoded::to_string(fields).expect("text can be encoded"))
            }
        };
        let request = request.body(body).expect("a well-formed request");
        let response = self.router.clone().oneshot(request).await.expect("the router never fails");
        self.take_cookies(response.headers());
        response
    }

    fn take_cookies(&mut self, headers: &HeaderMap) {
        for field in headers.get_all(header::SET_COOKIE) {
            let field = field.to_str().expect("text");
            let (pair, attributes) = field.split_once(';').expect("a cookie with attributes");
            let (name, value) = pair.split_once('=').expect("a name and a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
