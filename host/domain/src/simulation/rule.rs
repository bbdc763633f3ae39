//! What a handler answers in a simulation, as people write it: `restart-service of api succeeds after 2s`.
//!
//! The words, of which only the answer has to be there, in this order:
//! `HANDLER|any [of TARGET] [from FAILURE] [at attempt N] ANSWER [after LENGTH] [N times] [: WHY]`.

use super::at::Length;
use crate::{
    call::RecoverRequest,
    name::{FailureType, PluginName, TargetName},
    text::excerpt,
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a handler answers, and what that does to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is done, and the failure is over: its checks pass, and the process runs.
    Succeeds,
    /// It is done, and the failure is not over.
    DoesNothing,
    /// Another attempt may help.
    Fails,
    /// No attempt will help.
    FailsForGood,
    /// A person has to act.
    NeedsPerson,
    /// No version of it serves.
    IsMissing,
}

impl Answer {
    const ALL: [Answer; 6] = [
        Answer::Succeeds,
        Answer::DoesNothing,
        Answer::FailsForGood,
        // After the longer words that begin with it.
        Answer::Fails,
        Answer::NeedsPerson,
        Answer::IsMissing,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Succeeds => "succeeds",
            Answer::DoesNothing => "does nothing",
            Answer::Fails => "fails",
            Answer::FailsForGood => "fails for good",
            Answer::NeedsPerson => "needs a person",
            Answer::IsMissing => "is missing",
        }
    }
}

/// What is answered to the calls that it fits. The first rule that fits, and is not used up, answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// Only this handler.
    pub handler: Option<PluginName>,
    /// Only for this target.
    pub target: Option<TargetName>,
    /// Only for this failure.
    pub failure: Option<FailureType>,
    /// Only in this attempt of an operation, from 1.
    pub attempt: Option<u32>,
    /// What it answers.
    pub answer: Answer,
    /// After how long.
    pub after: Duration,
    /// For so many calls; absent: for all.
    pub times: Option<u32>,
    /// Why, or what a person has to do.
    pub why: Option<String>,
}

impl Default for Rule {
    /// What is answered where no rule fits: any handler succeeds after a second.
    fn default() -> Self {
        Self {
            handler: None,
            target: None,
            failure: None,
            attempt: None,
            answer: Answer::Succeeds,
            after: Duration::from_secs(1),
            times: None,
            why: None,
        }
    }
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no rule of a handler: {why}; write HANDLER (or `any`), then if you like `of TARGET`, `from FAILURE`, \
     `at attempt N`, then one of `succeeds`, `does nothing`, `fails`, `fails for good`, `needs a person`, `is missing`, then if \
     you like `after LENGTH`, `N times`, and `: WHY`"
)]
pub struct InvalidRule {
    /// What was given.
    pub found: String,
    /// What is wrong with it.
    pub why: String,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidRule> {
        Self::read(text).map_err(|why| InvalidRule {
            found: excerpt(text),
            why,
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let (text, why) = match text.split_once(':') {
            Some((text, why)) => (text, Some(why.trim().to_owned())),
            None => (text, None),
        };
        let mut words: &[&str] = &text.split_whitespace().collect::<Vec<_>>();
        let mut rule = Self {
            why: why.filter(|why| !why.is_empty()),
            after: Duration::ZERO,
            ..Self::default()
        };
        let handler = take(&mut words).ok_or("it is empty")?;
        if handler != "any" {
            rule.handler = Some(PluginName::parse(handler).map_err(|error| error.to_string())?);
        }
        if take_words(&mut words, "of") {
            let target = take(&mut words).ok_or("`of` has no target behind it")?;
            rule.target = Some(TargetName::parse(target).map_err(|error| error.to_string())?);
        }
        if take_words(&mut words, "from") {
            let failure = take(&mut words).ok_or("`from` has no failure behind it")?;
            rule.failure = Some(FailureType::parse(failure).map_err(|error| error.to_string())?);
        }
        if take_words(&mut words, "at attempt") {
            rule.attempt = Some(number(take(&mut words))?);
        }
        let mut answers = Answer::ALL.into_iter();
        rule.answer = answers
            .find(|answer| take_words(&mut words, answer.as_str()))
            .ok_or_else(|| match words.first() {
                Some(word) => format!("`{word}` is no answer"),
                None => "it has no answer".to_owned(),
            })?;
        if take_words(&mut words, "after") {
            let length = take(&mut words).ok_or("`after` has no length behind it")?;
            rule.after = Length::parse(length).map_err(|error| error.to_string())?.0;
        }
        if let [_, "times" | "time", ..] = words {
            rule.times = Some(number(take(&mut words))?);
            take(&mut words);
        }
        match words.first() {
            Some(word) => Err(format!("`{word}` is one word too many")),
            None => Ok(rule),
        }
    }

    /// Whether it is for this call.
    pub(super) fn fits(&self, handler: &PluginName, request: &RecoverRequest) -> bool {
        let fits_handler = self.handler.as_ref().is_none_or(|own| own == handler);
        let fits_target = self
            .target
            .as_ref()
            .is_none_or(|own| *own == request.target);
        let fits_failure = self
            .failure
            .as_ref()
            .is_none_or(|own| *own == request.failure);
        let fits_attempt = self.attempt.is_none_or(|own| own == request.attempt);
        fits_handler && fits_target && fits_failure && fits_attempt
    }
}

fn take<'a>(words: &mut &[&'a str]) -> Option<&'a str> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    Some(*first)
}

/// Takes these words where they come next.
fn take_words(words: &mut &[&str], wanted: &str) -> bool {
    let mut rest = *words;
    for wanted in wanted.split(' ') {
        if take(&mut rest) != Some(wanted) {
            return false;
        }
    }
    *words = rest;
    true
}

fn number(word: Option<&str>) -> Result<u32, String> {
    let word = word.unwrap_or_default();
    let number = word.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{word}` is no number from 1"))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.handler {
            Some(handler) => write!(f, "{handler}")?,
            None => f.write_str("any")?,
        }
        if let Some(target) = &self.target {
            write!(f, " of {target}")?;
        }
        if let Some(failure) = &self.failure {
            write!(f, " from {failure}")?;
        }
        if let Some(attempt) = self.attempt {
            write!(f, " at attempt {attempt}")?;
        }
        write!(f, " {}", self.answer.as_str())?;
        if !self.after.is_zero() {
            write!(f, " after {}", Length(self.after))?;
        }
        match self.times {
            Some(1) => f.write_str(" 1 time")?,
            Some(times) => write!(f, " {times} times")?,
            None => {}
        }
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for Rule {
    type Error = InvalidRule;
    fn try_from(text: String) -> Result<Self, InvalidRule> {
        Self::parse(&text)
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}
