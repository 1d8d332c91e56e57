//! What a call's end means for its channel, and what of it is stored.

use jiff::{SignedDuration, Timestamp};
use runout_core::channels::limiter::Told;

use super::held::{Held, Job, Parcelled, Stage, Token};
use super::rows;
use super::settle::{Fruit, ProcessRow};
use crate::channels::model::ChannelState;
use crate::channels::provider::{Came, Progress};
use crate::channels::token_place;
use crate::platform::seal::Sealer;

/// New tokens in a row that may be refused before the provider counts as failing.
const TOKENS_REFUSED_MAX: u32 = 2;
/// A process is asked about again after a quarter of its age, between these.
const ASK_MIN: SignedDuration = SignedDuration::from_secs(2);
const ASK_MAX: SignedDuration = SignedDuration::from_secs(60);

/// A call that has ended.
#[derive(Debug)]
pub(super) struct Done {
    pub channel_id: i64,
    pub epoch: i64,
    pub job: Job,
    pub sent_at: Timestamp,
    pub heard_at: Timestamp,
    pub told: Told,
    pub came: Came,
}

/// What is needed to judge an end.
pub(super) struct Judge<'a> {
    pub sealer: &'a Sealer,
    pub now: Timestamp,
    /// From 0 to 1.
    pub jitter: f64,
}

