//! What of an account's words is forgotten when the account is erased: who said them.

use runout_store::Statement;

use super::sql::{
    ERASE_AUTHOR, ERASE_COMMENTS, ERASE_POSTS, LOCK_COMMENTS_BY, LOCK_POSTS_BY,
    TELL_COMMENTS_ERASED,
};
use crate::platform::command::Changes;

/// Locks what the account has written: rows that the erasure need not look at.
pub(crate) fn load(account_id: i64) -> [Statement; 2] {
    [&LOCK_POSTS_BY, &LOCK_COMMENTS_BY].map(|sql| Statement::new(sql, vec![account_id.into()]))
}

/// Takes name and address out of what the account has written; other systems are told.
pub(crate) fn erasure(changes: &mut Changes, account_id: i64) {
    let now = changes.now;
    let dated = |sql| Statement::new(sql, vec![account_id.into(), now.into()]);
    let statements = [
        dated(&TELL_COMMENTS_ERASED),
        dated(&ERASE_COMMENTS),
        Statement::new(&ERASE_POSTS, vec![account_id.into()]),
        Statement::new(&ERASE_AUTHOR, vec![account_id.into()]),
    ];
    statements.into_iter().for_each(|statement| changes.store(statement));
}
