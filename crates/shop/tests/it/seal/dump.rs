//! Looking for a secret in whatever a database holds.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use runout_store::{Composer, Db, Engine};

use crate::support::TestShop;

/// Bytes before and after a secret that are shown.
const CONTEXT: usize = 300;

/// A secret in all the forms that it may be written in.
pub struct Marker {
    pub name: String,
    forms: Vec<Vec<u8>>,
}

impl Marker {
    pub fn text(name: &str, text: &str) -> Self {
        Self::bytes(name, text.as_bytes())
    }

    /// Bytes that are shown in base64.
    pub fn base64(name: &str, encoded: &str) -> Self {
        let bytes = BASE64_STANDARD.decode(encoded).expect("base64");
        Self::bytes(name, &bytes)
    }

    pub fn bytes(name: &str, bytes: &[u8]) -> Self {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let grouped: Vec<String> = base32(bytes)
            .as_bytes()
            .chunks(4)
            .map(|four| String::from_utf8_lossy(four).into_owned())
            .collect();
        let texts = [
            grouped.join(" "),
            hex.to_uppercase(),
            hex,
            BASE64_STANDARD_NO_PAD.encode(bytes),
            BASE64_URL_SAFE_NO_PAD.encode(bytes),
            base32(bytes),
            format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
        ];
        let mut forms: Vec<Vec<u8>> = texts.map(String::into_bytes).into();
        forms.push(bytes.to_vec());
        assert!(forms.iter().all(|form| form.len() >= 12), "too short to be told from chance");
        Self { name: name.to_owned(), forms }
    }

    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.context(bytes).is_some()
    }

    /// What stands around the secret, where it is found first.
    pub fn context(&self, bytes: &[u8]) -> Option<String> {
        let found = |form: &Vec<u8>| bytes.windows(form.len()).position(|window| window == form);
        let at = self.forms.iter().find_map(found)?;
        let around = &bytes[at.saturating_sub(CONTEXT)..bytes.len().min(at + CONTEXT)];
        Some(String::from_utf8_lossy(around).into_owned())
    }
}

fn base32(bytes: &[u8]) -> String {
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let value = |five: &[u8]| five.iter().fold(0_usize, |value, bit| value << 1 | *bit as usize);
    bits.chunks_exact(5).map(|five| char::from(letters[value(five)])).collect()
}

/// Every value of every table, as text; bytes in hexadecimal digits.
pub async fn dump(db: &Db) -> String {
    let tables = match db.engine() {
        Engine::Sqlite => {
            "select name from sqlite_schema where type = 'table' and name not like 'sqlite%'"
        }
        Engine::Postgres => {
            "select relname::text from pg_class
                where relkind = 'r' and relnamespace = 'public'::regnamespace"
        }
    };
    let tables = texts(db, tables.to_owned()).await;
    assert!(tables.len() > 40, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let rows = match db.engine() {
            Engine::Sqlite => {
                let columns = format!("select name from pragma_table_info('{table}')");
                let quoted = texts(db, columns).await;
                let quoted: Vec<String> =
                    quoted.iter().map(|column| format!("quote(\"{column}\")")).collect();
                format!("select {} from \"{table}\"", quoted.join(" || ' ' || "))
            }
            Engine::Postgres => format!("select cast(t as text) from \"{table}\" t"),
        };
        all = all + &table + ":\n" + &texts(db, rows).await.join("\n") + "\n";
    }
    all
}

async fn texts(db: &Db, sql: String) -> Vec<String> {
    let sql: &'static str = sql.leak();
    db.read(Composer::new(sql).finish(), |row| row.get(0)).await.expect("reads")
}

/// The files of a SQLite database, its write-ahead log included; nothing of PostgreSQL, whose files
/// are another user's.
pub fn raw_bytes(shop: &TestShop) -> Vec<u8> {
    let url = shop.database_url();
    let Some(path) = url.strip_prefix("sqlite://") else { return Vec::new() };
    files(path)
}

/// The bytes of a SQLite database's files.
pub fn files(path: &str) -> Vec<u8> {
    let mut all = std::fs::read(path).expect("the database is a file");
    all.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    all.extend(std::fs::read(format!("{path}-journal")).unwrap_or_default());
    all
}
