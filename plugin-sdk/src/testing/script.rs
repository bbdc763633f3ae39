//! Answers in the order in which they were scripted.

use crate::host::EffectError;
use std::collections::{BTreeMap, VecDeque};

/// The scripted answers of one function, by the object that it is called with.
#[derive(Debug)]
pub(super) struct Script<T>(BTreeMap<String, VecDeque<Result<T, EffectError>>>);

impl<T> Default for Script<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Script<T> {
    /// Adds an answer after those that are there.
    pub(super) fn add(&mut self, object: &str, answer: Result<T, EffectError>) {
        self.0
            .entry(object.to_owned())
            .or_default()
            .push_back(answer);
    }

    /// Takes the next answer.
    pub(super) fn next(&mut self, object: &str) -> Option<Result<T, EffectError>> {
        self.0.get_mut(object)?.pop_front()
    }
}
