//! `drill` of a target: the commands that break it on purpose, and undo that.

use super::super::super::{context::EntityKind, reader::ValueAt, values::existing};
use mainstay_domain::{
    name::CommandName,
    spec::{DrillCommands, DrillSpec},
};

pub(super) fn drill(at: ValueAt<'_>) -> Option<DrillSpec> {
    at.fields("the target's drill", |fields| {
        Some(DrillSpec {
            block: fields.optional("block", commands),
            fill: fields.optional("fill", commands),
            command: fields.optional("command", commands),
        })
    })
}

/// A break without what undoes it is none: what is broken by a drill must not stay so.
fn commands(at: ValueAt<'_>) -> Option<DrillCommands> {
    at.fields("this drill", |fields| {
        let command = existing(EntityKind::Command, CommandName::parse);
        let run = fields.required("run", "run = \"cut-off\"", command);
        let command = existing(EntityKind::Command, CommandName::parse);
        let undo = fields.required("undo", "undo = \"let-in\"", command);
        Some(DrillCommands {
            run: run?,
            undo: undo?,
        })
    })
}
