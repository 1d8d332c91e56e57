//! The requests of two older shops, MattShop and the Lea Record Shop, answered by this one.
//!
//! Owns nothing. Each route reads a request in the predecessor's words, calls what the same request
//! under `/api/v1` calls, and answers in the predecessor's shape. No statement and no rule of the
//! shop stands here, and no GET changes anything. What differs from the predecessors is told in
//! `docs/PREDECESSORS.md`.

mod envelope;
mod fields;
mod lea;
mod lea_clients;
mod lea_discs;
mod lea_requests;
mod mattshop;

use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// The routes of both predecessors.
pub fn router() -> OpenApiRouter<App> {
    mattshop::router().merge(lea::router())
}
