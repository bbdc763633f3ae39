//! What the config says of one target, and what its process was started with.

use super::{Intent, Stop, SupervisedTarget};
use mainstay_domain::{
    record::ProcessIdentity,
    spec::{ForeignCommands, ProcessSpec, TargetSpec},
};
use std::sync::Arc;
use tokio::time::Instant;

/// What the config has of a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Listing {
    /// Nothing.
    Unlisted,
    /// A foreign service.
    Foreign,
    /// A supervised process.
    Supervised(Arc<ProcessSpec>),
}

impl Listing {
    pub(super) fn process(&self) -> Option<&Arc<ProcessSpec>> {
        match self {
            Self::Supervised(process) => Some(process),
            Self::Unlisted | Self::Foreign => None,
        }
    }

    /// Takes up another config of the target; none where it is gone from it. Whether it says something else.
    fn change(&mut self, spec: Option<&TargetSpec>) -> bool {
        let present = match spec.map(|spec| &spec.process) {
            None => Self::Unlisted,
            Some(None) => Self::Foreign,
            Some(Some(process)) => {
                if self.process().is_some_and(|known| **known == *process) {
                    return false;
                }
                Self::Supervised(Arc::new(process.clone()))
            }
        };
        let changes = *self != present;
        *self = present;
        changes
    }
}

impl SupervisedTarget {
    pub(in super::super) fn process_spec(&self) -> Option<Arc<ProcessSpec>> {
        self.state.lock().listing.process().cloned()
    }

    pub(in super::super) fn commands(&self) -> ForeignCommands {
        self.state.lock().commands.clone()
    }

    pub(in super::super) fn is_listed(&self) -> bool {
        self.state.lock().listing != Listing::Unlisted
    }

    /// Another config; none where it is gone from it. Whether it says something else than the one before:
    /// [`SupervisedTarget::take_applied`] tells what that means for the process.
    pub(in super::super) fn set_spec(&self, spec: Option<&TargetSpec>) -> bool {
        let mut state = self.state.lock();
        match spec {
            None => state.intent = Intent::Run,
            Some(spec) if state.commands != spec.commands => {
                state.commands = spec.commands.clone();
            }
            Some(_) => {}
        }
        let changes = state.listing.change(spec);
        if state.listing == Listing::Foreign {
            state.began.get_or_insert_with(Instant::now);
        }
        changes
    }

    /// What its process was last started with, or was to be.
    pub(in super::super) fn applied(&self) -> Option<Arc<ProcessSpec>> {
        self.state.lock().applied.clone()
    }

    /// Its process is that of another target from here on; whether it still ran, and was not being stopped.
    pub(in super::super) fn release(&self, process: &ProcessIdentity) -> bool {
        let mut state = self.state.lock();
        // For this target it is as if it had ended.
        let is_released = state.lifecycle.exited(process);
        if is_released {
            state.applied = None;
        }
        is_released
    }

    /// Takes the present config as applied; what its process was started with, and what it is to be started with.
    pub(in super::super) fn take_applied(
        &self,
    ) -> (Option<Arc<ProcessSpec>>, Option<Arc<ProcessSpec>>) {
        let mut state = self.state.lock();
        let present = state.listing.process().cloned();
        if let Some(present) = &present {
            state.stop = Stop::of(present);
        }
        (
            std::mem::replace(&mut state.applied, present.clone()),
            present,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;

    #[test]
    fn a_change_is_what_the_process_or_its_place_in_the_config_is() {
        let foreign = specs::target("web", Vec::new());
        let sleep = specs::child("web", &["/bin/sleep", "1000"]);
        let other = specs::child("web", &["/bin/sleep", "2000"]);
        let checked = TargetSpec {
            checks: vec![specs::check("tcp")],
            ..sleep.clone()
        };
        let with_process =
            |spec: &TargetSpec| Listing::Supervised(Arc::new(spec.process.clone().unwrap()));
        let table = [
            (Listing::Unlisted, None, false),
            (Listing::Unlisted, Some(&foreign), true),
            (Listing::Unlisted, Some(&sleep), true),
            (Listing::Foreign, None, true),
            (Listing::Foreign, Some(&foreign), false),
            (Listing::Foreign, Some(&sleep), true),
            (with_process(&sleep), None, true),
            (with_process(&sleep), Some(&foreign), true),
            (with_process(&sleep), Some(&checked), false),
            (with_process(&sleep), Some(&other), true),
        ];
        for (before, spec, changes) in table {
            let mut listing = before.clone();
            assert_eq!(listing.change(spec), changes, "{before:?}, {spec:?}");
            let process = spec.and_then(|spec| spec.process.as_ref());
            assert_eq!(listing.process().map(|known| &**known), process);
            assert_eq!(listing == Listing::Unlisted, spec.is_none());
        }
    }
}
