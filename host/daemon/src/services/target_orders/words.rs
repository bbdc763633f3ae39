//! What is said of a command to a target when that is over.
//!
//! Invariant: pure; every sentence is true however the target stood before the command, and whatever came of it.

use crate::ports::{TargetCommand, TargetVerb};
use mainstay_domain::effect::EffectError;

/// How a target stands, as far as a command is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stood {
    /// The daemon starts its process; whether a foreign service runs its checks alone can tell.
    pub(super) is_supervised: bool,
    /// The supervised process, where one runs.
    pub(super) pid: Option<u32>,
    /// That has ended as its config expects, and none runs.
    pub(super) completed: bool,
    /// A person keeps it stopped.
    pub(super) is_kept_stopped: bool,
}

/// What came of a command: who wanted what, why, and how the target stood before and stands after it.
pub(super) fn sentence(
    command: &TargetCommand,
    before: &Stood,
    after: &Stood,
    done: &Result<(), EffectError>,
) -> String {
    let TargetCommand { target, by, .. } = command;
    let why = match command.reason.trim() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    match done {
        Ok(()) => format!("{by} {}{why}", deed(command, before, after)),
        Err(error) => {
            let wanted = match command.verb {
                TargetVerb::Start => "started",
                TargetVerb::Stop => "stopped",
                TargetVerb::Restart => "restarted",
                TargetVerb::Reload => "reloaded",
            };
            let kept = match (command.verb, after.is_kept_stopped) {
                (TargetVerb::Stop, true) => "; it is kept stopped all the same",
                (TargetVerb::Stop, false) => "; it is not kept stopped",
                _ => "",
            };
            let error = said(error);
            format!("{by} wanted {target} {wanted}{why}; that failed: {error}{kept}")
        }
    }
}

/// What was done, as it follows the name of who had it done.
fn deed(command: &TargetCommand, before: &Stood, after: &Stood) -> String {
    let target = &command.target;
    let ran = before.pid.is_some();
    let is_down = before.is_supervised && !ran;
    match command.verb {
        TargetVerb::Reload => format!("reloaded {target}"),
        TargetVerb::Stop if is_down => format!("keeps {target}, which did not run, stopped"),
        TargetVerb::Stop => format!("stopped {target}"),
        TargetVerb::Start if ran && before.pid == after.pid => {
            format!("wanted {target} started, and it ran already")
        }
        TargetVerb::Restart if is_down => {
            format!(
                "started {target}, which did not run{}",
                since(after, ", and")
            )
        }
        TargetVerb::Start => format!("started {target}{}", since(after, ", which")),
        TargetVerb::Restart => format!("restarted {target}{}", since(after, ", which")),
    }
}

/// What has become of it since its start, where it does not run any more.
fn since(after: &Stood, which: &str) -> String {
    match after {
        Stood {
            is_supervised: false,
            ..
        }
        | Stood { pid: Some(_), .. } => String::new(),
        Stood {
            completed: true, ..
        } => format!("{which} has ended as its config expects"),
        Stood { .. } => format!("{which} does not run any more"),
    }
}

