//! Looks at targets: HTTP, TCP, TLS, processes, programs, files, file systems, memory, CPU use, logs.
//!
//! Invariant: a look ends within the check's timeout, and what goes wrong is what was seen; there is no error. Where it
//! needs a thread, it begins when it has one, within the check's period: that the daemon is busy fails no target.
//! Invariant: a look leaves nothing behind: connections are not kept, programs are killed with their group. Only one that
//! hangs in the kernel leaves its thread there, and is the only one of its check.

mod blocking;
mod cpu;
mod exec;
mod groups;
mod http;
mod local;
mod log;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod unix;
mod words;

use super::{environment::ChildEnvironment, process::log_of, secrets::concealed_text};
use crate::ports::{Boxed, Clock, Probe, Secrets};
use blocking::BlockingLooks;
use cpu::CpuLooks;
use groups::Groups;
use http::HttpClients;
use log::LogLooks;
use mainstay_domain::{
    health::{Evidence, Observation, Outcome},
    spec::{CheckKind, CheckSpec, TargetSpec, Trust},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use words::{cause, io_cause, length, no_answer};

/// A time-out that comes so much too late shows that the daemon itself was held up: it was stopped, or had no processor.
const HELD_UP: Duration = Duration::from_millis(250);

/// Looks from this machine.
pub struct HostProbe {
    http: Arc<HttpClients>,
    blocking: BlockingLooks,
    groups: Arc<Groups>,
    cpu: CpuLooks,
    logs: Arc<LogLooks>,
    state_dir: PathBuf,
    secrets: Arc<dyn Secrets>,
    environment: Arc<ChildEnvironment>,
    clock: Arc<dyn Clock>,
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    /// None where it is too soon to say.
    outcome: Option<Outcome>,
    message: String,
    value: Option<f64>,
    /// It ran out of time while the daemon itself was held up.
    is_late: bool,
}

impl Seen {
    fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome: Some(outcome),
            message: message.into(),
            value: None,
            is_late: false,
        }
    }

    /// There is nothing to say yet; why.
    fn too_soon(message: impl Into<String>) -> Self {
        Self {
            outcome: None,
            ..Self::new(Outcome::Healthy, message)
        }
    }

    /// The look could not be done, for a reason that says nothing about the target; which one. It counts as nothing.
    fn not_done(why: impl Into<String>) -> Self {
        let seen = Self::too_soon(why);
        tracing::warn!(why = %seen.message, "a check could not look");
        seen
    }

    fn healthy(message: impl Into<String>) -> Self {
        Self::new(Outcome::Healthy, message)
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, message)
    }

    fn with_value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }
}

