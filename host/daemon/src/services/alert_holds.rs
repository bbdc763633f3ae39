//! What holds alerts back: a silence, a maintenance window, or what their target depends on while that fails.

use super::{shared::Shared, silences::SilenceService};
use crate::ports::{AlertHolds, HoldsLook, RecoveryControl};
use mainstay_domain::{
    alert::{Alert, FailingDependencies},
    maintenance::open_now,
    name::TargetName,
    spec::Spec,
    time::{Monotonic, Timestamp},
};
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// Which windows are open is looked up so often at most.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// What holds alerts back.
pub struct Holds {
    shared: Shared,
    recovery: Arc<dyn RecoveryControl>,
    silences: Arc<SilenceService>,
    windows: Mutex<Option<OpenWindows>>,
}

/// The windows that were open a moment ago.
struct OpenWindows {
    spec: Arc<Spec>,
    looked_at: Monotonic,
    /// Of which targets, none for all, and until when.
    open: Vec<(HashSet<TargetName>, Timestamp)>,
}

impl OpenWindows {
    fn look(spec: Arc<Spec>, now: Timestamp, looked_at: Monotonic) -> Self {
        let open = open_now(&spec.maintenance, now).into_iter();
        let open = open.filter(|window| window.holds_alerts);
        let open = open.map(|window| (window.targets.into_iter().collect(), window.until));
        Self {
            open: open.collect(),
            spec,
            looked_at,
        }
    }

    fn is_of(&self, spec: &Arc<Spec>, now: Timestamp, monotonic: Monotonic) -> bool {
        Arc::ptr_eq(&self.spec, spec)
            && monotonic.since(self.looked_at) < OPEN_FOR
            && self.open.iter().all(|(_, until)| now < *until)
    }
}

impl Holds {
    /// `recovery` knows what is failing, and the config of `shared` what depends on what, and when work is done.
    pub fn new(
        shared: Shared,
        recovery: Arc<dyn RecoveryControl>,
        silences: Arc<SilenceService>,
    ) -> Self {
        Self {
            shared,
            recovery,
            silences,
            windows: Mutex::default(),
        }
    }

    /// Asks the windows that are open now.
    fn with_windows<T>(&self, ask: impl FnOnce(&OpenWindows, Timestamp) -> T) -> T {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let (now, monotonic) = (self.shared.clock.now(), self.shared.clock.monotonic());
        let mut windows = self.windows.lock();
        let known = windows.take();
        let known = known.filter(|known| known.is_of(&spec, now, monotonic));
        let known = known.unwrap_or_else(|| OpenWindows::look(spec, now, monotonic));
        let answer = ask(&known, now);
        *windows = Some(known);
        answer
    }

    fn in_maintenance(&self, alert: &Alert) -> Option<Timestamp> {
        self.with_windows(|windows, _| {
            let is_of = |targets: &HashSet<TargetName>| {
                let target = alert.target.as_ref();
                targets.is_empty() || target.is_some_and(|target| targets.contains(target))
            };
            let mut open = windows.open.iter();
            let found = open.find(|(targets, _)| is_of(targets))?;
            Some(found.1)
        })
    }
}

impl AlertHolds for Holds {
    fn why(&self, alert: &Alert) -> Option<String> {
        self.look()(alert)
    }

    fn look(&self) -> HoldsLook<'_> {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let mut dependencies = FailingDependencies::default();
        Box::new(move |alert: &Alert| {
            if let Some(why) = self.silences.why(alert) {
                return Some(why);
            }
            if let Some(until) = self.in_maintenance(alert) {
                return Some(format!("in maintenance until {until}"));
            }
            let is_failing = |name: &TargetName| {
                let active = self.recovery.active(name);
                active.is_some_and(|active| active.is_failing)
            };
            let failing =
                dependencies.nearest(&spec.targets, alert.target.as_ref()?, is_failing)?;
            Some(format!("{failing} is failing"))
        })
    }

    fn pass(&self) -> Option<Duration> {
        let window = self.with_windows(|windows, now| {
            let ends = windows.open.iter().map(|(_, until)| until.since(now));
            ends.min()
        });
        self.silences.pass().into_iter().chain(window).min()
    }
}
