//! What a misspelt name was meant to be, and what a short identifier stands for.
//!
//! Invariant: a short identifier that could be several is refused, and they are named; nothing is guessed.

mod nearest;
mod short;

pub(super) use nearest::{Named, unknown, with_nearest};
pub(super) use short::IdText;
