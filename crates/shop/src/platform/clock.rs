//! The clock seam: the only place that asks the operating system for the time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

/// Tells the time; cheap to clone. Tests set it by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    manual: Option<Arc<Mutex<Timestamp>>>,
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is moved. Its clones move with it.
    pub fn manual(start: Timestamp) -> Self {
        Self { manual: Some(Arc::new(Mutex::new(start))) }
    }

    /// Now, to the microsecond, which is what both databases keep.
    pub fn now(&self) -> Timestamp {
        match &self.manual {
            Some(time) => *time.lock().expect("no holder of the clock's lock can panic"),
            #[expect(clippy::disallowed_methods, reason = "this is the seam")]
            None => to_micros(Timestamp::now()),
        }
    }

    /// Moves a manual clock on.
    ///
    /// # Panics
    /// On the operating system's clock.
    pub fn advance(&self, by: Duration) {
        let time = self.manual.as_ref().expect("only a manual clock can be moved");
        let mut time = time.lock().expect("no holder of the clock's lock can panic");
        *time = to_micros(*time + by);
    }
}

fn to_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("the same moment, less precise")
}
