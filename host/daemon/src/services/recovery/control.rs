//! Operators' commands to the recovery machine, and their answers.

use super::RecoverySnapshot;
use crate::ports::{
    AcknowledgeRequest, Active, Boxed, Decision, PauseRequest, PhaseRequest, RecoverRequest,
    RecoveryControl, Refused, Resolution,
};
use mainstay_domain::{
    actor::Actor,
    id::OperationId,
    name::TargetName,
    operation::Operation,
    policy::{EffectivePolicy, GateNumbers, Phase},
    recovery::{CaseKey, Command, NewSignal, PolicyOrder, Reply},
    spec::PhaseSpec,
    time::Timestamp,
};
use tokio::sync::{mpsc, oneshot};

/// A command, and where its reply goes.
pub(super) struct Asked {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Reply>,
}

/// Sends commands to the driver.
#[derive(Clone)]
pub struct RecoveryHandle {
    asked: mpsc::Sender<Asked>,
    gate: mpsc::Sender<oneshot::Sender<GateNumbers>>,
    snapshot: RecoverySnapshot,
}

impl RecoveryHandle {
    pub(super) fn new(
        asked: mpsc::Sender<Asked>,
        gate: mpsc::Sender<oneshot::Sender<GateNumbers>>,
        snapshot: RecoverySnapshot,
    ) -> Self {
        Self {
            asked,
            gate,
            snapshot,
        }
    }

    async fn reply_to(&self, command: Command) -> Result<Reply, Refused> {
        let stopping =
            || Refused("the recovery engine has stopped: the daemon is shutting down".to_owned());
        let (answer, answered) = oneshot::channel();
        self.asked
            .send(Asked { command, answer })
            .await
            .map_err(|_| stopping())?;
        match answered.await.map_err(|_| stopping())? {
            Reply::Refused(refusal) => Err(Refused(refusal.to_string())),
            reply => Ok(reply),
        }
    }

    async fn ask(&self, command: Command) -> Result<Option<Operation>, Refused> {
        match self.reply_to(command).await? {
            Reply::Operation(operation) => Ok(Some(*operation)),
            Reply::Done | Reply::Policy(_) | Reply::Refused(_) => Ok(None),
        }
    }

    async fn ask_for_policy(&self, command: Command) -> Result<EffectivePolicy, Refused> {
        match self.reply_to(command).await? {
            Reply::Policy(policy) => Ok(*policy),
            _ => Err(Refused(
                "the command was answered without the policy".to_owned(),
            )),
        }
    }

    async fn ask_for_operation(&self, command: Command) -> Result<Operation, Refused> {
        let operation = self.ask(command).await?;
        operation
            .ok_or_else(|| Refused("the command was answered without its operation".to_owned()))
    }
}

impl RecoveryControl for RecoveryHandle {
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>> {
        let RecoverRequest {
            target,
            failure,
            dry_run,
            mode,
            by,
        } = request;
        let key = CaseKey { target, failure };
        Box::pin(async move {
            let command = Command::Recover {
                key,
                dry_run,
                mode,
                by,
            };
            Ok(self.ask_for_operation(command).await?.id)
        })
    }

    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>> {
        let Decision {
            id,
            revision,
            verb,
            by,
            reason,
        } = decision;
        Box::pin(self.ask_for_operation(Command::Decide {
            id,
            revision,
            verb,
            by,
            reason,
        }))
    }

    fn acknowledge(&self, request: AcknowledgeRequest) -> Boxed<'_, Result<(), Refused>> {
        let AcknowledgeRequest {
            incident,
            target,
            failure,
            reason,
            by,
        } = request;
        Box::pin(async move {
            let command = Command::Acknowledge {
                key: CaseKey { target, failure },
                incident,
                by,
                reason,
            };
            self.ask(command).await.map(drop)
        })
    }

    fn resolve(&self, resolution: Resolution) -> Boxed<'_, Result<Operation, Refused>> {
        let Resolution {
            id,
            number,
            found,
            by,
        } = resolution;
        Box::pin(self.ask_for_operation(Command::Resolve {
            id,
            number,
            found,
            by,
        }))
    }

    fn signal(&self, signal: NewSignal) -> Boxed<'_, Result<Operation, Refused>> {
        Box::pin(self.ask_for_operation(Command::Signal(signal)))
    }

    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>> {
        Box::pin(async move {
            let command = Command::Pause { target, paused, by };
            self.ask(command).await.map(drop)
        })
    }

    fn pause_for(&self, request: PauseRequest) -> Boxed<'_, Result<(), Refused>> {
        let PauseRequest {
            target,
            length,
            reason,
            by,
        } = request;
        Box::pin(async move {
            let command = Command::PauseFor {
                target,
                length,
                reason,
                by,
            };
            self.ask(command).await.map(drop)
        })
    }

    fn is_paused(&self, target: Option<&TargetName>) -> bool {
        self.snapshot.is_paused(target)
    }

    fn paused_until(&self, target: Option<&TargetName>) -> Option<Timestamp> {
        self.snapshot.paused_until(target)
    }

    fn phase(&self) -> Phase {
        self.snapshot.phase()
    }

    fn phase_rule(&self) -> PhaseSpec {
        self.snapshot.phase_rule()
    }

    fn set_phase(&self, request: PhaseRequest) -> Boxed<'_, Result<(), Refused>> {
        let PhaseRequest { to, reason, by } = request;
        Box::pin(async move {
            let command = Command::SetPhase { to, reason, by };
            self.ask(command).await.map(drop)
        })
    }

    fn policy(&self, target: TargetName) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        Box::pin(self.ask_for_policy(Command::ShowPolicy(target)))
    }

    fn set_policy(&self, order: PolicyOrder) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        Box::pin(self.ask_for_policy(Command::SetPolicy(order)))
    }

    fn active(&self, target: &TargetName) -> Option<Active> {
        self.snapshot.active(target)
    }

    fn gate(&self) -> Boxed<'_, Option<GateNumbers>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.gate.send(answer).await.ok()?;
            answered.await.ok()
        })
    }
}
