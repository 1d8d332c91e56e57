//! News of the demo data.

use runout_store::{Result as Stored, Rows, Statement};

use super::input::{NewComment, NewPost};
use super::model::Viewer;
use super::{comments, posts};
use crate::App;
use crate::platform::command::{Caller, Changes, Command, Decision, Outcome, next_ids};
use crate::platform::problem::Problem;

/// Numbers that are left to what is imported: JSONPlaceholder has 100 posts and 500 comments.
const RESERVED: i64 = 1_000;

/// Title, text, what people say about it.
type Row = (&'static str, &'static str, &'static [&'static str]);

/// Oldest first.
const ROWS: [Row; 3] = [
    (
        "Sixty crates from the other side of town",
        "A collection came in last week that somebody's uncle had kept dry for forty years: dub, \
         post-punk, a shelf of library music, and hardly a scratch.\n\nWe are through the first \
         ten crates. The rest goes onto the shop floor on Saturday morning, before it goes online.",
        &["Is the library music sold as one lot?", "See you on Saturday."],
    ),
    (
        "How we grade",
        "Mint means sealed. Near mint means played, and nobody can tell. Very good plus is what \
         most of you would call near mint.\n\nEvery copy is looked at under a lamp, and played \
         where the lamp leaves doubts. If you hear something that we did not write down, bring it \
         back.",
        &["This is why I buy here."],
    ),
    (
        "We are Reactive is here",
        "Five hundred copies, pressed once. The band plays it in the shop, twice, loud: see the \
         events.\n\nOne copy per person on the first day. When they are gone, they are gone.",
        &[],
    ),
];

/// Adds the posts and their comments, all by one account.
///
/// # Errors
/// The database's, as a problem.
pub async fn add(app: &App, account_id: i64) -> Result<(), Problem> {
    let writer = Viewer { account_id: Some(account_id), publishes: true, ..Viewer::default() };
    app.run(Caller::default(), Reserve).await?;
    let caller = || Caller { account_id: Some(account_id), key: None };
    for (title, body, said) in ROWS {
        let new = NewPost { title: title.to_owned(), body: body.to_owned(), published: None };
        let made = posts::create(app, caller(), writer, new).await?;
        let Outcome::Accepted(post) = made else { continue };
        for body in said {
            let new = NewComment { body: (*body).to_owned(), ..NewComment::default() };
            comments::create(app, caller(), writer, post.id, new).await?;
        }
    }
    Ok(())
}

/// Has the numbers go on behind [`RESERVED`].
struct Reserve;

impl Command for Reserve {
    type Accepted = ();
    type Refused = ();
    const NAME: &'static str = "reserve_numbers";
    const STATUS: u16 = 204;

    fn load(&self) -> Vec<Statement> {
        vec![next_ids("post", 0), next_ids("comment", 0)]
    }

    fn decide(&self, loaded: &[Rows], _: &mut Changes) -> Stored<Decision<(), ()>> {
        if loaded.len() > 2 {
            return Ok(Decision::Accept(()));
        }
        let mut steps = Vec::new();
        for (name, rows) in ["post", "comment"].into_iter().zip(loaded) {
            let next: i64 = rows.first().expect("the sequence is in the schema").get(0)?;
            steps.push(next_ids(name, (RESERVED + 1 - next).max(0)));
        }
        Ok(Decision::Load(steps))
    }
}
