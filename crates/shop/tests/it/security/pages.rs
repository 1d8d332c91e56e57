//! The table of all pages and what is done on them: who may, and what a test looks at. A route of
//! the router without a row fails [`super::authorisation`], and so does a row without a route.

use runout_shop::accounts::{Capability, Verb};
use runout_shop::admin::{Table, tables};
use runout_store::{Composer, Db};

use crate::support::furnish::Furnished;

/// The least that somebody must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Public,
    /// Anybody who is logged in.
    SignedIn,
    /// Staff who may do this, and superusers.
    Staff(Capability, Verb),
    /// Staff who may do both, and superusers.
    StaffBoth(Capability, Verb, Verb),
    /// As [`Who::Staff`], of the capability of the route's table.
    OfTable(Verb),
    /// Any member of staff.
    AnyStaff,
    Superuser,
}

use Capability::{Audit, Catalog, Channels, Delivery, Events, Orders};
use Verb::{Change, Create, Delete, View};
use Who::{AnyStaff, OfTable, Public, SignedIn, Staff, Superuser};

/// Rows of the table.
#[derive(Debug)]
struct Row {
    method: &'static str,
    /// As the router has it.
    route: &'static str,
    who: Who,
    /// Paths of things that are there, with [`Furnished`]'s names in braces; none: the route
    /// itself.
    looks: &'static [&'static str],
    kind: Kind,
}

/// What a route answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Html,
    /// A picture, or something to download.
    File,
    /// A form with a file in it.
    Upload,
    /// A step of something under way: only who is in its midst sees it (`browser/steps.rs` goes
    /// there).
    Step,
    /// Events without end: nothing that a test could read whole.
    Stream,
}

