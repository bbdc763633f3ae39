//! Maintenance windows that pause recovery: each beginning is a pause with an end, as if a person had asked for it.
//!
//! Invariant: a window never shortens or ends a pause that a person asked for, and a person may end one that it began.

use super::{InputTime, Outcome, Recovery};
use crate::{
    actor::Actor,
    maintenance::{began, next_begin},
    name::TargetName,
    pause::{MAINTENANCE, TimedPause, TimedPauses},
    spec::{MaintenanceSpec, Spec},
    time::{Monotonic, Timestamp},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// The wall clock may be set: it is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Two pauses that end so near one another end together.
const SLACK: Duration = Duration::from_secs(1);

/// Whether a pause is one that a window began.
pub(super) fn is_of_window(pause: &TimedPause) -> bool {
    pause.by.name == MAINTENANCE
}

/// What became of the windows.
#[derive(Debug)]
pub(super) struct Windows {
    /// When each that was taken up began, by its place in the config.
    begun: BTreeMap<usize, Timestamp>,
    /// When a person resumed each last: what began before that is not taken up again.
    resumed: BTreeMap<Option<TargetName>, Timestamp>,
    /// When the config got those that the one before had not, by their place: nobody had resumed anything in them before.
    added: BTreeMap<usize, Timestamp>,
    /// When they are looked at; never where there are none.
    look: Option<Monotonic>,
}

impl Windows {
    pub(super) fn new(spec: &Spec) -> Self {
        let mut windows = spec.maintenance.iter();
        let any = windows.any(|window| window.pauses_recovery);
        Self {
            begun: BTreeMap::new(),
            resumed: BTreeMap::new(),
            added: BTreeMap::new(),
            look: any.then(|| Monotonic::from_start(Duration::ZERO)),
        }
    }

    /// A person may have ended what a window had begun.
    pub(super) fn learn_resumed(&mut self, pauses: &TimedPauses) {
        let resumed = pauses.resumed();
        self.resumed = resumed
            .map(|(target, when)| (target.clone(), when))
            .collect();
    }

    /// A person ends what a window may have begun.
    pub(super) fn resume(&mut self, target: Option<TargetName>, now: Timestamp) {
        self.resumed.insert(target, now);
    }

    pub(super) fn next_look(&self) -> Option<Monotonic> {
        self.look
    }
}

impl Recovery {
    /// Other windows are configured: what the ones before began is over, with the next tick.
    pub(super) fn windows_configured(&mut self, spec: &Arc<Spec>, at: InputTime) {
        if self.settings.spec().maintenance == spec.maintenance {
            return;
        }
        let before = &self.settings.spec().maintenance;
        let is_same = |one: &MaintenanceSpec, other: &MaintenanceSpec| {
            one.pauses_recovery && one.targets == other.targets && one.begins == other.begins
        };
        let windows = spec.maintenance.iter().enumerate();
        let added = windows.filter_map(|(number, window)| {
            let place = before.iter().position(|other| is_same(other, window));
            let when = place.map_or(Some(at.now), |place| {
                self.windows.added.get(&place).copied()
            });
            Some((number, when?))
        });
        let added = added.collect();
        self.windows = Windows {
            added,
            resumed: std::mem::take(&mut self.windows.resumed),
            ..Windows::new(spec)
        };
        self.end_pauses_of_windows(at);
    }

    /// How long the windows still last that pause which targets now; that of the host has none.
    pub(super) fn window_rests(&self, now: Timestamp) -> HashMap<Option<TargetName>, Duration> {
        let mut rests: HashMap<Option<TargetName>, Duration> = HashMap::new();
        let windows = self.settings.spec().maintenance.iter();
        for window in windows.filter(|window| window.pauses_recovery) {
            let Some(since) = began(window, now) else {
                continue;
            };
            let left = window.length.saturating_sub(now.since(since));
            let of_host = window.targets.is_empty().then_some(None);
            let of_targets = window.targets.iter().cloned().map(Some);
            for target in of_host.into_iter().chain(of_targets) {
                let rest = rests.entry(target).or_default();
                *rest = left.max(*rest);
            }
        }
        rests
    }

    /// Takes up the windows that have opened.
    pub(super) fn open_windows(&mut self, at: InputTime, out: &mut Outcome) {
        if self.windows.look.is_none_or(|look| look > at.monotonic) {
            return;
        }
        let spec = Arc::clone(self.settings.spec());
        let windows = spec.maintenance.iter().enumerate();
        let mut rest = LOOK_AGAIN;
        for (number, window) in windows.filter(|(_, window)| window.pauses_recovery) {
            if let Some(next) = next_begin(window, at.now) {
                rest = rest.min(next.since(at.now));
            }
            let Some(since) = began(window, at.now) else {
                continue;
            };
            if self.windows.begun.insert(number, since) == Some(since) {
                continue;
            }
            let length = window.length.saturating_sub(at.now.since(since));
            let added = self.windows.added.get(&number).copied();
            let resumable = since.max(added.unwrap_or(since));
            match window.targets.as_slice() {
                [] => self.pause_in_window(None, resumable, length, at, out),
                targets => {
                    for target in targets {
                        self.pause_in_window(Some(target.clone()), resumable, length, at, out);
                    }
                }
            }
        }
        self.windows.look = Some(at.monotonic + rest.max(Duration::from_millis(1)));
    }

    /// Pauses what no person resumed since then.
    fn pause_in_window(
        &mut self,
        target: Option<TargetName>,
        since: Timestamp,
        length: Duration,
        at: InputTime,
        out: &mut Outcome,
    ) {
        let resumed = self.windows.resumed.get(&target);
        // One that is to come was before the clock was set back, and in no window that is open.
        if resumed.is_some_and(|resumed| (since..=at.now).contains(resumed)) {
            return;
        }
        let is_kept = match self.pause_ends(&target) {
            Some(until) => until + SLACK >= at.now + length,
            None => self.is_paused(target.as_ref()),
        };
        if is_kept {
            return;
        }
        let pause = TimedPause {
            since: at.now,
            length,
            by: Actor::from(MAINTENANCE),
        };
        let reason = "a maintenance window of the config";
        self.begin_pause(target, pause, reason, at, out);
    }
}
