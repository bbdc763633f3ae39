//! What a start of a target needs: its account, its environment with the mark, and what is known of the process before it
//! is there.

use super::{
    HostProcesses,
    account::{self, Account},
    launch::Launch,
    log, mark,
};
use crate::ports::ProcessError;
use mainstay_domain::{name::TargetName, record::ProcessIdentity, spec::ProcessSpec};
use std::{fs::File, sync::Arc};

/// Whom it runs as, where that is not the daemon's own user.
pub(super) fn account_of(spec: &ProcessSpec) -> Result<Option<Account>, ProcessError> {
    let found = |user: &str| {
        account::find(user).map_err(|why| ProcessError::Account {
            user: user.to_owned(),
            why,
        })
    };
    spec.user.as_deref().map(found).transpose()
}

impl HostProcesses {
    /// What is started, and all of its identity but the process.
    pub(super) fn prepare(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
        restarts: u32,
    ) -> Result<(Launch, ProcessIdentity), ProcessError> {
        let started_at = self.clock.now();
        let account = account_of(spec)?;
        if let Some(account) = &account {
            self.leftovers
                .run_as([(target.clone(), account.uid.as_raw())]);
        }
        let mut env = Vec::with_capacity(spec.env.len() + 1);
        for (name, value) in &spec.env {
            env.push((name.clone(), self.secrets.reveal(value)?));
        }
        env.push((
            mark::VARIABLE.to_owned(),
            self.marks.text(target, started_at, restarts),
        ));
        let launch = Launch {
            run: spec.run.clone(),
            cwd: spec.cwd.clone(),
            environment: Arc::clone(&self.environment),
            env_file: spec.env_file.clone(),
            env,
            account,
            umask: spec.umask,
            nice: spec.nice,
            nofile: spec.nofile,
            group: self.group_of(target, spec),
            log: log::path(&self.logs, target),
            preface: Vec::new(),
            rotations: self.rotations.clone(),
            log_max_bytes: spec.log_max_bytes,
            log_keep: spec.log_keep,
        };
        let identity = ProcessIdentity {
            pid: 0,
            start_ticks: 0,
            boot_id: self.boot_id.clone(),
            started_at,
            restarts,
            config: None,
            ended: None,
            completed: false,
            marked_as: None,
            output: None,
        };
        Ok((launch, identity))
    }

    /// What its control group is entered by. Where that cannot be had, why is kept.
    fn group_of(&self, target: &TargetName, spec: &ProcessSpec) -> Option<File> {
        let opened = self.groups.open(target, spec);
        let mut unbounded = self.unbounded.lock();
        match opened {
            Ok(group) => {
                unbounded.remove(target);
                group
            }
            Err(why) => {
                unbounded.insert(target.clone(), why);
                None
            }
        }
    }

    /// Sees whether a child is in the control group that it was to enter.
    pub(super) fn see_group(&self, target: &TargetName, spec: &ProcessSpec, pid: u32) {
        let is_bounded = spec.memory_max.is_some() || spec.cpu_max.is_some();
        if is_bounded && !self.groups.holds(target, pid) {
            let mut unbounded = self.unbounded.lock();
            let why = unbounded.entry(target.clone());
            why.or_insert_with(|| format!("process {pid} could not enter its control group"));
        }
    }
}
