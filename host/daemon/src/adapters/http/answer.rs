//! The answer of a server, as much of it as a call may have.
//!
//! Invariant: a secret that the end of what was read cuts in two is not shown: what it may be in is dropped.

use super::{EgressClient, MAX_REDIRECTS};
use crate::{adapters::secrets::MAX_CONCEALED_BYTES, ports::AnswerBound};
use mainstay_domain::effect::{EffectError, HttpResponse};
use reqwest::Response;
use std::time::Duration;
use tokio::time::Instant;

/// What is taken of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    bound: AnswerBound,
    /// When the whole request is given up; none where no clock goes so far.
    until: Option<Instant>,
}

/// A body as it came.
struct Body {
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Expected {
    /// From now on.
    pub(super) fn within(bound: AnswerBound, timeout: Duration) -> Self {
        Self {
            bound,
            until: Instant::now().checked_add(timeout),
        }
    }

    /// Until when a body that may be cut is read: who sent it has some time left to make something of the answer.
    fn body_until(&self) -> Option<Instant> {
        let now = Instant::now();
        let left = self.until?.saturating_duration_since(now);
        now.checked_add(left / 2)
    }
}

impl EgressClient {
    /// Reads the answer within its bound, without secrets.
    pub(super) async fn receive(
        &self,
        response: Response,
        expected: Expected,
        written: &str,
    ) -> Result<HttpResponse, EffectError> {
        let status = response.status().as_u16();
        let mut size = 0_u64;
        let mut headers = Vec::new();
        for (name, value) in response.headers() {
            size += (name.as_str().len() + value.len()) as u64;
            let value = self.secrets.conceal(value.as_bytes().to_vec());
            headers.push((
                self.concealed(name.as_str()),
                String::from_utf8_lossy(&value).into_owned(),
            ));
        }
        let body = match expected.bound {
            AnswerBound::Whole(bytes) => {
                let body = self.whole_body(response, size, bytes, written).await?;
                self.secrets.conceal(body)
            }
            AnswerBound::Cut(bytes) => {
                let mut room = usize::try_from(bytes).unwrap_or(usize::MAX);
                headers.retain(|(name, value)| {
                    let left = room.checked_sub(name.len() + value.len());
                    room = left.unwrap_or(room);
                    left.is_some()
                });
                let read = read_at_most(response, room, expected.body_until()).await;
                let mut body = self.secrets.conceal_piece(read.bytes);
                if !read.is_whole {
                    body.truncate(body.len().saturating_sub(MAX_CONCEALED_BYTES));
                }
                body.truncate(room);
                body
            }
        };
        Ok(HttpResponse {
            status,
            headers,
            body: body.into(),
        })
    }

    /// All of it; `size` is that of the headers, which count too.
    async fn whole_body(
        &self,
        mut response: Response,
        mut size: u64,
        max_bytes: u64,
        written: &str,
    ) -> Result<Vec<u8>, EffectError> {
        let mut body = Vec::new();
        loop {
            if size > max_bytes {
                return Err(EffectError::Limited(format!(
                    "the answer of {written} is longer than {max_bytes} bytes"
                )));
            }
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    size += chunk.len() as u64;
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => return Ok(body),
                Err(error) => return Err(self.explain(error, MAX_REDIRECTS, written)),
            }
        }
    }
}

/// What comes of it in time, and so much more than `room` that a secret at the end of that is whole.
async fn read_at_most(mut response: Response, room: usize, until: Option<Instant>) -> Body {
    let enough = room.saturating_add(MAX_CONCEALED_BYTES);
    let mut bytes = Vec::new();
    while bytes.len() <= enough {
        let chunk = match until {
            Some(until) => tokio::time::timeout_at(until, response.chunk()).await,
            None => Ok(response.chunk().await),
        };
        match chunk {
            Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            Ok(Ok(None)) => {
                return Body {
                    bytes,
                    is_whole: true,
                };
            }
            // It broke off, or is late.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    Body {
        bytes,
        is_whole: false,
    }
}
