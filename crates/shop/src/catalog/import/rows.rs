//! The second pass over a file: one [`DiscRow`], or all faults of one row, at a time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;

use runout_core::money::{Currency, Money};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::amounts::{parse_currency, parse_price};
use super::encoding::Decoder;
use super::header::{Column, Field, Header};
use super::records::{Outcome, RECORD_BYTES_MAX, Records};
use super::survey::Survey;
use super::text::{clean_block, clean_line, comparable, shorten};
use super::{BadRow, HeaderError, ImportError, Layout, Options, RowError};

/// Longest texts, in characters.
pub const TITLE_CHARS_MAX: usize = 300;
/// See [`TITLE_CHARS_MAX`].
pub const ARTIST_CHARS_MAX: usize = 200;
/// See [`TITLE_CHARS_MAX`].
pub const STYLE_CHARS_MAX: usize = 200;
/// See [`TITLE_CHARS_MAX`]; also for catalogue numbers, formats and locations.
pub const LABEL_CHARS_MAX: usize = 200;
/// See [`TITLE_CHARS_MAX`].
pub const DESCRIPTION_CHARS_MAX: usize = 20_000;
/// See [`TITLE_CHARS_MAX`]; also for Discogs listing ids.
pub const SKU_CHARS_MAX: usize = 64;
/// See [`TITLE_CHARS_MAX`]; one attribute.
pub const ATTRIBUTE_CHARS_MAX: usize = 2_000;
/// First year of a release: the oldest recording is of 1860.
pub const YEAR_MIN: i64 = 1860;
/// Last year of a release.
pub const YEAR_MAX: i64 = 2100;
/// Most units of one disc.
pub const QUANTITY_MAX: i64 = 1_000_000;
/// So many rows are remembered to find a disc that stands twice in one file.
const DUPLICATES_TRACKED_MAX: usize = 1_000_000;
/// Bytes of the hash in a key: 128 bits do not collide by accident.
const KEY_HASH_BYTES: usize = 16;
/// Genres of Discogs that contain the comma which otherwise separates genres.
const GENRE_WITH_COMMAS: &str = "Folk, World, & Country";

/// One record (or other disc) of a file, checked and cleaned.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscRow {
    /// The line, from 1, in which the row begins.
    pub line: u64,
    /// The same for the same disc in every run: `discogs:<listing_id>`, else `sku:<sku>`, else
    /// `disc:<hash of title, artist, year and format>`.
    pub key: String,
    /// 1 to [`TITLE_CHARS_MAX`] characters.
    pub title: String,
    /// Up to [`ARTIST_CHARS_MAX`] characters.
    pub artist: Option<String>,
    /// [`YEAR_MIN`] to [`YEAR_MAX`].
    pub release_year: Option<i64>,
    /// The broadest of genre, style and subgenre that the file has; the others are the list
    /// `subgenres` in the attributes.
    pub style: Option<String>,
    /// Up to [`LABEL_CHARS_MAX`] characters.
    pub label: Option<String>,
    /// Up to [`LABEL_CHARS_MAX`] characters.
    pub catalogue_number: Option<String>,
    /// Up to [`DESCRIPTION_CHARS_MAX`] characters, may have several lines.
    pub description: Option<String>,
    /// Up to [`SKU_CHARS_MAX`] characters.
    pub sku: Option<String>,
    /// `None` if the file has no price for the row.
    pub price: Option<Money>,
    /// Units, 0 to [`QUANTITY_MAX`]; `None` if the file does not say. A Discogs listing that is for
    /// sale is one unit unless it says otherwise, and any other is none.
    pub quantity: Option<i64>,
    /// The stock pool; never from Discogs, where it is the seller's shelf.
    pub location: Option<String>,
    /// Whether the disc may be sold: not a Discogs draft, sold, expired or blocked listing.
    pub enabled: bool,
    /// Everything else that the file says, by the columns' names in lower case with underscores.
    pub attributes: Map<String, Value>,
    /// What only the seller may see: Discogs' `location` and `external_id`. Never publish it.
    pub private_attributes: Map<String, Value>,
}

/// The rows of a file, one after another. See [`Iterator`] for what each is.
pub struct Rows<R> {
    records: Records<R>,
    decoder: Decoder,
    header: Header,
    default_currency: Currency,
    /// The line of each key seen, by the start of the key's hash.
    seen: HashMap<u128, u64>,
    ended: bool,
}

