//! What a mirror has to be told of a thing. The system here is the master, so only the latest state
//! counts: however many changes wait, there is one call, or none.

/// What is known of a thing's record at the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// It was never sent.
    Unknown,
    /// It has an id there.
    Known,
    /// It was sent, but the remote gave it no id of its own: it can be sent again, not changed.
    Nameless,
}

/// What a thing belongs to, such as a comment's post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// It belongs to nothing, or to something that is there (or cannot be found there).
    Ready,
    /// What it belongs to waits for its own delivery.
    Waiting,
    /// What it belongs to was never sent, and is not on its way.
    Missing,
}

/// All that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings {
    /// It exists here.
    pub here: bool,
    pub remote: Remote,
    pub parent: Parent,
    /// Things that belong to it have their own deliveries before them.
    pub children_wait: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The remote is as it should be.
    Nothing,
    Create,
    Replace,
    Remove,
    /// Its parent first, which is on its way.
    AwaitParent,
    /// Its parent first, which has to be sent.
    SendParent,
    /// What belongs to it first: some remotes remove children with their parent.
    AwaitChildren,
}

/// Decides; see [`Next`].
pub fn next(known: Surroundings) -> Next {
    match (known.here, known.remote) {
        (false, Remote::Unknown | Remote::Nameless) => Next::Nothing,
        (false, Remote::Known) if known.children_wait => Next::AwaitChildren,
        (false, Remote::Known) => Next::Remove,
        (true, Remote::Known) => Next::Replace,
        (true, Remote::Unknown | Remote::Nameless) => match known.parent {
            Parent::Ready => Next::Create,
            Parent::Waiting => Next::AwaitParent,
            Parent::Missing => Next::SendParent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_or_none() {
        let (here, gone) = (true, false);
        let cases = [
            (gone, Remote::Unknown, Parent::Ready, false, Next::Nothing),
            (gone, Remote::Nameless, Parent::Ready, false, Next::Nothing),
            (gone, Remote::Unknown, Parent::Waiting, true, Next::Nothing),
            (gone, Remote::Known, Parent::Ready, false, Next::Remove),
            (gone, Remote::Known, Parent::Missing, false, Next::Remove),
            (gone, Remote::Known, Parent::Ready, true, Next::AwaitChildren),
            (here, Remote::Known, Parent::Missing, true, Next::Replace),
            (here, Remote::Unknown, Parent::Ready, true, Next::Create),
            (here, Remote::Nameless, Parent::Ready, false, Next::Create),
            (here, Remote::Unknown, Parent::Waiting, false, Next::AwaitParent),
            (here, Remote::Unknown, Parent::Missing, false, Next::SendParent),
        ];
        for (here, remote, parent, children_wait, wanted) in cases {
            let known = Surroundings { here, remote, parent, children_wait };
            assert_eq!(next(known), wanted, "{known:?}");
        }
    }
}
