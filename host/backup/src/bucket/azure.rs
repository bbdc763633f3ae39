//! The client of Azure's Blob Storage, where a bucket is a container, and an object a blob.
//!
//! An upload in parts has no name of its own there: parts that belong to no blob in the end go by themselves after a week.

use super::{
    BucketAccess, Store, Stores,
    client::{ByClient, Keys, Signing, retry},
};
use mainstay_domain::{
    spec::AzureTierSpec,
    text::{causes, in_one_line},
};
use object_store::azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder};
use std::sync::Arc;

/// A key of a storage account.
#[derive(Debug)]
struct AccountKey {
    access: Arc<dyn BucketAccess>,
    secret_key: String,
}

impl Keys for AccountKey {
    type Credential = AzureCredential;

    fn revealed(&self) -> Result<AzureCredential, String> {
        let key = self.access.reveal(&self.secret_key)?;
        // The error would tell of what is in it.
        let key = AzureAccessKey::try_new(key.trim()).map_err(|_| {
            "what `secret_key` of the tier names is no key of a storage account, which is written in base64"
        })?;
        Ok(AzureCredential::AccessKey(key))
    }
}

/// What asks the container of a config.
pub(super) fn stores(
    spec: &AzureTierSpec,
    access: &Arc<dyn BucketAccess>,
) -> Result<Stores, String> {
    let server = AzureTierSpec::server_of(&spec.account);
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&spec.account)
        .with_container_name(&spec.container)
        .with_endpoint(spec.endpoint.clone().unwrap_or(server))
        .with_credentials(Arc::new(Signing(AccountKey {
            access: Arc::clone(access),
            secret_key: spec.secret_key.clone(),
        })))
        .with_retry(retry())
        .with_http_connector(ByClient(access.client()?));
    let built = builder.build().map_err(|error| in_one_line(causes(&error)));
    let store: Arc<dyn Store> = Arc::new(built?);
    Ok(Stores {
        many: Arc::clone(&store),
        // A batch of one: its client asks for no deletion otherwise.
        one_by_one: store,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has one secret, of this value.
    #[derive(Debug)]
    struct Named(&'static str);

    impl BucketAccess for Named {
        fn reveal(&self, written: &str) -> Result<String, String> {
            Ok(written.replace("${secret:key}", self.0))
        }

        fn client(&self) -> Result<reqwest::Client, String> {
            Err("nobody is asked".to_owned())
        }
    }

    fn revealed(value: &'static str) -> Result<AzureCredential, String> {
        let key = AccountKey {
            access: Arc::new(Named(value)),
            secret_key: "${secret:key}".to_owned(),
        };
        key.revealed()
    }

    #[test]
    fn a_key_is_read_as_it_is_by_then_and_what_is_none_is_told_without_it() {
        let key = AzureAccessKey::try_new("c2VjcmV0").unwrap();
        for value in ["c2VjcmV0", "c2VjcmV0\n"] {
            let found = revealed(value).unwrap();
            assert!(found == AzureCredential::AccessKey(key.clone()), "{value}");
        }
        let why = revealed("c2VjcmV0!").unwrap_err();
        assert!(why.contains("`secret_key` of the tier"), "{why}");
        assert!(!why.contains("c2VjcmV0") && !why.contains("33"), "{why}");
    }
}
