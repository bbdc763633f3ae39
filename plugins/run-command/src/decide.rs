//! What follows from how a command exits.
//!
//! Invariant: a run ends: it goes from a step to the next one, and never back.
//! Invariant: text that is filled in is not looked through for places again.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The longest part of an output that is told, in characters.
const LONGEST: usize = 300;

/// One command, and what follows from its exit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// A command of the config, `[command.NAME]`; needs the grant `command = ["NAME"]`.
    pub(crate) command: String,
    /// What stands for the command's placeholders. In a value `{target}`, `{failure}`, `{operation}` and `{attempt}` stand
    /// for those of the operation.
    #[serde(default)]
    pub(crate) placeholders: BTreeMap<String, String>,
    /// What follows from an exit: `"1"` is one exit status, `"2-5"` are several, `"other"` is every one that is not named,
    /// but for 0. Of several that fit the one for the fewest counts. Default: 0 continues, and all else is `retry`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Next>")]
    pub(crate) on_exit: BTreeMap<Exits, Next>,
    /// What a person has to do where `ask` follows; default: to look at what the command said.
    #[serde(default)]
    pub(crate) ask: Vec<String>,
}

/// What follows from an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Next {
    /// The step behind, and after the last one as `done`.
    Continue,
    /// Nothing more: the host verifies the target.
    Done,
    /// This attempt has failed, and another one may help: the route's strategy says when.
    Retry,
    /// No attempt will help: the chain goes on behind this handler.
    Fail,
    /// A person has to act: the operation waits for `mainstay approve`.
    Ask,
}

/// Some exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Exits {
    /// From this one to that one.
    Range(u8, u8),
    /// Every one but 0.
    Other,
}

impl TryFrom<String> for Exits {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "other" {
            return Ok(Self::Other);
        }
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self::Range(first, last)),
            _ => Err(format!(
                "`{text}` is no exit status; write one as \"1\", several as \"2-5\", or \"other\", from 0 to 255"
            )),
        }
    }
}

impl Exits {
    fn hold(self, status: i32) -> bool {
        match self {
            Self::Range(first, last) => (i32::from(first)..=i32::from(last)).contains(&status),
            Self::Other => status != 0,
        }
    }

    fn count(self) -> u32 {
        match self {
            Self::Range(first, last) => u32::from(last - first),
            Self::Other => u32::MAX,
        }
    }
}

impl Step {
    /// What follows from this exit.
    pub(crate) fn after(&self, status: i32) -> Next {
        let fitting = self.on_exit.iter().filter(|(exits, _)| exits.hold(status));
        let closest = fitting.min_by_key(|(exits, _)| exits.count());
        match closest {
            Some((_, next)) => *next,
            None if status == 0 => Next::Continue,
            None => Next::Retry,
        }
    }

    /// The placeholders of the command with their values; `facts` are what may stand in these.
    pub(crate) fn arguments(&self, facts: &[(&str, String)]) -> Vec<(String, String)> {
        let filled = self.placeholders.iter();
        filled
            .map(|(name, value)| (name.clone(), fill(value, facts)))
            .collect()
    }

    /// What a person has to do.
    pub(crate) fn for_a_person(&self, what_happened: &str) -> Vec<String> {
        match self.ask.is_empty() {
            true => vec![format!(
                "look at what `{}` said: {what_happened}",
                self.command
            )],
            false => self.ask.clone(),
        }
    }
}

/// Puts facts where `{name}` stands; braces around anything else are text.
fn fill(text: &str, facts: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let known = behind.split_once('}').and_then(|(name, after)| {
            let fact = facts.iter().find(|(known, _)| *known == name);
            fact.map(|(_, value)| (value, after))
        });
        match known {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = behind;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// How a command ended, for people: its status, and the last line of what it printed.
pub(crate) fn exited(status: i32, stdout: &[u8], stderr: &[u8]) -> String {
    // What a program that failed has to say stands in its errors.
    let outputs = match status {
        0 => [stdout, stderr],
        _ => [stderr, stdout],
    };
    let texts = outputs.map(|output| String::from_utf8_lossy(output).into_owned());
    let said = texts.iter().find_map(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.rfind(|line| !line.is_empty())
    });
    match said {
        None => format!("exit {status}"),
        Some(line) => {
            let line: String = line.chars().take(LONGEST).collect();
            format!("exit {status}: {line}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(on_exit: &[(&str, Next)]) -> Step {
        let on_exit = on_exit.iter();
        Step {
            command: "look".to_owned(),
            placeholders: BTreeMap::new(),
            on_exit: on_exit
                .map(|(exits, next)| (Exits::try_from((*exits).to_owned()).unwrap(), *next))
                .collect(),
            ask: Vec::new(),
        }
    }

    #[test]
    fn the_condition_for_the_fewest_exits_counts() {
        use Next::{Ask, Continue, Done, Fail, Retry};
        let bare = step(&[]);
        let all = step(&[("0", Done), ("1-9", Ask), ("3", Continue), ("other", Fail)]);
        let other = step(&[("other", Fail)]);
        for (step, status, next) in [
            (&bare, 0, Continue),
            (&bare, 1, Retry),
            (&bare, 137, Retry),
            (&all, 0, Done),
            (&all, 1, Ask),
            (&all, 3, Continue),
            (&all, 9, Ask),
            (&all, 10, Fail),
            (&all, -1, Fail),
            (&other, 0, Continue),
            (&other, 255, Fail),
        ] {
            assert_eq!(step.after(status), next, "{status} of {:?}", step.on_exit);
        }
    }

    #[test]
    fn what_is_no_exit_status_is_refused_with_what_is_one() {
        for text in ["", "-1", "256", "yes", "5-2", "1-", "1,2", "Other"] {
            let error = Exits::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains("\"2-5\""), "{text}: {error}");
        }
        assert_eq!(Exits::try_from("2 - 5".to_owned()), Ok(Exits::Range(2, 5)));
    }

    #[test]
    fn facts_are_filled_in_once_and_all_else_is_text() {
        let facts = [
            ("target", "db{failure}".to_owned()),
            ("failure", "postgres-down".to_owned()),
        ];
        for (text, filled) in [
            ("", ""),
            ("{target}", "db{failure}"),
            ("a{failure}-{failure}b", "apostgres-down-postgres-downb"),
            ("{nosuch} {} { {failure", "{nosuch} {} { {failure"),
            ("{{failure}}", "{postgres-down}"),
        ] {
            assert_eq!(fill(text, &facts), filled, "{text}");
        }
    }

    #[test]
    fn an_exit_is_told_with_the_last_line_that_says_why() {
        for (status, stdout, stderr, told) in [
            (0, "", "", "exit 0"),
            (0, "one\n two \n\n", "warning", "exit 0: two"),
            (1, "one", "first\nno route\n", "exit 1: no route"),
            (1, "said on stdout", "", "exit 1: said on stdout"),
        ] {
            assert_eq!(exited(status, stdout.as_bytes(), stderr.as_bytes()), told);
        }
        let long = exited(1, "x".repeat(5_000).as_bytes(), b"");
        assert_eq!(long.len(), "exit 1: ".len() + LONGEST);
    }
}
