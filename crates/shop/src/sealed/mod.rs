//! Which columns hold sealed secrets, and what is done with all of them: sealing what lies open
//! when the shop starts, sealing anew under another key, proving that they open.
//!
//! Owns no table: each capability seals what it stores. What always holds once a shop has started:
//! - Every value of a registered column is sealed, under a key that the shop has.
//! - A sealed value is replaced only if it is still the one that was opened, so that whoever
//!   changes it at the same time wins.

mod commands;
mod queries;

use std::path::PathBuf;

use runout_store::{DatabaseUrl, Db, Error, Result, Value};

use crate::platform::config::{KeySource, Seal, keys_of};
use crate::platform::seal::{KeyError, Keys, Place, SealError, Sealer, is_sealed};
use commands::Replacement;
use queries::{Found, Which};

/// A column that holds sealed secrets.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedColumn {
    pub table: &'static str,
    pub column: &'static str,
    /// The primary key.
    key: &'static [KeyColumn],
    open: Open,
}

/// A column of a primary key.
#[derive(Debug, PartialEq, Eq)]
enum KeyColumn {
    Int(&'static str),
    Text(&'static str),
}

/// What a value looks like that is not sealed yet.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    /// As the secret itself.
    Text,
    /// Bytes in hexadecimal digits.
    Hex,
}

impl SealedColumn {
    const fn text(table: &'static str, column: &'static str, key: &'static [KeyColumn]) -> Self {
        Self { table, column, key, open: Open::Text }
    }

    const fn bytes(table: &'static str, column: &'static str, key: &'static [KeyColumn]) -> Self {
        Self { table, column, key, open: Open::Hex }
    }

    /// Where the value of a row lies; its primary key's columns are joined by `/`.
    fn place(&self, row: &str) -> Place {
        Place::new(self.table, self.column, row)
    }

    /// `table.column`, as people are told of it.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}

use KeyColumn::{Int, Text};

/// Every column that holds sealed secrets. The first one is never empty, and sealed before all
/// others: of two nodes that start at once with keys of their own, the second one notices.
pub static COLUMNS: &[SealedColumn] = &[
    SealedColumn::bytes("signing_secret", "secret", &[Text("name")]),
    SealedColumn::text("destination", "url", &[Int("id")]),
    SealedColumn::text("destination_secret", "secret", &[Int("destination_id"), Int("number")]),
    SealedColumn::bytes("second_factor", "secret", &[Int("account_id")]),
    SealedColumn::text("channel", "secret", &[Int("id")]),
    SealedColumn::text("channel_token", "token", &[Int("channel_id")]),
];

/// Why a shop does not start with its keys. Names no key, but ids of keys.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error(
        "the secrets in the database are sealed with {}, but there is no key file {}: put the file \
         there that the shop was served with, or name it with --seal-key-file",
        keys_in_words(.key_ids), .path.display()
    )]
    KeyFileLost { path: PathBuf, key_ids: Vec<String> },
    #[error(
        "secrets in the database are sealed with {}, which {place} does not hold: all nodes need \
         the same keys, those that sealed what is there among them",
        keys_in_words(.key_ids)
    )]
    UnknownKeys { key_ids: Vec<String>, place: String },
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the sealed secrets cannot be read")]
    Store(#[from] Error),
}

fn keys_in_words(ids: &[String]) -> String {
    let noun = if ids.len() == 1 { "the key" } else { "the keys" };
    format!("{noun} {}", ids.join(", "))
}

/// Gets the keys, and sees to it that all secrets lie sealed under them: to be called when the
/// schema is up to date and before anything reads a secret.
///
/// Where nothing is sealed and there is no key file yet, one with a new key is made.
///
/// # Errors
/// [`BeginError`]: nothing was sealed then.
pub async fn begin(
    db: &Db,
    settings: &Seal,
    url: &DatabaseUrl,
) -> std::result::Result<Sealer, BeginError> {
    let sealer = match settings.source(url) {
        KeySource::Text(text) => Sealer::new(keys_of(&text)?),
        KeySource::File(path) => from_file(db, path).await?,
    };
    seal_open_rows(db, &sealer).await?;
    Ok(sealer)
}

async fn from_file(db: &Db, path: PathBuf) -> std::result::Result<Sealer, BeginError> {
    let missing = match Sealer::from_file(&path) {
        Err(KeyError::Missing(_)) => queries::key_ids(db).await?,
        other => return Ok(other?),
    };
    if !missing.is_empty() {
        return Err(BeginError::KeyFileLost { path, key_ids: missing });
    }
    let (sealer, is_new) = Sealer::from_file_or_new(&path)?;
    if is_new {
        let path = std::path::absolute(&path).unwrap_or(path);
        let key_id = sealer.key_ids().concat();
        tracing::info!(path = %path.display(), key_id, "a key for the secrets in the database was \
            made: keep a copy of this file apart from the database's backups");
    }
    Ok(sealer)
}

/// The keys as they are, without sealing anything; none, if there is no key file.
///
/// # Errors
/// When there are keys that cannot be read.
pub fn keys_at_hand(settings: &Seal, url: &DatabaseUrl) -> std::result::Result<Sealer, KeyError> {
    match settings.source(url) {
        KeySource::Text(text) => Ok(Sealer::new(keys_of(&text)?)),
        KeySource::File(path) => match Sealer::from_file(&path) {
            Err(KeyError::Missing(_)) => Ok(Sealer::new(Keys::none())),
            other => other,
        },
    }
}

