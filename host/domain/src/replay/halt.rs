//! Why a call that is made again is not gone on with.

use crate::{
    doubt::{Doubt, request_words},
    operation::AwaitedSignal,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A guest did not do what it did before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("at effect {number} the record has {recorded}, and now it asks for {asked}")]
pub struct Divergence {
    /// The number of the effect.
    pub number: u32,
    /// What it asked for then.
    pub recorded: String,
    /// What it asks for now.
    pub asked: String,
}

/// Why a call is not gone on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// It does something else than it did.
    #[error("its handler does something else than before the daemon ended: {0}")]
    Diverged(Divergence),
    /// One of its effects is in doubt.
    #[error("{0}")]
    InDoubt(Box<Doubt>),
    /// It cannot be begun again.
    #[error("{0}")]
    GivenUp(String),
    /// It sleeps, and nothing of it is held meanwhile.
    #[error("it sleeps until {until}")]
    Suspended {
        /// When it is woken.
        until: Timestamp,
        /// How long that is.
        left: Duration,
    },
    /// It waits for a signal, and nothing of it is held meanwhile.
    #[error("it waits for the signal `{}` until {}", .0.name, .0.until)]
    Awaits(AwaitedSignal),
}

impl Halt {
    /// What a person has to do first.
    pub fn steps(&self) -> Vec<String> {
        match self {
            Halt::InDoubt(doubt) => vec![format!(
                "find out whether {} happened",
                request_words(&doubt.effect)
            )],
            Halt::Diverged(_) | Halt::GivenUp(_) => {
                vec!["see in its journal what was done, and put the rest right by hand".to_owned()]
            }
            Halt::Suspended { .. } | Halt::Awaits(_) => Vec::new(),
        }
    }
}
