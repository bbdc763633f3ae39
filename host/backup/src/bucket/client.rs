//! What the clients of all kinds of buckets have in common: who sends, what is made again, and that keys are asked for with each
//! request.

use super::{sending::Sending, trouble::Trouble};
use object_store::{
    BackoffConfig, ClientOptions, CredentialProvider, Error, RetryConfig,
    client::{HttpClient, HttpConnector},
};
use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};

/// The keys of a tier, as an operator wrote them.
pub(super) trait Keys: Debug + Send + Sync {
    /// What requests are signed with.
    type Credential: Send + Sync + 'static;

    /// With the values that the secrets have by now. The error is a sentence for people, without values.
    fn revealed(&self) -> Result<Self::Credential, String>;
}

/// Signs with the values that the secrets have by then.
#[derive(Debug)]
pub(super) struct Signing<K>(pub(super) K);

impl<K: Keys> CredentialProvider for Signing<K> {
    type Credential = K::Credential;

    fn get_credential<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<K::Credential>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { self.0.revealed().map(Arc::new).map_err(unsigned) })
    }
}

/// Why a request cannot be signed, which is a sentence for people.
pub(super) fn unsigned(why: String) -> Error {
    Error::Generic {
        store: "keys",
        source: Box::new(Trouble::Said(why)),
    }
}

/// Sends by the host's client.
#[derive(Debug)]
pub(super) struct ByClient(pub(super) reqwest::Client);

impl HttpConnector for ByClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Sending(self.0.clone())))
    }
}

/// How a request is made again: some seconds in all, where the server says something; then the next tier takes a backup.
pub(super) fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(60),
    }
}

#[cfg(test)]
pub(super) mod testing {
    use crate::bucket::BucketAccess;

    /// Has one secret, of this value.
    #[derive(Debug)]
    pub(in crate::bucket) struct Named(pub(in crate::bucket) String);

    impl BucketAccess for Named {
        fn reveal(&self, written: &str) -> Result<String, String> {
            Ok(written.replace("${secret:key}", &self.0))
        }

        fn client(&self) -> Result<reqwest::Client, String> {
            Err("nobody is asked".to_owned())
        }
    }
}
