//! The numbers that other systems know this shop's authors by. A new post gets its author's number
//! as `user_id`, or [`super::USER_ID_UNMAPPED`]; posts that are there keep theirs.

use runout_store::{Error, Result, Rows, Statement};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::sql::{LOCK_AUTHOR, SET_AUTHOR, UNSET_AUTHOR};
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome};

/// An account and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JournalAuthor)]
pub struct Author {
    #[schema(minimum = 1)]
    pub account_id: i64,
    /// Null: posts get 99999942.
    #[schema(required = true, minimum = 1)]
    pub user_id: Option<i64>,
}

/// Why an account did not get a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorRefused {
    NoAccount,
    /// Another account has this number.
    Taken,
}

/// Gives an account a number, or takes it away.
///
/// # Errors
/// The database's.
pub async fn set(
    app: &App,
    caller: Caller,
    author: Author,
) -> Result<Outcome<Author, AuthorRefused>> {
    match app.run(caller, Set(author)).await {
        Err(error) if is_taken(&error) => Ok(Outcome::Refused(AuthorRefused::Taken)),
        outcome => outcome,
    }
}

fn is_taken(error: &Error) -> bool {
    error.is_constraint("journal_author_user_id_key")
}

struct Set(Author);

impl Command for Set {
    type Accepted = Author;
    type Refused = AuthorRefused;
    const NAME: &'static str = "set_journal_author";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&LOCK_AUTHOR, vec![self.0.account_id.into()])]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Author, AuthorRefused>> {
        let Author { account_id, user_id } = self.0;
        let Some(row) = loaded[0].first() else {
            return Ok(Decision::Refuse(AuthorRefused::NoAccount));
        };
        let before: Option<i64> = row.get(1)?;
        if before == user_id {
            return Ok(Decision::Accept(self.0));
        }
        changes.store(match user_id {
            Some(user_id) => Statement::new(&SET_AUTHOR, vec![account_id.into(), user_id.into()]),
            None => Statement::new(&UNSET_AUTHOR, vec![account_id.into()]),
        });
        let fields = json!({"journal_user_id": [before, user_id]});
        changes.audit("account.journal_author", "account", account_id, fields);
        Ok(Decision::Accept(self.0))
    }
}
