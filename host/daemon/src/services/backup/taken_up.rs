//! What the store holds is taken up once, at the start; until then every job's turn is.
//!
//! Invariant: nothing takes, reads for people in its turn, moves or deletes a backup before. What else the daemon does, watching
//! and recovering, waits for none of it where the config has a tier that may not answer.

use super::{BackupError, BackupService};
use crate::ports::BackupStoreError;
use mainstay_domain::spec::Spec;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

/// What a job waits for meanwhile, for people.
const WHY: &str = "what its tiers hold is looked at first, as after each start";

/// Whether it was taken up.
#[derive(Debug, Default)]
pub(super) struct TakenUp(SetOnce<()>);

impl TakenUp {
    /// Resolves when it was, or never will be for the daemon stops.
    pub(super) async fn wait(&self) {
        self.0.wait().await;
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
        if !self.core.taken_up.is_over() {
            self.reconcile_leftovers().await?;
            self.core.taken_up.end();
        }
        Ok(())
    }

    /// The same in a task of its own, which is waited for until `stop`; what it has begun goes on to its end.
    pub(super) async fn take_up_until(&self, stop: &CancellationToken) -> Result<(), BackupError> {
        if self.core.taken_up.is_over() {
            return Ok(());
        }
        let service = self.clone();
        let taking_up = self
            .core
            .tasks
            .spawn(async move { service.take_up().await });
        tokio::select! { biased;
            () = stop.cancelled() => Ok(()),
            ended = taking_up => ended.unwrap_or_else(|error| {
                let why = format!("what is stored is not taken up: {error}; report this as a defect");
                Err(BackupStoreError::Unavailable(why).into())
            }),
        }
    }
}
