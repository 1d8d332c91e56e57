//! Customers and their stored cards at Stripe.

use super::client::{Call, CallError};
use super::objects::{ACCOUNT_ID, Card, Customer, Method, read};
use super::{Stripe, asked, checked};
use crate::payments::gateway::GatewayError;

/// A way to pay, as Stripe knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeMethod {
    pub provider_id: String,
    /// Whose it is; none: nobody's.
    pub customer: Option<String>,
    /// None if it is something else than a card.
    pub card: Option<Card>,
}

impl Stripe {
    /// Makes the customer for an account, once a day at most: whoever asks twice gets the same.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn create_customer(&self, account_id: i64) -> Result<String, GatewayError> {
        let call = Call::post(&["customers"])
            .key(format!("runout-customer-{account_id}"))
            .field(&format!("metadata[{ACCOUNT_ID}]"), account_id);
        let customer: Customer = read(self.client.call(&call).await?)?;
        Ok(customer.id)
    }

    /// A way to pay.
    ///
    /// # Errors
    /// [`GatewayError`], never open.
    pub async fn method(&self, id: &str) -> Result<StripeMethod, GatewayError> {
        let call = Call::get(&["payment_methods", checked(id)?]);
        read::<Method>(self.client.call(&call).await?).map(StripeMethod::from).map_err(asked)
    }

    /// Gives a way to pay to a customer; fine if it is theirs already.
    ///
    /// # Errors
    /// [`GatewayError`]; refused if it is somebody else's, used up, or not accepted by its bank.
    pub async fn attach(&self, id: &str, customer: &str) -> Result<StripeMethod, GatewayError> {
        // No idempotency key: detached in between, the old answer would be a lie.
        let call = Call::post(&["payment_methods", checked(id)?, "attach"])
            .field("customer", checked(customer)?);
        let error = match self.client.call(&call).await {
            Ok(object) => return read::<Method>(object).map(StripeMethod::from),
            Err(error) => error,
        };
        match self.method(id).await {
            Ok(method) if method.customer.as_deref() == Some(customer) => Ok(method),
            _ => Err(error.into()),
        }
    }

    /// Takes a way to pay from its customer; fine if it is nobody's already.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn detach(&self, id: &str) -> Result<(), GatewayError> {
        let call = Call::post(&["payment_methods", checked(id)?, "detach"]);
        let error = match self.client.call(&call).await {
            Ok(_) => return Ok(()),
            Err(CallError::Lost(GatewayError::Unreachable(why))) => {
                return Err(GatewayError::Unreachable(why));
            }
            Err(error) => error,
        };
        match self.method(id).await {
            Ok(method) if method.customer.is_none() => Ok(()),
            Err(asked) if asked.is_missing() => Ok(()),
            _ => Err(error.into()),
        }
    }
}

impl From<Method> for StripeMethod {
    fn from(method: Method) -> Self {
        Self { provider_id: method.id, customer: method.customer, card: method.card }
    }
}
