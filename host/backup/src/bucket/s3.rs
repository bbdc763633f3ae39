//! The client of an S3.

use super::{
    BucketAccess, Store, Stores,
    client::{ByClient, Keys, Signing, retry},
};
use mainstay_domain::{
    spec::S3TierSpec,
    text::{causes, in_one_line},
};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use std::sync::Arc;

/// Who signs, and with what.
#[derive(Debug)]
struct KeyPair {
    access: Arc<dyn BucketAccess>,
    access_key: String,
    secret_key: String,
}

impl Keys for KeyPair {
    type Credential = AwsCredential;

    fn revealed(&self) -> Result<AwsCredential, String> {
        Ok(AwsCredential {
            key_id: self.access.reveal(&self.access_key)?,
            secret_key: self.access.reveal(&self.secret_key)?,
            token: None,
        })
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
            .with_credentials(Arc::new(Signing(KeyPair {
                access: Arc::clone(access),
                access_key: spec.access_key.clone(),
                secret_key: spec.secret_key.clone(),
            })))
            .with_retry(retry())
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
