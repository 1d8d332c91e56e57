//! What the service answers, read from its router: so that no page can be forgotten in a table.

use std::collections::BTreeSet;

use axum::Router;

use crate::openapi::{document, operations};

/// Routes that are no pages: descriptions, checks, figures for machines, files.
const NO_PAGES: [&str; 7] =
    ["/api/", "/assets/", "/docs", "/favicon.", "/health", "/metrics", "/robots.txt"];

/// Every method and path of the router, as it shows itself for debugging: axum has no better way to
/// ask. [`tests`] fail when that changes.
pub fn of(router: &Router) -> BTreeSet<(String, String)> {
    let shown = format!("{router:?}");
    let own = shown.split("fallback_router").next().expect("a first part");
    let (mut methods, mut paths) = (Vec::new(), Vec::new());
    for part in own.split("RouteId(").skip(1) {
        let (id, rest) = part.split_once("): ").expect("an id");
        if let Some(path) = rest.strip_prefix('"') {
            let path = path.split('"').next().expect("a path");
            paths.push((id, path));
        } else {
            let allowed = rest.split("allow_header: ").nth(1).expect("what is allowed");
            let allowed = allowed.split('"').nth(1).unwrap_or("GET,POST,PUT,PATCH,DELETE");
            methods.push((id, allowed));
        }
    }
    assert_eq!(methods.len(), paths.len(), "{shown}");
    let mut found = BTreeSet::new();
    for (id, path) in paths {
        let (_, allowed) = methods.iter().find(|(of, _)| *of == id).expect("its methods");
        let allowed = allowed.split(',').filter(|method| *method != "HEAD");
        found.extend(allowed.map(|method| (method.to_owned(), path.to_owned())));
    }
    found
}

/// Those of them that people look at: neither operations of the API nor for machines.
pub fn pages(router: &Router) -> BTreeSet<(String, String)> {
    let document = document();
    let api: BTreeSet<(String, String)> =
        operations(&document).map(|(method, path, _)| (method, bare(path).to_owned())).collect();
    let mut pages = of(router);
    pages.retain(|(method, path)| {
        // The predecessors' routes answer with a slash at the end as well.
        let described = api.contains(&(method.clone(), bare(path).to_owned()));
        !described && !NO_PAGES.iter().any(|prefix| path.starts_with(prefix))
    });
    pages
}

fn bare(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

mod tests {
    use axum::routing::{get, post};

    use super::*;

    #[test]
    fn a_router_tells_its_routes() {
        let router = Router::new()
            .route("/a/{id}", get(|| async {}).post(|| async {}))
            .route("/b/", post(|| async {}))
            .fallback(|| async {});
        let found: Vec<String> =
            of(&router).iter().map(|(method, path)| format!("{method} {path}")).collect();
        assert_eq!(found, ["GET /a/{id}", "POST /a/{id}", "POST /b/"]);
    }
}
