//! The supervisor as the others see it.

use super::{
    Core, Supervisor,
    target::{After, Intent, SupervisedTarget},
};
use crate::ports::{Boxed, ForeignProcess, NotStarted, ProcessUpdate, TargetControl, Unstarted};
use mainstay_domain::{
    effect::{EffectError, Signal, TargetStatus},
    health::Health,
    name::TargetName,
    record::ProcessIdentity,
};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    /// By a person, who keeps it so.
    Hold,
    Restart,
    Reload,
}

impl Supervisor {
    /// Works on a target when its turn comes, to the end, even where who asked is gone.
    fn in_turn(&self, target: TargetName, verb: Verb) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(async move {
            let core = Arc::clone(&self.core);
            core.reconciled.wait().await;
            let supervised = core.get(&target).ok_or_else(|| unknown(&target))?;
            if matches!(verb, Verb::Start | Verb::Restart) {
                core.refuse_if_held(&target)?;
            }
            let seen = supervised.process();
            let tasks = core.tasks.clone();
            let work = tasks.spawn(async move {
                let _turn = supervised.turn.lock().await;
                core.refuse_if_closing()?;
                if !supervised.is_listed() {
                    // Another config took it away while this waited: what was known of it is nobody's order any more.
                    return Err(unknown(&supervised.name));
                }
                if matches!(verb, Verb::Start | Verb::Restart) {
                    // A person may have stopped it while this waited.
                    core.refuse_if_held(&supervised.name)?;
                }
                match supervised.process_spec() {
                    Some(_) => core.control_process(&supervised, verb, seen).await,
                    None => core.work_on_foreign(&supervised, verb).await,
                }
            });
            let interrupted =
                |error| EffectError::TimedOut(format!("the work was interrupted: {error}"));
            work.await.map_err(interrupted)?
        })
    }
}

impl Core {
    fn refuse_if_closing(&self) -> Result<(), EffectError> {
        match self.is_closing() {
            true => Err(EffectError::Unavailable(
                "the daemon is stopping".to_owned(),
            )),
            false => Ok(()),
        }
    }

    async fn control_process(
        self: &Arc<Self>,
        supervised: &Arc<SupervisedTarget>,
        verb: Verb,
        seen: Option<ProcessIdentity>,
    ) -> Result<(), EffectError> {
        let present = supervised.process();
        match verb {
            Verb::Stop | Verb::Hold => {
                supervised.intend(Intent::StayDown);
                if verb == Verb::Hold {
                    let held = self.hold_news(&supervised.name);
                    self.ports.watch.process_changed(&supervised.name, held);
                }
                let stopped = self.stop_process(supervised, None, After::StaysDown).await;
                return stopped.map_err(EffectError::Failed);
            }
            Verb::Reload => return self.reload_process(supervised, present).await,
            Verb::Start if supervised.is_unended() => {
                supervised.intend(Intent::Run);
                return Err(EffectError::Unavailable(format!(
                    "{}: its process was killed and has not ended; it is started when that has",
                    supervised.name
                )));
            }
            Verb::Start if present.is_some() => return Ok(()),
            // It was replaced while this waited for its turn; once is enough.
            Verb::Restart if present.is_some() && present != seen => return Ok(()),
            Verb::Start => {}
            Verb::Restart => {
                // Also where it cannot be stopped now: it is started when it has ended.
                supervised.intend(Intent::Run);
                self.stop_process(supervised, None, After::StartsAgain)
                    .await
                    .map_err(EffectError::Unavailable)?;
            }
        }
        supervised.intend(Intent::Run);
        // Once more, for the stop may have lasted.
        self.refuse_if_closing()?;
        let launched = self.launch(supervised).await;
        launched.map_err(|why| {
            self.ports
                .watch
                .process_changed(&supervised.name, ProcessUpdate::Down(why.clone()));
            EffectError::Unavailable(why)
        })
    }
}

fn unknown(target: &TargetName) -> EffectError {
    EffectError::Failed(format!(
        "there is no target `{target}`; `mainstay status --all` lists all"
    ))
}

impl TargetControl for Supervisor {
    fn status(&self, target: &TargetName) -> Option<TargetStatus> {
        let supervised = self.core.get(target)?;
        let process = supervised.process();
        let health = self.core.ports.watch.health(target);
        Some(TargetStatus {
            health: health.map_or(Health::Unknown, |(health, _)| health),
            running: supervised.process_spec().map(|_| process.is_some()),
            pid: process.as_ref().map(|process| process.pid),
            started_at: process.map(|process| process.started_at),
            restarts: supervised.restarts(),
        })
    }

    fn identity(&self, target: &TargetName) -> Boxed<'_, Option<ProcessIdentity>> {
        let target = target.clone();
        Box::pin(async move {
            self.core.reconciled.wait().await;
            self.core.get(&target)?.process()
        })
    }

    fn foreign_process(&self, target: TargetName) -> Boxed<'_, Option<ForeignProcess>> {
        Box::pin(async move { self.core.foreign_process(&target).await })
    }

    fn service_pid(&self, target: &TargetName) -> Option<u32> {
        self.core.get(target)?.service_pid()
    }

    fn not_started(&self, target: &TargetName) -> Option<NotStarted> {
        self.core.get(target)?.not_started()
    }

    fn unstarted(&self, target: &TargetName) -> Option<Unstarted> {
        self.core.get(target)?.unstarted()
    }

    fn has_completed(&self, target: &TargetName) -> bool {
        let supervised = self.core.get(target);
        supervised.is_some_and(|supervised| supervised.has_completed())
    }

    fn bad_ends(&self, target: &TargetName) -> u64 {
        let supervised = self.core.get(target);
        supervised.map_or(0, |supervised| supervised.bad_ends().0)
    }

    fn stays_up(&self, target: TargetName, bad_ends: u64) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(async move { self.core.stays_up(&target, bad_ends).await })
    }

    fn start(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Start)
    }

    fn stop(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Stop)
    }

    fn restart(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Restart)
    }

    fn reload(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        self.in_turn(target, Verb::Reload)
    }

    fn hold(&self, target: TargetName, words: String) -> Boxed<'_, Result<(), EffectError>> {
        // Before its turn comes, so that nothing which waits for it starts it.
        self.core.held.lock().insert(target.clone(), words);
        self.core.ports.watch.row_changed(&target);
        self.in_turn(target, Verb::Hold)
    }

    fn release(&self, target: &TargetName) {
        self.core.held.lock().remove(target);
        self.core.ports.watch.row_changed(target);
    }

    fn held(&self, target: &TargetName) -> Option<String> {
        self.core.held(target)
    }

    fn signal(&self, target: TargetName, signal: Signal) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(async move {
            self.core.reconciled.wait().await;
            let supervised = self.core.get(&target).ok_or_else(|| unknown(&target))?;
            let process = supervised.process().ok_or_else(|| {
                EffectError::Failed(format!("{target}: it has no supervised process that runs"))
            })?;
            let sent = self.core.ports.processes.signal(&process, signal);
            sent.map_err(|why| EffectError::Failed(format!("{target}: {why}")))
        })
    }
}
