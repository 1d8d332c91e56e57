//! The forms of posts and comments: what was typed, and what is wrong beside each field.

use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;

use crate::journal::input::{CommentPatch, NewComment, NewPost, PostPatch};
use crate::journal::model::{Comment, Post};
use crate::journal::posts::JournalRefused;
use crate::platform::etag::IfMatch;
use crate::platform::problem::Problem;

/// A post or a comment as it was typed; a comment has no title.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) title: String,
    pub(super) body: String,
    /// The version that was looked at.
    pub(super) version: Option<i64>,
}

/// What was wrong with a form: the field's name and the reason. No name: the form as a whole.
#[derive(Debug, Default)]
pub(super) struct Wrong(pub(super) Vec<(&'static str, String)>);

impl Wrong {
    fn of_report(checked: Result<(), garde::Report>) -> Result<(), Self> {
        let Err(report) = checked else { return Ok(()) };
        let named = |(path, error): &(garde::Path, garde::Error)| match path.to_string().as_str() {
            "title" => ("title", format!("Title: {error}.")),
            _ => ("body", format!("Text: {error}.")),
        };
        Err(Self(report.iter().map(named).collect()))
    }

    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, reason)| reason.as_str())
    }

    /// What a refusal says about the form.
    ///
    /// # Errors
    /// A refusal that is about something else.
    pub(super) fn refused(refused: JournalRefused) -> Result<Self, Problem> {
        match refused {
            JournalRefused::Changed => {
                let words = "This was changed elsewhere meanwhile. Open it again.";
                Ok(Self(vec![("", words.to_owned())]))
            }
            other => Err(other.into()),
        }
    }

    /// 200, or 422 with what was wrong.
    pub(super) fn status(&self) -> StatusCode {
        if self.0.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

impl Fields {
    pub(super) fn of_post(post: &Post) -> Self {
        let Post { title, body, version, .. } = post.clone();
        Self { title, body, version: Some(version) }
    }

    pub(super) fn of_comment(comment: &Comment) -> Self {
        let Comment { body, version, .. } = comment.clone();
        Self { title: String::new(), body, version: Some(version) }
    }

    /// The text with the line ends that everything else has: browsers send others.
    fn text(&self) -> String {
        self.body.replace("\r\n", "\n")
    }

    pub(super) fn if_match(&self) -> IfMatch {
        self.version.map_or(IfMatch::Any, |version| IfMatch::OneOf(vec![version]))
    }

    /// # Errors
    /// What was wrong.
    pub(super) fn new_post(&self) -> Result<NewPost, Wrong> {
        let new = NewPost { title: self.title.clone(), body: self.text(), published: None };
        Wrong::of_report(new.validate())?;
        Ok(new)
    }

    /// # Errors
    /// What was wrong.
    pub(super) fn post_patch(&self) -> Result<PostPatch, Wrong> {
        let (title, body) = (Some(self.title.clone()), Some(self.text()));
        let patch = PostPatch { title, body, published: None };
        Wrong::of_report(patch.validate())?;
        Ok(patch)
    }

    /// # Errors
    /// What was wrong.
    pub(super) fn new_comment(&self) -> Result<NewComment, Wrong> {
        let new = NewComment { body: self.text(), ..NewComment::default() };
        Wrong::of_report(new.validate())?;
        Ok(new)
    }

    /// # Errors
    /// What was wrong.
    pub(super) fn comment_patch(&self) -> Result<CommentPatch, Wrong> {
        let patch = CommentPatch { body: Some(self.text()), ..CommentPatch::default() };
        Wrong::of_report(patch.validate())?;
        Ok(patch)
    }
}
