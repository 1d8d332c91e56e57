//! `runout verify`: proves on the live database, on one snapshot of it, that what must always hold
//! does hold, and names every difference.
//!
//! Only reads. Each [`Check`] is one statement that finds the rows that break it; the database
//! counts and compares, so five million orders take time but no memory here. One does more: that
//! the secrets open is seen by opening them, page by page, behind the snapshot.

pub(crate) mod queries;

use std::fmt;

use runout_store::{Db, Result, Row, Rows, Sql, Statement};

use crate::platform::seal::Sealer;
use crate::sealed;

/// Violations of one check that are named; the others are counted.
pub const VIOLATIONS_SHOWN: i64 = 20;

/// A check: its name, the count (column of [`queries::EXAMINED`]) of what it looks at, and the
/// statement that finds violations.
struct Rule(&'static str, Of, &'static Sql);

/// What a check looks at; the order is that of the columns of [`queries::EXAMINED`].
#[derive(Clone, Copy)]
enum Of {
    Levels,
    Movements,
    Orders,
    Lines,
    Allocations,
    Keys,
    Products,
    Sequences,
    Holds,
    Baskets,
    Discounts,
    Events,
    Attendances,
    Admissions,
    Deliveries,
    Retries,
    Letters,
}

/// Every check, in the order of the report.
#[rustfmt::skip]
static RULES: [Rule; 29] = [
    Rule("levels equal their ledgers", Of::Levels, &queries::LEDGERS),
    Rule("ledgers are numbered without gaps", Of::Movements, &queries::NUMBERS),
    Rule("levels hold what they promise", Of::Levels, &queries::BOUNDS),
    Rule("reserved stock is that of orders and baskets", Of::Levels, &queries::PROMISES),
    Rule("movements refer to what exists", Of::Movements, &queries::MOVEMENT_REFERENCES),
    Rule("orders refer to accounts and baskets", Of::Orders, &queries::ORDER_REFERENCES),
    Rule("lines refer to orders and variants", Of::Lines, &queries::LINE_REFERENCES),
    Rule("allocations refer to lines and levels", Of::Allocations, &queries::ALLOCATION_REFERENCES),
    Rule("orders have lines, numbered from 1", Of::Orders, &queries::LINES),
    Rule("totals equal their lines", Of::Orders, &queries::TOTALS),
    Rule("lines are allocated in full", Of::Lines, &queries::ALLOCATED),
    Rule("orders' stock is what their movements say", Of::Allocations, &queries::ORDER_STOCK),
    Rule("holds are what their movements say", Of::Holds, &queries::HOLDS),
    Rule("lines of open baskets hold all or nothing", Of::Baskets, &queries::HOLD_LINES),
    Rule("money is what payments and refunds say", Of::Orders, &queries::MONEY),
    Rule("discounts count their uses", Of::Discounts, &queries::USES),
    Rule("only cancelled orders have a time of it", Of::Orders, &queries::CANCELLED_AT),
    Rule("orders are announced once", Of::Orders, &queries::ANNOUNCED),
    Rule("keys lead to their owner's own outcome", Of::Keys, &queries::KEYS),
    Rule("events count their sign-ups", Of::Events, &queries::SIGN_UPS),
    Rule("events hold whom they have room for", Of::Events, &queries::ROOM),
    Rule("sign-ups have a place of their own", Of::Attendances, &queries::PLACES),
    Rule("who was let in had a paid ticket for it", Of::Admissions, &queries::ADMISSIONS),
    Rule("deliveries refer to destinations and events", Of::Deliveries, &queries::DELIVERIES),
    Rule("what waits for another attempt is to be delivered", Of::Retries, &queries::RETRIES),
    Rule("dead letters that are replayed have a delivery", Of::Letters, &queries::LETTERS),
    Rule("products have one default variant", Of::Products, &queries::DEFAULTS),
    Rule("products can be searched", Of::Products, &queries::SEARCHABLE),
    Rule("ids are below their sequences", Of::Sequences, &queries::SEQUENCES),
];

