//! What a document takes away from an earlier one.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who writes a form: of what the daemon writes nothing may be missing, of what it reads nothing more may be needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Answer,
    Request,
}

/// One sentence for each thing that `now` lacks or asks for, and `released` does not.
pub(super) fn taken_away(released: &Value, now: &Value) -> Vec<String> {
    let mut comparison = Comparison {
        released,
        now,
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    comparison.paths();
    comparison.components();
    comparison.found
}

struct Comparison<'a> {
    released: &'a Value,
    now: &'a Value,
    /// Where forms stand, before and now, that are compared already.
    seen: BTreeSet<(&'a str, &'a str, Way)>,
    found: Vec<String>,
}

fn fields<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let fields = value.pointer(pointer).and_then(Value::as_object);
    fields.into_iter().flatten()
}

/// The parameters of an endpoint, by where they stand and their names.
fn parameters(endpoint: &Value) -> BTreeMap<(&str, &str), &Value> {
    let all = endpoint["parameters"].as_array().into_iter().flatten();
    let keyed = |one| Some(((text(one, "in")?, text(one, "name")?), one));
    all.filter_map(keyed).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn is_required(one: &Value) -> bool {
    one["required"] == true
}

impl<'a> Comparison<'a> {
    fn tell(&mut self, what: String) {
        if !self.found.contains(&what) {
            self.found.push(what);
        }
    }

    fn paths(&mut self) {
        let (released, now) = (self.released, self.now);
        for (path, methods) in fields(released, "/paths") {
            for (method, before) in fields(methods, "") {
                let place = format!("{method} {path}");
                match now["paths"][path].get(method) {
                    Some(after) => self.endpoint(&place, before, after),
                    None => self.tell(format!("{place} is gone")),
                }
            }
        }
    }

    fn endpoint(&mut self, place: &str, before: &'a Value, after: &'a Value) {
        let (known, present) = (parameters(before), parameters(after));
        for (key, &old) in &known {
            let place = format!("{place}, parameter {}", key.1);
            match present.get(key) {
                Some(&new) => self.schema(&place, Way::Request, &old["schema"], &new["schema"]),
                None => self.tell(format!("{place} is gone")),
            }
        }
        for (key, &new) in &present {
            if is_required(new) && !known.get(key).is_some_and(|&old| is_required(old)) {
                self.tell(format!("{place}, parameter {} is required now", key.1));
            }
        }
        let (old, new) = (&before["requestBody"], &after["requestBody"]);
        if is_required(new) && !is_required(old) {
            self.tell(format!("{place}, a body is required now"));
        }
        self.contents(&format!("{place}, body"), Way::Request, old, new);
        for (status, old) in fields(before, "/responses") {
            let place = format!("{place}, answer {status}");
            match after["responses"].get(status) {
                Some(new) => self.contents(&place, Way::Answer, old, new),
                None => self.tell(format!("{place} is gone")),
            }
        }
    }

    /// Compares what stands under each media type.
    fn contents(&mut self, place: &str, way: Way, old: &'a Value, new: &'a Value) {
        for (media, before) in fields(old, "/content") {
            match new["content"].get(media) {
                Some(after) => self.schema(place, way, &before["schema"], &after["schema"]),
                None => self.tell(format!("{place}: {media} is gone")),
            }
        }
    }

    /// Compares the forms that no path leads to: what the command line prints.
    fn components(&mut self) {
        let (released, now) = (self.released, self.now);
        for (name, before) in fields(released, "/components/schemas") {
            let reference = format!("#/components/schemas/{name}");
            if self.seen.iter().any(|(before, _, _)| *before == reference) {
                continue;
            }
            match now["components"]["schemas"].get(name) {
                Some(after) => self.schema(name, Way::Answer, before, after),
                None => self.tell(format!("{name} is gone")),
            }
        }
    }

    fn schema(&mut self, place: &str, way: Way, before: &'a Value, after: &'a Value) {
        if let (Some(old), Some(new)) = (text(before, "$ref"), text(after, "$ref"))
            && !self.seen.insert((old, new, way))
        {
            return;
        }
        let old = Shape::of(before, self.released);
        let new = Shape::of(after, self.now);
        for word in old.words.difference(&new.words) {
            self.tell(format!("{place}: the word {word} is gone"));
        }
        // What may be anything may become something.
        if !old.types.is_empty() && old.types != new.types {
            self.tell(format!("{place}: {:?} became {:?}", old.types, new.types));
        }
        for (name, &field) in &old.properties {
            match new.properties.get(name) {
                Some(&there) => self.schema(&format!("{place}.{name}"), way, field, there),
                None => self.tell(format!("{place}.{name} is gone")),
            }
        }
        let (needed, given) = match way {
            Way::Answer => (&old.required, &new.required),
            Way::Request => (&new.required, &old.required),
        };
        for name in needed.difference(given) {
            self.tell(match way {
                Way::Answer => format!("{place}.{name} may be absent now"),
                Way::Request => format!("{place}.{name} is required now"),
            });
        }
        if let (Some(old), Some(new)) = (old.items, new.items) {
            self.schema(&format!("{place}[]"), way, old, new);
        }
    }
}

/// What a schema says, with all that it refers to and all its branches.
#[derive(Default)]
struct Shape<'a> {
    types: BTreeSet<&'a str>,
    words: BTreeSet<&'a str>,
    properties: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
    items: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    fn of(schema: &'a Value, document: &'a Value) -> Self {
        let mut shape = Self::default();
        shape.add(schema, document, &mut BTreeSet::new());
        shape
    }

    fn add(&mut self, schema: &'a Value, document: &'a Value, seen: &mut BTreeSet<&'a str>) {
        if let Some(reference) = text(schema, "$ref")
            && seen.insert(reference)
            && let Some(there) = document.pointer(reference.trim_start_matches('#'))
        {
            self.add(there, document, seen);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for branch in list_of(schema, key) {
                self.add(branch, document, seen);
            }
        }
        self.types.extend(text(schema, "type"));
        self.types
            .extend(list_of(schema, "type").filter_map(Value::as_str));
        self.words.extend(text(schema, "const"));
        self.words
            .extend(list_of(schema, "enum").filter_map(Value::as_str));
        self.required
            .extend(list_of(schema, "required").filter_map(Value::as_str));
        if let Some(Value::Object(properties)) = schema.get("properties") {
            let named = properties
                .iter()
                .map(|(name, field)| (name.as_str(), field));
            self.properties.extend(named);
        }
        self.items = self.items.or(schema.get("items"));
    }
}

