//! The HTTP clients of checks, by whose certificates count: each connection is new, and goes straight to the target.

use super::{Seen, blocking::Turn, names::NameLooks, seen::io_cause};
use mainstay_domain::{
    spec::{HttpCheck, Trust},
    text::{causes, in_one_line},
};
use mainstay_runtime::regular_file::read_start;
use parking_lot::Mutex;
use reqwest::{Client, ClientBuilder};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// So long may the header of an answer be. Of HTTP/1 somewhat more is taken.
const MAX_HEADER: u32 = 256 << 10;
/// So many fields may it have.
const MAX_FIELDS: usize = 1024;
/// So long may a file of authorities be; that of a whole machine has a quarter.
const MAX_AUTHORITIES: u64 = 1 << 20;
/// So many files of authorities are kept read.
const KEPT: usize = 64;

/// The clients of all checks, one for each answer to whose certificates count.
pub(super) struct HttpClients {
    machine: Client,
    /// Why `https` cannot be used with the authorities of this machine.
    no_https: Option<String>,
    anyone: Client,
    /// By file: what it held when its client was made.
    by_file: Mutex<HashMap<PathBuf, (Vec<u8>, Client)>>,
    names: NameLooks,
}

impl HttpClients {
    pub(super) fn new(names: &NameLooks) -> Result<Self, reqwest::Error> {
        let (machine, no_https) = match builder(names).build() {
            Ok(client) => (client, None),
            Err(error) => {
                let why = in_one_line(causes(&error));
                let why = format!(
                    "no certificate authorities of this system can be used ({why}); install ca-certificates, or write `ca` \
                     or `insecure` into the check"
                );
                (builder(names).tls_certs_only([]).build()?, Some(why))
            }
        };
        Ok(Self {
            machine,
            no_https,
            anyone: builder(names)
                .tls_danger_accept_invalid_certs(true)
                .build()?,
            by_file: Mutex::default(),
            names: names.clone(),
        })
    }

    /// The client of a check; `turn` is for one that has to read a file. The error is what is seen where there is none.
    pub(super) async fn of(
        self: &Arc<Self>,
        check: &HttpCheck,
        turn: Option<Turn>,
    ) -> Result<Client, Seen> {
        let what = || format!("{} {}", check.method.as_str(), check.url);
        match (&check.trust, turn) {
            (Trust::Anyone, _) => Ok(self.anyone.clone()),
            (Trust::Authorities(file), Some(turn)) => {
                let (clients, path) = (Arc::clone(self), file.clone());
                let client = turn.run(move || clients.trusting(&path)).await?;
                client.map_err(|why| {
                    Seen::not_done(format!("{}: `ca` {}: {why}", what(), file.display()))
                })
            }
            (Trust::Machine | Trust::Authorities(_), _) => match &self.no_https {
                Some(why) if check.url.starts_with("https") => {
                    Err(Seen::not_done(format!("{}: {why}", what())))
                }
                _ => Ok(self.machine.clone()),
            },
        }
    }

    /// Reads the file each time, for authorities are renewed; a client is made only where it has changed. Blocks.
    fn trusting(&self, file: &Path) -> Result<Client, String> {
        let pem = read_start(file, MAX_AUTHORITIES).map_err(|error| io_cause(&error))?;
        let known = self.by_file.lock().get(file).cloned();
        if let Some((_, client)) = known.filter(|(held, _)| *held == pem) {
            return Ok(client);
        }
        let cannot = |error: reqwest::Error| in_one_line(causes(&error));
        let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(cannot)?;
        if authorities.is_empty() {
            return Err("it holds no certificate in PEM".to_owned());
        }
        let client = builder(&self.names).tls_certs_only(authorities).build();
        let client = client.map_err(cannot)?;
        let mut by_file = self.by_file.lock();
        if by_file.len() >= KEPT {
            // Most are of checks that are gone; the others are read once more.
            by_file.clear();
        }
        by_file.insert(file.to_owned(), (pem, client.clone()));
        Ok(client)
    }
}

#[cfg(test)]
impl HttpClients {
    /// Until what this gives is dropped, reading a file of authorities hangs.
    pub(super) fn hang(&self) -> impl Sized + '_ {
        self.by_file.lock()
    }
}

fn builder(names: &NameLooks) -> ClientBuilder {
    Client::builder()
        .dns_resolver(names.clone())
        .user_agent(concat!("mainstay/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .http1_max_headers(MAX_FIELDS)
        .http2_max_header_list_size(MAX_HEADER)
        .no_proxy()
}
