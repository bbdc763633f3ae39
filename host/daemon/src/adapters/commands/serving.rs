//! Commands that serve until they are not needed any more.

use super::{LocalCommands, exit_code, not_awaited};
use crate::{
    adapters::program::{Remains, concealed_end, read_end},
    ports::{Boxed, ServedCommand},
};
use mainstay_domain::{effect::EffectError, text::last_lines};
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    process::Command,
};

/// Kept of the end of each output.
const OUTPUT: usize = 16 << 10;

impl LocalCommands {
    pub(super) async fn serve_until(
        &self,
        what: &str,
        command: Command,
        mut until: Boxed<'static, ()>,
    ) -> Result<ServedCommand, EffectError> {
        let started = self.start(what, command, &mut until, "in time");
        let (running, mut out, mut err) = started.await?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let reading = async {
            tokio::join!(
                read_end(out.reader().as_mut(), OUTPUT, &mut stdout),
                read_end(err.reader().as_mut(), OUTPUT, &mut stderr)
            );
        };
        let exit_code = match running.end(reading, until, Remains::LiveOn).await {
            Ok(Ok(status)) => Some(exit_code(status)),
            Ok(Err(error)) => return Err(not_awaited(what, &error)),
            Err(()) => None,
        };
        let secrets = self.secrets.as_ref();
        let mut printed = concealed_end(stdout, OUTPUT, secrets);
        printed.push(b'\n');
        printed.extend(concealed_end(stderr, OUTPUT, secrets));
        Ok(ServedCommand {
            exit_code,
            last_lines: last_lines(&String::from_utf8_lossy(&printed)),
        })
    }
}

/// One that the kernel gives: it gives it to nobody else soon.
pub(super) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let port = listener.and_then(|listener| listener.local_addr());
    port.map(|address| address.port())
        .map_err(|error| format!("no free port can be had: {error}"))
}

/// It is the kernel's to give: a connection to elsewhere may have got it.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_port_is_taken_by_who_listens_there_and_by_a_connection_that_got_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let there = listener.local_addr().unwrap();
        let connection = TcpStream::connect(there).unwrap();
        let of_connection = connection.local_addr().unwrap().port();
        assert!(is_taken(there.port()) && is_taken(of_connection));
        assert!(!is_taken(free_port().unwrap()));
    }
}
