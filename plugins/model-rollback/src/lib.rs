//! Rolls models back to their last stable version, else to their baseline, and has the target load them.
//!
//! Invariant: where no model has a version to go back to, it is no success: a person is asked.
//! Invariant: a dry run writes nothing.
//!
//! What it does to files is not journaled: after a crash of the host it is called anew, and a file beside each model says what the
//! call has done to it.

mod decide;
mod registry;

use decide::{Model, Rollback, choose, is_name};
use mainstay_plugin_sdk::recovery::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Which models, and how they are loaded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackSettings {
    /// The registry, as the grant `dir` names it: a directory for each model, with `current_version`,
    /// `last_stable_version` and `versions/`.
    registry: PathBuf,
    /// The models that are rolled back; default all. The chain's step may name others: `params = { models = ["fraud"] }`.
    #[serde(default)]
    models: Vec<Name>,
    /// The version to go back to where the last stable one is not there, or failed too; default `baseline`.
    baseline: Option<Name>,
    /// How the target loads them: `restart`, `SIGHUP`, or `none` where it looks by itself; default `restart`.
    #[serde(default)]
    load: Load,
}

/// What the chain's step may say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RollbackParams {
    /// The models that are rolled back; default those of the settings.
    models: Vec<Name>,
}

/// The name of a model or of a version.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match is_name(&text) {
            true => Ok(Self(text)),
            false => Err(format!(
                "found {text:?}, expected the name of a file or a directory, without `/` and no `.` at its beginning"
            )),
        }
    }
}

/// How a target loads its models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
enum Load {
    /// It is restarted.
    #[default]
    #[serde(rename = "restart")]
    Restart,
    /// Its process gets SIGHUP.
    #[serde(rename = "SIGHUP")]
    Hangup,
    /// It looks by itself.
    #[serde(rename = "none")]
    Nothing,
}

/// Rolls back.
#[derive(Debug, Default)]
pub struct ModelRollback;

impl RecoveryHandler for ModelRollback {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let params: RollbackParams = op.params_as()?;
        let settings: RollbackSettings = host.settings()?;
        let registry = settings.registry.as_path();
        let baseline = settings
            .baseline
            .as_ref()
            .map_or("baseline", |name| name.0.as_str());
        let names = names(registry, &params.models, &settings.models)?;
        let call = format!("{} {}", op.id, op.attempt);
        let mut report = Report::default();
        let mut left = Vec::new();
        for name in &names {
            let found = registry::read(registry, name, baseline);
            let model: Model = found.map_err(|error| cannot("read", registry, name, &error))?;
            let Some(rollback) = choose(&model, baseline, &op.incident, &call) else {
                left.push(kept(name, &model, baseline));
                continue;
            };
            if !op.dry_run {
                let taken = registry::take(registry, name, &rollback);
                taken.map_err(|error| cannot("write", registry, name, &error))?;
            }
            report = report.and(told(name, &rollback, op.dry_run));
        }
        if report.actions.is_empty() {
            return Err(RecoveryFailure::NeedsOperator(steps(&left, registry)));
        }
        for kept in left {
            report = report.and(kept);
        }
        load(settings.load, op, host, report)
    }
}

/// The models that are rolled back: those of the step, else of the settings, else all.
fn names(registry: &Path, step: &[Name], settings: &[Name]) -> Result<Vec<String>> {
    let named = if step.is_empty() { settings } else { step };
    if !named.is_empty() {
        return Ok(named.iter().map(|name| name.0.clone()).collect());
    }
    let found = registry::models(registry);
    let found = found.map_err(|error| {
        RecoveryFailure::Permanent(format!(
            "cannot read {}: {error}; grant it to the plugin with `dir`",
            registry.display()
        ))
    })?;
    if found.is_empty() {
        return Err(RecoveryFailure::Permanent(format!(
            "{} has no model: a directory with the file `current_version`",
            registry.display()
        )));
    }
    Ok(found)
}

fn cannot(what: &str, registry: &Path, name: &str, error: &dyn Display) -> RecoveryFailure {
    let path = registry.join(name);
    RecoveryFailure::Permanent(format!(
        "cannot {what} {}: {error}; grant the registry to the plugin with `dir`, to write",
        path.display()
    ))
}

fn told(name: &str, rollback: &Rollback, dry_run: bool) -> String {
    let did = if dry_run { "would roll" } else { "rolled" };
    format!(
        "{did} {name} back from {} to {}",
        rollback.left(),
        rollback.taken()
    )
}

fn kept(name: &str, model: &Model, baseline: &str) -> String {
    let current = model.current.as_deref().unwrap_or("none");
    let stable = model.stable.as_deref().unwrap_or("none");
    format!(
        "left {name} at {current}: its last stable version ({stable}) and {baseline} are it, are not there, or failed too"
    )
}

/// What a person has to do where no model could be rolled back.
fn steps(left: &[String], registry: &Path) -> Vec<String> {
    let mut steps = left.to_vec();
    steps.push(format!(
        "put a version that works into `versions` of the model in {}, and its name into `current_version`",
        registry.display()
    ));
    steps.push("approve this operation when its checks pass".to_owned());
    steps
}

/// Has the target load what was rolled back.
fn load(load: Load, op: &Operation, host: &mut impl Host, report: Report) -> Result<Report> {
    let target = &op.target;
    Ok(match load {
        Load::Nothing => report,
        Load::Restart => {
            host.target(target).restart()?;
            report.and(format!("restarted {target}"))
        }
        Load::Hangup => {
            host.target(target).signal(Signal::Hup)?;
            report.and(format!("sent SIGHUP to {target}"))
        }
    })
}

export_recovery_handler!(
    ModelRollback,
    handles = ["ml-model-failure"],
    capabilities = [
        "dir" => "read the registry of models and change which version is current; not journaled",
        "target" => "have the target load it: `restart`, or `signal` where `load` says SIGHUP",
    ],
    settings = RollbackSettings,
);

#[cfg(test)]
mod tests;
