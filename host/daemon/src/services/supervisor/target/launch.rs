//! The start of a target's process, and what keeps it from running on the way there.

use super::{
    super::{Core, decide},
    Intent, Stop, SupervisedTarget,
};
use crate::ports::{ProcessError, ProcessUpdate, Unstarted};
use mainstay_domain::{
    event::EventKind, name::TargetName, record::ProcessIdentity, time::Timestamp,
};
use std::sync::Arc;

/// What keeps a process from running that is on the way to its start.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Its first start waits for this, since then.
    waits_for: Option<(TargetName, Timestamp)>,
    /// What runs before it runs since then.
    prepares: Option<Timestamp>,
}

impl SupervisedTarget {
    /// Why its process does not run yet, where it is on the way to its start.
    pub(in super::super) fn unstarted(&self) -> Option<Unstarted> {
        let state = self.state.lock();
        if state.lifecycle.process().is_some() {
            return None;
        }
        if let Some(since) = state.way.prepares {
            let why = "its `before_start` runs".to_owned();
            return Some(Unstarted { since, why });
        }
        let waits_for = state.way.waits_for.as_ref();
        let (dependency, since) = waits_for.filter(|_| state.intent == Intent::Run)?;
        Some(Unstarted {
            since: *since,
            why: format!("it waits for {dependency}, on which it depends"),
        })
    }

    /// Its first start waits for this from now on, or for nothing; whether that is news.
    pub(in super::super) fn set_waits_for(
        &self,
        dependency: Option<&TargetName>,
        now: Timestamp,
    ) -> bool {
        let mut state = self.state.lock();
        let known = state.way.waits_for.as_ref().map(|(name, _)| name);
        if known == dependency {
            return false;
        }
        state.way.waits_for = dependency.map(|name| (name.clone(), now));
        true
    }

    fn set_prepares(&self, since: Option<Timestamp>) {
        self.state.lock().way.prepares = since;
    }
}

impl Core {
    /// Starts the process of a target that has none. The error is a sentence for people.
    pub(in super::super) async fn launch(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
    ) -> Result<(), String> {
        let Some(process) = supervised.process_spec() else {
            return Err(format!("{} has no `run` in its config", supervised.name));
        };
        let restarts = {
            let mut state = supervised.state.lock();
            state.applied = Some(Arc::clone(&process));
            state.stop = Stop::of(&process);
            state.restarts.map_or(0, |before| before.saturating_add(1))
        };
        // Before it: what depends on the target waits no longer than it would for one that has started.
        let is_first = supervised.begin();
        let is_prepared = process.before_start.is_some();
        if is_prepared {
            supervised.set_prepares(Some(self.ports.shared.clock.now()));
            self.ports.watch.row_changed(&supervised.name);
        }
        let started = self
            .ports
            .processes
            .spawn(&supervised.name, &process, restarts)
            .await;
        if is_prepared {
            supervised.set_prepares(None);
            self.ports.watch.row_changed(&supervised.name);
        }
        if is_first {
            supervised.begin_anew();
        }
        if matches!(started, Err(ProcessError::StartHangs)) {
            self.await_start(supervised);
        }
        let identity = ProcessIdentity {
            config: decide::digest(&process),
            ..started.map_err(|why| format!("{}: {why}", supervised.name))?
        };
        let message = format!("{}: started process {}", supervised.name, identity.pid);
        let (kind, none) = (EventKind::ProcessStarted, Vec::new());
        self.record_running(supervised, identity, kind, message, none);
        self.tell_unbounded(supervised, &process);
        Ok(())
    }

    /// Starts it where nobody waits for the answer: a failure is reported to the monitor, and recovery handles it.
    pub(in super::super) async fn launch_or_report(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
    ) {
        if let Err(why) = self.launch(supervised).await {
            let news = ProcessUpdate::Down(why);
            self.ports.watch.process_changed(&supervised.name, news);
        }
    }
}
