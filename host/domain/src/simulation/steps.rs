//! What the steps of a scenario do to the world, and what a handler that succeeds does.

use super::{draft::CommandWord, run::Run, scenario::What};
use crate::{
    actor::Actor,
    health::Evidence,
    name::{FailureType, TargetName},
    operation::Mode,
    recovery::{CaseKey, Command, Input, Ticket, Verb},
};
use std::time::Duration;

/// Who commands in a scenario.
const PERSON: &str = "scenario";

impl Run<'_> {
    pub(super) fn step(&mut self, place: usize) {
        let scenario = self.scenario;
        let Some(step) = scenario.steps.get(place) else {
            return;
        };
        if let What::Command {
            command,
            failure,
            lasts,
        } = &step.what
        {
            return self.command(*command, step.target.as_ref(), failure.as_ref(), *lasts);
        }
        if let What::Phase(to) = &step.what {
            return self.ask(Command::SetPhase {
                to: *to,
                reason: "as the scenario says".to_owned(),
                by: Actor::new(PERSON, ""),
            });
        }
        let Some(target) = step.target.as_ref().and_then(|name| self.place(name)) else {
            return;
        };
        match &step.what {
            What::Seen {
                check,
                outcome,
                message,
            } => {
                let watched = self.targets.get_mut(target);
                let check = watched.and_then(|watched| {
                    let check = watched.place_of(check)?;
                    watched.is_told(check, *outcome, message);
                    let next = watched.next_runs.get_mut(check)?;
                    // It is looked at now, and then on its schedule.
                    *next = None;
                    Some(check)
                });
                if let Some(check) = check {
                    self.run_check(target, check);
                }
            }
            What::Exit(how) => self.exit(target, how),
            What::Started => self.start(target),
            What::Reported {
                failure,
                severity,
                message,
            } => {
                let observed_at = self.at().now;
                if let Some(watched) = self.targets.get_mut(target) {
                    watched.reported.insert(failure.clone());
                    self.inputs.push_back(Input::Raised {
                        key: key(&watched.spec.name, failure),
                        severity: *severity,
                        evidence: Evidence {
                            check: "report".to_owned(),
                            observed_at,
                            message: message.clone(),
                            value: None,
                            output: None,
                            score: None,
                        },
                        detected_at: observed_at,
                    });
                }
            }
            What::TakenBack(failure) => self.take_back(target, failure),
            What::Command { .. } | What::Phase(_) => {}
        }
        self.go_on_looking(target);
    }

    /// The process of a target ends by itself. The engine hears of it before the failure that it raises.
    fn exit(&mut self, target: usize, how: &str) {
        let at = self.at();
        let Some(watched) = self.targets.get_mut(target) else {
            return;
        };
        watched.runs = false;
        let mut changes = watched.health.ended();
        let seen = watched.process_seen(Some(how), at);
        self.inputs
            .push_back(Input::Exited(seen.target.clone(), seen.evidence.clone()));
        changes.extend(watched.health.observe_exit(&seen, at.monotonic));
        self.publish(target, &changes, Some(&seen));
    }

    /// The process of a target is started, by whomever.
    fn start(&mut self, target: usize) {
        let at = self.at();
        let Some(watched) = self.targets.get_mut(target) else {
            return;
        };
        if watched.runs {
            return;
        }
        watched.runs = true;
        let mut changes = watched
            .health
            .started(watched.spec.start_period, at.monotonic);
        let seen = watched.process_seen(None, at);
        changes.extend(watched.health.observe_exit(&seen, at.monotonic));
        self.publish(target, &changes, Some(&seen));
    }

    fn take_back(&mut self, target: usize, failure: &FailureType) {
        if let Some(watched) = self.targets.get_mut(target)
            && watched.reported.remove(failure)
            && !watched.health.is_failing(failure)
        {
            let key = key(&watched.spec.name, failure);
            self.inputs.push_back(Input::Cleared(key));
        }
    }

    /// A handler has succeeded: the failure's checks pass, the process runs, and who reported it takes it back.
    pub(super) fn healed(&mut self, target: &TargetName, failure: &FailureType) {
        let Some(target) = self.place(target) else {
            return;
        };
        if let Some(watched) = self.targets.get_mut(target) {
            watched.heal(failure);
        }
        self.start(target);
        self.take_back(target, failure);
        self.go_on_looking(target);
    }

    fn command(
        &mut self,
        command: CommandWord,
        target: Option<&TargetName>,
        failure: Option<&FailureType>,
        lasts: Option<Duration>,
    ) {
        let by = || Actor::new(PERSON, "");
        let asked = match (command, target) {
            (CommandWord::Pause, _) => Some(match lasts {
                Some(length) => Command::PauseFor {
                    target: target.cloned(),
                    length,
                    reason: String::new(),
                    by: by(),
                },
                None => Command::Pause {
                    target: target.cloned(),
                    paused: true,
                    by: by(),
                },
            }),
            (CommandWord::Resume, _) => Some(Command::Pause {
                target: target.cloned(),
                paused: false,
                by: by(),
            }),
            (CommandWord::Recover, Some(target)) => failure.map(|failure| Command::Recover {
                key: key(target, failure),
                dry_run: false,
                mode: Mode::Manual,
                by: by(),
            }),
            (CommandWord::Approve, Some(target)) => self.decision(target, Verb::Approve),
            (CommandWord::Reject, Some(target)) => self.decision(target, Verb::Reject),
            (CommandWord::Cancel, Some(target)) => self.decision(target, Verb::Cancel),
            (_, None) => None,
        };
        match asked {
            Some(asked) => self.ask(asked),
            None => {
                let message = "there is no operation of it that this could be about".to_owned();
                self.tell("command.refused", target.cloned(), None, message);
            }
        }
    }

    fn ask(&mut self, command: Command) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.inputs.push_back(Input::Command(command, ticket));
    }

    /// A decision about the operation that the target has now.
    fn decision(&self, target: &TargetName, verb: Verb) -> Option<Command> {
        let id = self.machine.summary_of(target).operation?;
        Some(Command::Decide {
            id,
            revision: None,
            verb,
            by: Actor::new(PERSON, ""),
            reason: "as the scenario says".to_owned(),
        })
    }
}

fn key(target: &TargetName, failure: &FailureType) -> CaseKey {
    CaseKey {
        target: target.clone(),
        failure: failure.clone(),
    }
}
