//! `runout channels`: which ones there are, and a sync of one with a progress bar.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use runout_shop::App;
use runout_shop::channels::access::Scope;
use runout_shop::channels::commands::{self, Asking};
use runout_shop::channels::model::{Channel, RunState, SyncRun};
use runout_shop::channels::progress::{self, ChannelProgress};
use runout_shop::channels::queries::{self, CHANNELS};
use runout_shop::channels::{self, Settings};
use runout_shop::platform::command::{Caller, Outcome};
use runout_shop::platform::config::Config;
use runout_shop::platform::etag::IfMatch;
use runout_shop::platform::page::ListRequest;
use runout_shop::platform::problem::Problem;
use tokio_util::sync::CancellationToken;

/// How often the progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Prints every channel, how it is and when it is synced.
pub(super) async fn list(app: &App) -> Result<ExitCode> {
    let first = "/?limit=100".parse().context("a list of channels can be asked for")?;
    let mut request = ListRequest::from_uri(&CHANNELS, &first).map_err(sentence)?;
    loop {
        let page = queries::page(app, Scope::Every, &request).await?;
        for channel in &page.items {
            let Channel { name, shop, provider, state, state_reason, .. } = channel;
            let reason = state_reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let schedule = match channel.sync_minutes {
                Some(minutes) => format!("every {minutes} min"),
                None => "when asked".to_owned(),
            };
            let (provider, state) = (provider.as_str(), state.as_str());
            println!("{name}\t{provider}\t{shop}\t{state}{reason}\t{schedule}");
        }
        let Some(next) = page.next else { return Ok(ExitCode::SUCCESS) };
        let next = format!("/?limit=100&cursor={next}").parse().context("a cursor is ASCII")?;
        request = ListRequest::from_uri(&CHANNELS, &next).map_err(sentence)?;
    }
}

fn sentence(problem: Problem) -> anyhow::Error {
    anyhow::anyhow!(problem.words().to_owned())
}

/// Asks for a sync, crawls in this process beside whoever else does, and follows it to its end.
/// Fails when the channel rests or is refused, or there is none of this name.
pub(super) async fn sync(app: &App, config: &Config, name: &str, full: bool) -> Result<ExitCode> {
    let Some(channel) = queries::named(app, name).await? else {
        bail!("there is no channel {name:?}: runout channels list names them");
    };
    let before = newest_run(app, &channel).await?;
    let asking = if full { Asking::Full } else { Asking::Sync };
    let (caller, any) = (Caller::default(), IfMatch::Any);
    match commands::ask(app, caller, Scope::Every, channel.id, asking, any).await? {
        Outcome::Accepted(_) => {}
        Outcome::Refused(refused) => return Err(sentence(refused.into())),
        Outcome::Replayed { .. } | Outcome::KeyReused => unreachable!("no key was given"),
    }
    let stop = CancellationToken::new();
    let settings = Settings::new(&config.channels, &app.clock);
    let crawler = tokio::spawn(channels::run(app.clone(), settings, stop.clone()));
    let followed = follow(app, &channel, before).await;
    stop.cancel();
    crawler.await.context("the crawler failed")?;
    let run = followed?;
    print(&run);
    let is_done = run.state == RunState::Done;
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The number of the newest run that has ended.
async fn newest_run(app: &App, channel: &Channel) -> Result<Option<i64>> {
    let progress = progress::progress(app, channel).await?;
    let ended = |progress: ChannelProgress| (!progress.running).then_some(progress.run).flatten();
    Ok(progress.and_then(ended).map(|run| run.id))
}

async fn follow(app: &App, channel: &Channel, before: Option<i64>) -> Result<SyncRun> {
    let is_shown = std::io::stderr().is_terminal();
    let bar = if is_shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = "{bar:40} {pos}/{len} details, {msg} {elapsed}";
    bar.set_style(ProgressStyle::with_template(style).expect("a well-formed template"));
    loop {
        let Some(channel) = queries::find(app, Scope::Every, channel.id).await? else {
            bail!("the channel was deleted");
        };
        let Some(progress) = progress::progress(app, &channel).await? else {
            bail!("the channel was deleted");
        };
        if !channel.state.works() {
            let reason = channel.state_reason.unwrap_or_else(|| "somebody paused it".to_owned());
            bail!("the channel is {}: {reason}", channel.state.as_str());
        }
        show(&bar, &progress);
        let newer = progress.run.filter(|run| Some(run.id) != before);
        if let Some(run) = newer.filter(|run| run.state != RunState::Running) {
            bar.finish_and_clear();
            return Ok(run);
        }
        tokio::time::sleep(app.clock.real(LOOK_EVERY)).await;
    }
}

fn show(bar: &ProgressBar, progress: &ChannelProgress) {
    let Some(run) = &progress.run else { return };
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    bar.set_length(count(run.details + progress.details_left));
    bar.set_position(count(run.details));
    let pages = format!("{} pages, {} calls", run.pages, run.calls);
    let rest = match (&progress.problem, progress.seconds_left) {
        (Some(problem), _) => format!("{pages}; {problem}"),
        (None, Some(seconds)) => format!("{pages}, about {seconds} s left"),
        (None, None) => pages,
    };
    bar.set_message(rest);
}

fn print(run: &SyncRun) {
    let SyncRun { pages, found, details, calls, refused, .. } = run;
    println!("{}: {pages} pages, {found} new shipments, {details} details", run.state.as_str());
    println!("{calls} calls, {refused} refused, {} failed, {} tokens", run.failed, run.tokens);
    if run.quarantined > 0 {
        println!("{} shipments could not be read: see the back office", run.quarantined);
    }
}
