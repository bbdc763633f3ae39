//! A server that speaks as Google Cloud Storage: what is asked of it by its XML API is asked of an S3.

use crate::{
    object_server::{ObjectServer, Serving},
    repository, tls_file,
};
use std::path::PathBuf;

/// Of a service account that nobody has, made for the tests.
const KEY: &str = include_str!("../fixtures/gcs/service-account.json");

/// Starts them.
pub struct GcsServer;

impl GcsServer {
    /// With an empty bucket.
    pub fn start() -> ObjectServer {
        Self::run("http://127.0.0.1", &[])
    }

    /// The same over TLS, with the certificate for localhost.
    pub fn start_with_tls() -> ObjectServer {
        let tls = [tls_file("server.pem"), tls_file("server.key")];
        Self::run("https://localhost", &tls)
    }

    fn run(host: &str, tls: &[PathBuf]) -> ObjectServer {
        let account = repository().join("tests/fixtures/gcs/service-account.json");
        let serving = Serving {
            script: "gcs_server.py",
            arguments: vec![account.to_str().unwrap().to_owned(), "backups".to_owned()],
            tls: tls.to_vec(),
            keys: vec![("GCS_KEY", KEY), ("NO_GCS_KEY", "no JSON")],
            secret_key: "BEGIN PRIVATE KEY",
        };
        ObjectServer::start(serving, |port| {
            format!(
                "\n[secrets]\ngcs-key = {{ env = \"GCS_KEY\" }}\nno-key = {{ env = \"NO_GCS_KEY\" }}\n\n\
                 [tier.offsite]\nkind = \"gcs\"\nurl = \"gs://backups/web-1\"\nendpoint = \"{host}:{port}\"\n\
                 secret_key = \"${{secret:gcs-key}}\"\n"
            )
        })
    }
}
