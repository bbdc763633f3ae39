//! What one look saw, and what of it is the host's own inability.

use super::names::NameError;
use crate::adapters::limits;
use mainstay_domain::{health::Outcome, text::causes};
use rustls::CertificateError;
use std::{error::Error, fmt::Display, io};

/// What one look saw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    /// None where it is too soon to say.
    pub(super) outcome: Option<Outcome>,
    pub(super) message: String,
    pub(super) value: Option<f64>,
    /// The end of what was printed, without secrets, where a program looked.
    pub(super) output: Option<String>,
    /// It ran out of time while the daemon itself was held up.
    pub(super) is_late: bool,
    /// It is by the wall clock that this fails: something is too old, has expired or is not valid yet.
    pub(super) by_wall_clock: bool,
}

impl Seen {
    pub(super) fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome: Some(outcome),
            message: message.into(),
            value: None,
            output: None,
            is_late: false,
            by_wall_clock: false,
        }
    }

    /// There is nothing to say yet; why.
    pub(super) fn too_soon(message: impl Into<String>) -> Self {
        Self {
            outcome: None,
            ..Self::new(Outcome::Healthy, message)
        }
    }

    pub(super) fn healthy(message: impl Into<String>) -> Self {
        Self::new(Outcome::Healthy, message)
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, message)
    }

    /// The host could not look; why.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, message)
    }

    /// As [`Seen::unknown`], for what only the operator can put right: the log says it too.
    pub(super) fn not_done(why: impl Into<String>) -> Self {
        let seen = Self::unknown(why);
        tracing::warn!(why = %seen.message, "a check could not look");
        seen
    }

    /// What the system said where something was done to look: unknown where it is the host that lacks something.
    pub(super) fn of_error(what: impl Display, error: &io::Error) -> Self {
        let message = format!("{what}: {}", io_cause(error));
        match is_inability(error) {
            true => Self::unknown(message),
            false => Self::failed(message),
        }
    }

    /// As [`Seen::of_error`], of an error with causes.
    pub(super) fn of_cause(what: impl Display, error: &(dyn Error + 'static)) -> Self {
        let message = format!("{what}: {}", cause(error));
        match causes(error).any(is_own) {
            true => Self::unknown(message),
            false if causes(error).any(is_by_date) => Self::failed(message).by_wall_clock(),
            false => Self::failed(message),
        }
    }

    /// That it fails rests on the wall clock.
    pub(super) fn by_wall_clock(mut self) -> Self {
        self.by_wall_clock = true;
        self
    }

    /// The same, where what hangs or fails is not the target's.
    pub(super) fn into_unknown(self) -> Self {
        Self {
            outcome: Some(Outcome::Unknown),
            ..self
        }
    }

    pub(super) fn with_output(mut self, output: impl Into<String>) -> Self {
        self.output = Some(output.into());
        self
    }

    pub(super) fn with_value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// As [`Seen::with_value`], of what is counted.
    #[allow(
        clippy::cast_precision_loss,
        reason = "for people; 52 bits are enough for bytes"
    )]
    pub(super) fn with_count(self, count: u64) -> Self {
        self.with_value(count as f64)
    }
}

/// The cause at the end of an error's chain, in the words of the operating system where it has some.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let root = causes(error).last().unwrap_or(error);
    match root.downcast_ref::<io::Error>() {
        Some(error) => io_cause(error),
        None => root.to_string(),
    }
}

/// Whether this is the host's own inability.
fn is_own(error: &(dyn Error + 'static)) -> bool {
    let by_system = error.downcast_ref::<io::Error>();
    let by_name = error.downcast_ref::<NameError>();
    by_system.is_some_and(is_inability) || matches!(by_name, Some(NameError::Unanswered(_)))
}

/// Whether the system says of the host alone that it cannot look: for what that lacks, or may not do.
fn is_inability(error: &io::Error) -> bool {
    limits::is_own_lack(error) || error.kind() == io::ErrorKind::PermissionDenied
}

/// Whether a certificate is refused for its dates.
fn is_by_date(error: &(dyn Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return matches!(
            why,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        );
    }
    // What is in an error of I/O is no cause of it.
    let inner = error.downcast_ref::<io::Error>();
    let inner = inner.and_then(io::Error::get_ref);
    inner.is_some_and(|inner| is_by_date(inner))
}

pub(super) fn io_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "this host has no free port, or no address of that kind, to connect from: {error}"
            )
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_refused_for_its_dates_fails_by_the_wall_clock_however_it_is_wrapped() {
        for (why, expected) in [
            (CertificateError::Expired, true),
            (CertificateError::NotValidYet, true),
            (CertificateError::UnknownIssuer, false),
        ] {
            let refused = rustls::Error::InvalidCertificate(why.clone());
            let by_io = io::Error::new(io::ErrorKind::InvalidData, refused.clone());
            let twice =
                io::Error::other(io::Error::new(io::ErrorKind::InvalidData, refused.clone()));
            let errors: [&(dyn Error + 'static); 3] = [&refused, &by_io, &twice];
            for error in errors {
                let seen = Seen::of_cause("it", error);
                assert_eq!(seen.outcome, Some(Outcome::Failed), "{why:?}");
                assert_eq!(seen.by_wall_clock, expected, "{error:?}");
            }
        }
    }
}
