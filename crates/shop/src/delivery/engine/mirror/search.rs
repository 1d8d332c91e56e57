//! Looks for a record that was created, though the answer was lost.

use axum::http::Method;
use serde_json::{Map, Value};

use super::super::attempt::FailureKind;
use super::{Call, Trouble, key_of, records};

/// Longest value that is searched by, in characters: addresses have limits.
const VALUE_CHARS_MAX: usize = 100;

/// The id of a record at the remote that says exactly this and is nobody's; none if there is none,
/// or if the remote cannot be searched.
pub(super) async fn orphan(
    call: &Call<'_>,
    body: &Map<String, Value>,
) -> Result<Option<String>, Trouble> {
    let mut url = call.collection();
    let mut separator = '?';
    for (name, value) in body {
        let value = match value {
            Value::String(text) if short(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        let pair = serde_urlencoded::to_string([(name, value)]).unwrap_or_default();
        url.push(separator);
        url.push_str(&pair);
        separator = '&';
    }
    // A remote that has no such list cannot be searched; one that is unwell is asked again later.
    let answer = match call.send(call.outgoing(Method::GET, url, None)).await {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(None),
        Err(failure) if failure.kind == FailureKind::Refused => return Ok(None),
        Err(failure) => return Err(failure.into()),
    };
    let Ok(Value::Array(found)) = serde_json::from_slice(&answer.body) else { return Ok(None) };
    let same = |record: &&Value| body.iter().all(|(name, value)| record.get(name) == Some(value));
    let keys: Vec<String> = found.iter().filter(same).filter_map(key_of).collect();
    let target = &call.line.target;
    let entity = &call.job.thing.entity;
    let taken = records::taken(&call.line.app.db, &target.origin, entity, &keys).await?;
    Ok(keys.into_iter().find(|key| !taken.contains_key(key)))
}

fn short(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= VALUE_CHARS_MAX && !text.contains(char::is_control)
}
