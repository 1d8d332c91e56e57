//! The topics that the shop tells of: what destinations can ask for.
//!
//! A topic that is told somewhere and does not stand here cannot be asked for by its name; a test
//! looks for such topics in the source.

/// Every topic.
pub const TOPICS: [&str; 53] = [
    "account.created",
    "account.deactivated",
    "account.erased",
    "account.reactivated",
    "account.updated",
    "address.created",
    "address.deleted",
    "address.updated",
    "comment.created",
    "comment.deleted",
    "comment.updated",
    "discount.created",
    "discount.updated",
    "event.cancelled",
    "event.created",
    "event.moved_up",
    "event.signed_up",
    "event.updated",
    "event.waiting_list_moved_up",
    "event.withdrawn",
    "location.created",
    "location.updated",
    "order.cancelled",
    "order.closed",
    "order.fulfilled",
    "order.paid",
    "order.placed",
    "order.refunded",
    "order.reinstated",
    "order.returned",
    "payment.changed",
    "payment.excess",
    "payment.mismatched",
    "payment.started",
    "payment.too_late",
    "post.created",
    "post.deleted",
    "post.updated",
    "price.created",
    "price.deleted",
    "product.created",
    "product.deleted",
    "product.updated",
    "refund.failed",
    "refund.succeeded",
    "stock.changed",
    "tax_rate.deleted",
    "tax_rate.set",
    "ticket.admitted",
    "ticket.taken_back",
    "variant.created",
    "variant.deleted",
    "variant.updated",
];

/// Whether this is a topic, the beginning of one or several such as `order.*`, or `*`.
pub fn is_known(asked: &str) -> bool {
    match asked.strip_suffix('*') {
        Some("") => true,
        Some(beginning) if beginning.ends_with('.') => {
            TOPICS.iter().any(|topic| topic.starts_with(beginning))
        }
        Some(_) => false,
        None => TOPICS.contains(&asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_their_beginnings_are_known() {
        for (asked, known) in [
            ("order.placed", true),
            ("order.*", true),
            ("*", true),
            ("order", false),
            ("order.", false),
            ("order*", false),
            ("orders.*", false),
            ("order.placed.*", false),
            ("destination.test", false),
            ("", false),
        ] {
            assert_eq!(is_known(asked), known, "{asked}");
        }
        assert!(TOPICS.is_sorted());
    }
}
