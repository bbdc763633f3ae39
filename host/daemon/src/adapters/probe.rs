//! Looks at targets: HTTP, TCP, TLS, services in their own protocols, processes, programs, files, file systems, memory,
//! CPU use, logs, detectors.
//!
//! Invariant: a look ends within the check's timeout, and what goes wrong is what was seen; there is no error. Where it
//! needs a thread, it begins when it has one, within the check's period: that the daemon is busy fails no target. So does
//! one that needs an address begin when its name was looked up, for which it has as long as for the look.
//! Invariant: what the host cannot do for reasons of its own is unknown, and no failure of the target: it has no
//! descriptors, no memory, no thread, no secret, no answer of a name server, was held up, or its clock was set.
//! Invariant: a look leaves no connection and no process behind. One that hangs in the kernel leaves its thread, the only one.

mod address;
mod blocking;
mod checksums;
mod clients;
mod cpu;
mod detector;
mod exec;
mod file;
mod groups;
mod hops;
mod http;
mod links;
mod local;
mod log;
mod names;
mod own_answer;
mod owner;
mod pid_numbers;
mod places;
mod seen;
mod services;
mod sockets;
mod steps;
mod tail;
mod tcp;
#[cfg(test)]
mod tests;
mod timing;
mod tls;
mod unix;
mod words;

use super::{environment::ChildEnvironment, limits, process::log_of};
use crate::ports::{Boxed, Clock, Detectors, LogEnd, Probe, Secrets};
use blocking::BlockingLooks;
use clients::HttpClients;
use cpu::CpuLooks;
use groups::Groups;
use log::LogLooks;
use mainstay_domain::{
    health::{Evidence, Observation, Outcome},
    spec::{CheckKind, CheckSpec, TargetSpec},
    text::last_lines,
};
use names::NameLooks;
use owner::Owners;
use seen::Seen;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use steps::Steps;
use tail::LogTails;
use timing::{in_time, read_within, within};
use words::length;

/// Looks from this machine.
pub struct HostProbe {
    http: Arc<HttpClients>,
    names: NameLooks,
    blocking: BlockingLooks,
    groups: Arc<Groups>,
    cpu: CpuLooks,
    logs: Arc<LogLooks>,
    tails: LogTails,
    state_dir: PathBuf,
    owners: Owners,
    secrets: Arc<dyn Secrets>,
    environment: Arc<ChildEnvironment>,
    clock: Arc<dyn Clock>,
    detectors: Option<Arc<dyn Detectors>>,
    steps: Steps,
}

impl HostProbe {
    /// The TLS provider of the program must be installed. `secrets` are put where the config of a check names them, and
    /// taken out of what programs print. The error is that of the HTTP client.
    pub fn new(
        secrets: Arc<dyn Secrets>,
        environment: Arc<ChildEnvironment>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        let names = NameLooks::new();
        Ok(Self {
            http: Arc::new(HttpClients::new(&names)?),
            names,
            blocking: BlockingLooks::new(),
            groups: Arc::default(),
            cpu: CpuLooks::default(),
            logs: Arc::default(),
            tails: LogTails::new(),
            state_dir: PathBuf::new(),
            owners: Owners::default(),
            secrets,
            environment,
            clock,
            detectors: None,
            steps: Steps::default(),
        })
    }

    /// Where the logs of supervised processes are.
    #[must_use]
    pub fn with_logs_of(self, state_dir: &Path) -> Self {
        let state_dir = state_dir.to_owned();
        Self { state_dir, ..self }
    }

    /// Who makes the checks of plugins.
    #[must_use]
    pub fn with_detectors(self, detectors: Arc<dyn Detectors>) -> Self {
        let detectors = Some(detectors);
        Self { detectors, ..self }
    }

