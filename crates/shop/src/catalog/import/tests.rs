//! The import as a whole: the real file, tables of rows and faults, and arbitrary input.

use std::collections::HashSet;

use proptest::prelude::*;
use runout_core::money::{AMOUNT_MINOR_MAX, Money};

use super::*;

const ALBUMS: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/albums-500.csv"));
const DISCOGS: &str = "listing_id,artist,title,label,catno,format,release_id,status,price,listed,\
    comments,media_condition,sleeve_condition,accept_offer,external_id,weight,format_quantity,\
    location,quantity\n";

fn euro() -> Currency {
    "EUR".parse().expect("a real currency")
}

fn options(encoding: Option<Encoding>) -> Options {
    Options { encoding, default_currency: euro() }
}

fn try_rows(
    bytes: &[u8],
    encoding: Option<Encoding>,
) -> Result<Vec<Result<DiscRow, BadRow>>, ImportError> {
    let survey = Survey::of(bytes, encoding)?;
    Ok(Rows::new(bytes, &survey, &options(encoding))?.collect())
}

fn rows(text: &str) -> Vec<Result<DiscRow, BadRow>> {
    try_rows(text.as_bytes(), None).expect("a good header")
}

/// Each row as its title or its faults.
fn outline(text: &str) -> Vec<String> {
    rows(text)
        .into_iter()
        .map(|row| row.map_or_else(|bad| format!("! {bad}"), |disc| disc.title))
        .collect()
}

fn disc(text: &str) -> DiscRow {
    let mut rows = rows(text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).expect("a good row")
}

#[test]
fn the_real_file_imports_as_it_is() {
    let rows: Vec<DiscRow> = try_rows(ALBUMS, None)
        .expect("a good header")
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("every row is good");
    assert_eq!(rows.len(), 500);
    assert_eq!(rows[358].title, "Honky Château");
    assert_eq!(
        rows[446].artist.as_deref(),
        Some("Stan Getz / Joao Gilberto featuring Antonio Carlos Jobim")
    );
    assert_eq!(rows.iter().map(|row| &row.key).collect::<HashSet<_>>().len(), 500);
    for (index, row) in rows.iter().enumerate() {
        let shown = format!("{row:?}");
        assert!(!shown.contains(['Ê', '‰', 'æ', '\u{a0}']), "{shown}");
        assert_eq!(row.line, index as u64 + 2);
        assert!(row.release_year.is_some() && row.artist.is_some() && row.style.is_some());
        assert_eq!(row.attributes["number"], (index + 1).to_string());
        assert!(row.enabled && row.quantity.is_none() && row.price.is_none());
    }
    assert_eq!(rows[0].style.as_deref(), Some("Rock"));
    let subgenres = serde_json::json!(["Rock & Roll", "Psychedelic Rock"]);
    assert_eq!(rows[0].attributes["subgenres"], subgenres);
    let marley = &rows[121].style;
    assert_eq!(marley.as_deref(), Some("Reggae, Pop, Folk, World, & Country, Stage & Screen"));
}

#[test]
fn the_demo_data_is_the_real_file_cleaned() {
    let fixture = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/discs.csv"));
    let demo = rows(fixture);
    let real = try_rows(ALBUMS, None).expect("a good header");
    assert_eq!(demo.len(), real.len());
    for (demo, real) in demo.into_iter().zip(real) {
        let (demo, real) = (demo.expect("a good row"), real.expect("a good row"));
        let identity = |row: &DiscRow| {
            (row.title.clone(), row.artist.clone(), row.release_year, row.style.clone())
        };
        assert_eq!(identity(&demo), identity(&real));
        assert_eq!(demo.attributes.get("subgenres"), real.attributes.get("subgenres"));
        let price = demo.price.expect("priced");
        assert!((990..=4990).contains(&price.minor) && price.currency == euro(), "{price:?}");
        assert!((0..=60).contains(&demo.quantity.expect("counted")));
    }
}

