//! Styles and scripts, out of the binary. Their addresses name their content, so that browsers keep
//! them for good and a new version is fetched at once.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::App;

const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

struct Asset {
    name: &'static str,
    address: String,
    content_type: &'static str,
    content: &'static [u8],
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("style.css", CSS, include_bytes!("assets/style.css").as_slice()),
        ("admin.css", CSS, include_bytes!("assets/admin.css").as_slice()),
        ("app.js", SCRIPT, include_bytes!("assets/app.js").as_slice()),
        ("admin.js", SCRIPT, include_bytes!("assets/admin.js").as_slice()),
        ("desk.css", CSS, include_bytes!("assets/desk.css").as_slice()),
        ("dashboard.js", SCRIPT, include_bytes!("assets/dashboard.js").as_slice()),
        ("refresh.js", SCRIPT, include_bytes!("assets/refresh.js").as_slice()),
        ("tickets.css", CSS, include_bytes!("assets/tickets.css").as_slice()),
        ("door.js", SCRIPT, include_bytes!("assets/door.js").as_slice()),
    ]
    .into_iter()
    .map(|(name, content_type, content)| {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..9]);
        Asset { name, address: format!("/assets/{digest}/{name}"), content_type, content }
    })
    .collect()
});

/// The address of an asset.
///
/// # Panics
/// When there is none of this name: names stand in templates, and any test of the page shows it.
pub fn asset(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    &found.expect("templates name assets that exist").address
}

/// What browsers ask for by name.
const FAVICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">\
    <circle cx=\"16\" cy=\"16\" r=\"15\" fill=\"#1b1a17\"/>\
    <circle cx=\"16\" cy=\"16\" r=\"10.5\" fill=\"none\" stroke=\"#8b8577\"/>\
    <circle cx=\"16\" cy=\"16\" r=\"6\" fill=\"#d9553a\"/>\
    <circle cx=\"16\" cy=\"16\" r=\"1.6\" fill=\"#1b1a17\"/></svg>";
/// What is somebody's own, or nobody's to index.
const ROBOTS: &str = "User-agent: *\nDisallow: /admin/\nDisallow: /account\n\
    Disallow: /accounts/\nDisallow: /basket\nDisallow: /checkout\nDisallow: /orders\n\
    Disallow: /api/\n";
const KEPT_A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");

fn by_name(content_type: &'static str, content: &'static str) -> Response {
    let kind = HeaderValue::from_static(content_type);
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, KEPT_A_DAY)], content).into_response()
}

pub(super) fn router() -> Router<App> {
    let named = Router::new()
        .route("/favicon.svg", get(|| async { by_name("image/svg+xml", FAVICON) }))
        .route("/favicon.ico", get(|| async { by_name("image/svg+xml", FAVICON) }))
        .route("/robots.txt", get(|| async { by_name("text/plain; charset=utf-8", ROBOTS) }));
    ASSETS.iter().fold(named, |router, asset| {
        let answer = || async {
            let fields = [
                (CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
                (CACHE_CONTROL, KEPT),
            ];
            (StatusCode::OK, fields, asset.content).into_response()
        };
        router.route(&asset.address, get(answer))
    })
}
