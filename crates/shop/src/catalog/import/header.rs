//! What the columns of a file mean, found out from its header line.
//!
//! Names match without regard to case, blanks, underscores and hyphens. No two columns of a file
//! mean the same field, and there is a title column, or the file is refused.

use super::text::{clean_line, comparable, shorten};
use super::{HeaderError, Layout};

/// Most columns that a file may have.
pub const COLUMNS_MAX: usize = 200;
/// Most names that an error repeats.
const NAMES_SHOWN_MAX: usize = 30;
/// Longest key of an attribute; longer column names are cut.
const ATTRIBUTE_KEY_CHARS_MAX: usize = 60;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    Artist,
    Year,
    /// The three levels of kinds of music, the broadest first.
    Genre,
    Style,
    Subgenre,
    Label,
    CatalogueNumber,
    Format,
    Barcode,
    Description,
    Sku,
    Price,
    Currency,
    Quantity,
    Location,
    /// Discogs: the number of the offer, and whether it stands.
    ListingId,
    Status,
    /// Discogs: what only the seller may see, under this key.
    Private(&'static str),
    /// Anything else, under this key.
    Attribute(String),
    /// A column without a name: it must be empty.
    Unnamed,
}

impl Field {
    /// What the column is taken for, for a person.
    pub(super) fn meaning(&self) -> String {
        match self {
            Field::CatalogueNumber => "catalogue number".to_owned(),
            Field::ListingId => "listing".to_owned(),
            Field::Private(key) => format!("{key}, kept private"),
            Field::Attribute(key) => format!("attribute {key}"),
            Field::Unnamed => "nothing: it must be empty".to_owned(),
            named => format!("{named:?}").to_lowercase(),
        }
    }
}

/// Names of columns, as [`name_key`] gives them, and what they mean.
const NAMES: &[(Field, &[&str])] = &[
    (Field::Title, &["title", "album", "name", "disc"]),
    (Field::Artist, &["artist", "band", "performer"]),
    (Field::Year, &["year", "releaseyear", "released"]),
    (Field::Genre, &["genre", "genres"]),
    (Field::Style, &["style", "styles"]),
    (Field::Subgenre, &["subgenre", "subgenres"]),
    (Field::Label, &["label"]),
    (
        Field::CatalogueNumber,
        &[
            "catno",
            "cat#",
            "cataloguenumber",
            "catalognumber",
            "catalogueno",
            "catalogno",
            "catalogue#",
            "catalog#",
        ],
    ),
    (Field::Format, &["format"]),
    (Field::Barcode, &["barcode", "ean", "upc", "gtin"]),
    (Field::Description, &["description"]),
    (Field::Sku, &["sku"]),
    (Field::Price, &["price"]),
    (Field::Currency, &["currency", "currencycode"]),
    (Field::Quantity, &["quantity", "stock", "amount", "qty"]),
    (Field::Location, &["location"]),
];

/// What a Discogs inventory export means beyond the common names. Discogs shows a listing's
/// location and external id to its seller only.
const DISCOGS_NAMES: &[(Field, &[&str])] = &[
    (Field::ListingId, &["listingid"]),
    (Field::Status, &["status"]),
    (Field::Description, &["comments"]),
    (Field::Private("location"), &["location"]),
    (Field::Private("external_id"), &["externalid"]),
];

/// One column of a file.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name as the file has it, or "column 7".
    pub(super) name: String,
    pub(super) field: Field,
}

/// The columns of a file, in its order.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) columns: Vec<Column>,
}

impl Header {
    /// Finds out what the names mean.
    pub(super) fn of(names: &[String]) -> Result<Header, HeaderError> {
        let mut names: Vec<String> = names.iter().map(|name| clean_line(name)).collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        if names.len() > COLUMNS_MAX {
            return Err(HeaderError::TooManyColumns { columns: names.len() });
        }
        let keys: Vec<String> = names.iter().map(|name| name_key(name)).collect();
        let has = |key: &str| keys.iter().any(|each| each == key);
        let discogs = has("listingid") && has("releaseid");
        let layout = if discogs { Layout::Discogs } else { Layout::Generic };
        let columns: Vec<Column> = names
            .iter()
            .zip(&keys)
            .enumerate()
            .map(|(index, (name, key))| Column {
                name: match name.as_str() {
                    "" => format!("column {}", index + 1),
                    name => shorten(name),
                },
                field: field_of(layout, name, key),
            })
            .collect();
        let header = Header { layout, columns };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), HeaderError> {
        for (index, column) in self.columns.iter().enumerate() {
            let mut before = self.columns[..index].iter();
            if column.field != Field::Unnamed
                && let Some(first) = before.find(|each| each.field == column.field)
            {
                let (first, second) = (first.name.clone(), column.name.clone());
                return Err(HeaderError::Duplicate { first, second });
            }
        }
        if self.index_of(&Field::Title).is_none() {
            let names =
                self.columns.iter().take(NAMES_SHOWN_MAX).map(|column| column.name.as_str());
            return Err(HeaderError::NoTitle { seen: names.collect::<Vec<_>>().join(", ") });
        }
        Ok(())
    }

