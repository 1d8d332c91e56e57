//! Stand-ins for Stripe: `localstripe`, a real server of somebody else's, and our own hostile one.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runout_shop::payments::stripe::Limits;
use runout_shop::payments::{Gateway, Stripe};
use runout_shop::platform::config::{Config, Payments};
use runout_shop::platform::secret::Secret;
use runout_sim::stripe::{HostileStripe, Options};

use super::TestShop;
use super::ports::free_port;

/// The Python that has localstripe.
const PYTHON: &str = "RUNOUT_TEST_LOCALSTRIPE_PYTHON";
pub const SECRET_KEY: &str = "sk_test_for_tests";
pub const WEBHOOK_SECRET: &str = "whsec_for_tests";

/// Python starts slowly on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);

/// localstripe as it is, but on loopback alone, and without its copy of everything in /tmp, which
/// two of them would share.
const LAUNCHER: &str = "
import sys
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host='127.0.0.1', port=int(sys.argv[1]), print=None)
";

/// Bounds that let a test see a client give up within seconds.
pub const IMPATIENT: Limits = Limits {
    connect: Duration::from_secs(5),
    attempt: Duration::from_millis(1_500),
    deadline: Duration::from_secs(15),
    attempts_max: 3,
    backoff_first: Duration::from_millis(5),
    backoff_max: Duration::from_millis(20),
};

/// As [`IMPATIENT`], for a server that is slow itself.
pub const PATIENT: Limits = Limits {
    connect: Duration::from_secs(20),
    attempt: Duration::from_secs(60),
    deadline: Duration::from_secs(120),
    ..IMPATIENT
};

/// A client of the stand-in at `url`.
pub fn client(url: &str, limits: Limits) -> Stripe {
    let url = url.parse().expect("a URL");
    Stripe::with_limits(&url, Secret::new(SECRET_KEY), limits)
}

/// As [`client`], behind the seam.
pub fn gateway(url: &str, limits: Limits) -> Gateway {
    Gateway::Stripe(client(url, limits))
}

/// Settings of a shop that works with the stand-in at `url`.
pub fn config(url: &str) -> Config {
    let payments = Payments {
        stripe_api_url: url.parse().expect("a URL"),
        stripe_secret_key: Some(Secret::new(SECRET_KEY)),
        stripe_webhook_secret: Some(Secret::new(WEBHOOK_SECRET)),
        ..Payments::default()
    };
    Config { payments, ..Config::default() }
}

impl TestShop {
    /// The shop with a hostile Stripe that is dated by the shop's clock.
    pub async fn with_hostile_stripe(self) -> (Self, HostileStripe) {
        let options = Options { clock: self.clock.clone(), ..Options::default() };
        let stripe = HostileStripe::start(options).await.expect("a free port");
        (self.with_config(&config(&stripe.url())).await, stripe)
    }
}

/// A running localstripe; killed by its id when dropped.
pub struct LocalStripe {
    child: Child,
    pub url: String,
}

impl LocalStripe {
    pub async fn start() -> Self {
        let python = std::env::var(PYTHON)
            .unwrap_or_else(|_| panic!("{PYTHON} is not set: run `make test`"));
        let port = free_port();
        let child = Command::new(&python)
            .args(["-c", LAUNCHER, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{python}: {error}"));
        let started = Self { child, url: format!("http://127.0.0.1:{port}") };
        started.wait(port).await;
        started
    }

    async fn wait(&self, port: u16) {
        let since = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(since.elapsed() < START_MAX, "localstripe does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for LocalStripe {
    fn drop(&mut self) {
        // It has ended already, unless something is wrong with it.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}
