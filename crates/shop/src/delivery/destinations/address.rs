//! Where a destination is: which addresses may be saved, and how they are shown.

use reqwest::Url;

use super::model::DestinationKind;
use crate::delivery::amqp;
use crate::delivery::guard::{self, Refusal};

/// Stands for a password wherever an address is shown.
pub const HIDDEN: &str = "***";

/// An address that may be saved.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// With the password, if it has one.
    pub url: String,
    pub shown: String,
}

impl Address {
    /// Checks what can be said of an address before it is connected to.
    ///
    /// # Errors
    /// What is wrong, and what to do about it; without the address itself.
    pub fn check(kind: DestinationKind, text: &str, allow_private: bool) -> Result<Self, String> {
        let text = text.trim();
        match kind {
            DestinationKind::Amqp => Self::of_broker(text, allow_private),
            DestinationKind::Rest | DestinationKind::Webhook => {
                guard::check_url(text, allow_private).map_err(|refusal| advice(&refusal))?;
                let parsed = Url::parse(text).map_err(|_| advice(&Refusal::NotAUrl))?;
                if kind == DestinationKind::Rest && parsed.query().is_some() {
                    let wrong = "must have no query: the collections' paths are added to it";
                    return Err(wrong.to_owned());
                }
                let mut url = parsed.to_string();
                if kind == DestinationKind::Rest {
                    url.truncate(url.trim_end_matches('/').len());
                }
                Ok(Self { shown: url.clone(), url })
            }
        }
    }

    fn of_broker(text: &str, allow_private: bool) -> Result<Self, String> {
        amqp::check_url(text, allow_private).map_err(|refusal| advice(&refusal))?;
        let url = Url::parse(text).map_err(|_| advice(&Refusal::NotAUrl))?;
        let mut shown = url.clone();
        if let Some(password) = url.password() {
            if password == HIDDEN {
                return Err("has no password, only its place: write the password anew".to_owned());
            }
            let hidden = shown.set_password(Some(HIDDEN));
            hidden.map_err(|()| advice(&Refusal::NotAUrl))?;
        }
        Ok(Self { url: url.into(), shown: shown.into() })
    }
}

/// What is wrong with an address, and what to do about it.
fn advice(refusal: &Refusal) -> String {
    let advice = match refusal {
        Refusal::NotAUrl => "write one such as https://warehouse.example/hooks",
        Refusal::TooLong => "use a shorter one",
        Refusal::Scheme(_) => "write it with one of these",
        Refusal::NoHost => "write one with a host",
        Refusal::UserInfo => "leave that out: who receives knows the shop by the signature",
        Refusal::Fragment => "leave out what begins with #",
        Refusal::Port(_) | Refusal::BrokerPort(_) => "use one of these, or set allow_private",
        Refusal::LocalName(_) => "set allow_private if it is meant",
        Refusal::Address(_, guard::Reach::Private) => "set allow_private if it is meant",
        Refusal::Address(..) | Refusal::Header(_) => "use another one",
    };
    format!("is refused, because {refusal}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use DestinationKind::{Amqp, Rest, Webhook};

    #[test]
    fn addresses_are_checked_by_kind() {
        for (kind, text, allow_private, stored) in [
            (Webhook, "https://a.example/hook?x=1", false, Some("https://a.example/hook?x=1")),
            (Webhook, "http://127.0.0.1:9000/hook", true, Some("http://127.0.0.1:9000/hook")),
            (Webhook, "http://127.0.0.1:9000/hook", false, None),
            (Webhook, "https://user:secret@a.example/", true, None),
            (Webhook, "amqp://a.example/", false, None),
            (Webhook, "https://a.example/#top", false, None),
            (Webhook, "nowhere", true, None),
            (Rest, "https://a.example/api//", false, Some("https://a.example/api")),
            (Rest, "https://a.example", false, Some("https://a.example")),
            (Rest, "https://a.example/?q=1", false, None),
            (Amqp, "amqp://shop:x@mq.example/prod", false, Some("amqp://shop:x@mq.example/prod")),
            (Amqp, "amqps://mq.example", false, Some("amqps://mq.example")),
            (Amqp, "amqp://shop:***@mq.example", false, None),
            (Amqp, "amqp://127.0.0.1", false, None),
            (Amqp, "amqp:///vhost", false, None),
            (Amqp, "https://mq.example", false, None),
        ] {
            let checked = Address::check(kind, text, allow_private).ok().map(|address| address.url);
            assert_eq!(checked.as_deref(), stored, "{text}");
        }
    }

    #[test]
    fn passwords_are_neither_shown_nor_told() {
        let text = "amqp://shop:hunter2@mq.example:5672/prod";
        let address = Address::check(Amqp, text, false).expect("an address");
        assert_eq!(address.shown, "amqp://shop:***@mq.example:5672/prod");
        for wrong in ["amqp://shop:hunter2@127.0.0.1", "amqps://shop:hunter2@mq.example/#x"] {
            let told = Address::check(Amqp, wrong, false).err().expect("refused");
            assert!(!told.contains("hunter2"), "{told}");
        }
        let told = Address::check(Webhook, "https://u:hunter2@a.example", false).err();
        assert!(told.is_some_and(|told| !told.contains("hunter2") && told.contains("signature")));
    }
}
