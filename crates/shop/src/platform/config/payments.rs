//! The section about payments.

use reqwest::Url;
use serde::Deserialize;

use crate::platform::secret::Secret;

/// Stripe's own address.
pub const STRIPE_API_URL: &str = "https://api.stripe.com";

/// Who moves the money beside the shop itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payments {
    /// Where Stripe is: with TLS, or a stand-in on this machine.
    #[serde(deserialize_with = "super::from_text")]
    pub stripe_api_url: Url,
    /// Stripe's secret key; without one there is no Stripe.
    pub stripe_secret_key: Option<Secret>,
    /// What Stripe signs its webhooks with; without one they are refused.
    pub stripe_webhook_secret: Option<Secret>,
    pub stripe_capture: Capture,
}

/// When an authorised payment is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// At once.
    #[default]
    Automatic,
    /// When somebody says so.
    Manual,
}

impl Default for Payments {
    fn default() -> Self {
        Self {
            stripe_api_url: STRIPE_API_URL.parse().expect("a well-formed URL"),
            stripe_secret_key: None,
            stripe_webhook_secret: None,
            stripe_capture: Capture::default(),
        }
    }
}

/// Flags of the section; each also has its environment variable, which is the better place for
/// secrets: flags can be seen by everybody on the machine.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PaymentsArgs {
    /// Where Stripe is [default: https://api.stripe.com]
    #[arg(long, global = true, env = "RUNOUT_STRIPE_API_URL", value_name = "URL")]
    pub stripe_api_url: Option<Url>,
    /// Stripe's secret key; better given as RUNOUT_STRIPE_SECRET_KEY
    #[arg(
        long,
        global = true,
        env = "RUNOUT_STRIPE_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub stripe_secret_key: Option<Secret>,
    /// The secret of Stripe's webhooks; better given as RUNOUT_STRIPE_WEBHOOK_SECRET
    #[arg(
        long,
        global = true,
        env = "RUNOUT_STRIPE_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub stripe_webhook_secret: Option<Secret>,
    /// When Stripe takes an authorised payment [default: automatic]
    #[arg(long, global = true, env = "RUNOUT_STRIPE_CAPTURE")]
    pub stripe_capture: Option<Capture>,
}

impl Payments {
    pub(super) fn overlay(&mut self, args: &PaymentsArgs) {
        super::set(&mut self.stripe_api_url, &args.stripe_api_url);
        // An empty variable unsets what the file says.
        for (setting, given) in [
            (&mut self.stripe_secret_key, &args.stripe_secret_key),
            (&mut self.stripe_webhook_secret, &args.stripe_webhook_secret),
        ] {
            if let Some(given) = given {
                *setting = (!given.is_empty()).then(|| given.clone());
            }
        }
        super::set(&mut self.stripe_capture, &args.stripe_capture);
    }

    /// What types alone do not rule out. No secret is part of the answer.
    pub(super) fn check(&self) -> Result<(), String> {
        let url = &self.stripe_api_url;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err("payments.stripe_api_url must be an address alone".to_owned());
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(url) => {}
            _ => return Err("payments.stripe_api_url must be https://".to_owned()),
        }
        for (name, secret) in [
            ("stripe_secret_key", &self.stripe_secret_key),
            ("stripe_webhook_secret", &self.stripe_webhook_secret),
        ] {
            let Some(secret) = secret else { continue };
            let visible = |byte: u8| byte.is_ascii_graphic();
            if secret.is_empty() || !secret.expose().bytes().all(visible) {
                return Err(format!("payments.{name} must be visible ASCII characters, no spaces"));
            }
        }
        Ok(())
    }
}

/// True if the connection stays on this machine, so that it may do without TLS.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripe_is_reached_with_tls_or_on_this_machine() {
        for (url, fine) in [
            (STRIPE_API_URL, true),
            ("https://stripe.example:8443/base", true),
            ("http://127.0.0.1:8420", true),
            ("http://[::1]:8420", true),
            ("http://localhost:8420", true),
            ("http://api.stripe.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://192.0.2.1", false),
            ("ftp://127.0.0.1", false),
            ("https://user@api.stripe.com", false),
            ("https://api.stripe.com?key=1", false),
        ] {
            let stripe_api_url = url.parse().expect("a URL");
            let payments = Payments { stripe_api_url, ..Payments::default() };
            assert_eq!(payments.check().is_ok(), fine, "{url}");
        }
    }

    #[test]
    fn secrets_are_checked_and_not_shown() {
        let with_key = |key: &str| Payments {
            stripe_secret_key: Some(Secret::new(key)),
            ..Payments::default()
        };
        assert!(with_key("sk_test_1").check().is_ok());
        for wrong in ["", "sk test", "sk_test\n", "schlüssel"] {
            let told = with_key(wrong).check().expect_err(wrong);
            assert!(told.contains("stripe_secret_key") && !told.contains("sk_test"), "{told}");
        }
        assert!(!format!("{:?}", with_key("sk_test_1")).contains("sk_test"));
    }

    #[test]
    fn an_empty_variable_takes_a_secret_away() {
        let mut payments = Payments::default();
        let args = |key: &str| PaymentsArgs {
            stripe_secret_key: Some(Secret::new(key)),
            ..PaymentsArgs::default()
        };
        payments.overlay(&args("sk_test_1"));
        assert_eq!(payments.stripe_secret_key, Some(Secret::new("sk_test_1")));
        payments.overlay(&PaymentsArgs::default());
        assert!(payments.stripe_secret_key.is_some());
        payments.overlay(&args(""));
        assert_eq!(payments.stripe_secret_key, None);
    }
}
