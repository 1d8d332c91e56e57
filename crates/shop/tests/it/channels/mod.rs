//! Channels are synced from a stand-in for bol.com, whose referee counts every call.

mod crowd;
mod goods;
mod kills;
mod limits;
mod stage;
mod sync;
mod troubles;
mod updates;
