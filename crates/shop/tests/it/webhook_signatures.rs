//! What we sign is verified by `standardwebhooks`, which others have written after the standard.

use std::io::Write;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use runout_shop::delivery::envelope;
use runout_shop::delivery::signing::{Secret, SecretKind, sign};
use runout_shop::platform::clock::Clock;
use serde_json::{Value, json};

/// The Python that has standardwebhooks.
const PYTHON: &str = "RUNOUT_TEST_STANDARDWEBHOOKS_PYTHON";

/// Reads cases from its input and says of each whether the library verifies it.
const VERIFIER: &str = "
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
verdicts = []
for case in json.load(sys.stdin):
    try:
        Webhook(case['secret']).verify(case['body'], case['headers'])
        verdicts.append(True)
    except WebhookVerificationError:
        verdicts.append(False)
json.dump(verdicts, sys.stdout)
";

fn verdicts(cases: &[Value]) -> Vec<bool> {
    let python =
        std::env::var(PYTHON).unwrap_or_else(|_| panic!("{PYTHON} is not set: run `make test`"));
    let mut child = Command::new(&python)
        .args(["-c", VERIFIER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(json!(cases).to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", output.status);
    serde_json::from_slice(&output.stdout).expect("a list of verdicts")
}

/// A message as a receiver sees it.
fn case(secret: &Secret, signers: &[Secret], at: Timestamp, body: &str) -> Value {
    let id = envelope::event_id(7);
    let signature = sign(signers, &id, at.as_second(), body.as_bytes());
    let headers = envelope::webhook_headers(id, "1-evt_7", at, signature);
    let headers: serde_json::Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name.to_string(), value.into())).collect();
    json!({"secret": secret.expose().as_str(), "headers": headers, "body": body})
}

#[test]
fn the_reference_library_verifies_what_we_sign_and_nothing_else() {
    let make = |kind| Secret::generate(kind).expect("randomness");
    let [old, new] = [make(SecretKind::Hmac), make(SecretKind::Hmac)];
    let asymmetric = make(SecretKind::Ed25519);
    let now = Clock::system().now();
    let payload = r#"{"id":7,"title":"Bücher & \"Töne\"","price":{"minor":1250}}"#;
    let body = envelope::body("product.updated", now, payload);
    let body = std::str::from_utf8(&body).expect("text");
    let signed = |signers: &[Secret]| case(&new, signers, now, body);

    let whole = signed(std::slice::from_ref(&new));
    let rotating = signed(&[asymmetric.clone(), old.clone(), new.clone()]);
    let mut cases =
        vec![whole.clone(), rotating, case(&old, &[new.clone(), old.clone()], now, body)];
    let good = cases.len();

    for at in [1, body.len() / 2, body.len() - 2] {
        let mut changed = body.as_bytes().to_vec();
        changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
        let mut case = whole.clone();
        case["body"] = String::from_utf8_lossy(&changed).into();
        cases.push(case);
    }
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut case = whole.clone();
        let text = case["headers"][header].as_str().expect("a text");
        let middle = text.len() / 2;
        let other = if text.as_bytes()[middle] == b'1' { "2" } else { "1" };
        let text = format!("{}{other}{}", &text[..middle], &text[middle + 1..]);
        case["headers"][header] = text.into();
        cases.push(case);
    }
    cases.push(signed(&[old, asymmetric]));
    let long_ago = now - std::time::Duration::from_secs(600);
    cases.push(case(&new, std::slice::from_ref(&new), long_ago, body));

    let expected: Vec<bool> = (0..cases.len()).map(|number| number < good).collect();
    assert_eq!(verdicts(&cases), expected);
}
