//! Has a service that runs read its config anew.
//!
//! Invariant: nothing is stopped or started by it, and no state of the target changes.

use super::{Core, target::SupervisedTarget};
use mainstay_domain::{
    effect::EffectError,
    record::ProcessIdentity,
    spec::{Reload, RunAs},
};
use std::{path::PathBuf, time::Duration};

impl Core {
    pub(super) async fn reload_process(
        &self,
        supervised: &SupervisedTarget,
        present: Option<ProcessIdentity>,
    ) -> Result<(), EffectError> {
        let name = &supervised.name;
        let (Some(process), Some(identity)) = (supervised.process_spec(), present) else {
            return Err(EffectError::Failed(format!("{name}: it does not run")));
        };
        match &process.reload {
            None => Err(EffectError::Failed(format!(
                "{name}: its config has no `reload`"
            ))),
            Some(Reload::Signal(signal)) => {
                let sent = self.ports.processes.signal_alone(&identity, *signal);
                sent.map_err(|why| EffectError::Failed(format!("{name}: {why}")))
            }
            Some(Reload::Run(argv)) => {
                let mut env = process.env.clone();
                // What it leaves behind is the target's.
                env.extend(self.ports.processes.mark_of(name, &identity));
                let run_as = RunAs {
                    env,
                    user: process.user.clone(),
                };
                let cwd = process.cwd.clone();
                self.run_to_end(supervised, argv, cwd, Reload::TIMEOUT, run_as)
                    .await
            }
        }
    }

    /// Runs a command of a service to its end.
    pub(super) async fn run_to_end(
        &self,
        supervised: &SupervisedTarget,
        argv: &[String],
        cwd: PathBuf,
        timeout: Duration,
        run_as: RunAs,
    ) -> Result<(), EffectError> {
        let argv = argv.to_vec();
        let words = argv.join(" ");
        let output = self
            .ports
            .commands
            .run_foreign(supervised.name.clone(), argv, cwd, timeout, run_as)
            .await?;
        if output.exit_code == 0 {
            return Ok(());
        }
        // Errors are what people look for; where there are none, the rest may say more.
        let printed = [&output.stderr, &output.stdout];
        let printed = printed.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
        let last_of = |text: &str| {
            let last = text.lines().rev().find(|line| !line.trim().is_empty());
            last.map(str::to_owned)
        };
        let last = printed.iter().find_map(|text| last_of(text));
        let last = last.unwrap_or_else(|| "it printed nothing".to_owned());
        Err(EffectError::Failed(format!(
            "{}: `{words}` exited with code {}: {last}",
            supervised.name, output.exit_code
        )))
    }
}
