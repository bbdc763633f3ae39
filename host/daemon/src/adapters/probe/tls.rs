//! The certificate that a server shows, and how long it is valid.
//!
//! Invariant: nothing is sent over the connection but the handshake, for whoever shows a certificate is not verified: one
//! that has expired or that signed itself has an end too.

use super::{Seen, tcp};
use crate::ports::Clock;
use mainstay_domain::{
    certificate::{self, DaysLeft, Validity},
    health::Outcome,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(super) async fn look(
    address: &str,
    to: &[SocketAddr],
    server_name: Option<&str>,
    days: DaysLeft,
    clock: &dyn Clock,
) -> Seen {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = server_name.unwrap_or_else(|| host.trim_matches(['[', ']']));
    match certificate(address, to, name).await {
        Ok(der) => match certificate::validity(&der) {
            Some(validity) => judge(address, validity, days, clock),
            None => Seen::failed(format!("{address}: its certificate cannot be read")),
        },
        Err(seen) => seen,
    }
}

fn judge(address: &str, validity: Validity, days: DaysLeft, clock: &dyn Clock) -> Seen {
    let now = clock.now();
    let left = validity.days_left(now);
    let outcome = validity.judge(now, days);
    let rule = match (outcome, days.warn) {
        (Outcome::Failed, _) if validity.is_early(now) => ", and is not valid yet".to_owned(),
        (Outcome::Failed, _) => format!(", at least {} are needed", days.min),
        (Outcome::Degraded, Some(warn)) => format!(", fewer than {warn} are worth a warning"),
        _ => String::new(),
    };
    let message = if left < 0.0 {
        format!("the certificate of {address} ended {:.1} days ago", -left)
    } else {
        format!("the certificate of {address} has {left:.1} days left{rule}")
    };
    Seen::new(outcome, message).by_wall_clock().with_value(left)
}

/// The certificate that a server shows for this name. The error is what is seen where there is none.
async fn certificate(address: &str, to: &[SocketAddr], name: &str) -> Result<Vec<u8>, Seen> {
    let shown = Arc::new(Shown::new());
    let mut connection = begin(&shown, name).map_err(|error| Seen::of_cause(address, &*error))?;
    let mut stream = tcp::open(address, to).await?;
    let handshake = shake_hands(&mut stream, &mut connection).await;
    if handshake.is_ok() {
        // Else its log would have a line about each look.
        connection.send_close_notify();
        let _ = send(&mut stream, &mut connection).await;
    }
    // A server that asks for ours, say, breaks off after it has shown its own.
    match (shown.certificate.get(), handshake) {
        (Some(certificate), _) => Ok(certificate.clone()),
        (None, Err(error)) => Err(Seen::of_error(
            format_args!("{address}: it shows no certificate"),
            &error,
        )),
        (None, Ok(())) => Err(Seen::failed(format!("{address}: it shows no certificate"))),
    }
}

fn begin(
    shown: &Arc<Shown>,
    name: &str,
) -> Result<ClientConnection, Box<dyn std::error::Error + Send + Sync>> {
    let config = ClientConfig::builder_with_provider(Arc::clone(&shown.provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(shown.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned())?;
    Ok(ClientConnection::new(Arc::new(config), name)?)
}

/// Until both sides know each other.
pub(super) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut ClientConnection,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    while connection.is_handshaking() {
        send(stream, connection).await?;
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::Error::other("it closed the connection"));
        }
        let mut received = buffer.get(..count).unwrap_or_default();
        while !received.is_empty() {
            connection.read_tls(&mut received)?;
            let processed = connection.process_new_packets();
            processed.map_err(io::Error::other)?;
        }
    }
    send(stream, connection).await
}

/// Sends all that is to be sent.
pub(super) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    connection: &mut ClientConnection,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes)?;
    }
    stream.write_all(&bytes).await
}

/// Takes whatever certificate is shown, and keeps it.
#[derive(Debug)]
struct Shown {
    provider: Arc<CryptoProvider>,
    certificate: OnceLock<Vec<u8>>,
}

impl Shown {
    fn new() -> Self {
        Self {
            provider: Arc::new(ring::default_provider()),
            certificate: OnceLock::new(),
        }
    }
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let _ = self.certificate.set(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