    /// Where the column of a field stands.
    pub(super) fn index_of(&self, field: &Field) -> Option<usize> {
        self.columns.iter().position(|column| column.field == *field)
    }
}

fn field_of(layout: Layout, name: &str, key: &str) -> Field {
    let find = |table: &[(Field, &[&str])]| {
        table.iter().find(|(_, names)| names.contains(&key)).map(|(field, _)| field.clone())
    };
    let special = if layout == Layout::Discogs { find(DISCOGS_NAMES) } else { None };
    special.or_else(|| find(NAMES)).unwrap_or_else(|| match attribute_key(name) {
        key if key.is_empty() => Field::Unnamed,
        key => Field::Attribute(key),
    })
}

/// "Cat. #" and "cat#" are one name.
fn name_key(name: &str) -> String {
    let mut key = comparable(name);
    if name.trim_end().ends_with('#') {
        key.push('#');
    }
    key
}

/// "Media Condition" becomes `media_condition`.
fn attribute_key(name: &str) -> String {
    let words = name.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    let key = words.collect::<Vec<_>>().join("_").to_lowercase();
    key.chars().take(ATTRIBUTE_KEY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> Result<Header, HeaderError> {
        let names: Vec<String> = line.split(',').map(str::to_owned).collect();
        Header::of(&names)
    }

    fn fields(line: &str) -> Vec<Field> {
        header(line).expect("a good header").columns.into_iter().map(|each| each.field).collect()
    }

    #[test]
    fn names_match_loosely() {
        for (name, field) in [
            ("Album", Field::Title),
            (" TITLE ", Field::Title),
            ("release_year", Field::Year),
            ("Release Year", Field::Year),
            ("Cat. #", Field::CatalogueNumber),
            ("Catalogue-Number", Field::CatalogueNumber),
            ("QTY", Field::Quantity),
            ("Media Condition", Field::Attribute("media_condition".to_owned())),
            ("Nº", Field::Attribute("nº".to_owned())),
        ] {
            let title = if field == Field::Title { "x" } else { "title" };
            assert_eq!(fields(&format!("{title},{name}"))[1], field, "{name}");
        }
    }

    #[test]
    fn discogs_exports_are_recognised() {
        let line = "listing_id,artist,title,label,catno,format,release_id,status,price,listed,\
            comments,media_condition,sleeve_condition,accept_offer,external_id,weight,\
            format_quantity,location,quantity";
        let header = header(line).expect("a good header");
        assert_eq!(header.layout, Layout::Discogs);
        assert_eq!(header.columns[10].field, Field::Description);
        assert_eq!(header.columns[17].field, Field::Private("location"));
        assert_eq!(fields("title,location,comments")[1], Field::Location);
    }

    #[test]
    fn bad_headers_are_refused_in_one_line() {
        for (line, error) in [
            (
                "artist,year,,",
                "there is no title column: the header has artist, year; one of title, album, name \
                 or disc is needed (and artist, year, genre, style, subgenre, label, catno, \
                 format, barcode, description, sku, price, currency, quantity, location are known)",
            ),
            (
                "title,Year,released",
                "the columns \"Year\" and \"released\" mean the same: rename or remove one",
            ),
            (
                "title,my tag,my_tag",
                "the columns \"my tag\" and \"my_tag\" mean the same: rename or remove one",
            ),
            ("album,album", "the column \"album\" stands twice: rename or remove one"),
        ] {
            assert_eq!(header(line).expect_err("bad").to_string(), error);
        }
        let wide = vec!["title".to_owned(); COLUMNS_MAX + 1];
        let error = Header::of(&wide).expect_err("too wide").to_string();
        assert_eq!(error, "the header has 201 columns, more than 200");
    }
}
