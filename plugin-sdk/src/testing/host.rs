//! The scripted host itself.

mod answers;
#[cfg(feature = "contract-1-2")]
mod egress;
#[cfg(feature = "contract-1-1")]
mod newer;

use super::Effect;
use super::samples::NOW;
use super::script::Script;
use crate::host::*;
use std::collections::{BTreeMap, BTreeSet};

/// A host that answers by script and records the effects in order; see the [module](super).
#[derive(Debug)]
pub struct ScriptedHost {
    settings: String,
    now: Timestamp,
    effects: Vec<Effect>,
    logs: Vec<(Level, String)>,
    denied: BTreeSet<&'static str>,
    running: BTreeMap<String, bool>,
    values: BTreeMap<String, Vec<u8>>,
    backups: Vec<Backup>,
    statuses: Script<TargetStatus>,
    starts: Script<()>,
    stops: Script<()>,
    restarts: Script<()>,
    signals: Script<()>,
    checks: Script<Vec<Evidence>>,
    commands: Script<Output>,
    responses: Script<Response>,
    creations: Script<Backup>,
    restores: Script<Restored>,
    #[cfg(feature = "contract-1-1")]
    newer: newer::Newer,
    #[cfg(feature = "contract-1-2")]
    mails: Script<()>,
}

impl Default for ScriptedHost {
    fn default() -> Self {
        Self {
            settings: "{}".into(),
            now: NOW,
            effects: Vec::new(),
            logs: Vec::new(),
            denied: BTreeSet::new(),
            running: BTreeMap::new(),
            values: BTreeMap::new(),
            backups: Vec::new(),
            statuses: Script::default(),
            starts: Script::default(),
            stops: Script::default(),
            restarts: Script::default(),
            signals: Script::default(),
            checks: Script::default(),
            commands: Script::default(),
            responses: Script::default(),
            creations: Script::default(),
            restores: Script::default(),
            #[cfg(feature = "contract-1-1")]
            newer: newer::Newer::default(),
            #[cfg(feature = "contract-1-2")]
            mails: Script::default(),
        }
    }
}

/// One scripting method for each function whose answer a test may want to choose.
macro_rules! scripts {
    ($($(#[$doc:meta])* $method:ident($object:ident) -> $answer:ty = $script:ident;)*) => {
        impl ScriptedHost {
            $($(#[$doc])*
            pub fn $method(&mut self, $object: &str, answer: Result<$answer, EffectError>) -> &mut Self {
                self.$script.add($object, answer);
                self
            })*
        }
    };
}

scripts! {
    /// Scripts the next status of a target.
    on_status(target) -> TargetStatus = statuses;
    /// Scripts the next start of a target.
    on_start(target) -> () = starts;
    /// Scripts the next stop of a target.
    on_stop(target) -> () = stops;
    /// Scripts the next restart of a target.
    on_restart(target) -> () = restarts;
    /// Scripts the next signal to a target.
    on_signal(target) -> () = signals;
    /// Scripts the next run of a target's checks: the evidence of those that do not pass.
    on_check(target) -> Vec<Evidence> = checks;
    /// Scripts the next run of a command.
    on_command(name) -> Output = commands;
    /// Scripts the next response from a URL.
    on_http(url) -> Response = responses;
    /// Scripts the next backup of a job.
    on_backup_create(job) -> Backup = creations;
    /// Scripts the next restore of a backup, by its id.
    on_backup_restore(id) -> Restored = restores;
}

impl ScriptedHost {
    /// A host where everything works, at 2024-02-29T12:00:00Z, without settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the plugin's settings, a JSON object.
    pub fn set_settings(&mut self, json: impl ToString) -> &mut Self {
        self.settings = json.to_string();
        self
    }

    /// Sets the clock.
    pub fn set_now(&mut self, now: Timestamp) -> &mut Self {
        self.now = now;
        self
    }

    /// Says whether a target's process runs; an unnamed one does.
    pub fn set_running(&mut self, target: &str, running: bool) -> &mut Self {
        self.running.insert(target.to_owned(), running);
        self
    }

    /// Adds a stored backup.
    pub fn add_backup(&mut self, backup: Backup) -> &mut Self {
        self.backups.push(backup);
        self
    }

    /// Denies an interface of the contract (`targets`, `commands`, `http`, `kv`, `backups`, `signed-http` or `mail`), as a
    /// missing grant does.
    pub fn deny(&mut self, interface: &'static str) -> &mut Self {
        self.denied.insert(interface);
        self
    }

    /// The effects so far, in order; those that failed too.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The log lines so far, in order.
    pub fn logs(&self) -> &[(Level, String)] {
        &self.logs
    }

    /// Records an effect and refuses it if its interface is denied.
    fn perform(&mut self, effect: Effect) -> Result<(), EffectError> {
        let interface = effect.interface();
        self.effects.push(effect);
        match self.denied.contains(interface) {
            true => Err(EffectError::Denied(format!("{interface} is not granted"))),
            false => Ok(()),
        }
    }

    fn is_running(&self, target: &str) -> bool {
        self.running.get(target).copied().unwrap_or(true)
    }

    /// Gives a scripted answer, or success, and remembers what it means for the process.
    fn change(
        &mut self,
        target: &str,
        scripted: Option<Result<(), EffectError>>,
        running: bool,
    ) -> Result<(), EffectError> {
        scripted.unwrap_or(Ok(()))?;
        self.running.insert(target.to_owned(), running);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
