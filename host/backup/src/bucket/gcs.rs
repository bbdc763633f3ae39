//! The client of Google Cloud Storage.
//!
//! Each request has a token that the service account signed itself, without asking anybody, as <https://google.aip.dev/auth/4111>
//! has it: it is good for an hour, and for whoever sees it.

use super::{
    BucketAccess, Stores,
    client::{ByClient, retry, unsigned},
};
use mainstay_domain::{
    spec::GcsTierSpec,
    text::{causes, in_one_line},
};
use object_store::{
    ClientOptions, CredentialProvider,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
    gcp::{GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder},
};
use std::{future::Future, io, pin::Pin, sync::Arc};

/// Signs with the key that the secret holds by then.
#[derive(Debug)]
struct ServiceAccount {
    access: Arc<dyn BucketAccess>,
    secret_key: String,
}

impl ServiceAccount {
    /// What signs a token with the key as it is now.
    fn signing(&self) -> Result<GcpCredentialProvider, String> {
        let key = self.access.reveal(&self.secret_key)?;
        let of_the_account = GoogleCloudStorageBuilder::new()
            .with_bucket_name("none")
            .with_service_account_key(key)
            .with_http_connector(Nobody);
        // The error could tell of what is in it.
        let built = of_the_account.build().map_err(|_| {
            "what `secret_key` of the tier names is no key of a service account, which is the JSON that Google gave for it"
        })?;
        Ok(Arc::clone(built.credentials()))
    }
}

/// Is asked where a token is signed, and sends nothing.
#[derive(Debug)]
struct Nobody;

impl HttpConnector for Nobody {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Self))
    }
}

impl HttpService for Nobody {
    fn call<'life0, 'async_trait>(
        &'life0 self,
        _: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let nobody = io::Error::other("nobody is asked for a token");
        Box::pin(async move { Err(HttpError::new(HttpErrorKind::Unknown, nobody)) })
    }
}

impl CredentialProvider for ServiceAccount {
    type Credential = GcpCredential;

    fn get_credential<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<GcpCredential>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let signing = self.signing().map_err(unsigned)?;
            signing.get_credential().await
        })
    }
}

/// What asks the bucket of a config.
pub(super) fn stores(spec: &GcsTierSpec, access: &Arc<dyn BucketAccess>) -> Result<Stores, String> {
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&spec.bucket)
        .with_base_url(spec.endpoint.as_deref().unwrap_or(GcsTierSpec::SERVER))
        .with_credentials(Arc::new(ServiceAccount {
            access: Arc::clone(access),
            secret_key: spec.secret_key.clone(),
        }))
        .with_retry(retry())
        .with_http_connector(ByClient(access.client()?));
    let built = builder.build().map_err(|error| in_one_line(causes(&error)));
    // Several are several requests.
    Ok(Stores::same(built?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::client::testing::Named;
    use tokio::runtime::Builder;

    const KEY: &str = include_str!("../../../../tests/fixtures/gcs/service-account.json");

    fn token(value: &str) -> Result<String, String> {
        let account = ServiceAccount {
            access: Arc::new(Named(value.to_owned())),
            secret_key: "${secret:key}".to_owned(),
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let token = runtime.block_on(account.get_credential());
        let token = token.map_err(|error| in_one_line(causes(&error)))?;
        Ok(token.bearer.clone())
    }

    #[test]
    fn tokens_are_signed_with_the_key_as_it_is_by_then_and_what_is_none_is_told_without_it() {
        let token_of_key = token(KEY).unwrap();
        assert_eq!(token_of_key.split('.').count(), 3, "{token_of_key}");
        for value in [
            "not a key".to_owned(),
            "{}".to_owned(),
            "\"a text\"".to_owned(),
            KEY.replace("BEGIN PRIVATE KEY", "BEGIN"),
            KEY.replace("\"client_email\"", "\"other\""),
        ] {
            let why = token(&value).unwrap_err();
            assert!(why.contains("no key of a service account"), "{why}");
            assert!(!why.contains("a text") && !why.contains("BEGIN"), "{why}");
        }
    }
}
