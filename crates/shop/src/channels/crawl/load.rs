//! Reads what is to be known of channels that were claimed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use runout_core::channels::Scope;
use runout_store::{Db, Result, Row as DbRow, Statement, Value};

use super::claim::Claimed;
use super::held::{Held, Parcelled, Row, Stage, Token, Trouble};
use super::limits::Limits;
use super::sql;
use crate::channels::model::{ChannelState, ProcessState, Provider, RunKind, json, word};
use crate::channels::parcel::{Carriage, Parcel};
use crate::channels::provider::Credentials;
use crate::channels::{secret_place, token_place};
use crate::platform::seal::{Place, Sealer};
use crate::platform::secret::Secret;

/// Parcels of one channel that are looked after at a time.
const PARCELS_MAX: i64 = 100;

/// What is needed for reading.
pub(super) struct Loader {
    pub db: Db,
    pub sealer: Sealer,
    pub holder: Arc<str>,
    pub now: Timestamp,
}

impl Loader {
    /// Reads channels that this node has claimed.
    pub(super) async fn held(&self, claimed: &[Claimed]) -> Result<Vec<Held>> {
        let orphans: BTreeMap<i64, bool> =
            claimed.iter().map(|claimed| (claimed.channel_id, claimed.orphan)).collect();
        let ids = claimed.iter().map(|claimed| claimed.channel_id).collect();
        let params = vec![Value::Ints(ids), Arc::clone(&self.holder).into()];
        let mut rows =
            self.db.read(Statement::new(&sql::HELD, params), |row| self.row(row)).await?;
        let mut parcels = self.parcels(&rows).await?;
        for row in &mut rows {
            row.parcels = parcels.remove(&row.id).unwrap_or_default();
            if orphans[&row.id] {
                row.limits.taken_over(self.now);
            }
        }
        Ok(rows.into_iter().map(Held::from).collect())
    }

    fn row(&self, row: &DbRow<'_>) -> Result<Row> {
        let id: i64 = row.get(0)?;
        let provider = word(row, 2, Provider::parse)?;
        let client_id: String = row.get(3)?;
        let secret = self.open(secret_place(id), row.get(4)?);
        let token = self.open(token_place(id), row.get(17)?);
        let ends_at: Option<Timestamp> = row.get(18)?;
        let kind: Option<String> = row.get(16)?;
        let is_update = kind.as_deref() == Some(RunKind::Update.as_str());
        let limits: String = row.get(10)?;
        Ok(Row {
            id,
            epoch: row.get(1)?,
            credentials: secret.map(|secret| Credentials { client_id, secret }),
            credentials_version: row.get(5)?,
            state: word(row, 6, ChannelState::parse)?,
            sync_minutes: row.get(7)?,
            keep_days: row.get(8)?,
            cursor: json(row, 9)?,
            scope: if is_update { Scope::Update } else { Scope::Full },
            limits: Limits::read(provider, &limits),
            run_id: row.get(11)?,
            began_at: row.get(12)?,
            trouble: Trouble {
                failures: row.get(13)?,
                since: row.get(14)?,
                problem: row.get(15)?,
                ..Trouble::default()
            },
            token: token.zip(ends_at).map(|(text, ends_at)| Token { text, ends_at }),
            unknown: json(row, 19)?,
            parcels: VecDeque::new(),
        })
    }

    /// Opens what is sealed. What does not open is as good as not given: a token is bought anew,
    /// and of a channel without a secret its state tells.
    fn open(&self, place: Place, sealed: Option<String>) -> Option<Secret> {
        let opened = self.sealer.open(&place, &sealed?);
        match opened.and_then(|opened| opened.text().map(Secret::new)) {
            Ok(secret) => Some(secret),
            Err(error) => {
                tracing::error!(%error, "a channel's secret cannot be opened");
                None
            }
        }
    }

    /// The parcels of channels, by the channel.
    async fn parcels(&self, rows: &[Row]) -> Result<BTreeMap<i64, VecDeque<Parcelled>>> {
        let ids = rows.iter().map(|row| row.id).collect();
        let params = vec![Value::Ints(ids), PARCELS_MAX.into()];
        let due = Statement::new(&sql::PROCESSES_DUE, params);
        let due = self.db.read(due, |row| Ok((row.get(0)?, parcel(row)?))).await?;
        let mut parcels: BTreeMap<i64, VecDeque<Parcelled>> = BTreeMap::new();
        for (channel_id, parcel) in due {
            parcels.entry(channel_id).or_default().push_back(parcel);
        }
        Ok(parcels)
    }

    /// Details of a channel that are to be fetched.
    pub(super) async fn details(&self, channel_id: i64, max: usize) -> Result<Vec<(i64, String)>> {
        let params = vec![channel_id.into(), self.now.into(), (max as i64).into()];
        let details = Statement::new(&sql::DETAILS_DUE, params);
        self.db.read(details, |row| Ok((row.get(0)?, row.get(1)?))).await
    }
}

fn parcel(row: &DbRow<'_>) -> Result<Parcelled> {
    let state = word(row, 2, ProcessState::parse)?;
    let process_id: Option<String> = row.get(3)?;
    let stage = match (state, process_id) {
        (ProcessState::Pending, Some(process_id)) => Stage::Pending(process_id),
        (ProcessState::Queued, _) => Stage::Queued(read_parcel(row)?),
        _ => Stage::Orphaned,
    };
    Ok(Parcelled { id: row.get(1)?, due_at: row.get(9)?, created_at: row.get(10)?, stage })
}

fn read_parcel(row: &DbRow<'_>) -> Result<Parcel> {
    let code: Option<String> = row.get(7)?;
    let carriage = match code {
        Some(code) => Carriage::Transporter { code, track_and_trace: row.get(8)? },
        None => Carriage::Label(row.get::<Option<String>>(6)?.unwrap_or_default()),
    };
    Ok(Parcel { items: json(row, 4)?, reference: row.get(5)?, carriage })
}
