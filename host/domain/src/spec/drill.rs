//! How a target may be broken on purpose, as configured.

use crate::{drill::DrillMethod, name::CommandName};

/// What breaks a target for a drill, beside killing and stopping its process; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrillSpec {
    /// What cuts it off, e.g. from the network.
    pub block: Option<DrillCommands>,
    /// What fills something of it, e.g. its disk.
    pub fill: Option<DrillCommands>,
    /// What else breaks it.
    pub command: Option<DrillCommands>,
}

/// A break, and what undoes it. Both are run without values for placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillCommands {
    /// Breaks it.
    pub run: CommandName,
    /// Undoes that, at the end of each drill, however it ended; so it must do no harm where nothing is broken any more.
    pub undo: CommandName,
}

impl DrillSpec {
    /// The commands of a method; none where the config names none, or the method needs none.
    pub fn commands(&self, method: DrillMethod) -> Option<&DrillCommands> {
        match method {
            DrillMethod::Kill | DrillMethod::Stop => None,
            DrillMethod::Block => self.block.as_ref(),
            DrillMethod::Fill => self.fill.as_ref(),
            DrillMethod::Command => self.command.as_ref(),
        }
    }
}