    /// The error is what is seen where the look itself could not be done.
    async fn look(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Result<Seen, Seen> {
        match &check.kind {
            CheckKind::Http(http) => {
                // Apart, for it is long: every look of another kind would take as much memory.
                let (to, seen) = Box::pin(self.look_at_url(target, check, http)).await?;
                Ok(self.own_answer(target, check, pid, to, seen).await)
            }
            CheckKind::Tcp {
                address,
                warn_latency,
            } => {
                let to = self.addresses_of(address, check).await?;
                let seen = within(check, tcp::connect(address, &to, *warn_latency)).await;
                Ok(self.own_answer(target, check, pid, to, seen).await)
            }
            CheckKind::Unix { path, warn_latency } => {
                self.look_at_socket(target, check, pid, path, *warn_latency)
                    .await
            }
            CheckKind::Tls {
                address,
                server_name,
                days,
            } => {
                let to = self.addresses_of(address, check).await?;
                let look = tls::look(address, &to, server_name.as_deref(), *days, &*self.clock);
                let seen = within(check, Box::pin(look)).await;
                Ok(self.own_answer(target, check, pid, to, seen).await)
            }
            // Apart, as that of a URL.
            CheckKind::Exec(exec) => Box::pin(self.run_program(target, check, exec)).await,
            CheckKind::Process { .. }
            | CheckKind::File { .. }
            | CheckKind::Disk { .. }
            | CheckKind::Memory { .. } => {
                if let Some(seen) = file::look_at_once(&check.kind, self.clock.now()) {
                    return Ok(seen);
                }
                let turn = self.blocking.turn(&target.name, check).await?;
                let (of, now) = (Arc::clone(check), self.clock.now());
                let groups = Arc::clone(&self.groups);
                let look = turn.run(move || local::look(&of.kind, pid, now, &groups));
                let look = async { look.await.unwrap_or_else(|seen| seen) };
                Ok(read_within(check, look).await)
            }
            CheckKind::Cpu {
                max_percent,
                degraded_percent,
                pid_file,
            } => {
                let turn = self.blocking.turn(&target.name, check).await?;
                let (groups, clock) = (Arc::clone(&self.groups), Arc::clone(&self.clock));
                let file = pid_file.clone();
                let read = turn.run(move || -> Result<_, Seen> {
                    let (pid, kin) = local::measured(file.as_deref(), pid)?;
                    Ok((kin, cpu::read(pid, kin, &groups, &*clock)))
                });
                let look = async {
                    let limits = (*max_percent, *degraded_percent);
                    match read.await {
                        Ok(Ok((kin, read))) => {
                            self.cpu.judge(&target.name, check, kin, read, limits)
                        }
                        Ok(Err(seen)) | Err(seen) => seen,
                    }
                };
                Ok(read_within(check, look).await)
            }
            CheckKind::Log { path, pattern } => {
                let turn = self.blocking.turn(&target.name, check).await?;
                let own = || log_of(&self.state_dir, &target.name);
                let file = path.clone().unwrap_or_else(own);
                let (logs, pattern) = (Arc::clone(&self.logs), pattern.clone());
                let (secrets, of) = (Arc::clone(&self.secrets), Arc::clone(check));
                let target = target.name.clone();
                let look = turn.run(move || logs.look(target, &of, &file, &pattern, &*secrets));
                // A file system that does not answer says nothing about who writes the log.
                let late = |late: Seen| Err(late.into_unknown());
                let seen = in_time(check, check.timeout, look).await;
                seen.unwrap_or_else(late)
            }
            CheckKind::Heartbeat => Err(Seen::failed(
                "heartbeats come to the monitor; there is nothing to look at",
            )),
            CheckKind::Plugin(_) => {
                let now = self.clock.now();
                Ok(detector::look(self.detectors.as_deref(), target, check, now).await)
            }
            // Apart too.
            _ => Box::pin(self.ask(target, check, pid)).await,
        }
    }
}

impl Probe for HostProbe {
    fn observe(
        &self,
        target: Arc<TargetSpec>,
        check: Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Boxed<'_, Option<Observation>> {
        Box::pin(async move {
            let observed_at = self.clock.now();
            self.steps.look(&*self.clock);
            // Once more where the daemon was held up, for that says nothing about the target; if that is so again, then
            // neither does this.
            let mut is_last = false;
            let seen = loop {
                let seen = self.look(&target, &check, pid).await;
                if is_last || !seen.as_ref().is_ok_and(|seen| seen.is_late) {
                    break seen;
                }
                is_last = true;
            };
            let mut seen = self
                .steps
                .judge(&*self.clock, seen.unwrap_or_else(|seen| seen));
            if seen.outcome == Some(Outcome::Failed) {
                // What fails while the host lacks something itself may fail for that.
                let lack = limits::lack().map(|lack| format!("the host itself: {lack}"));
                let held_up = || seen.is_late.then(|| "the host was held up".to_owned());
                if let Some(why) = lack.or_else(held_up) {
                    seen = Seen::unknown(format!("{} ({why})", seen.message));
                }
            }
            let outcome = seen.outcome?;
            let message = match outcome {
                // Of what is well only programs say anything, and theirs were taken out.
                Outcome::Healthy => seen.message,
                _ => self.secrets.conceal_text(&seen.message),
            };
            let output = match (outcome, seen.output) {
                (Outcome::Failed, Some(printed)) => last_lines(&printed),
                (Outcome::Failed, None) => self.log_end(&target, Some(&*check)).await,
                _ => None,
            };
            Some(Observation {
                target: target.name.clone(),
                check: check.name.clone(),
                outcome,
                evidence: Evidence {
                    check: check.name.to_string(),
                    observed_at,
                    message,
                    value: seen.value,
                    output,
                    score: None,
                },
            })
        })
    }

    fn last_lines(&self, target: Arc<TargetSpec>) -> Boxed<'_, Option<String>> {
        Box::pin(async move { self.log_end(&target, None).await })
    }

    fn end_of_log(&self, target: Arc<TargetSpec>) -> Boxed<'_, Option<LogEnd>> {
        Box::pin(async move { self.long_log_end(&target).await })
    }
}
