//! What can go wrong at the seam, in the same words for both engines.

/// An error of the database seam. Its text is for logs; nothing of it goes to a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another transaction was in the way (40001, 40P01, SQLITE_BUSY): running it again can
    /// succeed.
    #[error("conflict with another transaction")]
    Conflict(#[source] Cause),
    /// A named constraint refused the change. Names follow PostgreSQL: `account_email_key`.
    #[error("constraint {name} violated")]
    Constraint {
        name: String,
        #[source]
        source: Cause,
    },
    /// The database cannot be reached, or its pool is exhausted; nothing was changed.
    #[error("database unavailable")]
    Unavailable(#[source] Cause),
    /// The connection was lost while committing: the change may or may not have happened.
    #[error("connection lost while committing")]
    OutcomeUnknown(#[source] Cause),
    /// A bounded queue is full; nothing was changed.
    #[error("too many writes are waiting")]
    Overloaded,
    /// A statement ran longer than allowed.
    #[error("statement timed out")]
    Timeout(#[source] Cause),
    /// A row did not have the shape that the code expects.
    #[error("column {column}: {reason}")]
    Decode { column: usize, reason: String },
    /// A decision panicked (an assertion failed); its transaction was rolled back.
    #[error("a decision failed: {0}")]
    Panicked(String),
    /// Anything else: a defect in a statement or a broken database.
    #[error("{context}")]
    Other {
        context: String,
        #[source]
        source: Cause,
    },
}

/// Constraints that only a race can violate: the decision has looked, and another node was faster.
/// Deciding again sees what that node stored.
const RACES: [&str; 6] = [
    "admission_pkey",
    "admission_order_id_line_no_number_key",
    "event_product_id_key",
    "idempotency_pkey",
    "idempotency_account_id_key_key",
    "stock_level_variant_id_location_id_key",
];

/// The driver's own error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Result of the seam.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// True if running the same transaction again may succeed and cannot do its work twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Conflict(_) => true,
            Error::Constraint { name, .. } => RACES.contains(&name.as_str()),
            _ => false,
        }
    }

    /// True if `name` is the constraint that refused the change.
    pub fn is_constraint(&self, wanted: &str) -> bool {
        matches!(self, Error::Constraint { name, .. } if name == wanted)
    }

    /// The same kind of error for another of those who wait for one outcome; the driver's own error
    /// stays behind as text.
    pub fn copy(&self) -> Self {
        let text = |cause: &Cause| cause.to_string().into();
        match self {
            Error::Conflict(cause) => Error::Conflict(text(cause)),
            Error::Constraint { name, source } => {
                Error::Constraint { name: name.clone(), source: text(source) }
            }
            Error::Unavailable(cause) => Error::Unavailable(text(cause)),
            Error::OutcomeUnknown(cause) => Error::OutcomeUnknown(text(cause)),
            Error::Overloaded => Error::Overloaded,
            Error::Timeout(cause) => Error::Timeout(text(cause)),
            Error::Decode { column, reason } => {
                Error::Decode { column: *column, reason: reason.clone() }
            }
            Error::Panicked(what) => Error::Panicked(what.clone()),
            Error::Other { context, source } => {
                Error::Other { context: context.clone(), source: text(source) }
            }
        }
    }

    pub(crate) fn other(context: impl Into<String>, source: impl Into<Cause>) -> Self {
        Error::Other { context: context.into(), source: source.into() }
    }

    pub(crate) fn sqlite(context: &str, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, OperationInterrupted};
        let rusqlite::Error::SqliteFailure(code, message) = &error else {
            return Error::other(context, error);
        };
        match code.code {
            DatabaseBusy | DatabaseLocked => Error::Conflict(error.into()),
            OperationInterrupted => Error::Timeout(error.into()),
            rusqlite::ErrorCode::ConstraintViolation => {
                let name = sqlite_constraint(message.as_deref().unwrap_or_default());
                Error::Constraint { name, source: error.into() }
            }
            _ => Error::other(context, error),
        }
    }

    pub(crate) fn postgres(context: &str, error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return if error.is_closed()
                || std::error::Error::source(&error).is_some_and(|s| s.is::<std::io::Error>())
            {
                Error::Unavailable(error.into())
            } else {
                Error::other(context, error)
            };
        };
        let code = db.code().code();
        match code {
            "40001" | "40P01" | "55P03" => Error::Conflict(error.into()),
            "57014" => Error::Timeout(error.into()),
            // admin shutdown, crash, starting up, too many connections
            "57P01" | "57P02" | "57P03" | "53300" => Error::Unavailable(error.into()),
            _ if code.starts_with("23") => {
                let name = db.constraint().unwrap_or("unnamed").to_owned();
                Error::Constraint { name, source: error.into() }
            }
            _ => Error::other(context, error),
        }
    }
}

/// SQLite names the columns of a unique constraint, not the constraint: this makes PostgreSQL's
/// default name from them (`account.email` is `account_email_key`). A CHECK gives its own name.
fn sqlite_constraint(message: &str) -> String {
    let Some((kind, detail)) = message.split_once(" constraint failed: ") else {
        return message.to_owned();
    };
    if kind != "UNIQUE" {
        return detail.to_owned();
    }
    let table = detail.split('.').next().unwrap_or_default();
    let columns: Vec<&str> =
        detail.split(", ").filter_map(|c| c.split_once('.').map(|(_, c)| c)).collect();
    format!("{table}_{}_key", columns.join("_"))
}

#[cfg(test)]
mod tests {
    use super::sqlite_constraint;

    #[test]
    fn sqlite_constraints_get_postgres_names() {
        for (message, name) in [
            ("UNIQUE constraint failed: account.email", "account_email_key"),
            (
                "UNIQUE constraint failed: price.variant_id, price.currency",
                "price_variant_id_currency_key",
            ),
            ("CHECK constraint failed: stock_level_reserved_check", "stock_level_reserved_check"),
            ("FOREIGN KEY constraint failed", "FOREIGN KEY constraint failed"),
        ] {
            assert_eq!(sqlite_constraint(message), name);
        }
    }
}
