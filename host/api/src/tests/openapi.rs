//! The document in `openapi/`: not stale, and nothing of the last release taken away.

use super::additive::taken_away;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Once,
};

const RENEW: &str = "MAINSTAY_RENEW=1 cargo test -p mainstay-api openapi";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi")
}

/// What a file of the directory says. Where it is asked for, the document is written first, and a first release with it.
fn read(name: &str) -> Value {
    static RENEWED: Once = Once::new();
    RENEWED.call_once(|| {
        if std::env::var_os("MAINSTAY_RENEW").is_none() {
            return;
        }
        let text = serde_json::to_string_pretty(&crate::openapi()).unwrap() + "\n";
        fs::create_dir_all(directory()).unwrap();
        fs::write(directory().join("mainstay.v1.json"), &text).unwrap();
        let released = directory().join("released.v1.json");
        if !released.exists() {
            fs::write(released, &text).unwrap();
        }
    });
    let text = fs::read_to_string(directory().join(name));
    let text =
        text.unwrap_or_else(|error| panic!("openapi/{name}: {error}; make it with `{RENEW}`"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_document_is_not_stale() {
    let is_same = read("mainstay.v1.json") == crate::openapi();
    assert!(
        is_same,
        "openapi/mainstay.v1.json is stale; renew it with `{RENEW}`"
    );
}

#[test]
fn nothing_of_the_last_release_is_taken_away() {
    let taken_away = taken_away(&read("released.v1.json"), &crate::openapi());
    assert!(
        taken_away.is_empty(),
        "programs that were written for the last release would break:\n{}",
        taken_away.join("\n")
    );
}

/// Every name behind `$ref`, wherever it stands.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("$ref") {
                found.insert(name.clone());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn whatever_is_referred_to_is_there() {
    let document = crate::openapi();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for name in found {
        let there = document.pointer(name.strip_prefix('#').unwrap());
        assert!(there.is_some_and(Value::is_object), "{name}");
    }
}

#[test]
fn a_form_that_is_asked_and_answered_is_one() {
    let document = crate::openapi();
    // A second form of the same name would be called so.
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(
            !name.ends_with(|last: char| last.is_ascii_digit()),
            "{name}"
        );
    }
    let words = &document["components"]["schemas"]["BackupType"]["oneOf"];
    assert_eq!(words.as_array().unwrap().len(), 5);
}

#[test]
fn a_query_is_told_field_by_field() {
    let document = crate::openapi();
    let parameters = &document["paths"]["/v1/operations"]["get"]["parameters"];
    let names = parameters.as_array().unwrap().iter();
    let names: Vec<&str> = names.filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in ["before", "target", "failure", "state", "since", "limit"] {
        assert!(names.contains(&name), "{name}");
    }
    let state = parameters.as_array().unwrap().iter();
    let state: Vec<&Value> = state.filter(|one| one["name"] == "state").collect();
    assert_eq!(
        state[0]["schema"],
        json!({ "$ref": "#/components/schemas/OperationState" })
    );
    assert_eq!(state[0]["required"], false);
}
