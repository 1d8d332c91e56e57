//! What extractors take from a request, for the API's description: `params(PathId, IfMatch)`.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::etag::IfMatch;
use super::extract::{IdempotencyKey, PathId};

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
struct IdInPath {
    #[param(minimum = 1)]
    id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
struct IfMatchField {
    /// The ETag that was read.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
struct IdempotencyKeyField {
    #[param(rename = "Idempotency-Key", max_length = 255)]
    idempotency_key: Option<String>,
}

impl IntoParams for PathId {
    fn into_params(within: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        IdInPath::into_params(within)
    }
}

impl IntoParams for IfMatch {
    fn into_params(within: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        IfMatchField::into_params(within)
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(within: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        IdempotencyKeyField::into_params(within)
    }
}
