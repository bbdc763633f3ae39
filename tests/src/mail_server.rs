//! A mail server that takes mail after a login, within TLS, by the certificates of `tests/fixtures/tls`.

use crate::{ChildServer, repository, tls_file, wait_for};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};
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
            Command::new(python())
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

/// A Python that has the server; put below the target directory, which needs `python3` and PyPI once.
fn python() -> &'static Path {
    static PROVIDED: OnceLock<PathBuf> = OnceLock::new();
    PROVIDED.get_or_init(|| {
        let home = crate::build_directories().0.join("mail");
        fs::create_dir_all(&home).unwrap();
        let lock = File::create(home.join("lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let tools = home.join("python");
        let complete = home.join("complete");
        let is_complete = fs::read_to_string(&complete).is_ok_and(|text| text == SERVER);
        if !is_complete {
            must(Command::new("python3").args(["-m", "venv"]).arg(&tools));
            let pip = tools.join("bin/pip");
            must(Command::new(pip).args(["install", "--quiet", SERVER]));
            fs::write(complete, SERVER).unwrap();
        }
        tools.join("bin/python")
    })
}

/// Runs it to its end, which has to be a good one.
fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; the mail server needs `python3` with `venv`")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
