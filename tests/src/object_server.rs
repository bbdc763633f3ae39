//! A server of objects with one bucket, which checks signatures and answers wrong where it is told to.

use crate::{Daemon, S3Server, repository};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// What it reads orders from, and answers to.
type Orders = (ChildStdin, BufReader<ChildStdout>);

/// How one is started, and what a config says of it.
pub(crate) struct Serving {
    /// A script beside this file.
    pub(crate) script: &'static str,
    /// What the script is called with before its port.
    pub(crate) arguments: Vec<String>,
    /// Certificate and key, where it speaks TLS.
    pub(crate) tls: Vec<PathBuf>,
    /// The keys, by the names of the variables that a daemon has them in.
    pub(crate) keys: Vec<(&'static str, &'static str)>,
    /// What no text of a daemon may hold.
    pub(crate) secret_key: &'static str,
}

/// Ends with this.
pub struct ObjectServer {
    process: Child,
    orders: Mutex<Orders>,
    port: u16,
    serving: Serving,
    /// The tier `offsite` in the bucket, below `web-1`, and the secrets that it needs.
    tier: String,
}

impl ObjectServer {
    /// Starts one; `tier` has the tier, of its port.
    pub(crate) fn start(serving: Serving, tier: impl FnOnce(u16) -> String) -> Self {
        let (process, orders, port) = serve(&serving, 0);
        Self {
            process,
            orders: Mutex::new(orders),
            port,
            serving,
            tier: tier(port),
        }
    }

    /// Kills it, with all that it holds.
    pub fn die(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, with an empty bucket.
    pub fn come_back(&mut self) {
        let (process, orders, _) = serve(&self.serving, self.port);
        self.process = process;
        self.orders = Mutex::new(orders);
    }

    /// The tier `offsite` in the bucket, below `web-1`, and the secrets that it needs.
    pub fn tier(&self) -> String {
        self.tier.clone()
    }

    /// Gives a daemon the keys, for its next start.
    pub fn let_in(&self, daemon: &mut Daemon) {
        for (name, key) in &self.serving.keys {
            daemon.set_env(name, key);
        }
    }

    /// Has requests of a method, or `*`, whose path holds `part` answered so: a status, `gone`, `cut`, or `slow`.
    pub fn answer(&self, what: &str, method: &str, part: &str) {
        self.order(&format!("answer {what} {method} {part}"));
    }

    /// Has all requests answered right again.
    pub fn answer_right(&self) {
        self.order("answer");
    }

    /// Changes one byte of an object.
    pub fn flip(&self, key: &str) {
        self.order(&format!("flip {key}"));
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) {
        self.order(&format!("delete {key}"));
    }

    /// The keys of all objects that hold this.
    pub fn keys_with(&self, part: &str) -> Vec<String> {
        texts(self.order("keys"), part)
    }

    /// Each request since the last time that holds this: its method, its path, and how it was answered.
    pub fn seen_with(&self, part: &str) -> Vec<String> {
        texts(self.order("seen"), part)
    }

    /// What no text of a daemon may hold.
    pub fn secret_key(&self) -> &'static str {
        self.serving.secret_key
    }

    fn order(&self, order: &str) -> Value {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(orders.0, "{order}").unwrap();
        orders.0.flush().unwrap();
        let mut line = String::new();
        orders.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{order}: {line}: {error}"))
    }
}

/// Starts one on a port, or on a free one where that is 0, and waits until it serves; its port.
fn serve(serving: &Serving, port: u16) -> (Child, Orders, u16) {
    let mut process = Command::new(S3Server::python())
        // They import one another, and nothing is to be left beside them.
        .arg("-B")
        .arg(repository().join("tests/src").join(serving.script))
        .args(&serving.arguments)
        .arg(port.to_string())
        .args(&serving.tls)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let orders = process.stdin.take().unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap();
    (process, (orders, answers), port)
}

fn texts(found: Value, part: &str) -> Vec<String> {
    let all = found.as_array().unwrap().iter();
    let all = all.map(|text| text.as_str().unwrap().to_owned());
    all.filter(|text| text.contains(part)).collect()
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
