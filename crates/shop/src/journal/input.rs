//! What clients send: posts, comments, and patches of them.

use garde::{Path, Report, Validate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{CommentText, PostText};
use crate::accounts;
use crate::catalog::input::value;

/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of a post's body.
pub const POST_CHARS_MAX: usize = 20_000;
/// Characters of the name beside a comment.
pub const NAME_CHARS_MAX: usize = 200;
/// Characters of a comment's body.
pub const COMMENT_CHARS_MAX: usize = 5_000;

/// A post to add. Its `user_id` is its author's, and nobody's to choose.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPost {
    #[schema(min_length = 1, max_length = 200, example = "We are Reactive is here")]
    pub title: String,
    #[schema(min_length = 1, max_length = 20_000)]
    pub body: String,
    /// Absent: at once, if staff write it; else when staff say so.
    #[serde(default, deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub published: Option<bool>,
}

/// Changes of a post. Absent fields stay. What a customer changes waits for staff again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PostPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub title: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 20_000)]
    pub body: Option<String>,
    /// Staff only.
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub published: Option<bool>,
}

/// A comment to add.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    #[schema(min_length = 1, max_length = 5_000)]
    pub body: String,
    /// The account's name, if absent.
    #[serde(default, deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The account's address, if absent.
    #[serde(default, deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 254, example = "ana@example.com")]
    pub email: Option<String>,
}

/// Changes of a comment. Absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CommentPatch {
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 5_000)]
    pub body: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 254)]
    pub email: Option<String>,
    /// Staff only.
    #[serde(deserialize_with = "value", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hidden: Option<bool>,
}

/// A field and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

/// Text that can be seen, of some length at most.
pub(super) fn check_text(field: &'static str, text: &str, chars_max: usize) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err((field, "must not be empty".to_owned()));
    }
    if text.contains('\0') {
        return Err((field, "must not contain the character U+0000".to_owned()));
    }
    if text.chars().count() > chars_max {
        return Err((field, format!("must have at most {chars_max} characters")));
    }
    Ok(())
}

pub(super) fn check_email(text: &str) -> Result<(), Wrong> {
    accounts::check_email(text.trim()).map_err(|reason| ("email", reason))
}

fn perhaps(
    text: Option<&String>,
    check: impl FnOnce(&str) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    text.map_or(Ok(()), |text| check(text))
}

fn report_all<const N: usize>(
    checks: [Result<(), Wrong>; N],
    parent: &mut dyn FnMut() -> Path,
    report: &mut Report,
) {
    for (field, wrong) in checks.into_iter().filter_map(Result::err) {
        report.append(parent().join(field), garde::Error::new(wrong));
    }
}

fn title(text: &str) -> Result<(), Wrong> {
    check_text("title", text, TITLE_CHARS_MAX)
}

fn post_body(text: &str) -> Result<(), Wrong> {
    check_text("body", text, POST_CHARS_MAX)
}

fn name(text: &str) -> Result<(), Wrong> {
    check_text("name", text, NAME_CHARS_MAX)
}

fn comment_body(text: &str) -> Result<(), Wrong> {
    check_text("body", text, COMMENT_CHARS_MAX)
}

impl Validate for NewPost {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        report_all([title(&self.title), post_body(&self.body)], parent, report);
    }
}

impl Validate for PostPatch {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let checks = [perhaps(self.title.as_ref(), title), perhaps(self.body.as_ref(), post_body)];
        report_all(checks, parent, report);
    }
}

impl Validate for NewComment {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let checks = [
            perhaps(self.name.as_ref(), name),
            perhaps(self.email.as_ref(), check_email),
            comment_body(&self.body),
        ];
        report_all(checks, parent, report);
    }
}

impl Validate for CommentPatch {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        let checks = [
            perhaps(self.name.as_ref(), name),
            perhaps(self.email.as_ref(), check_email),
            perhaps(self.body.as_ref(), comment_body),
        ];
        report_all(checks, parent, report);
    }
}

fn trimmed(new: Option<&String>, before: &str) -> String {
    new.map_or_else(|| before.to_owned(), |text| text.trim().to_owned())
}

impl PostPatch {
    /// The post after the patch.
    pub(super) fn apply(&self, before: &PostText) -> PostText {
        PostText {
            title: trimmed(self.title.as_ref(), &before.title),
            body: self.body.as_ref().unwrap_or(&before.body).clone(),
            published: self.published.unwrap_or(before.published),
        }
    }
}

impl CommentPatch {
    /// The comment after the patch.
    pub(super) fn apply(&self, before: &CommentText) -> CommentText {
        CommentText {
            name: trimmed(self.name.as_ref(), &before.name),
            email: trimmed(self.email.as_ref(), &before.email),
            body: self.body.as_ref().unwrap_or(&before.body).clone(),
            hidden: self.hidden.unwrap_or(before.hidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(TITLE_CHARS_MAX + 1);
        for (title, body, wrong) in [
            ("Hi", "there", &[][..]),
            (" ", "there", &["title"]),
            (&long, "", &["title", "body"]),
            ("a\0b", "there", &["title"]),
        ] {
            let post =
                NewPost { title: title.to_owned(), body: body.to_owned(), ..NewPost::default() };
            let found: Vec<String> = match post.validate() {
                Ok(()) => Vec::new(),
                Err(report) => report.iter().map(|(path, _)| path.to_string()).collect(),
            };
            assert_eq!(found, wrong, "{title:?}");
        }
        let comment = NewComment {
            email: Some("no address".to_owned()),
            body: "fine".to_owned(),
            ..NewComment::default()
        };
        assert!(comment.validate().is_err());
    }
}
