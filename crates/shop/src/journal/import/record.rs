//! Records as a remote system gives them.

use std::fmt;

use serde_json::Value as Json;

use crate::journal::input::{
    COMMENT_CHARS_MAX, NAME_CHARS_MAX, POST_CHARS_MAX, TITLE_CHARS_MAX, check_email, check_text,
};

/// Characters of an unreadable record that its fault shows.
const SHOWN_CHARS_MAX: usize = 80;

/// Greatest number of a record: what JavaScript counts exactly.
const ID_MAX: i64 = 1 << 53;

/// A post there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemotePost {
    pub(super) id: i64,
    pub(super) user_id: i64,
    pub(super) title: String,
    pub(super) body: String,
}

/// A comment there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteComment {
    pub(super) id: i64,
    pub(super) post_id: i64,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) body: String,
}

/// A record that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Such as `comment 7`, or what was read.
    pub record: String,
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.record, self.reason)
    }
}

impl Fault {
    pub(super) fn unknown_post(comment: &RemoteComment) -> Self {
        let reason = format!("there is no post {}", comment.post_id);
        Self { record: format!("comment {}", comment.id), reason }
    }
}

/// A kind of records.
pub(super) trait Record: Sized + Send {
    /// What one is called; its collection has an `s` more.
    const ENTITY: &'static str;

    /// # Errors
    /// What is wrong with it.
    fn read(json: &Json) -> Result<Self, String>;
}

/// The id of a record, if it can be read.
pub(super) fn id_of(json: &Json) -> Option<i64> {
    number(json, &["id"]).ok()
}

/// Reads a record.
///
/// # Errors
/// A fault that names it.
pub(super) fn read<R: Record>(json: &Json) -> Result<R, Fault> {
    R::read(json).map_err(|reason| {
        let record = match id_of(json) {
            Some(id) => format!("{} {id}", R::ENTITY),
            None => {
                let text: String = json.to_string().chars().take(SHOWN_CHARS_MAX).collect();
                format!("{} {text}", R::ENTITY)
            }
        };
        Fault { record, reason }
    })
}

/// A member by the first of its names that is there.
fn member<'a>(json: &'a Json, names: &[&str]) -> Result<&'a Json, String> {
    let found = names.iter().find_map(|name| json.get(name));
    found.ok_or_else(|| format!("{} is missing", names[0]))
}

/// A whole number from 1, as a number or as text.
fn number(json: &Json, names: &[&str]) -> Result<i64, String> {
    let found = match member(json, names)? {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    found
        .filter(|id| (1..=ID_MAX).contains(id))
        .ok_or_else(|| format!("{} must be a whole number from 1", names[0]))
}

fn text(json: &Json, name: &'static str, chars_max: usize) -> Result<String, String> {
    let Json::String(text) = member(json, &[name])? else {
        return Err(format!("{name} must be a text"));
    };
    check_text(name, text, chars_max).map_err(|(name, wrong)| format!("{name} {wrong}"))?;
    Ok(text.clone())
}

impl Record for RemotePost {
    const ENTITY: &'static str = "post";

    fn read(json: &Json) -> Result<Self, String> {
        Ok(Self {
            id: number(json, &["id"])?,
            user_id: number(json, &["userId", "user_id"])?,
            title: text(json, "title", TITLE_CHARS_MAX)?,
            body: text(json, "body", POST_CHARS_MAX)?,
        })
    }
}

impl Record for RemoteComment {
    const ENTITY: &'static str = "comment";

    fn read(json: &Json) -> Result<Self, String> {
        let Json::String(email) = member(json, &["email"])? else {
            return Err("email must be a text".to_owned());
        };
        // An erased account left its comments without one.
        if !email.is_empty() {
            check_email(email).map_err(|(name, wrong)| format!("{name} {wrong}"))?;
        }
        Ok(Self {
            id: number(json, &["id"])?,
            post_id: number(json, &["postId", "post_id", "post"])?,
            name: text(json, "name", NAME_CHARS_MAX)?,
            email: email.clone(),
            body: text(json, "body", COMMENT_CHARS_MAX)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_record_is_named() {
        let good = json!({"id": 7, "userId": "3", "title": "a", "body": "b\nc"});
        let post: RemotePost = read(&good).expect("good");
        assert_eq!((post.id, post.user_id, post.body.as_str()), (7, 3, "b\nc"));
        for (json, fault) in [
            (json!({"id": 7}), "post 7: userId is missing"),
            (json!({"id": 7, "userId": 1, "title": 5}), "post 7: title must be a text"),
            (json!({"id": 7, "userId": 0}), "post 7: userId must be a whole number from 1"),
            (json!({"id": 7, "userId": 1, "title": ""}), "post 7: title must not be empty"),
            (json!({"id": 1.5}), "post {\"id\":1.5}: id must be a whole number from 1"),
            (json!(null), "post null: id is missing"),
            (json!([1]), "post [1]: id is missing"),
        ] {
            let found = read::<RemotePost>(&json).expect_err("a fault");
            assert_eq!(found.to_string(), fault);
        }
        let comment = json!({"id": 1, "postId": 1, "name": "n", "email": "no", "body": "b"});
        let found = read::<RemoteComment>(&comment).expect_err("a fault").to_string();
        assert!(found.starts_with("comment 1: email "), "{found}");
    }
}
