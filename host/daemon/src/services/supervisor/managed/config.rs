//! What the config says of one target, and what its process was started with.

use super::Managed;
use mainstay_domain::spec::{ForeignCommands, ProcessSpec, TargetSpec};
use std::sync::Arc;

impl Managed {
    pub(in super::super) fn process_spec(&self) -> Option<Arc<ProcessSpec>> {
        self.state.lock().process_spec.clone()
    }

    pub(in super::super) fn commands(&self) -> ForeignCommands {
        self.state.lock().commands.clone()
    }

    /// Another config; none where it is gone from it. Whether it says something else than the one before:
    /// [`Managed::catch_up`] tells what that means for the process.
    pub(in super::super) fn set_spec(&self, spec: Option<&TargetSpec>) -> bool {
        let mut state = self.state.lock();
        let Some(spec) = spec else {
            let was_listed = std::mem::replace(&mut state.listed, false);
            state.process_spec = None;
            state.wanted = true;
            return was_listed;
        };
        if state.commands != spec.commands {
            state.commands = spec.commands.clone();
        }
        let was_listed = std::mem::replace(&mut state.listed, true);
        let is_same = state.process_spec.as_deref() == spec.process.as_ref();
        if !is_same {
            state.process_spec = spec.process.clone().map(Arc::new);
        }
        !was_listed || !is_same
    }

    /// Takes the present config as applied; what its process was started with, and what it is to be started with.
    pub(in super::super) fn catch_up(
        &self,
    ) -> (Option<Arc<ProcessSpec>>, Option<Arc<ProcessSpec>>) {
        let mut state = self.state.lock();
        let present = state.process_spec.clone();
        if let Some(present) = &present {
            state.grace = present.grace;
        }
        (
            std::mem::replace(&mut state.applied, present.clone()),
            present,
        )
    }
}
