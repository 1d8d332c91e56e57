//! The section about the keys that secrets in the database are sealed with.

use std::path::PathBuf;

use runout_store::DatabaseUrl;
use serde::Deserialize;

use crate::platform::seal::{KeyError, Keys};
use crate::platform::secret::Secret;

/// Where the key file lies for PostgreSQL, unless somebody says otherwise.
const KEY_FILE_DEFAULT: &str = "runout.key";
/// What the key file of a SQLite database has behind the database's name.
const KEY_FILE_SUFFIX: &str = ".key";
/// Where keys that are given as a text stand, for errors.
const KEY_PLACE: &str = "seal.key";

/// What secrets in the database are sealed with: the keys themselves, or the file they lie in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seal {
    /// The key that seals, then former ones, set apart by commas.
    pub key: Option<Secret>,
    /// A file with a key per line, the one that seals first.
    pub key_file: Option<PathBuf>,
}

/// Where the keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Text(Secret),
    File(PathBuf),
}

/// Flags of the section; each also has its environment variable, which is the better place for
/// keys: flags can be seen by everybody on the machine.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SealArgs {
    /// What secrets in the database are sealed with; better given as RUNOUT_SEAL_KEY
    #[arg(
        long,
        global = true,
        env = "RUNOUT_SEAL_KEY",
        value_name = "KEYS",
        hide_env_values = true
    )]
    pub seal_key: Option<Secret>,
    /// The file in which that lies [default: the database's name and .key, or runout.key]
    #[arg(long, global = true, env = "RUNOUT_SEAL_KEY_FILE", value_name = "FILE")]
    pub seal_key_file: Option<PathBuf>,
}

impl Seal {
    pub(super) fn overlay(&mut self, args: &SealArgs) {
        // An empty variable unsets what the file says; one that says something replaces both.
        let key = args.seal_key.clone().map(|key| Some(key).filter(|key| !key.is_empty()));
        let file = args.seal_key_file.clone();
        let file = file.map(|file| Some(file).filter(|file| !file.as_os_str().is_empty()));
        if matches!(key, Some(Some(_))) || matches!(file, Some(Some(_))) {
            *self = Self::default();
        }
        if let Some(key) = key {
            self.key = key;
        }
        if let Some(file) = file {
            self.key_file = file;
        }
    }

    /// What types alone do not rule out. No key is part of the answer.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(key) = &self.key else { return Ok(()) };
        if self.key_file.is_some() {
            return Err("seal.key and seal.key_file exclude each other: give one".to_owned());
        }
        keys_of(key).map(drop).map_err(|error| error.to_string())
    }

    /// Where the keys of this database come from.
    pub fn source(&self, database: &DatabaseUrl) -> KeySource {
        match (&self.key, &self.key_file, database) {
            (Some(key), ..) => KeySource::Text(key.clone()),
            (None, Some(file), _) => KeySource::File(file.clone()),
            (None, None, DatabaseUrl::Sqlite { path, .. }) => {
                let mut file = path.clone().into_os_string();
                file.push(KEY_FILE_SUFFIX);
                KeySource::File(file.into())
            }
            (None, None, DatabaseUrl::Postgres(_)) => KeySource::File(KEY_FILE_DEFAULT.into()),
        }
    }
}

/// The keys of a text.
///
/// # Errors
/// [`KeyError`], which has nothing of the text.
pub fn keys_of(text: &Secret) -> Result<Keys, KeyError> {
    Keys::parse(text.expose(), KEY_PLACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn with_key(key: &str) -> Seal {
        Seal { key: Some(Secret::new(key)), key_file: None }
    }

    #[test]
    fn keys_are_checked_and_not_shown() {
        assert!(with_key(KEY).check().is_ok() && Seal::default().check().is_ok());
        for wrong in ["hunter2", &KEY[1..], &format!("{KEY},hunter2"), ","] {
            let told = with_key(wrong).check().expect_err(wrong);
            assert!(told.starts_with("seal.key: "), "{told}");
            assert!(!told.contains("hunter2") && !told.contains("ECAwQF"), "{told}");
        }
        let both = Seal { key_file: Some("a.key".into()), ..with_key(KEY) };
        assert!(both.check().is_err_and(|told| told.contains("exclude each other")));
        assert!(!format!("{both:?}").contains("ECAwQF"));
    }

    #[test]
    fn the_key_file_lies_beside_the_database() {
        let source = |seal: &Seal, url: &str| seal.source(&url.parse().expect("an address"));
        let default = Seal::default();
        let file = |path: &str| KeySource::File(path.into());
        assert_eq!(source(&default, "sqlite://data/runout.db"), file("data/runout.db.key"));
        assert_eq!(source(&default, "postgres://u:p@host/shop"), file("runout.key"));
        let given = Seal { key: None, key_file: Some("/etc/runout/key".into()) };
        for url in ["sqlite://data/runout.db", "postgres://u:p@host/shop"] {
            assert_eq!(source(&given, url), file("/etc/runout/key"));
            assert_eq!(source(&with_key(KEY), url), KeySource::Text(Secret::new(KEY)));
        }
    }

    #[test]
    fn a_later_word_replaces_key_and_file_alike() {
        let args = |key: Option<&str>, file: Option<&str>| SealArgs {
            seal_key: key.map(Secret::new),
            seal_key_file: file.map(PathBuf::from),
        };
        for (before, args, after) in [
            (with_key(KEY), args(None, None), with_key(KEY)),
            (with_key(KEY), args(Some(""), None), Seal::default()),
            (with_key(KEY), args(None, Some("")), with_key(KEY)),
            (
                with_key(KEY),
                args(None, Some("a.key")),
                Seal { key: None, key_file: Some("a.key".into()) },
            ),
            (
                Seal { key: None, key_file: Some("a.key".into()) },
                args(Some(KEY), None),
                with_key(KEY),
            ),
            (
                Seal::default(),
                args(Some(KEY), Some("a.key")),
                Seal { key_file: Some("a.key".into()), ..with_key(KEY) },
            ),
        ] {
            let mut seal = before;
            seal.overlay(&args);
            assert_eq!(seal, after, "{args:?}");
        }
    }
}
