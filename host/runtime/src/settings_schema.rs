//! The settings that an operator wrote, against the JSON Schema that a plugin declares.
//!
//! Invariant: a schema is data of a stranger. It refers to nothing outside of itself, and what it refers to is bounded,
//! so that neither reading it nor checking against it can take long, or deep.
//! Invariant: it is read by the draft that the contract names, 2020-12, whatever it says of itself.

use jsonschema::{Draft, PatternOptions, Validator};
use mainstay_domain::text::excerpt;
use serde_json::Value;
use std::{cmp::max, collections::BTreeMap};

/// The longest schema, bytes.
const MAX_BYTES: usize = 256 << 10;
/// Values of a schema, each as often as it is referred to.
const MAX_VALUES: u64 = 100_000;
/// References that lead to one another.
const MAX_DEPTH: u32 = 32;
/// References from within what is referred to that lead back to where they stand. With two, what is checked doubles
/// each time that they do.
const MAX_RETURNS: usize = 1;
/// Patterns of a schema.
const MAX_PATTERNS: usize = 100;
/// What one of them may be compiled to, bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Faults that are told of at once.
const MAX_TOLD: usize = 8;

/// The schema in a text, where it is one.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MAX_BYTES {
        return Err(format!(
            "it has {} bytes, and {MAX_BYTES} are allowed",
            text.len()
        ));
    }
    let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let values = References::of(&schema).walk(&schema)?.values;
    if values > MAX_VALUES {
        return Err(format!(
            "with all that it refers to it has more than {MAX_VALUES} values"
        ));
    }
    let patterns = patterns(&schema);
    if patterns > MAX_PATTERNS {
        return Err(format!(
            "it has {patterns} patterns, and {MAX_PATTERNS} are allowed"
        ));
    }
    validator(&schema)?;
    Ok(schema)
}

/// Whether settings are what the schema asks for; else what is wrong with which of them.
pub(crate) fn check(schema: &Value, settings: &Value) -> Result<(), String> {
    let validator = validator(schema)?;
    let faults = validator.iter_errors(settings).take(MAX_TOLD);
    let told: Vec<String> = faults
        .map(|fault| {
            let key = key(&fault.instance_path().to_string());
            format!("{key}: {}", shortened(&fault.to_string()))
        })
        .collect();
    match told.is_empty() {
        true => Ok(()),
        false => Err(told.join("; ")),
    }
}

fn validator(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::fancy_regex().size_limit(MAX_PATTERN_BYTES);
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(patterns);
    options.build(schema).map_err(|error| {
        let place = error.instance_path().to_string();
        format!(
            "at `{}`: {}",
            excerpt(&place),
            shortened(&error.to_string())
        )
    })
}

/// How many patterns there are, each of which is compiled and kept.
fn patterns(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(patterns).sum(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| {
                let own = match (name.as_str(), field) {
                    ("pattern", Value::String(_)) => 1,
                    ("patternProperties", Value::Object(patterns)) => patterns.len(),
                    _ => 0,
                };
                own + patterns(field)
            });
            fields.sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// A key as operators write it, of a place in the settings.
fn key(pointer: &str) -> String {
    let mut key = "settings".to_owned();
    for part in pointer.split('/').skip(1) {
        key.push('.');
        key.push_str(&part.replace("~1", "/").replace("~0", "~"));
    }
    excerpt(&key)
}

/// What a fault says, which holds what was found.
fn shortened(text: &str) -> String {
    const MAX: usize = 240;
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(MAX).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// How large a part of a schema is, with all that it refers to.
#[derive(Debug, Clone, Default)]
struct Size<'a> {
    values: u64,
    /// References in a row.
    depth: u32,
    /// References to what they stand in; where they are too many, not all of them.
    returns: Vec<&'a str>,
}

/// What a schema refers to.
struct References<'a> {
    schema: &'a Value,
    /// Nothing, while it is being measured: what refers to itself is counted once.
    known: BTreeMap<&'a str, Option<Size<'a>>>,
    depth: u32,
}

impl<'a> References<'a> {
    fn of(schema: &'a Value) -> Self {
        Self {
            schema,
            known: BTreeMap::new(),
            depth: 0,
        }
    }

