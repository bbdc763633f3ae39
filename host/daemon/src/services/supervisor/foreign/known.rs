//! What is known of a foreign service: how often its commands started it, why they did not, and its process.

use super::{
    super::{Core, port::Verb, target::SupervisedTarget},
    stopped::said,
};
use crate::ports::{ForeignProcess, NotStarted};
use mainstay_domain::{
    effect::EffectError,
    name::TargetName,
    spec::{CheckKind, Spec, TargetSpec},
};
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
        let checked = || {
            let spec = self.spec.borrow();
            checked_pid_file(spec.target(target)?).cloned()
        };
        let pid_file = supervised.commands().pid_file.or_else(checked);
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

    /// Looks which processes foreign services have now, by the config that applies, one after the other; not while the look
    /// before lasts. Those that name no pid file are looked at once with each config, for the one before may have named one.
    pub(in super::super) fn name_foreign(self: &Arc<Self>, spec: &Arc<Spec>) {
        let Ok(mut turn) = Arc::clone(&self.naming).try_lock_owned() else {
            return;
        };
        let (core, spec) = (Arc::clone(self), Arc::clone(spec));
        self.background.spawn(async move {
            let (of, with_file) = &mut *turn;
            let is_same = std::ptr::eq(of.as_ptr(), Arc::as_ptr(&spec));
            if !is_same {
                let all = spec.targets.iter();
                *with_file = all.map(|target| target.name.clone()).collect();
            }
            for target in &*with_file {
                if core.is_closing() {
                    return;
                }
                core.foreign_process(target).await;
            }
            if !is_same {
                let named = spec.targets.iter().filter(|target| names_pid_file(target));
                *with_file = named.map(|target| target.name.clone()).collect();
                *of = Arc::downgrade(&spec);
            }
        });
    }
}

/// Whether it is a foreign service whose process is known by a pid file.
fn names_pid_file(target: &TargetSpec) -> bool {
    let own = target.commands.pid_file.as_ref();
    target.process.is_none() && own.or_else(|| checked_pid_file(target)).is_some()
}

/// The first pid file that a check of a target names.
fn checked_pid_file(target: &TargetSpec) -> Option<&PathBuf> {
    let mut checks = target.checks.iter();
    checks.find_map(|check| match &check.kind {
        CheckKind::Process { pid_file }
        | CheckKind::Memory { pid_file, .. }
        | CheckKind::Cpu { pid_file, .. } => pid_file.as_ref(),
        _ => None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs::{check, child, target};

    #[test]
    fn only_foreign_services_that_name_a_pid_file_are_looked_at_again_and_again() {
        let mut by_check = check("it");
        by_check.kind = CheckKind::Process {
            pid_file: Some("/run/it.pid".into()),
        };
        let mut own = target("own", vec![check("tcp")]);
        own.commands.pid_file = Some("/run/own.pid".into());
        let mut supervised = child("supervised", &["/bin/true"]);
        supervised.checks = vec![by_check.clone()];
        for (target, expected) in [
            (own, true),
            (target("checked", vec![check("tcp"), by_check]), true),
            (target("neither", vec![check("tcp")]), false),
            (supervised, false),
        ] {
            assert_eq!(names_pid_file(&target), expected, "{}", target.name);
        }
    }
}
