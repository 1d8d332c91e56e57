//! A browser window as a test uses it: it types and presses like a person, and waits like one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::http::Method;
use fantoccini::elements::Element;
use fantoccini::error::NewSessionError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::{Driver, setting};

const CHROMIUM: &str = "RUNOUT_TEST_CHROMIUM";
/// Nothing that is tested takes this long, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for a script that answers later, in milliseconds.
const SCRIPT_MS_MAX: u64 = 120_000;
/// So often a browser is started until it comes up.
const STARTS_MAX: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_millis(40);
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A phone and a desk, in CSS pixels.
pub const PHONE: u32 = 390;
pub const DESK: u32 = 1_280;

type Url = reqwest::Url;

/// A browser with a profile of its own. Its first window looks at the shop at `base`.
pub struct Window {
    client: Client,
    pub base: String,
    // Dropped in this order: the processes first.
    _driver: Driver,
    _profile: TempDir,
}

impl Window {
    /// Starts a browser for the shop at this address. One that does not come up on a busy machine
    /// is no fault of the shop's: another one is started.
    pub async fn open(base: &str) -> Self {
        let mut tried = 1;
        loop {
            match Self::start(base).await {
                Ok(window) => return window,
                Err(error) if tried < STARTS_MAX => eprintln!("no browser, try {tried}: {error}"),
                Err(error) => panic!("no browser: {error}"),
            }
            tried += 1;
        }
    }

    async fn start(base: &str) -> Result<Self, NewSessionError> {
        let (driver, profile) = (Driver::start(), tempfile::tempdir().expect("a temporary folder"));
        let profile_flag = format!("--user-data-dir={}", profile.path().display());
        let flags: Vec<&str> = FLAGS.iter().copied().chain([profile_flag.as_str()]).collect();
        let capabilities = json!({
            "goog:chromeOptions": {"binary": setting(CHROMIUM), "args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": SCRIPT_MS_MAX},
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&driver.url).await?;
        let window = Self { client, base: base.to_owned(), _driver: driver, _profile: profile };
        window.resize(DESK).await;
        Ok(window)
    }

    /// A command of the browser's own protocol (CDP).
    pub async fn cdp(&self, method: &'static str, parameters: Value) -> Value {
        let body = json!({"cmd": method, "params": parameters});
        let answer = self.client.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Makes the page this wide.
    pub async fn resize(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// What the person prefers: `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.cdp("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// From now on, pages run no script of their own.
    pub async fn without_script(&self) {
        self.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// Goes to a page of the shop.
    pub async fn goto(&self, path: &str) {
        let address = format!("{}{path}", self.base);
        self.client.goto(&address).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Path and query of the page.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("there is a page");
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path())
    }

    /// Runs a function's body in the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.expect("the script runs")
    }

    /// As [`Window::run`]; none while the page is about to give way to another one.
    pub async fn tries(&self, script: &str) -> Option<Value> {
        self.client.execute(script, vec![]).await.ok()
    }

    /// As [`Window::run`], for a script that answers through its last argument.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.expect("the script runs")
    }

    /// The text of the first element that fits, as a person reads it; none when nothing fits.
    pub async fn text_of(&self, css: &str) -> Option<String> {
        let element = self.client.find(Locator::Css(css)).await.ok()?;
        element.text().await.ok()
    }

    /// Waits until `ready` holds for the page.
    pub async fn until<T>(&self, what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(found) = ready().await {
                return found;
            }
            if since.elapsed() > PATIENCE {
                let main = self.text_of("body").await.unwrap_or_default();
                panic!("waited for {what} at {}, where it says:\n{main}", self.path().await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until an element shows this text; gives all of the element's text.
    pub async fn sees_in(&self, css: &str, text: &str) -> String {
        let what = format!("{text:?} in {css}");
        let wanted = text.to_lowercase();
        self.until(&what, async || {
            let shown = self.text_of(css).await?;
            shown.to_lowercase().contains(&wanted).then_some(shown)
        })
        .await
    }

    /// Waits until the browser is at a path that begins so; gives path and query.
    pub async fn arrives(&self, begin: &str) -> String {
        self.until(&format!("the page {begin}"), async || {
            let path = self.path().await;
            path.starts_with(begin).then_some(path)
        })
        .await
    }

    /// Waits for an element that a person can see.
    pub async fn find(&self, css: &str) -> Element {
        self.until(css, async || {
            for element in self.client.find_all(Locator::Css(css)).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        })
        .await
    }

    /// Types into the field of this name, in place of what stands there.
    pub async fn types(&self, name: &str, text: &str) {
        let css = format!("main [name='{name}']");
        let field = self.find(&css).await;
        field.clear().await.unwrap_or_else(|error| panic!("{css}: {error}"));
        field.send_keys(text).await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Chooses the option with this value.
    pub async fn chooses(&self, name: &str, value: &str) {
        let field = self.find(&format!("main select[name='{name}']")).await;
        field.select_by_value(value).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Presses the button or follows the link with this text, as a person would, within the element
    /// that the XPath `within` finds, such as `//main`.
    pub async fn presses_in(&self, within: &str, label: &str) {
        let xpath = format!(
            "{within}//*[self::button or self::a or self::summary]\
             [normalize-space(.)='{label}' or @aria-label='{label}']"
        );
        let element = self
            .until(&format!("a button or link {label:?}"), async || {
                for element in self.client.find_all(Locator::XPath(&xpath)).await.ok()? {
                    if element.is_displayed().await.unwrap_or(false) {
                        return Some(element);
                    }
                }
                None
            })
            .await;
        element.click().await.unwrap_or_else(|error| panic!("{label}: {error}"));
    }

    /// What the browser has written into its console since the last look: script errors, refused
    /// scripts and styles, addresses that do not load.
    pub async fn console(&self) -> Vec<String> {
        let asked = Vendor { path: "se/log", body: json!({"type": "browser"}) };
        let entries = self.client.issue_cmd(asked).await.expect("the browser keeps a log");
        let entries = entries.as_array().expect("entries").clone();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Writes picture and source of the page into a folder; gives what the names begin with.
    pub async fn keep(&self, folder: &str, name: &str) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("..").join(folder);
        std::fs::create_dir_all(&folder).expect("a folder below target");
        let path = folder.join(name);
        let whole = json!({"captureBeyondViewport": true, "format": "png"});
        let picture = self.cdp("Page.captureScreenshot", whole).await;
        let picture = base64::Engine::decode(
            &base64::prelude::BASE64_STANDARD,
            picture["data"].as_str().unwrap_or_default(),
        );
        std::fs::write(path.with_extension("png"), picture.expect("base64")).expect("written");
        path
    }

    /// The page's source.
    pub async fn source(&self) -> String {
        self.client.source().await.unwrap_or_default()
    }

    /// Ends the browser. What it has not ended itself is killed with its driver.
    pub async fn close(self) {
        if let Err(error) = self.client.close().await {
            eprintln!("the browser does not end by itself: {error}");
        }
    }
}

/// A command that only this driver knows.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(
        &self,
        base_url: &Url,
        session_id: Option<&str>,
    ) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
