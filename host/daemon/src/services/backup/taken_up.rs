//! What the store holds is taken up once, at the start; until then every job's turn is.
//!
//! Invariant: nothing takes, reads for people in its turn, moves or deletes a backup before. What else the daemon does, watching
//! and recovering, waits for none of it where the config has a tier that may not answer.
//! Invariant: a rollback that was cut off comes before anything else of its job.
//! Invariant: no recovery hangs for it: what a plugin asks for is refused after [`BRIEFLY`], and not done later.

use super::{BackupError, BackupService, due::LOOK_AGAIN};
use crate::ports::BackupStoreError;
use mainstay_domain::{effect::EffectError, spec::Spec};
use std::{sync::Arc, time::Duration};
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

/// What a job waits for meanwhile, for people.
const WHY: &str = "what its tiers hold is looked at first, as after each start";

/// So long an effect waits, which is less than a call has by default.
pub(super) const BRIEFLY: Duration = Duration::from_secs(30);

/// Whether it was taken up.
#[derive(Debug, Default)]
pub(super) struct TakenUp(SetOnce<()>);

impl TakenUp {
    /// Resolves when it was, or never will be for the daemon stops.
    pub(super) async fn wait(&self) {
        self.0.wait().await;
    }

    /// The same for an effect, which does not wait for ever.
    pub(super) async fn wait_briefly(&self) -> Result<(), EffectError> {
        let waited = tokio::time::timeout(BRIEFLY, self.wait()).await;
        waited.map_err(|_| {
            let why = format!("no backup can be used yet: {WHY}; ask again when that has ended");
            EffectError::Unavailable(why)
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.initialized()
    }

    /// Why nothing of a job is begun yet, for people.
    pub(super) fn why_not(&self) -> Option<String> {
        (!self.is_over()).then(|| WHY.to_owned())
    }

    /// Lets those go on who wait.
    pub(super) fn end(&self) {
        // It may be over already.
        let _ = self.0.set(());
    }
}

/// Whether a look at what is stored asks more than the disk of this machine: a server may connect, and say nothing for minutes.
pub(super) fn may_hang(spec: &Spec) -> bool {
    spec.tiers.keys().any(|tier| !tier.is_local())
}

impl BackupService {
    /// Takes up what is stored, once; what an error of the journal cuts off is done at the next start.
    pub(super) async fn take_up(&self) -> Result<(), BackupError> {
        self.reconcile_leftovers().await?;
        self.core.taken_up.end();
        Ok(())
    }

    /// The same, with the rollbacks that were cut off, as long as nobody else has a turn.
    async fn take_up_late(self) -> Result<(), BackupError> {
        self.reconcile_leftovers().await?;
        if !self.core.tasks.is_closed() {
            self.settle_rollbacks();
        }
        self.core.taken_up.end();
        Ok(())
    }

    /// The same in a task of its own, which is waited for until `stop`; what it has begun goes on to its end. That it takes long is
    /// told, and what is too old meanwhile.
    pub(super) async fn take_up_until(&self, stop: &CancellationToken) -> Result<(), BackupError> {
        let mut taking_up = self.core.tasks.spawn(self.clone().take_up_late());
        let mut is_told = false;
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return Ok(()),
                ended = &mut taking_up => return ended.unwrap_or_else(|error| {
                    let why = format!("what is stored is not taken up: {error}; report this as a defect");
                    Err(BackupStoreError::Unavailable(why).into())
                }),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            let spec = Arc::clone(&self.core.spec.borrow());
            if !std::mem::replace(&mut is_told, true) {
                for job in &spec.jobs {
                    self.tell_that_it_waits(&job.name, WHY);
                }
            }
            self.look_at_objectives(&spec);
        }
    }
}
