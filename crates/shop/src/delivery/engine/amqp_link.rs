//! The connection to a broker, made when it is needed and made anew when it broke.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::attempt::{Attempted, Failure, FailureKind, Line};
use super::window::Delivery;
use crate::delivery::amqp::{ConnectError, Message, PublishError, Publisher};
use crate::delivery::envelope;

/// Where nothing else is said.
const EXCHANGE: &str = "runout";

/// Why a delivery is not known to be published.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl LinkError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Connect(ConnectError::Blocked(_)) | Self::Publish(PublishError::TooLong(_)) => {
                FailureKind::Unsendable
            }
            _ => FailureKind::Unwell,
        }
    }

    fn was_sent(&self) -> bool {
        matches!(self, Self::Publish(error) if error.was_sent())
    }
}

/// See the module. Attempts share it; one of them connects, the others wait for that.
#[derive(Default)]
pub(super) struct Link(Mutex<Option<Arc<Publisher>>>);

impl Link {
    /// Publishes a delivery, and waits for the broker's word.
    pub(super) async fn publish(&self, line: &Line, delivery: &Delivery) -> Attempted {
        match self.try_publish(line, delivery).await {
            Ok(()) => Attempted::delivered(1, None),
            Err(error) => {
                let topic = &delivery.topic;
                let exchange = line.target.exchange.as_deref().unwrap_or(EXCHANGE);
                Attempted::failed(Failure {
                    kind: error.kind(),
                    status: None,
                    error: error.to_string(),
                    after: None,
                    in_doubt: error.was_sent(),
                    request: format!("publish to {exchange}, routing key {topic}"),
                    response: None,
                })
            }
        }
    }

    async fn try_publish(&self, line: &Line, delivery: &Delivery) -> Result<(), LinkError> {
        let publisher = self.connected(line).await?;
        let message = Message {
            id: envelope::event_id(delivery.outbox_id),
            body: envelope::body(&delivery.topic, delivery.at, &delivery.payload),
            entity: delivery.thing.entity.to_string(),
            entity_id: delivery.thing.id,
            at: delivery.at,
        };
        Ok(publisher.publish(&delivery.topic, message).await?)
    }

    async fn connected(&self, line: &Line) -> Result<Arc<Publisher>, ConnectError> {
        let mut link = self.0.lock().await;
        if let Some(publisher) = link.as_ref().filter(|publisher| publisher.is_alive()) {
            return Ok(Arc::clone(publisher));
        }
        let exchange = line.target.exchange.as_deref().unwrap_or(EXCHANGE);
        let (url, private) = (&line.target.url, line.target.allow_private);
        let publisher = Arc::new(Publisher::connect(url, exchange, private).await?);
        *link = Some(Arc::clone(&publisher));
        Ok(publisher)
    }
}
