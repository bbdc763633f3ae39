//! What a line holds, and what a failed write means.

use mainstay_plugin_sdk::alerting::{Alert, DeliveryFailure};
use std::io::{Error, ErrorKind};
use std::path::Path;

/// The line of an alert; it starts a new one first where the last was cut off.
pub(crate) fn line(alert: &Alert, last_is_cut: bool) -> String {
    let start = if last_is_cut { "\n" } else { "" };
    format!("{start}{}\n", alert.to_json())
}

/// A path that is not there or not granted stays so until the operator acts; all else, a full disk above all, may
/// pass.
pub(crate) fn failure(path: &Path, error: &Error) -> DeliveryFailure {
    let what = format!("cannot append to {}: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory => {
            DeliveryFailure::Permanent(format!(
                "{what}; grant its directory to the plugin with `dir`"
            ))
        }
        _ => DeliveryFailure::retry(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_operator_must_change_is_permanent() {
        fn check(kind: ErrorKind, is_permanent: bool) {
            let failure = failure(Path::new("/logs/alerts"), &Error::from(kind));
            assert_eq!(
                matches!(failure, DeliveryFailure::Permanent(_)),
                is_permanent,
                "{kind:?}"
            );
        }
        check(ErrorKind::NotFound, true);
        check(ErrorKind::PermissionDenied, true);
        check(ErrorKind::StorageFull, false);
        check(ErrorKind::Interrupted, false);
    }
}
