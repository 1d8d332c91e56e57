//! Forms: a row's values as text and back, and what was wrong beside each field.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::table::{Fields, Input, InputKind, Table, When};
use crate::platform::problem::Problem;

/// The prefix of the hidden fields with the values that a form began with.
const WAS: &str = "was-";

/// A field of a form.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub input: &'static Input,
    /// Unique on the page.
    pub id: String,
    /// The form that it belongs to, where it stands outside of it.
    pub form: Option<String>,
    pub value: String,
    /// The value that the form began with.
    pub was: String,
    pub error: Option<String>,
    /// What somebody else has made of it in between.
    pub theirs: Option<String>,
}

impl Field {
    pub(super) fn of(input: &'static Input, value: String) -> Self {
        let (was, id) = (value.clone(), format!("field-{}", input.name));
        Self { input, id, form: None, value, was, error: None, theirs: None }
    }

    pub(super) fn is_checked(&self) -> bool {
        self.value == "true"
    }

    pub(super) fn was_name(&self) -> String {
        format!("{WAS}{}", self.input.name)
    }

    /// The choices, if it is one.
    pub(super) fn choices(&self) -> &'static [&'static str] {
        if let InputKind::Choice(words) = self.input.kind { words } else { &[] }
    }

    /// The table whose rows it refers to.
    pub(super) fn refers_to(&self) -> Option<&'static str> {
        if let InputKind::Reference(slug) = self.input.kind { Some(slug) } else { None }
    }

    pub(super) fn is_long(&self) -> bool {
        matches!(self.input.kind, InputKind::Long | InputKind::Json)
    }

    pub(super) fn is_bool(&self) -> bool {
        self.input.kind == InputKind::Bool
    }

    /// The type of the `input` element.
    pub(super) fn html_type(&self) -> &'static str {
        if self.input.kind == InputKind::Moment { "datetime-local" } else { "text" }
    }

    /// The on-screen keyboard that fits.
    pub(super) fn keyboard(&self) -> &'static str {
        match self.input.kind {
            InputKind::Int | InputKind::Reference(_) => "numeric",
            InputKind::Decimal | InputKind::Hundredths => "decimal",
            _ => "text",
        }
    }

    /// What describes it: the ids of hint, error and the other's value.
    pub(super) fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if !self.input.hint.is_empty() {
            ids.push(format!("{}-hint", self.id));
        }
        if self.error.is_some() {
            ids.push(format!("{}-error", self.id));
        }
        if self.theirs.is_some() {
            ids.push(format!("{}-theirs", self.id));
        }
        ids.join(" ")
    }
}

/// True if something is wrong with a field.
pub(super) fn any_wrong(fields: &[Field]) -> bool {
    fields.iter().any(|field| field.error.is_some())
}

/// The fields of a form for a new row, with what the address says already.
pub(super) fn empty(table: &'static Table, given: &[(String, String)]) -> Vec<Field> {
    let inputs = table.inputs.iter().filter(|input| input.when != When::Edit);
    let field = |input: &'static Input| {
        let preset = if input.kind == InputKind::Bool { "true" } else { "" };
        let mut field = Field::of(input, value_of(given, input.name).unwrap_or(preset).to_owned());
        field.was.clear();
        field
    };
    inputs.map(field).collect()
}

