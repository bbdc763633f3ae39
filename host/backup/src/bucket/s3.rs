//! The client of an S3.

use super::{BucketAccess, Store, Stores, sending::Sending, trouble::Trouble};
use mainstay_domain::{
    spec::S3TierSpec,
    text::{causes, in_one_line},
};
use object_store::{
    BackoffConfig, ClientOptions, CredentialProvider, Error, RetryConfig,
    aws::{AmazonS3Builder, AwsCredential},
    client::{HttpClient, HttpConnector},
};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// Signs with the values that the secrets have by then.
#[derive(Debug)]
struct Keys {
    access: Arc<dyn BucketAccess>,
    access_key: String,
    secret_key: String,
}

impl Keys {
    fn revealed(&self) -> Result<AwsCredential, String> {
        Ok(AwsCredential {
            key_id: self.access.reveal(&self.access_key)?,
            secret_key: self.access.reveal(&self.secret_key)?,
            token: None,
        })
    }
}

impl CredentialProvider for Keys {
    type Credential = AwsCredential;

    fn get_credential<'life0, 'async_trait>(
        &'life0 self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let revealed = self.revealed().map_err(|why| Error::Generic {
                store: "keys",
                source: Box::new(Trouble::Said(why)),
            });
            revealed.map(Arc::new)
        })
    }
}

/// Sends by the host's client.
#[derive(Debug)]
struct ByClient(reqwest::Client);

impl HttpConnector for ByClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Sending(self.0.clone())))
    }
}

/// What asks the bucket of a config.
pub(super) fn stores(spec: &S3TierSpec, access: &Arc<dyn BucketAccess>) -> Result<Stores, String> {
    let client = access.client()?;
    let build = |is_one_by_one: bool| {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&spec.bucket)
            .with_region(&spec.region)
            .with_disable_bulk_delete(is_one_by_one)
            .with_credentials(Arc::new(Keys {
                access: Arc::clone(access),
                access_key: spec.access_key.clone(),
                secret_key: spec.secret_key.clone(),
            }))
            // Some seconds in all, where the server says something: then the next tier takes a backup.
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(5),
                    base: 2.0,
                },
                max_retries: 4,
                retry_timeout: Duration::from_secs(60),
            })
            .with_http_connector(ByClient(client.clone()));
        if let Some(endpoint) = &spec.endpoint {
            let is_plain = endpoint.starts_with("http://");
            builder = builder.with_endpoint(endpoint).with_allow_http(is_plain);
        }
        let built = builder.build().map_err(|error| in_one_line(causes(&error)));
        built.map(|store| Arc::new(store) as Arc<dyn Store>)
    };
    Ok(Stores {
        many: build(false)?,
        one_by_one: build(true)?,
    })
}