impl<R: Read> Rows<R> {
    /// Reads the header of `source`, which `survey` was made of.
    ///
    /// # Errors
    /// The source cannot be read, is UTF-16, or its header does not do.
    pub fn new(source: R, survey: &Survey, options: &Options) -> Result<Self, ImportError> {
        if survey.utf16 {
            return Err(ImportError::Utf16);
        }
        let mut records = Records::new(source, survey.delimiter)?;
        let decoder = Decoder::new(survey.encoding);
        match records.read()? {
            Outcome::Record => {}
            Outcome::End => return Err(HeaderError::Empty.into()),
            Outcome::TooLong => return Err(HeaderError::Unreadable(TOO_LONG).into()),
            Outcome::QuoteNotClosed => return Err(HeaderError::Unreadable(OPEN_QUOTE).into()),
        }
        let names = records.fields().map(|name| decoder.decode_lossy(name).into_owned());
        let header = Header::of(&names.collect::<Vec<_>>())?;
        let default_currency = options.default_currency;
        Ok(Rows { records, decoder, header, default_currency, seen: HashMap::new(), ended: false })
    }

    /// Which kind of file it is.
    pub fn layout(&self) -> Layout {
        self.header.layout
    }

    /// The columns' names as the file has them, and what each is taken for.
    pub fn columns(&self) -> Vec<(String, String)> {
        let named = |column: &Column| (column.name.clone(), column.field.meaning());
        self.header.columns.iter().map(named).collect()
    }

    /// Bytes of the file that are done with, up to [`Survey::bytes`]: for a progress bar.
    pub fn position(&self) -> u64 {
        self.records.position()
    }

    /// True if no row follows.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    fn row_fault(&self, reason: impl Into<String>) -> BadRow {
        let (line, reason) = (self.records.line(), reason.into());
        BadRow::Faulty(vec![RowError { line, column: None, reason, value: None }])
    }

    /// The current record as a disc; `None` if nothing stands in it.
    fn disc(&mut self) -> Option<Result<DiscRow, BadRow>> {
        let blank = |field: &[u8]| field.iter().all(u8::is_ascii_whitespace);
        if self.records.fields().all(blank) {
            return None;
        }
        if self.records.is_glued() {
            self.records.keep_first_line_only();
            return Some(Err(self.row_fault(OPEN_QUOTE)));
        }
        let (columns, fields) = (self.header.columns.len(), self.records.len());
        let surplus_blank = (columns..fields).all(|index| blank(self.records.field(index)));
        if fields < columns || !surplus_blank {
            let plural = if fields == 1 { "" } else { "s" };
            let mut reason = format!("has {fields} field{plural} where the header has {columns}");
            // Lines that a stray quote has glued together are read again, one by one.
            if self.records.keep_first_line_only() {
                reason.push_str(": is a quote not closed?");
            }
            return Some(Err(self.row_fault(reason)));
        }
        let cells = Cells::read(&self.records, &self.decoder, &self.header);
        Some(cells.into_disc(self.default_currency).and_then(|disc| self.only_once(disc)))
    }

    /// Refuses a disc whose key an earlier row has: one of the two would be lost.
    fn only_once(&mut self, disc: DiscRow) -> Result<DiscRow, BadRow> {
        let digest = Sha256::digest(disc.key.as_bytes());
        let short = digest.iter().take(KEY_HASH_BYTES);
        let short = short.fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        if let Some(line) = self.seen.get(&short) {
            return Err(self.row_fault(match disc.key.split_once(':') {
                Some(("discogs", id)) => format!("listing {id} already stands in line {line}"),
                Some(("sku", sku)) => format!("sku {sku} already stands in line {line}"),
                _ => format!(
                    "the same title, artist, year and format as line {line}: give both an sku to \
                     keep them apart"
                ),
            }));
        }
        if self.seen.len() < DUPLICATES_TRACKED_MAX {
            self.seen.insert(short, disc.line);
        }
        Ok(disc)
    }
}

const TOO_LONG: &str = "the line is longer than 1 MB";
const OPEN_QUOTE: &str = "a quote is opened and never closed";
const _: () = assert!(RECORD_BYTES_MAX == 1_000_000, "the text above says 1 MB");

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<DiscRow, BadRow>;

    /// The next row with content. After [`BadRow::Unreadable`] there is none.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.records.read() {
                Ok(Outcome::Record) => {
                    if let Some(row) = self.disc() {
                        return Some(row);
                    }
                }
                Ok(Outcome::TooLong) => return Some(Err(self.row_fault(TOO_LONG))),
                Ok(Outcome::QuoteNotClosed) => return Some(Err(self.row_fault(OPEN_QUOTE))),
                Ok(Outcome::End) => self.ended = true,
                Err(source) => {
                    self.ended = true;
                    return Some(Err(BadRow::Unreadable { line: self.records.line(), source }));
                }
            }
        }
        None
    }
}

/// The texts of one record by column, and the faults found so far.
struct Cells<'a> {
    line: u64,
    header: &'a Header,
    texts: Vec<Cow<'a, str>>,
    faults: Vec<RowError>,
}