#[test]
fn the_chosen_encoding_wins() {
    let rows = try_rows(ALBUMS, Some(Encoding::MacRoman)).expect("a good header");
    assert_eq!(rows[358].as_ref().expect("good").title, "Honky Ch‰teau");
    let rows = try_rows(ALBUMS, Some(Encoding::Utf8)).expect("a good header");
    assert_eq!(
        rows[358].as_ref().expect_err("broken").to_string(),
        "line 360, column \"Album\": broken encoding: byte 0xE4 at position 9 is not valid UTF-8; \
         line 360, column \"Subgenre\": broken encoding: byte 0xE6 at position 10 is not valid \
         UTF-8"
    );
    assert!(rows[0].is_ok());
}

#[test]
fn every_column_finds_its_place() {
    let disc = disc(
        "Name;Band;Released;Genre;Style;Subgenre;Price;Stock;SKU;Label;Cat#;Format;EAN;\
         Description;Location;Shelf Mark\r\n\
         \" We are\u{a0} Reactive \";Hohpe;2021;Rock;Post Rock;None;12,50;500;H-1;Ed;ED 1;LP;42;\
         \"Two\n lines\";Lisbon;A 7\r\n",
    );
    assert_eq!(
        disc,
        DiscRow {
            line: 2,
            key: "sku:H-1".to_owned(),
            title: "We are Reactive".to_owned(),
            artist: Some("Hohpe".to_owned()),
            release_year: Some(2021),
            style: Some("Rock".to_owned()),
            label: Some("Ed".to_owned()),
            catalogue_number: Some("ED 1".to_owned()),
            description: Some("Two\nlines".to_owned()),
            sku: Some("H-1".to_owned()),
            price: Some(Money { minor: 1250, currency: euro() }),
            quantity: Some(500),
            location: Some("Lisbon".to_owned()),
            enabled: true,
            attributes: serde_json::from_str(
                r#"{"subgenres":["Post Rock"],"format":"LP","barcode":"42","shelf_mark":"A 7"}"#
            )
            .expect("json"),
            private_attributes: serde_json::Map::new(),
        }
    );
}

#[test]
fn discogs_listings_carry_stock_only_while_for_sale() {
    let text = format!(
        "{DISCOGS}\
         101,Hohpe,Reactive,Ed,ED1,LP,7,For Sale,9.99,2024-01-02,Nice,Mint (M),Mint (M),Y,E1,230,1,\
         B4,\n\
         102,Hohpe,Reactive,Ed,ED1,LP,7,Draft,9.99,,,Mint (M),,N,,,,,3\n\
         103,Hohpe,Reactive,Ed,ED1,LP,7,,9.99,,,Mint (M),,N,,,,,3\n\
         104,Hohpe,Reactive,Ed,ED1,LP,7,Sold,9.99,,,,,,,,,,\n\
         ,Hohpe,Reactive,Ed,ED1,LP,7,Sold,9.99,,,,,,,,,,\n\
         101,Hohpe,Other,Ed,ED1,LP,7,For Sale,9.99,,,,,,,,,,\n"
    );
    let rows = rows(&text);
    let stock: Vec<_> =
        rows.iter().flatten().map(|row| (row.key.as_str(), row.enabled, row.quantity)).collect();
    assert_eq!(
        stock,
        [
            ("discogs:101", true, Some(1)),
            ("discogs:102", false, Some(0)),
            ("discogs:103", true, Some(3)),
            ("discogs:104", false, Some(0)),
        ]
    );
    let first = rows[0].as_ref().expect("good");
    assert_eq!(first.description.as_deref(), Some("Nice"));
    assert_eq!(first.location, None);
    assert_eq!(first.attributes["release_id"], "7");
    assert_eq!(first.attributes["media_condition"], "Mint (M)");
    let private = serde_json::json!({"external_id": "E1", "location": "B4"});
    assert_eq!(serde_json::Value::Object(first.private_attributes.clone()), private);
    assert!(!first.attributes.contains_key("external_id"), "the seller's own notes stay private");
    let bad: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
    assert_eq!(bad[0].to_string(), "line 6, column \"listing_id\": the listing id is missing");
    assert_eq!(bad[1].to_string(), "line 7: listing 101 already stands in line 2");
}

