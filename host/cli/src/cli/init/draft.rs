//! A target that is made of what another program's file says, and what became of each of its lines.
//!
//! Invariant: every line that says something has one note.

use mainstay_domain::name::MAX_NAME;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// A target to be written.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Draft {
    /// Its name, by the rules of names.
    pub(super) name: String,
    /// What it was called where it comes from.
    pub(super) origin: String,
    /// Its keys, in order.
    pub(super) keys: Vec<(&'static str, Value)>,
    /// Why it is written as a comment only.
    pub(super) off: Option<String>,
    /// Whether it ends by itself once its work is done, so that there is nothing to look at.
    pub(super) is_job: bool,
}

impl Draft {
    pub(super) fn new(name: String, origin: impl Into<String>) -> Self {
        Self {
            name,
            origin: origin.into(),
            ..Self::default()
        }
    }

    /// Sets a key, in place of what it was.
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.keys.push((key, value)),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let mut keys = self.keys.iter();
        let (_, value) = keys.find(|(known, _)| *known == key)?;
        Some(value)
    }

    /// Adds to a key that is a list.
    pub(super) fn add(&mut self, key: &'static str, value: impl Into<Value>) {
        let mut list = match self.get(key) {
            Some(Value::Array(list)) => list.clone(),
            _ => Vec::new(),
        };
        let value = value.into();
        if !list.contains(&value) {
            list.push(value);
        }
        self.set(key, list);
    }

    /// Adds variables to its environment.
    pub(super) fn set_env(&mut self, variables: Vec<(String, String)>) {
        let mut env = match self.get("env") {
            Some(Value::Table(env)) => env.clone(),
            _ => toml::Table::new(),
        };
        for (name, value) in variables {
            env.insert(name, Value::from(value));
        }
        self.set("env", env);
    }

    /// Adds those of its variables that can be carried; what became of the line that has them all.
    pub(super) fn carry_env(&mut self, found: Vec<(String, String)>, left: &[String]) -> Fate {
        let is_none = found.is_empty();
        if !is_none {
            self.set_env(found);
        }
        match (left.is_empty(), is_none) {
            (true, _) => Fate::Carried,
            (false, true) => Fate::Left(left.join("; ")),
            (false, false) => Fate::Differently(format!("without {}", left.join("; "))),
        }
    }

    /// The variables whose names say that their values are secrets.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let Some(Value::Table(env)) = self.get("env") else {
            return Vec::new();
        };
        let is_said = |value: &Value| value.as_str().is_some_and(|value| !value.is_empty());
        env.iter()
            .filter(|(name, value)| is_secret(name) && is_said(value))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Whether a variable with this name is likely to have a secret for its value.
pub(super) fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let marks = ["TOKEN", "PASSWORD", "PASSWD", "SECRET", "KEY"];
    marks.iter().any(|mark| upper.contains(mark))
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// The config says the same.
    Carried,
    /// The config says what comes nearest; how it differs.
    Differently(String),
    /// The config does not say it; why.
    Left(String),
}

impl Fate {
    pub(super) fn differently(how: impl Into<String>) -> Self {
        Fate::Differently(how.into())
    }

    pub(super) fn left(why: impl Into<String>) -> Self {
        Fate::Left(why.into())
    }
}

/// A line, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// As it was named.
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
    /// What it says.
    pub(super) text: String,
    pub(super) fate: Fate,
}

/// What a file gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Imported {
    pub(super) targets: Vec<Draft>,
    pub(super) notes: Vec<Note>,
}

/// The name of a target out of any text: what is not allowed in one becomes a dash.
pub(super) fn name_of(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(MAX_NAME).collect();
    match name.trim_end_matches('-') {
        "" => "target".to_owned(),
        name => name.to_owned(),
    }
}

/// Gives targets with the same name others: `web`, `web-2`, `web-3`.
pub(super) fn tell_apart(targets: &mut [Draft]) {
    let mut taken = BTreeSet::new();
    for target in targets {
        let first = target.name.clone();
        let mut number = 2;
        while !taken.insert(target.name.clone()) {
            let ending = format!("-{number}");
            let kept: String = first.chars().take(MAX_NAME - ending.len()).collect();
            target.name = format!("{}{ending}", kept.trim_end_matches('-'));
            number += 1;
        }
    }
}

/// Takes away what a target cannot wait for: those that are comments, and what would wait for itself.
pub(super) fn untangle(targets: &mut [Draft]) {
    let live = |target: &Draft| target.off.is_none().then(|| target.name.clone());
    let live: BTreeSet<String> = targets.iter().filter_map(live).collect();
    let mut waits: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in targets {
        let Some(Value::Array(wanted)) = target.get("depends_on").cloned() else {
            continue;
        };
        let wanted = wanted.iter().filter_map(|name| name.as_str());
        let wanted: Vec<String> = wanted
            .filter(|name| live.contains(*name) && !reaches(&waits, name, &target.name))
            .map(str::to_owned)
            .collect();
        target.keys.retain(|(key, _)| *key != "depends_on");
        if !wanted.is_empty() {
            target.set("depends_on", wanted.clone());
            waits.insert(target.name.clone(), wanted);
        }
    }
}

/// Whether one waits for the other, through whomever.
fn reaches(waits: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> bool {
    let (mut open, mut known) = (vec![from.to_owned()], BTreeSet::new());
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if known.insert(name.clone()) {
            open.extend(waits.get(&name).into_iter().flatten().cloned());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::name::TargetName;

    #[test]
    fn nothing_waits_for_itself_or_for_a_comment() {
        let draft = |name: &str, waits: &[&str]| {
            let mut draft = Draft::new(name.to_owned(), "");
            for wanted in waits {
                draft.add("depends_on", *wanted);
            }
            draft
        };
        let mut targets = [
            draft("a", &["b", "a", "off"]),
            draft("b", &["c"]),
            draft("c", &["a"]),
            draft("off", &[]),
        ];
        targets[3].off = Some("why".to_owned());
        untangle(&mut targets);
        let found = targets.each_ref().map(|target| {
            target
                .get("depends_on")
                .map(ToString::to_string)
                .unwrap_or_default()
        });
        assert_eq!(found, ["[\"b\"]", "[\"c\"]", "", ""]);
    }

    #[test]
    fn any_text_gives_a_name_that_is_allowed() {
        for (text, expected) in [
            ("web", "web"),
            ("My_App.worker", "my-app-worker"),
            ("--x--", "x"),
            ("é", "target"),
            ("", "target"),
        ] {
            assert_eq!(name_of(text), expected);
            TargetName::parse(&name_of(text)).unwrap();
        }
        let long = "a-".repeat(100);
        TargetName::parse(&name_of(&long)).unwrap();
    }

    #[test]
    fn equal_names_are_told_apart() {
        let long = name_of(&"a".repeat(100));
        let names = ["web", "web", "web-2", "web", &long, &long];
        let mut targets: Vec<Draft> = names
            .iter()
            .map(|name| Draft::new((*name).to_owned(), ""))
            .collect();
        tell_apart(&mut targets);
        let found: BTreeSet<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(found.len(), names.len(), "{found:?}");
        for name in found {
            TargetName::parse(name).unwrap();
        }
    }
}
