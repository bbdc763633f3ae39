//! Operators' commands to the recovery engine, and their answers.

use super::RecoveryBoard;
use crate::ports::{Active, Boxed, Decision, RecoverRequest, RecoveryControl, Refused};
use mainstay_domain::{id::OperationId, name::TargetName, operation::Operation};
use tokio::sync::{mpsc, oneshot};

/// What an operator asks for.
pub(super) enum Command {
    Recover(
        RecoverRequest,
        oneshot::Sender<Result<OperationId, Refused>>,
    ),
    Decide(Decision, oneshot::Sender<Result<Operation, Refused>>),
    Pause {
        target: Option<TargetName>,
        paused: bool,
        by: String,
        answer: oneshot::Sender<Result<(), Refused>>,
    },
}

/// Sends commands to the engine.
#[derive(Clone)]
pub struct RecoveryHandle {
    commands: mpsc::Sender<Command>,
    board: RecoveryBoard,
}

impl RecoveryHandle {
    pub(super) fn new(commands: mpsc::Sender<Command>, board: RecoveryBoard) -> Self {
        Self { commands, board }
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Refused>>) -> Command,
    ) -> Result<T, Refused> {
        let stopping =
            || Refused("the recovery engine has stopped: the daemon is shutting down".to_owned());
        let (answer, answered) = oneshot::channel();
        self.commands
            .send(command(answer))
            .await
            .map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }
}

impl RecoveryControl for RecoveryHandle {
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>> {
        Box::pin(self.ask(|answer| Command::Recover(request, answer)))
    }

    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>> {
        Box::pin(self.ask(|answer| Command::Decide(decision, answer)))
    }

    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: String,
    ) -> Boxed<'_, Result<(), Refused>> {
        Box::pin(self.ask(move |answer| Command::Pause {
            target,
            paused,
            by,
            answer,
        }))
    }

    fn is_paused(&self, target: Option<&TargetName>) -> bool {
        self.board.is_paused(target)
    }

    fn active(&self) -> Vec<Active> {
        self.board.active()
    }
}