fn list_of<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    let list = schema.get(key).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// Changes the document, and sees what is told of it; nothing expected: nothing is told.
#[track_caller]
fn check(change: impl FnOnce(&mut Value), expected: Option<&str>) {
    let released = crate::openapi();
    let mut now = released.clone();
    change(&mut now);
    assert_ne!(released, now, "nothing was changed");
    let found = taken_away(&released, &now);
    match expected {
        Some(expected) => {
            let is_told = found.iter().any(|one| one.contains(expected));
            assert!(is_told, "{expected}: {found:?}");
        }
        None => assert_eq!(found, Vec::<String>::new()),
    }
}

/// Takes something out of the object or the array at a pointer.
fn take_out(document: &mut Value, pointer: &str, what: &str) {
    match document.pointer_mut(pointer).unwrap() {
        Value::Object(fields) => {
            fields.remove(what).unwrap();
        }
        Value::Array(items) => items.retain(|item| item != what && item["const"] != what),
        other => panic!("{other} has no parts"),
    }
}

#[test]
fn whatever_is_taken_away_is_told() {
    let gone = |pointer: &'static str, what: &'static str, expected: &str| {
        check(|now| take_out(now, pointer, what), Some(expected));
    };
    gone("/paths", "/v1/drill", "post /v1/drill is gone");
    gone("/paths/~1v1~1backups", "get", "get /v1/backups is gone");
    gone(
        "/paths/~1v1~1status/get/responses",
        "200",
        "get /v1/status, answer 200 is gone",
    );
    gone(
        "/components/schemas/Operation/properties",
        "target",
        ".target is gone",
    );
    gone(
        "/components/schemas/DemoStep/properties",
        "detail",
        "DemoStep.detail is gone",
    );
    gone(
        "/components/schemas/OperationState/oneOf",
        "partial",
        "the word partial is gone",
    );
    gone(
        "/components/schemas/HostStatus/required",
        "phase",
        ".phase may be absent now",
    );
    gone("/components/schemas", "DemoEnd", "DemoEnd is gone");
}

#[test]
fn another_type_and_a_new_need_are_told() {
    check(
        |now| {
            now["components"]["schemas"]["Backup"]["properties"]["documents"]["type"] =
                "string".into()
        },
        Some(".documents: {\"integer\"} became {\"string\"}"),
    );
    check(
        |now| {
            let required = &mut now["components"]["schemas"]["DecisionBody"]["required"];
            *required = serde_json::json!(["reason"]);
        },
        Some(".reason is required now"),
    );
    check(
        |now| {
            let parameters = &mut now["paths"]["/v1/events"]["get"]["parameters"];
            parameters[0]["required"] = true.into();
        },
        Some("is required now"),
    );
    check(
        |now| {
            let parameters = &mut now["paths"]["/v1/backups"]["get"]["parameters"];
            parameters.as_array_mut().unwrap().clear();
        },
        Some("parameter job is gone"),
    );
}

#[test]
fn what_is_added_breaks_nobody() {
    check(
        |now| now["paths"]["/v1/new"]["get"] = json!({ "responses": {} }),
        None,
    );
    check(
        |now| {
            let schema = &mut now["components"]["schemas"]["Operation"];
            schema["properties"]["novelty"] = json!({ "type": "string" });
            schema["required"]
                .as_array_mut()
                .unwrap()
                .push("novelty".into());
        },
        None,
    );
    check(
        |now| {
            let word = json!({ "type": "string", "const": "stranger" });
            let words = &mut now["components"]["schemas"]["EventKind"]["oneOf"];
            words.as_array_mut().unwrap().push(word);
        },
        None,
    );
}