impl<'a> Cells<'a> {
    fn read<R: Read>(records: &'a Records<R>, decoder: &Decoder, header: &'a Header) -> Self {
        let line = records.line();
        let mut cells = Cells { line, header, texts: Vec::new(), faults: Vec::new() };
        for index in 0..header.columns.len() {
            let bytes = records.field(index);
            let text = decoder.decode(bytes).unwrap_or_else(|error| {
                cells.fault(index, error.to_string(), &decoder.decode_lossy(bytes));
                Cow::Borrowed("")
            });
            cells.texts.push(text);
        }
        cells
    }

    fn fault(&mut self, index: usize, reason: String, value: &str) {
        let column = self.header.columns.get(index).map(|column| column.name.clone());
        let value = Some(shorten(value)).filter(|value| !value.is_empty());
        self.faults.push(RowError { line: self.line, column, reason, value });
    }

    /// The text of a field's column, cleaned; `None` without a column or content.
    fn line_of(&self, field: &Field) -> Option<(usize, String)> {
        let index = self.header.index_of(field)?;
        let text = clean_line(&self.texts[index]);
        (!text.is_empty()).then_some((index, text))
    }

    fn bounded(&mut self, field: &Field, chars_max: usize) -> Option<String> {
        let (index, text) = self.line_of(field)?;
        self.check_length(index, text, chars_max)
    }

    fn check_length(&mut self, index: usize, text: String, chars_max: usize) -> Option<String> {
        let chars = text.chars().count();
        if chars <= chars_max {
            return Some(text);
        }
        self.fault(index, format!("has {chars} characters, more than {chars_max}"), &text);
        None
    }

    /// A value that `parse` reads; its reason follows the shortened value in the fault.
    fn parsed<T>(
        &mut self,
        field: &Field,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (index, text) = self.line_of(field)?;
        parse(&text)
            .map_err(|reason| self.fault(index, format!("{} {reason}", shorten(&text)), &text))
            .ok()
    }

    fn title(&mut self) -> String {
        let title = self.bounded(&Field::Title, TITLE_CHARS_MAX);
        let index = self.header.index_of(&Field::Title).unwrap_or_default();
        let column = self.header.columns.get(index).map(|column| &column.name);
        let told = self.faults.iter().any(|fault| fault.column.as_ref() == column);
        if title.is_none() && !told {
            self.fault(index, "the title is missing".to_owned(), "");
        }
        title.unwrap_or_default()
    }

    fn description(&mut self) -> Option<String> {
        let index = self.header.index_of(&Field::Description)?;
        let text = clean_block(&self.texts[index]);
        let text = self.check_length(index, text, DESCRIPTION_CHARS_MAX)?;
        (!text.is_empty()).then_some(text)
    }

    fn price(&mut self, default: Currency) -> Option<Money> {
        let currency = self.parsed(&Field::Currency, parse_currency);
        if currency.is_none() && self.line_of(&Field::Currency).is_some() {
            // Its fault is reported; the price would only repeat it.
            return None;
        }
        self.parsed(&Field::Price, |text| parse_price(text, currency, default))
    }

    /// The broadest kind of music, and the narrower ones as a list.
    fn styles(&mut self, attributes: &mut Map<String, Value>) -> Option<String> {
        let mut style = None;
        let mut narrower: Vec<String> = Vec::new();
        for field in [Field::Genre, Field::Style, Field::Subgenre] {
            let Some(text) = self.bounded(&field, STYLE_CHARS_MAX) else { continue };
            match style {
                None => style = Some(text),
                Some(_) => narrower.extend(split_genres(&text)),
            }
        }
        if !narrower.is_empty() {
            attributes.insert("subgenres".to_owned(), narrower.into());
        }
        style
    }

    /// Columns without a meaning of their own.
    fn rest(&mut self, attributes: &mut Map<String, Value>, private: &mut Map<String, Value>) {
        let header = self.header;
        for (index, column) in header.columns.iter().enumerate() {
            let (map, key) = match &column.field {
                Field::Attribute(key) => (&mut *attributes, key.as_str()),
                Field::Private(key) => (&mut *private, *key),
                Field::Format => (&mut *attributes, "format"),
                Field::Barcode => (&mut *attributes, "barcode"),
                Field::Unnamed if !clean_line(&self.texts[index]).is_empty() => {
                    let text = self.texts[index].clone();
                    self.fault(index, "has a value but no name in the header".to_owned(), &text);
                    continue;
                }
                _ => continue,
            };
            let text = clean_block(&self.texts[index]);
            if let Some(text) = self.check_length(index, text, ATTRIBUTE_CHARS_MAX)
                && !text.is_empty()
            {
                map.insert(key.to_owned(), text.into());
            }
        }
    }

