//! Start, stop, restart and reload by command.

use super::{
    Inner,
    allowed::refusal,
    words::{Stood, sentence},
};
use crate::ports::{Decision, Refused, TakenCommand, TargetCommand, TargetVerb};
use mainstay_domain::{
    effect::EffectError,
    event::{Event, EventKind, TargetCommanded},
    name::TargetName,
    orders::StopOrder,
    recovery::Verb,
    severity::Severity,
    spec::TargetSpec,
};
use std::sync::Arc;

impl Inner {
    pub(super) async fn take(
        self: Arc<Self>,
        command: TargetCommand,
    ) -> Result<TakenCommand, Refused> {
        let command = TargetCommand {
            by: self.ports.secrets.conceal_note(command.by),
            reason: self.ports.secrets.conceal_text(&command.reason),
            ..command
        };
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let target = spec
            .target(&command.target)
            .ok_or_else(|| Self::refused_as_unknown(&command.target))?;
        self.may(&command, target)?;
        let depends = |other: &&TargetSpec| other.depends_on.contains(&command.target);
        let dependents = spec.targets.iter().filter(depends);
        let dependents: Vec<TargetName> = dependents.map(|other| other.name.clone()).collect();
        match command.verb {
            TargetVerb::Stop => {
                let order = self.order_of(&command);
                let mut over = Vec::new();
                self.change(|orders| over = orders.stop(order)).await;
                self.say_nothing_any_more(&over).await;
            }
            TargetVerb::Reload => {}
            TargetVerb::Start | TargetVerb::Restart => {
                self.forget_stop(&command.target).await;
                self.ports.targets.release(&command.target);
            }
        }
        let taken = dependents.clone();
        let work = async move { self.work(command, dependents).await };
        Ok(TakenCommand {
            dependents: taken,
            work: Box::pin(work),
        })
    }

    /// Whether the state of the target and its config allow it.
    fn may(&self, command: &TargetCommand, target: &TargetSpec) -> Result<(), Refused> {
        let name = &command.target;
        let ordered = {
            let orders = self.orders.lock();
            orders.stopped(name).map(StopOrder::words)
        };
        let held = ordered.or_else(|| self.ports.targets.held(name));
        let own = target.process.as_ref();
        let pid = own.and_then(|_| self.ports.targets.status(name)?.pid);
        match refusal(command.verb, target, held.as_deref(), pid) {
            Some(why) => Err(Refused(why)),
            None => Ok(()),
        }
    }

    /// Does it, and says what came of it.
    async fn work(&self, command: TargetCommand, dependents: Vec<TargetName>) {
        let (name, targets) = (command.target.clone(), &self.ports.targets);
        let before = self.stood(&name);
        let bad_ends = targets.bad_ends(&name);
        let mut done = match command.verb {
            TargetVerb::Start => targets.start(name.clone()).await,
            TargetVerb::Restart => targets.restart(name.clone()).await,
            TargetVerb::Stop => self.stop(&command).await,
            TargetVerb::Reload => targets.reload(name.clone()).await,
        };
        if done.is_ok() && matches!(command.verb, TargetVerb::Start | TargetVerb::Restart) {
            // A program that ends at once was not started, for who waits for that.
            done = targets.stays_up(name.clone(), bad_ends).await;
        }
        let kind = match command.verb {
            TargetVerb::Start => EventKind::TargetStarted,
            TargetVerb::Stop => EventKind::TargetStopped,
            TargetVerb::Restart => EventKind::TargetRestarted,
            TargetVerb::Reload => EventKind::TargetReloaded,
        };
        let message = sentence(&command, &before, &self.stood(&name), &done);
        let (severity, outcome) = match done {
            Ok(()) => (Severity::Low, "done".to_owned()),
            Err(error) => (Severity::Medium, error.to_string()),
        };
        let facts = TargetCommanded {
            by: command.by.name.clone(),
            note: command.by.note.clone(),
            reason: command.reason.clone(),
            outcome,
            dependents,
        };
        let event = Event::new(kind, severity, self.ports.shared.clock.now(), message);
        let event = event.with_target(&name).with_data(facts);
        self.tell(event, "what came of a command").await;
    }

    /// How a target stands now.
    fn stood(&self, name: &TargetName) -> Stood {
        let status = self.ports.targets.status(name);
        let is_kept_stopped = self.orders.lock().stopped(name).is_some();
        Stood {
            is_supervised: status
                .as_ref()
                .is_some_and(|status| status.running.is_some()),
            pid: status.and_then(|status| status.pid),
            completed: self.ports.targets.has_completed(name),
            is_kept_stopped,
        }
    }

    async fn stop(&self, command: &TargetCommand) -> Result<(), EffectError> {
        let TargetCommand { target, by, .. } = command;
        let words = self.order_of(command).words();
        // What a handler begins after this is refused; what it has begun ends first.
        let active = self.ports.recovery.active(target);
        if let Some(id) = active.and_then(|active| active.operation) {
            let decision = Decision {
                id,
                revision: None,
                verb: Verb::Cancel,
                by: by.clone(),
                reason: format!("{target} is {words}"),
            };
            // It may have ended meanwhile, or be cancelled already.
            let _ = self.ports.recovery.decide(decision).await;
        }
        let hold = {
            // A start that came meanwhile takes the order back before it lets go of the target.
            let orders = self.orders.lock();
            let is_ordered = orders.stopped(target).is_some();
            is_ordered.then(|| self.ports.targets.hold(target.clone(), words))
        };
        let Some(hold) = hold else {
            return Err(EffectError::Unavailable(
                "it was to be started again before that".to_owned(),
            ));
        };
        let stopped = hold.await;
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let is_foreign = spec
            .target(target)
            .is_none_or(|target| target.process.is_none());
        if stopped.is_err() && is_foreign {
            // Whether it runs is for its checks to say, so they count again.
            self.ports.targets.release(target);
            self.forget_stop(target).await;
        }
        stopped
    }
}
