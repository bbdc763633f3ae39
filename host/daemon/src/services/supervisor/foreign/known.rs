//! What is known of a foreign service: how often its commands started it, why they did not, and its process.

use super::{
    super::{Core, port::Verb, target::SupervisedTarget},
    stopped::said,
};
use crate::ports::{ForeignProcess, NotStarted};
use mainstay_domain::{effect::EffectError, name::TargetName, spec::CheckKind};
use std::{path::PathBuf, sync::Arc};

impl Core {
    /// Works on a foreign service, and keeps what came of it for those who look at it.
    pub(in super::super) async fn work_on_foreign(
        &self,
        supervised: &SupervisedTarget,
        verb: Verb,
    ) -> Result<(), EffectError> {
        let done = self.control_foreign(supervised, verb).await;
        match (verb, &done) {
            (Verb::Start | Verb::Restart, Ok(())) => supervised.started_by_command(),
            (Verb::Start | Verb::Restart, Err(error)) => {
                supervised.not_started_by_command(Some(NotStarted {
                    at: self.ports.shared.clock.now(),
                    why: without_name(&supervised.name, said(error.clone())),
                }));
            }
            (Verb::Stop | Verb::Hold, Ok(())) => supervised.not_started_by_command(None),
            (Verb::Stop | Verb::Hold, Err(_)) | (Verb::Reload, _) => {}
        }
        if !matches!(verb, Verb::Reload) {
            self.foreign_process(&supervised.name).await;
        }
        self.ports.watch.row_changed(&supervised.name);
        done
    }

    /// The process of a foreign service, by its pid file; none of a target that is supervised or unknown.
    pub(in super::super) async fn foreign_process(
        &self,
        target: &TargetName,
    ) -> Option<ForeignProcess> {
        let supervised = self.get(target)?;
        if supervised.process_spec().is_some() {
            return None;
        }
        let own = supervised.commands().pid_file;
        let pid_file = own.or_else(|| self.checked_pid_file(target));
        let named = match &pid_file {
            Some(file) => self.ports.pid_files.named(file.clone()).await,
            None => Ok(None),
        };
        let pid = match named {
            Ok(process) => Ok(process.map(|process| process.pid)),
            Err(refused) => Err(refused.to_string()),
        };
        // Who sees all targets sees what was seen last, for to look takes a while.
        if supervised.set_service_pid(pid.clone().ok().flatten()) {
            self.ports.watch.row_changed(target);
        }
        Some(ForeignProcess { pid_file, pid })
    }

    /// Looks which processes foreign services have now, one after the other; not while the look before lasts.
    pub(in super::super) fn name_foreign(self: &Arc<Self>) {
        let Ok(turn) = Arc::clone(&self.naming).try_lock_owned() else {
            return;
        };
        let core = Arc::clone(self);
        self.background.spawn(async move {
            let _turn = turn;
            for supervised in core.all() {
                if core.is_closing() {
                    return;
                }
                core.foreign_process(&supervised.name).await;
            }
        });
    }

    /// The first pid file that a check of a target names.
    fn checked_pid_file(&self, target: &TargetName) -> Option<PathBuf> {
        let spec = self.spec.borrow();
        let mut checks = spec.target(target)?.checks.iter();
        checks.find_map(|check| match &check.kind {
            CheckKind::Process { pid_file }
            | CheckKind::Memory { pid_file, .. }
            | CheckKind::Cpu { pid_file, .. } => pid_file.clone(),
            _ => None,
        })
    }
}

/// A sentence about a target, for who sees of which it is.
fn without_name(target: &TargetName, sentence: String) -> String {
    let rest = sentence.strip_prefix(target.as_str());
    let rest = rest.and_then(|rest| rest.strip_prefix(": "));
    match rest {
        Some(rest) => rest.to_owned(),
        None => sentence,
    }
}
