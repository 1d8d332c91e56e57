//! A call while it is under way.

use jiff::Timestamp;

use super::held::Job;
use super::outcome::Done;
use crate::channels::bol;
use crate::channels::provider::{Auth, Call};
use crate::platform::clock::Steady;

/// Whoever calls the providers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Caller {
    pub bol: bol::Client,
    pub clock: Steady,
}

/// What a call needs.
pub(super) struct Ready {
    pub channel_id: i64,
    pub epoch: i64,
    pub job: Job,
    pub auth: Auth,
    pub sent_at: Timestamp,
}

impl Caller {
    /// Makes the call.
    pub(super) async fn make(self, ready: Ready) -> Done {
        let Ready { channel_id, epoch, job, auth, sent_at } = ready;
        let call = match &job {
            Job::Token => Call::Token,
            Job::List(page) => Call::List(*page),
            Job::Detail { remote_id, .. } => Call::Detail { remote_id: remote_id.clone() },
            Job::Ship { parcel, .. } => Call::Ship(parcel.clone()),
            Job::Process { process_id, .. } => Call::Process { process_id: process_id.clone() },
        };
        let (told, came) = self.bol.call(&call, &auth, sent_at).await;
        let heard_at = self.clock.now();
        Done { channel_id, epoch, job, sent_at, heard_at, told, came }
    }
}
