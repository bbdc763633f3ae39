//! Where the tiers of the config are, and what its buckets need of the host.
//!
//! Invariant: the keys of a bucket are revealed when a request is signed, and kept nowhere.
//! Invariant: neither proxies nor any other setting are taken from the environment, and no redirect is followed.

use super::http::builder;
use crate::ports::{Secrets, TierPlace, TierPlaces};
use mainstay_backup::{Bucket, BucketAccess};
use mainstay_domain::{
    name::TierName,
    spec::{S3TierSpec, Spec, TierPlaceSpec, TierSpec},
    text::{causes, in_one_line},
};
use mainstay_runtime::regular_file::read_start;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::Path,
    sync::Arc,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// So long may a file of authorities be.
const MAX_AUTHORITIES: u64 = 1 << 20;

/// The tiers of the config beside `local`, as it is when they are asked for. What is asked of a bucket is given up soon after
/// `stop`.
pub(crate) fn tier_places(
    spec: watch::Receiver<Arc<Spec>>,
    secrets: Arc<dyn Secrets>,
    stop: CancellationToken,
) -> TierPlaces {
    let buckets = Buckets {
        secrets,
        stop,
        known: Mutex::default(),
    };
    Arc::new(move || {
        let now = Arc::clone(&spec.borrow());
        buckets.keep_only(&now.tiers);
        let tiers = now.tiers.iter().filter(|(name, _)| !name.is_local());
        let place = |place: &TierPlaceSpec| match place {
            TierPlaceSpec::Directory(path) => TierPlace::Directory(path.clone()),
            TierPlaceSpec::S3(s3) => TierPlace::Bucket(buckets.of(s3)),
        };
        tiers
            .map(|(name, tier)| (name.clone(), place(&tier.place)))
            .collect()
    })
}

/// What a file of authorities held, where one is named; or why it cannot be read.
type Authorities = Option<Result<Vec<u8>, String>>;

/// The buckets that were asked for; each keeps its connections.
struct Buckets {
    secrets: Arc<dyn Secrets>,
    stop: CancellationToken,
    known: Mutex<HashMap<S3TierSpec, (Authorities, Bucket)>>,
}

impl Buckets {
    /// Reads the file of authorities each time, for authorities are renewed; a bucket is made anew only where it has changed.
    fn of(&self, spec: &S3TierSpec) -> Bucket {
        let authorities = spec.ca.as_deref().map(read);
        let known = self.known.lock().get(spec).cloned();
        if let Some((_, bucket)) = known.filter(|(held, _)| *held == authorities) {
            return bucket;
        }
        let access: Arc<dyn BucketAccess> = Arc::new(Access {
            secrets: Arc::clone(&self.secrets),
            authorities: authorities.clone(),
        });
        let bucket = Bucket::of_s3(spec, &access).until(self.stop.clone());
        // What was in the way may be gone the next time, as where too many files were open.
        if bucket.is_usable() {
            let mut known = self.known.lock();
            known.insert(spec.clone(), (authorities, bucket.clone()));
        }
        bucket
    }

    /// Lets go of those that the config does not have any more, with their connections.
    fn keep_only(&self, tiers: &BTreeMap<TierName, TierSpec>) {
        let mut known = self.known.lock();
        known.retain(|bucket, _| {
            let mut places = tiers.values().map(|tier| &tier.place);
            places.any(|place| matches!(place, TierPlaceSpec::S3(of) if of == bucket))
        });
    }
}

fn read(ca: &Path) -> Result<Vec<u8>, String> {
    let read = read_start(ca, MAX_AUTHORITIES);
    read.map_err(|error| format!("`ca` {} cannot be read: {error}", ca.display()))
}

struct Access {
    secrets: Arc<dyn Secrets>,
    authorities: Authorities,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

impl BucketAccess for Access {
    fn reveal(&self, written: &str) -> Result<String, String> {
        let revealed = self.secrets.reveal(written);
        revealed.map_err(|error| error.to_string())
    }

    fn client(&self) -> Result<reqwest::Client, String> {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let cannot = |error: reqwest::Error| in_one_line(causes(&error));
        let Some(authorities) = &self.authorities else {
            // Without authorities of this system there is no https, and http all the same.
            let client = builder().build();
            let client = client.or_else(|_| builder().tls_certs_only([]).build());
            return client.map_err(cannot);
        };
        let pem = authorities.as_ref().map_err(String::clone)?;
        let authorities = reqwest::Certificate::from_pem_bundle(pem).map_err(cannot)?;
        if authorities.is_empty() {
            return Err("`ca` holds no certificate in PEM".to_owned());
        }
        let client = builder().tls_certs_only(authorities).build();
        client.map_err(cannot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SecretError;
    use mainstay_domain::{name::SecretName, spec::TierRole};
    use std::fs;

    /// Has the secret `key` alone.
    struct Named;

    impl Secrets for Named {
        fn value(&self, name: &SecretName) -> Result<String, SecretError> {
            match name.to_string().as_str() {
                "key" => Ok("v4lu3".to_owned()),
                _ => Err(SecretError::Unknown(name.clone())),
            }
        }
        fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
            bytes
        }
    }

    fn access(ca: Option<&Path>) -> Access {
        Access {
            secrets: Arc::new(Named),
            authorities: ca.map(read),
        }
    }

    #[test]
    fn keys_are_put_in_when_they_are_asked_for_and_shown_nowhere() {
        let access = access(None);
        assert_eq!(access.reveal("${secret:key}").unwrap(), "v4lu3");
        let unknown = access.reveal("${secret:other}").unwrap_err();
        assert!(unknown.contains("`other` is not known"), "{unknown}");
        assert_eq!(format!("{access:?}"), "Access");
        access.client().unwrap();
    }

    #[test]
    fn authorities_that_are_none_are_told_with_their_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let why = access(Some(&file)).client().unwrap_err();
        assert!(why.contains("ca.pem cannot be read"), "{why}");
        fs::write(&file, "no certificate").unwrap();
        let why = access(Some(&file)).client().unwrap_err();
        assert!(why.contains("no certificate in PEM"), "{why}");
    }

    #[test]
    fn a_bucket_is_kept_as_long_as_it_can_be_used_and_the_config_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        fs::write(&ca, "no certificate").unwrap();
        let plain = S3TierSpec {
            bucket: "shop".to_owned(),
            prefix: String::new(),
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            region: "eu-1".to_owned(),
            access_key: "id".to_owned(),
            secret_key: "${secret:key}".to_owned(),
            ca: None,
        };
        let wrong = S3TierSpec {
            ca: Some(ca),
            ..plain.clone()
        };
        let buckets = Buckets {
            secrets: Arc::new(Named),
            stop: CancellationToken::new(),
            known: Mutex::default(),
        };
        assert!(!buckets.of(&wrong).is_usable());
        assert!(buckets.known.lock().is_empty());
        assert!(buckets.of(&plain).is_usable());
        let tier = TierSpec {
            place: TierPlaceSpec::S3(plain),
            role: TierRole::Cloud,
            bandwidth: Vec::new(),
        };
        let name = TierName::parse("offsite").unwrap();
        buckets.keep_only(&BTreeMap::from([(name, tier)]));
        assert_eq!(buckets.known.lock().len(), 1);
        buckets.keep_only(&BTreeMap::new());
        assert!(buckets.known.lock().is_empty());
    }
}
