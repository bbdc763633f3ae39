//! What of the config no restore may take away.

use crate::ports::{HostPlace, HostPlaces};
use mainstay_domain::spec::{SecretSource, Spec};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// The places of the config that is current when they are asked for, and the file that it is read from.
pub(crate) fn host_places(spec: watch::Receiver<Arc<Spec>>, config: PathBuf) -> HostPlaces {
    Arc::new(move || {
        let spec = Arc::clone(&spec.borrow());
        places(&spec, &config)
    })
}

fn places(spec: &Spec, config: &Path) -> Vec<HostPlace> {
    let place = |what: String, path: &Path| HostPlace {
        what,
        path: path.to_owned(),
    };
    let mut places = vec![
        place("the plugin directory".to_owned(), &spec.host.plugin_dir),
        place("the config".to_owned(), config),
    ];
    for (name, source) in &spec.secrets {
        if let SecretSource::File(file) = source {
            places.push(place(format!("the secret {name}"), file));
        }
    }
    for job in &spec.jobs {
        let name = &job.name;
        if let Some(file) = &job.sealing.identity {
            places.push(place(format!("the identity of job {name}"), file));
        }
        if let Some(file) = &job.sealing.recipients_file {
            places.push(place(format!("the recipients of job {name}"), file));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use mainstay_domain::{
        name::{JobName, SecretName},
        spec::{
            HookSpec, JobSpec, ProofSchedules, ReadingSpec, RestoreDrillSpec, SealingSpec,
            StartSpec,
        },
    };

    #[test]
    fn all_files_of_keys_that_the_config_names_are_among_them() {
        let mut spec = Arc::unwrap_or_clone(specs::spec(Vec::new()));
        let file = SecretSource::File("/etc/mainstay/token.txt".into());
        let name = |text: &str| SecretName::parse(text).unwrap();
        spec.secrets.insert(name("token"), file);
        let of_environment = SecretSource::Env("TOKEN".to_owned());
        spec.secrets.insert(name("other"), of_environment);
        spec.jobs.push(JobSpec {
            name: JobName::parse("state").unwrap(),
            sources: Vec::new(),
            reading: ReadingSpec::default(),
            after: Vec::new(),
            full: None,
            differential: None,
            incremental: None,
            rpo: None,
            stale_after: None,
            compression: 3,
            shrink_guard: None,
            hooks: HookSpec::default(),
            retention: None,
            checkpoints: None,
            proofs: ProofSchedules::default(),
            drill: RestoreDrillSpec::default(),
            starts: StartSpec::default(),
            archive: None,
            tiers: Default::default(),
            sealing: SealingSpec {
                recipients_file: Some("/etc/mainstay/keys/recipients.txt".into()),
                identity: Some("/etc/mainstay/keys/drill.txt".into()),
                ..SealingSpec::default()
            },
        });
        let found: Vec<String> = places(&spec, Path::new("/etc/mainstay/mainstay.toml"))
            .into_iter()
            .map(|place| format!("{}: {}", place.what, place.path.display()))
            .collect();
        let expected = [
            "the plugin directory: /nonexistent/plugins",
            "the config: /etc/mainstay/mainstay.toml",
            "the secret token: /etc/mainstay/token.txt",
            "the identity of job state: /etc/mainstay/keys/drill.txt",
            "the recipients of job state: /etc/mainstay/keys/recipients.txt",
        ];
        assert_eq!(found, expected);
    }
}
