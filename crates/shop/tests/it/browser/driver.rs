//! Debian's chromedriver in a process of its own, and the browsers that it starts.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const CHROMEDRIVER: &str = "RUNOUT_TEST_CHROMEDRIVER";
/// A machine that runs the whole suite starts programs slowly.
const START_MAX: Duration = Duration::from_secs(120);
const STARTED: &str = "was started successfully on port ";

/// A value that `make test` sets; without it the test fails and says so.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`"))
}

/// A running chromedriver. When dropped, it and every process below it are killed by their ids,
/// also when the test panics.
pub struct Driver {
    child: Child,
    pub url: String,
}

impl Driver {
    pub fn start() -> Self {
        let program = setting(CHROMEDRIVER);
        let mut child = Command::new(&program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (told, port) = mpsc::channel::<u16>();
        // Reads to the end, so that the driver never waits for somebody to read.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let rest = line.split(STARTED).nth(1).map(|rest| rest.trim_end_matches('.'));
                if let Some(port) = rest.and_then(|rest| rest.parse().ok()) {
                    told.send(port).unwrap_or(());
                }
            }
        });
        let mut driver = Self { child, url: String::new() };
        let port = port.recv_timeout(START_MAX).expect("chromedriver tells its port in time");
        driver.url = format!("http://127.0.0.1:{port}");
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let below = descendants(self.child.id());
        // They have ended already, unless the test failed.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
        for id in below {
            let _gone = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The processes that a process started, and theirs, as far as they are known to the kernel.
fn descendants(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![parent];
    let parents = parents();
    while let Some(parent) = open.pop() {
        let children = parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id);
        for child in children {
            found.push(child);
            open.push(child);
        }
    }
    found
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").expect("there is /proc").filter_map(Result::ok);
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name stands in parentheses and may contain anything; state and parent follow.
        let rest = stat.rsplit_once(')')?.1;
        Some((id, rest.split_whitespace().nth(1)?.parse().ok()?))
    })
    .collect()
}
