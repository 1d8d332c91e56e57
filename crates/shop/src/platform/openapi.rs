//! What the descriptions of many endpoints share: the token, and the refusals that any endpoint of a
//! kind may answer with. An endpoint lists those of its kinds after its own answers.

use std::collections::BTreeMap;

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, Modify};

use super::problem::PROBLEM_JSON;

/// Adds the security scheme `token` to the document.
pub struct TokenSecurity;

impl Modify for TokenSecurity {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Components::default);
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("token", scheme);
    }
}

type Responses = BTreeMap<String, RefOr<Response>>;

fn problem(description: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content)
}

fn with_header(response: ResponseBuilder, name: &str, what: &str) -> ResponseBuilder {
    response.header(name, HeaderBuilder::new().description(Some(what)).build())
}

fn responses<const N: usize>(list: [(&str, ResponseBuilder); N]) -> Responses {
    list.into_iter().map(|(status, r)| (status.to_owned(), r.build().into())).collect()
}

/// Any endpoint: 400, 429, 503.
pub struct AnyProblems;

impl IntoResponses for AnyProblems {
    fn responses() -> Responses {
        let after = "Seconds to wait before trying again";
        let (busy, later) = (problem("Too many requests"), problem("Not possible at the moment"));
        responses([
            ("400", problem("The request cannot be understood; `errors` names the fields")),
            ("429", with_header(busy, "Retry-After", after)),
            ("503", with_header(later, "Retry-After", after)),
        ])
    }
}

/// Endpoints that read a body: 413, 415.
pub struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> Responses {
        responses([
            ("413", problem("The body is too large")),
            ("415", problem("The body is not `application/json`")),
        ])
    }
}

/// Endpoints that want to know who asks: 401.
pub struct TokenProblems;

impl IntoResponses for TokenProblems {
    fn responses() -> Responses {
        let unknown = problem("No token, or one that does not work");
        responses([("401", with_header(unknown, "WWW-Authenticate", "`Bearer realm=\"runout\"`"))])
    }
}

/// Endpoints for some roles only: 403. List [`TokenProblems`] as well.
pub struct RoleProblems;

impl IntoResponses for RoleProblems {
    fn responses() -> Responses {
        responses([("403", problem("The account may not do this"))])
    }
}

/// Endpoints with an id in their path: 404.
pub struct IdProblems;

impl IntoResponses for IdProblems {
    fn responses() -> Responses {
        responses([("404", problem("There is no such thing"))])
    }
}

/// Endpoints that change a thing by its version: 412.
pub struct VersionProblems;

impl IntoResponses for VersionProblems {
    fn responses() -> Responses {
        responses([("412", problem("It has changed since: no version of If-Match is its own"))])
    }
}

/// Endpoints that take an Idempotency-Key: 422.
pub struct KeyProblems;

impl IntoResponses for KeyProblems {
    fn responses() -> Responses {
        responses([("422", problem("The Idempotency-Key was used with another request"))])
    }
}
