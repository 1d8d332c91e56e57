//! Which refusal becomes which problem.

use super::DESTINATIONS_MAX;
use super::commands::DestinationRefused;
use super::secrets::SECRETS_MAX;
use crate::platform::problem::{FieldError, Problem};

impl From<DestinationRefused> for Problem {
    fn from(refused: DestinationRefused) -> Self {
        match refused {
            DestinationRefused::NotFound => Problem::not_found("destination"),
            DestinationRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            DestinationRefused::NameTaken => {
                let detail = "Another destination has this name.";
                let errors = vec![FieldError::new("/name", "taken", detail)];
                Problem::conflict("name_taken", detail).errors(errors)
            }
            DestinationRefused::TooMany => {
                let detail = format!("A shop has at most {DESTINATIONS_MAX} destinations.");
                Problem::conflict("too_many_destinations", detail)
            }
            DestinationRefused::Invalid(wrong) => Problem::validation(
                wrong
                    .into_iter()
                    .map(|wrong| FieldError::new(wrong.pointer(), "invalid", wrong.reason))
                    .collect(),
            ),
            DestinationRefused::NotAWebhook => {
                Problem::conflict("not_a_webhook", "Only webhooks sign, and have secrets.")
            }
            DestinationRefused::TooManySecrets => {
                let detail =
                    format!("It has {SECRETS_MAX} secrets already: delete those no longer used.");
                Problem::conflict("too_many_secrets", detail)
            }
            DestinationRefused::NoSecret => Problem::not_found("secret"),
            DestinationRefused::LastSecret => Problem::conflict(
                "last_secret",
                "No other secret signs for good: make a new one first.",
            ),
            DestinationRefused::IsAMirror => Problem::conflict(
                "is_a_mirror",
                "A rest destination mirrors things, and a test is none: change something instead.",
            ),
            DestinationRefused::NotActive => {
                Problem::conflict("not_active", "Nothing is delivered there: resume it first.")
            }
        }
    }
}
