//! Storing what was fetched, in one transaction.

use std::collections::{HashMap, HashSet};

use runout_store::{Result, Rows, Statement, Value};
use serde_json::json;

use super::record::{RemoteComment, RemotePost};
use super::sql::{COMMENTS_HERE, POSTS_HERE, STORE_COMMENTS, STORE_POSTS};
use super::{Foreign, NAMED_MAX, Report, Tally};
use crate::delivery::remote::{self, RemoteRecord};
use crate::platform::command::{Changes, Command, Decision, columns, next_ids};

/// Everything that was fetched.
pub(super) struct Store {
    pub(super) origin: String,
    pub(super) posts: Vec<RemotePost>,
    pub(super) comments: Vec<RemoteComment>,
    pub(super) overwrite: bool,
}

/// Which records there are which things here.
struct Mapping {
    here: HashMap<String, i64>,
    there: HashSet<i64>,
}

impl Mapping {
    fn read(rows: &Rows) -> Result<Self> {
        let (mut here, mut there) = (HashMap::new(), HashSet::new());
        for row in rows.iter() {
            let id: i64 = row.get(0)?;
            there.insert(id);
            if let Some(key) = row.get::<Option<String>>(1)? {
                here.insert(key, id);
            }
        }
        Ok(Self { here, there })
    }

    /// The id here of a record there.
    fn id(&self, remote: i64) -> i64 {
        self.here.get(&remote.to_string()).copied().unwrap_or(remote)
    }

    /// True if this record came from there, or went there.
    fn knows(&self, remote: i64) -> bool {
        self.here.contains_key(&remote.to_string())
    }
}

/// What is to be done about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    /// It is here as it is there.
    Same,
    /// It is here, but not known to have come from there.
    Adopted,
    Overwritten,
    /// It differs.
    Kept,
    /// It was deleted here.
    Deleted,
    /// Something else has its number.
    Foreign,
    /// What has its number is another record there: never to be mixed up.
    Taken,
}

/// `same`: what is here under the id is as it is there; none: nothing is here.
fn fate(mapping: &Mapping, remote: i64, same: Option<bool>, overwrite: bool) -> Fate {
    let known = mapping.knows(remote);
    // A thing that is another record there is never this one.
    let taken = !known && mapping.there.contains(&remote);
    match same {
        _ if taken => Fate::Taken,
        None if known && !overwrite => Fate::Deleted,
        None => Fate::New,
        Some(true) if known => Fate::Same,
        Some(true) => Fate::Adopted,
        Some(false) if overwrite => Fate::Overwritten,
        Some(false) if known => Fate::Kept,
        Some(false) => Fate::Foreign,
    }
}

impl Tally {
    fn count(&mut self, fate: Fate, id: i64) {
        match fate {
            Fate::New => self.new += 1,
            Fate::Same | Fate::Adopted => self.unchanged += 1,
            Fate::Overwritten => self.overwritten += 1,
            Fate::Kept | Fate::Taken => {
                self.kept += 1;
                if self.differing.len() < NAMED_MAX {
                    self.differing.push(id);
                }
            }
            Fate::Deleted => self.deleted += 1,
            Fate::Foreign => {}
        }
    }
}

impl Foreign {
    fn add(&mut self, entity: &str, id: i64) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("{entity} {id}"));
        }
    }
}

/// Rows to store.
#[derive(Default)]
struct Wanted {
    posts: Vec<Vec<Value>>,
    comments: Vec<Vec<Value>>,
    records: Vec<RemoteRecord>,
}

type PostsHere = HashMap<i64, (i64, String, String)>;
type CommentsHere = HashMap<i64, (i64, String, String, String)>;

fn posts_here(rows: &Rows) -> Result<PostsHere> {
    rows.iter().map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))).collect()
}

fn comments_here(rows: &Rows) -> Result<CommentsHere> {
    let read = |row: runout_store::Row<'_>| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
    };
    rows.iter().map(read).collect()
}

impl Store {
    /// Decides about every post; gives the ids of those that are not here afterwards.
    fn posts(
        &self,
        (mapping, here): (&Mapping, &PostsHere),
        (wanted, tally, foreign): (&mut Wanted, &mut Tally, &mut Foreign),
        now: &Value,
    ) -> HashSet<i64> {
        let mut missing = HashSet::new();
        for post in &self.posts {
            let RemotePost { id: remote, user_id, title, body } = post;
            let id = mapping.id(*remote);
            let same = here.get(&id).map(|(user, here_title, here_body)| {
                (user, here_title, here_body) == (user_id, title, body)
            });
            let fate = fate(mapping, *remote, same, self.overwrite);
            tally.count(fate, id);
            match fate {
                Fate::Foreign => foreign.add("post", id),
                Fate::Deleted | Fate::Taken => _ = missing.insert(*remote),
                Fate::New | Fate::Overwritten => {
                    let (title, body) = (title.as_str().into(), body.as_str().into());
                    let row = vec![id.into(), (*user_id).into(), title, body, now.clone()];
                    wanted.posts.push(row);
                }
                Fate::Same | Fate::Adopted | Fate::Kept => {}
            }
            if matches!(fate, Fate::New | Fate::Overwritten | Fate::Adopted) {
                wanted.records.push(RemoteRecord {
                    entity: "post",
                    entity_id: id,
                    remote_key: remote.to_string(),
                    parent_id: None,
                });
            }
        }
        missing
    }

