//! Logs and metrics: what operators see.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::config::{Log, LogFormat};

/// Upper bounds of the buckets of every histogram in seconds.
const SECONDS: [f64; 14] =
    [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds of the buckets of histograms that count things, such as a batch's commands.
const SIZES: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 10_000.0];
/// How often recorded samples are sorted into buckets. Until then each takes memory.
const UPKEEP_PAUSE: Duration = Duration::from_secs(5);

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the process's metrics recorder, once; later calls give the same.
///
/// # Panics
/// When another recorder was installed before: a defect.
pub fn metrics() -> &'static PrometheusHandle {
    METRICS.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets(&SIZES)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            })
            .expect("the buckets are not empty")
            .install_recorder()
            .expect("this is the only place that installs a recorder")
    })
}

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    metrics().render()
}

/// Keeps the recorder's memory bounded until the token is cancelled.
pub async fn upkeep(token: CancellationToken) {
    let metrics = metrics();
    while token.run_until_cancelled(tokio::time::sleep(UPKEEP_PAUSE)).await.is_some() {
        metrics.run_upkeep();
    }
}

/// Starts logging to standard error.
///
/// # Errors
/// When the level makes no sense, or logging was started before: one line that says so.
pub fn start_logging(log: &Log) -> Result<(), String> {
    let filter = filter(&log.level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    started.map_err(|error| format!("logging cannot be started: {error}"))
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(level).map_err(|error| {
        format!("log level {level:?}: {error}; write info, or info,runout_shop=debug")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_installed_once_and_rendered_in_buckets() {
        metrics();
        metrics();
        metrics::histogram!("telemetry_test_seconds").record(0.003);
        metrics::histogram!("telemetry_test_size").record(7.0);
        metrics::counter!("telemetry_test_total").increment(2);
        let text = render();
        assert!(text.contains("telemetry_test_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("telemetry_test_size_bucket{le=\"10\"} 1"), "{text}");
        assert!(text.contains("telemetry_test_total 2"), "{text}");
    }

    #[test]
    fn levels_are_checked() {
        assert!(filter("info").is_ok() && filter("warn,runout_shop=debug").is_ok());
        assert!(filter("runout_shop=loud").is_err());
    }

    #[tokio::test]
    async fn upkeep_ends_with_its_token() {
        let token = CancellationToken::new();
        token.cancel();
        upkeep(token).await;
    }
}
