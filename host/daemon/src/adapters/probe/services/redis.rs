//! A Redis, asked over a connection of its own for each look.

use super::{Asked, Known, Line, Seen, Way, answered, exchange, seen_by};
use crate::ports::Secrets;
use mainstay_domain::{protocol::redis, spec::RedisCheck};
use tokio::time::Instant;

pub(super) async fn look(
    (way, asked, known): (Way<'_>, &mut Asked, Option<Known>),
    check: &RedisCheck,
    password: Option<&str>,
    secrets: &dyn Secrets,
) -> Seen {
    let what = check.at.to_string();
    let start = Instant::now();
    let stream = match way.open(asked).await {
        Ok(stream) => stream,
        Err(seen) => return seen,
    };
    let mut line = match Line::begin(stream, known).await {
        Ok(line) => line,
        Err(seen) => return seen,
    };
    for question in redis::questions(check) {
        let command = redis::command(question, check, password);
        let reply = match exchange(&mut line, &command, &what, redis::reply).await {
            Ok(reply) => reply,
            Err(seen) => return seen,
        };
        let verdict = redis::judge(question, check, &reply);
        if let Some(seen) = seen_by(verdict, &what, secrets) {
            return seen;
        }
    }
    answered(&what, start.elapsed(), check.warn_latency)
}
