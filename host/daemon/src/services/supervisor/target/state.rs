//! What is known of a target, and should become of it.

use super::{Intent, SupervisedTarget, stop::Stop};
use crate::ports::NotStarted;
use mainstay_domain::record::ProcessIdentity;
use std::{path::PathBuf, time::Duration};
use tokio::time::Instant;

impl SupervisedTarget {
    pub(in super::super) fn process(&self) -> Option<ProcessIdentity> {
        self.state.lock().lifecycle.process().cloned()
    }

    /// Whether its process lives.
    pub(in super::super) fn runs(&self) -> bool {
        self.state.lock().lifecycle.process().is_some()
    }

    pub(in super::super) fn restarts(&self) -> u32 {
        self.state.lock().restarts.unwrap_or(0)
    }

    /// A command started it, or started it again.
    pub(in super::super) fn started_by_command(&self) {
        let mut state = self.state.lock();
        state.restarts = Some(state.restarts.unwrap_or(0).saturating_add(1));
        state.not_started = None;
    }

    /// A command did not start it; or it need not run, so that nobody asks why one did not.
    pub(in super::super) fn not_started_by_command(&self, why: Option<NotStarted>) {
        self.state.lock().not_started = why;
    }

    /// Why its commands did not start it the last time.
    pub(in super::super) fn not_started(&self) -> Option<NotStarted> {
        let state = self.state.lock();
        let is_foreign = state.listing.process().is_none();
        state.not_started.clone().filter(|_| is_foreign)
    }

    /// The process that its pid file was seen to name, of a foreign service.
    pub(in super::super) fn service_pid(&self) -> Option<u32> {
        let state = self.state.lock();
        let is_foreign = state.listing.process().is_none();
        state.service_pid.filter(|_| is_foreign)
    }

    /// Its pid file names this now; whether that is news.
    pub(in super::super) fn set_service_pid(&self, pid: Option<u32>) -> bool {
        let mut state = self.state.lock();
        std::mem::replace(&mut state.service_pid, pid) != pid
    }

    /// When it was first started, or found not to be started by the daemon; none before that.
    pub(in super::super) fn began(&self) -> Option<Instant> {
        self.state.lock().began
    }

    /// What depends on it need not wait for its first start any more. Whether this is that.
    pub(in super::super) fn begin(&self) -> bool {
        let mut state = self.state.lock();
        let is_first = state.began.is_none();
        state.began.get_or_insert_with(Instant::now);
        is_first
    }

    /// Its first start took some time, with what runs before it: who waits for it counts from now on.
    pub(in super::super) fn begin_anew(&self) {
        self.state.lock().began = Some(Instant::now());
    }

    pub(in super::super) fn intent(&self) -> Intent {
        self.state.lock().intent
    }

    pub(in super::super) fn intend(&self, intent: Intent) {
        self.state.lock().intent = intent;
    }

    /// Whether a process should run and does not.
    pub(in super::super) fn wants_process(&self) -> bool {
        let state = self.state.lock();
        state.intent == Intent::Run && state.lifecycle.process().is_none()
    }

    /// From here on its end is no news. Its process, where there is one, and how that is asked to end.
    pub(in super::super) fn begin_stop(&self) -> (Option<ProcessIdentity>, Stop) {
        let mut state = self.state.lock();
        state.unended = false;
        (state.lifecycle.begin_stop(), state.stop)
    }

    /// How long its process has to end by itself.
    pub(in super::super) fn grace(&self) -> Duration {
        self.state.lock().stop.grace
    }

    /// This one ran before; `completed` where it is done.
    pub(in super::super) fn remember(&self, identity: &ProcessIdentity, completed: bool) {
        let mut state = self.state.lock();
        state.restarts = Some(identity.restarts);
        state.completed = completed;
    }

    /// Of a program that forks, by the config that its process was started with.
    pub(in super::super) fn pid_file(&self) -> Option<PathBuf> {
        let state = self.state.lock();
        let process = state.applied.as_ref().or_else(|| state.listing.process());
        process?.pid_file.clone()
    }

    /// Whether the bounds of the process that was just started do not hold, and those of the one before did.
    pub(in super::super) fn becomes_unbounded(&self, is_unbounded: bool) -> bool {
        let mut state = self.state.lock();
        let was_unbounded = std::mem::replace(&mut state.unbounded, is_unbounded);
        is_unbounded && !was_unbounded
    }

    /// How often its process ended by itself otherwise than its config expects, and how the last time.
    pub(in super::super) fn bad_ends(&self) -> (u64, String) {
        self.state.lock().bad_ends.clone()
    }

    /// Whether its last process ended as its config expects, and none runs.
    pub(in super::super) fn has_completed(&self) -> bool {
        let state = self.state.lock();
        state.completed && state.lifecycle.process().is_none()
    }
}
