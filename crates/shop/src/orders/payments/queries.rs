//! Reading payments and refunds for settling them.

use jiff::{SignedDuration, Timestamp};
use runout_core::ids::{OrderId, PaymentId, RefundId};
use runout_core::money::Currency;
use runout_core::stock::{Gateway, PaymentStatus};
use runout_store::{Db, Error, Result, Row, Statement, statements};

use crate::payments::Seen;

/// A payment is asked about when nothing was heard of it for so long,
const PAYMENT_QUIET: SignedDuration = SignedDuration::from_secs(60);
/// and, however old it is, after so long.
const PAYMENT_LONG_QUIET: SignedDuration = SignedDuration::from_mins(10);

statements! {
    PAYMENT = "select p.id, p.order_id, p.gateway, p.provider_id, p.amount_minor, p.currency,
            p.created_at, p.received_minor, p.status, o.status,
            case when exists (select 1 from payment n where n.order_id = p.order_id and n.id > p.id)
                then 1 else 0 end
        from payment p join orders o on o.id = p.order_id where p.id = $1";
    /// Payments by which money may still arrive: after a failure, too, the buyer can try another
    /// card on the same payment.
    OPEN_PAYMENTS_OF = "select id from payment
        where order_id = $1 and gateway <> 'manual' and (status in ('pending', 'authorised')
            or (status = 'failed' and provider_id is not null and received_minor = 0))
        order by id";
    /// The same of all orders, as far as their turn has come: nothing was heard of them since `$1`;
    /// as long as their order waits for them, the longer they take, the less often, but once since
    /// `$3`. `$2` is now.
    QUIET_PAYMENTS = "select p.id from payment p join orders o on o.id = p.order_id
        where p.status in ('pending', 'authorised', 'failed') and p.updated_at < $1
            and p.gateway <> 'manual'
            and (p.status <> 'failed' or (p.provider_id is not null and p.received_minor = 0))
            and (o.status <> 'placed' or p.updated_at < $3
                or p.updated_at + (p.updated_at - p.created_at) / 2 < $2)
        order by p.updated_at, p.id limit $4";
    /// After the order of `$2` and `$3`.
    DUE = "select id, due_at from orders
        where status = 'placed' and due_at is not null and due_at <= $1 and (due_at, id) > ($2, $3)
        order by due_at, id limit $4";
    /// Orders of refunds of which nothing was heard since `$1`.
    PENDING_REFUNDS = "select order_id from refund where status = 'pending' and updated_at < $1
        group by order_id order by min(updated_at), order_id limit $2";
    ORDER_OF_REFUND = "select order_id, created_at from refund where id = $1";
}

/// What of a payment is needed to ask its provider.
#[derive(Debug, Clone)]
pub(super) struct KnownPayment {
    pub id: PaymentId,
    pub order: OrderId,
    pub gateway: Gateway,
    pub provider_id: Option<String>,
    pub amount_minor: i64,
    pub currency: Currency,
    pub created_at: Timestamp,
    pub status: PaymentStatus,
    /// Other money than was asked for has arrived.
    pub is_mismatch: bool,
    /// False: its order does not wait for it: given up, paid otherwise, or being paid anew after
    /// this one has failed.
    pub is_wanted: bool,
}

impl KnownPayment {
    /// True if the provider speaks of this payment, and not of one of another shop, or of another
    /// database, under the same account.
    pub(super) fn is(&self, seen: &Seen) -> bool {
        let own = (seen.payment_id, seen.order_id, seen.made_at);
        let name = self.provider_id.as_ref();
        own == (Some(self.id.0), Some(self.order.0), Some(self.created_at.as_microsecond()))
            && name.is_none_or(|name| *name == seen.provider_id)
    }
}

/// One payment.
///
/// # Errors
/// The database's.
pub(super) async fn payment_by_id(db: &Db, id: PaymentId) -> Result<Option<KnownPayment>> {
    let found = db.read_one(Statement::new(&PAYMENT, vec![id.0.into()]), |row| {
        let gateway: String = row.get(2)?;
        let gateway = Gateway::from_name(&gateway)
            .ok_or_else(|| Error::Decode { column: 2, reason: format!("gateway {gateway:?}") })?;
        let received_minor: i64 = row.get(7)?;
        let status: String = row.get(8)?;
        let status = PaymentStatus::from_name(&status)
            .ok_or_else(|| Error::Decode { column: 8, reason: format!("status {status:?}") })?;
        let has_failed = status == PaymentStatus::Failed;
        let is_followed = row.get::<i64>(10)? == 1;
        Ok(KnownPayment {
            id: PaymentId(row.get(0)?),
            order: OrderId(row.get(1)?),
            gateway,
            provider_id: row.get(3)?,
            amount_minor: row.get(4)?,
            currency: currency(row, 5)?,
            created_at: row.get(6)?,
            status,
            is_mismatch: received_minor > 0 && has_failed,
            is_wanted: row.get::<String>(9)? == "placed" && !(has_failed && is_followed),
        })
    });
    found.await
}

async fn ids<T: Send>(db: &Db, statement: Statement, made: fn(i64) -> T) -> Result<Vec<T>> {
    db.read(statement, |row| row.get(0).map(made)).await
}

/// Payments of an order that may still bring money, from providers.
pub(super) async fn open_payments_of(db: &Db, order: OrderId) -> Result<Vec<PaymentId>> {
    ids(db, Statement::new(&OPEN_PAYMENTS_OF, vec![order.0.into()]), PaymentId).await
}

/// Payments whose turn it is to be asked about: see [`QUIET_PAYMENTS`].
pub(in crate::orders) async fn quiet_payments(
    db: &Db,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<PaymentId>> {
    let (quiet_since, long_since) = (now - PAYMENT_QUIET, now - PAYMENT_LONG_QUIET);
    let params = vec![quiet_since.into(), now.into(), long_since.into(), limit.into()];
    ids(db, Statement::new(&QUIET_PAYMENTS, params), PaymentId).await
}

/// Orders whose time to pay is over, after the one given.
pub(in crate::orders) async fn due(
    db: &Db,
    now: Timestamp,
    after: (Timestamp, OrderId),
    limit: i64,
) -> Result<Vec<(Timestamp, OrderId)>> {
    let params = vec![now.into(), after.0.into(), after.1.0.into(), limit.into()];
    db.read(Statement::new(&DUE, params), |row| Ok((row.get(1)?, OrderId(row.get(0)?)))).await
}

/// Orders with refunds of which nothing was heard since, the longest first.
pub(in crate::orders) async fn pending_refunds(
    db: &Db,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<OrderId>> {
    let params = vec![before.into(), limit.into()];
    ids(db, Statement::new(&PENDING_REFUNDS, params), OrderId).await
}

/// The order that a refund is of, and when it was made.
pub(super) async fn order_of_refund(
    db: &Db,
    refund: RefundId,
) -> Result<Option<(OrderId, Timestamp)>> {
    let statement = Statement::new(&ORDER_OF_REFUND, vec![refund.0.into()]);
    db.read_one(statement, |row| Ok((OrderId(row.get(0)?), row.get(1)?))).await
}

fn currency(row: &Row<'_>, column: usize) -> Result<Currency> {
    let code: String = row.get(column)?;
    code.parse().map_err(|_| Error::Decode { column, reason: format!("currency {code:?}") })
}
