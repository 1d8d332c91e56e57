//! A network between a node and a server, that can be slow, cut, or lose what it was given.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Whole,
    /// They come, but late.
    Slow(Duration),
    /// They do not come until it is whole again: a partition that heals before TCP gives up.
    Held,
    /// They are lost, though the connection stands: what comes later is out of step.
    Lossy,
    /// Connections are closed, new ones at once.
    Cut,
}

/// See the module. Dropping it closes everything.
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Before the server at `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let address = listener.local_addr().expect("bound");
        let (network, state) = watch::channel(Network::Whole);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Ends with the sender, when the proxy is dropped.
                tokio::spawn(carry(client, target, state.clone()));
            }
        });
        Self { address, network, accepting }
    }

    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, target: SocketAddr, mut state: watch::Receiver<Network>) {
    if *state.borrow() == Network::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let there = pump(from_client, to_server, state.clone());
    let back = pump(from_server, to_client, state.clone());
    let cut = async { state.wait_for(|state| *state == Network::Cut).await.map(drop) };
    tokio::select! {
        _ended = cut => {}
        () = there => {}
        () = back => {}
    }
}

async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut state: watch::Receiver<Network>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let Ok(network) = state.wait_for(|state| *state != Network::Held).await.map(|now| *now)
        else {
            return;
        };
        match network {
            Network::Slow(by) => tokio::time::sleep(by).await,
            Network::Lossy => continue,
            _ => {}
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
