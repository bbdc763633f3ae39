//! The client of the admin API, over its Unix socket.
//!
//! Invariant: a daemon that does not answer, stopped or stuck, is given up after `--timeout`; only what is followed may be
//! silent for longer.

mod unreached;

use super::failure::WithHelp;
use anyhow::{Context, anyhow};
use mainstay_api::{ErrorBody, IDENTITY_HEADER};
use mainstay_daemon::app::read_identity_file;
use reqwest::{Method, Response, header::HeaderValue};
use serde::Serialize;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;
use unreached::{no_answer, silent, unconnected};

/// Work that tells how it goes has a word at least every second; see the API's backups. Below this a busy machine would
/// be taken for a dead daemon.
const LEAST_SILENCE: Duration = Duration::from_secs(5);

/// A connection to the daemon.
pub(super) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
    /// How long an answer is waited for.
    patience: Duration,
    /// What opens backups, for what is asked.
    identity: Option<HeaderValue>,
}

impl Client {
    /// Connects, so that a missing daemon is reported at once.
    pub(super) async fn connect(socket: &Path, patience: Duration) -> anyhow::Result<Self> {
        timeout(patience, tokio::net::UnixStream::connect(socket))
            .await
            .map_err(|_| silent(socket, patience))?
            .map_err(|error| no_answer(socket, &error))?;
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .build()
            .context("cannot set up the client")?;
        Ok(Self {
            http,
            socket: socket.to_owned(),
            patience,
            identity: None,
        })
    }

    /// The same, which gives the identities of a file with what is asked, where one is named.
    pub(super) fn opened_with(&self, file: Option<&Path>) -> anyhow::Result<Self> {
        let identity = match file {
            Some(file) => {
                let text = read_identity_file(file).map_err(|why| anyhow!(why))?;
                let mut value = HeaderValue::from_str(&text).context("cannot send the identity")?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self {
            http: self.http.clone(),
            socket: self.socket.clone(),
            patience: self.patience,
            identity,
        })
    }

    /// Reads a path; the text of a good answer.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        self.text_of(self.request(Method::GET, path, None::<&()>))
            .await
    }

    /// Sends a command; the text of a good answer.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<String> {
        self.text_of(self.request(Method::POST, path, Some(body)))
            .await
    }

    /// Sends a command whose answer may take so long, whatever `--timeout` says less.
    pub(super) async fn post_slow(
        &self,
        path: &str,
        body: &impl Serialize,
        at_least: Duration,
    ) -> anyhow::Result<String> {
        let patience = self.patience.max(at_least);
        let text = async {
            let answer = self.request(Method::POST, path, Some(body)).await?;
            answer.text().await.with_context(|| self.broke())
        };
        timeout(patience, text)
            .await
            .map_err(|_| silent(&self.socket, patience))?
    }

    /// Reads a path that answers with lines.
    pub(super) async fn get_lines(&self, path: &str) -> anyhow::Result<Lines> {
        self.lines_of(self.request(Method::GET, path, None::<&()>))
            .await
    }

    /// Sends a command that answers with lines.
    pub(super) async fn post_lines(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Lines> {
        self.lines_of(self.request(Method::POST, path, Some(body)))
            .await
    }

    /// The whole text of an answer, in time.
    async fn text_of(
        &self,
        answer: impl Future<Output = anyhow::Result<Response>>,
    ) -> anyhow::Result<String> {
        let text = async { answer.await?.text().await.with_context(|| self.broke()) };
        timeout(self.patience, text)
            .await
            .map_err(|_| silent(&self.socket, self.patience))?
    }

    /// The lines of an answer that begins in time.
    async fn lines_of(
        &self,
        answer: impl Future<Output = anyhow::Result<Response>>,
    ) -> anyhow::Result<Lines> {
        let response = timeout(self.patience, answer)
            .await
            .map_err(|_| silent(&self.socket, self.patience))??;
        Ok(Lines {
            response,
            partial: Vec::new(),
            whole: VecDeque::new(),
            socket: self.socket.clone(),
            patience: Some(self.patience.max(LEAST_SILENCE)),
        })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<Response> {
        // The host's name is never looked up: the connection is the socket.
        let mut request = self.http.request(method, format!("http://mainstay{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(identity) = &self.identity {
            request = request.header(IDENTITY_HEADER, identity.clone());
        }
        let response = request.send().await.map_err(|error| self.unsent(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.with_context(|| self.broke())?;
        let body = serde_json::from_str(&text).unwrap_or_else(|_| ErrorBody {
            error: format!("the daemon answered {status}: {text}"),
            help: None,
        });
        Err(refused(body))
    }

    /// Why there is no answer: nobody listens any more, or the connection broke.
    fn unsent(&self, error: reqwest::Error) -> anyhow::Error {
        match unconnected(&error).map(|cause| no_answer(&self.socket, cause)) {
            Some(nobody) => nobody.into(),
            None => anyhow::Error::new(error).context(self.broke()),
        }
    }

    fn broke(&self) -> String {
        broke(&self.socket)
    }
}

fn broke(socket: &Path) -> String {
    format!("the connection to {} broke", socket.display())
}

/// What the daemon does not do, as an error.
pub(super) fn refused(body: ErrorBody) -> anyhow::Error {
    let ErrorBody { error, help } = body;
    WithHelp { error, help }.into()
}

/// An answer that comes line by line.
pub(super) struct Lines {
    response: Response,
    partial: Vec<u8>,
    whole: VecDeque<String>,
    socket: PathBuf,
    /// How long it may be silent.
    patience: Option<Duration>,
}

impl Lines {
    /// Lines that come when something happens, which may be never.
    pub(super) fn followed(mut self) -> Self {
        self.patience = None;
        self
    }

    /// The next line without its end; `None` after the last. May be dropped.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(line) = self.whole.pop_front() {
                return Ok(Some(line));
            }
            let chunk = match self.patience {
                Some(patience) => timeout(patience, self.response.chunk())
                    .await
                    .map_err(|_| silent(&self.socket, patience))?,
                None => self.response.chunk().await,
            };
            let Some(chunk) = chunk.with_context(|| broke(&self.socket))? else {
                return Ok(None);
            };
            for byte in chunk {
                if byte == b'\n' {
                    let line = String::from_utf8_lossy(&self.partial).into_owned();
                    self.whole.push_back(line);
                    self.partial.clear();
                } else {
                    self.partial.push(byte);
                }
            }
        }
    }
}

/// A path with the parts of its query that are there. Names, identifiers, times and numbers need no escapes.
pub(super) fn path_with(path: &str, query: &[(&str, Option<String>)]) -> String {
    let pairs: Vec<String> = query
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
        .collect();
    if pairs.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_that_has_ended_since_the_first_connection_is_said_not_to_run() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("mainstay.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let client = Client::connect(&socket, Duration::from_secs(60)).await;
        let client = client.unwrap();
        drop(listener);
        for leaves_its_socket in [true, false] {
            if !leaves_its_socket {
                std::fs::remove_file(&socket).unwrap();
            }
            let error = client.get("/v1/status").await.unwrap_err();
            let said = error.to_string();
            assert!(said.starts_with("the daemon is not running"), "{error:?}");
        }
    }
}
