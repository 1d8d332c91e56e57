//! Which refusal becomes which problem.

use super::CHANNELS_PER_ACCOUNT_MAX;
use super::commands::ChannelRefused;
use super::model::Provider;
use super::verification::VerifyRefused;
use crate::platform::problem::{FieldError, Problem};

impl From<ChannelRefused> for Problem {
    fn from(refused: ChannelRefused) -> Self {
        match refused {
            ChannelRefused::NotFound => Problem::not_found("channel"),
            ChannelRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            ChannelRefused::NameTaken => {
                let detail = "Another channel has this name.";
                let errors = vec![FieldError::new("/name", "taken", detail)];
                Problem::conflict("name_taken", detail).errors(errors)
            }
            ChannelRefused::TooMany => {
                let detail = format!("An account has at most {CHANNELS_PER_ACCOUNT_MAX} channels.");
                Problem::conflict("too_many_channels", detail)
            }
            ChannelRefused::NoSuchAccount => {
                let detail = "There is no active account with this number.";
                Problem::validation(vec![FieldError::new("/account_id", "unknown", detail)])
            }
            ChannelRefused::Paused => {
                Problem::conflict("channel_paused", "The channel is paused: resume it first.")
            }
            ChannelRefused::Refused(reason) => {
                let advice = "change its credentials, or resume it if they should work again";
                let words = reason.trim_end_matches('.');
                let detail = format!("The provider refuses the channel ({words}): {advice}.");
                Problem::conflict("channel_refused", detail)
            }
            ChannelRefused::NoRun => {
                Problem::conflict("no_sync", "No sync goes on: there is nothing to cancel.")
            }
            ChannelRefused::OtherRun => {
                let detail =
                    "A sync of what is new goes on: wait until it has ended, or cancel it.";
                Problem::conflict("other_sync", detail)
            }
        }
    }
}

impl VerifyRefused {
    /// As a problem, with the name of whoever was asked.
    pub(super) fn problem(self, provider: Provider) -> Problem {
        match self {
            Self::Denied(words) => {
                let detail = format!("{} refuses these credentials: {words}", provider.title());
                let errors = vec![FieldError::new("/client_secret", "refused", detail.clone())];
                Problem::unprocessable("credentials_refused", detail).errors(errors)
            }
            Self::Throttled { retry_after } => {
                let detail = "Too many credentials that do not work; try again later.";
                Problem::too_many(retry_after).detail(detail)
            }
            Self::Failed(error) => error.into(),
        }
    }
}