/// Refuses keys that do not open what is sealed.
async fn check_keys(db: &Db, sealer: &Sealer) -> std::result::Result<(), BeginError> {
    let known = sealer.key_ids();
    let mut key_ids = queries::key_ids(db).await?;
    key_ids.retain(|id| !known.contains(id));
    if key_ids.is_empty() {
        return Ok(());
    }
    let place = sealer.file().map_or("seal.key".to_owned(), |file| file.display().to_string());
    Err(BeginError::UnknownKeys { key_ids, place })
}

/// Seals what is not sealed yet, and gives how many values that were. Again, it does nothing.
///
/// # Errors
/// [`BeginError::UnknownKeys`] before anything is sealed that others could then not open; those of
/// the database.
pub async fn seal_open_rows(db: &Db, sealer: &Sealer) -> std::result::Result<u64, BeginError> {
    check_keys(db, sealer).await?;
    commands::overwrite_what_is_deleted(db, true).await?;
    let mut sealed = 0;
    for column in COLUMNS {
        let swept = sweep(db, sealer, column, &Which::Open).await?;
        if swept.sealed > 0 {
            tracing::info!(values = swept.sealed, "{} is sealed from now on", column.name());
        }
        for fault in &swept.faults {
            tracing::error!(%fault, "a secret was not sealed");
        }
        sealed += swept.sealed;
        // Another node may have been faster, with another key.
        check_keys(db, sealer).await?;
    }
    commands::overwrite_what_is_deleted(db, false).await?;
    Ok(sealed)
}

/// What became of the values of a column.
#[derive(Debug, Default)]
pub struct Swept {
    /// Values that were sealed, or sealed anew.
    pub sealed: u64,
    /// Values that do not open: they stay as they are.
    pub faults: Vec<SealError>,
}

/// Seals the values of a column with the first key, so many at a time.
async fn sweep(
    db: &Db,
    sealer: &Sealer,
    column: &'static SealedColumn,
    which: &Which,
) -> Result<Swept> {
    let mut swept = Swept::default();
    let mut after: Vec<Value> = Vec::new();
    loop {
        let page = queries::page(db, column, which, &after).await?;
        let Some(last) = page.last() else { return Ok(swept) };
        after = last.key.clone();
        let mut replacements = Vec::with_capacity(page.len());
        for found in page {
            match sealed_anew(sealer, column, &found) {
                Ok(value) => replacements.push(Replacement { found, value }),
                Err(fault) => swept.faults.push(fault),
            }
        }
        swept.sealed += commands::replace(db, column, replacements).await?;
    }
}

fn sealed_anew(
    sealer: &Sealer,
    column: &SealedColumn,
    found: &Found,
) -> std::result::Result<String, SealError> {
    let place = column.place(&found.row);
    if is_sealed(&found.value) {
        let opened = sealer.open(&place, &found.value)?;
        return Ok(sealer.seal(&place, opened.expose()));
    }
    match column.open {
        Open::Text => Ok(sealer.seal(&place, found.value.as_bytes())),
        Open::Hex => match bytes_of(&found.value) {
            Some(bytes) => Ok(sealer.seal(&place, &bytes)),
            None => Err(SealError::Unexpected(place)),
        },
    }
}

/// Reads hexadecimal digits.
fn bytes_of(hex: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(pair).collect();
    bytes.map(zeroize::Zeroizing::new)
}

/// Seals everything anew that the first key has not sealed, and tells of each column when it is
/// done. Can be stopped at any moment, and run again.
///
/// # Errors
/// Those of the database.
pub async fn rotate(
    db: &Db,
    sealer: &Sealer,
    mut told: impl FnMut(&SealedColumn, &Swept),
) -> Result<()> {
    for column in COLUMNS {
        let which = Which::NotBy(sealer.current_prefix());
        told(column, &sweep(db, sealer, column, &which).await?);
    }
    Ok(())
}

/// Ids of keys that are had, but seal nothing any more.
///
/// # Errors
/// Those of the database.
pub async fn unused_keys(db: &Db, sealer: &Sealer) -> Result<Vec<String>> {
    let used = queries::key_ids(db).await?;
    let former = sealer.key_ids().into_iter().skip(1);
    Ok(former.filter(|id| !used.contains(id)).collect())
}

/// What a look at every sealed value has found.
#[derive(Debug, Default)]
pub struct Proof {
    pub examined: i64,
    /// Values that lie open or do not open; the first ones by name.
    pub fault_count: i64,
    pub faults: Vec<SealError>,
}

/// Opens every value; names so many of those that do not open.
///
/// # Errors
/// Those of the database.
pub async fn prove(db: &Db, sealer: &Sealer, named_max: usize) -> Result<Proof> {
    let mut proof = Proof::default();
    for column in COLUMNS {
        let mut after: Vec<Value> = Vec::new();
        loop {
            let page = queries::page(db, column, &Which::Every, &after).await?;
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            for found in &page {
                proof.examined += 1;
                if let Err(fault) = sealer.open(&column.place(&found.row), &found.value) {
                    proof.fault_count += 1;
                    if proof.faults.len() < named_max {
                        proof.faults.push(fault);
                    }
                }
            }
        }
    }
    Ok(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read() {
        for (text, bytes) in [
            ("", Some(vec![])),
            ("00ff", Some(vec![0, 255])),
            ("0aA9", Some(vec![10, 169])),
            ("0", None),
            ("0g", None),
            ("é", None),
        ] {
            assert_eq!(bytes_of(text).map(|read| read.to_vec()), bytes, "{text}");
        }
    }
}
