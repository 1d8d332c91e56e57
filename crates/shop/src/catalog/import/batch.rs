//! One batch of an import as one command: what is new is added, what differs is changed, what is
//! the same is not touched.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use runout_core::money::Money;
use runout_core::tax::CLASS_DEFAULT;
use runout_store::{Composer, Error, Result, Rows, Statement};
use serde::Serialize;
use serde_json::Map;

use super::DiscRow;
use crate::catalog::input::ATTRIBUTES_BYTES_MAX;
use crate::catalog::model::{Assembler, Attributes, Kind, Product, ProductFields, changed};
use crate::catalog::model::{Variant, VariantFields};
use crate::catalog::queries::{View, push_select};
use crate::catalog::sql::{IMPORTED_PRICES, LOCK_IMPORTED};
use crate::catalog::write::{
    NewRow, first_id, generated_sku, skus_taken, store_products, texts, update_product,
};
use crate::platform::command::{Changes, Command, Decision, next_ids};
use crate::pricing::{self, Price, RECORDS_PER_PRICE};

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) enum RowOutcome {
    Created(Stocked),
    Updated(Stocked),
    Unchanged(Stocked),
    /// Staff have deleted the product: an import does not bring it back.
    Deleted,
    Failed(String),
}

/// The variant of a row, and whether it ever had stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Stocked {
    pub variant_id: i64,
    pub ever: bool,
}

/// Rows of different keys.
pub(super) struct ImportBatch {
    pub rows: Vec<DiscRow>,
    pub view: View,
    pub imported_by: Option<i64>,
}

/// A product that an earlier import made.
struct Known {
    product: Product,
    stocked: Stocked,
}

/// The newest price that counts, by variant and currency.
type Current = HashMap<(i64, String), (i64, Timestamp)>;

impl ImportBatch {
    fn keys(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.key.clone()).collect()
    }

    /// The products of the batch that exist, each with its default variant.
    fn known_statement(&self) -> Statement {
        let mut sql = Composer::new("");
        push_select(&mut sql, self.view);
        sql.push(", p.import_key, exists (select 1 from stock_level s where s.variant_id = v.id)");
        sql.push(" from product p join variant v on v.product_id = p.id and v.is_default");
        sql.push_each(
            " where p.import_key in (select value from json_each(",
            " where p.import_key = any(",
        );
        sql.bind(self.keys()).push_each("))", ")");
        sql.finish()
    }

    fn known(&self, rows: &Rows) -> Result<HashMap<String, Known>> {
        let known = |row: runout_store::Row<'_>| {
            let mut assembler = Assembler::new(self.view.currency, 1);
            assembler.row(&row)?;
            let product = assembler.finish().pop().expect("a row makes a product");
            let variant_id = product.variants.first().expect("the join brings a variant").id;
            let stocked = Stocked { variant_id, ever: row.get(28)? };
            Ok((row.get(27)?, Known { product, stocked }))
        };
        Ok(rows.map(known)?.into_iter().collect())
    }
}

fn current(rows: &Rows) -> Result<Current> {
    let mut current = Current::new();
    for row in rows.iter() {
        current.insert((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?));
    }
    Ok(current)
}

/// From when on the row's price is to count; `None` if it does already.
fn price_from(
    money: Money,
    variant_id: i64,
    current: &Current,
    now: Timestamp,
) -> Option<Timestamp> {
    match current.get(&(variant_id, money.currency.code().to_owned())) {
        Some((minor, _)) if *minor == money.minor => None,
        // Two prices cannot begin at one moment.
        Some((_, from)) if *from == now => Some(now + SignedDuration::from_micros(1)),
        _ => Some(now),
    }
}

fn new_fields(row: &DiscRow) -> ProductFields {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    ProductFields {
        kind: Kind::Disc,
        title: row.title.clone(),
        artist: text(&row.artist),
        release_year: row.release_year,
        style: text(&row.style),
        label: text(&row.label),
        catalogue_number: text(&row.catalogue_number),
        description: text(&row.description),
        attributes: Attributes::new(&row.attributes),
        enabled: row.enabled,
        release_at: None,
        tax_class: CLASS_DEFAULT.to_owned(),
    }
}

