//! What only an alerter of contract 1.2.0 can ask for.

use super::{EffectError, Request, Response};

pub use crate::bindings::effects::mainstay::plugin::mail::Message as MailMessage;
pub use crate::bindings::effects::mainstay::plugin::signed_http::Signing;

/// Requests that are signed with a secret which the plugin never sees. Granted as [`Http`](super::Http) is.
pub trait SignedHttp {
    /// As [`Http::http`](super::Http::http), signed anew each time.
    ///
    /// # Errors
    /// The text of the signing is no handle of a secret among the settings (`Denied`), and those of any request.
    fn http_signed(&mut self, request: Request, signing: Signing) -> Result<Response, EffectError>;
}

/// Mail through accounts that the operator named: `mail = ["ops"]`.
pub trait Mail {
    /// Hands one mail over to the account's server.
    ///
    /// # Errors
    /// The account is not granted, or may not write to a recipient (`Denied`); the server refuses the mail (`Failed`), was
    /// not reached or says that it may work later (`Unavailable`), or did not answer (`TimedOut`).
    fn send_mail(&mut self, message: MailMessage) -> Result<(), EffectError>;
}