const fn look(route: &'static str, who: Who, looks: &'static [&'static str]) -> Row {
    Row { method: "GET", route, who, looks, kind: Kind::Html }
}

const fn act(route: &'static str, who: Who) -> Row {
    Row { method: "POST", route, who, looks: &[], kind: Kind::Html }
}

const fn stream(route: &'static str, who: Who) -> Row {
    Row { method: "GET", route, who, looks: &[], kind: Kind::Stream }
}

const fn step(route: &'static str, who: Who) -> Row {
    Row { method: "GET", route, who, looks: &[], kind: Kind::Step }
}

const fn file(route: &'static str, who: Who, looks: &'static [&'static str]) -> Row {
    Row { method: "GET", route, who, looks, kind: Kind::File }
}

const CHECKOUT: &str = "/checkout";

const ROWS: &[Row] = &[
    look("/", Public, &[]),
    look(
        "/catalogue",
        Public,
        &[
            "/catalogue",
            "/catalogue?q=night",
            "/catalogue?q=no+such+record",
            "/catalogue?style=Dub",
        ],
    ),
    look("/products/{id}", Public, &["/products/{product}"]),
    file("/products/{id}/cover.svg", Public, &["/products/{product}/cover.svg"]),
    look("/basket", Public, &[]),
    act("/basket/add", Public),
    act("/basket/lines", Public),
    act("/basket/remove", Public),
    act("/basket/extend", Public),
    act("/basket/trim", Public),
    act("/basket/discount", Public),
    act("/basket/discount/remove", Public),
    look(CHECKOUT, Public, &[]),
    act(CHECKOUT, Public),
    look("/orders", SignedIn, &[]),
    // A guest's browser has the token of the basket that was bought.
    look(
        "/orders/{id}",
        SignedIn,
        &[
            "/orders/{order}",
            "/orders/{open_order}",
            "/orders/{cancelled_order}",
            "/orders/{guest_order}",
            "/orders/{ticket_order}",
        ],
    ),
    file("/orders/{id}/invoice.pdf", SignedIn, &["/orders/{order}/invoice.pdf"]),
    act("/orders/{id}/cancel", SignedIn),
    act("/orders/{id}/pay", SignedIn),
    look("/orders/{id}/tickets", SignedIn, &["/orders/{ticket_order}/tickets"]),
    file("/orders/{id}/tickets.pdf", SignedIn, &["/orders/{ticket_order}/tickets.pdf"]),
    step("/events", Public),
    step("/events/all/", Public),
    look("/events/all", Public, &[]),
    look("/events/mine", SignedIn, &[]),
    file("/events/calendar.ics", Public, &[]),
    look("/events/", SignedIn, &[]),
    act("/events/", SignedIn),
    step("/events/{id}", Public),
    look("/events/{id}/", Public, &["/events/{event}/"]),
    act("/events/{id}/", SignedIn),
    file("/events/{id}/event.ics", Public, &["/events/{event}/event.ics"]),
    look("/events/{id}/participants", SignedIn, &["/events/{event}/participants"]),
    look("/events/{id}/join", SignedIn, &["/events/{event}/join"]),
    act("/events/{id}/join", SignedIn),
    look("/events/{id}/withdraw", SignedIn, &["/events/{event}/withdraw"]),
    act("/events/{id}/withdraw", SignedIn),
    look("/events/{id}/cancel", SignedIn, &["/events/{event}/cancel"]),
    act("/events/{id}/cancel", SignedIn),
    step("/journal", Public),
    look("/journal/", Public, &["/journal/", "/journal/?q=night"]),
    look("/journal/new", SignedIn, &[]),
    act("/journal/new", SignedIn),
    step("/journal/{id}", Public),
    look("/journal/{id}/", Public, &["/journal/{post}/"]),
    look("/journal/{id}/edit", SignedIn, &["/journal/{own_post}/edit"]),
    act("/journal/{id}/edit", SignedIn),
    look("/journal/{id}/delete", SignedIn, &["/journal/{own_post}/delete"]),
    act("/journal/{id}/delete", SignedIn),
    act("/journal/{id}/comments", SignedIn),
    look("/journal/comments/{id}/edit", SignedIn, &["/journal/comments/{comment}/edit"]),
    act("/journal/comments/{id}/edit", SignedIn),
    look("/journal/comments/{id}/delete", SignedIn, &["/journal/comments/{comment}/delete"]),
    act("/journal/comments/{id}/delete", SignedIn),
    look("/accounts/login/", Public, &["/accounts/login/?next=%2Forders"]),
    act("/accounts/login/", Public),
    look("/accounts/logout/", Public, &[]),
    act("/accounts/logout/", Public),
    look("/accounts/sign_up/", Public, &["/accounts/sign_up/?next=%2Fcheckout"]),
    act("/accounts/sign_up/", Public),
    look("/account", SignedIn, &[]),
    act("/account", SignedIn),
    look("/account/email", SignedIn, &[]),
    act("/account/email", SignedIn),
    look("/account/password", SignedIn, &[]),
    act("/account/password", SignedIn),
    look("/account/sessions", SignedIn, &[]),
    act("/account/sessions/end_others", SignedIn),
    act("/account/sessions/{id}/end", SignedIn),
    act("/account/tokens/{id}/revoke", SignedIn),
    step("/accounts/second_factor/", Public),
    act("/accounts/second_factor/", Public),
    look("/account/second_factor", SignedIn, &[]),
    act("/account/second_factor/begin", SignedIn),
    act("/account/second_factor/confirm", SignedIn),
    act("/account/second_factor/codes", SignedIn),
    act("/account/second_factor/off", SignedIn),
    look("/account/data", SignedIn, &[]),
    file("/account/data/download", SignedIn, &["/account/data/download"]),
    act("/account/data/erase", SignedIn),
    look("/accounts/erased/", Public, &[]),
    look("/account/addresses", SignedIn, &[]),
    look("/account/addresses/new", SignedIn, &[]),
    act("/account/addresses/new", SignedIn),
    look("/account/addresses/{id}", SignedIn, &["/account/addresses/{address}"]),
    act("/account/addresses/{id}", SignedIn),
    act("/account/addresses/{id}/delete", SignedIn),
    look("/admin/", AnyStaff, &[]),
    look("/admin/dashboard", Staff(Orders, View), &[]),
    stream("/admin/dashboard/events", Staff(Orders, View)),
    look("/admin/desk/orders", Staff(Orders, View), &["/admin/desk/orders?q=ana"]),
    look(
        "/admin/desk/orders/{id}",
        Staff(Orders, View),
        &[
            "/admin/desk/orders/{order}",
            "/admin/desk/orders/{open_order}",
            "/admin/desk/orders/{cancelled_order}",
            "/admin/desk/orders/{guest_order}",
        ],
    ),
    act("/admin/desk/orders/{id}/{form}", Staff(Orders, Change)),
    file(
        "/admin/desk/orders/{id}/invoice.pdf",
        Staff(Orders, View),
        &["/admin/desk/orders/{order}/invoice.pdf"],
    ),
    file(
        "/admin/desk/orders/{id}/packing-slip.pdf",
        Staff(Orders, View),
        &["/admin/desk/orders/{order}/packing-slip.pdf"],
    ),
    look("/admin/events/{id}/door", Staff(Events, Change), &["/admin/events/{gig}/door"]),
    act("/admin/events/{id}/door", Staff(Events, Change)),
    act("/admin/events/{id}/door/undo", Staff(Events, Change)),
    look("/admin/delivery/", Staff(Delivery, View), &[]),
    stream("/admin/delivery/events", Staff(Delivery, View)),
    look("/admin/delivery/new", Staff(Delivery, Create), &[]),
    act("/admin/delivery/new", Staff(Delivery, Create)),
    look("/admin/delivery/{id}/", Staff(Delivery, View), &["/admin/delivery/{destinations}/"]),
    act("/admin/delivery/{id}/{deed}", Staff(Delivery, Change)),
    look("/admin/channels/", Staff(Channels, View), &[]),
    look("/admin/channels/new", Staff(Channels, Create), &[]),
    act("/admin/channels/new", Staff(Channels, Create)),
    look("/admin/channels/{id}/", Staff(Channels, View), &["/admin/channels/{channel}/"]),
    look("/admin/channels/{id}/edit", Staff(Channels, Change), &["/admin/channels/{channel}/edit"]),
    act("/admin/channels/{id}/edit", Staff(Channels, Change)),
    look(
        "/admin/channels/{id}/delete",
        Staff(Channels, Delete),
        &["/admin/channels/{channel}/delete"],
    ),
    act("/admin/channels/{id}/delete", Staff(Channels, Delete)),
    look("/admin/channels/{id}/ship", Staff(Channels, Change), &["/admin/channels/{channel}/ship"]),
    act("/admin/channels/{id}/ship", Staff(Channels, Change)),
    act("/admin/channels/{id}/{deed}", Staff(Channels, Change)),
    look("/admin/shipments/", Staff(Channels, View), &[]),
    look("/admin/shipments/{id}/", Staff(Channels, View), &["/admin/shipments/{shipment}/"]),
    look("/admin/audit", Staff(Audit, View), &[]),
    look("/admin/import", Staff(Catalog, View), &[]),
    Row { kind: Kind::Upload, ..act("/admin/import", Staff(Catalog, Create)) },
    step("/admin/import/{id}", Staff(Catalog, View)),
    act("/admin/import/{id}/start", Staff(Catalog, Create)),
    step("/admin/import/{id}/errors.csv", Staff(Catalog, View)),
    look("/admin/verify", Staff(Audit, View), &[]),
    act("/admin/verify", Staff(Audit, Create)),
    step("/admin/verify/{id}", Staff(Audit, View)),
    look(
        "/admin/accounts/{id}/permissions",
        Superuser,
        &["/admin/accounts/{accounts}/permissions"],
    ),
    act("/admin/accounts/{id}/permissions", Superuser),
    look("/admin/{table}/", OfTable(View), &["/admin/{table}/"]),
    file("/admin/{table}/export.csv", OfTable(View), &["/admin/{table}/export.csv"]),
    file("/admin/{table}/export.json", OfTable(View), &["/admin/{table}/export.json"]),
    // And what the action needs: see [`super::bulk`].
    act("/admin/{table}/bulk", OfTable(View)),
    act("/admin/{table}/bulk/confirm", OfTable(View)),
    look("/admin/{table}/new", OfTable(Create), &["/admin/{table}/new"]),
    act("/admin/{table}/new", OfTable(Create)),
    look("/admin/{table}/{id}/", OfTable(View), &["/admin/{table}/{row}/"]),
    act("/admin/{table}/{id}/", OfTable(Change)),
    look("/admin/{table}/{id}/delete", OfTable(Delete), &["/admin/{table}/{row}/delete"]),
    act("/admin/{table}/{id}/delete", OfTable(Delete)),
    look("/admin/{table}/{id}/history", OfTable(View), &["/admin/{table}/{row}/history"]),
];

/// Method and route of every row.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|row| (row.method, row.route))
}

/// A method on a route; the routes of the back office's tables stand here once for each table.
#[derive(Debug, Clone)]
pub struct Page {
    pub method: &'static str,
    pub route: String,
    pub who: Who,
    pub kind: Kind,
    looks: Vec<String>,
}

/// Every page and what is done on it.
pub fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for row in ROWS {
        if row.route.contains("{table}") {
            pages.extend(tables().iter().map(|table| row.of_table(table)));
        } else {
            pages.push(row.page());
        }
    }
    pages
}

