//! Commands for whoever runs the shop: migrate, createsuperuser, verify, backup.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use runout_shop::platform::config::{Config, KeySource};
use runout_shop::{accounts, sealed};
use runout_store::{Db, Engine};

use super::{open, open_db};

pub(super) async fn migrate(config: &Config) -> Result<()> {
    let db = Db::open(&config.database_url)?;
    let ran = runout_store::migrate(&db).await?;
    for name in &ran {
        println!("{name}");
    }
    sealed::begin(&db, &config.seal, &config.database_url).await?;
    println!("{}", if ran.is_empty() { "nothing to do" } else { "up to date" });
    Ok(())
}

pub(super) async fn create_superuser(
    config: &Config,
    username: Option<String>,
    email: Option<String>,
    password_stdin: bool,
) -> Result<()> {
    let username = username.map_or_else(|| prompt("Username", "--username"), Ok)?;
    let email = email.map_or_else(|| prompt("E-mail", "--email"), Ok)?;
    let password = if password_stdin { first_line()? } else { secret()? };
    let app = open(config).await?;
    let created = accounts::create_superuser(&app, &username, &email, &password).await;
    app.stop().await;
    println!("superuser {} created", created?.username);
    Ok(())
}

fn prompt(what: &str, flag: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("{what} is missing: give it with {flag}");
    }
    print!("{what}: ");
    std::io::stdout().flush()?;
    first_line()
}

fn secret() -> Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("the password is missing: pipe it in and give --password-stdin");
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Password (again): ")? != password {
        bail!("the passwords differ: try again");
    }
    Ok(password)
}

fn first_line() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

pub(super) async fn verify(config: &Config) -> Result<ExitCode> {
    let db = open_db(config).await?;
    let sealer = sealed::keys_at_hand(&config.seal, &config.database_url)?;
    let report = runout_shop::verify::verify(&db, &sealer).await?;
    print!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn backup(config: &Config, file: &Path) -> Result<()> {
    let db = Db::open(&config.database_url)?;
    if db.engine() == Engine::Postgres {
        bail!("PostgreSQL is backed up with its own tools: pg_dump --format=custom DATABASE_URL");
    }
    if file.exists() {
        bail!("{} exists already: give the name of a new file", file.display());
    }
    db.backup(file).await.with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    let keys = match config.seal.source(&config.database_url) {
        KeySource::File(path) => format!("the key file {}", path.display()),
        KeySource::Text(_) => "the keys of RUNOUT_SEAL_KEY".to_owned(),
    };
    eprintln!("not included: {keys}, without which the secrets in this copy cannot be read");
    Ok(())
}
