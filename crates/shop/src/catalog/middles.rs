//! The middles of the catalogue's public pages, as they are kept ready: the same for everybody.

use askama::Template;
use bytes::Bytes;
use runout_store::Error;

use super::browse::{Browse, Chip, SORTS};
use super::facets::{self, Facet};
use super::list;
use super::nearly::nearly_gone;
use super::queries::{self, Sight, View};
use super::show::{ProductPage, Tile};
use crate::App;
use crate::pages::words::count;
use crate::pages::{About, Ready};
use crate::platform::page::{Leaf, ListRequest};

/// Records of a shelf on the home page.
const SHELF_ROWS: i64 = 8;

/// The shop's prices at this moment.
pub(super) fn view(app: &App) -> View {
    View { currency: app.currency, now: app.clock.now() }
}

struct Shelf {
    id: &'static str,
    title: &'static str,
    more: Option<(&'static str, &'static str)>,
    tiles: Vec<Tile>,
}

#[derive(Template)]
#[template(path = "catalog/templates/home.html")]
struct HomePage {
    shelves: Vec<Shelf>,
}

fn home_about(app: &App) -> About {
    About {
        title: "New, soon and nearly gone".to_owned(),
        description: format!(
            "{} sells records: new arrivals, what comes soon, what is nearly gone.",
            app.shop.name
        ),
        canonical: "/".to_owned(),
    }
}

async fn home_page(app: &App) -> Result<HomePage, Error> {
    let view = view(app);
    let tiles = |products: Vec<_>| products.iter().map(|one| Tile::new(one, view.now)).collect();
    let new = list::newest(app, view, SHELF_ROWS).await?;
    let soon = list::soon(app, view, SHELF_ROWS).await?;
    let going = nearly_gone(app, view, SHELF_ROWS).await?;
    let all = Some(("/catalogue", "The whole catalogue"));
    let in_stock = Some(("/catalogue?in_stock=1", "Everything in stock"));
    let mut shelves = vec![
        Shelf { id: "new", title: "New", more: all, tiles: tiles(new) },
        Shelf { id: "soon", title: "Soon", more: None, tiles: tiles(soon) },
        Shelf { id: "nearly-gone", title: "Nearly gone", more: in_stock, tiles: tiles(going) },
    ];
    shelves.retain(|shelf| !shelf.tiles.is_empty());
    Ok(HomePage { shelves })
}

#[derive(Template)]
#[template(path = "catalog/templates/catalogue.html")]
struct CataloguePage {
    browse: Browse,
    chips: Vec<Chip>,
    /// The state without any filter.
    all: String,
    /// What a search keeps of the state, as hidden fields.
    kept: Vec<(&'static str, String)>,
    in_stock_link: String,
    facets: Vec<Facet>,
    sorts: Vec<(String, &'static str, bool)>,
    found: String,
    tiles: Vec<Tile>,
    previous: Option<String>,
    next: Option<String>,
}

fn catalogue_about(browse: &Browse) -> About {
    let title = browse.title();
    let description = format!("{title}: records with prices and what is left of them.");
    About { title, description, canonical: browse.address() }
}

async fn catalogue_page(
    app: &App,
    browse: Browse,
    request: &ListRequest,
    search: &list::Search,
) -> Result<CataloguePage, Error> {
    let view = view(app);
    let Leaf { items, previous, next } = list::leaf(app, request, search, view).await?;
    let counts = facets::counts(app, &browse, request, search).await?;
    let found = match counts.records {
        Some(records) => count(records, "record", "records"),
        None => "Many records".to_owned(),
    };
    let sorts = SORTS.iter().map(|(name, words, _)| {
        (browse.with(|other| other.sort = name), *words, browse.sort == *name)
    });
    Ok(CataloguePage {
        chips: browse.chips(),
        all: Browse { sort: browse.sort, ..Browse::default() }.address(),
        kept: browse.kept(),
        in_stock_link: browse.with(|other| other.in_stock = !other.in_stock),
        facets: facets::facets(&browse, counts),
        sorts: sorts.collect(),
        found,
        tiles: items.iter().map(|one| Tile::new(one, view.now)).collect(),
        previous: previous.map(|before| browse.page(None, Some(&before))),
        next: next.map(|cursor| browse.page(Some(&cursor), None)),
        browse,
    })
}

/// The home page.
pub(super) async fn home(app: &App) -> Result<Bytes, Error> {
    ready(Ready::new(home_about(app), &home_page(app).await?))
}

/// A page of the list.
pub(super) async fn catalogue(
    app: &App,
    browse: Browse,
    request: &ListRequest,
    search: &list::Search,
) -> Result<Bytes, Error> {
    let page = catalogue_page(app, browse, request, search).await?;
    ready(Ready::new(catalogue_about(&page.browse), &page))
}

/// A product's page; empty: there is none for the public.
pub(super) async fn product(app: &App, id: i64) -> Result<Bytes, Error> {
    match queries::find(app, id, Sight::Public, view(app)).await? {
        Some(product) => ready(ProductPage::ready(&product, app.clock.now())),
        None => Ok(Bytes::new()),
    }
}

/// What is kept ready, as bytes.
fn ready(made: askama::Result<Ready>) -> Result<Bytes, Error> {
    made.map(Ready::into_bytes).map_err(|error| Error::Panicked(error.to_string()))
}
