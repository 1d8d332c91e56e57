//! The command line. Others build on it: names and flags stay.

mod admin;
mod channels;
mod data;
mod health;
mod journal;
mod keys;
mod serve;
mod sync;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use runout_shop::App;
use runout_shop::catalog::import::Encoding;
use runout_shop::platform::clock::Clock;
use runout_shop::platform::config::{Config, ConfigArgs};
use runout_shop::platform::seal::Sealer;
use runout_shop::platform::telemetry;
use runout_shop::sealed;
use runout_store::Db;

#[derive(Parser)]
#[command(name = "runout", version, about = "Sells things that run out, never one too many.")]
struct Cli {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the shop; brings the database up to date first
    Serve {
        /// Load the demo data if the shop is empty
        #[arg(long)]
        demo: bool,
    },
    /// Brings the database up to date
    Migrate,
    /// Creates an account that may do everything; prompts for what is missing
    Createsuperuser {
        #[arg(long)]
        username: Option<String>,
        #[arg(long)]
        email: Option<String>,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Loads the demo data: five hundred records, and the customer matt
    LoadFixture,
    /// Imports from a file, or from another system
    #[command(subcommand)]
    Import(Import),
    /// Compares with destinations that mirror the shop
    #[command(subcommand)]
    Sync(Sync),
    /// Marketplace channels: lists them, or syncs one
    #[command(subcommand)]
    Channels(Channels),
    /// Proves every invariant on the live database; fails with the differences
    Verify,
    /// Writes a consistent copy of a SQLite database, while it is in use
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Seals the secrets in the database anew with the first key; can be stopped and run again
    RotateKeys {
        /// Put a new key in front of those in the key file first
        #[arg(long)]
        generate: bool,
    },
    /// Prints the API's description (OpenAPI 3.1)
    Openapi,
    /// Asks a running server whether it is ready
    Healthcheck,
}

#[derive(Subcommand)]
enum Import {
    /// A CSV file with columns such as title, artist, year, price, quantity, or a Discogs export
    Discs {
        file: PathBuf,
        /// utf-8, latin-1, mac-roman or mac-roman-twice [default: recognised]
        #[arg(long)]
        encoding: Option<Encoding>,
    },
    /// Posts and comments of JSONPlaceholder, or of a system that speaks as it does
    Jsonplaceholder {
        /// Where /posts and /comments lie
        #[arg(long, default_value = runout_shop::journal::import::URL_DEFAULT)]
        url: String,
        /// Replace what differs, and what has the same numbers and did not come from there
        #[arg(long)]
        overwrite: bool,
    },
}

#[derive(Subcommand)]
enum Channels {
    /// Prints every channel, how it is and when it is synced
    List,
    /// Syncs a channel now, and follows it to its end
    Sync {
        /// Its name
        name: String,
        /// Read everything once more, not only what is new
        #[arg(long)]
        full: bool,
    },
}

#[derive(Subcommand)]
enum Sync {
    /// Compares a destination of the kind rest with the shop, record by record; fails with the
    /// drift
    Check {
        /// Its name or its id
        destination: String,
        /// Have everything that differs sent again (a running server sends it)
        #[arg(long)]
        repair: bool,
    },
}

/// Runs the program; an error is one line that says what to do.
pub(crate) fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            let text = format!("{error:#}").replace('\n', " ");
            eprintln!("runout: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    if let Command::Openapi = cli.command {
        println!("{}", runout_shop::app::openapi().to_pretty_json()?);
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(&cli.config)?;
    telemetry::start_logging(&config.log).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command(cli.command, config))
}

async fn command(command: Command, config: Config) -> Result<ExitCode> {
    match command {
        Command::Serve { demo } => serve::serve(&config, demo).await?,
        Command::Migrate => admin::migrate(&config).await?,
        Command::Createsuperuser { username, email, password_stdin } => {
            admin::create_superuser(&config, username, email, password_stdin).await?;
        }
        Command::LoadFixture => {
            let app = open(&config).await?;
            let loaded = data::load_fixture(&app).await;
            app.stop().await;
            loaded?;
        }
        Command::Import(Import::Discs { file, encoding }) => {
            let app = open(&config).await?;
            let imported = data::import_discs(&app, &file, encoding).await;
            app.stop().await;
            return imported;
        }
        Command::Sync(Sync::Check { destination, repair }) => {
            let app = open(&config).await?;
            let checked = sync::check(&app, &config, &destination, repair).await;
            app.stop().await;
            return checked;
        }
        Command::Import(Import::Jsonplaceholder { url, overwrite }) => {
            let app = open(&config).await?;
            let imported = journal::import(&app, url, overwrite).await;
            app.stop().await;
            return imported;
        }
        Command::Channels(Channels::List) => {
            let app = open(&config).await?;
            let listed = channels::list(&app).await;
            app.stop().await;
            return listed;
        }
        Command::Channels(Channels::Sync { name, full }) => {
            let app = open(&config).await?;
            let synced = channels::sync(&app, &config, &name, full).await;
            app.stop().await;
            return synced;
        }
        Command::Verify => return admin::verify(&config).await,
        Command::Backup { file } => admin::backup(&config, &file).await?,
        Command::RotateKeys { generate } => return keys::rotate(&config, generate).await,
        Command::Healthcheck => health::check(config.listen)?,
        Command::Openapi => unreachable!("answered before the configuration was read"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the database, up to date.
async fn open_db(config: &Config) -> Result<Db> {
    let db = Db::open(&config.database_url)?;
    for name in runout_store::migrate(&db).await.context("the database cannot be used")? {
        tracing::info!(migration = name, "migrated");
    }
    Ok(db)
}

/// Opens the database, up to date, with the keys that its secrets are sealed with.
async fn open_sealed(config: &Config) -> Result<(Db, Sealer)> {
    let db = open_db(config).await?;
    let sealer = sealed::begin(&db, &config.seal, &config.database_url).await?;
    Ok((db, sealer))
}

async fn open(config: &Config) -> Result<App> {
    let (db, sealer) = open_sealed(config).await?;
    Ok(App::new(db, Clock::system(), config, sealer))
}