/// The check that is no statement.
const SECRETS: &str = "secrets are sealed, and open";

/// What [`verify`] found.
#[derive(Debug)]
pub struct Report {
    pub checks: Vec<Check>,
}

/// One invariant.
#[derive(Debug)]
pub struct Check {
    pub name: &'static str,
    /// Rows that were looked at.
    pub examined: i64,
    /// The first [`VIOLATIONS_SHOWN`], each with the difference.
    pub violations: Vec<String>,
    pub violation_count: i64,
}

impl Report {
    /// True if every invariant holds.
    pub fn is_clean(&self) -> bool {
        self.checks.iter().all(Check::holds)
    }
}

impl Check {
    pub fn holds(&self) -> bool {
        self.violation_count == 0
    }
}

/// One line per check that holds, one per violation of the others.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let Check { name, examined, violations, violation_count } = check;
            if check.holds() {
                writeln!(f, "ok   {name} ({examined} examined)")?;
            }
            for violation in violations {
                writeln!(f, "FAIL {name}: {violation}")?;
            }
            let more = violation_count - violations.len() as i64;
            if more > 0 {
                writeln!(f, "FAIL {name}: and {more} more")?;
            }
        }
        Ok(())
    }
}

/// Checks every invariant on one snapshot of the database, which may be in use meanwhile.
///
/// # Errors
/// Those of the database. A broken invariant is no error but a finding.
pub async fn verify(db: &Db, sealer: &Sealer) -> Result<Report> {
    let find = |rule: &Rule| Statement::new(rule.2, vec![VIOLATIONS_SHOWN.into()]).heavy();
    let mut statements = vec![Statement::new(&queries::EXAMINED, Vec::new()).heavy()];
    statements.extend(RULES.iter().map(find));
    let answers = db.snapshot(statements).await?;
    let (examined, found) = answers.split_first().expect("one answer per statement");
    let examined = examined.first().expect("counts without a table are one row");
    let checks = RULES.iter().zip(found).map(|(rule, rows)| check(rule, &examined, rows));
    let mut checks = checks.collect::<Result<Vec<_>>>()?;
    checks.push(secrets(db, sealer).await?);
    Ok(Report { checks })
}

/// How many checks there are.
pub fn rules() -> usize {
    RULES.len() + 1
}

/// Every secret is sealed, and opens with a key that is had.
async fn secrets(db: &Db, sealer: &Sealer) -> Result<Check> {
    let named_max = usize::try_from(VIOLATIONS_SHOWN).expect("a small number");
    let proof = sealed::prove(db, sealer, named_max).await?;
    Ok(Check {
        name: SECRETS,
        examined: proof.examined,
        violations: proof.faults.iter().map(ToString::to_string).collect(),
        violation_count: proof.fault_count,
    })
}

/// [`verify`], check by check, each on a snapshot of its own: every check is one statement, and
/// compares nothing with what another one has read.
///
/// # Errors
/// Those of the database.
pub async fn verify_each(
    db: &Db,
    sealer: &Sealer,
    mut found: impl FnMut(Check) + Send,
) -> Result<()> {
    let examined = vec![Statement::new(&queries::EXAMINED, Vec::new()).heavy()];
    let examined = db.snapshot(examined).await?;
    for rule in &RULES {
        let find = Statement::new(rule.2, vec![VIOLATIONS_SHOWN.into()]).heavy();
        let rows = db.snapshot(vec![find]).await?;
        let counts = examined[0].first().expect("counts without a table are one row");
        found(check(rule, &counts, &rows[0])?);
    }
    found(secrets(db, sealer).await?);
    Ok(())
}

fn check(Rule(name, of, _): &Rule, examined: &Row<'_>, found: &Rows) -> Result<Check> {
    Ok(Check {
        name,
        examined: examined.get(*of as usize)?,
        violations: found.map(|row| row.get(0))?,
        violation_count: found.first().map_or(Ok(0), |row| row.get(1))?,
    })
}