impl Judge<'_> {
    /// Takes a call's end in; what is left is to be stored.
    pub(super) fn take(&self, held: &mut Held, done: Done) -> Fruit {
        let Done { job, sent_at, heard_at, told, came, .. } = done;
        let endpoint = job.endpoint();
        held.ended(endpoint, heard_at.duration_since(sent_at));
        held.counts.calls += i64::from(endpoint.is_some());
        held.counts.tokens += i64::from(endpoint.is_none());
        if let Some(endpoint) = endpoint {
            let (sent_us, heard_us) = (sent_at.as_microsecond(), heard_at.as_microsecond());
            let limiter = held.limits.of_mut(endpoint);
            match &came {
                Came::Failed { .. } if told == Told::default() => limiter.lost(sent_us, heard_us),
                // Whoever is not let in is not counted.
                Came::Unauthorised if told == Told::default() => limiter.uncounted(sent_us),
                _ => limiter.answered(sent_us, heard_us, &told),
            }
        }
        match came {
            Came::Refused => {
                held.counts.refused += 1;
                self.again(held, job)
            }
            Came::Unauthorised => {
                held.counts.unauthorised += 1;
                self.unauthorised(held, &job);
                self.again(held, job)
            }
            Came::Denied(reason) => {
                held.found_state = Some((ChannelState::Refused, Some(reason)));
                held.token = None;
                held.halted = true;
                self.again(held, job)
            }
            Came::Failed { problem, sent } => {
                held.failed(problem, self.now, self.jitter);
                self.failed(held, job, sent)
            }
            came => {
                held.works();
                self.taken(held, job, came, sent_at)
            }
        }
    }

    /// The job was not done: it comes again.
    fn again(&self, held: &mut Held, job: Job) -> Fruit {
        match job {
            Job::Token | Job::List(_) => Fruit::Nothing,
            Job::Detail { shipment_id, remote_id } => {
                held.details.push_front((shipment_id, remote_id));
                Fruit::Nothing
            }
            Job::Ship { id, parcel } => {
                // The mark is taken off: whoever finds it would have to suppose that it was sent.
                let stage = Stage::Queued(parcel);
                let (due_at, created_at) = (self.now, self.now);
                held.parcels.push_front(Parcelled { id, due_at, created_at, stage });
                let (process_id, shipment_id, error) = (None, None, None);
                let (state, due_at) = ("queued", Some(due_at));
                let row = ProcessRow { id, state, process_id, shipment_id, error, due_at };
                Fruit::Process(row)
            }
            Job::Process { id, process_id, since } => self.ask_again(held, id, process_id, since),
        }
    }

    fn ask_again(&self, held: &mut Held, id: i64, process_id: String, since: Timestamp) -> Fruit {
        let pause = (self.now.duration_since(since) / 4).clamp(ASK_MIN, ASK_MAX);
        let due_at = self.now + pause;
        let stage = Stage::Pending(process_id.clone());
        held.parcels.push_back(Parcelled { id, due_at, created_at: since, stage });
        let process_id = Some(process_id);
        let (shipment_id, error) = (None, None);
        let due_at = Some(due_at);
        Fruit::Process(ProcessRow { id, state: "pending", process_id, shipment_id, error, due_at })
    }

    /// A token that was not taken is never used again. A new one that is not taken either is the
    /// provider's fault.
    fn unauthorised(&self, held: &mut Held, job: &Job) {
        held.token = None;
        held.trouble.tokens_refused += 1;
        if held.trouble.tokens_refused > TOKENS_REFUSED_MAX {
            let problem = "The provider does not take the tokens that it gives.".to_owned();
            tracing::warn!(channel = held.id, ?job, "new tokens are refused");
            held.failed(problem, self.now, self.jitter);
        }
    }

    fn failed(&self, held: &mut Held, job: Job, sent: bool) -> Fruit {
        match job {
            // Nobody knows whether the provider has taken it: sent again, it might go twice.
            Job::Ship { id, .. } if sent => ended_process(
                id,
                "unknown",
                "The provider did not answer; it may have taken this. Look there before you send \
                 it again.",
            ),
            job => self.again(held, job),
        }
    }

    /// The provider has answered.
    fn taken(&self, held: &mut Held, job: Job, came: Came, sent_at: Timestamp) -> Fruit {
        if !matches!(job, Job::Token) {
            held.trouble.tokens_refused = 0;
        }
        match (job, came) {
            (Job::Token, Came::Token { token, lives }) => {
                // Counted from before it was given: it surely lives so long.
                let ends_at = sent_at + lives;
                let sealed = self.sealer.seal(&token_place(held.id), token.expose().as_bytes());
                held.token = Some(Token { text: token, ends_at });
                if held.state == ChannelState::Unverified {
                    held.state = ChannelState::Active;
                    held.found_state = Some((ChannelState::Active, None));
                }
                Fruit::Token { sealed, credentials: held.credentials_version, ends_at }
            }
            (Job::List(page), Came::Page { entries, spoiled, unknown }) => {
                held.met(&unknown);
                let rows = rows::listed(held, page.method, entries, spoiled, self.now);
                Fruit::Page(rows)
            }
            (Job::Detail { shipment_id, .. }, Came::Detail { shipment, unknown, raw }) => {
                held.met(&unknown);
                let (shipment, unknown) = (&*shipment, &unknown[..]);
                let of = rows::Detailed { shipment_id, shipment, unknown, raw };
                Fruit::Detail(Box::new(rows::detail(held, of, self.now)))
            }
            (Job::Detail { shipment_id, .. }, Came::Malformed { problem, raw }) => {
                Fruit::Spoiled { shipment_id, problem, raw: Some(raw) }
            }
            (Job::Detail { shipment_id, .. }, Came::Invalid(problem)) => {
                Fruit::Spoiled { shipment_id, problem, raw: None }
            }
            (Job::Detail { shipment_id, .. }, Came::Missing) => Fruit::Missing { shipment_id },
            (Job::Ship { id, .. }, Came::Process(progress)) => {
                self.progress(held, id, self.now, progress)
            }
            (Job::Process { id, since, .. }, Came::Process(progress)) => {
                self.progress(held, id, since, progress)
            }
            (Job::Ship { id, .. }, Came::Invalid(problem)) => {
                ended_process(id, "failure", &problem)
            }
            (Job::Process { id, .. }, Came::Missing) => {
                ended_process(id, "unknown", "The provider does not know this process any more.")
            }
            (job, came) => {
                // A call that the provider finds wrong, or a page that is not there.
                let problem = match came {
                    Came::Invalid(problem) => problem,
                    _ => "The provider's answer is not one to this call.".to_owned(),
                };
                held.failed(problem, self.now, self.jitter);
                self.failed(held, job, true)
            }
        }
    }

    fn progress(&self, held: &mut Held, id: i64, since: Timestamp, progress: Progress) -> Fruit {
        let row = |state, process_id, shipment_id, error| {
            let (process_id, due_at) = (Some(process_id), None);
            Fruit::Process(ProcessRow { id, state, process_id, shipment_id, error, due_at })
        };
        match progress {
            Progress::Pending { process_id } => self.ask_again(held, id, process_id, since),
            Progress::Success { process_id, shipment_id } => {
                row("success", process_id, shipment_id, None)
            }
            Progress::Failure { process_id, error } => {
                row("failure", process_id, None, Some(error))
            }
            Progress::Timeout { process_id } => row("timeout", process_id, None, None),
        }
    }
}

/// A process that has come to an end which the provider did not tell.
pub(super) fn ended_process(id: i64, state: &'static str, error: &str) -> Fruit {
    let (process_id, shipment_id, due_at) = (None, None, None);
    let error = Some(error.to_owned());
    Fruit::Process(ProcessRow { id, state, process_id, shipment_id, error, due_at })
}
