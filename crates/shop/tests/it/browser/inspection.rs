//! What a page is looked at for: accessibility (axe-core), width, the browser's own complaints.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::driver::setting;
use super::window::{DESK, PHONE, Window};

const SCREENSHOTS: &str = "RUNOUT_TEST_SCREENSHOTS";

/// axe-core's one file, which `make test` fetches.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = setting("RUNOUT_TEST_AXE");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
});

/// WCAG 2.2 A and AA, and what axe's authors hold to be good besides.
const ALL_RULES: &str =
    r#"["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]"#;
/// What the colours alone may break.
const COLOUR_RULES: &str = r#"["color-contrast"]"#;

/// Runs the rules of the first argument; answers with what is serious or critical.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, {runOnly: arguments[0], resultTypes: ['violations']}).then(results => {
        const grave = results.violations.filter(v => ['serious', 'critical'].includes(v.impact));
        done(grave.map(v => `${v.id} (${v.impact}): ${v.help}\\n` + v.nodes.slice(0, 5).map(
            node => `  ${node.html}\\n    ${node.failureSummary.replaceAll('\\n', ' ')}`
        ).join('\\n')));
    }, error => done([String(error)]));";

/// Elements that reach beyond the window where the document can be scrolled sideways.
const TOO_WIDE: &str = "
    const root = document.documentElement;
    if (root.scrollWidth <= window.innerWidth) return [];
    const held = element => {
        for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
            if (getComputedStyle(up).overflowX !== 'visible') return true;
        }
        return false;
    };
    const wide = [...document.body.querySelectorAll('*')].filter(
        element => element.getBoundingClientRect().right > window.innerWidth + 1 && !held(element));
    return [`${root.scrollWidth} px wide`].concat(
        wide.slice(0, 5).map(element => element.outerHTML.slice(0, 160)));";

impl Window {
    /// Looks at the page as it stands, on a phone and on a desk, light and dark. Gives what is
    /// wrong with it.
    pub async fn inspect(&self, name: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        self.run(&format!("if (!window.axe) {{ {} }}", *AXE), vec![]).await;
        for (width, kind, first, second) in
            [(PHONE, "phone", "light", "dark"), (DESK, "desk", "dark", "light")]
        {
            self.resize(width).await;
            for line in texts(&self.run(TOO_WIDE, vec![]).await) {
                wrong.push(format!("{name} on a {kind} scrolls sideways: {line}"));
            }
            // What is not about colours is the same in both schemes.
            for (scheme, rules) in [(first, ALL_RULES), (second, COLOUR_RULES)] {
                self.prefer(scheme).await;
                let rules = serde_json::from_str(rules).expect("a list");
                for violation in texts(&self.run_async(RUN, vec![rules]).await) {
                    wrong.push(format!("{name} on a {kind}, {scheme}: {violation}"));
                }
                if std::env::var(SCREENSHOTS).is_ok_and(|value| value == "1") {
                    self.keep("screenshots", &format!("{name}-{width}-{scheme}")).await;
                }
            }
        }
        wrong.extend(self.console().await.iter().map(|line| format!("{name}: {line}")));
        wrong
    }
}

fn texts(answer: &Value) -> Vec<String> {
    let lines = answer.as_array().unwrap_or_else(|| panic!("no list: {answer}"));
    lines.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

/// A file's name for a path.
pub fn file_name(path: &str) -> String {
    let name: String =
        path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "home".to_owned() } else { name.to_owned() }
}

mod tests {
    use super::*;
    use crate::browser::{Stage, journey};
    use crate::support::{Engine, TestShop};

    /// A page that breaks every rule: what finds nothing here finds nothing anywhere.
    const BAD_PAGE: &str = "<!doctype html><html><head><title></title></head><body>\
    <img src='/none.png'><p style='color:red'>grey</p><input name='q'></body></html>";
    /// Scripts may set what attributes may not.
    const BAD_STYLE: &str = "const style = document.querySelector('p').style;
    style.color = '#999'; style.background = '#aaa'; style.width = '2000px';";

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_inspection_finds_what_is_wrong() {
        let shop = TestShop::new(Engine::Sqlite).await;
        let stage = Stage::set(&shop, &[]).await;
        journey("inspection", &stage, async |window| {
            window.goto("/accounts/login/").await;
            let script = "document.open(); document.write(arguments[0]); document.close();";
            window.run(script, vec![json!(BAD_PAGE)]).await;
            window.run(BAD_STYLE, vec![]).await;
            let wrong = window.inspect("bad").await.join("\n");
            for part in [
                "image-alt (critical)",
                "label (critical)",
                "color-contrast (serious)",
                "html-has-lang (serious)",
                "on a phone scrolls sideways",
                "none.png",
            ] {
                assert!(wrong.contains(part), "{part} was not found: {wrong}");
            }
            // Inline styles are forbidden, which the browser says too.
            assert!(wrong.contains("Content Security Policy"), "{wrong}");
        })
        .await;
    }
}
