//! The form of a channel, new or old. A secret that was typed is never shown again.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value as Json};

use super::{caller, found};
use crate::App;
use crate::accounts::{Capability, StaffSession, Verb};
use crate::admin::table::settled;
use crate::channels::access::Scope;
use crate::channels::commands::{self, NewSettings};
use crate::channels::input::{ChannelPatch, NewChannel};
use crate::channels::model::Channel;
use crate::channels::setting;
use crate::pages::{Frame, see_other};
use crate::platform::command::Caller;
use crate::platform::etag::IfMatch;
use crate::platform::extract::{PathId, valid};
use crate::platform::form::{Form, Pairs};
use crate::platform::problem::Problem;
use crate::platform::request::ClientIp;

/// A field of a form.
pub(super) struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub value: String,
    pub error: Option<String>,
}

impl Field {
    pub(super) fn kind(&self) -> &'static str {
        match self.name {
            "client_secret" => "password",
            "sync_minutes" | "keep_days" => "number",
            _ => "text",
        }
    }

    pub(super) fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.is_some().then(|| format!("{}-error", self.name));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

/// What a field is called, and what is said of it.
pub(super) type About = (&'static str, &'static str, &'static str);

const FIELDS: [About; 6] = [
    ("name", "Name", "As runout channels sync calls it."),
    ("shop", "Shop", "As people know it."),
    ("client_id", "Client id", "Of the provider's API settings."),
    ("client_secret", "Client secret", "It is stored sealed, and never shown again."),
    ("sync_minutes", "Minutes between two syncs", "Empty: only when asked."),
    ("keep_days", "Days that people's data are kept", "Empty: for ever."),
];

#[derive(Template)]
#[template(path = "channels/templates/form.html")]
pub(super) struct FormPage {
    pub title: String,
    pub action: String,
    pub back: String,
    pub button: &'static str,
    pub fields: Vec<Field>,
    /// What was wrong with no field of the form.
    pub errors: Vec<String>,
}

impl FormPage {
    fn is_wrong(&self) -> bool {
        !self.errors.is_empty() || self.fields.iter().any(|field| field.error.is_some())
    }

    /// The form with what was wrong beside each field.
    pub(super) fn again(mut self, frame: &Frame, problem: &Problem) -> Response {
        for wrong in problem.field_errors() {
            let mut place = wrong.pointer.trim_start_matches('/').split('/');
            let name = place.next_back().unwrap_or_default();
            match self.fields.iter_mut().find(|field| field.name == name) {
                Some(field) => field.error = Some(wrong.detail.clone()),
                None => self.errors.push(format!("{name} {}", wrong.detail)),
            }
        }
        if problem.field_errors().is_empty() {
            self.errors.push(problem.words().to_owned());
        }
        let title = self.title.clone();
        frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, &title, &self)
    }
}

/// Fields with what was typed; secrets are not repeated.
pub(super) fn fields(about: &[About], typed: &[(String, String)]) -> Vec<Field> {
    let field = |&(name, label, hint): &About| {
        let value = typed.iter().rev().find(|(known, _)| known == name);
        let value = value.filter(|_| name != "client_secret").map(|(_, value)| value.clone());
        Field { name, label, hint, value: value.unwrap_or_default(), error: None }
    };
    about.iter().map(field).collect()
}

/// The text of a field.
pub(super) fn typed<'a>(posted: &'a [(String, String)], name: &str) -> &'a str {
    posted.iter().rev().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
}