    fn comments(
        &self,
        (posts, mapping, here): (&Mapping, &Mapping, &CommentsHere),
        missing: &HashSet<i64>,
        (wanted, tally, foreign): (&mut Wanted, &mut Tally, &mut Foreign),
        now: &Value,
    ) {
        for comment in &self.comments {
            let RemoteComment { id: remote, post_id, name, email, body } = comment;
            if missing.contains(post_id) {
                tally.deleted += 1;
                continue;
            }
            let (id, post_id) = (mapping.id(*remote), posts.id(*post_id));
            let said = (post_id, name, email, body);
            let same = here.get(&id).map(|(post, n, e, b)| (*post, n, e, b) == said);
            let fate = fate(mapping, *remote, same, self.overwrite);
            tally.count(fate, id);
            if fate == Fate::Foreign {
                foreign.add("comment", id);
            }
            if matches!(fate, Fate::New | Fate::Overwritten) {
                let texts = [name, email, body].map(|text| text.as_str().into());
                let mut row = vec![id.into(), post_id.into()];
                row.extend(texts);
                row.push(now.clone());
                wanted.comments.push(row);
            }
            if matches!(fate, Fate::New | Fate::Overwritten | Fate::Adopted) {
                wanted.records.push(RemoteRecord {
                    entity: "comment",
                    entity_id: id,
                    remote_key: remote.to_string(),
                    parent_id: Some(post_id),
                });
            }
        }
    }

    fn store(&self, wanted: Wanted, report: &Report, changes: &mut Changes) {
        if wanted.records.is_empty() {
            return;
        }
        let now = changes.now;
        changes.store(Statement::bulk(&STORE_POSTS, columns(wanted.posts, 5)));
        changes.store(Statement::bulk(&STORE_COMMENTS, columns(wanted.comments, 6)));
        changes.store(remote::records(&self.origin, wanted.records, now));
        let Report { posts, comments, .. } = report;
        let fields = json!({
            "origin": [null, self.origin],
            "posts": [null, posts.new + posts.overwritten],
            "comments": [null, comments.new + comments.overwritten],
        });
        changes.audit("journal.import", "journal", 0, fields);
    }

    /// The ids that the records have here, and the step of the sequence `name` beyond them, if its
    /// next one is the first cell of `next`.
    fn ids(
        name: &'static str,
        records: impl Iterator<Item = i64>,
        mapping: &Mapping,
        next: &Rows,
    ) -> Result<(Value, Statement)> {
        let ids: Vec<i64> = records.map(|id| mapping.id(id)).collect();
        let next: i64 = next.first().expect("the sequence is in the schema").get(0)?;
        let newest = ids.iter().copied().max().unwrap_or_default();
        Ok((Value::Ints(ids), next_ids(name, (newest + 1 - next).max(0))))
    }
}

impl Command for Store {
    type Accepted = Report;
    type Refused = Foreign;
    const NAME: &'static str = "import_journal";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        vec![
            // None is taken, and nobody else takes one meanwhile.
            next_ids("post", 0),
            next_ids("comment", 0),
            remote::records_of(&self.origin, "post"),
            remote::records_of(&self.origin, "comment"),
        ]
    }

    fn decide(&self, loaded: &[Rows], changes: &mut Changes) -> Result<Decision<Report, Foreign>> {
        let (posts, comments) = (Mapping::read(&loaded[2])?, Mapping::read(&loaded[3])?);
        if loaded.len() == 4 {
            let ids = self.posts.iter().map(|post| post.id);
            let (post_ids, post_step) = Self::ids("post", ids, &posts, &loaded[0])?;
            let ids = self.comments.iter().map(|comment| comment.id);
            let (comment_ids, comment_step) = Self::ids("comment", ids, &comments, &loaded[1])?;
            return Ok(Decision::Load(vec![
                Statement::new(&POSTS_HERE, vec![post_ids]),
                Statement::new(&COMMENTS_HERE, vec![comment_ids]),
                post_step,
                comment_step,
            ]));
        }
        let (posts_here, comments_here) = (posts_here(&loaded[4])?, comments_here(&loaded[5])?);
        let mut report = Report::default();
        let (mut wanted, mut foreign) =
            (Wanted::default(), Foreign { named: Vec::new(), count: 0 });
        let now: Value = changes.now.into();
        let found = (&mut wanted, &mut report.posts, &mut foreign);
        let missing = self.posts((&posts, &posts_here), found, &now);
        let found = (&mut wanted, &mut report.comments, &mut foreign);
        self.comments((&posts, &comments, &comments_here), &missing, found, &now);
        if foreign.count > 0 {
            return Ok(Decision::Refuse(foreign));
        }
        self.store(wanted, &report, changes);
        Ok(Decision::Accept(report))
    }
}
