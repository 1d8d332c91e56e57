//! A Redis of the benchmark's own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long it may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

/// Ended when dropped.
pub struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    /// Starts it with nothing, in this folder.
    ///
    /// # Errors
    /// When there is no redis-server, or it does not listen.
    pub fn start(program: &Path, folder: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--daemonize", "no", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server cannot be run: apt-get install redis-server")?;
        let redis = Self { process, port };
        let (started, address) = (Instant::now(), SocketAddr::from(([127, 0, 0, 1], port)));
        while started.elapsed() < START_MAX {
            if TcpStream::connect(address).is_ok() {
                return Ok(redis);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("redis-server did not listen within {START_MAX:?}")
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// It stands still: whoever asks it waits.
    pub fn pause(&self) -> Result<()> {
        self.signal("STOP")
    }

    pub fn resume(&self) -> Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let kill = format!("kill -{name} {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status()?;
        ensure!(status.success(), "{kill} failed");
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