/// The inputs that a row's values are read for, in the order of the values.
pub(super) fn stored_inputs(table: &'static Table) -> impl Iterator<Item = &'static Input> {
    table.inputs.iter().filter(|input| !input.sql.is_empty())
}

/// The fields of a form for a row with these values, one for each of [`stored_inputs`].
pub(super) fn filled(table: &'static Table, values: &[String]) -> Vec<Field> {
    let pairs = stored_inputs(table).zip(values).filter(|(input, _)| input.when != When::New);
    pairs.map(|(input, value)| Field::of(input, value.clone())).collect()
}

fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Takes over what was typed for a row that is there, and what the form began with. A field that
/// the form did not have, as its missing beginning tells, stays.
pub(super) fn take_changes(fields: &mut [Field], posted: &[(String, String)]) {
    for field in fields {
        if value_of(posted, &field.was_name()).is_some() {
            take(std::slice::from_mut(field), posted);
        }
    }
}

/// Takes over what was typed, and what the form began with.
pub(super) fn take(fields: &mut [Field], posted: &[(String, String)]) {
    for field in fields {
        // A box that is not ticked is not sent.
        let absent = if field.is_bool() { "false" } else { "" };
        let plain = |text: &str| text.replace("\r\n", "\n");
        field.value = plain(value_of(posted, field.input.name).unwrap_or(absent));
        if let Some(was) = value_of(posted, &field.was_name()) {
            field.was = plain(was);
        }
    }
}

/// Writes a problem's field errors beside the fields; gives those that belong to none.
pub(super) fn mark(fields: &mut [Field], problem: &Problem) -> Vec<String> {
    let mut others = Vec::new();
    for error in problem.field_errors() {
        let name = error.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
        match fields.iter_mut().find(|field| field.input.name == name) {
            Some(field) => field.error = Some(error.detail.clone()),
            None if error.pointer.is_empty() => others.push(error.detail.clone()),
            None => others.push(format!("{}: {}", error.pointer, error.detail)),
        }
    }
    if problem.field_errors().is_empty() {
        others.push(problem.words().to_owned());
    }
    others
}

/// The API's input for a new row: fields that were left empty are absent.
pub(super) fn for_new(fields: &[Field]) -> Fields {
    let given = fields.iter().filter(|field| {
        let is_demanded = field.input.required && field.input.kind == InputKind::Line;
        !field.value.trim().is_empty() || is_demanded
    });
    given.map(|field| (field.input.name.to_owned(), json(field.input, &field.value))).collect()
}

/// The API's input for a change: the fields that are not as the form began.
pub(super) fn for_change(fields: &[Field]) -> Fields {
    let changed = fields.iter().filter(|field| field.value != field.was);
    changed.map(|field| (field.input.name.to_owned(), json(field.input, &field.value))).collect()
}

/// One value as the API takes it. What cannot be read stays text, so that the API's input says what
/// it wants there.
pub(super) fn json(input: &Input, text: &str) -> Json {
    let trimmed = text.trim();
    let is_text = matches!(input.kind, InputKind::Line | InputKind::Long);
    if trimmed.is_empty() && !is_text {
        return Json::Null;
    }
    match input.kind {
        InputKind::Line | InputKind::Long | InputKind::Choice(_) => text.into(),
        InputKind::Decimal | InputKind::Hundredths => trimmed.into(),
        InputKind::Int | InputKind::Reference(_) => {
            trimmed.parse::<i64>().map_or_else(|_| trimmed.into(), Json::from)
        }
        InputKind::Bool => (trimmed == "true").into(),
        InputKind::Moment => moment_of(trimmed).map_or_else(|| trimmed.into(), Json::from),
        InputKind::Json => serde_json::from_str(trimmed).unwrap_or_else(|_| trimmed.into()),
    }
}

/// A moment as `datetime-local` gives it, taken as UTC; or with its offset.
fn moment_of(text: &str) -> Option<String> {
    let moment = text.parse::<Timestamp>().ok().or_else(|| {
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })?;
    Some(moment.to_string())
}

/// A stored moment as `datetime-local` takes it, in UTC.
pub(super) fn local(at: Timestamp) -> String {
    let civil = at.to_zoned(TimeZone::UTC).datetime();
    let format = if civil.second() == 0 { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S" };
    civil.strftime(format).to_string()
}

/// Hundredths as decimal text without needless zeros: 1250 is `12.5`.
pub(super) fn hundredths(value: i64) -> String {
    let text = format!("{}.{:02}", value / 100, value % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How three versions of a form's field come together.
pub(super) fn merge(mine: &mut [Field], theirs: &[Field]) {
    for (field, now) in mine.iter_mut().zip(theirs) {
        let (touched, moved) = (field.value != field.was, now.value != field.was);
        if !touched {
            field.value.clone_from(&now.value);
        }
        if moved && field.value != now.value {
            field.theirs = Some(now.value.clone());
        }
        field.was.clone_from(&now.value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static LINE: Input = Input::new("a", "A", InputKind::Line, "x.a");

    #[test]
    fn values_are_read_as_the_api_wants_them() {
        for (kind, text, expected) in [
            (InputKind::Line, " a ", json!(" a ")),
            (InputKind::Line, "", json!("")),
            (InputKind::Int, " 7 ", json!(7)),
            (InputKind::Int, "seven", json!("seven")),
            (InputKind::Int, "", json!(null)),
            (InputKind::Bool, "true", json!(true)),
            (InputKind::Bool, "false", json!(false)),
            (InputKind::Moment, "2026-11-21T14:05", json!("2026-11-21T14:05:00Z")),
            (InputKind::Moment, "2026-11-21T14:05:00+02:00", json!("2026-11-21T12:05:00Z")),
            (InputKind::Moment, "tomorrow", json!("tomorrow")),
            (InputKind::Json, r#"{"a": 1}"#, json!({"a": 1})),
            (InputKind::Json, "{", json!("{")),
            (InputKind::Decimal, " 12.50 ", json!("12.50")),
        ] {
            let input = Input::new("x", "X", kind, "");
            assert_eq!(json(&input, text), expected, "{kind:?} {text:?}");
        }
        assert_eq!(
            ["0", "0.07", "12.5", "100"],
            [0, 7, 1250, 10_000].map(hundredths).each_ref().map(String::as_str)
        );
        let at: Timestamp = "2026-11-21T14:05:09Z".parse().expect("a moment");
        assert_eq!(local(at), "2026-11-21T14:05:09");
    }

    #[test]
    fn three_versions_come_together() {
        for (was, mine, theirs, value, other) in [
            ("a", "a", "a", "a", None),
            ("a", "b", "a", "b", None),
            ("a", "a", "c", "c", None),
            ("a", "b", "c", "b", Some("c")),
            ("a", "b", "b", "b", None),
        ] {
            let mut field = Field::of(&LINE, mine.to_owned());
            field.was = was.to_owned();
            let mut fields = [field];
            merge(&mut fields, &[Field::of(&LINE, theirs.to_owned())]);
            assert_eq!(fields[0].value, value);
            assert_eq!(fields[0].theirs.as_deref(), other);
            assert_eq!(fields[0].was, theirs, "saving again changes what differs from theirs");
        }
    }
}
