//! Targets that a person keeps stopped.
//!
//! Invariant: nobody else starts what is held, neither a handler, nor another config, nor the next daemon.

use super::{
    Core, Supervisor,
    target::{After, Intent, SupervisedTarget},
};
use crate::ports::ProcessUpdate;
use mainstay_domain::{effect::EffectError, name::TargetName};
use std::sync::Arc;

impl Supervisor {
    /// What people kept stopped when the daemon before ended stays so. Comes before the first check and before
    /// [`Supervisor::run`].
    pub fn resume_held(&self, held: impl IntoIterator<Item = (TargetName, String)>) {
        for (target, words) in held {
            let Some(supervised) = self.core.get(&target) else {
                continue;
            };
            supervised.intend(Intent::StayDown);
            self.core.held.lock().insert(target.clone(), words.clone());
            // With what was open of it, which the daemon before let go of only if it was not killed before that.
            let held = ProcessUpdate::Held(words);
            self.core.ports.watch.process_changed(&target, held);
        }
    }
}

impl Core {
    /// Who keeps it stopped, and why, for people.
    pub(super) fn held(&self, target: &TargetName) -> Option<String> {
        self.held.lock().get(target).cloned()
    }

    /// That it is kept stopped, for who watches it.
    pub(super) fn hold_news(&self, target: &TargetName) -> ProcessUpdate {
        // Where it was let go of meanwhile, a person did that.
        let words = self.held(target);
        ProcessUpdate::Held(words.unwrap_or_else(|| "stopped by a person".to_owned()))
    }

    pub(super) fn refuse_if_held(&self, target: &TargetName) -> Result<(), EffectError> {
        match self.held(target) {
            Some(words) => Err(EffectError::Denied(format!(
                "{target} is {words}; `mainstay start {target}` ends that"
            ))),
            None => Ok(()),
        }
    }

    /// Ends what an earlier daemon was to stop and did not, for it was killed. Nobody works on a target before all is
    /// reconciled, so its turn is free.
    pub(super) async fn stop_held(self: &Arc<Self>, supervised: &Arc<SupervisedTarget>) {
        let turn = Arc::clone(&supervised.turn).lock_owned().await;
        let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
        self.background.spawn(async move {
            let _turn = turn;
            let why = core.held(&supervised.name);
            // What cannot be ended was told.
            let _ = core.stop_process(&supervised, why, After::StaysDown).await;
        });
    }
}
