//! A PostgreSQL of a test's own, which may be killed.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runout_store::{DatabaseUrl, Db};
use tempfile::TempDir;

use super::ports::free_port;

/// Debian keeps PostgreSQL's programs off the PATH, one folder per version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Whose folder tells which user runs it: PostgreSQL refuses to run as root.
const HOME: &str = "/var/lib/postgresql";
const START_MAX: Duration = Duration::from_secs(120);

/// A running server; killed by its id when dropped.
pub struct OwnPostgres {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl OwnPostgres {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("one's own folder");
        let data = folder.path().join("data");
        let status = as_its_user(program("initdb"))
            .args(["-A", "trust", "-U", "root", "-N", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("initdb starts").success(), "initdb fails");
        let port = free_port();
        let mut server = Self { process: spawn(&data, port), port, folder };
        server.answers().await;
        server
    }

    pub fn url(&self) -> String {
        format!("postgres://root@127.0.0.1:{}/postgres", self.port)
    }

    /// SIGKILL to the first process; the others notice, and end.
    pub fn kill(&mut self) {
        self.process.kill().expect("it was started");
        self.process.wait().expect("it ends");
    }

    /// Starts it again with what lies in its folder.
    pub async fn start_again(&mut self) {
        self.process = spawn(&self.folder.path().join("data"), self.port);
        self.answers().await;
    }

    async fn answers(&mut self) {
        let url: DatabaseUrl = self.url().parse().expect("an address");
        let since = Instant::now();
        while Db::open(&url).expect("opens").ping().await.is_err() {
            assert!(since.elapsed() < START_MAX, "PostgreSQL does not answer");
            // While processes of a killed one are still there it refuses to start.
            if self.process.try_wait().expect("it was started").is_some() {
                self.process = spawn(&self.folder.path().join("data"), self.port);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn spawn(data: &Path, port: u16) -> Child {
    let mut command = as_its_user(program("postgres"));
    command.arg("-D").arg(data).args(["-p", &port.to_string(), "-k"]).arg(data);
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    command.args(["-c", "max_connections=200", "-c", "log_min_messages=panic"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("PostgreSQL starts")
}

fn program(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(VERSIONS)
        .expect("PostgreSQL is missing: run `make test`")
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().unwrap_or_else(|| panic!("{name} is missing: run `make test`"))
}

/// As the user that the package made, if this is root.
fn as_its_user(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    let own = std::fs::metadata("/proc/self").expect("Linux").uid();
    if own == 0 {
        let home = std::fs::metadata(HOME).expect("PostgreSQL is missing: run `make test`");
        command.uid(home.uid()).gid(home.gid());
    }
    command
}
