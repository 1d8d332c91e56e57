//! Migrations: embedded scripts, a folder per engine, checksummed, run in order, each in one
//! transaction with its record.

use sha2::{Digest, Sha256};

use crate::{Cause, Db, Engine, Error, Result, Statement, statements};

statements! {
    APPLIED = "select version, checksum from schema_migration order by version";
}

/// One step of the schema.
#[derive(Debug)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal;)*) => {
        /// Every migration, oldest first.
        pub static MIGRATIONS: &[Migration] = &[$(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
        }),*];
    };
}

migrations! {
    1 "0001_shop";
    2 "0002_scope_version";
    3 "0003_commerce";
    4 "0004_session";
    5 "0005_second_factor";
    6 "0006_permission";
    7 "0007_facets";
    8 "0008_admin";
    9 "0009_desk";
    10 "0010_event";
    11 "0011_delivery";
    12 "0012_journal";
    13 "0013_seal";
    14 "0014_channel";
}

const RECORD_TABLE: &str = "create table if not exists schema_migration (\
    version bigint primary key, name text not null, checksum text not null)";

/// Brings the schema up to date; returns the names of the migrations that ran.
///
/// Safe when several nodes start at once: the record's primary key lets one of them win, the others
/// see its work and go on.
///
/// # Errors
/// When a script fails (nothing of it stays), or a migration that ran has changed since, or the
/// database is newer than this program.
pub async fn migrate(db: &Db) -> Result<Vec<&'static str>> {
    migrate_to(db, i64::MAX).await
}

/// [`migrate`] up to and including `last`, for tests of upgrades.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_to(db: &Db, last: i64) -> Result<Vec<&'static str>> {
    // Two nodes that create the table at once can collide even with "if not exists".
    if db.script(RECORD_TABLE).await.is_err() {
        db.script(RECORD_TABLE).await?;
    }
    let mut ran = Vec::new();
    for migration in MIGRATIONS.iter().filter(|migration| migration.version <= last) {
        if is_applied(db, migration).await? {
            continue;
        }
        match db.script(&script(db.engine(), migration)).await {
            Ok(()) => ran.push(migration.name),
            // Another node may have been faster; its record tells.
            Err(error) => match is_applied(db, migration).await {
                Ok(true) => {}
                _ => return Err(error),
            },
        }
    }
    Ok(ran)
}

/// The script with its record first, so that of two nodes the second one fails before it begins.
fn script(engine: Engine, migration: &Migration) -> String {
    let (sql, begin, commit) = match engine {
        // The writer thread's savepoint is the transaction.
        Engine::Sqlite => (migration.sqlite, "", ""),
        Engine::Postgres => (migration.postgres, "begin;", "commit;"),
    };
    let Migration { version, name, .. } = migration;
    let checksum = checksum(engine, migration);
    format!(
        "{begin} insert into schema_migration (version, name, checksum) \
         values ({version}, '{name}', '{checksum}'); {sql}; {commit}"
    )
}

async fn is_applied(db: &Db, migration: &Migration) -> Result<bool> {
    let applied: Vec<(i64, String)> =
        db.read(Statement::new(&APPLIED, Vec::new()), |row| Ok((row.get(0)?, row.get(1)?))).await?;
    let newest = MIGRATIONS.last().map_or(0, |migration| migration.version);
    if let Some((version, _)) = applied.iter().find(|(version, _)| *version > newest) {
        let reason = format!("the database is at version {version}: use a newer runout");
        return Err(Error::other("migrate", Cause::from(reason)));
    }
    let Some((_, found)) = applied.iter().find(|(version, _)| *version == migration.version) else {
        return Ok(false);
    };
    if *found == checksum(db.engine(), migration) {
        return Ok(true);
    }
    let reason = format!("migration {} has changed since it ran", migration.name);
    Err(Error::other("migrate", Cause::from(reason)))
}

fn checksum(engine: Engine, migration: &Migration) -> String {
    let sql = match engine {
        Engine::Sqlite => migration.sqlite,
        Engine::Postgres => migration.postgres,
    };
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
