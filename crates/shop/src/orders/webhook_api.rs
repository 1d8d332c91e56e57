//! Where Stripe tells what has happened.
//!
//! A webhook is a hint, not a proof of money: its signature is checked, and then the provider is
//! asked how the payment stands. So late, repeated and reordered ones do no harm.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::payments::{webhook_payment, webhook_refund};
use crate::App;
use crate::payments::webhook::{SIGNATURE_HEADER, receive};
use crate::platform::problem::Problem;
use crate::platform::responses::{BadGateway, Write};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(stripe))
}

/// For Stripe: a signed event. Anything unsigned, or signed too long ago, is refused.
#[utoipa::path(
    post, path = "/api/v1/webhooks/stripe", tag = "orders", operation_id = "stripe_webhook",
    request_body(content = Object, content_type = "application/json"),
    params(("Stripe-Signature" = Option<String>, Header)),
    responses((status = 204, description = "It was heard."), Write, BadGateway), security(()),
)]
async fn stripe(
    State(app): State<App>,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<StatusCode, Problem> {
    let secret = app.payments.webhook_secret().ok_or_else(|| {
        Problem::conflict("gateway_unavailable", "This shop does not listen to Stripe.")
    })?;
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let event = receive(signature.unwrap_or_default(), &payload, secret, app.clock.now());
    let event =
        event.map_err(|error| Problem::bad_request("webhook_not_believed", error.to_string()))?;
    match event.object_kind.as_str() {
        "payment_intent" => webhook_payment(&app, &event.object_id).await?,
        "refund" => webhook_refund(&app, &event.object_id).await?,
        other => tracing::debug!(kind = event.kind, other, "a webhook that nobody waits for"),
    }
    Ok(StatusCode::NO_CONTENT)
}