    fn into_disc(mut self, default_currency: Currency) -> Result<DiscRow, BadRow> {
        let (mut attributes, mut private_attributes) = (Map::new(), Map::new());
        let discogs = self.header.layout == Layout::Discogs;
        let listing_id = self.parsed(&Field::ListingId, parse_listing_id);
        if discogs && listing_id.is_none() && self.line_of(&Field::ListingId).is_none() {
            let index = self.header.index_of(&Field::ListingId).unwrap_or_default();
            self.fault(index, "the listing id is missing".to_owned(), "");
        }
        let status = self.line_of(&Field::Status).map(|(_, status)| comparable(&status));
        let enabled = status.is_none_or(|status| status == "forsale");
        let quantity = self.parsed(&Field::Quantity, parse_quantity);
        let title = self.title();
        let mut disc = DiscRow {
            line: self.line,
            key: String::new(),
            title,
            artist: self.bounded(&Field::Artist, ARTIST_CHARS_MAX),
            release_year: self.parsed(&Field::Year, parse_year),
            style: self.styles(&mut attributes),
            label: self.bounded(&Field::Label, LABEL_CHARS_MAX),
            catalogue_number: self.bounded(&Field::CatalogueNumber, LABEL_CHARS_MAX),
            description: self.description(),
            sku: self.bounded(&Field::Sku, SKU_CHARS_MAX),
            price: self.price(default_currency),
            quantity: match (discogs, enabled) {
                (true, true) => quantity.or(Some(1)),
                (true, false) => Some(0),
                (false, _) => quantity,
            },
            location: self.bounded(&Field::Location, LABEL_CHARS_MAX),
            enabled,
            attributes: Map::new(),
            private_attributes: Map::new(),
        };
        self.rest(&mut attributes, &mut private_attributes);
        disc.attributes = attributes;
        disc.private_attributes = private_attributes;
        disc.key = key(&disc, listing_id.as_deref());
        if self.faults.is_empty() {
            return Ok(disc);
        }
        // In the order of the columns, as the user reads the file.
        let at = |fault: &RowError| {
            let columns = self.header.columns.iter();
            columns.map(|column| Some(&column.name)).position(|name| name == fault.column.as_ref())
        };
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(at);
        Err(BadRow::Faulty(faults))
    }
}

fn key(disc: &DiscRow, listing_id: Option<&str>) -> String {
    if let Some(id) = listing_id {
        return format!("discogs:{id}");
    }
    if let Some(sku) = &disc.sku {
        return format!("sku:{sku}");
    }
    let year = disc.release_year.map(|year| year.to_string()).unwrap_or_default();
    let format = disc.attributes.get("format").and_then(Value::as_str).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [&disc.title, disc.artist.as_deref().unwrap_or_default(), &year, format] {
        let same = comparable(part);
        // A title of signs only ("( )", "÷") is told apart by the signs.
        hash.update(if same.is_empty() { part.as_bytes() } else { same.as_bytes() });
        hash.update([0x1f]);
    }
    let digest = hash.finalize();
    let hex = digest.iter().take(KEY_HASH_BYTES).map(|byte| format!("{byte:02x}"));
    format!("disc:{}", hex.collect::<String>())
}

/// "Reggae, Pop" in its parts. "None" is what public lists write for nothing.
fn split_genres(text: &str) -> Vec<String> {
    const MARK: &str = "\0";
    let marked = text.replace(GENRE_WITH_COMMAS, MARK);
    let parts = marked.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "None");
    parts.map(|part| part.replace(MARK, GENRE_WITH_COMMAS)).collect()
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_year(text: &str) -> Result<i64, String> {
    let year = text.parse::<i64>().ok().filter(|_| digits(text));
    year.filter(|year| (YEAR_MIN..=YEAR_MAX).contains(year))
        .ok_or_else(|| format!("is not a year between {YEAR_MIN} and {YEAR_MAX}"))
}

fn parse_quantity(text: &str) -> Result<i64, String> {
    if text.strip_prefix(['-', '−']).is_some_and(digits) {
        return Err("must not be negative".to_owned());
    }
    if !digits(text) {
        return Err("is not a whole number".to_owned());
    }
    let quantity = text.parse::<i64>().ok().filter(|quantity| *quantity <= QUANTITY_MAX);
    quantity.ok_or_else(|| format!("is more than {QUANTITY_MAX}"))
}

fn parse_listing_id(text: &str) -> Result<String, String> {
    if digits(text) && text.len() <= SKU_CHARS_MAX {
        Ok(text.to_owned())
    } else {
        Err("is not the number of a listing".to_owned())
    }
}
