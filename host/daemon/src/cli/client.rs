//! The client of the admin API, over its Unix socket.

use super::failure::WithHelp;
use crate::api::wire::ErrorBody;
use anyhow::Context;
use reqwest::{Method, Response};
use serde::Serialize;
use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

/// A connection to the daemon.
pub(super) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

impl Client {
    /// Connects, so that a daemon that is not there is told at once.
    pub(super) async fn connect(socket: &Path) -> anyhow::Result<Self> {
        tokio::net::UnixStream::connect(socket)
            .await
            .map_err(|error| no_answer(socket, &error))?;
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .build()
            .context("cannot set up the client")?;
        Ok(Self {
            http,
            socket: socket.to_owned(),
        })
    }

    /// Reads a path; the text of a good answer.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let response = self.request(Method::GET, path, None::<&()>).await?;
        response.text().await.with_context(|| self.broke())
    }

    /// Sends a command; the text of a good answer.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<String> {
        let response = self.request(Method::POST, path, Some(body)).await?;
        response.text().await.with_context(|| self.broke())
    }

    /// Reads a path that answers with lines.
    pub(super) async fn get_lines(&self, path: &str) -> anyhow::Result<Lines> {
        let response = self.request(Method::GET, path, None::<&()>).await?;
        Ok(Lines::new(response, self.broke()))
    }

    /// Sends a command that answers with lines.
    pub(super) async fn post_lines(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Lines> {
        let response = self.request(Method::POST, path, Some(body)).await?;
        Ok(Lines::new(response, self.broke()))
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
        let response = request.send().await.with_context(|| self.broke())?;
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

    fn broke(&self) -> String {
        format!("the connection to {} broke", self.socket.display())
    }
}

/// What the daemon does not do, as an error.
pub(super) fn refused(body: ErrorBody) -> anyhow::Error {
    let ErrorBody { error, help } = body;
    WithHelp { error, help }.into()
}

fn no_answer(socket: &Path, error: &io::Error) -> WithHelp {
    let socket = socket.display();
    let (error, help) = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => (
            format!("the daemon is not running: nobody listens on {socket}"),
            "start it with `mainstay run`, or name another socket with --socket or another config with --config",
        ),
        io::ErrorKind::PermissionDenied => (
            format!("the daemon's socket {socket} is not open to this user"),
            "use it as the user that the daemon runs as",
        ),
        _ => (
            format!("cannot connect to {socket}: {error}"),
            "name the daemon's socket with --socket",
        ),
    };
    WithHelp {
        error,
        help: Some(help.to_owned()),
    }
}

/// An answer that comes line by line.
pub(super) struct Lines {
    response: Response,
    partial: Vec<u8>,
    whole: VecDeque<String>,
    broke: String,
}

impl Lines {
    fn new(response: Response, broke: String) -> Self {
        Self {
            response,
            partial: Vec::new(),
            whole: VecDeque::new(),
            broke,
        }
    }

    /// The next line without its end; `None` after the last. May be dropped.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(line) = self.whole.pop_front() {
                return Ok(Some(line));
            }
            let chunk = self.response.chunk().await;
            let Some(chunk) = chunk.with_context(|| self.broke.clone())? else {
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
