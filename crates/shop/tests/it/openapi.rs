//! The API's description: complete, sound, and as it was agreed.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const UPDATE: &str = "RUNOUT_UPDATE_SNAPSHOTS";

/// The description as clients get it.
pub fn document() -> Value {
    serde_json::to_value(runout_shop::app::openapi()).expect("it is JSON")
}

/// Method (upper case), path and description of every operation.
pub fn operations(document: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    let paths = document["paths"].as_object().expect("an object");
    paths.iter().flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| {
            let operation = item.get(*method)?;
            Some((method.to_uppercase(), path.as_str(), operation))
        })
    })
}

#[test]
fn the_description_is_as_agreed() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/openapi.json");
    let now = runout_shop::app::openapi().to_pretty_json().expect("it is JSON") + "\n";
    if std::env::var(UPDATE).is_ok_and(|value| value == "1") {
        assert!(std::env::var_os("CI").is_none(), "CI does not agree to anything: unset {UPDATE}");
        std::fs::write(&path, &now).expect("the snapshot can be written");
        return;
    }
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    let same = agreed.lines().zip(now.lines()).take_while(|(a, b)| a == b).count();
    assert!(
        agreed == now,
        "the API's description has changed, first in line {}: `{}` was `{}`.\n\
         If that is meant: {UPDATE}=1 cargo test -p runout-shop --test it the_description_is_as_agreed",
        same + 1,
        now.lines().nth(same).unwrap_or_default(),
        agreed.lines().nth(same).unwrap_or_default(),
    );
}

#[test]
fn operations_have_a_summary_and_a_name_of_their_own() {
    let document = document();
    let mut names = HashSet::new();
    for (method, path, operation) in operations(&document) {
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.ends_with('.'), "{method} {path} needs a summary, not {summary:?}");
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(!name.is_empty() && names.insert(name), "{method} {path}: {name:?}");
        let tags = operation["tags"].as_array().map(Vec::len);
        assert_eq!(tags, Some(1), "{method} {path}: one tag");
    }
    assert!(names.len() >= 39, "operations have vanished");
}

#[test]
fn operations_describe_their_refusals() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let responses = operation["responses"].as_object().expect("an object");
        let mut wanted = vec!["400", "404", "413", "429", "500", "503"];
        if operation["security"] != Value::Null {
            wanted.push("401");
        }
        if operation["requestBody"] != Value::Null {
            wanted.push("415");
        }
        if method != "GET" {
            wanted.extend(["409", "422"]);
        }
        for status in wanted {
            let content = &responses.get(status).unwrap_or(&Value::Null)["content"];
            let problem = &content["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{method} {path} {status}");
        }
        let successes = responses.keys().filter(|status| status.starts_with('2')).count();
        // Two where a thing is made or found: 201 and 200.
        assert!((1..=2).contains(&successes), "{method} {path}");
    }
}

#[test]
fn parameters_of_paths_are_described() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let in_path: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let described: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(described, in_path, "{method} {path}");
        let keyed = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
        assert!(!(keyed && method == "GET"), "{method} {path}: nothing to repeat");
        let schemas = parameters.iter().all(|parameter| parameter["schema"] != Value::Null);
        assert!(schemas, "{method} {path}: a parameter without a schema");
    }
}

#[test]
fn references_resolve() {
    let document = document();
    let mut references = HashSet::new();
    collect(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("references stay in the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    assert!(references.len() > 10);
}

fn collect(value: &Value, references: &mut HashSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                references.insert(reference.to_owned());
            }
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
