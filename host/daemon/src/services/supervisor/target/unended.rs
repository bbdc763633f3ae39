//! A process that not even SIGKILL ends: in uninterruptible sleep, as on a file system that does not answer.
//!
//! Invariant: nobody waits for it longer than its stop lasts, and no second copy is started while it is there. What its stop
//! was for is done when it ends at last.
//! Invariant: so it is for the service of a program that forks, where that cannot be ended, and for a start that hangs, where
//! nobody knows whether there is a process.

use super::{
    super::{Core, ending::end_of, forked::LivesOn},
    Listing, SupervisedTarget,
    lifecycle::Lifecycle,
};
use crate::ports::{Exit, ProcessUpdate, unended};
use mainstay_domain::{
    event::EventKind,
    record::{Change, ProcessIdentity},
    severity::Severity,
};
use std::{sync::Arc, time::Duration};

/// How long a process is given that ended just when it was given up.
const JUST_ENDED: Duration = Duration::from_millis(100);

impl SupervisedTarget {
    /// Its process was to be stopped and is still there.
    pub(in super::super) fn is_unended(&self) -> bool {
        self.state.lock().unended
    }
}

impl SupervisedTarget {
    /// Whether the config has it no more, and nothing of it lives.
    pub(in super::super) fn is_gone(&self) -> bool {
        let state = self.state.lock();
        let is_down = state.lifecycle == Lifecycle::Down && !state.unended && !state.start_hangs;
        is_down && state.listing == Listing::Unlisted
    }
}

impl Core {
    /// A stop gives a process up; its end, where it came just now.
    pub(super) async fn give_up(
        &self,
        supervised: &SupervisedTarget,
        identity: &ProcessIdentity,
    ) -> Option<Exit> {
        // From here on who waits for its end acts on it.
        supervised.state.lock().unended = true;
        let ended = self.ports.processes.wait(identity.clone());
        let exit = tokio::time::timeout(JUST_ENDED, ended).await.ok()?;
        supervised.state.lock().unended = false;
        Some(exit)
    }

    /// Tells of a process that was given up; the sentence for people.
    pub(super) fn tell_unended(
        &self,
        supervised: &SupervisedTarget,
        identity: &ProcessIdentity,
        state: char,
    ) -> String {
        let why = format!(
            "{}: {}; no second copy is started while it is there",
            supervised.name,
            unended(identity.pid, state)
        );
        self.tell_down(supervised, &why);
        why
    }

    /// What a process left behind lives on as the target's process, which was given up; the sentence for people.
    pub(super) fn give_up_left(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        left: LivesOn,
    ) -> String {
        let LivesOn { process, why } = left;
        {
            let mut state = supervised.state.lock();
            state.lifecycle.begin(process.clone());
            state.lifecycle.begin_stop();
            state.unended = true;
        }
        // So that the next daemon knows it, whatever becomes of this one.
        let name = supervised.name.clone();
        self.submit(vec![Change::Process(name, Some(process.clone()))]);
        let why = format!(
            "{}: {why}; no second copy is started while it is there",
            supervised.name
        );
        self.tell_down(supervised, &why);
        let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
        self.background.spawn(async move {
            let exit = core.ports.processes.wait(process.clone()).await;
            core.ended_late(&supervised, &process, exit);
        });
        why
    }

    /// Starts the target when a start of it that was given up has ended at last, where it should run then.
    pub(super) fn await_start(self: &Arc<Self>, supervised: &Arc<SupervisedTarget>) {
        if std::mem::replace(&mut supervised.state.lock().start_hangs, true) {
            return; // An earlier one is awaited already.
        }
        let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
        self.background.spawn(async move {
            core.ports.processes.start_ended(&supervised.name).await;
            supervised.state.lock().start_hangs = false;
            let _turn = supervised.turn.lock().await;
            if core.starts_again(&supervised) {
                core.launch_or_report(&supervised).await;
            }
        });
    }

    /// Tells that a target does not run as it should.
    pub(super) fn tell_down(&self, supervised: &SupervisedTarget, why: &str) {
        tracing::error!("{why}");
        self.ports.watch.row_changed(&supervised.name);
        if supervised.process_spec().is_some() {
            let news = ProcessUpdate::Down(why.to_owned());
            self.ports.watch.process_changed(&supervised.name, news);
        }
    }

    /// A process ended while its target was being stopped: nothing where the stop is still there to hear it.
    pub(super) fn ended_late(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        identity: &ProcessIdentity,
        exit: Exit,
    ) {
        {
            let mut state = supervised.state.lock();
            if !state.unended || state.lifecycle.process() != Some(identity) {
                return;
            }
            state.unended = false;
            state.lifecycle.end_stop();
        }
        self.ports.watch.row_changed(&supervised.name);
        let end = end_of(identity, exit, self.age_of(identity));
        let message = format!("{}: stopped at last: {end}", supervised.name);
        let kind = EventKind::ProcessStopped;
        let event = self.process_event(supervised, kind, Severity::Low, message, identity);
        let mut changes = vec![event];
        if !self.starts_again(supervised) {
            changes.push(Change::Process(supervised.name.clone(), None));
        }
        self.submit(changes);
        let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
        let identity = identity.clone();
        self.background
            .spawn(async move { core.finish_stop(supervised, identity).await });
    }

    fn starts_again(&self, supervised: &SupervisedTarget) -> bool {
        supervised.process_spec().is_some() && supervised.wants_process() && !self.is_closing()
    }

    /// Does what was left undone by a stop that gave its process up, which has ended by now.
    async fn finish_stop(
        self: Arc<Self>,
        supervised: Arc<SupervisedTarget>,
        ended: ProcessIdentity,
    ) {
        let _turn = supervised.turn.lock().await;
        if supervised.runs() {
            return; // Somebody has started it meanwhile, which ended the rest before.
        }
        let left = self.end_left(&supervised, &ended, supervised.grace()).await;
        if let Err(left) = left {
            self.give_up_left(&supervised, left);
            return;
        }
        if self.starts_again(&supervised) {
            self.launch_or_report(&supervised).await;
        } else if let Err(rest) = self.ports.processes.end_rest(&supervised.name).await {
            self.tell_down(&supervised, &format!("{}: {rest}", supervised.name));
        }
    }
}
