//! Accounts of mail servers, as configured.

use crate::{
    mail_address::{MailAddress, Recipients},
    name::SecretName,
};
use std::time::Duration;

/// An account of an SMTP server that plugins may be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAccount {
    /// The server's name, which its certificate has to have, or its address.
    pub host: String,
    /// Its port; default 465 where TLS is implicit, else 587.
    pub port: u16,
    /// How the connection is encrypted; it always is.
    pub tls: MailTls,
    /// Who logs in, and the secret that is the password; absent: nobody does.
    pub login: Option<(String, SecretName)>,
    /// The sender of every mail.
    pub from: MailAddress,
    /// Whom it may write to. At least one.
    pub to: Vec<Recipients>,
    /// How long a mail may take, from the connection to the server's last answer; default 30 s.
    pub timeout: Duration,
}

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte (RFC 8314).
    Implicit,
    /// After STARTTLS (RFC 3207); a server that does not have it is sent nothing.
    Starttls,
}
