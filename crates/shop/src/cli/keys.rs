//! `runout rotate-keys`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use runout_shop::platform::config::{Config, KeySource};
use runout_shop::platform::seal::{LOOK_EVERY, Sealer};
use runout_shop::sealed::{self, SealedColumn, Swept};
use runout_store::Db;

use super::open_sealed;

/// Values that do not open and are named, of each column.
const FAULTS_SHOWN: usize = 20;
/// How long servers take to seal with a new key: they look at the file once in a while, and what
/// they have begun with the former one is stored soon.
const TAKE_OVER: Duration = Duration::from_secs(2);
const _: () = assert!(TAKE_OVER.as_millis() > LOOK_EVERY.as_millis(), "they must have looked");

/// Seals everything anew with the first key; fails if something does not open.
pub(super) async fn rotate(config: &Config, generate: bool) -> Result<ExitCode> {
    if generate && matches!(config.seal.source(&config.database_url), KeySource::Text(_)) {
        bail!("the keys come from seal.key: put a new one in front there, instead of --generate");
    }
    let (db, sealer) = open_sealed(config).await?;
    if generate {
        let key_id = sealer.add_key()?;
        println!("a new key, {key_id}, stands first in {}", file_of(&sealer));
        // Running servers have to read it first: what they seal until then is found below.
        tokio::time::sleep(TAKE_OVER).await;
    }
    let mut faults = 0;
    sealed::rotate(&db, &sealer, |column, swept| faults += told(column, swept)).await?;
    tell_unused(&db, &sealer).await?;
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn file_of(sealer: &Sealer) -> String {
    sealer.file().map_or("seal.key".to_owned(), |file| file.display().to_string())
}

fn told(column: &SealedColumn, swept: &Swept) -> usize {
    println!("{}: {} sealed anew", column.name(), swept.sealed);
    for fault in swept.faults.iter().take(FAULTS_SHOWN) {
        eprintln!("{fault}");
    }
    if swept.faults.len() > FAULTS_SHOWN {
        eprintln!("and {} more that do not open", swept.faults.len() - FAULTS_SHOWN);
    }
    swept.faults.len()
}

async fn tell_unused(db: &Db, sealer: &Sealer) -> Result<()> {
    let unused = sealed::unused_keys(db, sealer).await?;
    let key_ids = sealer.key_ids();
    for key_id in key_ids.iter().skip(1) {
        match unused.contains(key_id) {
            true => println!("the former key {key_id} seals nothing any more"),
            false => println!("the former key {key_id} is still needed"),
        }
    }
    if !unused.is_empty() {
        println!("take a key out of {} when no backup needs it any more", file_of(sealer));
    }
    Ok(())
}