#[test]
fn faults_name_line_column_and_reason() {
    for (row, fault) in [
        ("x,19755,1,1", "line 2, column \"year\": 19755 is not a year between 1860 and 2100"),
        ("x,1967.0,1,1", "line 2, column \"year\": 1967.0 is not a year between 1860 and 2100"),
        (" ,1967,1,1", "line 2, column \"title\": the title is missing"),
        ("x,1967,-1,1", "line 2, column \"price\": -1 must not be negative"),
        ("x,1967,1.000.0,1", "line 2, column \"price\": 1.000.0 is not an amount such as 12.50"),
        ("x,1967,1,-1", "line 2, column \"qty\": -1 must not be negative"),
        ("x,1967,1,1.5", "line 2, column \"qty\": 1.5 is not a whole number"),
        ("x,1967,1,1000001", "line 2, column \"qty\": 1000001 is more than 1000000"),
        ("x,1967,1", "line 2: has 3 fields where the header has 4"),
        ("x,1967,1,1,2", "line 2: has 5 fields where the header has 4"),
        (
            "\0,0,free,",
            "line 2, column \"title\": the title is missing; \
             line 2, column \"year\": 0 is not a year between 1860 and 2100; \
             line 2, column \"price\": free is not an amount such as 12.50",
        ),
    ] {
        let text = format!("title,year,price,qty\n{row}\nlast,,,\n");
        assert_eq!(outline(&text), [format!("! {fault}"), "last".to_owned()], "{row}");
    }
}

#[test]
fn texts_are_bounded() {
    let long = "é".repeat(TITLE_CHARS_MAX + 1);
    let fits = "é".repeat(TITLE_CHARS_MAX);
    let text = format!("title\n{long}\n{fits}\n");
    let fault = "! line 2, column \"title\": has 301 characters, more than 300".to_owned();
    assert_eq!(outline(&text), [fault, fits]);
    let BadRow::Faulty(faults) = rows(&text).remove(0).expect_err("too long") else {
        panic!("a fault of the row");
    };
    assert_eq!(faults[0].value, Some(format!("{}…", "é".repeat(40))));
}

#[test]
fn a_bad_row_hides_no_good_one() {
    for (text, expected) in [
        // Empty lines, rows of nothing, blank surplus fields.
        ("title,artist\n\n,\n  ,\nx,y,,\n", vec!["x"]),
        (
            "title,artist\n\"Heroes,Bowie\nLow,Bowie\n\"Lodger\",Bowie\n",
            vec!["! line 2: a quote is opened and never closed", "Low", "Lodger"],
        ),
        (
            "title,artist\n\"Heroes,Bowie\nLow,\"Bowie\"\n",
            vec!["! line 2: a quote is opened and never closed", "Low"],
        ),
        (
            "title,artist\n\"Heroes,Bowie\nLow\",Bowie,1\nLodger,Bowie\n",
            vec![
                "! line 2: has 3 fields where the header has 2: is a quote not closed?",
                "! line 3: has 3 fields where the header has 2",
                "Lodger",
            ],
        ),
        ("title,artist\n\"He\nroes\" ,\"Bo\"\"wie\"\r\n\"\nLow\",Bowie\n", vec!["He roes", "Low"]),
        (
            "title,artist\n\"Heroes,Bowie\nLow,Bowie\n",
            vec!["! line 2: a quote is opened and never closed", "Low"],
        ),
        (
            "title,artist\nLow,Bowie\nlow ,BOWIE\nLow,Eno\n",
            vec![
                "Low",
                "! line 3: the same title, artist, year and format as line 2: give both an sku to \
                 keep them apart",
                "Low",
            ],
        ),
        ("title,sku\na,1\nb,1\n", vec!["a", "! line 3: sku 1 already stands in line 2"]),
        ("title,\nx,y\nz,\n", vec!["! line 2: has 2 fields where the header has 1", "z"]),
        (
            "title,,artist\nx,y,z\n",
            vec!["! line 2, column \"column 2\": has a value but no name in the header"],
        ),
    ] {
        assert_eq!(outline(text), expected, "{text:?}");
    }
    let giant = format!("title\n{}\nx\n", "y".repeat(10_000_000));
    assert_eq!(outline(&giant), ["! line 2: the line is longer than 1 MB", "x"]);
}

#[test]
fn files_that_cannot_be_imported_say_what_to_do() {
    for (bytes, error) in [
        (b"".as_slice(), "the file is empty: it needs a header line with a title column"),
        (b"\r\n\n", "the file is empty: it needs a header line with a title column"),
        (b"\"title", "the header line cannot be read: a quote is opened and never closed"),
        (
            b"\xff\xfet\0",
            "the file is UTF-16: save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\") and try again",
        ),
    ] {
        assert_eq!(try_rows(bytes, None).expect_err("refused").to_string(), error);
    }
    let missing = open(Path::new("no/such/file.csv"), &options(None)).err().expect("missing");
    assert!(missing.to_string().starts_with("cannot read the file: "), "{missing}");
}

