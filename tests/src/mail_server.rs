//! A mail server that takes mail after a login, within TLS, by the certificates of `tests/fixtures/tls`.

use crate::{ChildServer, python::python_with, repository, tls_file, wait_for};
use serde_json::Value;
use std::{fs, process::Command};
use tempfile::TempDir;

/// What serves SMTP, by its name and version in PyPI.
const SERVER: &str = "aiosmtpd==1.4.6";

/// The password that it takes.
pub const MAIL_PASSWORD: &str = "s3cr3tZq7OfTheMailServer";

/// Ends with this.
pub struct MailServer {
    server: ChildServer,
    directory: TempDir,
}

impl MailServer {
    /// `tls` is `implicit` or `starttls`.
    pub fn start(tls: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let server = ChildServer::run(
            Command::new(python_with("mail", SERVER))
                .arg(repository().join("tests/src/mail_server.py"))
                .arg(directory.path())
                .arg(tls)
                .args([tls_file("server.pem"), tls_file("server.key")])
                .arg(MAIL_PASSWORD),
        );
        Self { server, directory }
    }

    /// Of localhost.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// What it answers to mail from now on, e.g. `451 later`; empty: it takes it.
    pub fn answer_with(&self, answer: &str) {
        let partial = self.directory.path().join("answer.partial");
        fs::write(&partial, answer).unwrap();
        fs::rename(partial, self.directory.path().join("answer")).unwrap();
    }

    /// Each mail that came, with the answer that it got.
    pub fn seen(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.path().join("seen.jsonl"));
        let text = text.unwrap_or_default();
        // The last line may still be written.
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The first mail like this that it took.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || {
            let seen = self.seen();
            let shown = format!("{seen:?}");
            let mut taken = seen.into_iter().filter(|mail| mail["answer"] == "250 OK");
            taken.find(|mail| wanted(mail)).ok_or(shown)
        })
    }
}
