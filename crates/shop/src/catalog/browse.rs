//! What somebody wants to see of the catalogue, as it stands in the address: words, facets, order,
//! page. Every state has one address; parameters that are not known are left out of account.

use axum::http::Uri;

use super::list::{PRODUCTS, Search};
use super::model::Kind;
use crate::platform::page::ListRequest;
use crate::platform::problem::Problem;

/// Where the catalogue is.
pub(super) const PATH: &str = "/catalogue";
/// Records of a page.
const PAGE_ROWS: &str = "24";
/// Longest words, style or artist that are looked for, in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// The orders that are offered: the name in the address, words, the list's own name.
pub(super) const SORTS: [(&str, &str, &str); 5] = [
    ("", "Newest arrivals", "-id"),
    ("title", "Title", "title"),
    ("artist", "Artist", "artist"),
    ("-year", "Year, newest first", "-release_year"),
    ("year", "Year, oldest first", "release_year"),
];

/// A state of the catalogue's page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Browse {
    pub q: String,
    pub kind: String,
    pub style: String,
    /// Its first year.
    pub decade: Option<i64>,
    pub artist: String,
    pub in_stock: bool,
    /// One of [`SORTS`].
    pub sort: &'static str,
    pub cursor: String,
    pub before: String,
}

/// A filter that is on, and the address without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chip {
    pub words: String,
    pub without: String,
}

impl Browse {
    /// Reads the query of an address.
    pub(super) fn from_uri(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let mut browse = Self::default();
        for (name, value) in pairs {
            browse.read(&name, value);
        }
        browse
    }

    fn read(&mut self, name: &str, value: String) {
        let text = value.trim();
        if text.len() > TEXT_BYTES_MAX && !matches!(name, "cursor" | "before")
            || text.contains('\0')
        {
            return;
        }
        match name {
            "q" => text.clone_into(&mut self.q),
            "style" => self.style = value,
            "artist" => self.artist = value,
            "kind" if text.parse::<Kind>().is_ok() => self.kind = value,
            "decade" => self.decade = text.parse().ok().filter(|year| (1860..=2100).contains(year)),
            "in_stock" => self.in_stock = matches!(text, "1" | "true"),
            "sort" => {
                let found = SORTS.iter().find(|(name, ..)| *name == text);
                self.sort = found.map_or("", |(name, ..)| name);
            }
            "cursor" => self.cursor = value,
            "before" => self.before = value,
            _ => {}
        }
    }

    /// The state's parameters that are not as at first, always in the same order.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let decade = self.decade.map(|year| year.to_string()).unwrap_or_default();
        let in_stock = if self.in_stock { "1" } else { "" };
        let all = [
            ("q", self.q.as_str()),
            ("kind", &self.kind),
            ("style", &self.style),
            ("decade", &decade),
            ("artist", &self.artist),
            ("in_stock", in_stock),
            ("sort", self.sort),
            ("cursor", &self.cursor),
            ("before", &self.before),
        ];
        let set = all.into_iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// What another search keeps of this state.
    pub(super) fn kept(&self) -> Vec<(&'static str, String)> {
        let mut kept = self.first_page().pairs();
        kept.retain(|(name, _)| *name != "q");
        kept
    }

    /// The query of the state's address.
    pub(super) fn query(&self) -> String {
        serde_urlencoded::to_string(self.pairs()).expect("text can be encoded")
    }

    /// The state's address.
    pub(super) fn address(&self) -> String {
        let query = self.query();
        if query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{query}") }
    }