/// The stored fields with what the file says: a column that the file lacks, or a cell that is
/// empty, changes nothing, and a file can take a product out of sale but not put it back.
fn merged(row: &DiscRow, stored: &ProductFields) -> Result<ProductFields> {
    let said = |said: &Option<String>, stored: &String| said.clone().unwrap_or(stored.clone());
    let mut attributes: Map<String, serde_json::Value> =
        serde_json::from_str(stored.attributes.text())
            .map_err(|error| Error::Decode { column: 9, reason: error.to_string() })?;
    attributes.extend(row.attributes.clone());
    Ok(ProductFields {
        title: row.title.clone(),
        artist: said(&row.artist, &stored.artist),
        release_year: row.release_year.or(stored.release_year),
        style: said(&row.style, &stored.style),
        label: said(&row.label, &stored.label),
        catalogue_number: said(&row.catalogue_number, &stored.catalogue_number),
        description: said(&row.description, &stored.description),
        attributes: Attributes::new(&attributes),
        enabled: stored.enabled && row.enabled,
        ..stored.clone()
    })
}

/// What the decision gathers while it goes through the rows.
struct Run<'a> {
    known: HashMap<String, Known>,
    current: Current,
    taken: Vec<String>,
    product_ids: std::ops::Range<i64>,
    variant_ids: std::ops::Range<i64>,
    price_ids: std::ops::Range<i64>,
    made: Vec<(Product, &'a str)>,
    prices: Vec<Price>,
    imported_by: Option<i64>,
}

impl<'a> Run<'a> {
    fn row(&mut self, row: &'a DiscRow, changes: &mut Changes) -> Result<RowOutcome> {
        let attributes = Attributes::new(&row.attributes);
        if attributes.text().len() > ATTRIBUTES_BYTES_MAX {
            let reason = format!("more than {ATTRIBUTES_BYTES_MAX} bytes of attributes");
            return Ok(RowOutcome::Failed(reason));
        }
        match self.known.remove(&row.key) {
            Some(known) if known.product.deleted_at.is_some() => Ok(RowOutcome::Deleted),
            Some(known) => self.update(row, &known, changes),
            None => Ok(self.create(row, changes)),
        }
    }

    fn update(
        &mut self,
        row: &DiscRow,
        known: &Known,
        changes: &mut Changes,
    ) -> Result<RowOutcome> {
        let Known { product, stocked } = known;
        let fields = merged(row, &product.fields)?;
        if fields.attributes.text().len() > ATTRIBUTES_BYTES_MAX {
            let reason = format!("more than {ATTRIBUTES_BYTES_MAX} bytes of attributes");
            return Ok(RowOutcome::Failed(reason));
        }
        let diff = changed(&product.fields, &fields);
        let same = diff.is_empty();
        if !same {
            update_product(changes, product.id, &fields, diff);
        }
        let priced = row.price.is_some_and(|money| {
            let from = price_from(money, stocked.variant_id, &self.current, changes.now);
            from.inspect(|from| self.price(money, stocked.variant_id, *from, changes)).is_some()
        });
        let done = if same && !priced { RowOutcome::Unchanged } else { RowOutcome::Updated };
        Ok(done(*stocked))
    }

    fn create(&mut self, row: &'a DiscRow, changes: &mut Changes) -> RowOutcome {
        if let Some(sku) = row.sku.as_ref().filter(|sku| self.taken.contains(sku)) {
            return RowOutcome::Failed(format!("the SKU {sku} belongs to another product"));
        }
        let id = self.product_ids.next().expect("an id was taken for every new row");
        let variant_id = self.variant_ids.next().expect("an id was taken for every new row");
        let short = generated_sku(id, variant_id, true);
        let free =
            if self.taken.contains(&short) { generated_sku(id, variant_id, false) } else { short };
        let sku = row.sku.clone().unwrap_or(free);
        self.taken.push(sku.clone());
        let mut product = Product::new(id, new_fields(row), changes.now);
        product.variants.push(Variant {
            id: variant_id,
            fields: VariantFields { sku, ..VariantFields::default() },
            price: None,
            available: 0,
            is_default: true,
            version: 1,
        });
        self.made.push((product, &row.key));
        if let Some(money) = row.price {
            self.price(money, variant_id, changes.now, changes);
        }
        RowOutcome::Created(Stocked { variant_id, ever: false })
    }

