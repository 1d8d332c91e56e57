//! The guard around every page: forged requests, the response's security fields, refusals as pages.

use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, REFERER, STRICT_TRANSPORT_SECURITY, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::error;
use super::forgery::is_forged;
use super::frame::{here, see_other};
use crate::App;
use crate::accounts::SECOND_FACTOR_MISSING;
use crate::platform::problem::{Problem, Rendered};

/// Random bytes of a nonce.
const NONCE_BYTES: usize = 16;
/// How long browsers remember that the shop speaks TLS only: a year, in seconds.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// Pages need neither eyes nor ears; the one at an event's door says otherwise for itself.
const NO_DEVICES: HeaderValue =
    HeaderValue::from_static("camera=(), microphone=(), geolocation=()");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a page's own scripts carry; another one for every response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nonce(pub String);

impl Nonce {
    fn new() -> Result<Self, Problem> {
        let mut random = [0; NONCE_BYTES];
        getrandom::fill(&mut random).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(Self(BASE64_STANDARD_NO_PAD.encode(random)))
    }

    /// Scripts with the nonce; styles, pictures and connections of this shop; nothing else.
    fn policy(&self) -> HeaderValue {
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{}'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
            self.0
        );
        HeaderValue::try_from(policy).expect("base64 is visible ASCII")
    }
}

/// Runs a page's handler behind the guard.
pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match Nonce::new() {
        Ok(nonce) => {
            request.extensions_mut().insert(nonce.clone());
            let asked = Asked::of(&request);
            let response = if is_forged(request.method(), request.uri(), request.headers()) {
                axum::response::IntoResponse::into_response(forged())
            } else {
                next.run(request).await
            };
            asked.finish(&app, &nonce, response).await
        }
        Err(problem) => axum::response::IntoResponse::into_response(problem),
    }
}

fn forged() -> Problem {
    Problem::forbidden()
        .code("cross_site_request")
        .detail("This request came from another site's page, so it was not carried out.")
}

/// What of a request its response depends on.
struct Asked {
    safe: bool,
    here: String,
    referer: Option<String>,
    local: bool,
    parts: axum::http::request::Parts,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        let mut parts = axum::http::Request::new(()).into_parts().0;
        parts.uri.clone_from(request.uri());
        parts.headers.clone_from(headers);
        parts.extensions.clone_from(request.extensions());
        Self {
            safe: request.method().is_safe(),
            here: here(request.uri()),
            referer: headers.get(REFERER).and_then(|value| value.to_str().ok()).and_then(path_of),
            local: is_local(headers),
            parts,
        }
    }

    async fn finish(mut self, app: &App, nonce: &Nonce, mut response: Response) -> Response {
        if let Some(rendered) = response.extensions_mut().remove::<Rendered>() {
            response = if response.status() == StatusCode::UNAUTHORIZED {
                self.to_login()
            } else if rendered.code == SECOND_FACTOR_MISSING {
                see_other("/account/second_factor?why=staff")
            } else {
                error::page(app, &mut self.parts, response, rendered).await
            };
        }
        let headers = response.headers_mut();
        headers.entry(CONTENT_SECURITY_POLICY).or_insert_with(|| nonce.policy());
        headers.insert(X_FRAME_OPTIONS, DENY);
        headers.insert(OPENER_POLICY, SAME_ORIGIN);
        headers.insert(RESOURCE_POLICY, SAME_ORIGIN);
        headers.entry(PERMISSIONS_POLICY).or_insert(NO_DEVICES);
        if !self.local {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
        response
    }

    /// To the login, and then back to where one was.
    fn to_login(&self) -> Response {
        let back = if self.safe { Some(&self.here) } else { self.referer.as_ref() };
        let next = back.map_or("/", String::as_str);
        let query = serde_urlencoded::to_string([("next", next)]).expect("text can be encoded");
        see_other(&format!("/accounts/login/?{query}"))
    }
}

/// The path and query of an address.
fn path_of(address: &str) -> Option<String> {
    let uri: axum::http::Uri = address.parse().ok()?;
    Some(here(&uri))
}

/// True if the shop is looked at on the machine that it runs on: there is no TLS then.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let address = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    address || name == "localhost" || name.ends_with(".localhost") || name.is_empty()
}