/// An error of which it is said already that something failed.
fn said(error: &EffectError) -> String {
    match error {
        EffectError::Failed(text) | EffectError::Unavailable(text) => text.clone(),
        EffectError::Denied(_) | EffectError::Limited(_) | EffectError::TimedOut(_) => {
            error.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TargetVerb::{Reload, Restart, Start, Stop};
    use mainstay_domain::{actor::Actor, name::TargetName};

    const DOWN: Stood = Stood {
        is_supervised: true,
        pid: None,
        completed: false,
        is_kept_stopped: false,
    };
    const RUNS: Stood = Stood {
        pid: Some(7),
        ..DOWN
    };
    const RUNS_ANEW: Stood = Stood {
        pid: Some(8),
        ..DOWN
    };
    const COMPLETED: Stood = Stood {
        completed: true,
        ..DOWN
    };
    const KEPT: Stood = Stood {
        is_kept_stopped: true,
        ..DOWN
    };
    const STILL_RUNS: Stood = Stood {
        pid: Some(7),
        ..KEPT
    };
    const FOREIGN: Stood = Stood {
        is_supervised: false,
        ..DOWN
    };
    const FOREIGN_KEPT: Stood = Stood {
        is_supervised: false,
        ..KEPT
    };

    fn command(verb: TargetVerb, reason: &str) -> TargetCommand {
        TargetCommand {
            target: TargetName::parse("web").unwrap(),
            verb,
            by: Actor::from("ann"),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn what_is_said_of_a_command_that_was_done_is_true_in_every_state() {
        for (verb, before, after, expected) in [
            (Start, DOWN, RUNS, "ann started web"),
            (Start, KEPT, RUNS, "ann started web"),
            (Start, COMPLETED, RUNS, "ann started web"),
            // Its stop was still under way.
            (Start, STILL_RUNS, RUNS_ANEW, "ann started web"),
            // Recovery was faster.
            (
                Start,
                RUNS,
                RUNS,
                "ann wanted web started, and it ran already",
            ),
            (
                Start,
                DOWN,
                COMPLETED,
                "ann started web, which has ended as its config expects",
            ),
            // Somebody stopped it at once.
            (
                Start,
                DOWN,
                DOWN,
                "ann started web, which does not run any more",
            ),
            (
                Start,
                DOWN,
                KEPT,
                "ann started web, which does not run any more",
            ),
            (Start, FOREIGN, FOREIGN, "ann started web"),
            (Start, FOREIGN_KEPT, FOREIGN, "ann started web"),
            (Stop, RUNS, KEPT, "ann stopped web"),
            (
                Stop,
                DOWN,
                KEPT,
                "ann keeps web, which did not run, stopped",
            ),
            (
                Stop,
                COMPLETED,
                KEPT,
                "ann keeps web, which did not run, stopped",
            ),
            (Stop, FOREIGN, FOREIGN_KEPT, "ann stopped web"),
            (Restart, RUNS, RUNS_ANEW, "ann restarted web"),
            (
                Restart,
                RUNS,
                COMPLETED,
                "ann restarted web, which has ended as its config expects",
            ),
            (
                Restart,
                RUNS,
                DOWN,
                "ann restarted web, which does not run any more",
            ),
            (Restart, DOWN, RUNS, "ann started web, which did not run"),
            (Restart, KEPT, RUNS, "ann started web, which did not run"),
            (
                Restart,
                COMPLETED,
                COMPLETED,
                "ann started web, which did not run, and has ended as its config expects",
            ),
            (
                Restart,
                DOWN,
                DOWN,
                "ann started web, which did not run, and does not run any more",
            ),
            (Restart, FOREIGN, FOREIGN, "ann restarted web"),
            (Restart, FOREIGN_KEPT, FOREIGN, "ann restarted web"),
            (Reload, RUNS, RUNS, "ann reloaded web"),
            (Reload, FOREIGN, FOREIGN, "ann reloaded web"),
        ] {
            let said = sentence(&command(verb, ""), &before, &after, &Ok(()));
            assert_eq!(said, expected, "{verb:?}: {before:?}, {after:?}");
            let said = sentence(&command(verb, " disks "), &before, &after, &Ok(()));
            assert_eq!(said, format!("{expected}: disks"));
        }
    }

    #[test]
    fn what_is_said_of_a_command_that_failed_says_why_and_whether_it_is_kept_stopped() {
        let failed = EffectError::Failed("web: process 7 exited with code 3".to_owned());
        let unavailable = EffectError::Unavailable("the daemon is stopping".to_owned());
        let timed_out = EffectError::TimedOut("`svc` ran for 60s".to_owned());
        for (verb, after, error, expected) in [
            (
                Start,
                DOWN,
                &failed,
                "ann wanted web started; that failed: web: process 7 exited with code 3",
            ),
            (
                Restart,
                RUNS,
                &unavailable,
                "ann wanted web restarted; that failed: the daemon is stopping",
            ),
            (
                Restart,
                FOREIGN,
                &timed_out,
                "ann wanted web restarted; that failed: timed out: `svc` ran for 60s",
            ),
            (
                Reload,
                RUNS,
                &failed,
                "ann wanted web reloaded; that failed: web: process 7 exited with code 3",
            ),
            (
                Stop,
                STILL_RUNS,
                &unavailable,
                "ann wanted web stopped; that failed: the daemon is stopping; it is kept stopped all the same",
            ),
            (
                Stop,
                FOREIGN,
                &timed_out,
                "ann wanted web stopped; that failed: timed out: `svc` ran for 60s; it is not kept stopped",
            ),
        ] {
            let said = sentence(&command(verb, ""), &RUNS, &after, &Err(error.clone()));
            assert_eq!(said, expected, "{verb:?}: {after:?}");
        }
        let said = sentence(&command(Start, "new disks"), &DOWN, &DOWN, &Err(failed));
        assert!(
            said.starts_with("ann wanted web started: new disks; that failed: "),
            "{said}"
        );
    }
}
