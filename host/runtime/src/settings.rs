//! The operator's settings as a call of a plugin sees them: a handle in place of each secret.

use mainstay_domain::{name::SecretName, secret::SecretHandles, spec::PluginSpec};
use std::{collections::BTreeSet, sync::Arc};

/// The settings of one plugin.
pub(crate) struct Settings {
    written: serde_json::Value,
    /// What every call sees where there is no secret in them.
    text: Arc<str>,
    secrets: BTreeSet<SecretName>,
}

/// Settings and secret handles of one call.
#[derive(Clone)]
pub(crate) struct CallSettings {
    /// JSON, with handles.
    pub(crate) settings: Arc<str>,
    /// The secrets that the settings name, and no others.
    pub(crate) secrets: Arc<SecretHandles>,
}

impl Settings {
    pub(crate) fn of(spec: &PluginSpec) -> Self {
        Self {
            written: spec.settings.clone(),
            text: spec.settings.to_string().into(),
            secrets: spec.secrets(),
        }
    }

    /// As the operator wrote them.
    pub(crate) fn written(&self) -> &serde_json::Value {
        &self.written
    }

    /// For the call with this seed, from which its handles are drawn.
    pub(crate) fn for_call(&self, seed: &[u8; 32]) -> CallSettings {
        if self.secrets.is_empty() {
            return CallSettings {
                settings: self.text.clone(),
                secrets: Arc::default(),
            };
        }
        let secrets = SecretHandles::draw(seed, &self.secrets);
        CallSettings {
            settings: secrets.put_into(&self.written).to_string().into(),
            secrets: Arc::new(secrets),
        }
    }
}

impl CallSettings {
    /// For a call without settings.
    pub(crate) fn nothing() -> Self {
        Self {
            settings: "{}".into(),
            secrets: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Seeds;
    use mainstay_domain::secret::Masked;
    use serde_json::json;

    fn for_calls(settings: serde_json::Value, times: usize) -> Vec<CallSettings> {
        let settings = Settings::of(&PluginSpec {
            settings,
            ..PluginSpec::default()
        });
        let seeds = Seeds::new().unwrap();
        (0..times)
            .map(|_| settings.for_call(&seeds.draw()))
            .collect()
    }

    #[test]
    fn each_call_sees_handles_of_its_own_in_its_settings() {
        const WRITTEN: &str = r#"{"token":"Bearer ${secret:hook}"}"#;
        let for_calls = for_calls(json!({ "token": "Bearer ${secret:hook}" }), 2);
        for CallSettings { settings, secrets } in &for_calls {
            assert!(!settings.contains("hook"), "{settings}");
            assert_eq!(settings.to_string().masked(secrets), WRITTEN);
        }
        assert_ne!(for_calls[0].settings, for_calls[1].settings);
        let other = &for_calls[1].secrets;
        assert_ne!(for_calls[0].settings.to_string().masked(other), WRITTEN);
    }

    #[test]
    fn settings_without_a_secret_are_seen_as_they_were_written() {
        let for_calls = for_calls(json!({ "grace": "2s" }), 1);
        assert_eq!(&*for_calls[0].settings, r#"{"grace":"2s"}"#);
        assert!(for_calls[0].secrets.is_empty());
    }
}