/// [`pages`] that are looked at and can be read whole.
pub fn looks() -> impl Iterator<Item = Page> {
    let whole = |page: &Page| matches!(page.kind, Kind::Html | Kind::File);
    pages().into_iter().filter(move |page| page.method == "GET" && whole(page))
}

impl Row {
    fn page(&self) -> Page {
        let looks = match self.looks {
            [] if self.method == "GET" && matches!(self.kind, Kind::Html | Kind::File) => {
                assert!(!self.route.contains('{'), "{}: what is looked at?", self.route);
                vec![self.route.to_owned()]
            }
            looks => looks.iter().map(|&path| path.to_owned()).collect(),
        };
        let Self { method, route, who, kind, .. } = *self;
        Page { method, route: route.to_owned(), who, kind, looks }
    }

    fn of_table(&self, table: &Table) -> Page {
        let mut page = self.page();
        let named = |path: &str| {
            path.replace("{table}", table.slug).replace("{row}", &format!("{{{}}}", table.slug))
        };
        page.route = named(&page.route);
        page.looks = page.looks.iter().map(|path| named(path)).collect();
        let is_there = match self.route {
            "/admin/{table}/new" => table.writes.create.is_some(),
            "/admin/{table}/{id}/" => table.has_page,
            "/admin/{table}/{id}/delete" => table.writes.delete.is_some(),
            "/admin/{table}/{id}/history" => table.has_page && table.entity.is_some(),
            _ => true,
        };
        if !is_there {
            page.looks.clear();
        }
        if let Who::OfTable(verb) = self.who {
            page.who = Staff(table.capability, verb);
        }
        // Who adds a rate may change the one that is there.
        if table.slug == "tax-rates" && self.method == "POST" && self.route.ends_with("/new") {
            page.who = Who::StaffBoth(table.capability, Create, Change);
        }
        page
    }
}

