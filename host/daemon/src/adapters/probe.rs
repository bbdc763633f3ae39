//! Looks at targets: HTTP, TCP, processes, programs, files, file systems, memory.
//!
//! Invariant: a look ends within the check's timeout, and what goes wrong is what was seen; there is no error.
//! Invariant: a look leaves nothing behind: connections are not kept, programs are killed with their group. Only one that
//! hangs in the kernel leaves its thread there, and is the only one of its check.

mod blocking;
mod exec;
mod http;
mod local;
#[cfg(test)]
mod tests;

use super::environment::ChildEnvironment;
use crate::ports::{Boxed, Clock, Probe};
use blocking::BlockingLooks;
use mainstay_domain::{
    health::{Evidence, Observation, Outcome},
    name::TargetName,
    spec::{CheckKind, CheckSpec, TargetSpec},
};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;

/// Looks from this machine.
pub struct HostProbe {
    http: reqwest::Client,
    blocking: BlockingLooks,
    environment: Arc<ChildEnvironment>,
    clock: Arc<dyn Clock>,
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    outcome: Outcome,
    message: String,
    value: Option<f64>,
}

impl Seen {
    fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            message: message.into(),
            value: None,
        }
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
    /// The TLS provider of the program must be installed. The error is that of the HTTP client.
    pub fn new(
        environment: Arc<ChildEnvironment>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http::client()?,
            blocking: BlockingLooks::new(),
            environment,
            clock,
        })
    }

    async fn look(&self, target: &TargetSpec, check: &CheckSpec, pid: Option<u32>) -> Seen {
        match &check.kind {
            CheckKind::Http {
                url,
                status,
                body_contains,
            } => http::look(&self.http, url, *status, body_contains.as_deref()).await,
            CheckKind::Tcp { address } => self.connect(&target.name, check, address).await,
            CheckKind::Exec {
                run,
                cwd,
                degraded_exit,
            } => {
                let environment = Arc::clone(&self.environment);
                let (program, cwd) = (run.clone(), cwd.clone());
                let start = move || exec::start(&environment, &program, &cwd);
                match self.blocking.look(&target.name, check, start).await {
                    Ok(started) => exec::look(run, started, *degraded_exit).await,
                    Err(seen) => seen,
                }
            }
            CheckKind::Process { .. }
            | CheckKind::File { .. }
            | CheckKind::Disk { .. }
            | CheckKind::Memory { .. } => {
                let (kind, now) = (check.kind.clone(), self.clock.now());
                let look = move || local::look(&kind, pid, now);
                let seen = self.blocking.look(&target.name, check, look).await;
                seen.unwrap_or_else(|seen| seen)
            }
            CheckKind::Heartbeat => {
                Seen::failed("heartbeats come to the monitor; there is nothing to look at")
            }
        }
    }

    async fn connect(&self, target: &TargetName, check: &CheckSpec, address: &str) -> Seen {
        let start = tokio::time::Instant::now();
        let connected = match self.resolve(target, check, address).await {
            Ok(Ok(addresses)) => TcpStream::connect(&*addresses).await,
            Ok(Err(error)) => Err(error),
            Err(seen) => return seen,
        };
        match connected {
            Ok(_) => {
                let millis = start.elapsed().as_secs_f64() * 1e3;
                Seen::healthy(format!("{address} took the connection")).with_value(millis)
            }
            Err(error) => Seen::failed(format!("{address}: {}", io_cause(&error))),
        }
    }

    /// A name takes a thread until its server answers.
    async fn resolve(
        &self,
        target: &TargetName,
        check: &CheckSpec,
        address: &str,
    ) -> Result<io::Result<Vec<SocketAddr>>, Seen> {
        if let Ok(literal) = address.parse() {
            return Ok(Ok(vec![literal]));
        }
        let name = address.to_owned();
        let resolve = move || Ok(name.to_socket_addrs()?.collect());
        self.blocking.look(target, check, resolve).await
    }
}

impl Probe for HostProbe {
    fn observe(
        &self,
        target: Arc<TargetSpec>,
        check: Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Boxed<'_, Observation> {
        Box::pin(async move {
            let observed_at = self.clock.now();
            let seen = tokio::time::timeout(check.timeout, self.look(&target, &check, pid)).await;
            let seen = seen.unwrap_or_else(|_| Seen::failed(no_answer(&check)));
            Observation {
                target: target.name.clone(),
                check: check.name.clone(),
                outcome: seen.outcome,
                evidence: Evidence {
                    check: check.name.to_string(),
                    observed_at,
                    message: seen.message,
                    value: seen.value,
                },
            }
        })
    }
}

fn no_answer(check: &CheckSpec) -> String {
    let within = length(check.timeout);
    match &check.kind {
        CheckKind::Http { url, .. } => format!("GET {url}: no answer within {within}"),
        CheckKind::Tcp { address } => format!("{address}: no connection within {within}"),
        CheckKind::Exec { run, .. } => {
            format!(
                "`{}` did not end within {within} and was killed",
                run.join(" ")
            )
        }
        kind => format!("the {} check had no answer within {within}", kind.as_str()),
    }
}

/// A length of time for people.
fn length(length: Duration) -> String {
    match length.as_millis() {
        millis if millis < 10_000 => format!("{millis} ms"),
        _ => format!("{} s", length.as_secs()),
    }
}

/// The cause at the end of an error's chain, in the words of the operating system where it has some.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    match last.downcast_ref::<io::Error>() {
        Some(error) => io_cause(error),
        None => last.to_string(),
    }
}

fn io_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => error.to_string(),
    }
}