impl HostProbe {
    /// The TLS provider of the program must be installed. `secrets` are put where the config of a check names them, and
    /// taken out of what programs print. The error is that of the HTTP client.
    pub fn new(
        secrets: Arc<dyn Secrets>,
        environment: Arc<ChildEnvironment>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: Arc::new(HttpClients::new()?),
            blocking: BlockingLooks::new(),
            groups: Arc::default(),
            cpu: CpuLooks::default(),
            logs: Arc::default(),
            state_dir: PathBuf::new(),
            secrets,
            environment,
            clock,
        })
    }

    /// Where the logs of supervised processes are.
    #[must_use]
    pub fn with_logs_of(self, state_dir: &Path) -> Self {
        let state_dir = state_dir.to_owned();
        Self { state_dir, ..self }
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
                let turn = match http.trust {
                    Trust::Authorities(_) => Some(self.blocking.turn(&target.name, check).await?),
                    Trust::Machine | Trust::Anyone => None,
                };
                let look = async {
                    match self.http.of(http, turn).await {
                        Ok(client) => http::look(&client, http, &*self.secrets).await,
                        Err(seen) => seen,
                    }
                };
                Ok(within(check, look).await)
            }
            CheckKind::Tcp {
                address,
                warn_latency,
            } => match address.parse::<SocketAddr>() {
                Ok(literal) => {
                    let look = tcp::connect(address, literal, *warn_latency);
                    Ok(within(check, look).await)
                }
                // A name takes a thread until its server answers.
                Err(_) => {
                    let turn = self.blocking.turn(&target.name, check).await?;
                    let look = tcp::resolve_and_connect(address, turn, *warn_latency);
                    Ok(within(check, look).await)
                }
            },
            CheckKind::Unix { path, warn_latency } => {
                let turn = self.blocking.turn(&target.name, check).await?;
                Ok(within(check, unix::look(path, *warn_latency, turn)).await)
            }
            CheckKind::Tls {
                address,
                server_name,
                days,
            } => {
                let to = match address.parse::<SocketAddr>() {
                    Ok(literal) => tls::To::Literal(literal),
                    Err(_) => tls::To::Named(self.blocking.turn(&target.name, check).await?),
                };
                let look = tls::look(address, to, server_name.as_deref(), *days, &*self.clock);
                Ok(within(check, look).await)
            }
            CheckKind::Exec(exec) => {
                let turn = self.blocking.turn(&target.name, check).await?;
                let (environment, secrets) =
                    (Arc::clone(&self.environment), Arc::clone(&self.secrets));
                let program = exec.clone();
                let start = move || exec::start(&environment, &program, &*secrets);
                let look = async {
                    match turn.run(start).await {
                        Ok(Ok(started)) => exec::look(exec, started, &*self.secrets).await,
                        Ok(Err(seen)) | Err(seen) => seen,
                    }
                };
                Ok(within(check, look).await)
            }
            CheckKind::Process { .. }
            | CheckKind::File { .. }
            | CheckKind::Disk { .. }
            | CheckKind::Memory { .. } => {
                let turn = self.blocking.turn(&target.name, check).await?;
                let (kind, now) = (check.kind.clone(), self.clock.now());
                let groups = Arc::clone(&self.groups);
                let look = turn.run(move || local::look(&kind, pid, now, &groups));
                let look = async { look.await.unwrap_or_else(|seen| seen) };
                Ok(within(check, look).await)
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
                Ok(within(check, look).await)
            }
            CheckKind::Log { path, pattern } => {
                let turn = self.blocking.turn(&target.name, check).await?;
                let own = || log_of(&self.state_dir, &target.name);
                let file = path.clone().unwrap_or_else(own);
                let (logs, pattern) = (Arc::clone(&self.logs), pattern.clone());
                let (secrets, of) = (Arc::clone(&self.secrets), Arc::clone(check));
                let target = target.name.clone();
                let look = turn.run(move || logs.look(target, &of, &file, &pattern, &*secrets));
                let look = async { look.await.unwrap_or_else(|seen| seen) };
                Ok(within(check, look).await)
            }
            CheckKind::Heartbeat => Err(Seen::failed(
                "heartbeats come to the monitor; there is nothing to look at",
            )),
        }
    }
}

/// The look, or that it had no answer within the check's timeout. A wait for a thread is no part of it, for that says
/// nothing about the target.
async fn within(check: &CheckSpec, look: impl Future<Output = Seen>) -> Seen {
    let start = tokio::time::Instant::now();
    let seen = tokio::time::timeout(check.timeout, look).await;
    seen.unwrap_or_else(|_| Seen {
        is_late: start.elapsed() > check.timeout + HELD_UP,
        ..Seen::failed(no_answer(check))
    })
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
            let mut seen = self.look(&target, &check, pid).await;
            if seen.as_ref().is_ok_and(|seen| seen.is_late) {
                // Once more, for that the daemon was held up says nothing about the target.
                seen = self.look(&target, &check, pid).await;
            }
            let seen = seen.unwrap_or_else(|seen| seen);
            let outcome = seen.outcome?;
            let message = match outcome {
                // Of what is well only programs say anything, and theirs were taken out.
                Outcome::Healthy => seen.message,
                _ => concealed_text(&*self.secrets, &seen.message),
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
                },
            })
        })
    }
}
