//! Waiting for the end of a process, and telling of it.

use super::{
    super::{
        Core,
        ending::{NOBODY_KNOWS, end_of},
        forked::Left,
    },
    Began, SupervisedTarget,
};
use crate::ports::{Exit, ProcessUpdate};
use mainstay_domain::{
    event::EventKind,
    record::{Change, ProcessIdentity},
    severity::Severity,
};
use std::{sync::Arc, time::Duration};

/// The number of the signal, on every machine.
const SIGKILL: i32 = 9;

impl Core {
    /// From here on the process that the first one has left is the target's. Whether that is so: nothing is done where
    /// the first one is being stopped.
    fn follow(
        &self,
        supervised: &SupervisedTarget,
        first: &ProcessIdentity,
        main: &ProcessIdentity,
    ) -> bool {
        // With the state held, as for the end of a process.
        let mut state = supervised.state.lock();
        if !state.lifecycle.forked(first, main.clone()) {
            return false;
        }
        self.ports.watch.row_changed(&supervised.name);
        let message = format!(
            "{}: process {} has forked: process {} of its pid file is supervised",
            supervised.name, first.pid, main.pid
        );
        let kind = EventKind::ProcessAdopted;
        self.submit(vec![
            Change::Process(supervised.name.clone(), Some(main.clone())),
            self.process_event(supervised, kind, Severity::Low, message, main),
        ]);
        let news = ProcessUpdate::Runs(Some(main.pid));
        self.ports.watch.process_changed(&supervised.name, news);
        true
    }

    /// That the first process of a program that forks has ended, where it is not stopped: it runs no more, and the one that it
    /// left is looked for, so long at most.
    pub(in super::super) fn tell_that_it_forks(
        &self,
        supervised: &SupervisedTarget,
        first: &ProcessIdentity,
        within: Duration,
    ) {
        // With the state held, as for the end of a process.
        let state = supervised.state.lock();
        if state.lifecycle.runs(first) {
            let news = ProcessUpdate::Forks(first.pid, within);
            self.ports.watch.process_changed(&supervised.name, news);
        }
    }

    /// Begins to look for what a process that ended by itself has left; whether it did. Of one that was stopped whoever
    /// stopped it looks, and the next one may be on its way already.
    fn looks_for_rest_of(&self, supervised: &SupervisedTarget, ended: &ProcessIdentity) -> bool {
        // With the state held: what is started later must not be taken for what this one's start has left.
        let state = supervised.state.lock();
        let by_itself = state.lifecycle.runs(ended);
        if by_itself {
            self.ports.processes.look_for_rest(&supervised.name);
        }
        by_itself
    }

    /// Waits for the end of a process, without the turn: it may come at any time. What ended by itself stays in the
    /// journal, for it should live.
    pub(super) async fn watch_end(
        self: Arc<Self>,
        supervised: Arc<SupervisedTarget>,
        first: ProcessIdentity,
        mut began: Began,
    ) {
        let mut identity = first;
        let (exit, age, lost) = loop {
            let exit = self.ports.processes.wait(identity.clone()).await;
            // Before what it has left is waited for, for seconds.
            let age = self.age_of(&identity);
            let left = match supervised.process_spec() {
                Some(process) => {
                    self.left_by(&supervised, &process, &identity, exit, began)
                        .await
                }
                None => Left::Nothing,
            };
            match left {
                Left::Nothing => break (exit, age, None),
                Left::Lost(why) => break (exit, age, Some(why)),
                Left::Main(main) => {
                    if !self.follow(&supervised, &identity, &main) {
                        // Who stops the first one ends this one too, where that was not given up.
                        self.ended_late(&supervised, &identity, exit);
                        return;
                    }
                    (identity, began) = (main, Began::Adopted);
                }
            }
        };
        if self.looks_for_rest_of(&supervised, &identity) {
            self.ports.watch.has_ended(&supervised.name).await;
        }
        let is_one_shot = self.is_one_shot(&supervised.name);
        let mut state = supervised.state.lock();
        if !state.lifecycle.exited(&identity) {
            drop(state);
            self.ended_late(&supervised, &identity, exit);
            return;
        }
        self.ports.watch.row_changed(&supervised.name);
        let process = state.listing.process();
        // Of one that was adopted the signal is not known.
        let is_killed = matches!(exit, Exit::Signal(SIGKILL) | Exit::Unknown);
        let own = self.ports.processes.oom_kills_of(&supervised.name);
        let killer = if is_killed && let Some(count) = own.filter(|count| *count > 0) {
            format!(
                ", and the kernel's out-of-memory killer has ended {count} of its processes since its start, at its `memory_max`"
            )
        } else if is_killed && self.oom.lock().has_killed(self.ports.processes.oom_kills()) {
            ", and the kernel's out-of-memory killer ended a process in the same seconds".to_owned()
        } else {
            String::new()
        };
        let completed = match exit {
            Exit::Code(code) if lost.is_none() => {
                process.is_some_and(|process| process.is_expected(code))
            }
            Exit::Unknown => is_one_shot && lost.is_none() && killer.is_empty(),
            Exit::Code(_) | Exit::Signal(_) | Exit::Unended { .. } => false,
        };
        let severity = match completed {
            true => Severity::Low,
            false => process.map_or(Severity::Medium, |process| process.exit_severity),
        };
        state.completed = completed;
        let mut why = end_of(&identity, exit, age);
        why.push_str(&killer);
        why.push_str(match exit {
            Exit::Unknown if completed => NOBODY_KNOWS,
            _ if completed => ", as expected",
            _ => "",
        });
        if let Some(lost) = lost {
            why = format!("{why}, and {lost}");
        }
        if !completed {
            let count = state.bad_ends.0.saturating_add(1);
            state.bad_ends = (count, why.clone());
        }
        let message = format!("{}: {why}", supervised.name);
        let event = self.process_event(
            &supervised,
            EventKind::ProcessExited,
            severity,
            message,
            &identity,
        );
        // Its end is reported now: no later daemon reports it again.
        let ended = ProcessIdentity {
            ended: Some(why.clone()),
            completed,
            ..identity
        };
        self.submit(vec![
            Change::Process(supervised.name.clone(), Some(ended)),
            event,
        ]);
        // With the state held: news of a later start must not come before this.
        let news = match completed {
            true => ProcessUpdate::Completed,
            false => ProcessUpdate::Exited(why),
        };
        self.ports.watch.process_changed(&supervised.name, news);
    }
}
