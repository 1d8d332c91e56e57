//! The requests of four older systems, MattShop, the Lea Record Shop, the Rindus demo API and
//! Simba, answered by this one.
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
mod rindus;
mod rindus_comments;
mod rindus_posts;
mod sent;
mod simba;
mod simba_shipments;
mod simba_shop;

use utoipa_axum::router::OpenApiRouter;

use crate::App;

/// The routes of the predecessors.
pub fn router() -> OpenApiRouter<App> {
    mattshop::router().merge(lea::router()).merge(rindus::router()).merge(simba::router())
}
