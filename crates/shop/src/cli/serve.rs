//! `runout serve`.

use anyhow::{Context, Result};
use runout_shop::platform::cache;
use runout_shop::platform::config::Config;
use runout_shop::platform::server::{self, Limits};
use runout_shop::platform::telemetry;
use runout_shop::{app, catalog, channels, delivery, jobs};

use super::{data, open};

/// Serves until SIGTERM or SIGINT: then no new connection is accepted, requests under way are
/// answered, the stock writer decides what waits.
pub(super) async fn serve(config: &Config, demo: bool) -> Result<()> {
    let listener = server::listen(config.listen)
        .with_context(|| format!("cannot listen on {}: choose another --listen", config.listen))?;
    let app = open(config).await?;
    cache::begin(&app.db, app.clock.now()).await?;
    if demo && catalog::queries::is_empty(&app.db).await? {
        data::load_fixture(&app).await?;
    }
    let token = server::cancelled_by_signals()?;
    tokio::spawn(telemetry::upkeep(token.clone()));
    let jobs = tokio::spawn(jobs::run(app.clone(), token.clone()));
    let deliveries = delivery::run(app.clone(), (&config.delivery).into(), token.clone());
    let deliveries = tokio::spawn(deliveries);
    let settings = channels::Settings::new(&config.channels, &app.clock);
    let crawler = tokio::spawn(channels::run(app.clone(), settings, token.clone()));
    let (desk, ending) = (app.clone(), token.clone());
    // Streams would go on for ever: they end when the drain begins.
    tokio::spawn(async move {
        ending.cancelled().await;
        desk.desk.close();
    });
    let address = listener.local_addr()?;
    tracing::info!(%address, "Runout is open: http://{address}/docs shows the API");
    let router = app::router(app.clone(), config);
    server::serve(listener, router, Limits::from(&config.http), token).await;
    if jobs.await.is_err() || deliveries.await.is_err() || crawler.await.is_err() {
        tracing::error!("the background jobs failed");
    }
    app.stop().await;
    tracing::info!("Runout has stopped");
    Ok(())
}
