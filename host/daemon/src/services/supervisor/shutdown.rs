//! The clean end: every child is stopped or left, as its config says, within the deadline; what depends on another one
//! before that.

use super::{
    Core,
    ordering::StopOrder,
    target::{After, SupervisedTarget},
};
use mainstay_domain::{name::TargetName, spec::OnShutdown, text::list};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// What did not stop within the deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} did not stop within {deadline:?}, not even by SIGKILL; the next daemon adopts what is left", list(.targets, "none"))]
pub struct Stragglers {
    /// Whose processes they are.
    pub targets: Vec<TargetName>,
    /// How long they had.
    pub deadline: Duration,
}

impl Core {
    pub(super) async fn shut_down(
        self: &Arc<Self>,
        end: Instant,
        deadline: Duration,
    ) -> Result<(), Stragglers> {
        let stops = |supervised: &Arc<SupervisedTarget>| match supervised.process_spec() {
            Some(process) => process.on_shutdown == OnShutdown::Stop,
            // It is not supervised any more, and is being stopped.
            None => supervised.process().is_some(),
        };
        let mut waiting: Vec<_> = self.all().into_iter().filter(stops).collect();
        let mut work = JoinSet::new();
        let order = Arc::new(StopOrder::new(self, &waiting, end));
        for supervised in &waiting {
            let (core, supervised) = (Arc::clone(self), Arc::clone(supervised));
            let order = Arc::clone(&order);
            work.spawn(async move {
                order.turn_of(&supervised.name).await;
                // SIGKILL must come while there is time to see it work.
                let longest = || end.saturating_duration_since(Instant::now()).mul_f64(0.9);
                let _turn = match supervised.turn.try_lock() {
                    Ok(turn) => turn,
                    Err(_) => {
                        core.shorten_grace(&supervised, longest()).await;
                        supervised.turn.lock().await
                    }
                };
                let why = Some("the daemon stops".to_owned());
                // What cannot be ended is one of the stragglers.
                let _ = core
                    .stop_within(&supervised, why, After::StaysDown, longest())
                    .await;
                order.has_stopped(&supervised.name);
            });
        }
        let all = async { while work.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(end, all).await;
        waiting.retain(|supervised| supervised.process().is_some());
        if waiting.is_empty() {
            return Ok(());
        }
        let mut targets: Vec<_> = waiting
            .iter()
            .map(|supervised| supervised.name.clone())
            .collect();
        targets.sort();
        Err(Stragglers { targets, deadline })
    }

    /// Without the turn: who has it may be stopping the process, with a grace that is longer than the daemon has. Two
    /// stops of one process end it once, and nothing is started after it, for the daemon is closing.
    async fn shorten_grace(&self, supervised: &SupervisedTarget, longest: Duration) {
        if let (Some(identity), stop) = supervised.begin_stop() {
            self.ports
                .processes
                .stop(identity, stop.signal, stop.grace.min(longest))
                .await;
        }
    }
}