#[test]
fn a_source_that_fails_ends_the_rows() {
    struct Failing(usize);
    impl io::Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            let text = b"title\nx\n";
            match self.0 {
                1 => buffer[..text.len()].copy_from_slice(text),
                _ => return Err(io::Error::other("unplugged")),
            }
            Ok(text.len())
        }
    }
    let survey = Survey::of(b"title\nx\n".as_slice(), None).expect("reads");
    let rows: Vec<_> = Rows::new(Failing(0), &survey, &options(None)).expect("opens").collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0].is_ok());
    let error = rows[1].as_ref().expect_err("unplugged").to_string();
    assert_eq!(error, "line 2: cannot read on: unplugged");
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn arbitrary_bytes_end_in_every_encoding(
        bytes: Vec<u8>,
        header in "(title|listing_id,release_id,title|title,price,year,qty,sku|)\n?",
        soup in "[a\",;\r\n\0é\u{a0}0-9-]{0,80}",
    ) {
        for body in [bytes.as_slice(), soup.as_bytes()] {
            let whole = [header.as_bytes(), body].concat();
            for encoding in Encoding::ALL.into_iter().map(Some).chain([None]) {
                if let Ok(rows) = try_rows(&whole, encoding) {
                    prop_assert!(rows.len() <= whole.len());
                }
            }
        }
    }

    #[test]
    fn good_rows_come_back(
        discs in prop::collection::vec(
            ("[A-Zé][a-z\",;é]{0,12}", "[A-Z][a-z]{0,8}", YEAR_MIN..=YEAR_MAX,
             0..AMOUNT_MINOR_MAX, 0..=QUANTITY_MAX), 1..8,
        ),
        crlf: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = format!("artist,title,year,price,quantity,sku{end}");
        for (index, (title, artist, year, minor, quantity)) in discs.iter().enumerate() {
            let (title, artist) = (quoted(title), quoted(artist));
            let price = format!("{}.{:02}", minor / 100, minor % 100);
            text += &format!("{artist},{title},{year},{price},{quantity},S{index}{end}");
        }
        let rows = rows(&text);
        prop_assert_eq!(rows.len(), discs.len());
        for (index, (row, (title, artist, year, minor, quantity))) in
            rows.into_iter().zip(discs).enumerate()
        {
            let row = row.expect("a good row");
            prop_assert_eq!(row.title, title);
            prop_assert_eq!(row.artist, Some(artist));
            prop_assert_eq!(row.release_year, Some(year));
            prop_assert_eq!(row.price.map(|price| price.minor), Some(minor));
            prop_assert_eq!(row.quantity, Some(quantity));
            prop_assert_eq!(row.key, format!("sku:S{index}"));
            prop_assert_eq!(row.line, index as u64 + 2);
        }
    }

    #[test]
    fn a_second_run_gives_the_same_keys(
        text in "(title,artist,year\n)([a-zÉ ,\"]{0,12},[a-z]{0,3},(19[0-9]{2})?\r?\n){0,8}",
    ) {
        let keys = |rows: Vec<Result<DiscRow, BadRow>>| -> Vec<String> {
            rows.into_iter().flatten().map(|row| row.key).collect()
        };
        prop_assert_eq!(keys(rows(&text)), keys(rows(&text)));
    }
}

/// The keys are stored: another hash would import every shop's discs a second time.
#[test]
fn keys_stay_what_they_are() {
    let with_year = disc("title,artist,year\nWe are Reactive,Hohpe,2021\n");
    assert_eq!(with_year.key, "disc:916b77653aecf86a1b7ca174584b0ca7");
    let moved = disc("Year,Album,Band,Note\n2021, WE ARE  REACTIVE! ,hohpe,x\n");
    assert_eq!(moved.key, with_year.key, "neither case nor other columns change the key");
    let other = disc("title,artist,year,format\nWe are Reactive,Hohpe,2021,CD\n");
    assert_ne!(other.key, with_year.key);
}
