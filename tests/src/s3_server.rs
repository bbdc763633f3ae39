//! A server that speaks as an S3, with one bucket, which checks signatures and answers wrong where it is told to.

use crate::{Daemon, python::python_with, repository, tls_file};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// What serves, by its name and version in PyPI.
const SERVER: &str = "moto[s3,server]==5.2.1";
const REGION: &str = "eu-central-1";
const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const KEY: &str = "wJalrXUtnFEMI7MDENGbPxRfiCYEXAMPLEKEY";
/// The two of a config.
const SECRETS: &str =
    "\n[secrets]\nbucket-id = { env = \"BUCKET_ID\" }\nbucket-key = { env = \"BUCKET_KEY\" }\n";

/// What it reads orders from, and answers to.
type Orders = (ChildStdin, BufReader<ChildStdout>);

/// Ends with this.
pub struct S3Server {
    process: Child,
    orders: Mutex<Orders>,
    port: u16,
    tls: Vec<PathBuf>,
    /// Its endpoint.
    pub url: String,
}

impl S3Server {
    /// With an empty bucket.
    pub fn start() -> Self {
        Self::run("http://127.0.0.1", &[])
    }

    /// The same over TLS, with the certificate for localhost.
    pub fn start_with_tls() -> Self {
        let tls = [tls_file("server.pem"), tls_file("server.key")];
        Self::run("https://localhost", &tls)
    }

    fn run(host: &str, tls: &[PathBuf]) -> Self {
        let (process, orders, port) = serve(0, tls);
        Self {
            process,
            orders: Mutex::new(orders),
            url: format!("{host}:{port}"),
            port,
            tls: tls.to_vec(),
        }
    }

    /// Kills it, with all that it holds.
    pub fn die(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, with an empty bucket.
    pub fn come_back(&mut self) {
        let (process, orders, _) = serve(self.port, &self.tls);
        self.process = process;
        self.orders = Mutex::new(orders);
    }

    /// A Python that has a client of S3, `boto3`.
    pub fn python() -> PathBuf {
        python_with("s3", SERVER)
    }

    /// The keys, by the names of the variables that a daemon has them in.
    pub fn keys() -> [(&'static str, &'static str); 2] {
        [("BUCKET_ID", KEY_ID), ("BUCKET_KEY", KEY)]
    }

    /// A check of the bucket without its table's head, and the secrets that it needs.
    pub fn check(&self) -> (String, &'static str) {
        let check = format!(
            "kind = \"s3\"\nurl = \"{}/backups\"\nregion = \"{REGION}\"\naccess_key = \"bucket-id\"\n\
             secret_key = \"bucket-key\"\n",
            self.url
        );
        (check, SECRETS)
    }

    /// The tier `offsite` in the bucket, below `web-1`, and the secrets that it needs.
    pub fn tier(&self) -> String {
        format!(
            "{SECRETS}\n\
             [tier.offsite]\nkind = \"s3\"\nurl = \"s3://backups/web-1\"\nendpoint = \"{}\"\n\
             region = \"{REGION}\"\naccess_key = \"${{secret:bucket-id}}\"\nsecret_key = \"${{secret:bucket-key}}\"\n",
            self.url
        )
    }

    /// Gives a daemon the keys, for its next start.
    pub fn let_in(&self, daemon: &mut Daemon) {
        for (name, key) in Self::keys() {
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
        KEY
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
fn serve(port: u16, tls: &[PathBuf]) -> (Child, Orders, u16) {
    let mut process = Command::new(S3Server::python())
        .arg(repository().join("tests/src/s3_server.py"))
        .args([KEY_ID, KEY, "backups", REGION, &port.to_string()])
        .args(tls)
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

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
