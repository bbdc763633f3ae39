//! The client of Azure's Blob Storage, where a bucket is a container, and an object a blob.
//!
//! An upload in parts has no name of its own there: parts that belong to no blob in the end go by themselves after a week.

use super::{
    BucketAccess, Stores,
    client::{ByClient, Keys, Signing, retry},
};
use mainstay_domain::{
    grant::is_private,
    spec::AzureTierSpec,
    text::{causes, in_one_line},
};
use object_store::azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder, split_sas};
use std::sync::Arc;

/// A key of a storage account, or a shared access signature, which gives less.
#[derive(Debug)]
struct Secret {
    access: Arc<dyn BucketAccess>,
    secret_key: String,
    /// Where requests go.
    server: String,
}

impl Keys for Secret {
    type Credential = AzureCredential;

    fn revealed(&self) -> Result<AzureCredential, String> {
        let secret = self.access.reveal(&self.secret_key)?;
        let secret = secret.trim();
        // A signature has several parts, and base64 has none of these.
        let read = match secret.contains('&') {
            true if !is_private(&self.server) => {
                return Err(
                    "what `secret_key` of the tier names is a shared access signature, and whoever sees a request to an `endpoint` of \
                     http may use it; write https there, or name a key of the account"
                        .to_owned(),
                );
            }
            true => split_sas(secret).ok().map(AzureCredential::SASToken),
            false => AzureAccessKey::try_new(secret)
                .ok()
                .map(AzureCredential::AccessKey),
        };
        // The error would tell of what is in it.
        read.ok_or_else(|| {
            "what `secret_key` of the tier names is neither a key of a storage account, which is written in base64, nor a shared \
             access signature"
                .to_owned()
        })
    }
}

/// What asks the container of a config.
pub(super) fn stores(
    spec: &AzureTierSpec,
    access: &Arc<dyn BucketAccess>,
) -> Result<Stores, String> {
    let server = spec.endpoint.clone();
    let server = server.unwrap_or_else(|| AzureTierSpec::server_of(&spec.account));
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&spec.account)
        .with_container_name(&spec.container)
        .with_endpoint(server.clone())
        .with_credentials(Arc::new(Signing(Secret {
            access: Arc::clone(access),
            secret_key: spec.secret_key.clone(),
            server,
        })))
        .with_retry(retry())
        .with_http_connector(ByClient(access.client()?));
    let built = builder.build().map_err(|error| in_one_line(causes(&error)));
    // A batch of one: its client asks for no deletion otherwise.
    Ok(Stores::same(built?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::client::testing::Named;

    fn revealed(value: &'static str) -> Result<AzureCredential, String> {
        revealed_for(value, "https://shop.blob.core.windows.net")
    }

    fn revealed_for(value: &'static str, server: &str) -> Result<AzureCredential, String> {
        let secret = Secret {
            access: Arc::new(Named(value.to_owned())),
            secret_key: "${secret:key}".to_owned(),
            server: server.to_owned(),
        };
        secret.revealed()
    }

    #[test]
    fn a_key_is_read_as_it_is_by_then_and_what_is_none_is_told_without_it() {
        let key = AzureAccessKey::try_new("c2VjcmV0").unwrap();
        for value in ["c2VjcmV0", "c2VjcmV0\n"] {
            let found = revealed(value).unwrap();
            assert!(found == AzureCredential::AccessKey(key.clone()), "{value}");
        }
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let signature =
            AzureCredential::SASToken(vec![pair("sv", "2023-11-03"), pair("sig", "c2Vj+cmV0=")]);
        for value in [
            "sv=2023-11-03&sig=c2Vj%2BcmV0%3D",
            "?sv=2023-11-03&sig=c2Vj%2BcmV0%3D\n",
        ] {
            assert!(revealed(value).unwrap() == signature, "{value}");
        }
        let seen = "http://blob.example/shop";
        revealed_for("c2VjcmV0", seen).unwrap();
        let why = revealed_for("sv=2023-11-03&sig=c2Vj", seen).unwrap_err();
        assert!(why.contains("write https there"), "{why}");
        for value in ["c2VjcmV0!", "c2VjcmV0&none"] {
            let why = revealed(value).unwrap_err();
            assert!(why.contains("`secret_key` of the tier"), "{why}");
            assert!(!why.contains("c2VjcmV0") && !why.contains("33"), "{why}");
        }
    }
}