    fn walk(&mut self, value: &'a Value) -> Result<Size<'a>, String> {
        let mut size = Size {
            values: 1,
            ..Size::default()
        };
        let mut add = |part: Size<'a>| {
            size.values = size.values.saturating_add(part.values);
            size.returns.extend(part.returns);
            size.returns.truncate(MAX_RETURNS + 1);
            size.depth = max(size.depth, part.depth);
        };
        let is_root = std::ptr::eq(value, self.schema);
        match value {
            Value::Array(items) => {
                for item in items {
                    add(self.walk(item)?);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    add(match (name.as_str(), field) {
                        ("$ref", Value::String(reference)) => self.target(reference)?,
                        ("$dynamicRef" | "$recursiveRef" | "$id", Value::String(_)) => {
                            return Err(format!("it uses `{name}`, and only `$ref` is allowed"));
                        }
                        // What is only defined is followed where something refers to it.
                        ("$defs" | "definitions", _) if is_root => Size {
                            returns: Vec::new(),
                            ..self.walk(field)?
                        },
                        _ => self.walk(field)?,
                    });
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(size)
    }

    fn target(&mut self, reference: &'a str) -> Result<Size<'a>, String> {
        match self.known.get(reference) {
            Some(Some(known)) => {
                let mut size = known.clone();
                size.returns.retain(|to| self.is_being_measured(to));
                return Ok(size);
            }
            Some(None) => {
                return Ok(Size {
                    returns: vec![reference],
                    ..Size::default()
                });
            }
            None => {}
        }
        let inside = reference
            .strip_prefix('#')
            // Who follows it would decode it, and find something else.
            .filter(|pointer| !pointer.contains('%'))
            .and_then(|pointer| self.schema.pointer(pointer));
        let Some(target) = inside else {
            return Err(format!(
                "it refers to `{}`, and only what is in it may be referred to, e.g. `#/$defs/name`",
                excerpt(reference)
            ));
        };
        if self.depth >= MAX_DEPTH {
            return Err(format!(
                "more than {MAX_DEPTH} of its references lead to one another"
            ));
        }
        self.known.insert(reference, None);
        self.depth += 1;
        let size = self.walk(target);
        self.depth -= 1;
        let mut size = size?;
        size.depth += 1;
        if size.depth > MAX_DEPTH {
            return Err(format!(
                "more than {MAX_DEPTH} of its references lead to one another"
            ));
        }
        if size.returns.len() > MAX_RETURNS {
            return Err(format!(
                "what `{}` refers to leads back in more than one way, so that to follow it may never end",
                excerpt(reference)
            ));
        }
        size.returns.retain(|to| *to != reference);
        self.known.insert(reference, Some(size.clone()));
        Ok(size)
    }

    fn is_being_measured(&self, reference: &str) -> bool {
        matches!(self.known.get(reference), Some(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(schema: &Value) -> String {
        parse(&schema.to_string()).unwrap_err()
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_key_and_the_reason() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["url"],
            "properties": {
                "url": { "type": "string" },
                "headers": { "$ref": "#/$defs/headers" },
            },
            "$defs": {
                "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            },
        });
        let schema = parse(&schema.to_string()).unwrap();
        let faults = |settings: Value| check(&schema, &settings);
        assert_eq!(faults(json!({ "url": "x" })), Ok(()));
        let missing = faults(json!({})).unwrap_err();
        assert!(missing.starts_with("settings: "), "{missing}");
        assert!(missing.contains("url"), "{missing}");
        let both = faults(json!({ "url": 7, "headers": { "x": true } })).unwrap_err();
        assert!(both.contains("settings.url: 7 is not"), "{both}");
        assert!(both.contains("settings.headers.x: true is not"), "{both}");
        let unknown = faults(json!({ "url": "x", "ulr": "y" })).unwrap_err();
        assert!(unknown.contains("ulr"), "{unknown}");
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for schema in [
            json!(7),
            json!({ "type": "objekt" }),
            json!({ "properties": [] }),
            json!({ "pattern": "(" }),
        ] {
            refused(&schema);
        }
        assert!(parse("{").is_err());
        assert!(parse("true").is_ok() && parse("{}").is_ok());
    }

    #[test]
    fn patterns_have_a_bound() {
        refused(&json!({ "pattern": "(\\w{1000}){1000}" }));
        let many = |count: usize| {
            let all = (0..count).map(|number| (format!("^a{number}$"), json!({})));
            let all: serde_json::Map<String, Value> = all.collect();
            json!({ "patternProperties": all, "items": { "pattern": "^a$" } })
        };
        assert!(parse(&many(MAX_PATTERNS - 1).to_string()).is_ok());
        assert!(refused(&many(MAX_PATTERNS)).contains("101 patterns"));
    }

    #[test]
    fn a_schema_reaches_nothing_outside_of_it() {
        for outside in [
            "https://schemas.example/a.json",
            "file:///etc/passwd",
            "#anchor",
        ] {
            let error = refused(&json!({ "properties": { "a": { "$ref": outside } } }));
            assert!(error.contains(outside), "{error}");
        }
    }

    #[test]
    fn a_schema_that_grows_as_it_is_followed_is_refused_and_one_that_recurs_is_not() {
        let doubling = |levels: usize| {
            let definitions = (0..levels).map(|level| {
                let next = format!("#/$defs/a{}", level + 1);
                let twice = json!({ "allOf": [{ "$ref": next }, { "$ref": next }] });
                (format!("a{level}"), twice)
            });
            let mut all: serde_json::Map<String, Value> = definitions.collect();
            all.insert(format!("a{levels}"), json!({}));
            json!({ "$defs": all, "$ref": "#/$defs/a0" })
        };
        assert!(parse(&doubling(6).to_string()).is_ok());
        assert!(refused(&doubling(30)).contains("values"));
        assert!(refused(&doubling(500)).contains("lead to one another"));
        let list = json!({
            "properties": { "next": { "$ref": "#" } },
            "additionalProperties": false,
        });
        let list = parse(&list.to_string()).unwrap();
        assert_eq!(check(&list, &json!({ "next": { "next": {} } })), Ok(()));
        let fault = check(&list, &json!({ "next": { "prev": {} } })).unwrap_err();
        assert!(fault.contains("settings.next: "), "{fault}");
        let endless = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
        // Whatever is said of it, it is said.
        let _ = parse(&endless.to_string()).map(|schema| check(&schema, &json!({})));
        let tree = json!({
            "properties": { "tree": { "$ref": "#/$defs/node" } },
            "$defs": { "node": { "properties": { "children": { "items": { "$ref": "#/$defs/node" } } } } },
        });
        assert!(parse(&tree.to_string()).is_ok(), "it is used and recurs");
        let lists = json!({
            "properties": { "a": { "$ref": "#/$defs/list" }, "b": { "$ref": "#/$defs/list" } },
            "$defs": { "list": { "properties": { "next": { "$ref": "#/$defs/list" } } } },
        });
        assert!(parse(&lists.to_string()).is_ok(), "it is used twice");
        let over_the_root = json!({
            "properties": { "x": { "$ref": "#/$defs/n" } },
            "$defs": { "n": { "properties": { "up": { "$ref": "#" } } } },
        });
        assert!(parse(&over_the_root.to_string()).is_ok());
    }

    #[test]
    fn a_schema_whose_references_cross_is_refused_before_anything_follows_them() {
        // Each of these leads to all of them: there are more ways through than anybody can go.
        let all: Vec<Value> = (0..20)
            .map(|number| json!({ "$ref": format!("#/$defs/a{number}") }))
            .collect();
        let crossing = |number: usize| (format!("a{number}"), json!({ "allOf": all }));
        let definitions: serde_json::Map<String, Value> = (0..20).map(crossing).collect();
        let crossed = json!({ "$ref": "#/$defs/a0", "$defs": definitions });
        assert!(refused(&crossed).contains("more than one way"));
        let twice =
            json!({ "properties": { "a": { "allOf": [{ "$ref": "#" }, { "$ref": "#" }] } } });
        assert!(refused(&twice).contains("more than one way"));
        // By another way of writing it.
        let hidden = json!({ "$ref": "#/$defs/%61", "$defs": { "%61": {}, "a": { "$ref": "#" } } });
        assert!(refused(&hidden).contains("%61"));
    }
}
