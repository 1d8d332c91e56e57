//! Ids that a remote has just given, and that are not stored yet: one that gives the same id to two
//! creations at once is found out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::super::window::Thing;

/// Claims that are remembered; by then the older ones are long stored.
const CLAIMS_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Claims(Mutex<HashMap<(Arc<str>, String), i64>>);

impl Claims {
    /// True if the id is this thing's, and no other one's that was created a moment ago.
    pub(super) fn claim(&self, thing: &Thing, key: &str) -> bool {
        let mut claims = self.0.lock().expect("no holder of this lock can panic");
        if claims.len() >= CLAIMS_MAX {
            claims.clear();
        }
        let claim = claims.entry((Arc::clone(&thing.entity), key.to_owned())).or_insert(thing.id);
        *claim == thing.id
    }

    /// The thing has gone from the remote, which may give its id again.
    pub(super) fn release(&self, thing: &Thing, key: &str) {
        let mut claims = self.0.lock().expect("no holder of this lock can panic");
        let claimed = (Arc::clone(&thing.entity), key.to_owned());
        if claims.get(&claimed) == Some(&thing.id) {
            claims.remove(&claimed);
        }
    }
}
