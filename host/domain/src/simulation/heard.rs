//! Who listens to a simulation.

use crate::{
    event::Event,
    recovery::{Input, InputTime, Outcome},
};

/// What an observer of a simulation hears.
#[derive(Debug)]
pub enum Heard<'a> {
    /// An input of the machine, and what came of it.
    Input {
        /// What it was told.
        input: &'a Input,
        /// When.
        at: InputTime,
        /// What it wants written and done.
        outcome: &'a Outcome,
    },
    /// An event that a journal would hold.
    Event(&'a Event),
}

/// Hears what a simulation does.
pub type Observer<'a> = &'a mut dyn FnMut(Heard<'_>);
