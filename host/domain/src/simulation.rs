//! A day of a host in a second: observations that were recorded or written, fed through the real circuit breakers and the
//! real recovery machine on virtual time.
//!
//! Invariant: what is decided, is decided by [`TargetHealth`](crate::breaker::TargetHealth) and
//! [`Recovery`](crate::recovery::Recovery); here is only the world that they look at: targets, checks, handlers, people.
//! Invariant: the same scenario with the same config gives the same report. There is no clock and no chance in it but those of
//! the scenario.

mod at;
mod calls;
mod draft;
mod heard;
mod lines;
mod looking;
mod recorded;
mod report;
mod rule;
mod run;
mod scenario;
mod steps;
mod watched;

pub use at::{At, InvalidLength, Length};
pub use draft::{CommandWord, Draft, Entry, SeenAs};
pub use heard::{Heard, Observer};
pub use lines::{Lines, LinesError, read_lines, write_lines};
pub use recorded::recorded;
pub use report::{Line, SimulatedIncident, SimulationReport};
pub use rule::{Answer, InvalidRule, Rule};
pub use run::{SimulationError, simulate};
pub use scenario::{Scenario, ScenarioProblem, Step, What};

#[cfg(test)]
pub(crate) mod tests;
