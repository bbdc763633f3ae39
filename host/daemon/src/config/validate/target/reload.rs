//! What has a supervised child read its config anew.

use super::super::super::{
    reader::ValueAt,
    values::{one_of, run},
};
use mainstay_domain::{effect::Signal, spec::Reload};

/// What may have a child read its config anew; by the others it ends.
const RELOAD_SIGNALS: [(&str, Signal); 3] = [
    ("SIGHUP", Signal::Hup),
    ("SIGUSR1", Signal::Usr1),
    ("SIGUSR2", Signal::Usr2),
];

/// A text is a signal, an array a program.
pub(super) fn reload(at: ValueAt<'_>) -> Option<Reload> {
    let what = "a signal that has a program read its config anew";
    match at.as_text() {
        Some(_) => one_of(what, &RELOAD_SIGNALS, at).map(Reload::Signal),
        None => run(at).map(Reload::Run),
    }
}
