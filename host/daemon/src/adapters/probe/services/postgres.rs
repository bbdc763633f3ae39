//! A PostgreSQL, asked over a connection of its own for each look.

use super::{Asked, Known, Line, Seen, Stream, Way, answered, closed, seen_by};
use crate::ports::Secrets;
use mainstay_domain::{
    hex,
    protocol::{
        postgres::{Session, Step, goodbye, message},
        tls_request,
    },
    spec::PostgresCheck,
};
use std::{
    fs::File,
    io::{self, Read},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

pub(super) async fn look(
    (way, asked, known): (Way<'_>, &mut Asked, Option<Known>),
    check: &PostgresCheck,
    password: Option<&str>,
    secrets: &dyn Secrets,
) -> Seen {
    let what = check.at.to_string();
    let nonce = match nonce() {
        Ok(nonce) => nonce,
        Err(error) => {
            let seen = Seen::of_error(format_args!("{what}: no random numbers"), &error);
            return seen.into_unknown();
        }
    };
    let start = Instant::now();
    let mut stream = match way.open(asked).await {
        Ok(stream) => stream,
        Err(seen) => return seen,
    };
    if known.is_some()
        && let Err(seen) = ask_for_tls(&mut stream, &what, secrets).await
    {
        return seen;
    }
    let mut line = match Line::begin(stream, known).await {
        Ok(line) => line,
        Err(seen) => return seen,
    };
    let mut session = Session::new(check, password, nonce);
    // Who takes no one more may have closed the connection already; what it said before is read still.
    let _ = line.write_all(&session.begin()).await;
    let mut received = Vec::new();
    let verdict = loop {
        match message(&received) {
            Ok(Some((message, length))) => {
                received.drain(..length);
                match session.take(&message) {
                    Step::Wait => {}
                    Step::Send(bytes) => {
                        if let Err(error) = line.write_all(&bytes).await {
                            return Seen::of_error(&what, &error);
                        }
                    }
                    Step::End(verdict) => break verdict,
                }
            }
            Ok(None) => match line.read_buf(&mut received).await {
                Ok(0) => return closed(&what),
                Ok(_) => {}
                Err(error) => return Seen::of_error(&what, &error),
            },
            Err(why) => return Seen::failed(format!("{what}: {why}")),
        }
    };
    let taken = start.elapsed();
    // Else its log would have a line about each look.
    let _ = line.write_all(&goodbye()).await;
    match seen_by(verdict, &what, secrets) {
        Some(seen) => seen,
        None => answered(&what, taken, check.warn_latency),
    }
}

/// The error is what is seen where it takes none.
async fn ask_for_tls(
    stream: &mut Box<dyn Stream>,
    what: &str,
    secrets: &dyn Secrets,
) -> Result<(), Seen> {
    let _ = stream.write_all(&tls_request::REQUEST).await;
    // Not one byte more is read, for what comes next has to be sealed.
    let mut answer = [0];
    match stream.read_exact(&mut answer).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(closed(what)),
        Err(error) => return Err(Seen::of_error(what, &error)),
    }
    let [answer] = answer;
    match seen_by(tls_request::judge(answer), what, secrets) {
        None => Ok(()),
        Some(seen) => Err(seen),
    }
}

/// What no login had before and nobody can guess.
fn nonce() -> io::Result<String> {
    let mut bytes = [0_u8; 18];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
