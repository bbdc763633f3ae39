//! A connection to a service, in plain text or over TLS.
//!
//! Invariant: over TLS nothing is said to a service before its certificate is found to be signed by an authority of the
//! check, for the host of its address.

use super::{
    super::{
        seen::io_cause,
        tls::{send, shake_hands},
    },
    Seen, Stream,
};
use mainstay_runtime::regular_file::read_start;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// So long may a file of authorities be.
const MAX_AUTHORITIES: u64 = 1 << 20;
/// So much is read at once.
const AT_ONCE: usize = 16 << 10;

/// By what a service is known.
pub(super) struct Known {
    /// What trusts its authorities.
    pub(super) config: Arc<ClientConfig>,
    /// `host:port`.
    pub(super) address: String,
}

/// A connection.
pub(super) enum Line {
    Plain(Box<dyn Stream>),
    Secure(Box<Secure>),
}

/// One over TLS.
pub(super) struct Secure {
    stream: Box<dyn Stream>,
    connection: ClientConnection,
}

impl Line {
    /// Over TLS where it is said by what the service is known. The error is what is seen where that fails.
    pub(super) async fn begin(
        mut stream: Box<dyn Stream>,
        known: Option<Known>,
    ) -> Result<Self, Seen> {
        let Some(Known { config, address }) = known else {
            return Ok(Self::Plain(stream));
        };
        let host = address.rsplit_once(':').map_or(&*address, |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| Seen::failed(format!("{address}: {error}")))?;
        let connection = ClientConnection::new(config, name);
        let mut connection = connection.map_err(|error| Seen::of_cause(&address, &error))?;
        let handshake = shake_hands(&mut stream, &mut connection).await;
        handshake.map_err(|error| Seen::of_cause(&address, &error))?;
        Ok(Self::Secure(Box::new(Secure { stream, connection })))
    }

    /// Sends all of it.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secure(secure) => {
                secure.connection.writer().write_all(bytes)?;
                send(&mut secure.stream, &mut secure.connection).await
            }
        }
    }

    /// Adds what comes next; so many bytes, none where nothing comes any more.
    pub(super) async fn read_buf(&mut self, received: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(received).await,
            Self::Secure(secure) => secure.read_buf(received).await,
        }
    }
}

impl Secure {
    async fn read_buf(&mut self, received: &mut Vec<u8>) -> io::Result<usize> {
        let mut buffer = vec![0; AT_ONCE];
        loop {
            match self.connection.reader().read(&mut buffer) {
                Ok(count) => {
                    received.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let count = self.stream.read(&mut buffer).await?;
            let mut sealed = buffer.get(..count).unwrap_or_default();
            if sealed.is_empty() {
                return Ok(0);
            }
            while !sealed.is_empty() {
                self.connection.read_tls(&mut sealed)?;
                let processed = self.connection.process_new_packets();
                processed.map_err(io::Error::other)?;
            }
            send(&mut self.stream, &mut self.connection).await?;
        }
    }
}

/// Trusts the authorities of a file. Reads it each time, for authorities are renewed. Blocks.
pub(super) fn trusting(file: &Path) -> Result<Arc<ClientConfig>, String> {
    let pem = read_start(file, MAX_AUTHORITIES).map_err(|error| io_cause(&error))?;
    let mut authorities = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&pem) {
        let authority = authority.map_err(|error| error.to_string())?;
        let added = authorities.add(authority);
        added.map_err(|error| error.to_string())?;
    }
    if authorities.is_empty() {
        return Err("it holds no certificate in PEM".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = config.with_root_certificates(authorities);
    Ok(Arc::new(config.with_no_client_auth()))
}
