//! Where the tiers of the config are, and what its buckets need of the host.
//!
//! Invariant: the keys of a bucket are revealed when a request is signed, and kept nowhere.
//! Invariant: neither proxies nor any other setting are taken from the environment, and no redirect is followed.

use super::http::builder;
use crate::ports::{Secrets, TierPlace, TierPlaces};
use mainstay_backup::{Bucket, BucketAccess};
use mainstay_domain::{
    name::TierName,
    spec::{BucketSpec, Spec, TierPlaceSpec, TierSpec},
    text::{causes, in_one_line},
};
use mainstay_runtime::regular_file::read_start;
use parking_lot::Mutex;
use std::{collections::HashMap, fmt, path::Path, sync::Arc};
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
        buckets.places(&now)
    })
}

/// What a file of authorities held, where one is named; or why it cannot be read.
type Authorities = Option<Result<Vec<u8>, String>>;

/// The buckets that were asked for; each keeps its connections.
struct Buckets {
    secrets: Arc<dyn Secrets>,
    stop: CancellationToken,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The config that they were last of.
    config: Option<Arc<Spec>>,
    buckets: HashMap<BucketSpec, (Authorities, Bucket)>,
}

impl Buckets {
    /// Where the tiers of a config are. Their files of authorities are read where it is another one than before, or the same that
    /// was applied again: they are renewed.
    fn places(&self, now: &Arc<Spec>) -> Vec<(TierName, TierPlace)> {
        let mut known = self.known.lock();
        let is_same = known.config.as_ref();
        if !is_same.is_some_and(|config| Arc::ptr_eq(config, now)) {
            // With those that the config does not have any more their connections go.
            known.buckets.retain(|bucket, (held, _)| {
                let mut places = now.tiers.values().map(|tier| &tier.place);
                places.any(|place| matches!(place, TierPlaceSpec::Bucket(of) if of == bucket))
                    && *held == authorities_of(bucket)
            });
            known.config = Some(Arc::clone(now));
        }
        let tiers = now.tiers.iter().filter(|(name, _)| !name.is_local());
        let place = |(name, tier): (&TierName, &TierSpec)| {
            let place = match &tier.place {
                TierPlaceSpec::Directory(path) => TierPlace::Directory(path.clone()),
                TierPlaceSpec::Bucket(bucket) => {
                    TierPlace::Bucket(self.of(bucket, &mut known.buckets))
                }
            };
            (name.clone(), place)
        };
        tiers.map(place).collect()
    }

    fn of(
        &self,
        spec: &BucketSpec,
        known: &mut HashMap<BucketSpec, (Authorities, Bucket)>,
    ) -> Bucket {
        if let Some((_, bucket)) = known.get(spec) {
            return bucket.clone();
        }
        let authorities = authorities_of(spec);
        let access: Arc<dyn BucketAccess> = Arc::new(Access {
            secrets: Arc::clone(&self.secrets),
            authorities: authorities.clone(),
        });
        let bucket = Bucket::of(spec, &access).until(self.stop.clone());
        // What was in the way may be gone the next time, as where too many files were open.
        if bucket.is_usable() {
            known.insert(spec.clone(), (authorities, bucket.clone()));
        }
        bucket
    }
}

fn authorities_of(spec: &BucketSpec) -> Authorities {
    spec.ca().map(read)
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
    use crate::{ports::SecretError, services::testing::specs};
    use mainstay_domain::{
        name::SecretName,
        spec::{AzureTierSpec, GcsTierSpec, S3TierSpec, TierRole},
    };
    use std::{collections::BTreeMap, fs, path::PathBuf};

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

    fn buckets() -> Buckets {
        Buckets {
            secrets: Arc::new(Named),
            stop: CancellationToken::new(),
            known: Mutex::default(),
        }
    }

    fn shop(ca: Option<PathBuf>) -> BucketSpec {
        BucketSpec::S3(S3TierSpec {
            bucket: "shop".to_owned(),
            prefix: String::new(),
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            region: "eu-1".to_owned(),
            access_key: "id".to_owned(),
            secret_key: "${secret:key}".to_owned(),
            ca,
        })
    }

    fn shop_in_azure(ca: Option<PathBuf>) -> BucketSpec {
        BucketSpec::Azure(AzureTierSpec {
            container: "shop".to_owned(),
            prefix: String::new(),
            account: "account".to_owned(),
            endpoint: None,
            secret_key: "${secret:key}".to_owned(),
            ca,
        })
    }

    fn shop_in_gcs(ca: Option<PathBuf>) -> BucketSpec {
        BucketSpec::Gcs(GcsTierSpec {
            bucket: "shop".to_owned(),
            prefix: String::new(),
            endpoint: None,
            secret_key: "${secret:key}".to_owned(),
            ca,
        })
    }

    /// A config with this one as its only tier, or with none.
    fn config(bucket: Option<BucketSpec>) -> Arc<Spec> {
        let mut spec = Spec::clone(&specs::spec(Vec::new()));
        if let Some(bucket) = bucket {
            let tier = TierSpec {
                place: TierPlaceSpec::Bucket(bucket),
                role: TierRole::Cloud,
                bandwidth: Vec::new(),
            };
            let name = TierName::parse("offsite").unwrap();
            spec.tiers = BTreeMap::from([(name, tier)]);
        }
        Arc::new(spec)
    }

    fn is_usable(buckets: &Buckets, config: &Arc<Spec>) -> bool {
        let places = buckets.places(config);
        matches!(places.as_slice(), [(_, TierPlace::Bucket(bucket))] if bucket.is_usable())
    }

    #[test]
    fn a_bucket_is_kept_as_long_as_it_can_be_used_and_the_config_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        fs::write(&ca, "no certificate").unwrap();
        let buckets = buckets();
        let count = || buckets.known.lock().buckets.len();
        for shop in [shop, shop_in_azure, shop_in_gcs] {
            assert!(!is_usable(&buckets, &config(Some(shop(Some(ca.clone()))))));
            assert_eq!(count(), 0);
            assert!(is_usable(&buckets, &config(Some(shop(None)))));
            assert!(is_usable(&buckets, &config(Some(shop(None)))));
            assert_eq!(count(), 1);
            assert!(buckets.places(&config(None)).is_empty());
            assert_eq!(count(), 0);
        }
    }

    #[test]
    fn authorities_are_read_once_for_each_config_that_is_applied() {
        let directory = tempfile::tempdir().unwrap();
        let ca = directory.path().join("ca.pem");
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tls");
        fs::copy(kept.join("authority.pem"), &ca).unwrap();
        let (buckets, applied) = (buckets(), config(Some(shop(Some(ca.clone())))));
        assert!(is_usable(&buckets, &applied));
        fs::remove_file(&ca).unwrap();
        assert!(is_usable(&buckets, &applied), "nobody looks again");
        let again = Arc::new(Spec::clone(&applied));
        assert!(!is_usable(&buckets, &again), "it counts from then on");
    }
}