impl Page {
    /// Public, but only with something in the basket.
    pub fn needs_basket(&self) -> bool {
        self.route == CHECKOUT
    }
}

/// An id that nothing has.
const NOBODY: &str = "999999";

impl Page {
    /// The path to a thing that is not there: what is allowed finds nothing.
    pub fn nowhere(&self) -> String {
        fill(&self.route, |_| NOBODY.to_owned())
    }

    /// Paths to look at: of things that are there.
    pub fn looks(&self, things: &Furnished) -> Vec<String> {
        let filled = |path: &String| fill(path, |name| things.id_of(name).to_string());
        self.looks.iter().map(filled).collect()
    }
}

/// What could not be delivered to the destinations that there are, and what waits for another
/// attempt: the words of others are those of their names. Nothing is delivered meanwhile.
const LETTERS: &str = "update destination set state = 'disabled', state_reason = name;
    insert into destination_tally (destination_id, delivered, failed_attempts, dead, last_error)
    select id, 7, 3, 1, name from destination
    where true on conflict do nothing;
    insert into dead_letter (id, destination_id, outbox_id, lane, topic, entity, entity_id, at,
        died_at, payload, reason, attempts, request, response, status, note)
    select d.id, d.id, (select max(id) from outbox), 0, 'post.created', 'post', 1, d.created_at,
        d.created_at, '{}', 'refused', 1, d.name, d.name, 422, d.name from destination d
    where true on conflict do nothing;
    insert into delivery (destination_id, id, lane, outbox_id, entity, entity_id, at)
    select d.id, n.next_delivery, 0, (select max(id) from outbox), 'post', 1, d.created_at
    from destination d cross join dispatch n
    where true on conflict do nothing;
    insert into delivery_retry (destination_id, entity, entity_id, delivery_id, lane, attempts,
        first_at, due_at, error)
    select destination_id, entity, entity_id, id, lane, 1, at, at,
        (select d.name from destination d where d.id = destination_id) from delivery
    where true on conflict do nothing;
    update dispatch set next_delivery = next_delivery + 1";

