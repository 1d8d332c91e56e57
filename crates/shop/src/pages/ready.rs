//! A page's middle that was rendered for everybody, with what stands in the frame about it.

use askama::Template;
use bytes::Bytes;

use super::About;

/// Between the parts; no text of a page has it, because none may have U+0000.
const END: char = '\0';

/// See the module.
#[derive(Debug)]
pub(crate) struct Ready {
    about: About,
    main: String,
}

impl Ready {
    /// Renders a middle.
    ///
    /// # Errors
    /// The template's.
    pub(crate) fn new(about: About, main: &impl Template) -> askama::Result<Self> {
        Ok(Self { about, main: main.render()? })
    }

    /// As one piece, to be kept.
    pub(crate) fn into_bytes(self) -> Bytes {
        let About { title, description, canonical } = self.about;
        let head = [title, description, canonical].map(|text| text.replace(END, " "));
        let [title, description, canonical] = head;
        format!("{title}{END}{description}{END}{canonical}{END}{}", self.main).into()
    }

    /// Takes the piece apart again.
    pub(crate) fn read(bytes: &[u8]) -> Option<(About, &str)> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut parts = text.splitn(4, END);
        let mut next = || parts.next().map(str::to_owned);
        let about = About { title: next()?, description: next()?, canonical: next()? };
        Some((about, parts.next()?))
    }
}
