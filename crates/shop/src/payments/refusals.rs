//! What a client is told when a payment method is refused or a provider fails.

use std::time::Duration;

use axum::http::StatusCode;

use super::gateway::{CODE_KEY, GatewayError, GatewayKind};
use super::methods::{METHODS_MAX, MethodRefused};
use crate::platform::problem::Problem;

/// Providers that fail are mostly back soon.
const RETRY_PROVIDER: Duration = Duration::from_secs(5);

/// Code of a refusal by the provider.
const REFUSED: &str = "refused_by_gateway";

/// 409: the shop does not work with this provider.
pub fn gateway_unavailable(gateway: GatewayKind) -> Problem {
    let detail = format!("This shop takes no payments through {}.", gateway.name());
    Problem::conflict("gateway_unavailable", detail)
}

impl From<MethodRefused> for Problem {
    fn from(refused: MethodRefused) -> Self {
        match refused {
            MethodRefused::NoGateway => gateway_unavailable(GatewayKind::Stripe),
            MethodRefused::NotFound => Problem::not_found("payment method"),
            MethodRefused::TooMany => Problem::conflict(
                "too_many_payment_methods",
                format!("An account stores at most {METHODS_MAX} payment methods; remove one."),
            ),
            MethodRefused::NotACard => {
                Problem::unprocessable("payment_method_unsupported", "Only cards can be stored.")
            }
            MethodRefused::Gateway(error) => match Problem::from(error) {
                refused if refused.stable_code() == REFUSED => refused
                    .code("payment_method_refused")
                    .detail("The payment provider does not accept this payment method."),
                other => other,
            },
            MethodRefused::Store(error) => error.into(),
        }
    }
}

/// A provider's failure while the client waits. Everything that goes this way may be asked for
/// again without harm.
impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        let context = error.to_string();
        let problem = match error {
            GatewayError::Unknown(_) => Problem::unavailable(RETRY_PROVIDER)
                .code("gateway_outcome_unknown")
                .detail("The payment provider's answer was lost: it may have happened. Ask again."),
            GatewayError::Unreachable(_) => Problem::unavailable(RETRY_PROVIDER)
                .code("gateway_unreachable")
                .detail("The payment provider cannot be reached; nothing was changed. Try again."),
            GatewayError::Refused { code, .. } if code != CODE_KEY => {
                Problem::unprocessable(REFUSED, "The payment provider refused this.")
            }
            GatewayError::Refused { .. } | GatewayError::Malformed(_) => {
                Problem::new(StatusCode::BAD_GATEWAY, "gateway_failed", "Bad gateway").detail(
                    "The payment provider does not work with this shop. It has been logged.",
                )
            }
        };
        problem.context(context)
    }
}