/// A channel for each destination, called as that is, with a shipment that could not be read.
const CHANNELS: &str = "insert into channel (id, shop, name, provider, client_id, state,
        state_reason, created_at, updated_at)
    select id, name, name, 'bol', name, 'refused', name, created_at, created_at from destination
    where true on conflict do nothing;
    insert into channel_sync (channel_id, problem, failing_since)
    select id, name, created_at from destination where true on conflict do nothing;
    insert into sync_run (id, channel_id, kind, began_at)
    select id, id, 'initial', created_at from destination where true on conflict do nothing;
    insert into shipment (id, channel_id, remote_id, method, state, problem, order_id, reference,
        transporter_code, track_and_trace, last_event, ship_to, raw, found_at)
    select id, id, name, 'FBR', 'quarantined', name, name, name, name, name, name,
        '{\"first_name\": \"Ana\"}', name, created_at
    from destination where true on conflict do nothing;
    insert into shipment_item (shipment_id, number, order_item_id, title, ean, quantity,
        unit_price_minor, currency)
    select id, 0, name, name, name, 2, 1299, 'EUR' from destination
    where true on conflict do nothing;
    insert into channel_process (id, channel_id, order_id, items, state, error, created_at,
        updated_at)
    select id, id, name, '[]', 'failure', name, created_at, created_at from destination
    where true on conflict do nothing";

impl Furnished {
    /// A thing's id, by its own name or by the name of its table in the back office.
    fn id_of(&self, name: &str) -> i64 {
        match name {
            "product" => self.product,
            "order" => self.order,
            "open_order" => self.open_order,
            "guest_order" => self.guest_order,
            "cancelled_order" => self.cancelled_order,
            "address" => self.address,
            "event" => self.event,
            "gig" => self.gig,
            "ticket_order" => self.ticket_order,
            "post" => self.post,
            "comment" => self.comment,
            "own_post" => self.own_post,
            table => *self.rows.get(table).unwrap_or_else(|| panic!("no thing is called {name}")),
        }
    }

    /// Finds a row of every table of the back office.
    pub async fn find_rows(&mut self, db: &Db) {
        db.script(LETTERS).await.expect("what the engine of delivery leaves");
        db.script(CHANNELS).await.expect("what the crawler leaves");
        for (thing, sql) in [
            ("channel", "select min(id) from channel"),
            ("shipment", "select min(id) from shipment"),
        ] {
            let found = db.read_one(Composer::new(sql).finish(), |row| row.get(0)).await;
            self.rows.insert(thing, found.expect("reads").expect("there is one"));
        }
        for table in tables().iter().filter(|table| table.has_page) {
            let mut sql = Composer::new("select min(");
            sql.push(table.list.id_sql).push(") from ").push(table.base).push(" ");
            sql.push(table.alias).push(" where ").push(table.live);
            let found = db.read_one(sql.finish(), |row| row.get::<Option<i64>>(0)).await;
            let id = found.expect("reads").flatten();
            let id = id.unwrap_or_else(|| panic!("there is nothing in {}: furnish it", table.slug));
            self.rows.insert(table.slug, id);
        }
    }
}

/// A path with each `{name}` replaced.
fn fill(path: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = path.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("a name in braces");
        filled += &value(name);
        filled += rest;
    }
    filled
}
