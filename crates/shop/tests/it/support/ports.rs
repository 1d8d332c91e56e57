//! Ports for servers that must be told theirs, each given to one test only.
//!
//! They lie below the range from which the system takes ports for whoever does not care, so that
//! nobody is given one of them by chance, not even while a server that was killed is down. Among
//! tests, which run at the same time in processes of their own, a port belongs to whoever holds the
//! socket in the kernel's own name space that is named after it; it goes with its process.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;

/// `scripts/lib.sh` takes those above.
const FIRST: u32 = 11_000;
const COUNT: u32 = 9_000;
/// Neighbours begin their search far from each other.
const STRIDE: u32 = 97;

/// What this process holds, until its end.
static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A loopback port on which nothing listens, and which no other test is given while this one runs.
pub fn free_port() -> u16 {
    let mut held = HELD.lock().expect("no holder panics");
    let first = std::process::id().wrapping_mul(STRIDE) % COUNT;
    for step in 0..COUNT {
        let port = u16::try_from(FIRST + (first + step) % COUNT).expect("a port");
        let name = format!("runout-test-port-{port}");
        let name = SocketAddr::from_abstract_name(name).expect("a short name");
        let Ok(claim) = UnixListener::bind_addr(&name) else { continue };
        // Somebody else's server may be there all the same.
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            held.push(claim);
            return port;
        }
    }
    panic!("no port is free");
}

#[test]
fn nobody_is_given_a_port_twice() {
    let ports: std::collections::BTreeSet<u16> = (0..100).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 100);
    let port = ports.first().expect("some");
    let name = SocketAddr::from_abstract_name(format!("runout-test-port-{port}"));
    let taken = UnixListener::bind_addr(&name.expect("a short name"));
    assert!(taken.is_err(), "nor would another process be");
}
