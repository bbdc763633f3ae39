//! No key of the reference without a test that sees it act, and no such claim about a key that does not exist.

use mainstay_tests::repository;
use std::{collections::BTreeSet, fs, path::Path};
use toml::Value;

/// Tables whose keys are names that the operator chose.
const NAMED: [&str; 9] = [
    "secrets", "command", "smtp", "plugin", "breaker", "group", "phase", "cooldown", "tier",
];
/// Values that are the plugin's or the operator's own.
const FREE: [&str; 5] = ["settings", "params", "env", "headers", "commands"];
/// What every kind of check has.
const OF_EVERY_CHECK: [&str; 9] = [
    "name",
    "every",
    "timeout",
    "fail_after",
    "fail_of",
    "recover_after",
    "jitter",
    "failure",
    "severity",
];
/// What the reference can't show beside what it shows: the fourth strategy, and a charter, which has to be there.
const UNSHOWN: [&str; 3] = [
    "route.strategy(immediate).max_attempts",
    "charter.file",
    "charter.sha256",
];

fn collect(path: &str, value: &Value, keys: &mut BTreeSet<String>) {
    let last = path.rsplit('.').next().unwrap_or_default();
    match value {
        Value::Array(entries) if entries.iter().any(Value::is_table) => {
            for entry in entries {
                collect(path, entry, keys);
            }
        }
        Value::Table(table) if !FREE.contains(&last) => {
            let kind = table.get("kind").and_then(Value::as_str);
            for (key, value) in table {
                let is_common = path == "target.check" && OF_EVERY_CHECK.contains(&key.as_str());
                let below = match kind {
                    _ if NAMED.contains(&path) => format!("{path}.*"),
                    Some(kind) if !is_common && key != "kind" => format!("{path}({kind}).{key}"),
                    Some(kind) if key == "kind" => format!("{path}({kind})"),
                    _ if path.is_empty() => key.clone(),
                    _ => format!("{path}.{key}"),
                };
                collect(&below, value, keys);
            }
        }
        Value::Table(table) if last == "commands" => {
            keys.extend(table.keys().map(|verb| format!("{path}.{verb}")));
        }
        _ => {
            keys.insert(path.to_owned());
        }
    }
}

fn keys_of_the_reference() -> BTreeSet<String> {
    let text = fs::read_to_string(repository().join("examples/mainstay.toml")).unwrap();
    let mut keys = BTreeSet::from(UNSHOWN.map(str::to_owned));
    collect("", &Value::Table(toml::from_str(&text).unwrap()), &mut keys);
    keys
}

fn claims(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            claims(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("/// Acts: "));
        let keys = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
        found.extend(keys.map(str::to_owned));
    }
}

/// Trap 7 of the seeds' systems: there were keys that nothing read.
#[test]
fn each_key_of_the_reference_has_a_test_that_sees_it_act() {
    let keys = keys_of_the_reference();
    let mut claimed = BTreeSet::new();
    claims(&repository().join("tests/tests"), &mut claimed);
    let unseen: Vec<_> = keys.difference(&claimed).collect();
    assert!(unseen.is_empty(), "no test sees these act: {unseen:#?}");
    let unknown: Vec<_> = claimed.difference(&keys).collect();
    assert!(unknown.is_empty(), "no such keys: {unknown:#?}");
}
