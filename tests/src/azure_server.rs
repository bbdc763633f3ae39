//! A server that speaks as Azure's Blob Storage: Azurite.

use crate::{
    node::modules_with,
    object_server::{ObjectServer, Serving},
    tls_file,
};
use std::path::PathBuf;

/// What serves, by its name and version in the npm registry.
const SERVER: &str = "azurite@3.37.0";
const ACCOUNT: &str = "shop";
const KEY: &str = "d0phbHJYVXRuRkVNSTdNREVOR2JQeFJmaUNZRVhBTVBMRUtFWQ==";

/// A signature by that key of what may be done in the container, until 2119: all that a tier needs, and reading alone.
const SIGNATURE: &str = "sv=2023-11-03&se=2119-01-01T00%3A00%3A00Z&sr=c&sp=rcwdl&\
                         sig=Ho4QpjhHXaUgnU1CUCySHT%2BxgJyZ7%2BKKvXiR0Cfbsdk%3D";
const TO_READ: &str = "sv=2023-11-03&se=2119-01-01T00%3A00%3A00Z&sr=c&sp=rl&\
                       sig=6pMMBX%2FhhTlSzT5KFRZcqJM5%2FhtMak%2FXMEyLIf1QbTo%3D";

/// Starts them.
pub struct AzureServer;

impl AzureServer {
    /// With an empty container.
    pub fn start() -> ObjectServer {
        Self::run("http://127.0.0.1", &[])
    }

    /// The same over TLS, with the certificate for localhost.
    pub fn start_with_tls() -> ObjectServer {
        let tls = [tls_file("server.pem"), tls_file("server.key")];
        Self::run("https://localhost", &tls)
    }

    fn run(host: &str, tls: &[PathBuf]) -> ObjectServer {
        let program = modules_with("azurite", SERVER).join("azurite/dist/src/blob/main.js");
        let program = program.to_str().unwrap().to_owned();
        let of_account = [ACCOUNT, KEY, "backups"].map(str::to_owned);
        let serving = Serving {
            script: "azure_server.py",
            arguments: [vec![program], of_account.to_vec()].concat(),
            tls: tls.to_vec(),
            keys: vec![
                ("AZURE_KEY", KEY),
                ("OTHER_AZURE_KEY", "T3RoZXI="),
                ("NO_AZURE_KEY", "not in base64"),
                ("AZURE_SIGNATURE", SIGNATURE),
                ("AZURE_SIGNATURE_TO_READ", TO_READ),
            ],
            secret_key: KEY,
        };
        ObjectServer::start(serving, |port| {
            format!(
                "\n[secrets]\nazure-key = {{ env = \"AZURE_KEY\" }}\nother-key = {{ env = \"OTHER_AZURE_KEY\" }}\n\
                 no-key = {{ env = \"NO_AZURE_KEY\" }}\nsignature = {{ env = \"AZURE_SIGNATURE\" }}\n\
                 to-read = {{ env = \"AZURE_SIGNATURE_TO_READ\" }}\n\n\
                 [tier.offsite]\nkind = \"azure\"\nurl = \"az://backups/web-1\"\naccount = \"{ACCOUNT}\"\n\
                 endpoint = \"{host}:{port}/{ACCOUNT}\"\nsecret_key = \"${{secret:azure-key}}\"\n"
            )
        })
    }
}
