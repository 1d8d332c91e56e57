//! Ids, one type per entity, so that one cannot be passed for another.

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// Someone who can log in.
    AccountId
    /// What is sold: a product in one form, with a price and stock of its own.
    VariantId
    /// A stock pool.
    LocationId
    /// The stock of one variant at one location.
    LevelId
    OrderId
    /// What somebody means to buy, with the stock that it holds.
    BasketId
    /// One attempt to pay an order.
    PaymentId
    /// Money on its way back.
    RefundId
    /// Units of an order that left together.
    FulfilmentId
    /// A code that makes an order cheaper.
    DiscountId
    /// Something that takes place, and that people come to.
    EventId
}
