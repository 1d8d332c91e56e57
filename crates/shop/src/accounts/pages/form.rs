//! Forms of these pages: labelled fields, what was typed, and what was wrong beside each.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::accounts::{AccountRefused, PasswordRefused};
use crate::pages::Frame;
use crate::platform::problem::Problem;

/// What was wrong with a form: the field's name and the reason. No name: the form as a whole.
#[derive(Debug, Default)]
pub(super) struct Wrong(Vec<(&'static str, String)>);

impl Wrong {
    pub(super) fn one(field: &'static str, reason: impl Into<String>) -> Self {
        Self(vec![(field, reason.into())])
    }

    pub(super) fn add(&mut self, field: &'static str, reason: impl Into<String>) {
        self.0.push((field, reason.into()));
    }

    /// The same about a form whose field has another name.
    pub(super) fn renamed(mut self, field: &'static str) -> Self {
        for (name, _) in &mut self.0 {
            *name = field;
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, reason)| reason.as_str())
    }

    /// What a refusal says about the form's fields.
    ///
    /// # Errors
    /// A refusal that is about no field.
    pub(super) fn account(refused: AccountRefused) -> Result<Self, Problem> {
        Ok(match refused {
            AccountRefused::Invalid(wrong) => {
                Self(wrong.into_iter().map(|one| (one.field, one.reason.to_owned())).collect())
            }
            AccountRefused::UsernameTaken => Self::one("username", "This username is taken."),
            AccountRefused::EmailTaken => Self::one("email", "This e-mail address is taken."),
            AccountRefused::WrongPassword => {
                Self::one("current_password", "The current password is wrong.")
            }
            AccountRefused::VersionChanged => Self::one(
                "",
                "This was changed elsewhere meanwhile. Look at it again, then save it.",
            ),
            other => return Err(other.into()),
        })
    }

    /// # Errors
    /// A refusal that is not about what was typed.
    pub(super) fn password(refused: PasswordRefused) -> Result<Self, Problem> {
        match refused {
            PasswordRefused::Wrong => {
                Ok(Self::one("current_password", "The current password is wrong."))
            }
            other => Err(other.into()),
        }
    }
}

/// A labelled field.
#[derive(Template)]
#[template(path = "accounts/templates/input.html")]
pub(super) struct Input<'a> {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    value: &'a str,
    hint: &'static str,
    optional: bool,
    focus: bool,
    error: Option<&'a str>,
}

impl<'a> Input<'a> {
    pub(super) fn text(
        name: &'static str,
        label: &'static str,
        autocomplete: &'static str,
        value: &'a str,
    ) -> Self {
        let (kind, hint, error) = ("text", "", None);
        Self { name, label, kind, autocomplete, value, hint, optional: false, focus: false, error }
    }

    pub(super) fn password(
        name: &'static str,
        label: &'static str,
        autocomplete: &'static str,
    ) -> Self {
        Self { kind: "password", ..Self::text(name, label, autocomplete, "") }
    }

    pub(super) fn email(name: &'static str, label: &'static str, value: &'a str) -> Self {
        Self { kind: "email", ..Self::text(name, label, "email", value) }
    }

    pub(super) fn phone(name: &'static str, label: &'static str, value: &'a str) -> Self {
        Self { kind: "tel", ..Self::text(name, label, "tel", value) }
    }

    /// The six digits of a device, or a recovery code.
    pub(super) fn code(label: &'static str) -> Self {
        Self { focus: true, ..Self::text("code", label, "one-time-code", "") }
    }

    /// [`Input::code`] beside another form that asks for one.
    pub(super) fn renewing_code() -> Self {
        Self::text("renewing_code", "Code", "one-time-code", "")
    }

    pub(super) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    pub(super) fn focused(self) -> Self {
        Self { focus: true, ..self }
    }

    fn describes(&self) -> bool {
        self.error.is_some() || !self.hint.is_empty()
    }
}

/// A form with its fields, ready to stand in a page.
#[derive(Template)]
#[template(path = "accounts/templates/form.html")]
pub(super) struct FormView<'a> {
    pub(super) action: &'a str,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) inputs: Vec<Input<'a>>,
    pub(super) button: &'static str,
    /// True for what cannot be undone.
    danger: bool,
    wrong: Vec<(Option<&'static str>, &'a str)>,
}

impl<'a> FormView<'a> {
    pub(super) fn new(
        action: &'a str,
        inputs: Vec<Input<'a>>,
        wrong: &'a Wrong,
        button: &'static str,
    ) -> Self {
        let mut inputs = inputs;
        for input in &mut inputs {
            input.error = wrong.of(input.name);
        }
        let known = |name: &str| inputs.iter().any(|input| input.name == name);
        let place = |name: &'static str| known(name).then_some(name);
        let wrong = wrong.0.iter().map(|(name, reason)| (place(name), reason.as_str())).collect();
        Self { action, hidden: Vec::new(), inputs, button, danger: false, wrong }
    }

    pub(super) fn dangerous(self) -> Self {
        Self { danger: true, ..self }
    }

    pub(super) fn hidden(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }
}

/// A page that is one form.
#[derive(Template)]
#[template(path = "accounts/templates/form_page.html")]
pub(super) struct FormPage<'a> {
    pub(super) title: &'a str,
    pub(super) lead: &'a str,
    /// Which of the pages of one's own account it belongs to, as their navigation says; or none.
    pub(super) own: &'static str,
    pub(super) form: FormView<'a>,
    /// A link below: its address and text.
    pub(super) link: Option<(String, &'static str)>,
}

impl FormPage<'_> {
    fn place(&self) -> &str {
        self.own
    }

    /// 200, or 422 with what was wrong.
    pub(super) fn answer(&self, frame: &Frame) -> Response {
        let fine = self.form.wrong.is_empty();
        let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        frame.page_with(status, self.title, self)
    }
}