    fn price(&mut self, money: Money, variant_id: i64, from: Timestamp, changes: &Changes) {
        self.prices.push(Price {
            id: self.price_ids.next().expect("an id was taken for every price"),
            variant_id,
            tag: money.into(),
            effective_from: from,
            created_at: changes.now,
            created_by: self.imported_by,
        });
    }
}

/// How many ids the batch needs.
struct Needs {
    products: i64,
    prices: i64,
}

impl ImportBatch {
    fn needs(&self, known: &HashMap<String, Known>, current: &Current, now: Timestamp) -> Needs {
        let new = self.rows.iter().filter(|row| !known.contains_key(&row.key)).count();
        let priced = |row: &&DiscRow| {
            row.price.is_some_and(|money| match known.get(&row.key) {
                Some(known) => price_from(money, known.stocked.variant_id, current, now).is_some(),
                None => true,
            })
        };
        let prices = self.rows.iter().filter(priced).count();
        Needs { products: new as i64, prices: prices as i64 }
    }
}

/// Statements of the first load.
const FIRST: usize = 4;
/// Statements of the first two loads.
const SECOND: usize = FIRST + 3;

impl Command for ImportBatch {
    type Accepted = Vec<RowOutcome>;
    type Refused = std::convert::Infallible;
    const NAME: &'static str = "import_batch";
    const STATUS: u16 = 200;

    fn load(&self) -> Vec<Statement> {
        let skus = self.rows.iter().filter_map(|row| row.sku.clone()).collect();
        vec![
            Statement::new(&LOCK_IMPORTED, vec![self.keys().into()]),
            self.known_statement(),
            Statement::new(&IMPORTED_PRICES, vec![self.keys().into(), self.view.now.into()]),
            skus_taken(skus),
        ]
    }

    fn decide(
        &self,
        loaded: &[Rows],
        changes: &mut Changes,
    ) -> Result<Decision<Vec<RowOutcome>, Self::Refused>> {
        let (known, current) = (self.known(&loaded[1])?, current(&loaded[2])?);
        let needs = self.needs(&known, &current, changes.now);
        let mut run = Run {
            known,
            current,
            taken: texts(&loaded[3])?,
            product_ids: 0..0,
            variant_ids: 0..0,
            price_ids: 0..0,
            made: Vec::new(),
            prices: Vec::new(),
            imported_by: self.imported_by,
        };
        // Nothing is taken from the sequences when nothing is new.
        if needs.products + needs.prices > 0 {
            let Some(ids) = loaded.get(FIRST..SECOND) else {
                let counts = [("product", needs.products), ("variant", needs.products)];
                let ids = counts.into_iter().chain([("price", needs.prices)]);
                return Ok(Decision::Load(
                    ids.map(|(name, count)| next_ids(name, count)).collect(),
                ));
            };
            let range = |rows: &Rows, count: i64| first_id(rows).map(|first| first..first + count);
            run.product_ids = range(&ids[0], needs.products)?;
            run.variant_ids = range(&ids[1], needs.products)?;
            run.price_ids = range(&ids[2], needs.prices)?;
            let Some(taken) = loaded.get(SECOND) else {
                let made = run.product_ids.map(|id| generated_sku(id, 0, true)).collect();
                return Ok(Decision::Load(vec![skus_taken(made)]));
            };
            run.taken.extend(texts(taken)?);
        }
        let outcomes: Result<Vec<_>> = self.rows.iter().map(|row| run.row(row, changes)).collect();
        let made: Vec<NewRow<'_>> = run
            .made
            .iter()
            .map(|(product, key)| NewRow { product, import_key: Some(key) })
            .collect();
        store_products(changes, &made);
        pricing::store(changes, &run.prices);
        Ok(Decision::Accept(outcomes?))
    }

    fn records_max(&self) -> i64 {
        // A product and a variant, or a change; and a price.
        self.rows.len() as i64 * (3 + RECORDS_PER_PRICE)
    }
}
