//! How a target is broken for a drill, and how that is undone.

use super::super::Inner;
use mainstay_domain::{
    drill::DrillMethod,
    effect::Signal,
    event::{Event, EventKind, TargetBroken},
    name::CommandName,
    orders::DrillOrder,
    record::Change,
    severity::Severity,
    spec::DrillCommands,
};
use std::sync::Arc;

/// So much of what a command prints is taken from it; nobody reads it.
const MOST_OUTPUT: u64 = 64 << 10;

/// The key of the command that breaks a target.
const BREAKS: &str = "run";

/// By which what a command of a drill left running is found.
fn key_of(order: &DrillOrder, step: &str) -> String {
    format!("drill-{}-{}-{step}", order.target, order.at.as_millis())
}

impl Inner {
    /// Puts on record that it is broken, then breaks it.
    pub(super) async fn break_it(&self, order: &DrillOrder) -> Result<(), String> {
        let DrillOrder {
            target,
            failure,
            method,
            by,
            note,
            ..
        } = order;
        let message = format!("{by} has {target} broken for a drill: {failure}, by {method}");
        let now = self.ports.shared.clock.now();
        let event = Event::new(EventKind::TargetBroken, Severity::Medium, now, message)
            .with_target(target)
            .with_data(TargetBroken {
                failure: failure.clone(),
                method: *method,
                by: by.clone(),
                note: note.clone(),
            });
        let told = self
            .ports
            .shared
            .journal
            .commit(vec![Change::Event(event)].into());
        told.await.map_err(|error| error.to_string())?;
        let signal = match method {
            DrillMethod::Kill => Signal::Kill,
            DrillMethod::Stop => Signal::Term,
            DrillMethod::Block | DrillMethod::Fill | DrillMethod::Command => {
                let commands = self.commands_of(order);
                let commands = commands.ok_or("the config does not name its commands any more")?;
                return self.run_for(order, &commands.run, BREAKS).await;
            }
        };
        let broken = self.ports.targets.signal(target.clone(), signal).await;
        broken.map_err(|error| error.to_string())
    }

    /// Ends what still breaks it: a daemon that was killed has left its command running, which would go on beside what undoes it.
    pub(super) async fn end_break(&self, order: &DrillOrder) {
        if !matches!(order.method, DrillMethod::Kill | DrillMethod::Stop) {
            self.ports.commands.end(key_of(order, BREAKS)).await;
        }
    }

    fn commands_of(&self, order: &DrillOrder) -> Option<DrillCommands> {
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let target = spec.target(&order.target)?;
        target.drill.commands(order.method).cloned()
    }

    /// Runs a command of the operator's; `step` tells the two of one drill apart.
    async fn run_for(
        &self,
        order: &DrillOrder,
        name: &CommandName,
        step: &str,
    ) -> Result<(), String> {
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let command = spec.commands.get(name).cloned();
        let command =
            command.ok_or_else(|| format!("the config has no command `{name}` any more"))?;
        let key = key_of(order, step);
        let commands = &self.ports.commands;
        let ran = commands.run(name.clone(), command, Vec::new(), key, MOST_OUTPUT);
        match ran.await {
            Ok(output) if output.exit_code == 0 => Ok(()),
            Ok(output) => Err(format!(
                "the command `{name}` ended with exit code {}",
                output.exit_code
            )),
            Err(error) => Err(format!("the command `{name}` failed: {error}")),
        }
    }

    /// Undoes what broke the target, and gives what came of its drill: where it cannot be undone, that too.
    pub(super) async fn undone(&self, order: &DrillOrder, outcome: String) -> String {
        if matches!(order.method, DrillMethod::Kill | DrillMethod::Stop) {
            return outcome;
        }
        let undone = match self.commands_of(order) {
            Some(commands) => self.run_for(order, &commands.undo, "undo").await,
            None => Err("the config does not name its commands any more".to_owned()),
        };
        match undone {
            Ok(()) => outcome,
            Err(why) => format!("{outcome}; what broke it is not undone: {why}; undo it by hand"),
        }
    }
}
