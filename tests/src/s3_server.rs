//! A server that speaks as an S3.

use crate::{
    object_server::{ObjectServer, Serving},
    python::python_with,
    tls_file,
};
use std::{
    ops::{Deref, DerefMut},
    path::PathBuf,
};

/// What serves, by its name and version in PyPI.
const SERVER: &str = "moto[s3,server]==5.2.1";
const REGION: &str = "eu-central-1";
const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const KEY: &str = "wJalrXUtnFEMI7MDENGbPxRfiCYEXAMPLEKEY";
/// The two of a config.
const SECRETS: &str =
    "\n[secrets]\nbucket-id = { env = \"BUCKET_ID\" }\nbucket-key = { env = \"BUCKET_KEY\" }\n";

/// Ends with this.
pub struct S3Server {
    objects: ObjectServer,
    /// Its endpoint.
    pub url: String,
}

impl S3Server {
    /// With an empty bucket.
    pub fn start() -> Self {
        Self::run("http://127.0.0.1", &[])
    }

    /// The same over TLS, with the certificate for localhost.
    pub fn start_with_tls() -> Self {
        let tls = [tls_file("server.pem"), tls_file("server.key")];
        Self::run("https://localhost", &tls)
    }

    fn run(host: &str, tls: &[PathBuf]) -> Self {
        let serving = Serving {
            script: "s3_server.py",
            arguments: [KEY_ID, KEY, "backups", REGION].map(str::to_owned).to_vec(),
            tls: tls.to_vec(),
            keys: Self::keys().to_vec(),
            secret_key: KEY,
        };
        let mut url = String::new();
        let objects = ObjectServer::start(serving, |port| {
            url = format!("{host}:{port}");
            format!(
                "{SECRETS}\n\
                 [tier.offsite]\nkind = \"s3\"\nurl = \"s3://backups/web-1\"\nendpoint = \"{url}\"\n\
                 region = \"{REGION}\"\naccess_key = \"${{secret:bucket-id}}\"\n\
                 secret_key = \"${{secret:bucket-key}}\"\n"
            )
        });
        Self { objects, url }
    }

    /// A Python that has a client of S3, `boto3`.
    pub fn python() -> PathBuf {
        python_with("s3", SERVER)
    }

    /// The keys, by the names of the variables that a daemon has them in.
    pub fn keys() -> [(&'static str, &'static str); 2] {
        [("BUCKET_ID", KEY_ID), ("BUCKET_KEY", KEY)]
    }

    /// A check of the bucket without its table's head, and the secrets that it needs.
    pub fn check(&self) -> (String, &'static str) {
        let check = format!(
            "kind = \"s3\"\nurl = \"{}/backups\"\nregion = \"{REGION}\"\naccess_key = \"bucket-id\"\n\
             secret_key = \"bucket-key\"\n",
            self.url
        );
        (check, SECRETS)
    }
}

impl Deref for S3Server {
    type Target = ObjectServer;

    fn deref(&self) -> &ObjectServer {
        &self.objects
    }
}

impl DerefMut for S3Server {
    fn deref_mut(&mut self) -> &mut ObjectServer {
        &mut self.objects
    }
}

impl From<S3Server> for ObjectServer {
    fn from(server: S3Server) -> Self {
        server.objects
    }
}