    /// The address of the first page of another state.
    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut other = self.first_page();
        change(&mut other);
        other.address()
    }

    /// The state without its page.
    pub(super) fn first_page(&self) -> Self {
        Self { cursor: String::new(), before: String::new(), ..self.clone() }
    }

    /// What decides which records there are: without order and page.
    pub(super) fn filters(&self) -> Self {
        Self { sort: "", ..self.first_page() }
    }

    /// True if every record is shown.
    pub(super) fn is_all(&self) -> bool {
        self.filters() == Self::default()
    }

    /// The address of a page of this state.
    pub(super) fn page(&self, cursor: Option<&str>, before: Option<&str>) -> String {
        self.with(|other| {
            cursor.unwrap_or_default().clone_into(&mut other.cursor);
            before.unwrap_or_default().clone_into(&mut other.before);
        })
    }

    /// The filters that are on.
    pub(super) fn chips(&self) -> Vec<Chip> {
        let mut chips = Vec::new();
        let mut add = |words: String, without: String| chips.push(Chip { words, without });
        if !self.q.is_empty() {
            add(format!("“{}”", self.q), self.with(|other| other.q.clear()));
        }
        if let Ok(kind) = self.kind.parse::<Kind>() {
            add(kind_words(kind).to_owned(), self.with(|other| other.kind.clear()));
        }
        if !self.style.is_empty() {
            add(self.style.clone(), self.with(|other| other.style.clear()));
        }
        if let Some(decade) = self.decade {
            add(format!("{decade}s"), self.with(|other| other.decade = None));
        }
        if !self.artist.is_empty() {
            add(self.artist.clone(), self.with(|other| other.artist.clear()));
        }
        if self.in_stock {
            add("In stock".to_owned(), self.with(|other| other.in_stock = false));
        }
        chips
    }

    /// What the page is called.
    pub(super) fn title(&self) -> String {
        let chips: Vec<String> = self.chips().into_iter().map(|chip| chip.words).collect();
        if chips.is_empty() { "Catalogue".to_owned() } else { chips.join(", ") }
    }

    /// The list that shows this state, and what it searches.
    ///
    /// # Errors
    /// What the list refuses.
    pub(super) fn request(&self) -> Result<(ListRequest, Search), Problem> {
        let mut pairs = self.list_pairs();
        let list = SORTS.iter().find(|(name, ..)| *name == self.sort);
        pairs.push(("sort", list.map_or("-id", |(.., list)| list).to_owned()));
        let plain = list_request(&pairs)?;
        let search = Search::new(&plain)?;
        // A page that is nowhere in this order: the first one is shown.
        if !self.before.is_empty() {
            return Ok((plain.clone().before(&self.before).unwrap_or(plain), search));
        }
        if !self.cursor.is_empty() {
            pairs.push(("cursor", self.cursor.clone()));
            return Ok((list_request(&pairs).unwrap_or(plain), search));
        }
        Ok((plain, search))
    }

    /// The filters under the list's own names.
    fn list_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("limit", PAGE_ROWS.to_owned())];
        for (name, value) in
            [("q", &self.q), ("kind", &self.kind), ("style", &self.style), ("artist", &self.artist)]
        {
            if !value.is_empty() {
                pairs.push((name, value.clone()));
            }
        }
        if let Some(decade) = self.decade {
            pairs.push(("release_year__gte", decade.to_string()));
            pairs.push(("release_year__lte", (decade + 9).to_string()));
        }
        if self.in_stock {
            pairs.push(("in_stock", "true".to_owned()));
        }
        pairs
    }
}

fn list_request(pairs: &[(&'static str, String)]) -> Result<ListRequest, Problem> {
    let query = serde_urlencoded::to_string(pairs).expect("text can be encoded");
    let uri: Uri = format!("/?{query}").parse().expect("encoded text makes an address");
    ListRequest::from_uri(&PRODUCTS, &uri)
}

/// What a kind of product is called, in the plural.
pub(super) fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Disc => "Records",
        Kind::Ticket => "Tickets",
        Kind::Merch => "Merch",
        Kind::Other => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &'static str) -> Browse {
        Browse::from_uri(&Uri::from_static(query))
    }

    #[test]
    fn every_state_has_one_address() {
        for (given, address) in [
            ("/catalogue", "/catalogue"),
            ("/catalogue?q=", "/catalogue"),
            ("/catalogue?utm=x&sort=nonsense&kind=car&decade=x", "/catalogue"),
            ("/catalogue?style=Rock&q=+blue+", "/catalogue?q=blue&style=Rock"),
            ("/catalogue?in_stock=true&decade=1970", "/catalogue?decade=1970&in_stock=1"),
            ("/catalogue?sort=-year&cursor=abc", "/catalogue?sort=-year&cursor=abc"),
            ("/catalogue?artist=Simon+%26+Garfunkel", "/catalogue?artist=Simon+%26+Garfunkel"),
        ] {
            assert_eq!(of(given).address(), address, "{given}");
            let again: Uri = address.parse().expect("an address");
            assert_eq!(Browse::from_uri(&again), of(given));
        }
    }

    #[test]
    fn chips_take_one_filter_away_and_begin_anew() {
        let browse = of("/catalogue?q=a&style=Rock&decade=1970&cursor=x&sort=title");
        let chips = browse.chips();
        let shown: Vec<(&str, &str)> =
            chips.iter().map(|chip| (chip.words.as_str(), chip.without.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("“a”", "/catalogue?style=Rock&decade=1970&sort=title"),
                ("Rock", "/catalogue?q=a&decade=1970&sort=title"),
                ("1970s", "/catalogue?q=a&style=Rock&sort=title"),
            ]
        );
        assert_eq!(browse.title(), "“a”, Rock, 1970s");
        assert!(!browse.is_all() && of("/catalogue?sort=year&before=x").is_all());
    }

    #[test]
    fn a_cursor_of_another_order_shows_the_first_page() {
        for query in ["/catalogue?cursor=nonsense", "/catalogue?before=nonsense&sort=title"] {
            assert!(of(query).request().is_ok(), "{query}");
        }
    }
}
