//! The frame that every page has: head, navigation, footer.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::{Nonce, Ready};
use crate::App;
use crate::accounts::{MaybeSession, Role, Session};
use crate::baskets;
use crate::platform::problem::Problem;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What the frame of a page shows; handlers take it and answer with [`Frame::page`].
#[derive(Debug, Clone)]
pub struct Frame {
    pub nonce: String,
    /// Who looks, if they are logged in.
    pub session: Option<Arc<Session>>,
    pub shop_name: String,
    /// Path and query of this page, to come back to.
    pub here: String,
    /// Units in the basket of whoever looks.
    pub basket_units: i64,
}

/// What search engines, messengers and the window's title say of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub title: String,
    /// A sentence; empty: none.
    pub description: String,
    /// The page's one address, a path; empty: none.
    pub canonical: String,
}

#[derive(Template)]
#[template(path = "pages/templates/frame.html")]
struct Page<'a> {
    frame: &'a Frame,
    about: &'a About,
    main: &'a str,
}

impl Page<'_> {
    fn is_staff(&self) -> bool {
        self.frame.session.as_ref().is_some_and(|session| session.identity.role >= Role::Staff)
    }

    /// False on the pages of the login itself.
    fn is_worth_coming_back(&self) -> bool {
        !self.frame.here.starts_with("/accounts/") && self.frame.here != "/"
    }

    fn is_admin(&self) -> bool {
        self.frame.here.starts_with("/admin/")
    }

    /// True if a way of the navigation leads to where one is: the page, or one below it.
    fn is_here(&self, path: &str) -> bool {
        let here = self.frame.here.split('?').next().unwrap_or_default();
        here.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Frame {
    /// A page. `main` is what stands between navigation and footer; it begins with its `h1`.
    pub fn page(&self, title: &str, main: &impl Template) -> Response {
        self.page_with(StatusCode::OK, title, main)
    }

    /// [`Frame::page`] with another status, such as 422 for a form that was not accepted.
    pub fn page_with(&self, status: StatusCode, title: &str, main: &impl Template) -> Response {
        match main.render() {
            Ok(main) => self.page_ready(status, title, &main),
            Err(error) => Problem::internal(error).into_response(),
        }
    }

    /// A page whose middle is rendered already: kept ready, for instance.
    pub fn page_ready(&self, status: StatusCode, title: &str, main: &str) -> Response {
        let about = About { title: title.to_owned(), ..About::default() };
        self.page_about(status, &about, main)
    }

    /// A page that was kept ready by [`Ready`].
    ///
    /// # Errors
    /// When it was not.
    pub(crate) fn page_of(&self, status: StatusCode, ready: &[u8]) -> Result<Response, Problem> {
        let (about, main) = Ready::read(ready)
            .ok_or_else(|| Problem::internal("a page that is not as it was kept"))?;
        Ok(self.page_about(status, &about, main))
    }

    /// [`Frame::page_ready`] with more to say about it.
    pub fn page_about(&self, status: StatusCode, about: &About, main: &str) -> Response {
        match (Page { frame: self, about, main }).render() {
            Ok(html) => (status, [(CONTENT_TYPE, HTML)], html).into_response(),
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

impl FromRequestParts<App> for Frame {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let MaybeSession(session) = MaybeSession::from_request_parts(parts, app).await?;
        let nonce = parts.extensions.get::<Nonce>();
        let nonce = nonce.ok_or_else(|| Problem::internal("a page outside of the guard"))?;
        let nonce = nonce.0.clone();
        let account = session.as_ref().map(|session| session.identity.account_id);
        let basket_units = baskets::units_of(app, account, &parts.headers).await?;
        Ok(Self {
            nonce,
            session,
            basket_units,
            shop_name: app.shop.name.clone(),
            here: here(&parts.uri),
        })
    }
}

/// The path and query of an address, to come back to.
pub fn here(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned())
}

/// An address that somebody gave, if it leads to a page of this shop; else `/`. Whatever a browser
/// might read as another host is not taken.
pub fn local_path(given: &str) -> &str {
    let rest = given.strip_prefix('/');
    let sane = rest.is_some_and(|rest| {
        !rest.starts_with(['/', '\\']) && given.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    });
    if sane { given } else { "/" }
}

/// 303: the browser goes on to a page of this shop.
///
/// # Panics
/// When the path has bytes that no header may have: paths are ours, or checked by [`local_path`].
pub fn see_other(path: &str) -> Response {
    let place = HeaderValue::try_from(path).expect("a path in visible ASCII");
    (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_shop_are_gone_back_to() {
        for (given, taken) in [
            ("/orders/7?x=1", "/orders/7?x=1"),
            ("/", "/"),
            ("", "/"),
            ("orders", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/x\\y", "/"),
            ("https://evil.example/", "/"),
            ("javascript:alert(1)", "/"),
            ("/x\r\nSet-Cookie: a=b", "/"),
            ("/\t/evil.example", "/"),
            ("/ä", "/"),
        ] {
            assert_eq!(local_path(given), taken, "{given:?}");
        }
    }
}