/// A form that is wrong is shown again; other failures are pages of their own.
pub(super) fn is_about_input(problem: &Problem) -> bool {
    matches!(
        problem.status(),
        StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// The API's input.
fn input(posted: &[(String, String)], is_new: bool) -> Map<String, Json> {
    let mut map = Map::new();
    for (name, ..) in FIELDS {
        let text = typed(posted, name);
        let value: Json = match name {
            "sync_minutes" | "keep_days" if text.is_empty() => Json::Null,
            // What is no number stays text: the API's input says what it wants there.
            "sync_minutes" | "keep_days" => {
                text.parse::<i64>().map_or_else(|_| text.into(), Json::from)
            }
            "client_secret" if text.is_empty() && !is_new => continue,
            _ => text.into(),
        };
        map.insert(name.to_owned(), value);
    }
    map
}

fn new_page(typed: &[(String, String)]) -> FormPage {
    FormPage {
        title: "New channel".to_owned(),
        action: "/admin/channels/new".to_owned(),
        back: "/admin/channels/".to_owned(),
        button: "Verify and add the channel",
        fields: fields(&FIELDS, typed),
        errors: Vec::new(),
    }
}

pub(super) async fn new(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Create)?;
    let config = &app.channels.config;
    let usual = |number: u32| if number == 0 { String::new() } else { number.to_string() };
    let usual = [
        ("sync_minutes".to_owned(), usual(config.sync_minutes)),
        ("keep_days".to_owned(), usual(config.keep_days)),
    ];
    Ok(frame.page("New channel", &new_page(&usual)))
}

pub(super) async fn create(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    ClientIp(client): ClientIp,
    frame: Frame,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Create)?;
    match added(&app, caller(&session), &posted, client).await {
        Ok(channel) => Ok(see_other(&format!("/admin/channels/{}/?done=made", channel.id))),
        Err(problem) if is_about_input(&problem) => Ok(new_page(&posted).again(&frame, &problem)),
        Err(problem) => Err(problem),
    }
}

async fn added(
    app: &App,
    caller: Caller,
    posted: &[(String, String)],
    client: std::net::IpAddr,
) -> Result<Channel, Problem> {
    let new: NewChannel = valid(input(posted, true))?;
    let new = NewSettings::new(new, None, app);
    let verified = setting::verified(app, &caller, &new, client).await?;
    settled(commands::add(app, caller, new, verified).await?, Problem::from)
}

fn edit_page(channel: &Channel, typed: &[(String, String)]) -> FormPage {
    let mut fields = fields(&FIELDS, typed);
    for field in fields.iter_mut().filter(|field| field.name == "client_secret") {
        field.hint = "Empty: the present one stays. It is stored sealed, and never shown.";
    }
    FormPage {
        title: format!("Change {}", channel.name),
        action: format!("/admin/channels/{}/edit", channel.id),
        back: format!("/admin/channels/{}/", channel.id),
        button: "Save",
        fields,
        errors: Vec::new(),
    }
}

pub(super) async fn edit(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    frame: Frame,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Change)?;
    let channel = found(&app, id).await?;
    let number = |span: Option<i64>| span.map(|span| span.to_string()).unwrap_or_default();
    let now = [
        ("name", channel.name.clone()),
        ("shop", channel.shop.clone()),
        ("client_id", channel.client_id.clone()),
        ("sync_minutes", number(channel.sync_minutes)),
        ("keep_days", number(channel.keep_days)),
    ];
    let now = now.map(|(name, value)| (name.to_owned(), value));
    let page = edit_page(&channel, &now);
    Ok(frame.page(&page.title.clone(), &page))
}

pub(super) async fn change(
    State(app): State<App>,
    StaffSession(session): StaffSession,
    ClientIp(client): ClientIp,
    frame: Frame,
    PathId(id): PathId,
    Form(posted): Pairs,
) -> Result<Response, Problem> {
    session.require(Capability::Channels, Verb::Change)?;
    let channel = found(&app, id).await?;
    let changed = async {
        let mut patch: ChannelPatch = valid(input(&posted, false))?;
        // What is the same already needs no verification.
        patch.client_id = patch.client_id.filter(|client_id| *client_id != channel.client_id);
        let (caller, scope) = (caller(&session), Scope::Every);
        let outcome = setting::change(&app, caller, scope, id, patch, IfMatch::Any, client).await?;
        settled(outcome, Problem::from)
    };
    match changed.await {
        Ok(_) => Ok(see_other(&format!("/admin/channels/{id}/?done=changed"))),
        Err(problem) if is_about_input(&problem) => {
            Ok(edit_page(&channel, &posted).again(&frame, &problem))
        }
        Err(problem) => Err(problem),
    }
}
