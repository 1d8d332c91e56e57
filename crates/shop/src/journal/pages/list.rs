//! The news, newest first.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::viewer;
use crate::App;
use crate::journal::model::Post;
use crate::journal::{api, queries};
use crate::pages::Frame;
use crate::pages::words::{count, day};
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

/// Characters of a text that the list shows.
const EXCERPT_CHARS_MAX: usize = 280;

/// A post as the list shows it.
struct Row {
    id: i64,
    title: String,
    day: String,
    created_at: String,
    author: String,
    excerpt: String,
    comments: String,
    published: bool,
}

impl Row {
    fn new(post: Post, shop: &str) -> Self {
        Self {
            id: post.id,
            day: day(post.created_at),
            created_at: post.created_at.to_string(),
            author: post.author.unwrap_or_else(|| shop.to_owned()),
            excerpt: excerpt(&post.body),
            comments: count(post.comments, "comment", "comments"),
            published: post.published,
            title: post.title,
        }
    }
}

/// The beginning of a text, in one paragraph, cut between words.
fn excerpt(text: &str) -> String {
    let (mut cut, mut chars) = (String::new(), 0);
    for word in text.split_whitespace() {
        chars += word.chars().count() + 1;
        if chars > EXCERPT_CHARS_MAX {
            if cut.is_empty() {
                cut.extend(word.chars().take(EXCERPT_CHARS_MAX));
            }
            return cut + "…";
        }
        cut.push_str(if cut.is_empty() { "" } else { " " });
        cut.push_str(word);
    }
    cut
}

#[derive(Template)]
#[template(path = "journal/templates/list.html")]
struct ListPage<'a> {
    query: &'a str,
    rows: Vec<Row>,
    /// Not the first page.
    goes_on: bool,
    /// The query of the next page.
    next: Option<String>,
}

pub(super) async fn news(
    State(app): State<App>,
    frame: Frame,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = ListRequest::from_uri(&queries::NEWS, &uri)?;
    let page = api::ready_posts(&app, "news", viewer(&frame), &request, &uri).await?;
    let next = page.next.map(|cursor| next_query(&uri, &cursor));
    let query = request.extra("q").unwrap_or_default();
    let rows = page.items.into_iter().map(|post| Row::new(post, &frame.shop_name)).collect();
    let goes_on = !request.is_first();
    Ok(frame.page("News", &ListPage { query, rows, goes_on, next }))
}

/// The query of this page with another cursor.
pub(super) fn next_query(uri: &Uri, cursor: &str) -> String {
    let query = uri.query().unwrap_or_default();
    let mut pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).expect("it was read before");
    pairs.retain(|(name, _)| name != "cursor");
    pairs.push(("cursor".to_owned(), cursor.to_owned()));
    serde_urlencoded::to_string(pairs).expect("text can be encoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_end_between_words() {
        assert_eq!(excerpt(" one\n\ntwo "), "one two");
        assert_eq!(excerpt(""), "");
        let long = "word ".repeat(100);
        let cut = excerpt(&long);
        assert!(cut.ends_with("word…") && cut.chars().count() <= EXCERPT_CHARS_MAX, "{cut}");
        let endless = "ä".repeat(500);
        assert_eq!(excerpt(&endless).chars().count(), EXCERPT_CHARS_MAX + 1);
    }
}
